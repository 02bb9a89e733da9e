"""From pairs of full-size photos to a dataset of patches, over many processes and interruptions.

Each pair's patches are kept in a hidden folder beside the result until that is complete. Whatever
ends a run before, a kill included, the same call goes on from the pairs that are done.
"""

import dataclasses
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from pathlib import Path

from dslr_gan.data.places import write_places
from dslr_gan.data.provenance import SOURCE_FILE, Provenance, provenance_json
from dslr_gan.errors import DslrGanError, reason
from dslr_gan.files import written_whole
from dslr_gan.prepare.dataset import places_of, split_photos, write_card, write_shards
from dslr_gan.prepare.matching import PhotoPair
from dslr_gan.prepare.one_pair import (
    CutSettings,
    PairOutcome,
    begin_worker,
    cut_pair,
    patches_file_name,
    read_patches,
)
from dslr_gan.prepare.report import write_report
from hub_card import Source

Progress = Callable[[int, int], None]


@dataclasses.dataclass(frozen=True)
class Prepared:
    """What :func:`prepare_photos` wrote."""

    counts: dict[str, int]
    """Patches of each split."""
    outcomes: list[PairOutcome]
    """What came of each pair of photos, in their order."""


def prepare_photos(
    pairs: Sequence[PhotoPair],
    out: Path,
    *,
    sources: Sequence[Path] = (),
    settings: CutSettings | None = None,
    test_share: float = 0.1,
    seed: int = 0,
    workers: int | None = None,
    source: Source | None = None,
    progress: Progress | None = None,
) -> Prepared:
    """Align pairs of photos, cut them into patches, and write the patches as a dataset.

    The paper's section IV. The rows depend neither on the number of workers nor on how often the
    work was interrupted. A pair that cannot be aligned or read is left out and reported.

    Args:
        pairs: The photos; see :mod:`dslr_gan.prepare.matching`.
        out: The folder to write; must not exist, or be empty.
        sources: Folders that ``out`` must not be in, besides those of the photos.
        settings: How patches are cut; ``None`` for the paper's.
        test_share: Part of the pairs of photos, from 0 to below 1, whose patches are the test
            split: at least one where it is above 0 and two pairs or more gave patches.
        seed: Of that choice.
        workers: Processes, each with one thread; ``None`` for one per core.
        source: What the card says of the photos, but for their number, which is counted.
        progress: Called with (pairs done, pairs in all).

    Returns:
        How many patches there are, and what came of each pair.

    Raises:
        DslrGanError: If there are no pairs, ``out`` is taken or in a source folder, a number
            means nothing, no pair gives a patch (then nothing is left behind), or something cannot
            be written.
    """
    settings = settings or CutSettings()
    out = Path(os.path.abspath(out))  # noqa: PTH100 - resolve() would follow a link that is out
    _check(pairs, out, sources, test_share, workers)
    with _work_folder(out) as work:
        files = {pair.name: _pair_files(work) / patches_file_name(pair, settings) for pair in pairs}
        outcomes = _cut_all(pairs, files, settings, workers or _cores(), progress)
        used = [name for name in files if outcomes[name].kept]
        if not used:
            shutil.rmtree(work)
            raise DslrGanError(_no_patch(outcomes))
        splits = split_photos(used, test_share, seed)
        counts = _assemble(work, pairs, outcomes, files, splits, settings, source)
        if out.exists():
            out.rmdir()
        (work / "dataset").rename(out)
        shutil.rmtree(work, ignore_errors=True)
    return Prepared(counts, [outcomes[pair.name] for pair in pairs])


def _check(
    pairs: Sequence[PhotoPair],
    out: Path,
    sources: Sequence[Path],
    test_share: float,
    workers: int | None,
) -> None:
    """Refuse what means nothing before any work is done."""
    if not 0 <= test_share < 1:
        raise DslrGanError(f"--test-share must be from 0 to below 1, got {test_share}.")
    if workers is not None and workers < 1:
        raise DslrGanError(f"--workers must be at least 1, got {workers}.")
    if not pairs:
        raise DslrGanError("there are no pairs of photos to prepare; name folders with photos.")
    photos = {file.parent for pair in pairs for file in (pair.phone, pair.dslr)}
    _check_out(out, {*sources, *photos})


def _assemble(
    work: Path,
    pairs: Sequence[PhotoPair],
    outcomes: Mapping[str, PairOutcome],
    files: Mapping[str, Path],
    splits: Mapping[str, Sequence[str]],
    settings: CutSettings,
    source: Source | None,
) -> dict[str, int]:
    """Write the dataset into the work folder; how many patches each split has."""
    folder = work / "dataset"
    if folder.exists():  # of a run that was killed
        shutil.rmtree(folder)
    written = write_shards(folder, splits, files)
    counts = {split: size.rows for split, size in written.items()}
    photos = sum(map(len, splits.values()))
    source = source or Source(name="photos", gave="", terms=None, url=None, dataset_id=None)
    gave = f"{sum(counts.values())} pairs from {photos} pairs of photos"
    source = dataclasses.replace(source, gave=gave)
    with written_whole(folder / SOURCE_FILE) as path:
        path.write_text(provenance_json(Provenance(source, [])), encoding="utf-8")
    write_card(folder, source, written, _how_made(photos, settings))
    used = {name: files[name] for names in splits.values() for name in names}
    write_places(folder, places_of(used, {pair.name: pair.phone for pair in pairs}))
    whole = {name: file for name, file in files.items() if not outcomes[name].unreadable}
    write_report(folder, pairs, outcomes, whole, splits, settings)
    return counts


def _how_made(photos: int, settings: CutSettings) -> str:
    """What the card says of how the patches were cut."""
    return (
        f"Cut by `python -m dslr_gan prepare` from {photos} pairs of photos: aligned by SIFT, "
        f"RANSAC and correlation, cut into {settings.patch}x{settings.patch} patches every "
        f"{settings.stride} pixels, each moved by up to {settings.max_shift} pixels to where it "
        f"correlates best, and kept from a normalised cross-correlation of {settings.min_ncc} on."
    )


def _no_patch(outcomes: Mapping[str, PairOutcome]) -> str:
    """The error message on pairs none of which gave a patch."""
    reasons = [f"{name}: {outcome.reason}".rstrip(".") for name, outcome in outcomes.items()]
    more = f"; and {len(reasons) - 3} more" if len(reasons) > 3 else ""
    noun = (
        "the pair gave no patch"
        if len(reasons) == 1
        else f"none of {len(reasons)} pairs gave a patch"
    )
    return f"{noun} ({'; '.join(reasons[:3])}{more}); check that the photos belong together."


# Folders -------------------------------------------------------------------------------------


def work_folder(out: Path) -> Path:
    """The folder where an unfinished result keeps the pairs that are done."""
    out = Path(os.path.abspath(out))  # noqa: PTH100
    return out.with_name(f".{out.name}.unfinished")


def _pair_files(work: Path) -> Path:
    """The folder with a file of patches for each pair."""
    return work / "pairs"


def _check_out(out: Path, sources: set[Path]) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DslrGanError(f"{out} exists already; name a new folder, nothing is overwritten.")
    for folder in (out, *out.parents):
        for source in sorted(sources):
            with suppress(OSError):  # it does not exist yet
                if folder.samefile(source):
                    raise DslrGanError(
                        f"--out {out} is in {source}, where photos are read from; name a folder "
                        "elsewhere."
                    )


@contextmanager
def _work_folder(out: Path) -> Iterator[Path]:
    """Give the folder for what is unfinished; folders that stay empty are removed at the end."""
    new_folders = [folder for folder in out.parents if not folder.exists()]
    work = work_folder(out)
    try:
        _pair_files(work).mkdir(parents=True, exist_ok=True)
        for file in _pair_files(work).glob(".unfinished-*"):  # of a run that was killed
            file.unlink()
        yield work
    except OSError as error:
        raise DslrGanError(
            f"cannot write the pairs to {out} ({reason(error)}); check the folder and "
            "the room there, or name another one."
        ) from error
    finally:
        for folder in (_pair_files(work), work, *new_folders):  # from the inside out
            with suppress(OSError):
                folder.rmdir()


# Processes -----------------------------------------------------------------------------------


def _cut_all(
    pairs: Sequence[PhotoPair],
    files: Mapping[str, Path],
    settings: CutSettings,
    workers: int,
    progress: Progress | None,
) -> dict[str, PairOutcome]:
    """Cut the pairs that are not done yet; what came of each pair, in their order."""
    outcomes: dict[str, PairOutcome] = {}
    for pair in pairs:
        done = read_patches(files[pair.name])
        if done is not None:
            outcomes[pair.name] = done.outcome
    waiting = [pair for pair in pairs if pair.name not in outcomes]
    if progress is not None and outcomes:
        progress(len(outcomes), len(pairs))
    if waiting:
        with _pool(min(workers, len(waiting))) as pool:
            try:
                running = [
                    pool.submit(cut_pair, pair, files[pair.name], settings) for pair in waiting
                ]
                for future in as_completed(running):
                    outcome = future.result()
                    outcomes[outcome.name] = outcome
                    if progress is not None:
                        progress(len(outcomes), len(pairs))
            except (BrokenProcessPool, MemoryError) as error:
                raise DslrGanError(
                    "a worker ended early, most likely for want of memory; run the same again with "
                    "fewer --workers: it goes on with the pairs that are done."
                ) from error
    return {pair.name: outcomes[pair.name] for pair in pairs}


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Processes of one thread each; whatever ends the block early ends them at once."""
    others = set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")  # a fork of threads that run may hang
    with _one_thread_each():
        pool = ProcessPoolExecutor(workers, mp_context=context, initializer=begin_worker)
        try:
            yield pool
            pool.shutdown()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()
            raise


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """New processes calculate with one thread: as many workers as cores, and the same sums."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
