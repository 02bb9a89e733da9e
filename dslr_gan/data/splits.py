"""Splits of pairs into training and validation, where the source has none.

A split depends on the pairs' names and a seed alone, so that every process and machine makes the
same one. It keeps whole photos together, where it is known which one a patch is from.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import datasets
import numpy as np
import pyarrow.compute

from dslr_gan.data.decode import Rows
from dslr_gan.data.pairs import PHOTO, PairSource, fingerprint
from dslr_gan.data.places import Places, pair_names, rows_of_scenes
from dslr_gan.errors import DslrGanError


def hold_out(source: PairSource, share: float, seed: int) -> PairSource:
    """Set a share of the training pairs aside to validate on.

    Whole photos, where a column ``photo`` says which one a patch is from: patches of one photo
    look alike, and would flatter a model that has seen their neighbours. Which ones depends on
    the seed and their names alone, so it is the same on every process and machine, in whatever
    order they come. Pairs without a name of their own go by their number.

    Args:
        source: Pairs without a test part, by number.
        share: Of the pairs, above 0 and below 1; at least one is set aside and one is kept.
        seed: Any whole number.

    Returns:
        The same pairs, divided.

    Raises:
        DslrGanError: If they are a stream, there is a single pair or a single photo, or the share
            is not between 0 and 1.
        ValueError: If the source has test pairs already.
    """
    if source.test is not None:
        raise ValueError(f"{source.name} has test pairs of its own; validate on those.")
    if not 0 < share < 1:
        raise DslrGanError(f"the share to hold out must be between 0 and 1, got {share}.")
    if isinstance(source.train, datasets.IterableDataset):
        raise DslrGanError(
            f"{source.name} is a stream without test pairs, and a stream cannot be divided; name "
            "pairs with --validation_pairs."
        )
    train, names = source.train, _names(source.train)
    chosen = _chosen(names, share, seed)
    if not chosen:
        kind = "pair" if len(train) < 2 else "photo that its pairs are from"
        raise DslrGanError(
            f"{source.name} has a single {kind}, and none to validate on; "
            "name some with --validation_pairs."
        )
    return _divided(source, train, names, chosen, f"{share} {seed}")


def fold(
    source: PairSource, number: int, count: int, scenes: Mapping[str, int] | None = None
) -> PairSource:
    """Set one of several equal parts of all pairs aside to validate on: cross-validation.

    Pairs that came to train and to test with are joined, then divided as by :func:`hold_out`:
    whole photos where these are known, in an order that depends on names alone. The parts of one
    ``count`` share no pair and together are all of them.

    Args:
        source: Pairs by number.
        number: Which part is set aside, from 1 to ``count``.
        count: How many parts there are, from 2.
        scenes: Keeps the pairs of a scene together: its number by the pairs' file names without
            suffix. Pairs that it leaves out go by themselves.

    Returns:
        The same pairs, divided anew.

    Raises:
        DslrGanError: If they are a stream, or fewer than the parts, or no scene is known.
    """
    if isinstance(source.train, datasets.IterableDataset):
        raise DslrGanError(f"{source.name} is a stream, which cannot be divided for --fold.")
    rows = source.train if source.test is None else _joined(source.train, source.test)
    names, how = _names(rows), f"fold {number}/{count}"
    if scenes is not None:
        known = [scenes.get(name) for name in pair_names(rows)]
        if not any(scene is not None for scene in known):
            raise DslrGanError(f"of no pair of {source.name} the scene is known; fold by pair.")
        names = [
            name if scene is None else f"scene {scene}"
            for name, scene in zip(names, known, strict=True)
        ]
        how += f" by scene {sorted(scenes.items())}"
    order = _ordered(set(names), 0)
    if len(order) < count:
        raise DslrGanError(
            f"{source.name} cannot be divided into {count} parts: it has {len(order)} pairs or "
            "photos that pairs are from; take fewer parts."
        )
    return _divided(source, rows, names, set(order[number - 1 :: count]), how)


def leave_out(source: PairSource, places: Places, scenes: set[int]) -> PairSource:
    """Take the pairs of some scenes out of those to train on.

    Args:
        source: Pairs by number.
        places: Says which scene each pair shows; pairs of unknown scenes stay.
        scenes: The numbers of the scenes.

    Returns:
        The same pairs but for those; the test pairs are what they were.

    Raises:
        DslrGanError: If no training pair is left.
    """
    out = set(rows_of_scenes(source.train, places, scenes))
    kept = [row for row in range(len(source.train)) if row not in out]
    if not kept:
        raise DslrGanError(
            f"{source.name} shows nothing but the scenes that are left out; leave out fewer."
        )
    named = ", ".join(map(str, sorted(scenes)))
    gave = f"{len(kept)} pairs; those of the scenes {named} are left out"
    counted = replace(source.provenance, data=replace(source.provenance.data, gave=gave))
    return replace(
        source,
        train=select_rows(source.train, kept),
        provenance=counted,
        fingerprint=fingerprint([source.fingerprint, f"without {named}"]),
    )


def _divided(
    source: PairSource, rows: Rows, names: Sequence[str], chosen: set[str], how: str
) -> PairSource:
    """All rows of a source, those whose names were chosen to validate on."""
    held = np.fromiter((name in chosen for name in names), dtype=bool, count=len(rows))
    kept, test = (select_rows(rows, np.flatnonzero(part)) for part in (~held, held))
    gave = f"{len(kept)} pairs; {len(test)} more validate"
    counted = replace(source.provenance, data=replace(source.provenance.data, gave=gave))
    mark = fingerprint([source.fingerprint, how])
    return replace(source, train=kept, test=test, provenance=counted, fingerprint=mark)


def limit(source: PairSource, count: int, seed: int) -> PairSource:
    """Keep some of the training pairs, at random, the same ones everywhere.

    Args:
        source: Pairs by number.
        count: How many at most, from 1.
        seed: Any whole number from 0.

    Raises:
        DslrGanError: If they are a stream.
    """
    if isinstance(source.train, datasets.IterableDataset):
        raise DslrGanError(
            f"{source.name} is a stream, of which --max_train_samples cannot choose; train fewer "
            "steps, or do not stream."
        )
    if len(source.train) <= count:
        return source
    gave = f"{count} of its {len(source.train)} training pairs"
    return replace(
        source,
        train=sample_rows(source.train, count, seed),
        provenance=replace(source.provenance, data=replace(source.provenance.data, gave=gave)),
        fingerprint=fingerprint([source.fingerprint, f"{count} of them {seed}"]),
    )


def sample_rows(rows: Rows, limit: int, seed: int) -> Rows:
    """Take some of the rows, at random, the same ones everywhere, in their order.

    Args:
        rows: Pairs by number.
        limit: How many at most, from 1.
        seed: Any whole number from 0.
    """
    if len(rows) <= limit:
        return rows
    return select_rows(rows, np.sort(np.random.default_rng(seed).permutation(len(rows))[:limit]))


def select_rows(rows: Rows, numbers: Sequence[int] | np.ndarray) -> Rows:
    """Take some of the rows by their numbers, in that order."""
    if isinstance(rows, datasets.Dataset):
        return rows.select(numbers)
    return [rows[int(number)] for number in numbers]


def _joined(first: Rows, second: Rows) -> Rows:
    """All rows of both, with the columns that both have."""
    if isinstance(first, datasets.Dataset) and isinstance(second, datasets.Dataset):
        columns = [name for name in first.column_names if name in second.column_names]
        return datasets.concatenate_datasets(
            [rows.select_columns(columns) for rows in (first, second)]
        )
    return [rows[number] for rows in (first, second) for number in range(len(rows))]


def _names(rows: Rows) -> list[str]:
    """What identifies each row: its photo, its file, else its number."""
    if isinstance(rows, datasets.Dataset):
        arrow = rows.with_format("arrow")
        if PHOTO in rows.column_names:
            return [str(photo) for photo in arrow[PHOTO][:].to_pylist()]
        paths = pyarrow.compute.struct_field(arrow["phone"][:], "path").to_pylist()
        files = [path.rpartition(os.sep)[2] for path in paths if path]
        if len(set(files)) == len(rows):
            return files
    elif len(rows) and PHOTO in rows[0]:
        return [str(row[PHOTO]) for row in rows]
    return [str(number) for number in range(len(rows))]


def _chosen(names: list[str], share: float, seed: int) -> set[str]:
    """Names that together have about a share of the rows, one at least, never all."""
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    order = _ordered(counts, seed)
    wanted, chosen = max(1, round(share * len(names))), set()
    for name in order[:-1]:
        if wanted <= 0:
            break
        chosen.add(name)
        wanted -= counts[name]
    return chosen


def _ordered(names: Iterable[str], seed: int) -> list[str]:
    """Names in an order that depends on them and the seed alone."""
    return sorted(names, key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest())
