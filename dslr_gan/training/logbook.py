"""The log of a run for people: a folder to open, and whatever tracker they use.

``OUTPUT_DIR/results`` holds ``index.html`` (everything below on one page), ``curves.png``,
``samples/step_000000.png`` and on, ``log.jsonl`` with every number, and ``run.json`` with the
commands, settings, versions and machine.
"""

import json
import logging
import os
import platform
import shlex
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import torch
from accelerate import Accelerator
from accelerate.tracking import get_available_trackers
from PIL import Image

from dslr_gan.errors import DslrGanError
from dslr_gan.files import written_whole
from dslr_gan.training.options.hub import HUB_TOKEN

logger = logging.getLogger(__name__)

FOLDER = "results"
NO_TRACKER = "none"
LIBRARIES = ("torch", "accelerate", "datasets", "numpy", "pillow", "safetensors")
OPTIONAL_LIBRARIES = ("pytorch-optimizer",)
LATEST_SAMPLES = 12
"""How many sample grids the page shows besides the first one."""

LARGEST_DRAWN = 1e30
"""Numbers from here on are left out of the curves: axes cannot be divided for them."""

_PAGE = Path(__file__).parent / "templates/page.html"


class Logbook:
    """The results folder of a run and its trackers. It acts on the main process only.

    Args:
        output: The run's output folder.
        accelerator: Has the trackers, and says which process is the main one.
        project: What the trackers call the project.
    """

    def __init__(self, output: Path, accelerator: Accelerator, project: str = "dslr_gan") -> None:
        self.project = project
        self.folder = output / FOLDER
        self.accelerator = accelerator
        self.run: dict[str, Any] = {}
        self._unwritten: list[str] = []

    def start(self, step: int, run: Mapping[str, Any]) -> None:
        """Make the folder, without rows and pictures of later steps, which will be made again.

        Args:
            step: How many steps are done; 0 for a new run, which keeps nothing of an earlier one.
            run: What is in ``run.json`` besides versions and machine: commands and settings.
        """
        self.run = {**run, **surroundings(self.accelerator)}
        if self.accelerator.is_main_process:
            self.folder.mkdir(parents=True, exist_ok=True)
            kept = [row for row in self.rows() if step and row["step"] <= step]
            with written_whole(self.folder / "log.jsonl") as path:
                path.write_text("".join(f"{json.dumps(row)}\n" for row in kept), encoding="utf-8")
            self._write("run.json", json.dumps(self.run, indent=2, default=str) + "\n")
            for file in self.folder.glob("*/*step_*.*"):
                of = file.stem.rpartition("_")[2]
                if not step or (of.isdecimal() and int(of) > step):
                    file.unlink()
        self.accelerator.wait_for_everyone()
        flat = {
            name: value if isinstance(value, bool | int | float) else str(value)
            for name, value in self.run["settings"].items()
        }
        # TensorBoard's own way to pass over what an earlier run wrote of these steps.
        again = {"tensorboard": {"purge_step": step + 1 if step else 0}}
        silence_writers()
        self.accelerator.init_trackers(self.project, config=flat, init_kwargs=again)

    def end(self) -> None:
        """Close the trackers; what they have no room for is told."""
        with self._or_later("the trackers"):
            self.accelerator.end_training()

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Record numbers by name, such as ``train/l1``."""
        if self.accelerator.is_main_process:
            self._unwritten.append(json.dumps({"step": step, **values}) + "\n")
            with self._or_later("log.jsonl"):
                self._append()
        with self._or_later("the trackers"):
            self.accelerator.log(dict(values), step=step)

    def _append(self) -> None:
        """Write the rows that the log does not have, after those that it has as a whole."""
        file = self.folder / "log.jsonl"
        with file.open("a", encoding="utf-8") as log:
            end = log.tell()
            try:
                log.write("".join(self._unwritten))
                log.flush()
            except OSError:
                with suppress(OSError):
                    os.truncate(file, end)
                raise
        self._unwritten.clear()

    @contextmanager
    def _or_later(self, what: str) -> Iterator[None]:
        """A full disk, or one that is gone for now, is told and ends no training."""
        try:
            yield
        except OSError as error:
            logger.warning(
                "%s could not be written (%s); make room. The training goes on.",
                what,
                error.strerror or error,
            )

    def draw_samples(self, step: int, rows: Sequence[Sequence[np.ndarray]]) -> None:
        """Record a grid of pictures.

        Args:
            step: After which step they were made.
            rows: Pictures ``(H, W, 3)`` uint8, in a row all of one height.
        """
        joined = [np.hstack(row) for row in rows]
        width = max(row.shape[1] for row in joined)
        grid = np.vstack(
            [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0))) for row in joined]
        )
        name = f"samples/step_{step:06d}.png"
        with self._or_later(name), written_whole(self.folder / name) as path:
            Image.fromarray(grid).save(path)
        self._show_trackers("samples", step, grid)

    def _show_trackers(self, name: str, step: int, picture: np.ndarray) -> None:
        for tracker in self.accelerator.trackers:
            if hasattr(tracker, "log_images"):
                # Of them all, only TensorBoard expects the channels first by default.
                order = {"dataformats": "NHWC"} if tracker.name == "tensorboard" else {}
                with self._or_later("the trackers"):
                    tracker.log_images({name: picture[None]}, step=step, **order)

    def show_photo(self, step: int, name: str, before: Image.Image, after: Image.Image) -> None:
        """Keep a whole photo as it was and as it became, side by side.

        Args:
            step: After which step it was enhanced.
            name: What to call it; letters, digits, dots and dashes.
            before: The photo.
            after: What became of it, the same size.
        """
        both = np.hstack([np.asarray(photo.convert("RGB")) for photo in (before, after)])
        file = f"photos/{name}_step_{step:06d}.jpg"
        with self._or_later(file), written_whole(self.folder / file) as path:
            Image.fromarray(both).save(path, quality=92)
        self._show_trackers(f"photos/{name}", step, both)

    def publish(self, scores: str) -> None:
        """Bring ``curves.png`` and ``index.html`` up to date.

        Args:
            scores: The latest validation as text.
        """
        with self._or_later("index.html"):
            self._publish(scores)

    def _publish(self, scores: str) -> None:
        rows = self.rows()
        draw_curves(rows, self.folder / "curves.png")
        samples = sorted(path.name for path in (self.folder / "samples").glob("step_*.png"))
        photos = sorted(path.name for path in (self.folder / "photos").glob("*_step_*.jpg"))
        latest = {name.rpartition("_step_")[0]: name for name in photos}
        environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
        page = environment.from_string(_PAGE.read_text(encoding="utf-8")).render(
            run=self.run,
            scores=scores,
            step=rows[-1]["step"] if rows else 0,
            photos=list(latest.values()),
            samples=samples[:1] + samples[1:][-LATEST_SAMPLES:],
        )
        self._write("index.html", page)

    def rows(self) -> list[dict[str, Any]]:
        """The log so far; lines that were cut short or changed by hand are left out."""
        file = self.folder / "log.jsonl"
        text = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
        rows = []
        for line in text.splitlines():
            with suppress(ValueError, RecursionError):
                row = json.loads(line)
                if isinstance(row, dict) and isinstance(row.get("step"), int):
                    rows.append(row)
        return rows

    def _write(self, name: str, text: str) -> None:
        with written_whole(self.folder / name) as path:
            path.write_text(text, encoding="utf-8")


def draw_curves(rows: Sequence[Mapping[str, float]], file: Path) -> None:
    """Draw every number of a log over its steps, a panel per kind of number.

    Args:
        rows: Each ``{"step": 50, "train/l1": 0.1, ...}``.
        file: PNG to write.
    """
    # Only here: importing it takes a second, and a figure of its own needs no display.
    from matplotlib.figure import Figure

    panels = _panels(rows)
    figure = Figure(figsize=(12, 2.6 * -(-len(panels) // 3)), layout="constrained")
    for place, (title, curves) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(-(-len(panels) // 3), 3, place)
        for label, points in curves.items():
            axes.plot(
                *zip(*points, strict=True), label=label, marker="." if len(points) < 30 else ""
            )
        axes.set_title(title)
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
        if len(curves) > 1:
            axes.legend()
    with written_whole(file) as path:
        figure.savefig(path, dpi=110)


def _panels(rows: Sequence[Mapping[str, float]]) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """Title -> label -> points: validation metrics with the input's beside the model's."""
    panels: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for row in rows:
        for name, value in row.items():
            is_drawn = isinstance(value, int | float) and abs(value) < LARGEST_DRAWN
            if name == "step" or not is_drawn:
                continue
            kind, _, rest = name.partition("/")
            title, label = f"{kind}: {rest}", "value"
            if kind == "validation":
                label, _, rest = rest.partition("/")
                title = f"validation: {rest}"
            elif kind == "gradient":
                title, label = "gradient at the last layer", rest
            panels.setdefault(title, {}).setdefault(label, []).append((row["step"], value))
    return dict(sorted(panels.items(), key=lambda item: item[0].split(":")[0], reverse=True))


def silence_writers() -> None:
    """Let TensorBoard's threads end unheard at a full disk: the next write raises the same."""
    before = threading.excepthook

    def hook(ended: threading.ExceptHookArgs) -> None:
        is_writer = type(ended.thread).__module__.startswith("tensorboard.")
        if not (is_writer and isinstance(ended.exc_value, OSError)):
            before(ended)

    threading.excepthook = hook


def find_trackers(report_to: str | None) -> list[str]:
    """Names of the trackers to report to.

    Args:
        report_to: Names with commas between them, ``all`` that are installed, or ``none``;
            TensorBoard where it is ``None`` and TensorBoard is installed.

    Raises:
        DslrGanError: If one that was named is not installed.
    """
    available = [tracker.value for tracker in get_available_trackers()]
    if report_to is None:
        return [name for name in available if name == "tensorboard"]
    if report_to == "all":
        return available
    wanted = [name for name in report_to.split(",") if name and name != NO_TRACKER]
    for name in wanted:
        if name not in available:
            raise DslrGanError(
                f"--report_to {name} is not installed here; available: "
                f"{', '.join([*available, NO_TRACKER])}."
            )
    return wanted


def surroundings(accelerator: Accelerator) -> dict[str, Any]:
    """Versions and machine, for a run that repeats this one."""
    device = accelerator.device
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {
        "versions": {"python": platform.python_version()} | library_versions(),
        "machine": {
            "system": f"{platform.system()} {platform.machine()}",
            "cpus": os.cpu_count(),
            "gpu": gpu,
            "processes": accelerator.num_processes,
            "precision": accelerator.mixed_precision,
        },
        "started": time.strftime("%Y-%m-%d %H:%M"),
    }


def library_versions() -> dict[str, str]:
    """Version of each library that the result depends on, as far as it is installed."""
    versions = {name: version(name) for name in LIBRARIES}
    for name in OPTIONAL_LIBRARIES:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions


def command_line() -> str:
    """The command that started this run, complete enough to be typed again."""
    processes = os.environ.get("WORLD_SIZE", "1")
    on_cpu = not torch.cuda.is_available()
    if processes != "1" and on_cpu:  # accelerate launch would run a single process
        launcher = f"torchrun --standalone --nproc_per_node {processes}"
    else:
        launcher = f"accelerate launch --num_processes {processes}" + (" --cpu" if on_cpu else "")
    return f"{launcher} train_accelerate.py {shlex.join(_without_token(sys.argv[1:]))}"


def _without_token(words: Sequence[str]) -> Iterator[str]:
    """The words of a command but for ``--hub_token`` and its value."""
    rest = iter(words)
    for word in rest:
        if word == HUB_TOKEN:
            next(rest, None)
        elif not word.startswith(f"{HUB_TOKEN}="):
            yield word
