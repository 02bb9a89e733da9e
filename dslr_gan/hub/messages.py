"""What the Hub's client raises, turned into messages for people: one list of causes.

Each cause has its own words and its own advice, so that a bad token is not called a bad network.
"""

import errno
import os
import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from json import JSONDecodeError
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import huggingface_hub as hf
from httpx2 import (  # what huggingface_hub speaks HTTP with, and raises
    URL,
    ConnectError,
    DecodingError,
    HTTPError,
    InvalidURL,
    ProxyError,
    TimeoutException,
    UnsupportedProtocol,
)
from huggingface_hub import errors, utils

from dslr_gan.errors import DslrGanError, HubError, HubUnreachableError, reason

# Xet storage raises bare RuntimeErrors and OSErrors; an answer that is no JSON is a ValueError.
_RAISED = (HTTPError, InvalidURL, OSError, errors.OfflineModeIsEnabled, RuntimeError, ValueError,
           ImportError)  # fmt: skip

# A signed address gives whoever has it access; only its host may be told.
_ADDRESS = re.compile(r"(https?://[^\s/?#'\"]+)[^\s'\"]*")

TRY_AGAIN = "check the network and try again"
"""The advice where nothing more is known than that the Hub did not answer."""

_ABSENT = {
    errors.RepositoryNotFoundError: "there is no such repository, or it is not open to you",
    errors.RevisionNotFoundError: "there is no such revision",
    errors.EntryNotFoundError: "there is no such file",
}
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)
_NO_FOLDER = (
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.ELOOP,
    errno.ENAMETOOLONG,
)
_NO_ADDRESS = re.compile("name resolution|not known|nodename|getaddrinfo|No address", re.IGNORECASE)
_PROXY_ADVICE = "check the variables HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY"
TOKENS_PAGE = "https://huggingface.co/settings/tokens"


class NotInTimeError(TimeoutError):
    """The Hub did not do what was asked within the time that it was given.

    Args:
        seconds: That time.
        more: What gives it more time; empty where nothing does.
    """

    def __init__(self, seconds: float, more: str = "") -> None:
        super().__init__(f"the Hub did not answer within {seconds:g} seconds")
        self.more = more


class _Cause(NamedTuple):
    """Why the Hub did not do what was asked."""

    words: str
    """In a few words."""
    advice: str
    """What to do."""
    away: bool = False
    """Whether it gave no answer of use, so that a local copy may stand in."""


@contextmanager
def hub_errors(
    wanted: str, *, context: str = "", token: str | bool | None = None
) -> Iterator[None]:
    """Turn whatever the Hub's client raises in a block into one error with a message for people.

    Args:
        wanted: What is asked for, such as ``me/model`` or ``revision 'v1' of me/model``.
        context: Words that a message about something absent begins with.
        token: The access token that the block uses, as :func:`fetch` takes it.

    Raises:
        HubUnreachableError: If the Hub did not answer, or not as it should.
        HubError: If it answered that there is no such thing, or that it is not allowed.
    """
    try:
        yield
    except DslrGanError:
        raise
    except _RAISED as error:
        if isinstance(error, ImportError) and "SOCKS" not in str(error):
            raise
        raise _for_people(error, wanted, context, token) from error


def not_fetched(name: str, error: HubUnreachableError) -> HubUnreachableError:
    """The error for what cannot be fetched and has no local copy that could stand in."""
    return HubUnreachableError(
        f"{name} could not be fetched from the Hub ({error.cause}), and there is no local copy; "
        f"{error.advice}.",
        error.cause,
        error.advice,
    )


def is_about_certificates(error: BaseException) -> bool:
    """Whether an error says that the other side has not shown that it is the Hub."""
    said = str(error)
    return isinstance(error, ssl.SSLError) or "[SSL" in said or "CERTIFICATE_VERIFY" in said


def token_source(token: str | bool | None) -> str | None:
    """Where the token that the client sends comes from, in words; None where it sends none."""
    if token is False or (token is None and hf.constants.HF_HUB_DISABLE_IMPLICIT_TOKEN):
        return None
    if isinstance(token, str):
        return "the argument token"
    for variable in ("HF_OIDC_RESOURCE", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        if os.environ.get(variable, "").strip():
            return f"the variable {variable}"
    if Path(hf.constants.HF_TOKEN_PATH).is_file():
        return f"the file {hf.constants.HF_TOKEN_PATH}"
    return "the notebook's secrets" if hf.get_token() else None


def _for_people(error: Exception, wanted: str, context: str, token: str | bool | None) -> HubError:
    links = list(causes(error))
    for link in links:
        if isinstance(link, HubError):  # ours, which the client has put into one of its own
            return type(link)(str(link), link.cause, link.advice)
        if isinstance(link, errors.HFValidationError):
            words = reason(link)
            return HubError(f"{wanted} is not a Hub id: {words}.", words)
        cause = _cause(link, token)
        if cause is not None:
            kind = HubUnreachableError if cause.away else HubError
            return kind(f"{wanted}: {cause.words}; {cause.advice}.", cause.words, cause.advice)
        if _is_local_entry(link):
            continue
        for absent, words in _ABSENT.items():
            if isinstance(link, absent):
                advice = "check the spelling, and `hf auth login` if it is private"
                return HubError(f"{context}the Hub has no {wanted}; {advice}.", words, advice)
    # The client's own words about a missing local copy advise about its options.
    told = [link for link in links if not _is_local_entry(link)]
    within = f" ({_told(told[0])})" if told else ""
    words = f"the Hub did not answer{within}"
    message = f"the Hub did not answer about {wanted}{within}; {TRY_AGAIN}."
    return HubUnreachableError(message, words, TRY_AGAIN)


def _told(error: BaseException) -> str:
    """The words of an error, without addresses beyond their host."""
    text = getattr(error, "strerror", None) or re.sub(r"^\[Errno -?\d+\] ", "", str(error))
    return reason(RuntimeError(without_addresses(text) or type(error).__name__))


def without_addresses(text: str) -> str:
    """A text in which of each address only the host is left."""
    return _ADDRESS.sub(r"\1", text)


def _is_local_entry(error: BaseException) -> bool:
    return isinstance(error, errors.LocalEntryNotFoundError)


def causes(error: BaseException) -> Iterator[BaseException]:
    """An error and the errors that it was raised from."""
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__


def _cause(error: BaseException, token: str | bool | None) -> _Cause | None:
    """The cause that one error of the client names; None for something absent, or no answer."""
    if isinstance(error, errors.OfflineModeIsEnabled):
        words = "the variable HF_HUB_OFFLINE is set, so the Hub was not asked"
        return _Cause(words, "unset HF_HUB_OFFLINE to ask it", away=True)
    if isinstance(error, errors.GatedRepoError):
        return _Cause("it is gated", "ask for access on its page, then `hf auth login`")
    if isinstance(error, errors.DisabledRepoError):
        return _Cause("the Hub has disabled access to it", "take another")
    if isinstance(error, errors.LocalTokenNotFoundError):
        return _no_token()
    response = getattr(error, "response", None)
    if response is not None:
        return _by_status(error, response.status_code, response.headers, token)
    return _by_kind(error)


def _by_status(
    error: BaseException, status: int, headers: Mapping[str, str], token: str | bool | None
) -> _Cause | None:
    said = getattr(error, "server_message", None) or headers.get("X-Error-Message") or ""
    said = f" ({_told(ValueError(said))})" if said.strip() else ""
    if status == 401:
        source = token_source(token)
        if headers.get("X-Error-Code") == "RepoNotFound":
            return None
        if "@" in hf.constants.ENDPOINT:  # which is sent in place of a token
            words = "the Hub refuses the name and the password in the variable HF_ENDPOINT"
            return _Cause(words, "leave them out; a token belongs into HF_TOKEN", away=True)
        if source is not None:
            return _bad_token(source)
        return None if isinstance(error, errors.RepositoryNotFoundError) else _no_token()
    if status == 403:
        advice = f"ask its owner, or take a token that may ({TOKENS_PAGE})"
        return _Cause(f"the Hub does not allow it{said}", advice)
    if status == 402:
        return _Cause(f"the Hub wants to be paid for it{said}", "see the billing page of the Hub")
    if status == 412:
        return _Cause("somebody else has just committed there", "try again")
    if status == 429:
        advice = f"{_wait(headers)} and try again"
        if token_source(token) is None:
            advice += "; who is logged in (`hf auth login`) may ask more often"
        return _Cause("the Hub has had too many requests from here", advice, away=True)
    if status == 451:
        return _Cause(f"the Hub may not give it out for legal reasons{said}", "take another")
    if status == 407:
        return _Cause("the proxy wants a name and a password", _PROXY_ADVICE, away=True)
    if status == 511:
        return _not_the_hub()
    if any(isinstance(error, absent) for absent in _ABSENT):
        return None
    if status in (404, 410):
        return _Cause(f"there is no such page{said}", "check the spelling and HF_ENDPOINT")
    name = HTTPStatus(status).phrase if status in list(HTTPStatus) else "an unknown status"
    if status >= 500 or status == 416:
        return _Cause(f"the Hub is out of order: {status} {name}", TRY_AGAIN, away=True)
    return _Cause(f"the Hub answered {status} {name}{said}", "check what is asked for")


def _by_kind(error: BaseException) -> _Cause | None:
    """The cause of what never became an answer of the Hub."""
    text = str(error)
    number = error.errno if isinstance(error, OSError) else None
    cache = hf.constants.HF_HOME
    if number in _DISK_FULL or "No space left" in text:
        advice = f"make room where {cache} lies, or set HF_HOME to a folder on another disk"
        return _Cause("there is no space left on the disk of the cache", advice, away=True)
    if number in _NOT_WRITABLE:
        place = getattr(error, "filename", None) or cache
        advice = "check its permissions, or set HF_HOME to a folder that can be written"
        return _Cause(f"the cache cannot be written ({place})", advice, away=True)
    if _is_about_the_file_of_certificates(error):
        advice = "set SSL_CERT_FILE to a file of certificates (PEM), or unset it"
        return _Cause("the certificates that SSL_CERT_FILE names cannot be read", advice, away=True)
    if number in _NO_FOLDER:
        advice = "remove what is in the way, or set HF_HOME to a folder"
        place = getattr(error, "filename", None) or cache
        return _Cause(f"the cache cannot be used ({_told(error)}: {place})", advice, away=True)
    if isinstance(error, JSONDecodeError | DecodingError | errors.FileMetadataError):
        return _not_the_hub()
    if isinstance(error, ImportError):
        advice = 'run pip install "httpx2[socks]", or name a proxy of http://'
        return _Cause("the proxy that ALL_PROXY or another variable names is one of SOCKS", advice)
    if _is_about_a_proxy(error):
        return _Cause("a variable for proxies holds no address", _PROXY_ADVICE, away=True)
    if isinstance(error, InvalidURL | UnsupportedProtocol):
        advice = "unset it, or set it to one such as https://huggingface.co"
        return _Cause("the variable HF_ENDPOINT holds no address", advice)
    if is_about_certificates(error):
        advice = (
            "log in to the network in a browser, check this computer's clock, or name a proxy's "
            "certificate with SSL_CERT_FILE"
        )
        return _Cause("what answered has no certificate of the Hub", advice, away=True)
    if isinstance(error, NotInTimeError):
        more = f", or give it more time ({error.more})" if error.more else ""
        return _Cause(str(error), f"{TRY_AGAIN}{more}", away=True)
    if isinstance(error, TimeoutException):
        return _Cause("the Hub did not answer in time", TRY_AGAIN, away=True)
    if isinstance(error, ProxyError) or (isinstance(error, ConnectError) and _uses_proxy()):
        return _Cause(f"the proxy did not answer ({_told(error)})", _PROXY_ADVICE, away=True)
    if isinstance(error, ConnectError) and _NO_ADDRESS.search(text):
        advice = "check the network, and HF_ENDPOINT if it is set"
        return _Cause(f"the network knows no address of {_host(error)}", advice, away=True)
    if isinstance(error, ValueError) and not isinstance(error, OSError):
        return _Cause(reason(error), "check what is sent")
    return None


def _host(error: HTTPError) -> str:
    """Where a request went that failed: to the Hub, or where the Hub led to."""
    try:
        return error.request.url.host
    except RuntimeError:  # it does not know its request
        return hf.constants.ENDPOINT.partition("://")[2]


def _not_the_hub() -> _Cause:
    advice = "open a page in a browser to log in to the network, and check HF_ENDPOINT"
    return _Cause("what answered is not the Hub", advice, away=True)


def _is_about_the_file_of_certificates(error: BaseException) -> bool:
    """Whether the client could not be made, for the certificates that it was to trust."""
    # The client's own errors are kinds of FileNotFoundError, too.
    is_unnamed = type(error) is FileNotFoundError and error.filename is None
    return bool(os.environ.get("SSL_CERT_FILE")) and (is_unnamed or isinstance(error, ssl.SSLError))


def _is_about_a_proxy(error: BaseException) -> bool:
    """Whether the client could not be made for the address of a proxy, and not of the Hub."""
    if isinstance(error, InvalidURL):
        try:
            URL(hf.constants.ENDPOINT), urlsplit(hf.constants.ENDPOINT)
        except (InvalidURL, ValueError):
            return False
        return True
    return isinstance(error, ValueError) and "for proxy URL" in str(error)


def _uses_proxy() -> bool:
    """Whether requests to the Hub go through a proxy, as far as the environment says."""
    scheme, _, host = hf.constants.ENDPOINT.partition("://")
    return any(kind in getproxies() for kind in (scheme, "all")) and not proxy_bypass(host)


def _no_token() -> _Cause:
    advice = f"run `hf auth login`, or set HF_TOKEN to one of {TOKENS_PAGE}"
    return _Cause("the Hub wants a token, and there is none", advice)


def _bad_token(source: str) -> _Cause:
    kind, _, name = source.rpartition(" ")
    ways = {
        "the variable": f"unset {name}",
        "the file": "remove it (`hf auth logout`)",
        "the argument": "leave it out",
    }
    advice = (
        f"put a new one of {TOKENS_PAGE} there, or {ways.get(kind, 'remove it')}: what is public "
        "is read without one"
    )
    return _Cause(f"the Hub refuses the token from {source} as invalid or expired", advice, True)


def bad_token(token: str | bool | None) -> HubError:
    """The error for a token that is none: it could not even be sent."""
    cause = _bad_token(token_source(token) or "the argument token")
    words = cause.words.replace("the Hub refuses", "nobody can send").partition(" as ")[0]
    words += ", which is empty or holds letters that no token has"
    return HubUnreachableError(f"{words}; {cause.advice}.", words, cause.advice)


def seconds_to_wait(headers: Mapping[str, str]) -> int | None:
    """How long a server asks to be left alone: by Retry-After, or by the Hub's RateLimit."""
    asked = headers.get("Retry-After", "").strip()
    limits = utils.parse_ratelimit_headers(headers)
    if asked.isdecimal():
        return int(asked[:9])
    if asked:
        try:
            until = parsedate_to_datetime(asked)
        except ValueError:
            return None
        until = until if until.tzinfo else until.replace(tzinfo=UTC)
        return max(0, round((until - datetime.now(UTC)).total_seconds()))
    # Every answer names its limits; only used-up ones are a reason to wait.
    return limits.reset_in_seconds if limits is not None and limits.remaining == 0 else None


def _wait(headers: Mapping[str, str]) -> str:
    """The same in words."""
    seconds = seconds_to_wait(headers)
    return "wait some minutes" if seconds is None else f"wait {seconds} seconds"
