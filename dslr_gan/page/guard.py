"""What requests are let in to Gradio: nothing that would make it fetch or read what is not ours.

Gradio itself fetches a URL that stands for a file, and ends other odd requests in a traceback of
many lines. Such a request gets an answer of one sentence here, and the log a line.
"""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gradio.utils import get_upload_folder
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dslr_gan.page.uploads import EXAMPLE_FOLDER

MAX_BODY = 1_000_000
"""Bytes of a request that is no upload: names and numbers."""

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
                receive = _again(await _checked_body(receive))
        except Refused as reason:
            logger.warning("refused %s: %s", path[:80], reason)
            await JSONResponse({"detail": str(reason)}, 422)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def guard() -> list[Middleware]:
    """The middleware for ``launch(app_kwargs={"middleware": ...})``."""
    return [Middleware(Guard)]


def _check_path(path: str) -> None:
    for part in ("/file=", "/proxy="):
        _, found, rest = path.partition(part)
        if found and ("proxy" in part or "://" in rest or rest.startswith(("http:", "https:"))):
            raise Refused("Only files of this page are given.")


def _is_call(path: str) -> bool:
    return "/upload" not in path and "/mcp" not in path


async def _checked_body(receive: Receive) -> bytes:
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
    for path in _files(value):
        _check_file(path)
    return body


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
