"""The real app, started as `python app.py` on a free port, and photos to give it."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import skimage.data
from PIL import ExifTags, Image

from tests.support.paths import ROOT

APP = ROOT / "app.py"
STARTS_WITHIN = 180  # seconds; importing torch and Gradio on a busy machine takes its time

MAKER = "Maker of test phones"


@contextmanager
def running_app(folder: Path, app: Path = APP, **environment: str) -> Iterator[str]:
    """Start the app with its temporary files and log under ``folder``; give its address."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    inherited = {
        key: value
        for key, value in os.environ.items()
        if key not in ("DSLR_GAN_IPHONE_REPO", "DSLR_GAN_SONY_REPO")
    }
    settings = {
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_TEMP_DIR": str(folder / "gradio"),
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": "1",
        **environment,
    }
    log = folder / "app.log"
    with log.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, str(app)],
            cwd=app.parent,
            env=inherited | settings,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_until_it_answers(address, process, log)
        yield address
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_until_it_answers(address: str, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"the app did not start:\n{log.read_text()}")


def coffee(width: int, height: int) -> Image.Image:
    """A real photo, scaled to any size."""
    return Image.fromarray(skimage.data.coffee()).resize((width, height), Image.Resampling.LANCZOS)


def save_phone_photo(file: Path, width: int, height: int, orientation: int = 1) -> Path:
    """A JPEG as a phone writes it: ``width`` and ``height`` are those of the stored pixels."""
    photo = coffee(width, height)
    exif = photo.getexif()
    exif[ExifTags.Base.Make] = MAKER
    exif[ExifTags.Base.Orientation] = orientation
    photo.save(file, exif=exif, quality=92)
    return file


def difference(first: Image.Image, second: Image.Image) -> float:
    """Mean absolute difference of two photos of one size, in 8-bit steps."""
    one, other = (np.asarray(photo.convert("RGB"), dtype=float) for photo in (first, second))
    return float(np.abs(one - other).mean())
