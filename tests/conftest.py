"""Fixtures of several test files, and the hint at the slow tests."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image
from skimage import data

from dslr_gan.models.generator import Generator


def pytest_configure() -> None:
    """Take signals as in a terminal: a run in the background, or under nohup, ignores some."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say how to run the tests that plain ``pytest`` leaves out."""
    if config.option.markexpr == "not slow":
        terminalreporter.write_line("The slow tests were left out; run them with: pytest -m slow")


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> str:
    """A folder with a small generator that visibly changes a photo."""
    torch.manual_seed(0)
    generator = Generator(channels=8, blocks=1)
    with torch.no_grad():
        generator.tail.bias.fill_(0.1)
    folder = tmp_path_factory.mktemp("model")
    generator.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def coffee() -> Image.Image:
    """A colour photo, 301x203, no multiple of much."""
    return Image.fromarray(data.coffee()).resize((301, 203))


@pytest.fixture
def photos(tmp_path) -> Path:
    """A folder with two photos, one of them lying on its side, and a text file."""
    folder = tmp_path / "photos"
    folder.mkdir()
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Apple"
    Image.fromarray(data.coffee()).resize((90, 60)).save(folder / "side.JPG", "JPEG", exif=exif)
    Image.fromarray(data.chelsea()).resize((81, 53)).save(folder / "cat.png")
    (folder / "notes.txt").write_text("no photo")
    (folder / ".hidden.jpg").write_text("no photo")
    return folder


@pytest.fixture(scope="module")
def datasets_cache(tmp_path_factory) -> Iterator[None]:
    """Keeps what the datasets library writes out of the user's own cache."""
    patch = pytest.MonkeyPatch()
    patch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
    yield
    patch.undo()
