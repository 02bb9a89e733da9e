"""Pairs as a dataset on the Hub: what ``prepare`` wrote, or any folder of pairs.

A folder may be a stranger's. Only regular files inside it are sent, never what a link leads to.
"""

import io
from collections.abc import Iterator
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from dslr_gan.data.folder import PairsFolder, find_pairs, has_test_pairs, split_folder
from dslr_gan.data.provenance import SOURCE_FILE, provenance, provenance_json
from dslr_gan.errors import InputError, reason
from dslr_gan.hub import CARD, Pushed, Target, push
from dslr_gan.prepare.dataset import PLACE, ROWS, SHARD_BYTES, Split, make_card
from hub_card import is_untouched, marked

_BESIDE = (CARD, SOURCE_FILE, "report.html", "report.json")

PAIR_FEATURES = datasets.Features(
    {"phone": datasets.Image(), "dslr": datasets.Image(), "name": datasets.Value("string")}
)


def is_prepared(folder: Path) -> bool:
    """Whether a folder is a dataset that ``prepare`` wrote."""
    return (folder / CARD).is_file() and any((folder / "data").glob("*.parquet"))


def prepared_files(folder: Path, repo_id: str) -> dict[str, Path | bytes]:
    """The files of a dataset that ``prepare`` wrote; its card names the repository.

    Raises:
        InputError: If one of them is a link, or a shard is not whole.
    """
    shards = sorted((folder / "data").glob("*.parquet"))
    paths = [folder / name for name in _BESIDE if (folder / name).exists()] + shards
    files: dict[str, Path | bytes] = {}
    for path in paths:
        if path.is_symlink() or not path.is_file():
            raise InputError(f"{path} is a link and is not sent; put a copy there.")
        files[path.relative_to(folder).as_posix()] = path
    for shard in shards:
        try:
            pq.read_metadata(shard)
        except (OSError, pa.ArrowException) as error:
            raise InputError(
                f"{shard} is no whole Parquet file ({reason(error)}); prepare the pairs again."
            ) from error
    card = (folder / CARD).read_text(encoding="utf-8")
    named = card.replace(f'"{PLACE}"', f'"{repo_id}"')
    files[CARD] = (marked(named) if is_untouched(card) else named).encode()
    return files


def write_pairs(folder: Path, out: Path, repo_id: str) -> dict[str, Path | bytes]:
    """Write a folder of pairs as a dataset: Parquet shards with the pictures inside, and a card.

    Args:
        folder: Pairs, plain or in DPED's layout; the files' bytes stay as they are.
        out: New folder for the shards.
        repo_id: What the card calls it.

    Returns:
        The files of the dataset by their names.

    Raises:
        DslrGanError: If it is no folder of pairs, or a file in it is a link or no picture.
    """
    splits = {"train": find_pairs(split_folder(folder, "train"))}
    if has_test_pairs(folder):
        splits["test"] = find_pairs(split_folder(folder, "test"))
    known = provenance(folder, len(splits["train"].names))
    written: dict[str, Split] = {}
    (out / "data").mkdir(parents=True)
    files: dict[str, Path | bytes] = {}
    for split, pairs in splits.items():
        sizes = sum((side / name).stat().st_size for side in pairs[:2] for name in pairs.names)
        shards = min(max(1, -(-sizes // SHARD_BYTES)), len(pairs.names))
        edges = [len(pairs.names) * shard // shards for shard in range(shards + 1)]
        size = 0
        for shard in range(shards):
            name = f"data/{split}-{shard:05d}-of-{shards:05d}.parquet"
            with pq.ParquetWriter(out / name, PAIR_FEATURES.arrow_schema) as writer:
                for start in range(edges[shard], edges[shard + 1], ROWS):
                    names = pairs.names[start : min(start + ROWS, edges[shard + 1])]
                    table = _table(pairs, names)
                    writer.write_table(table)
                    size += table.nbytes
            files[name] = out / name
        written[split] = Split(len(pairs.names), size)
    columns = {"phone": "image", "dslr": "image", "name": "string"}
    card = make_card("pairs_card.md", known.data, written, columns, teachers=known.teachers)
    files[CARD] = marked(card.replace(f'"{PLACE}"', f'"{repo_id}"')).encode()
    files[SOURCE_FILE] = provenance_json(known).encode()
    return files


def _table(pairs: PairsFolder, names: list[str]) -> pa.Table:
    def pictures(side: Path) -> Iterator[dict[str, object]]:
        return ({"bytes": _read_picture(side / name), "path": name} for name in names)

    columns = {"phone": list(pictures(pairs.phone)), "dslr": list(pictures(pairs.dslr))}
    return pa.table({**columns, "name": names}).cast(PAIR_FEATURES.arrow_schema)


def _read_picture(file: Path) -> bytes:
    if file.is_symlink():
        raise InputError(f"{file} is a link and is not sent; put a copy of the picture there.")
    try:
        content = file.read_bytes()
        with Image.open(io.BytesIO(content)) as picture:
            picture.verify()
    except Exception as error:  # Pillow raises nearly anything on what is no picture
        raise InputError(f"{file} is no whole picture ({reason(error)}); remove it.") from error
    return content


def push_dataset(folder: Path, target: Target) -> Pushed:
    """Put a dataset that ``prepare`` wrote on the Hub, in one commit.

    Args:
        folder: What ``prepare`` wrote.
        target: Where to.

    Raises:
        HubError: If the Hub cannot be reached in time or refuses.
        InputError: As :func:`prepared_files`.
    """
    return push(
        prepared_files(folder, target.repo_id),
        target,
        message="Upload the patches",
        advice=f" The dataset is whole in {folder}; `{target.command(folder)}` pushes it.",
    )
