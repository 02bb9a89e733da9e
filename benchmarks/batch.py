"""Photos per minute by the number of workers, from files to files.

``python -m benchmarks.batch photo.jpg another.jpg ...`` enhances the given photos with the bundled
iPhone model, in rounds, once with each way of dividing the cores.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch

from dslr_gan.enhance.batch import Enhancing, Models, Outcome, enhance_all
from dslr_gan.enhance.inputs import find_photos
from dslr_gan.enhance.planning import plan

ROUNDS = 3


def main() -> None:
    """Measure and print."""
    cores = len(os.sched_getaffinity(0))
    jobs_of = find_photos(sys.argv[1:]).photos
    models = Models("iphone")
    ways = [workers for workers in (1, 2, 4, 8) if workers <= max(2, cores)]
    seconds: dict[int, list[float]] = {workers: [] for workers in ways}
    with tempfile.TemporaryDirectory() as folder:
        jobs = plan(jobs_of, Path(folder))
        for _ in range(ROUNDS):
            for workers in ways:
                torch.set_num_threads(max(1, cores // workers))
                started = time.perf_counter()
                enhancing = Enhancing(models, overwrite=True)
                outcomes: list[Outcome] = []

                def keep(_: int, outcome: Outcome, outcomes: list[Outcome] = outcomes) -> None:
                    outcomes.append(outcome)

                enhance_all(jobs, enhancing, keep, workers=workers)
                assert all(outcome.state == "enhanced" for outcome in outcomes), outcomes
                seconds[workers].append(time.perf_counter() - started)
    print(f"{len(jobs)} photos, {cores} cores, {ROUNDS} rounds, {models.device}")
    for workers, times in seconds.items():
        middle = statistics.median(times) / len(jobs)
        print(f"{workers} workers: {middle:.2f} s per photo ({min(times):.1f} s at best in all)")


if __name__ == "__main__":
    main()
