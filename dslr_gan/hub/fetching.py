"""What is asked of the Hub and fetched from it.

Transfer and caching are huggingface_hub's; what was fetched is compared with the Hub's own digests.
"""

import hashlib
import json
import logging
import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import huggingface_hub as hf
from huggingface_hub import errors, utils

from dslr_gan.errors import HubError, HubUnreachableError, InputError
from dslr_gan.files import written_whole
from dslr_gan.hub.messages import TRY_AGAIN, hub_errors, not_fetched

logger = logging.getLogger(__name__)

WEIGHTS = "model.safetensors"
CONFIG = "config.json"
FACTS = "facts.json"

_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")
_TIMEOUT_S = 20.0


def is_hub_id(name: str) -> bool:
    """Whether a text looks like ``owner/name``."""
    return _HUB_ID.fullmatch(name) is not None


def ask_dataset(name: str, revision: str | None = None) -> tuple[str | None, str | None]:
    """Ask the Hub about a dataset.

    Args:
        name: Hub id ``owner/name``.
        revision: Branch, tag or commit.

    Returns:
        The commit, and the licence that the dataset's card names.

    Raises:
        HubError: If it has no such dataset or revision, does not allow it, or does not answer.
    """
    of = f"revision {revision!r} of the " if revision else ""
    with hub_errors(f"{of}dataset {name}", context=f"there is no folder {name}, and "):
        info = hf.HfApi().dataset_info(name, revision=revision, timeout=_TIMEOUT_S)
    licence = info.card_data.get("license") if info.card_data else None
    return info.sha, ", ".join(licence) if isinstance(licence, list) else licence


class Origin(NamedTuple):
    """Where a folder with a network came from."""

    folder: Path
    commit: str | None
    """Commit of the Hub repository, ``None`` for a plain folder."""
    answered: bool
    """Whether the Hub itself answered; ``False`` when its local copy stood in."""


class LocalCopy(Origin):
    """The origin of a local copy that stood in for the Hub."""

    why: str
    """Why it did, in a few words."""


def fetch(
    name: str | Path,
    *,
    force_download: bool = False,
    token: str | bool | None = None,
    cache_dir: str | Path | None = None,
    local_files_only: bool = False,
    revision: str | None = None,
) -> Origin:
    """Find the folder of a saved network, fetching it from the Hub where the name is a Hub id.

    Args:
        name: A folder, or a Hub id ``owner/name``.
        force_download: Whether to download anew what is in the cache.
        token: Access token; ``None`` takes the one of ``hf auth login`` or ``HF_TOKEN``, ``False``
            none.
        cache_dir: Where the client keeps what it fetched; ``None`` for the usual place.
        local_files_only: Whether to take the local copy without asking the Hub.
        revision: Branch, tag or commit; only with a Hub id.

    Returns:
        The folder and where it came from. When the Hub does not answer, its local copy of the
        same repository and revision is taken and ``answered`` is ``False``.

    Raises:
        InputError: If there is no such folder, or a folder is given a revision.
        HubError: If there is no such repository or revision, a file is damaged, or the Hub does
            not answer and there is no local copy.
    """
    try:
        is_folder = Path(name).is_dir()
    except OSError as error:  # too long a name, or a folder that is out of reach
        raise InputError(
            f"{name} cannot be loaded ({error.strerror}); check the name and its permissions."
        ) from error
    if is_folder:
        if revision is not None:
            raise InputError(
                f"{name} is a folder and has no revision {revision!r}; leave the revision out."
            )
        return Origin(Path(name), None, True)
    name = str(name)
    if not is_hub_id(name):
        raise InputError(
            f"there is no folder {name}, and it is not a Hub id either; "
            "a Hub id looks like owner/name."
        )
    listing, away = None, None
    if not local_files_only:
        try:
            listing = _ask_for_listing(name, revision, token)
        except HubUnreachableError as error:
            away = error
    try:
        with hub_errors(name, token=token):
            # Not by commit: the local copy is found again only under the name it was asked for by.
            snapshot = hf.snapshot_download(
                name,
                revision=revision,
                cache_dir=cache_dir,
                force_download=force_download,
                token=token,
                allow_patterns=[CONFIG, WEIGHTS, FACTS],
                local_files_only=listing is None,
            )
            _check_files(Path(snapshot), name, listing, token)
    except HubUnreachableError as error:
        if local_files_only:
            raise HubError(
                f"there is no local copy of {name}, and local_files_only asks for nothing else; "
                "leave it out."
            ) from error
        raise not_fetched(name, away or error) from error
    folder = Path(snapshot)
    if away is None:
        return Origin(folder, folder.name, listing is not None)
    copy = LocalCopy(folder, folder.name, False)
    copy.why = _announce(away, name)
    return copy


def _announce(away: HubUnreachableError, name: str) -> str:
    """Say that a local copy stands in; gives why, in a few words."""
    if away.advice == TRY_AGAIN:
        why = said = "the Hub did not answer"
    else:
        why, said = away.cause, f"{away.cause} ({away.advice})"
    logger.warning("%s; using the local copy of %s", said, name)
    return why


class _Listing(NamedTuple):
    """What the Hub says of the files at a commit."""

    commit: str | None
    digests: dict[str, str]
    """By file name: the sha256 of a large file, the git object id of any other."""


def _ask_for_listing(name: str, revision: str | None, token: str | bool | None) -> _Listing:
    """The files of a repository."""
    with hub_errors(f"revision {revision!r} of {name}" if revision else name, token=token):
        info = hf.HfApi(token=token).model_info(
            name, revision=revision, timeout=_TIMEOUT_S, files_metadata=True
        )
    files = info.siblings or []
    digests = {file.rfilename: file.lfs.sha256 if file.lfs else file.blob_id for file in files}
    return _Listing(info.sha, {name: digest for name, digest in digests.items() if digest})


def _check_files(
    folder: Path, name: str, listing: _Listing | None, token: str | bool | None
) -> None:
    """Compare the files with the digests of the Hub's listing; a damaged one is fetched anew once.

    The client checks only a download's length, and nothing of what is in its cache.
    """
    answered = listing is not None
    # The branch may have moved on between the two questions.
    if listing is None or listing.commit != folder.name:
        listing = _kept_listing(folder)
    for file in (CONFIG, WEIGHTS, FACTS):
        path, digest = folder / file, listing.digests.get(file)
        if digest is None or not path.is_file() or _digest(path, digest) == digest:
            continue
        if answered:
            # The name alone: what it links to may belong to other repositories, too. It has to go
            # because the client leaves a file that is not a link as it is.
            path.unlink()
            cache, commit = folder.parents[2], folder.name
            hf.hf_hub_download(
                name, file, revision=commit, cache_dir=cache, force_download=True, token=token
            )
            if _digest(path, digest) == digest:
                continue
            path.unlink()
        raise HubError(
            f"{file} of {name} was damaged on its way from the Hub or in its cache ({folder}), "
            f"{'and again when it was fetched anew' if answered else 'and the Hub did not answer'}"
            "; check the network and the disk, and try again."
        )


def _kept_listing(folder: Path) -> _Listing:
    """The listing of a snapshot's commit as the client keeps it in its cache; empty without."""
    kept = folder.parents[1] / "trees" / f"{folder.name}.json"
    try:
        files = json.loads(kept.read_text(encoding="utf-8"))["files"]
        digests = {name: file.get("lfs_sha256") or file["blob_id"] for name, file in files.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        digests = {}
    return _Listing(folder.name, digests)


def _digest(file: Path, wanted: str) -> str:
    """A file's digest of the same kind as ``wanted``: sha256, or git's object id (sha1)."""
    if len(wanted) == 64:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    content = file.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def assets_folder(namespace: str, repo_id: str, filename: str) -> Path:
    """The folder for what was read from one file of the Hub, among the client's assets."""
    subfolder = f"{repo_id}/{filename}"
    return hf.cached_assets_path("dslr_gan", namespace=namespace, subfolder=subfolder)


def find_commit(repo_id: str, filename: str, revision: str, notes: Path) -> str:
    """The commit that a revision names: by the Hub, or as it was when it was last asked.

    Args:
        repo_id: Hub id ``owner/name``.
        filename: A file of the repository.
        revision: Branch, tag or commit.
        notes: A folder where the answer is noted, for a time when the Hub does not answer.

    Raises:
        HubError: If there is no such repository, revision or file, or no answer and no note.
    """
    if re.fullmatch("[0-9a-f]{40}", revision):
        return revision
    note = notes / f"{quote(revision, safe='')}.commit"
    try:
        with hub_errors(f"{repo_id}/{filename}"):
            url = hf.hf_hub_url(repo_id, filename, revision=revision)
            commit = hf.get_hf_file_metadata(url).commit_hash
            if commit is None:
                raise errors.FileMetadataError("the answer names no commit, as a Hub's would")
    except HubUnreachableError as error:
        if not note.is_file():
            raise
        logger.warning("using what is kept here of %s: no Hub (%s)", repo_id, error.cause)
        return note.read_text()
    with written_whole(note) as unfinished:
        unfinished.write_text(commit)
    return commit


def read_range(repo_id: str, filename: str, commit: str, start: int, stop: int) -> bytes:
    """Read bytes ``start`` to ``stop`` (not included) of a file on the Hub, never more than these.

    The client's own reading of parts takes a whole file from a server without byte ranges.

    Raises:
        HubError: If there is no such file, no answer, or the server sends other bytes.
    """
    headers = {"Range": f"bytes={start}-{stop - 1}", "Accept-Encoding": "identity"}
    timeout = hf.constants.HF_HUB_DOWNLOAD_TIMEOUT
    with hub_errors(f"{repo_id}/{filename}"):
        url = hf.hf_hub_url(repo_id, filename, revision=commit)
        headers |= utils.build_hf_headers()
        with utils.http_stream_backoff(
            "GET", url, headers=headers, timeout=timeout, max_retries=2, retry_on_exceptions=()
        ) as answer:
            utils.hf_raise_for_status(answer)
            content = answer.read() if answer.status_code == 206 else None
    if content is None:
        words = "the server does not answer byte ranges"
    elif len(content) != stop - start:
        words = f"the server sent {len(content)} bytes instead of {stop - start}"
    else:
        return content
    raise HubError(f"{repo_id}/{filename} cannot be read in parts: {words}.", words)
