"""What is asked of the Hub and fetched from it: a network, a commit, parts of a file.

A network's files come one by one, the settings first and alone, each compared with the digests of
the Hub's own listing before it counts as fetched.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import huggingface_hub as hf
from huggingface_hub import errors, utils

from dslr_gan.errors import HubError, HubUnreachableError, InputError, brief, reason
from dslr_gan.hub.asking import (
    KEPT_TIMEOUT_S,
    MORE_TIME,
    TIMEOUT_S,
    Asker,
    Deadline,
    check_timeout,
    within,
)
from dslr_gan.hub.cache import COMMIT, Cache, Listed, listed
from dslr_gan.hub.messages import hub_errors, not_fetched
from dslr_gan.hub.names import RepositoryName, parse_repository
from dslr_gan.hub.transfer import download

logger = logging.getLogger(__name__)

WEIGHTS = "model.safetensors"
CONFIG = "config.json"
FACTS = "facts.json"

SMALL_FILE = 1_000_000
"""The most bytes that settings and facts may have; ours have some thousand."""

_LISTING_LIMIT = 50_000_000


@dataclass(frozen=True)
class Origin:
    """Where the files of a network came from."""

    folder: Path
    commit: str | None = None
    """Commit of the Hub repository, ``None`` for a plain folder."""
    answered: bool = True
    """Whether the Hub itself answered; ``False`` when its local copy stood in."""
    repository: str | None = None
    """Hub id ``owner/name``, ``None`` for a plain folder."""
    why: str = ""
    """Why the local copy stood in, in a few words."""
    fetched_on: str = ""
    """The day on which that copy was fetched, ``YYYY-MM-DD``; empty if nobody knows."""
    is_exact: bool = False
    """Whether that copy is what was asked for: by its full commit, or by ``HF_HUB_OFFLINE``."""
    files: Mapping[str, Path] = field(default_factory=dict, compare=False)
    """The network's files by name, as far as they are there and as the Hub lists them."""

    @property
    def is_stand_in(self) -> bool:
        """Whether a local copy is used although the Hub was to be asked, and may have another."""
        return bool(self.why) and not self.is_exact

    def place(self, file: str) -> str:
        """What to call one of the files in a message."""
        if self.repository is None:
            return str(self.folder / file)
        return f"{file} of {self.repository} at commit {(self.commit or '')[:8]}"


def fetch(
    name: str | Path,
    *,
    force_download: bool = False,
    token: str | bool | None = None,
    cache_dir: str | Path | None = None,
    local_files_only: bool = False,
    revision: str | None = None,
    timeout: float | None = None,
    most: Callable[[Origin], range] | None = None,
) -> Origin:
    """Find the files of a saved network, fetching them where the name is one of the Hub.

    Args:
        name: A folder, a Hub id ``owner/name``, one with a revision ``owner/name@revision``, or
            the address of a repository's page.
        force_download: Whether to download anew what is in the cache.
        token: Access token; ``None`` takes the one of ``hf auth login`` or ``HF_TOKEN``, ``False``
            none.
        cache_dir: Where the client keeps what it fetched; ``None`` for the usual place.
        local_files_only: Whether to take the local copy without asking the Hub.
        revision: Branch, tag or commit; only with a Hub id.
        timeout: Seconds that the Hub has; while a file comes, be it slowly, they do not pass. None
            for 60, or for 10 where there is a local copy that can stand in.
        most: Looks at ``config.json`` before anything else is fetched, and gives the sizes in
            bytes that the weights may have. What it raises is raised.

    Returns:
        Where the files are and came from. When the Hub does not answer, or not as it should, its
        local copy of the same repository and revision is taken and ``answered`` is ``False``.

    Raises:
        InputError: If there is no such folder, or a folder is given a revision.
        HubError: If there is no such repository, revision or file, one is damaged or too large,
            or the Hub does not answer and there is no local copy.
    """
    if (there := _in_folder(name, revision)) is not None:
        return there
    if timeout is not None:
        check_timeout(timeout)
    wanted = parse_repository(str(name), revision)
    with hub_errors(wanted.repository):
        utils.validate_repo_id(wanted.repository)
    cache = Cache(wanted.repository, cache_dir)
    if local_files_only:
        return _local_copy(wanted, cache, None)
    try:
        with hub_errors(wanted.repository, token=token):
            if hf.constants.is_offline_mode():
                raise errors.OfflineModeIsEnabled("offline")
            kept = next(cache.complete(wanted.revision, (CONFIG, WEIGHTS)), None)
            if timeout is None:
                timeout = TIMEOUT_S if kept is None else KEPT_TIMEOUT_S
            deadline = Deadline(timeout, MORE_TIME)
            asker = Asker(deadline, token, hurried=kept is not None)
            pull = _Pull(wanted, cache, asker, force_download)
            return within(deadline, lambda: pull.run(most))
    except HubUnreachableError as error:
        return _local_copy(wanted, cache, error)


def _in_folder(name: str | Path, revision: str | None) -> Origin | None:
    """The files in the folder of this name, if there is one."""
    folder = Path(name)
    try:
        if not folder.is_dir():
            return None
        files = _those_there(folder)
    except (OSError, ValueError) as error:  # too long a name, a folder out of reach, a zero byte
        raise InputError(
            f"{brief(str(name))} cannot be loaded ({reason(error)}); check the name and its "
            "permissions."
        ) from error
    if revision is not None:
        raise InputError(
            f"{name} is a folder and has no revision {revision!r}; leave the revision out."
        )
    return Origin(folder, files=files)


def _those_there(folder: Path) -> dict[str, Path]:
    """Those of a network's files that are in a folder, by name."""
    files = {name: folder / name for name in (CONFIG, WEIGHTS, FACTS)}
    return {name: file for name, file in files.items() if file.is_file()}


# From the Hub --------------------------------------------------------------------------------


class _Listing(NamedTuple):
    """What the Hub says of the files at a commit."""

    commit: str
    files: dict[str, Listed]
    tree: dict[str, dict[str, Any]]
    """All of them in the form that the client keeps; empty where something is not known."""


class _Pull:
    """Fetches the files of a network."""

    def __init__(
        self, wanted: RepositoryName, cache: Cache, asker: Asker, force_download: bool
    ) -> None:
        self._wanted = wanted
        self._repository = wanted.repository
        self._cache = cache
        self._asker = asker
        self._anew = force_download

    def run(self, most: Callable[[Origin], range] | None) -> Origin:
        """Fetch settings, weights and facts, in this order."""
        listing = self._ask_for_listing()
        before = self._cache.named(self._wanted.revision)
        config = self._get(listing, CONFIG, range(SMALL_FILE + 1))
        origin = Origin(
            config.parent, listing.commit, True, self._repository, files={CONFIG: config}
        )
        sizes = most(origin) if most is not None else None
        files = {CONFIG: config, WEIGHTS: self._get(listing, WEIGHTS, sizes)}
        if FACTS in listing.files:
            try:
                files[FACTS] = self._get(listing, FACTS, range(SMALL_FILE + 1))
            except HubError as error:  # they are for people: no network is refused for them
                logger.warning("%s is loaded without its facts: %s", self._repository, error.cause)
        self._asker.deadline.check()
        self._say_what_moved(before, listing)
        self._cache.remember(self._wanted.revision, listing.commit, listing.tree)
        return replace(origin, files=files)

    def _ask_for_listing(self) -> _Listing:
        repository, revision = self._wanted
        of = f"revision {revision!r} of {repository}" if revision else repository
        path = f"/api/models/{repository}"
        if revision is not None:
            path += f"/revision/{quote(revision, safe='')}"
        with hub_errors(of, token=self._asker.token):
            answer = self._asker.json(f"{path}?blobs=True", _LISTING_LIMIT)
            commit, entries = answer.get("sha"), answer.get("siblings")
            if not (isinstance(commit, str) and COMMIT.fullmatch(commit)):
                raise errors.FileMetadataError("the answer names no commit")
            if revision is not None and COMMIT.fullmatch(revision) and commit != revision:
                raise errors.FileMetadataError("the answer names another commit")
            if not isinstance(entries, list):
                raise errors.FileMetadataError("the answer lists no files")
        files, tree = {}, {}
        for entry in entries:
            if isinstance(entry, dict) and isinstance(name := entry.get("rfilename"), str):
                files[name], tree[name] = _of_entry(entry)
        known = all(each["size"] is not None and each["blob_id"] for each in tree.values())
        return _Listing(commit, files, tree if known and len(tree) == len(entries) else {})

    def _get(self, listing: _Listing, name: str, sizes: range | None) -> Path:
        """One file of the listing, which may have these sizes."""
        at = f"{self._repository} at commit {listing.commit[:8]}"
        if name not in listing.files:
            never = "; weights are read from safetensors files only, never a pickle"
            words = f"there is no {name} in {at}{never if name == WEIGHTS else ''}"
            advice = f"name a repository with {CONFIG} and {WEIGHTS}"
            raise HubError(f"{words}; {advice}.", words, advice)
        file = listing.files[name]
        if sizes is not None and file.size is not None and file.size not in sizes:
            raise _of_wrong_size(f"{name} of {at}", file.size, sizes)
        limit = sizes[-1] if sizes is not None else None
        url = hf.hf_hub_url(self._repository, name, revision=listing.commit)
        with hub_errors(f"{name} of {self._repository}", token=self._asker.token):
            self._asker.deadline.check()
            return self._cache.get(
                listing.commit,
                name,
                file,
                lambda path: download(self._asker, url, path, file, limit),
                anew=self._anew,
                patience_s=self._asker.deadline.remaining / 2,
            )

    def _say_what_moved(self, before: str | None, listing: _Listing) -> None:
        """Warn of a tag that names other weights than it did; once, for it is then remembered."""
        revision = self._wanted.revision
        if revision in (None, "main") or before in (None, listing.commit):
            return
        known = self._cache.listing(before).get(WEIGHTS)
        if known is not None and known.digest == listing.files[WEIGHTS].digest:
            return
        logger.warning(
            "%s of %s names other weights than when it was last fetched: commit %s, then %s",
            revision,
            self._repository,
            listing.commit[:8],
            before[:8],
        )


def _of_entry(entry: Mapping[str, Any]) -> tuple[Listed, dict[str, Any]]:
    """A file of the Hub's listing, for us and in the form that the client keeps."""
    large = entry.get("lfs")
    known = {"size": entry.get("size"), "blob_id": entry.get("blobId")}
    if not isinstance(large, dict):
        return listed(known["size"], known["blob_id"]), known
    known |= {"lfs_sha256": large.get("sha256"), "lfs_size": large.get("size")}
    return listed(known["lfs_size"], known["lfs_sha256"]), known


def _of_wrong_size(of: str, size: int, sizes: range) -> HubError:
    if size > sizes[-1]:
        words = f"{of} has {size:,} bytes, and at most {sizes[-1]:,} are fetched"
    else:
        words = f"{of} has {size:,} bytes, and would need {sizes[0]:,} at least"
    return HubError(f"{words}; name another repository.", words, "name another repository")


# From the cache ------------------------------------------------------------------------------


def _local_copy(wanted: RepositoryName, cache: Cache, away: HubUnreachableError | None) -> Origin:
    """The last whole copy of a revision; the Hub was not asked where ``away`` is None."""
    damaged = None
    for commit in cache.complete(wanted.revision, (CONFIG, WEIGHTS)):
        folder, known = cache.snapshot(commit), cache.listing(commit)
        there = _those_there(folder)
        spoilt = [
            file
            for file, path in there.items()
            if not known.get(file, Listed(None, None)).is_content_of(path)
        ]
        if CONFIG in spoilt or WEIGHTS in spoilt:
            damaged = damaged or f"{spoilt[0]} of {wanted.repository} was damaged in {folder}"
            continue
        copy = Origin(
            folder,
            commit,
            False,
            wanted.repository,
            away.cause if away is not None else "",
            cache.fetched_on(commit),
            wanted.revision == commit or hf.constants.is_offline_mode(),
            {file: path for file, path in there.items() if file not in spoilt},
        )
        if away is not None:
            logger.warning(
                "%s (%s); using the local copy of %s, commit %s%s",
                away.cause,
                away.advice,
                wanted.repository,
                commit[:8],
                f" of {copy.fetched_on}" if copy.fetched_on else "",
            )
        return copy
    of = f"revision {wanted.revision!r} of {wanted.repository}"
    if damaged is not None:
        raise HubError(f"{damaged}, and the Hub did not answer; check the disk, and try again.")
    if away is not None:
        raise not_fetched(of if wanted.revision else wanted.repository, away) from away
    raise HubError(
        f"there is no local copy of {of if wanted.revision else wanted.repository}, and "
        "local_files_only asks for nothing else; leave it out."
    )
