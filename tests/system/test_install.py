"""The package as it is installed: a wheel in a fresh environment, used from another folder."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
import skimage.data
from PIL import Image

from dslr_gan import __version__
from tests.support.paths import ROOT

SOURCES = ("dslr_gan", "hub_card", "pyproject.toml", "README.md", "LICENSE")


def sh(*command: str | Path, cwd: Path) -> str:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**environment, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The programs of an environment with the wheel, and with this one's other packages."""
    folder = tmp_path_factory.mktemp("install")
    source = folder / "source"  # building writes into its folder
    source.mkdir()
    for name in SOURCES:
        path = ROOT / name
        copy = shutil.copytree if path.is_dir() else shutil.copy
        copy(path, source / name)
    flags = ("--no-deps", "--no-build-isolation", "--no-index", "--quiet")
    sh(sys.executable, "-m", "pip", "wheel", source, *flags, "-w", folder, cwd=folder)
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    python = folder / "venv/bin/python"
    (wheel,) = folder.glob("dslr_gan-*.whl")
    target = ("--python", python, "install", wheel, "--no-deps", "--no-index", "--quiet")
    sh(sys.executable, "-m", "pip", *target, cwd=folder)
    own = sh(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder)
    (Path(own.strip()) / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "venv/bin"


@pytest.mark.slow
def test_the_installed_command_enhances_from_another_folder(installed, tmp_path):
    program = installed / "dslr-gan"
    assert sh(program, "--version", cwd=tmp_path) == f"dslr_gan {__version__}\n"
    assert sh(program, "--help", cwd=tmp_path).startswith("usage: dslr-gan [-h]")
    assert "  dslr-gan enhance - < photo.jpg" in sh(program, "enhance", "--help", cwd=tmp_path)
    where = "import dslr_gan; print(dslr_gan.__file__)"
    assert str(installed.parent) in sh(installed / "python", "-c", where, cwd=tmp_path)
    Image.fromarray(skimage.data.coffee()).resize((90, 60)).save(tmp_path / "photo.jpg")
    said = sh(program, "enhance", "photo.jpg", "--out", "out", cwd=tmp_path)
    assert said.startswith("1 photo enhanced into out, with bundled iPhone weights.")
    assert Image.open(tmp_path / "out/photo.jpg").size == (90, 60)


@pytest.mark.slow
def test_the_wheel_has_what_the_package_reads(installed, tmp_path):
    script = """
from importlib.resources import files
from dslr_gan.page.layout import build
package = files("dslr_gan")
for name in ("py.typed", "page/viewer/about.html", "page/viewer/viewer.js",
             "page/viewer/viewer.css", "weights/iphone/model.safetensors",
             "weights/sony/config.json"):
    assert package.joinpath(name).is_file(), name
build()
"""
    sh(installed / "python", "-c", script, cwd=tmp_path)
