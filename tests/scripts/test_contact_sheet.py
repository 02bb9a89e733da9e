"""Sheets of crops at 100 %: a column for each model, each with a name of its own."""

import sys
from shutil import copytree

import pytest
from PIL import Image

from dslr_gan.errors import DslrGanError
from dslr_gan.models.phones import PHONES
from scripts.contact_sheet import LABEL, main


@pytest.fixture
def sheet(tmp_path, monkeypatch):
    """Runs the script on one small photo with the given models."""
    photo = tmp_path / "gray.png"
    Image.new("RGB", (80, 60), (90, 90, 90)).save(photo)
    out = tmp_path / "sheet.png"

    def run(*models):
        words = [word for model in models for word in ("--model", model)]
        monkeypatch.setattr(
            sys, "argv", ["contact_sheet", str(out), str(photo), "--crop", "60", *words]
        )
        main()
        return Image.open(out)

    return run


def test_each_model_has_a_column_beside_the_photo(sheet):
    assert sheet("iphone=new", "iphone=old").size == (3 * 60, 60 + LABEL)
    assert sheet("iphone").size == (2 * 60, 60 + LABEL)


def test_two_models_of_one_name_are_refused_and_not_shown_as_one(sheet, tmp_path):
    runs = [copytree(PHONES["sony"].folder, tmp_path / run / "generator") for run in "ab"]
    with pytest.raises(DslrGanError, match="two models are called generator; label one"):
        sheet(*map(str, runs))
    assert sheet(str(runs[0]), f"{runs[1]}=b").size == (3 * 60, 60 + LABEL)
