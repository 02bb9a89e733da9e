"""Where a saved network lies: a folder, or one fetched from the Hub and checked.

Transfer and caching are huggingface_hub's.
"""

import hashlib
import json
import re
from pathlib import Path
from typing import NamedTuple

from httpx2 import HTTPError
from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from dslr_gan.errors import DslrGanError, first_line

WEIGHTS = "model.safetensors"
CONFIG = "config.json"
FACTS = "facts.json"

_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")
_HUB_TIMEOUT_S = 20.0


class Origin(NamedTuple):
    """Where a folder with a network came from."""

    folder: Path
    commit: str | None
    """Commit of the Hub repository, ``None`` for a plain folder."""
    answered: bool
    """Whether the Hub itself answered; ``False`` when its local copy stood in."""


def locate(name: str | Path, revision: str | None = None) -> Origin:
    """Find the folder of a saved network, fetching it from the Hub where the name is a Hub id.

    Args:
        name: A folder, or a Hub id ``owner/name``.
        revision: Branch, tag or commit; only with a Hub id.

    Returns:
        The folder and where it came from. When the Hub does not answer, its local copy of the
        same repository and revision is taken and ``answered`` is ``False``.

    Raises:
        DslrGanError: If there is no such folder, repository or revision, or the Hub does not
            answer and no local copy exists.
    """
    try:
        is_folder = Path(name).is_dir()
    except OSError as error:  # too long a name, or a folder that is out of reach
        raise DslrGanError(
            f"{name} cannot be loaded ({error.strerror}); check the name and its permissions."
        ) from error
    if is_folder:
        if revision is not None:
            raise DslrGanError(
                f"{name} is a folder and has no revision {revision!r}; leave the revision out."
            )
        return Origin(Path(name), None, True)
    if not _HUB_ID.fullmatch(str(name)):
        raise DslrGanError(
            f"there is no folder {name}, and it is not a Hub id either; "
            "a Hub id looks like owner/name."
        )
    listing = _ask_for_listing(str(name), revision)
    try:
        # Not by commit: the local copy is found again only under the name it was asked for by.
        folder = Path(
            snapshot_download(
                str(name),
                revision=revision,
                allow_patterns=[CONFIG, WEIGHTS, FACTS],
                local_files_only=listing is None,
            )
        )
        _check_transfer(folder, str(name), listing)
    except (LocalEntryNotFoundError, OSError, HTTPError, HFValidationError) as error:
        # The client's own words advise about its options, which nobody can set here.
        absent = isinstance(error, LocalEntryNotFoundError)
        reason = "the Hub did not answer" if absent else first_line(error)
        raise DslrGanError(
            f"{name} could not be fetched from the Hub ({reason}), and there is no "
            "local copy; check the network and try again."
        ) from error
    return Origin(folder, folder.name, listing is not None)


class _Listing(NamedTuple):
    """What the Hub says of the files at a commit."""

    commit: str | None
    digests: dict[str, str]
    """By file name: the sha256 of a large file, the git object id of any other."""


def _ask_for_listing(name: str, revision: str | None) -> _Listing | None:
    """The files of a repository; None where the Hub does not answer.

    An error message where it answers, but has no such revision.
    """
    wanted = f"revision {revision!r} of {name}" if revision else name
    try:
        info = HfApi().model_info(
            name, revision=revision, timeout=_HUB_TIMEOUT_S, files_metadata=True
        )
    except GatedRepoError as error:
        raise DslrGanError(
            f"{name} is gated: ask for access on its page, then `hf auth login`."
        ) from error
    except (RepositoryNotFoundError, RevisionNotFoundError, EntryNotFoundError) as error:
        raise DslrGanError(
            f"the Hub has no {wanted}; check the spelling, and `hf auth login` if it is private."
        ) from error
    except HFValidationError as error:
        raise DslrGanError(f"{name} is not a Hub id: {first_line(error)}.") from error
    except (HfHubHTTPError, HTTPError, OSError, OfflineModeIsEnabled):
        return None
    files = info.siblings or []
    digests = {file.rfilename: file.lfs.sha256 if file.lfs else file.blob_id for file in files}
    return _Listing(info.sha, {name: digest for name, digest in digests.items() if digest})


def _check_transfer(folder: Path, name: str, listing: _Listing | None) -> None:
    """Compare the files with the digests of the Hub's listing; a damaged one is fetched anew once.

    The client checks only a download's length, and not at all what has been in its cache for long.
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
            hf_hub_download(
                name, file, revision=folder.name, cache_dir=folder.parents[2], force_download=True
            )
            if _digest(path, digest) == digest:
                continue
            path.unlink()
        raise DslrGanError(
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
