"""What changes something on the Hub: tried again where that may help, and ended at a deadline.

huggingface_hub itself tries a failed commit only once, waits for an answer without a limit, and
leaves a transfer to Xet storage alone for minutes.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

import huggingface_hub as hf
from httpx2 import Client, HTTPError, Request, Response, TransportError, UnsupportedProtocol
from huggingface_hub import errors, utils
from huggingface_hub.utils._xet import abort_xet_session

from dslr_gan import __version__
from dslr_gan.errors import HubError, HubUnreachableError
from dslr_gan.hub.asking import TIMEOUT_S
from dslr_gan.hub.messages import (
    TRY_AGAIN,
    causes,
    hub_errors,
    is_about_certificates,
    seconds_to_wait,
    without_addresses,
)

logger = logging.getLogger(__name__)

Given = TypeVar("Given")

READ_S = 10.0
"""How long reading a small file may take."""

BYTES_PER_S = 250_000
"""The slowest transfer that is waited for."""

WAITS_S = (0.5, 1.0, 2.0, 4.0)
"""How long is waited before the second try, the third and so on."""

TRIED_AGAIN = (408, 412, 429, 500, 502, 503, 504)
"""Statuses that may be gone a moment later; 412 is a commit of somebody else."""


class _HostsOnly(logging.Filter):
    """Keeps signed addresses out of what the client logs when it tries an upload again."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = without_addresses(record.getMessage()), None
        return True


_HOSTS_ONLY = _HostsOnly()

_GRACE_S = 0.3
"""What is ended at the deadline gets so long to say so itself."""

_STORAGE_REFUSES = ("401 Unauthorized", "403 Forbidden")


def send(
    action: Callable[[], Given],
    wanted: str,
    *,
    token: str | None = None,
    size: int = 0,
    timeout_s: float = TIMEOUT_S,
) -> Given:
    """Do something on the Hub, and again where it failed for a reason that may pass.

    Args:
        action: Is called up to five times. What it has done before may be done again.
        wanted: What it is about, such as ``me/model``.
        token: Access token that the action uses.
        size: How many bytes it sends.
        timeout_s: It ends after so many seconds, and a second more for each 250 kB.

    Returns:
        What the action gives.

    Raises:
        HubError: If the Hub cannot be reached in time, or refuses.
    """
    seconds = min(timeout_s + size / BYTES_PER_S, threading.TIMEOUT_MAX / 2)
    ends = time.monotonic() + seconds
    tries: list[_Try] = []
    logging.getLogger("huggingface_hub.utils._http").addFilter(_HOSTS_ONLY)
    with hub_errors(wanted, token=token):
        session = utils.get_session()
    with _ended_at(ends, wanted, seconds, tries, session):
        for wait in (*WAITS_S, None):
            try:
                with hub_errors(wanted, token=token):
                    return _until(ends, lambda: _storage_errors(action, wanted), tries)
            except HubError as error:
                pause = _pause(error, wait)
                if time.monotonic() >= ends:
                    raise _too_late(wanted, seconds) from error
                if pause is None or time.monotonic() + pause >= ends:
                    raise
                logger.warning("%s: %s; trying again in %.0f s", wanted, error.cause, pause)
            time.sleep(pause)
    raise AssertionError("the last try either gives or raises")


def _pause(error: HubError, wait: float | None) -> float | None:
    """The seconds to wait before another try; None where another try would not help."""
    if wait is None:
        return None
    for link in causes(error):
        response = getattr(link, "response", None)
        if response is not None:
            if response.status_code not in TRIED_AGAIN:
                return None
            return max(wait, seconds_to_wait(response.headers) or 0)
        if isinstance(link, HubError) and link.__cause__ is None:
            return None  # our own words, such as that the time is up
        hopeless = isinstance(link, UnsupportedProtocol | errors.OfflineModeIsEnabled)
        if hopeless or is_about_certificates(link):
            return None
        # Xet storage raises bare RuntimeErrors and ConnectionErrors.
        if isinstance(link, TransportError | ConnectionError | TimeoutError | RuntimeError):
            return wait
    return None


class _Try(NamedTuple):
    thread: threading.Thread
    ended: Future[None]


def _until(ends: float, action: Callable[[], Given], tries: list[_Try]) -> Given:
    """What an action gives; a TimeoutError at a time (of ``time.monotonic``).

    It has a thread of its own, because the client may sleep between tries of its own.
    """
    ended: Future[None] = Future()
    given: list[Given] = []
    # Not in the future: with its traceback an error would keep alive whatever its callers hold.
    raised: list[BaseException] = []

    def run() -> None:
        try:
            given.append(action())
        except BaseException as error:  # raised where the result is wanted
            raised.append(error)
        ended.set_result(None)

    thread = threading.Thread(target=run, name="dslr_gan.hub", daemon=True)
    tries.append(_Try(thread, ended))
    thread.start()
    try:
        ended.result(max(0.0, ends - time.monotonic()) + _GRACE_S)
    except KeyboardInterrupt:
        abort_xet_session()
        raise
    if raised:
        raise raised.pop()
    return given.pop()


def _storage_errors(action: Callable[[], Given], wanted: str) -> Given:
    """Say in our words what storage only says inside of a longer text or a wrapping."""
    try:
        return action()
    except RuntimeError as error:  # "Error while uploading ...", from the error itself
        if isinstance(error.__cause__, Exception):
            raise error.__cause__ from None
        raise
    except (AttributeError, KeyError, TypeError) as error:
        # The client takes an answer that is JSON for the Hub's, whatever is in it.
        raise errors.FileMetadataError(f"an answer lacks what it should have ({error})") from error
    except OSError as error:
        refusal = next((words for words in _STORAGE_REFUSES if words in str(error)), None)
        if refusal is None or isinstance(error, HTTPError):
            raise
        words = f"its storage does not take the files ({refusal})"
    raise HubError(f"{wanted}: {words}.", words, "take a token that may write")


def _too_late(wanted: str, seconds: float) -> HubUnreachableError:
    words = f"the Hub did not answer within {seconds:.0f} seconds"
    return HubUnreachableError(f"{wanted}: {words}.", words, TRY_AGAIN)


@contextmanager
def _ended_at(
    ends: float, wanted: str, seconds: float, tries: list[_Try], session: Client
) -> Iterator[None]:
    """End every request and transfer of the tries at a time (of ``time.monotonic``).

    A try that is left behind must end, too, or it would keep the process alive.
    """

    def of_ours() -> bool:
        thread = threading.current_thread()
        # The client sends several files at once in threads of such a name.
        return thread.name.startswith("ThreadPoolExecutor") or any(
            thread is each.thread for each in tries
        )

    def limit(request: Request) -> None:
        if not of_ours():
            return
        left = ends - time.monotonic()
        if left <= 0:
            raise _too_late(wanted, seconds)
        limits = request.extensions.get("timeout", {})
        kinds = ("connect", "read", "write", "pool")
        request.extensions["timeout"] = {
            kind: min(left, limits.get(kind) or left) for kind in kinds
        }

    def raise_at_once(response: Response) -> None:
        if (
            response.status_code in TRIED_AGAIN and of_ours()
        ):  # or the client would wait and try by itself
            response.read()
            utils.hf_raise_for_status(response)

    before = {kind: list(hooks) for kind, hooks in session.event_hooks.items()}
    session.event_hooks = {
        "request": [*before["request"], limit],
        "response": [*before["response"], raise_at_once],
    }
    watchdog = threading.Timer(max(0.0, ends - time.monotonic()), abort_xet_session)
    watchdog.daemon = True
    watchdog.start()
    try:
        yield
    finally:
        watchdog.cancel()
        left = next((each.ended for each in tries if not each.ended.done()), None)
        if left is None:
            session.event_hooks = before
        else:
            left.add_done_callback(lambda _: setattr(session, "event_hooks", before))


def make_api(token: str | None) -> hf.HfApi:
    """The client, which says in its user agent who asks."""
    return hf.HfApi(token=token, library_name="dslr_gan", library_version=__version__)


def headers(token: str | None) -> dict[str, str]:
    """The headers of the same client, for a request of our own."""
    return utils.build_hf_headers(token=token, library_name="dslr_gan", library_version=__version__)


def read_small_file(
    repo_id: str,
    name: str,
    revision: str,
    most_bytes: int,
    *,
    repo_type: str = "model",
    token: str | None = None,
    timeout_s: float = READ_S,
) -> bytes:
    """Read a file of a repository; nothing is kept of it.

    Args:
        repo_id: Hub id ``owner/name``.
        name: Of the file.
        revision: Branch, tag or commit.
        most_bytes: A larger file is refused.
        repo_type: ``"model"``, ``"dataset"`` or ``"space"``.
        token: Access token.
        timeout_s: It ends after so many seconds.

    Raises:
        HubError: If there is no such file, it is larger, or the Hub does not answer in time.
    """
    address = hf.hf_hub_url(repo_id, name, repo_type=repo_type, revision=revision)

    def read() -> bytes:
        content = b""
        with utils.get_session().stream("GET", address, headers=headers(token)) as answer:
            utils.hf_raise_for_status(answer)
            for part in answer.iter_bytes():
                content += part
                if len(content) > most_bytes:
                    words = f"{name} is larger than {most_bytes} bytes"
                    raise HubError(f"{words}.", words, "leave it out")
        return content

    return send(read, f"{repo_id}/{name}", token=token, timeout_s=timeout_s)
