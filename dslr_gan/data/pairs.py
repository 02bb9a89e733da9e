"""Pairs by name: from DPED's layout, a pairs folder, a prepared dataset, or the Hub.

``open_pairs`` makes all of them alike: undecoded pictures in the columns ``phone`` and ``dslr``, by
number or as a stream. Reading and transfer are the ``datasets`` library's; no remote code is run
and no pickle is read.
"""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datasets
from datasets.naming import camelcase_to_snakecase

from dslr_gan.data.decode import Rows, undecoded
from dslr_gan.data.folder import TARGETS, file_rows, find_pairs, split_folder
from dslr_gan.data.provenance import SOURCE_FILE, Provenance, provenance
from dslr_gan.data.samples import KEPT_BYTES
from dslr_gan.errors import DslrGanError, HubError, HubUnreachableError, reason
from dslr_gan.files import is_address
from dslr_gan.hub import ask_dataset, is_hub_id, not_fetched, unasked
from hub_card import Source

COLUMNS = ("phone", "dslr")
PHOTO = "photo"
"""A column that names the photo a patch was cut from, where there is one."""

TEST_SPLITS = ("test", "validation")
STREAM_SHARDS = 96
"""Parts that a folder is streamed in: shared evenly by 2, 3, 4, 6, 8, 12, ... processes."""

# What our prepare calls a patch file: the photo it is from, its top and its left.
_PATCH_NAME = re.compile(r"(.+)_\d+_\d+\.png")


@dataclass(frozen=True)
class PairSource:
    """Pairs of phone and DSLR pictures, opened, with what a run and its card need to know."""

    name: str
    """As it was given, for messages and cards."""
    train: Rows | datasets.IterableDataset
    """Pairs to learn from: columns ``phone`` and ``dslr``, undecoded, and ``photo`` if there."""
    test: Rows | None
    """Pairs of its own to validate on, by number; those of a stream are read when first used."""
    provenance: Provenance
    """Where they come from, counted where that is known."""
    fingerprint: str
    """Identifies these pairs wherever they are: of the pictures' names, of a dataset's files with
    their sizes, or the Hub's commit."""
    files: list[str] = field(default_factory=list)
    """Of pictures in folders: a line of a name, a space and a size for each."""


def open_pairs(
    name: str | Path,
    *,
    streaming: bool = False,
    columns: tuple[str, str] = COLUMNS,
    revision: str | None = None,
) -> PairSource:
    """Open pairs by name, without reading a picture.

    Args:
        name: A folder: DPED's ``.../dped/iphone``, a pairs folder, a dataset that ``prepare``
            wrote, or any other that ``datasets`` reads; else a Hub id ``owner/name``. A folder
            wins over a Hub id of the same spelling.
        streaming: Whether to read the training pairs one after the other, as they come, instead of
            by number; of a Hub dataset nothing is then kept on disk.
        columns: What a dataset calls its phone and DSLR pictures; folders of files have no columns.
        revision: Branch, tag or commit; only with a Hub id.

    Returns:
        The pairs. A split ``test`` or ``validation`` becomes ``test``.

    Raises:
        DslrGanError: If there is no such folder or dataset, the Hub does not answer or does not
            allow it, its files are damaged or empty, or it has no such columns or no training
            split.
    """
    folder = Path(name)
    if is_address(str(name)):
        raise DslrGanError(
            f"{name} is an address (URL); give a Hub dataset as owner/name, or a folder."
        )
    try:
        is_folder = folder.is_dir()
    except OSError as error:  # too long a name, or a folder that is out of reach
        raise DslrGanError(
            f"{name} cannot be opened ({error.strerror}); check the name and its permissions."
        ) from error
    if not is_folder:
        if folder.exists() or not is_hub_id(str(name)):
            raise DslrGanError(
                f"there is no folder {name}, and it is not a Hub dataset either; "
                "a Hub id looks like owner/name."
            )
        try:
            return _open_hub(str(name), revision, columns, streaming)
        except HubError as error:  # what looks like an id may have been meant as a folder
            absent = f"there is no folder {name}"
            if str(error).startswith(absent):
                raise
            message = f"{absent}, nor was it read from the Hub: {error}"
            raise type(error)(message, error.cause, error.advice) from error
    if revision is not None:
        raise DslrGanError(
            f"{name} is a folder and has no revision {revision!r}; leave the revision out."
        )
    if _is_dataset(folder):
        return _open_dataset_folder(folder, str(name), columns, streaming)
    return _open_pairs_folder(folder, str(name), streaming)


def fingerprint(lines: Iterable[str]) -> str:
    """Hash lines of text, in whatever order they come."""
    return hashlib.sha256("\n".join(sorted(lines)).encode("utf-8", "surrogateescape")).hexdigest()


# Folders of files ----------------------------------------------------------------------------


def _open_pairs_folder(folder: Path, name: str, streaming: bool) -> PairSource:
    tests = folder / "test_data" / "patches"
    parts = {"train": find_pairs(split_folder(folder, "train"))}
    if tests.is_dir():
        parts["test"] = find_pairs(tests)
    listing: list[str] = []
    for part, pairs in parts.items():
        for column, side in zip(COLUMNS, (pairs.phone, pairs.dslr), strict=True):
            listing += _listing(side, set(pairs.names), f"{part}/{column}")
    rows = {part: undecoded(file_rows(pairs)) for part, pairs in parts.items()}
    names = [_PATCH_NAME.fullmatch(name) for name in parts["train"].names]
    if (folder / SOURCE_FILE).is_file() and all(names):
        photos = [found[1] for found in names if found]
        rows["train"] = rows["train"].add_column(PHOTO, photos)
    train = rows["train"]
    known = provenance(folder, len(train))
    if streaming:
        train = train.to_iterable_dataset(min(STREAM_SHARDS, len(train)))
    # Not of the sizes: a picture that was repaired is still the one that a run goes on with.
    mark = fingerprint(line.rpartition(" ")[0] for line in listing)
    return PairSource(name, train, rows.get("test"), known, mark, sorted(listing))


def _listing(folder: Path, names: set[str], prefix: str) -> Iterator[str]:
    """A line of name and size for each file; the names are fewer than what the folder holds."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name in names:
                yield f"{prefix}/{entry.name} {entry.stat().st_size}"


# Datasets ------------------------------------------------------------------------------------


def _is_dataset(folder: Path) -> bool:
    """Whether a folder holds a dataset's files rather than two folders of pictures."""
    if any((folder / part).is_dir() for part in (TARGETS, "training_data", "test_data")):
        return False
    data = ("*.parquet", "data/*.parquet", "metadata.*", "*/metadata.*", "*.arrow", "*.tar")
    return any(next(folder.glob(pattern), None) for pattern in data)


def _open_dataset_folder(
    folder: Path, name: str, columns: tuple[str, str], streaming: bool
) -> PairSource:
    # The whole path: "parquet" alone would be taken for a module of the library.
    path = str(folder.resolve())
    with _Reading(name):
        builder = datasets.load_dataset_builder(path)
    train, test, files = _open_splits(builder, name, columns, streaming)
    listing = [
        f"{split}/{os.path.relpath(file, path)} {os.stat(file).st_size}"  # noqa: PTH116
        for split, found in files.items()
        for file in found
    ]
    known = Provenance(Source(name=folder.name, gave=_counted(train, builder), terms=None, url=None,
                              dataset_id=None), [])  # fmt: skip
    if (folder / SOURCE_FILE).is_file():
        known = provenance(folder, 0)
    return PairSource(name, train, test, known, fingerprint([*listing, " ".join(columns)]))


def _open_hub(
    name: str, revision: str | None, columns: tuple[str, str], streaming: bool
) -> PairSource:
    away: HubUnreachableError | None = None
    try:
        commit, licence = ask_dataset(name, revision, kept=not streaming and _is_kept(name))
    except HubUnreachableError as error:
        if streaming:
            raise HubError(
                f"{name} cannot be streamed without the Hub ({error.cause}); {error.advice}."
            ) from error
        commit, licence, away = None, None, error
    quiet = nullcontext if away is None else unasked
    try:
        with quiet(), _Reading(name):
            builder = datasets.load_dataset_builder(name, revision=commit or revision)
    except DslrGanError as error:
        if away is None:
            raise
        raise not_fetched(name, away) from error
    if away is not None and revision not in (None, str(builder.hash)):
        raise HubError(
            f"the local copy of {name} may be of another revision than {revision}, and the Hub "
            f"could not be asked ({away.cause}); {away.advice}."
        )
    with quiet():
        train, test, _ = _open_splits(builder, name, columns, streaming)
    source = Source(
        name=name,
        gave=_counted(train, builder),
        terms=licence,
        url=f"https://huggingface.co/datasets/{name}",
        dataset_id=name,
    )
    # Without an answer the library takes its local copy, which it keeps under the commit.
    mark = fingerprint([name, commit or str(builder.hash), " ".join(columns)])
    return PairSource(name, train, test, Provenance(source, []), mark)


def _is_kept(name: str) -> bool:
    """Whether the library has a copy of a Hub dataset; of which revision is not known."""
    *owner, last = name.split("/")
    folder = "___".join([*owner, camelcase_to_snakecase(last)])
    return (Path(datasets.config.HF_DATASETS_CACHE).expanduser() / folder).is_dir()


def _open_splits(
    builder: Any, name: str, columns: tuple[str, str], streaming: bool
) -> tuple[Any, Rows | None, dict[str, list[str]]]:
    """The training and the test rows of a dataset, and the files they are in."""
    files = {str(split): list(found) for split, found in (builder.config.data_files or {}).items()}
    # A copy of the library's own, which stands in for a silent Hub, names no files.
    with _Reading(name):
        if not streaming:
            builder.download_and_prepare()
        opened = builder.as_streaming_dataset() if streaming else builder.as_dataset()
    if "train" not in opened:
        raise DslrGanError(f"{name} has no split train, but {', '.join(opened) or 'none at all'}.")
    rows = {
        split: _keep_columns(opened[split], name, columns)
        for split in ("train", *TEST_SPLITS)
        if split in opened
    }
    if not streaming and len(rows["train"]) == 0:
        raise DslrGanError(f"{name} has no training pairs; name another.")
    test = next((rows[split] for split in TEST_SPLITS if split in rows), None)
    if streaming and test is not None:
        test = _ReadOnce(test, name)
    return rows["train"], test, {split: files[split] for split in rows if split in files}


def _keep_columns(rows: Any, name: str, columns: tuple[str, str]) -> Any:
    """The two columns of pictures under our names, undecoded, and ``photo`` where there is one."""
    with _Reading(name):
        features = dict(rows.features or rows._resolve_features().features)
    pictures = [column for column, kind in features.items() if isinstance(kind, datasets.Image)]
    if columns[0] == columns[1]:
        raise DslrGanError(f"--columns names {columns[0]} twice; name two columns of {name}.")
    for column in columns:
        if column in pictures:
            continue
        lacks = f"has no column {column}" if column not in features else (
            f"has no pictures in its column {column}"
        )  # fmt: skip
        raise DslrGanError(f"{name} {lacks}; {_column_advice(pictures)}")
    kept = [*columns, *([PHOTO] if PHOTO in features and PHOTO not in columns else [])]
    # Undecoded first: else a stream decodes its pictures to rename them, and encodes them anew.
    for column in columns:
        rows = rows.cast_column(column, datasets.Image(decode=False))
    rows = rows.select_columns(kept)
    # By way of names that nobody has, since the two may be the other way round.
    for step in (("_0", "_1"), COLUMNS):
        rows, columns = rows.rename_columns(dict(zip(columns, step, strict=True))), step
    return rows


def _column_advice(pictures: list[str]) -> str:
    if len(pictures) < 2:
        return f"pairs need two columns of pictures, it has {', '.join(pictures) or 'none'}."
    if len(pictures) == 2:
        return f"say which is which, phone first: --columns {' '.join(pictures)}, or the reverse."
    return f"name two of {', '.join(pictures)}, phone first, with --columns."


def _counted(train: Any, builder: Any) -> str:
    if not isinstance(train, datasets.IterableDataset):
        return f"{len(train)} pairs"
    known = (builder.info.splits or {}).get("train")
    count = getattr(known, "num_examples", 0)
    return f"{count} pairs, streamed" if count else "a stream of pairs"


class _Reading:
    """Turns whatever the library raises in a block into one error message about a dataset."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        # It raises nearly anything: Arrow's errors, its own, the Hub's, plain KeyErrors.
        if not isinstance(error, Exception) or isinstance(error, DslrGanError):
            return
        cause = error.__cause__ or error
        raise DslrGanError(
            f"{self.name} cannot be read as a dataset ({reason(cause)}); check its files, or make "
            "or fetch it again."
        ) from error


class _ReadOnce(Sequence[Mapping[str, Any]]):
    """The rows of a stream by number, read into memory when they are first asked for."""

    def __init__(self, stream: Any, name: str) -> None:
        self.stream = stream
        self.name = name
        self._rows: list[Mapping[str, Any]] | None = None

    def __len__(self) -> int:
        return len(self._read())

    def __getitem__(self, row: Any) -> Any:
        return self._read()[row]

    def _read(self) -> list[Mapping[str, Any]]:
        if self._rows is None:
            rows, room = [], KEPT_BYTES
            with _Reading(self.name):
                for row in self.stream:
                    room -= sum(len(row[column]["bytes"] or b"") for column in COLUMNS)
                    if room < 0:
                        raise DslrGanError(
                            f"the test pairs of {self.name} take more than {KEPT_BYTES >> 20} MB; "
                            "name fewer with --validation_pairs, or do not stream."
                        )
                    rows.append(row)
            self._rows = rows
        return self._rows
