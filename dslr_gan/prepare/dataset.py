"""Prepared patches as a dataset: Parquet shards with the pictures inside, a card.

The folder is what ``datasets.load_dataset`` reads, from the disk as from the Hub.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import datasets
import jinja2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from huggingface_hub import DatasetCardData

from dslr_gan.data.places import Place
from dslr_gan.errors import DslrGanError
from dslr_gan.files import written_whole
from dslr_gan.prepare.one_pair import read_patches
from hub_card import Source, markdown, marked

FEATURES = datasets.Features(
    {
        "phone": datasets.Image(),
        "dslr": datasets.Image(),
        "photo": datasets.Value("string"),
        "top": datasets.Value("int32"),
        "left": datasets.Value("int32"),
        "correlation": datasets.Value("float32"),
    }
)
"""The columns: a patch of both photos (PNG), the pair it is from, its first row and column in the
phone photo, and the normalised cross-correlation of the two."""

PLACE = "OWNER/NAME"
"""What a card calls its dataset until it is pushed to a place."""

SHARD_BYTES = 400_000_000
"""A shard holds about so much, so that many machines can share the reading."""

ROWS = 100
"""Of a row group: what a stream reads at once."""


class Split(NamedTuple):
    """How much is in a split."""

    rows: int
    """Pairs of patches."""
    size: int
    """Bytes of them in memory, as Arrow has them: what ``datasets`` calls ``num_bytes``."""


def split_photos(names: Sequence[str], share: float, seed: int) -> dict[str, list[str]]:
    """Deal photos, never patches, to training and test.

    Args:
        names: Of the pairs of photos.
        share: Part of the photos for the test, from 0 to below 1.
        seed: Of the choice.

    Returns:
        ``train`` and, where the share is above 0 and there are two photos or more, ``test``; each
        sorted and with at least one photo.
    """
    ordered = sorted(names)
    count = min(max(1, round(share * len(ordered))), len(ordered) - 1) if share > 0 else 0
    if count <= 0:
        return {"train": ordered}
    chosen = np.random.default_rng(seed).permutation(len(ordered))[:count]
    test = {ordered[index] for index in chosen}
    return {"train": [name for name in ordered if name not in test], "test": sorted(test)}


def write_shards(
    folder: Path,
    splits: Mapping[str, Sequence[str]],
    files: Mapping[str, Path],
    shard_bytes: int = SHARD_BYTES,
) -> dict[str, Split]:
    """Write the kept patches of pairs as ``data/SPLIT-00000-of-0000N.parquet``.

    Args:
        folder: The dataset's folder.
        splits: The pairs' names for each split, in the order of the rows.
        files: Each pair's file by its name, written by
            :func:`dslr_gan.prepare.one_pair.cut_pair`.
        shard_bytes: About how many bytes of pictures a shard holds.

    Returns:
        How much each split has.

    Raises:
        OSError: If a shard cannot be written.
    """
    (folder / "data").mkdir(parents=True)
    written = {}
    for split, names in splits.items():
        chosen = [(name, files[name]) for name in names]
        sizes = [(len(table), table.nbytes) for table in _tables(chosen)]
        rows, size = (sum(numbers) for numbers in zip(*sizes, strict=True))
        shards = min(max(1, -(-size // shard_bytes)), rows)
        _write_split(folder / "data", split, _tables(chosen), rows, shards)
        written[split] = Split(rows, size)
    return written


def _write_split(
    folder: Path, split: str, tables: Iterator[pa.Table], rows: int, shards: int
) -> None:
    """Deal the rows of one table after another to shards of equal length."""
    edges = [rows * shard // shards for shard in range(shards + 1)]
    waiting = next(tables)
    for shard, (first, last) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
        file = folder / f"{split}-{shard:05d}-of-{shards:05d}.parquet"
        with pq.ParquetWriter(file, FEATURES.arrow_schema) as writer:
            wanted = last - first
            while wanted:
                if not len(waiting):
                    waiting = next(tables)
                taken = waiting.slice(0, wanted)
                writer.write_table(taken, row_group_size=ROWS)
                wanted -= len(taken)
                waiting = waiting.slice(len(taken))


def places_of(files: Mapping[str, Path], photos: Mapping[str, Path]) -> dict[str, Place]:
    """Where the kept patches lie in the phone photos that they were cut from.

    Args:
        files: Each pair's file of patches by its name.
        photos: Each pair's phone photo likewise.

    Returns:
        Places by the names that the patches have in the shards. Photos of one name, from two
        folders, are left out: nobody could tell their patches apart.
    """
    stems = Counter(map(_stem, files))
    places = {}
    for name, file in files.items():
        if stems[_stem(name)] > 1:
            continue
        corners = pq.read_table(file, columns=["top", "left"], filters=pc.field("kept"))
        for top, left in zip(*(corners[side].to_pylist() for side in ("top", "left")), strict=True):
            places[f"{_stem(name)}_{top}_{left}"] = Place(photos[name].name, left, top)
    return places


def _stem(name: str) -> str:
    """A pair's name without its folders: how the names of its patches begin."""
    return name.rpartition("/")[2]


def _tables(files: Sequence[tuple[str, Path]]) -> Iterator[pa.Table]:
    """The kept patches of pairs with the columns of the dataset."""
    for name, file in files:
        cut = read_patches(file)
        if cut is None:
            raise DslrGanError(f"{file} has been damaged since it was written; run prepare again.")
        kept = cut.patches.filter(pc.field("kept"))
        tops, lefts = kept.column("top").to_pylist(), kept.column("left").to_pylist()
        patches = [f"{_stem(name)}_{top}_{left}.png" for top, left in zip(tops, lefts, strict=True)]
        paths = pa.array(patches, pa.string())
        pictures = {
            side: pa.StructArray.from_arrays(
                [kept.column(side).combine_chunks(), paths], names=["bytes", "path"]
            )
            for side in ("phone", "dslr")
        }
        plain = {column: kept.column(column) for column in ("top", "left", "correlation")}
        photo = pa.array([name] * len(kept), pa.string())
        yield pa.table({**pictures, "photo": photo, **plain}).cast(FEATURES.arrow_schema)


def write_card(folder: Path, source: Source, splits: Mapping[str, Split], made: str) -> None:
    """Write the dataset's card, README.md, whose metadata also names the files of each split.

    Args:
        folder: The dataset's folder.
        source: What is known of the photos.
        splits: How much each has.
        made: How the patches were cut.

    Raises:
        OSError: If the card cannot be written.
    """
    columns = {"phone": "image", "dslr": "image", "photo": "string", "top": "int32",
               "left": "int32", "correlation": "float32"}  # fmt: skip
    with written_whole(folder / "README.md") as path:
        text = make_card("dataset_card.md", source, splits, columns, made=made)
        path.write_text(text, encoding="utf-8")


def make_card(
    template: str,
    source: Source,
    splits: Mapping[str, Split],
    columns: Mapping[str, str],
    **values: object,
) -> str:
    """Make a dataset's card.

    Args:
        template: Its file in ``templates``.
        source: What is known of the pictures.
        splits: How much each has.
        columns: The type of each column.
        values: What else the template shows.
    """
    metadata = DatasetCardData(
        pretty_name=source.name,
        license="other",
        task_categories=["image-to-image"],
        tags=["image-enhancement", "dslr"],
        configs=[
            {
                "config_name": "default",
                "data_files": [{"split": split, "path": f"data/{split}-*"} for split in splits],
            }
        ],
        dataset_info={
            "features": [{"name": name, "dtype": kind} for name, kind in columns.items()],
            "splits": [
                {"name": name, "num_bytes": split.size, "num_examples": split.rows}
                for name, split in splits.items()
            ],
        },
    )
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=False,  # Markdown: the filters escape
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    environment.filters |= {"text": markdown.text, "link": markdown.link}
    counts = {name: split.rows for name, split in splits.items()}
    shown = environment.get_template(template).render(
        metadata=metadata.to_yaml(), source=source, counts=counts, place=PLACE, **values
    )
    return marked(shown)
