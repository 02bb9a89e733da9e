"""The files of a repository that are kept on this machine, in huggingface_hub's own layout.

    models--OWNER--NAME/blobs/DIGEST          the files, by sha256 or git's object id
                       /snapshots/COMMIT/     links to them by name; the files where links fail
                       /refs/REVISION         the commit that a branch or a tag names
                       /trees/COMMIT.json     size and digest of each file of a commit

So other programs find what was fetched here, and the other way round. But here a branch names a
commit only once its files are complete, and no file is trusted unseen.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import huggingface_hub as hf
from huggingface_hub.file_download import repo_folder_name
from huggingface_hub.utils import WeakFileLock

from dslr_gan.files import written_whole

COMMIT = re.compile("[0-9a-f]{40}")
_DIGEST = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
_TREE_FORMAT = 1


class Listed(NamedTuple):
    """What is known of a file in a repository."""

    size: int | None
    digest: str | None
    """The sha256 of a large file, the git object id (sha1) of any other; None if nobody knows."""

    def is_content_of(self, file: Path) -> bool:
        """Whether a file is there and has this size and digest, as far as they are known."""
        try:
            if not file.is_file() or self.size not in (None, file.stat().st_size):
                return False
            return self.digest is None or _digest(file, self.digest) == self.digest
        except OSError:
            return False


def listed(size: object, digest: object) -> Listed:
    """The same from an answer or a file, whose values may be anything."""
    return Listed(
        size if type(size) is int and size >= 0 else None,
        digest.lower() if isinstance(digest, str) and _DIGEST.fullmatch(digest.lower()) else None,
    )


class Cache:
    """What is kept of one repository.

    Args:
        repository: Hub id ``owner/name``.
        folder: Where the client keeps what it fetched; None for its usual place.
    """

    def __init__(self, repository: str, folder: str | Path | None = None) -> None:
        root = Path(folder or hf.constants.HF_HUB_CACHE).expanduser()
        name = repo_folder_name(repo_id=repository, repo_type="model")
        self.folder = root / name
        self._locks = root / ".locks" / name

    def snapshot(self, commit: str) -> Path:
        """The folder for the files of a commit."""
        return self.folder / "snapshots" / commit

    def named(self, revision: str | None) -> str | None:
        """The commit that a branch or a tag named when it was last fetched."""
        if revision is not None and COMMIT.fullmatch(revision):
            return revision
        try:
            commit = (self._refs / (revision or "main")).read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            return None
        return commit if COMMIT.fullmatch(commit) else None

    def complete(self, revision: str | None, files: Iterable[str]) -> Iterator[str]:
        """The commits of a revision of which all these files are kept, the latest first.

        Their contents are not looked at. Other programs may have moved the main branch on to a
        commit of which they fetched one file; then the last one before it counts, as long as no
        other branch or tag names it.
        """
        named = self.named(revision)
        commits = [named] if named else []
        if revision in (None, "main"):
            with suppress(OSError):
                others = {file.read_text(encoding="utf-8") for file in self._other_refs()}
                snapshots = [
                    folder for folder in self.snapshot("").iterdir() if folder.name not in others
                ]
                snapshots.sort(key=lambda folder: folder.stat().st_mtime, reverse=True)
                commits += [folder.name for folder in snapshots if folder.name != named]
        for commit in commits:
            if all((self.snapshot(commit) / file).is_file() for file in files):
                yield commit

    def fetched_on(self, commit: str) -> str:
        """The day on which a commit was fetched, ``YYYY-MM-DD``; empty if that cannot be told."""
        try:
            return date.fromtimestamp(self.snapshot(commit).stat().st_mtime).isoformat()
        except OSError:
            return ""

    def listing(self, commit: str) -> dict[str, Listed]:
        """What was noted of the files of a commit when it was fetched, by name."""
        try:
            noted = json.loads((self._trees / f"{commit}.json").read_text(encoding="utf-8"))
            files = {
                name: listed(
                    file.get("lfs_size", file.get("size")),
                    file.get("lfs_sha256") or file.get("blob_id"),
                )
                for name, file in noted["files"].items()
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            files = {}
        with suppress(OSError):
            for file in self.snapshot(commit).iterdir():
                if files.get(file.name, Listed(None, None)).digest is None and file.is_symlink():
                    # The first link has the digest for its name; it may itself be a link.
                    files[file.name] = listed(None, file.readlink().name)
        return files

    def remember(
        self, revision: str | None, commit: str, tree: Mapping[str, Mapping[str, Any]]
    ) -> None:
        """Note that a commit is complete, what its files are, and that a revision names it.

        Raises nothing: a cache that cannot be written has what it had.

        Args:
            revision: Branch, tag or commit; None for the main branch.
            commit: The commit.
            tree: All of its files in the client's form: ``size``, ``blob_id``, ``lfs_sha256``,
                ``lfs_size``. Empty where not all of that is known.
        """
        notes = self._trees / f"{commit}.json"
        ref = self._refs / (revision or "main")
        with suppress(OSError):
            if tree and not notes.is_file():
                text = json.dumps({"format_version": _TREE_FORMAT, "files": tree})
                with written_whole(notes) as unfinished:
                    unfinished.write_text(text, encoding="utf-8")
        with suppress(OSError, ValueError):
            if self.named(revision) != commit and ref.resolve().is_relative_to(
                self._refs.resolve()
            ):
                with written_whole(ref) as unfinished:
                    unfinished.write_text(commit, encoding="utf-8")

    def get(
        self,
        commit: str,
        name: str,
        file: Listed,
        download: Callable[[Path], None],
        *,
        anew: bool = False,
        patience_s: float = 10.0,
    ) -> Path:
        """Give a file of a commit, downloaded where it is not kept or not as it should be.

        Args:
            commit: The commit.
            name: The file's name.
            file: What it must be.
            download: Writes it, and checks it, to a path; whatever it raises is raised.
            anew: Whether to download it anyhow.
            patience_s: Seconds to wait for another process that downloads it.

        Raises:
            OSError: If the cache cannot be written.
        """
        place = self.snapshot(commit) / name
        if not anew and file.is_content_of(place):
            return place
        blob = None if hf.constants.HF_HUB_DISABLE_SYMLINKS or not file.digest else file.digest
        target = place if blob is None else self.folder / "blobs" / blob
        self._locks.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            with suppress(TimeoutError):  # files are renamed into place: a lock only spares work
                lock = WeakFileLock(self._locks / f"{target.name}.lock", timeout=patience_s)
                stack.enter_context(lock)
            if anew or not file.is_content_of(target):
                # What a link leads to may belong to other repositories, too: the link is replaced.
                with written_whole(target) as unfinished:
                    download(unfinished)
        if blob is not None:
            _link(place, target)
        return place

    @property
    def _refs(self) -> Path:
        return self.folder / "refs"

    @property
    def _trees(self) -> Path:
        return self.folder / "trees"

    def _other_refs(self) -> Iterator[Path]:
        return (file for file in self._refs.rglob("*") if file.is_file() and file.name != "main")


def _link(place: Path, blob: Path) -> None:
    """Let a name in a snapshot lead to a file; move the file there where there are no links."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(place) as unfinished:
        unfinished.unlink()
        try:
            unfinished.symlink_to(os.path.relpath(blob, place.parent))
        except OSError:
            blob.replace(unfinished)


def _digest(file: Path, wanted: str) -> str:
    """A file's digest of the same kind as ``wanted``: sha256, or git's object id (sha1)."""
    with file.open("rb") as stream:
        if len(wanted) == 64:
            return hashlib.file_digest(stream, "sha256").hexdigest()
        digest = hashlib.sha1(b"blob %d\0" % file.stat().st_size, usedforsecurity=False)
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
