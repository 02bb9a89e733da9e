"""A call whose person has gone is noticed by the thread that works for it."""

import types

import pytest
from gradio.context import LocalContext

from dslr_gan.errors import DslrGanError
from dslr_gan.page import handlers
from dslr_gan.page.cancelled import is_cancelled
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
    monkeypatch.setattr(handlers, "fresh_folder", lambda: tmp_path / "results")
    enhancer = handlers.enhancer_for("iphone")
    monkeypatch.setattr(enhancer, "tile", 64)
    photo = save_phone_photo(tmp_path / "walk.jpg", 256, 128)
    shown = []

    def progress(share, desc, unit=None):
        if desc == "Enhancing":
            shown.append(share)
            event.alive = False

    with pytest.raises(DslrGanError, match="cancelled"):
        handlers.enhance_upload(photo, "iphone", 1.0, None, progress)
    assert shown == [(1, 8)]
    assert not handlers._computing.locked()
    assert not list((tmp_path / "results").glob("*"))


def test_a_call_that_waited_in_vain_does_not_begin(event, tmp_path, monkeypatch):
    monkeypatch.setattr(handlers, "enhance_file", lambda *_, **__: pytest.fail("it was begun"))
    photo = save_phone_photo(tmp_path / "walk.jpg", 40, 30)
    event.alive = False
    with pytest.raises(DslrGanError, match="cancelled"):
        handlers.enhance_upload(photo, "iphone", 1.0, None, lambda *_, **__: None)
