"""The page's files on the server."""

import pytest
from PIL import Image

from dslr_gan.errors import DslrGanError
from dslr_gan.page import uploads


@pytest.fixture(autouse=True)
def upload_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    (tmp_path / "gradio").mkdir()
    return tmp_path / "gradio"


def test_results_do_not_pile_up(monkeypatch):
    old = uploads.fresh_folder()
    (old / "photo.png").write_bytes(b"old")
    kept = uploads.fresh_folder()
    assert old.is_dir() and kept != old
    monkeypatch.setattr(uploads, "KEEP_SECONDS", -1)
    assert uploads.fresh_folder().is_dir()
    assert not old.exists() and not kept.exists()


def test_only_files_of_the_page_are_uploads(upload_folder, tmp_path):
    Image.new("RGB", (8, 8)).save(upload_folder / "photo.png")
    (tmp_path / "secret.png").touch()
    (upload_folder / "link.png").symlink_to(tmp_path / "secret.png")
    photo = uploads.uploaded({"path": str(upload_folder / "photo.png")}, "photo")
    assert photo == (upload_folder / "photo.png").resolve()
    assert uploads.uploaded({"path": str(uploads.EXAMPLE_FOLDER / "coffee.png")}, "photo").is_file()
    others = (tmp_path / "secret.png", upload_folder / "../secret.png", upload_folder / "link.png")
    for value in (*({"path": str(path)} for path in others), {"path": None}, {}, None, "photo.png"):
        with pytest.raises(DslrGanError, match="There is no photo yet; upload one first."):
            uploads.uploaded(value, "photo")


def test_a_message_names_the_upload_and_not_its_folder(upload_folder):
    error = DslrGanError(f"{upload_folder}/0a1b/cat.jpg is empty; copy it again.")
    assert uploads.message_of(error) == "cat.jpg is empty; copy it again."
