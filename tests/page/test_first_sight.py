"""The example at first sight."""

from pathlib import Path

from PIL import Image

from dslr_gan.errors import DslrGanError
from dslr_gan.page import first_sight as module
from tests.support.app_server import difference


def test_it_is_finished_and_its_pictures_stay(monkeypatch, tmp_path):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    shown = module.first_sight()
    before, after = (
        Image.open(file) for file in (shown["before"], shown["phones"]["iphone"]["after"])
    )
    assert before.size == after.size == (shown["size"]["width"], shown["size"]["height"])
    assert difference(before, after) > 1
    assert shown["phones"]["iphone"]["scores"]["ssim"][-1] < 1
    left = {file for file in tmp_path.rglob("*") if file.is_file()}
    assert left == {Path(shown["before"]), Path(shown["phones"]["iphone"]["after"])}


def test_a_page_whose_model_cannot_be_loaded_opens_all_the_same(monkeypatch, caplog):
    def fails(*_):
        raise DslrGanError("no weights")
        yield

    monkeypatch.setattr(module, "enhance_photo", fails)
    assert module.first_sight() is None and "no weights" in caplog.text
