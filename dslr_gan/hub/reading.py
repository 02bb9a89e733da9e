"""What is read from the Hub without keeping a file: a dataset's facts, parts of a large file."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import huggingface_hub as hf
from huggingface_hub import errors, utils

from dslr_gan.errors import HubError, HubUnreachableError, reason
from dslr_gan.files import written_whole
from dslr_gan.hub.asking import KEPT_TIMEOUT_S, TIMEOUT_S, Asker, Deadline, within
from dslr_gan.hub.cache import COMMIT
from dslr_gan.hub.messages import hub_errors

logger = logging.getLogger(__name__)

READ_S = 10.0
"""How long the Hub has for a small file."""

_FACTS_LIMIT = 50_000_000


def ask_dataset(
    name: str, revision: str | None = None, *, kept: bool = False
) -> tuple[str | None, str | None]:
    """Ask the Hub about a dataset.

    Args:
        name: Hub id ``owner/name``.
        revision: Branch, tag or commit.
        kept: Whether a local copy can stand in: the Hub has 10 seconds then, and else 60.

    Returns:
        The commit, and the licence that the dataset's card names.

    Raises:
        HubError: If it has no such dataset or revision, does not allow it, or does not answer.
    """
    of = f"revision {revision!r} of the " if revision else ""
    path = f"/api/datasets/{name}"
    if revision is not None:
        path += f"/revision/{quote(revision, safe='')}"
    deadline = Deadline(KEPT_TIMEOUT_S if kept else TIMEOUT_S)
    with hub_errors(f"{of}dataset {name}", context=f"there is no folder {name}, and "):
        utils.validate_repo_id(name)
        facts = within(deadline, lambda: Asker(deadline).json(path, _FACTS_LIMIT))
    commit, card = facts.get("sha"), facts.get("cardData")
    licence = card.get("license") if isinstance(card, dict) else None
    if isinstance(licence, list):
        licence = ", ".join(map(str, licence))
    return (
        commit if isinstance(commit, str) else None,
        licence if isinstance(licence, str) else None,
    )


@contextmanager
def unasked() -> Iterator[None]:
    """Keep other libraries from asking the Hub: it did not answer, and they would wait again."""
    before = hf.constants.HF_HUB_OFFLINE
    hf.constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        hf.constants.HF_HUB_OFFLINE = before


def assets_folder(namespace: str, repo_id: str, filename: str) -> Path:
    """The folder for what was read from one file of the Hub, among the client's assets.

    It need not exist: a cache that cannot be written is told when something is kept in it.
    """
    subfolder = f"{repo_id}/{filename}"
    try:
        return hf.cached_assets_path("dslr_gan", namespace=namespace, subfolder=subfolder)
    except OSError:  # the client makes the folder
        home = Path(hf.constants.HF_ASSETS_CACHE) / "dslr_gan" / namespace
        return home / subfolder.replace("/", "--")


def find_commit(
    repo_id: str, filename: str, revision: str, notes: Path, deadline: Deadline | None = None
) -> str:
    """The commit that a revision names: by the Hub, or as it was when it was last asked.

    Args:
        repo_id: Hub id ``owner/name``.
        filename: A file of the repository.
        revision: Branch, tag or commit.
        notes: A folder where the answer is noted, for a time when the Hub does not answer.
        deadline: For the Hub's answer; None for 60 seconds, or for 10 where there is a note.

    Raises:
        HubError: If there is no such repository, revision or file, or no answer and no note.
    """
    if COMMIT.fullmatch(revision):
        return revision
    note = notes / f"{quote(revision, safe='')}.commit"
    noted = _read_note(note)
    deadline = deadline or Deadline(TIMEOUT_S if noted is None else KEPT_TIMEOUT_S)
    try:
        with hub_errors(f"{repo_id}/{filename}"):
            url = hf.hf_hub_url(repo_id, filename, revision=revision)
            asker = Asker(deadline, hurried=noted is not None)
            commit = within(deadline, lambda: asker.head(url)).get("X-Repo-Commit")
            if commit is None or not COMMIT.fullmatch(commit):
                raise errors.FileMetadataError("the answer names no commit, as a Hub's would")
    except HubUnreachableError as error:
        if noted is None:
            raise
        logger.warning("%s (%s); using what is kept here of %s", error.cause, error.advice, repo_id)
        return noted
    try:
        with written_whole(note) as unfinished:
            unfinished.write_text(commit)
    except OSError as error:
        logger.warning("%s cannot be noted (%s)", note, reason(error))
    return commit


def _read_note(note: Path) -> str | None:
    try:
        commit = note.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return None
    return commit if COMMIT.fullmatch(commit) else None


def read_range(
    repo_id: str,
    filename: str,
    commit: str,
    start: int,
    stop: int,
    deadline: Deadline | None = None,
) -> bytes:
    """Read bytes ``start`` to ``stop`` (not included) of a file on the Hub, never more than these.

    The client's own reading of parts takes a whole file from a server without byte ranges.

    Raises:
        HubError: If there is no such file, no answer, or the server sends other bytes.
    """
    headers = {"Range": f"bytes={start}-{stop - 1}", "Accept-Encoding": "identity"}
    deadline = deadline or Deadline(TIMEOUT_S)
    with hub_errors(f"{repo_id}/{filename}"):
        url = hf.hf_hub_url(repo_id, filename, revision=commit)
        asker = Asker(deadline)
        content = within(deadline, lambda: asker.read_part(url, headers, stop - start))
    if content is None:
        words = "the server does not answer byte ranges"
    elif len(content) != stop - start:
        words = f"the server sent {len(content)} bytes instead of {stop - start}"
    else:
        return content
    raise HubError(f"{repo_id}/{filename} cannot be read in parts: {words}.", words)


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
        timeout_s: Seconds that the Hub has; while the bytes come they do not pass.

    Raises:
        HubError: If there is no such file, it is larger, or the Hub does not answer in time.
    """
    deadline = Deadline(timeout_s)
    with hub_errors(f"{repo_id}/{name}", token=token):
        url = hf.hf_hub_url(repo_id, name, repo_type=repo_type, revision=revision)
        content = within(deadline, lambda: Asker(deadline, token).read(url, most_bytes))
    if len(content) > most_bytes:
        words = f"{name} is larger than {most_bytes} bytes"
        raise HubError(f"{words}.", words, "leave it out")
    return content
