"""A call whose person has gone is noticed by the thread that works for it."""

import types

import pytest
from gradio.context import LocalContext

from dslr_gan.errors import DslrGanError
from dslr_gan.page.phone_models import enhancer_for
from dslr_gan.page.work.admission import LINE
from dslr_gan.page.work.jobs import is_cancelled
from dslr_gan.page.work.photo_run import enhance_photo
from tests.support.app_server import save_phone_photo


@pytest.fixture
def event():
    """A call that Gradio works on, and that this thread works for."""
    event = types.SimpleNamespace(_id="mine", alive=True)
    other = types.SimpleNamespace(_id="another's", alive=True)
    queue = types.SimpleNamespace(active_jobs=[None, [other], [event]])
    tokens = (
        (LocalContext.blocks, LocalContext.blocks.set(types.SimpleNamespace(_queue=queue))),
        (LocalContext.event_id, LocalContext.event_id.set("mine")),
    )
    event.forget = lambda: queue.active_jobs.pop()
    yield event
    for variable, token in tokens:
        variable.reset(token)


def test_outside_of_a_call_nothing_is_cancelled():
    assert not is_cancelled()


def test_a_cancelled_call_is_forgotten(event):
    assert not is_cancelled()
    event.forget()
    assert is_cancelled()


def test_the_call_of_a_page_that_was_left_is_not_alive(event):
    event.alive = False
    assert is_cancelled()


def test_a_cancelled_photo_ends_after_its_tile_and_leaves_nothing(event, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setattr(enhancer_for("iphone"), "tile", 64)
    photo = save_phone_photo(tmp_path / "walk.jpg", 512, 256)
    tiles = []
    with pytest.raises(DslrGanError, match="cancelled"):
        for step in enhance_photo(photo, ["iphone"], "someone"):
            if step["state"] == "enhancing":
                tiles.append(step["done"])
                event.alive = False
    assert 0 < len(tiles) < 32
    assert not list((tmp_path / "dslr_gan").glob("*"))
    assert LINE.state()[:2] == (0, False)


def test_a_call_that_waited_in_vain_does_not_begin(event, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    photo = save_phone_photo(tmp_path / "walk.jpg", 40, 30)
    with LINE.place("somebody", 1):
        run = enhance_photo(photo, ["iphone"], "someone")
        assert next(run)["state"] == "waiting"
        event.alive = False
        with pytest.raises(DslrGanError, match="cancelled"):
            list(run)
        assert LINE.state()[0] == 0
