"""What changes something on the Hub: tried again where that may help, and ended at a deadline.

huggingface_hub itself tries a failed commit only once, waits for an answer without a limit, and
leaves a transfer to Xet storage alone for minutes. What is read comes by requests of our own, which
look at the deadline themselves; here the client's own functions do the work, and are ended by it.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import huggingface_hub as hf
from httpx2 import HTTPError, Request, Response, TransportError, UnsupportedProtocol
from huggingface_hub import errors, utils
from huggingface_hub.utils._xet import abort_xet_session

from dslr_gan import __version__
from dslr_gan.errors import HubError
from dslr_gan.hub.asking import TIMEOUT_S, Deadline, within
from dslr_gan.hub.messages import (
    causes,
    hub_errors,
    is_about_certificates,
    seconds_to_wait,
    without_addresses,
)

logger = logging.getLogger(__name__)

Given = TypeVar("Given")

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

_STORAGE_REFUSES = ("401 Unauthorized", "403 Forbidden")


def send(
    action: Callable[[], Given],
    wanted: str,
    *,
    token: str | None = None,
    size: int = 0,
    timeout_s: float = TIMEOUT_S,
    more: str = "",
) -> Given:
    """Do something on the Hub, and again where it failed for a reason that may pass.

    Args:
        action: Is called up to five times. What it has done before may be done again.
        wanted: What it is about, such as ``me/model``.
        token: Access token that the action uses.
        size: How many bytes it sends.
        timeout_s: It ends after so many seconds, and a second more for each 250 kB.
        more: What gives it more time, for an error message; empty where nothing does.

    Returns:
        What the action gives.

    Raises:
        HubError: If the Hub cannot be reached in time, or refuses.
    """
    deadline = Deadline(timeout_s + size // BYTES_PER_S, more)
    logging.getLogger("huggingface_hub.utils._http").addFilter(_HOSTS_ONLY)

    def once() -> Given:
        with _ended_at(deadline):
            return _storage_errors(action, wanted)

    for wait in (*WAITS_S, None):
        try:
            with hub_errors(wanted, token=token):
                return within(deadline, once)
        except HubError as error:
            pause = _pause(error, wait)
            if deadline.remaining <= 0:
                with hub_errors(wanted, token=token):
                    raise deadline.error() from error
            if pause is None or pause >= deadline.remaining:
                raise
            logger.warning("%s: %s; trying again in %.0f s", wanted, error.cause, pause)
        except KeyboardInterrupt:
            abort_xet_session()
            raise
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


@contextmanager
def _ended_at(deadline: Deadline) -> Iterator[None]:
    """End every request and transfer of this thread at a deadline.

    A try that is left behind must end, too, or it would keep the process alive.
    """
    ours = threading.current_thread()

    def is_ours() -> bool:
        thread = threading.current_thread()
        # The client sends several files at once in threads of such a name.
        return thread is ours or thread.name.startswith("ThreadPoolExecutor")

    def limit(request: Request) -> None:
        if not is_ours():
            return
        deadline.check()
        left = deadline.remaining
        limits = request.extensions.get("timeout", {})
        kinds = ("connect", "read", "write", "pool")
        request.extensions["timeout"] = {
            kind: min(left, limits.get(kind) or left) for kind in kinds
        }

    def raise_at_once(response: Response) -> None:
        if (
            response.status_code in TRIED_AGAIN and is_ours()
        ):  # or the client would wait and try by itself
            response.read()
            utils.hf_raise_for_status(response)

    session, ours_only = utils.get_session(), (limit, raise_at_once)
    before = session.event_hooks
    session.event_hooks = {
        "request": [*before["request"], limit],
        "response": [*before["response"], raise_at_once],
    }
    watchdog = threading.Timer(deadline.remaining, abort_xet_session)
    watchdog.daemon = True
    watchdog.start()
    try:
        yield
    finally:
        watchdog.cancel()
        session.event_hooks = {  # others may have added theirs meanwhile
            kind: [hook for hook in hooks if hook not in ours_only]
            for kind, hooks in session.event_hooks.items()
        }


def make_api(token: str | None) -> hf.HfApi:
    """The client, which says in its user agent who asks."""
    return hf.HfApi(token=token, library_name="dslr_gan", library_version=__version__)


def headers(token: str | None) -> dict[str, str]:
    """The headers of the same client, for a request of our own."""
    return utils.build_hf_headers(token=token, library_name="dslr_gan", library_version=__version__)
