"""One file from the Hub to a path on this machine: over HTTP, or through Xet storage."""

import logging
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any, BinaryIO

import huggingface_hub as hf
from httpx2 import HTTPError, RemoteProtocolError, Response
from huggingface_hub import errors, utils
from huggingface_hub.utils._runtime import is_xet_available
from huggingface_hub.utils._xet import (
    XetFileData,
    parse_xet_connection_info_from_headers,
    parse_xet_file_data_from_response,
)

from dslr_gan.errors import HubError, HubUnreachableError, reason
from dslr_gan.hub.asking import Asker, Deadline, is_the_hub, led_to
from dslr_gan.hub.cache import Listed
from dslr_gan.hub.messages import TRY_AGAIN

logger = logging.getLogger(__name__)

_XET_PATIENCE_S = 20.0
"""Seconds of silence after which Xet storage is given up for HTTP."""

_A_STEP = 1_000_000
"""Bytes after which a connection that breaks off counts as a new one."""


class DamagedError(HubUnreachableError):
    """What arrived is not what the Hub's listing promises."""


def download(asker: Asker, url: str, path: Path, wanted: Listed, most: int | None = None) -> None:
    """Download a file and compare it with its listing; what is wrong is fetched anew once.

    Files in Xet storage come through Xet, and over HTTP where that fails: the Hub gives out each
    file in both ways.

    Args:
        asker: Asks.
        url: Address of the file at the Hub.
        path: An existing file, which is overwritten.
        wanted: Size and digest of the file.
        most: How many bytes it may have where the listing does not know.

    Raises:
        DamagedError: If it comes wrong twice.
        Exception: Whatever the client raises.
    """
    most = most if wanted.size is None else wanted.size
    for is_last in (False, True):
        kind = _fetch(asker, url, path, wanted, most, over_http=is_last)
        if most is not None and path.stat().st_size > most and wanted.size is None:
            words = f"it has more than {most:,} bytes"
            raise HubError(f"{words}.", words, "name another repository")
        if wanted.is_content_of(path):
            return
    if kind.startswith("text/html"):
        raise errors.FileMetadataError("the answer is a page for browsers")
    name = url.rpartition("/")[2]
    words = f"{name} was damaged on its way from the Hub, and again when it was fetched anew"
    raise DamagedError(f"{words}; {TRY_AGAIN}.", words, TRY_AGAIN)


def _fetch(
    asker: Asker, url: str, path: Path, wanted: Listed, most: int | None, *, over_http: bool
) -> str:
    """Write what the Hub gives out; gives its media type."""
    tries = asker.tries()
    with path.open("wb") as file:
        while True:
            before = file.tell()
            try:
                with asker.open(url, _range(before), other_hosts="stop") as answer:
                    xet = None if over_http else _xet_data(answer)
                    if xet is not None and _through_xet(asker, xet, path, wanted):
                        return ""
                    over_http = True  # the next try, too: what failed once would take its time
                    if not answer.has_redirect_location:
                        return _write(asker.deadline, answer, file, wanted, most)
                    # Each time anew: the address of a storage host is good for a short time only.
                    there = led_to(answer)
                with _storage_errors(), asker.open(there, _range(before)) as answer:
                    return _write(asker.deadline, answer, file, wanted, most)
            except (HTTPError, OSError) as error:
                if wanted.size is not None and file.tell() >= wanted.size:
                    return ""  # all of it came before the connection broke
                if file.tell() - before >= _A_STEP:
                    tries.start_over()
                tries.wait_after(error)
                if isinstance(error, errors.HfHubHTTPError) and error.response.status_code == 416:
                    file.seek(0)  # who does not give the rest may give the whole
                    file.truncate()


@contextmanager
def _storage_errors() -> Iterator[None]:
    """Say of a storage host what it refuses: it is told no token, and knows no repositories."""
    try:
        yield
    except errors.HfHubHTTPError as error:
        answer = error.response
        is_passing = answer.status_code >= 500 or answer.status_code in (408, 416, 425, 429)
        if is_passing or is_the_hub(str(answer.request.url)):
            raise
        words = f"the Hub's storage answered {answer.status_code} {answer.reason_phrase}"
        raise HubUnreachableError(f"{words}; {TRY_AGAIN}.", words, TRY_AGAIN) from error


def _range(start: int) -> dict[str, str]:
    # Compressed bytes could not be continued.
    headers = {"Accept-Encoding": "identity"}
    return headers | {"Range": f"bytes={start}-"} if start else headers


def _write(
    deadline: Deadline, answer: Response, file: BinaryIO, wanted: Listed, most: int | None
) -> str:
    """Write a body to a file, whose position is where the answer is asked to begin."""
    if answer.status_code not in (200, 206):
        raise errors.FileMetadataError(f"the answer has status {answer.status_code}")
    if answer.status_code == 200:  # the whole of it, whatever was asked for
        file.seek(0)
        file.truncate()
    kind = answer.headers.get("Content-Type", "")
    with utils.tqdm(
        total=wanted.size, initial=file.tell(), unit="B", unit_scale=True, delay=1, disable=None
    ) as bar:
        for piece in answer.iter_bytes():
            deadline.check()
            file.write(piece)
            deadline.arrived(len(piece))
            bar.update(len(piece))
            if most is not None and file.tell() > most:
                break  # it is wrong already
    file.flush()
    if wanted.size is not None and file.tell() < wanted.size and not kind.startswith("text/html"):
        raise RemoteProtocolError("the answer was cut off")
    return kind


# Xet ------------------------------------------------------------------------------------------


def _xet_data(answer: Response) -> XetFileData | None:
    """Where a file lies in Xet storage; None where it does not, or there is no client for it."""
    is_off = hf.constants.HF_HUB_DISABLE_XET or not is_xet_available()
    return None if is_off else parse_xet_file_data_from_response(answer)


def _through_xet(asker: Asker, data: XetFileData, path: Path, wanted: Listed) -> bool:
    """Download through Xet storage; gives whether that succeeded.

    The client hf_xet tries for minutes where its storage is away; it is stopped once it has been
    silent for long. It is given a session of its own, so that nobody else's downloads are.
    """
    import hf_xet  # type: ignore[import-untyped]

    if not is_the_hub(data.refresh_route):  # the client of Xet would send the token there
        return False
    outcome: futures.Future[None] = futures.Future()
    try:
        with asker.open(data.refresh_route, other_hosts="refuse") as answer:
            access = parse_xet_connection_info_from_headers(answer.headers)
        if access is None or wanted.size is None:
            return False
        session = hf_xet.XetSession()
    except (HTTPError, OSError, RuntimeError) as error:
        logger.debug("no access to Xet storage: %s", reason(error))
        return False
    patience = Deadline(min(_XET_PATIENCE_S, asker.deadline.remaining / 2))
    arrived = 0

    def heard(report: Any, _files: Any = None) -> None:
        nonlocal arrived
        so_far = report.total_transfer_bytes_completed + report.total_bytes_completed
        patience.arrived(so_far - arrived)
        asker.deadline.arrived(so_far - arrived)
        arrived = so_far

    def work() -> None:
        try:
            with session.new_file_download_group(
                endpoint=access.endpoint,
                token=access.access_token,
                token_expiry_unix_secs=access.expiration_unix_epoch,
                token_refresh_url=data.refresh_route,
                token_refresh_headers=asker.headers,
                progress_callback=heard,
            ) as group:
                group.start_download_file(
                    hf_xet.XetFileInfo(data.file_hash, wanted.size), str(path.absolute())
                )
            outcome.set_result(None)
        except BaseException as error:  # noqa: BLE001 - it has errors of its own, and bare ones
            outcome.set_exception(error)

    Thread(target=work, name="dslr_gan.hub.xet", daemon=True).start()
    while not outcome.done() and patience.remaining and asker.deadline.remaining:
        futures.wait([outcome], timeout=min(0.1, patience.remaining))
    if not outcome.done():
        session.sigint_abort()
        futures.wait([outcome], timeout=5.0)
        if not outcome.done():  # it may still write to the file
            raise RuntimeError("the client of Xet storage cannot be stopped")
        logger.debug("Xet storage was silent for %g seconds", patience.seconds)
        return False
    failure = outcome.exception()
    if failure is not None:
        logger.debug("Xet storage failed: %s", reason(failure))
    return failure is None
