"""Photos that were uploaded, and one that was enhanced."""

import types

import pytest
from gradio.utils import get_upload_folder

from dslr_gan.page.work import kept
from dslr_gan.page.work.photo_run import enhance_photo
from tests.support.app_server import save_phone_photo


@pytest.fixture(scope="module")
def uploads(tmp_path_factory):
    """The folder that browsers upload to."""
    folder = tmp_path_factory.mktemp("gradio")
    patch = pytest.MonkeyPatch()
    patch.setenv("GRADIO_TEMP_DIR", str(folder))
    assert get_upload_folder() == str(folder)
    yield folder
    for session in ("me", "you"):
        kept.forget_session(session)
    patch.undo()


@pytest.fixture(scope="module")
def enhanced(uploads):
    """A turned photo of "me" that was enhanced, and the steps that were told of it."""
    (uploads / "0a").mkdir()
    photo = save_phone_photo(uploads / "0a/walk.jpg", 320, 240, orientation=6)
    steps = list(enhance_photo(photo, ["iphone"], "me"))
    token = steps[-1]["result"]
    return types.SimpleNamespace(photo=photo, steps=steps, done=steps[-1], token=token)
