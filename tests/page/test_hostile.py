"""Whatever stands in a value's place gets one message and one line of the log; no harm is done."""

import json
import types

import gradio as gr
import pytest

from dslr_gan.page import endpoints, handlers
from dslr_gan.page.uploads import LONGEST_MESSAGE, message_of
from dslr_gan.page.work.admission import LINE, QUICK
from tests.support.app_server import save_phone_photo

ODD = [
    None, True, 7, -1, 10**400, float("nan"), float("inf"), "", "x" * 100_000, "a\nrefused: b",
    "../../etc/passwd", "\0", "http://127.0.0.1:9/a.png", "file:///etc/passwd", [], [[]], {},
    {"path": None}, {"path": "/etc/passwd"}, {"path": "\0"}, {"path": "x" * 5000},
    {"path": ["/etc/passwd"]}, {"url": "http://127.0.0.1:9/a.png"}, ["iphone"], {"a": [1]},
]  # fmt: skip


@pytest.fixture
def person(monkeypatch, tmp_path):
    """The request of a person whose uploads lie in a folder of the test; none is made beside it."""
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(uploads))
    request = types.SimpleNamespace(session_hash="someone")
    yield request
    handlers.leave(request)
    assert [file.name for file in tmp_path.iterdir()] == ["uploads"]
    assert LINE.state()[:2] == QUICK.state()[:2] == (0, False)


@pytest.fixture
def photo(person, tmp_path):
    folder = tmp_path / "uploads/0a"  # as Gradio makes one for each upload
    folder.mkdir()
    return {"path": str(save_phone_photo(folder / "walk.jpg", 40, 30))}


def one_line(caplog, message):
    """What was answered stands in the log, once, in a line, and nothing else does."""
    lines = [record.getMessage() for record in caplog.records]
    caplog.clear()
    assert lines == [f"refused: {message}"] and "\n" not in message
    assert 10 < len(message) <= LONGEST_MESSAGE + 3 and "Traceback" not in message


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: repr(odd)[:20])
def test_what_the_page_is_asked(person, photo, caplog, odd):
    def last(work, wanted):
        *_, answer = work(types.SimpleNamespace(_data=wanted), person)
        return answer

    asked = {"photo": photo, "phones": ["iphone"]}
    wrong = [(handlers.enhance_on_page, {**asked, "photo": odd}), (handlers.enhance_on_page, odd)]
    if odd != ["iphone"]:
        wrong.append((handlers.enhance_on_page, {**asked, "phones": odd}))
    for name in ("reference", "tokens"):
        good = {"reference": photo, "tokens": {"iphone": "guessed"}}
        wrong.append((handlers.compare_on_page, {**good, name: odd}))
    for work, wanted in wrong:
        answer = last(work, wanted)
        assert answer["state"] == "error"
        one_line(caplog, answer["message"])
    for work in handlers.RPC:
        if work is handlers.line:
            continue
        for wanted in (odd, {"token": odd}, {"token": "guessed", "session": odd}):
            answer = work(wanted)
            assert set(answer) == {"error"}, work
            one_line(caplog, answer["error"])


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: repr(odd)[:20])
def test_what_programs_call(person, photo, caplog, odd):
    calls = {
        endpoints.enhance: {"photo": photo, "phone": "iphone", "strength": 1.0},
        endpoints.compare: {
            "photo": photo, "reference": photo, "phone": "iphone", "strength": 1.0,
        },
        endpoints.enhance_many: {"photos": [photo], "phone": "iphone", "strength": 1.0},
    }  # fmt: skip
    for call, good in calls.items():
        for name in good:
            if name == "strength" and odd is True:
                continue  # which is 1
            with pytest.raises(gr.Error) as error:
                call(**{**good, name: odd}, request=person, progress=lambda *_, **__: None)
            assert not error.value.print_exception
            one_line(caplog, error.value.message)


def test_files_that_are_not_there_and_folders(person, tmp_path, caplog):
    (tmp_path / "uploads/folder").mkdir()
    for name, words in (("gone.jpg", "does not exist"), ("folder", "is a folder")):
        given = {"path": str(tmp_path / "uploads" / name)}
        for call, values in ((endpoints.enhance, given), (endpoints.enhance_many, [given])):
            try:
                _, items = call(values, request=person, progress=lambda *_, **__: None)
                message = items[0]["reason"]  # of many the others go on
            except gr.Error as error:
                message = error.message
                one_line(caplog, message)
            assert words in message and str(tmp_path) not in message


def test_more_files_than_the_page_takes_are_refused_at_once(person, photo, caplog):
    with pytest.raises(gr.Error, match="501 files, and the page takes 500") as error:
        endpoints.enhance_many([photo] * 501, request=person, progress=lambda *_, **__: None)
    one_line(caplog, error.value.message)


def test_a_message_is_one_line_that_can_be_read():
    for text in ("a\nb\r\x1b[31mc\u2028d", "x" * 10_000, json.dumps("ü" * 900)):
        message = message_of(Exception(text))
        assert message.isprintable() and len(message) <= LONGEST_MESSAGE + 3
        assert message[0] == text[0] and message[-1] == text[-1]
