"""What requests are let in to Gradio: nothing that would make it fetch or read what is not ours.

Gradio itself fetches a URL that stands for a file, and ends other odd requests in a traceback of
many lines. Such a request gets an answer of one sentence here, and the log a line.
"""

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio.queueing
import gradio.routes
from gradio.utils import get_upload_folder
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dslr_gan.errors import reason
from dslr_gan.page.uploads import EXAMPLE_FOLDER

MAX_BODY = 1_000_000
"""Bytes of a request that is no upload: names and numbers."""

ENDPOINTS = {
    "enhance": ("photo", "phone", "strength", "reference"),
    "compare": ("photo", "reference", "phone", "strength"),
    "enhance_many": ("photos", "phone", "strength"),
}
"""What programs call, and the values that each takes."""

logger = logging.getLogger(__name__)


class Refused(Exception):  # noqa: N818 - an answer rather than an error
    """A request that is not let in, and why."""


class Guard:
    """Refuses requests before Gradio sees them.

    Args:
        app: What comes after.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = str(scope["path"])
        try:
            _check_path(path)
            if scope["method"] == "POST" and _is_call(path):
                receive = _again(await _checked_body(receive, path))
        except Refused as why:
            logger.warning("refused %s: %s", path[:80], why)
            await JSONResponse({"detail": str(why)}, 422)(scope, receive, send)
            return
        await self._answer(scope, receive, send, path)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, path: str) -> None:
        """Let Gradio answer; what it does not foresee is a line in the log and a short answer."""
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception as error:
            logger.warning("refused %s: %s", path[:80], _line(error))
            if not started:
                answer = {"detail": "The page does not understand this request."}
                await JSONResponse(answer, 400)(scope, receive, send)
            else:
                await send({"type": "http.response.body", "body": b"", "more_body": False})


class _Line:
    """Stands in for the module ``traceback`` where Gradio prints one of whatever a client sends."""

    @staticmethod
    def print_exc() -> None:
        logger.warning("refused: %s", _line(sys.exception()))


def _line(error: BaseException | None) -> str:
    return f"{type(error).__name__}: {reason(error)}" if error else "for an unknown reason"


def guard() -> list[Middleware]:
    """The middleware for ``launch(app_kwargs={"middleware": ...})``.

    What fails in a call before it comes to us, such as a number in a photo's place, is then a line
    in the log, too.
    """
    for module in (gradio.queueing, gradio.routes):
        vars(module)["traceback"] = _Line
    return [Middleware(Guard)]


def _check_path(path: str) -> None:
    for part in ("/file=", "/proxy="):
        _, found, rest = path.partition(part)
        if found and ("proxy" in part or "://" in rest or rest.startswith(("http:", "https:"))):
            raise Refused("Only files of this page are given.")


def _is_call(path: str) -> bool:
    return "/upload" not in path and "/mcp" not in path


async def _checked_body(receive: Receive, path: str) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused("The request was cut off.")
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > MAX_BODY:
            raise Refused("The request is too large; upload files through /upload.")
    if not body.strip():
        return body
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused("The request is no JSON.") from error
    for file in _files(value):
        _check_file(file)
    _, found, name = path.partition("/call/")
    if found:
        _check_call(name, value)
    return body


def _check_call(name: str, value: Any) -> None:
    """Refuse a call of a program whose values are not what its endpoint takes."""
    if name not in ENDPOINTS:
        known = ", ".join(f"/{known}" for known in ENDPOINTS)
        raise Refused(f"There is no endpoint /{name[:40]}; there are {known}.")
    kinds = ENDPOINTS[name]
    data = value.get("data") if isinstance(value, dict) else None
    if not isinstance(data, list) or len(data) < len(kinds):
        raise Refused(f"/{name} takes {len(kinds)} values: {', '.join(kinds)}.")
    for kind, given in zip(kinds, data, strict=False):
        if given is None or kind not in ("photo", "photos", "reference"):
            continue
        many = kind == "photos"
        files = given if many else [given]
        if not isinstance(files, list) or not all(
            isinstance(file, dict) and "meta" in file for file in files
        ):
            raise Refused(
                f"The {kind} of /{name}: upload first, and give "
                '{"path": ..., "meta": {"_type": "gradio.FileData"}}'
                f"{', in a list' if many else ''}."
            )


def _files(value: Any) -> Iterator[Any]:
    """Every path of a file in a request, however deep."""
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            if "path" in found:
                yield found["path"]
            waiting += found.values()
        elif isinstance(found, list):
            waiting += found


def _check_file(path: Any) -> None:
    if path is None:
        return
    if not isinstance(path, str) or "\0" in path or "://" in path or path.startswith("data:"):
        raise Refused("A file is named by the path that /upload gave; upload it first.")
    try:
        place = Path(path).resolve()
    except (OSError, RuntimeError) as error:
        raise Refused("A file's path is too long.") from error
    folders = Path(get_upload_folder()), EXAMPLE_FOLDER
    if not any(place.is_relative_to(folder.resolve()) for folder in folders):
        raise Refused("There is no such upload; upload the file first.")


def _again(body: bytes) -> Receive:
    """Give a body that was read already."""
    sent = False

    async def receive() -> Message:
        nonlocal sent
        if sent:
            return {"type": "http.disconnect"}
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
