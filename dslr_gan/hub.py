"""Where a saved network lies: a folder, or one fetched from the Hub and checked.

Transfer and caching are huggingface_hub's.
"""

import hashlib
import re
from pathlib import Path
from typing import NamedTuple

from httpx2 import HTTPError
from huggingface_hub import HfApi, snapshot_download
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
    answered = _hub_answers(str(name), revision)
    try:
        # Not by commit: the local copy is found again only under the name it was asked for by.
        folder = snapshot_download(
            str(name),
            revision=revision,
            allow_patterns=[CONFIG, WEIGHTS, FACTS],
            local_files_only=not answered,
        )
    except (LocalEntryNotFoundError, OSError, HTTPError, HFValidationError) as error:
        # The client's own words advise about its options, which nobody can set here.
        absent = isinstance(error, LocalEntryNotFoundError)
        reason = "the Hub did not answer" if absent else first_line(error)
        raise DslrGanError(
            f"{name} could not be fetched from the Hub ({reason}), and there is no "
            "local copy; check the network and try again."
        ) from error
    _check_transfer(Path(folder) / WEIGHTS)
    return Origin(Path(folder), Path(folder).name, answered)


def _hub_answers(name: str, revision: str | None) -> bool:
    """Whether the Hub answers at all; an error where it does, but has no such revision."""
    wanted = f"revision {revision!r} of {name}" if revision else name
    try:
        HfApi().model_info(name, revision=revision, timeout=_HUB_TIMEOUT_S)
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
        return False
    return True


def _check_transfer(weights: Path) -> None:
    """Compare the weights with the hash under which the Hub keeps them.

    The client checks only a download's length; the cache names a large file by its sha256.
    """
    expected = weights.resolve().name
    if len(expected) != 64 or not weights.is_file():
        return
    if hashlib.sha256(weights.read_bytes()).hexdigest() != expected:
        weights.resolve().unlink()
        raise DslrGanError(
            f"{weights} was damaged on its way from the Hub and has been removed; try again."
        )
