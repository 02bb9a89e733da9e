"""Requests to the Hub that come to an end: within a deadline, tried again, of limited size.

The client's own functions are not used to pull: they give up at the first busy answer, or go on
for minutes where nothing answers, and read what comes whatever its size.
"""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from threading import TIMEOUT_MAX, Event, Thread
from typing import Any, Literal, TypeAlias, TypeVar
from urllib.parse import urljoin, urlsplit

import huggingface_hub as hf
from httpx2 import (
    URL,
    ConnectError,
    HTTPError,
    InvalidURL,
    NetworkError,
    RemoteProtocolError,
    Response,
    Timeout,
    TimeoutException,
)
from huggingface_hub import errors, utils

from dslr_gan import __version__
from dslr_gan.errors import InputError
from dslr_gan.hub.messages import NotInTimeError, bad_token, is_about_certificates, seconds_to_wait

T = TypeVar("T")

OtherHosts: TypeAlias = Literal["follow", "stop", "refuse"]

TIMEOUT_S = 60.0
"""Seconds that the Hub has to do what is asked, where nobody says otherwise."""

KEPT_TIMEOUT_S = 10.0
"""The same for what is kept on this machine and stands in where the Hub is silent."""

WAITS_S = (0.5, 1.0, 2.0)
"""Seconds before a request that failed is tried again, for as many times."""

MORE_TIME = "--hub-timeout of the commands, timeout in a script"
"""What gives more time to a fetch or a push of a model."""

_SLOWEST = 1000
"""Bytes in a second: time in which so many arrive counts as none."""

_GRACE_S = 0.5

_SENDABLE = re.compile("Bearer [!-~]+")

_BUSY = (408, 416, 425, 429)
_ERROR_LIMIT = 100_000
_MOST_REDIRECTS = 5


class Deadline:
    """When to give up: once so many seconds have passed in which nothing came.

    A large file may take as long as it needs, as long as it comes.

    Args:
        seconds: How many.
        more: What gives it more time, for an error message; empty where nothing does.
    """

    def __init__(self, seconds: float, more: str = "") -> None:
        self.seconds = seconds = min(seconds, TIMEOUT_MAX / 2)
        self._more = more
        self._until = time.monotonic() + seconds
        self._given_up = Event()

    @property
    def remaining(self) -> float:
        """Seconds that are left; 0 where it is over."""
        return 0.0 if self._given_up.is_set() else max(0.0, self._until - time.monotonic())

    def arrived(self, count: int) -> None:
        """Note that so many bytes of a file have come."""
        self._until = min(self._until + count / _SLOWEST, time.monotonic() + self.seconds)

    def check(self) -> None:
        """Raise a NotInTimeError where it is over."""
        if self.remaining <= 0:
            raise self.error()

    def error(self) -> NotInTimeError:
        """The error for what was not done until then."""
        return NotInTimeError(self.seconds, self._more)

    def give_up(self) -> None:
        """End it now: nobody waits for the result any more."""
        self._given_up.set()

    def wait(self, seconds: float) -> None:
        """Sleep, unless it is given up meanwhile."""
        self._given_up.wait(seconds)


def check_timeout(seconds: float) -> None:
    """Raise an InputError where the Hub is given no time at all."""
    if not seconds > 0:
        raise InputError(f"the Hub needs more than 0 seconds to answer, got {seconds!r}.")


def within(deadline: Deadline, work: Callable[[], T]) -> T:
    """Do work in a thread of its own, and go on without it once the deadline is over.

    Neither the look-up of an address nor a header that comes letter by letter can be interrupted
    otherwise. The work that is left behind ends at its next look at the deadline.

    Raises:
        NotInTimeError: If the deadline is over.
    """
    given: list[T] = []
    raised: list[BaseException] = []  # not in a future, which would keep its traceback alive
    ended = Event()

    def run() -> None:
        try:
            given.append(work())
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is wanted
            raised.append(error)
        ended.set()

    Thread(target=run, name="dslr_gan.hub", daemon=True).start()
    try:
        while not ended.is_set() and deadline.remaining > 0:
            ended.wait(deadline.remaining)
    finally:
        if not ended.is_set():
            deadline.give_up()
            ended.wait(_GRACE_S)  # to put away what it was about to write
    if raised:
        raise raised.pop()
    if not given:
        raise deadline.error()
    return given.pop()


class Tries:
    """How often one thing has been tried, and whether it is worth another time.

    Args:
        deadline: Beyond which nothing is tried.
        hurried: Whether a host that cannot be reached at all is not asked again.
    """

    def __init__(self, deadline: Deadline, hurried: bool = False) -> None:
        self._deadline = deadline
        self._hurried = hurried
        self._waits = iter(WAITS_S)

    def start_over(self) -> None:
        """Count from the beginning: the last try got further than the one before."""
        self._waits = iter(WAITS_S)

    def wait_after(self, error: Exception) -> None:
        """Wait before the next try; raises the error where none is worth it."""
        pause = next(self._waits, None)
        hopeless = self._hurried and isinstance(error, ConnectError)
        if pause is not None and not hopeless and _is_passing(error):
            response = getattr(error, "response", None)
            if response is not None:
                pause = max(pause, seconds_to_wait(response.headers) or 0)
            if pause < self._deadline.remaining:
                self._deadline.wait(pause)
                self._deadline.check()
                return
        if isinstance(error, TimeoutException):
            # Each try had half of the time that was left, so that hardly any is.
            raise self._deadline.error() from error
        raise error


def _is_passing(error: Exception) -> bool:
    """Whether the same request may well succeed the next time."""
    if isinstance(error, errors.HfHubHTTPError):
        status = error.response.status_code
        return status in _BUSY or (status >= 500 and status not in (501, 505, 511))
    passing = (TimeoutException, NetworkError, RemoteProtocolError)
    return isinstance(error, passing) and not is_about_certificates(error)


class Asker:
    """Asks the Hub with a token, within a deadline.

    Args:
        deadline: For all that is asked.
        token: Access token; ``None`` takes the one of ``hf auth login`` or ``HF_TOKEN``, ``False``
            none.
        hurried: See :class:`Tries`.

    Raises:
        HubError: If the token cannot be one.
        InvalidURL: If the Hub's address is none.
    """

    def __init__(
        self, deadline: Deadline, token: str | bool | None = None, hurried: bool = False
    ) -> None:
        try:
            urlsplit(hf.constants.ENDPOINT)
        except ValueError as error:
            raise InvalidURL(str(error)) from error
        self.deadline = deadline
        self.token = token
        self.hurried = hurried
        self.headers: dict[str, str] = utils.build_hf_headers(
            token=token, library_name="dslr_gan", library_version=__version__
        )
        if not _SENDABLE.fullmatch(self.headers.get("authorization", "Bearer x")):
            raise bad_token(token)

    def tries(self) -> Tries:
        """For one thing that is tried."""
        return Tries(self.deadline, self.hurried)

    def json(self, path: str, limit: int) -> dict[str, Any]:
        """The JSON object at a path of the Hub's own host.

        Raises:
            FileMetadataError: If there is something else.
            Exception: Whatever the client raises.
        """
        content = self.read(f"{hf.constants.ENDPOINT}{path}", limit, other_hosts="refuse")
        if len(content) > limit:
            raise errors.FileMetadataError(f"the answer is longer than {limit:,} bytes")
        try:
            answer = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise errors.FileMetadataError("the answer is no JSON") from error
        if not isinstance(answer, dict):
            raise errors.FileMetadataError("the answer is no JSON object")
        return answer

    def read(self, url: str, limit: int, *, other_hosts: OtherHosts = "follow") -> bytes:
        """The body of an answer, up to one byte beyond ``limit``; ``other_hosts`` as of ``open``.

        Raises:
            Exception: Whatever the client raises.
        """

        def once() -> bytes:
            with self.open(url, other_hosts=other_hosts) as answer:
                return self._body(answer, limit)

        return self._persistently(once)

    def read_part(self, url: str, headers: Mapping[str, str], limit: int) -> bytes | None:
        """The body of an answer to a request for a part of a file, up to one byte beyond ``limit``.

        Returns:
            None where the answer is not a part.

        Raises:
            Exception: Whatever the client raises.
        """

        def once() -> bytes | None:
            with self.open(url, headers) as answer:
                return self._body(answer, limit) if answer.status_code == 206 else None

        return self._persistently(once)

    def _body(self, answer: Response, limit: int) -> bytes:
        """The body of an answer, up to one byte beyond ``limit``."""
        content = bytearray()
        for piece in answer.iter_bytes():
            self.deadline.check()
            self.deadline.arrived(len(piece))
            content += piece[: limit + 1 - len(content)]
            if len(content) > limit:
                break
        return bytes(content)

    def head(self, url: str) -> Mapping[str, str]:
        """The headers of what the Hub itself says of a file."""

        def once() -> Mapping[str, str]:
            with self.open(url, method="HEAD", other_hosts="stop") as answer:
                return answer.headers

        return self._persistently(once)

    def _persistently(self, once: Callable[[], T]) -> T:
        tries = self.tries()
        while True:
            try:
                return once()
            except (HTTPError, OSError) as error:
                tries.wait_after(error)

    @contextmanager
    def open(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        method: str = "GET",
        other_hosts: OtherHosts = "follow",
    ) -> Iterator[Response]:
        """Open an answer whose body is still to come; none but the Hub is told the token.

        Args:
            url: Where to ask.
            headers: Beside the usual ones.
            method: Of HTTP.
            other_hosts: What to do where the Hub leads to another host: ``"follow"``, ``"stop"``
                and give the answer that does so, or ``"refuse"``.

        Raises:
            FileMetadataError: If it leads to another host although it may not, or in a circle.
            Exception: Whatever the client raises, for an answer that is an error, too.
        """
        with ExitStack() as stack:
            for _ in range(_MOST_REDIRECTS):
                self.deadline.check()
                sent = {**self.headers, **(headers or {})}
                if not is_the_hub(url):
                    sent.pop("authorization", None)
                # Half of what is left, so that one that is never answered leaves time for another.
                patience = Timeout(max(0.01, self.deadline.remaining / 2))
                answer = stack.enter_context(
                    hf.get_session().stream(
                        method, url, headers=sent, timeout=patience, follow_redirects=False
                    )
                )
                _raise_for_status(answer)
                if not answer.has_redirect_location:
                    break
                url = led_to(answer)
                if not is_the_hub(url) and other_hosts == "stop":
                    break
                if not is_the_hub(url) and other_hosts == "refuse":
                    raise errors.FileMetadataError("the answer leads to another host")
            else:
                raise errors.FileMetadataError("the answer leads in a circle")
            yield answer


def led_to(answer: Response) -> str:
    """The address that an answer leads to.

    Raises:
        FileMetadataError: If it is none of the web, such as one of a file on this machine.
    """
    try:
        there = urljoin(str(answer.request.url), answer.headers["Location"])
        if URL(there).scheme in ("http", "https") and urlsplit(there).port != 0:
            return there
    except (ValueError, InvalidURL):  # such as one bracket, or a port beyond all
        pass
    raise errors.FileMetadataError("the answer leads to no address of the web")


def is_the_hub(url: str) -> bool:
    """Whether an address is one of the Hub's own."""
    address = urlsplit(url)
    hub = urlsplit(hf.constants.ENDPOINT)
    return (address.scheme, address.netloc.lower()) in (
        (hub.scheme, hub.netloc.lower()),
        ("https", "huggingface.co"),
    )


def _raise_for_status(answer: Response) -> None:
    """Raise the client's error for an answer that is one; no more than its beginning is read."""
    if answer.status_code < 400:
        return
    content = b""
    with suppress(HTTPError):  # what it says besides is of less use than its status
        for piece in answer.iter_bytes():
            content += piece
            if len(content) > _ERROR_LIMIT:
                break
    # As they came: a header may hold bytes that are no ASCII.
    headers = [
        (name, value)
        for name, value in answer.headers.raw
        if name.lower() not in (b"content-encoding", b"content-length", b"transfer-encoding")
    ]
    for known in (content[:_ERROR_LIMIT], b""):
        # The client fails at JSON that is no object; then the status alone has to do.
        with suppress(AttributeError, TypeError, RecursionError):
            utils.hf_raise_for_status(
                Response(answer.status_code, headers=headers, content=known, request=answer.request)
            )
