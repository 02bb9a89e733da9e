"""What the page's events answer, without a server."""

import types
from pathlib import Path

import pytest
from PIL import Image

from dslr_gan.page import handlers
from dslr_gan.page.uploads import EXAMPLE_FOLDER
from tests.support.app_server import coffee, save_phone_photo


@pytest.fixture
def person(monkeypatch, tmp_path):
    """The request of a person whose uploads lie in a folder of the test."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    request = types.SimpleNamespace(session_hash="someone")
    yield request
    handlers.leave(request)


def event(**data):
    return types.SimpleNamespace(_data=data)


def test_a_photo_is_answered_step_by_step_and_with_its_phone(person, tmp_path):
    photo = coffee(64, 48)
    exif = photo.getexif()
    exif[0x010F], exif[0x0110] = "Sony", "C6603"
    photo.save(tmp_path / "xperia.jpg", exif=exif)
    wanted = event(
        job=7, photo={"path": str(tmp_path / "xperia.jpg")}, phones=["iphone"], by_exif=True
    )
    answers = list(handlers.enhance_on_page(wanted, person))
    assert {answer["job"] for answer in answers} == {7}
    last = answers[-1]
    assert last["state"] == "done" and last["phone"] == "sony" and "C6603" in last["says"]
    assert last["size"] == {"width": 64, "height": 48}
    assert Image.open(last["phones"]["sony"]["after"]).size == (64, 48)
    assert any("tile 1 of 1" in answer["says"] for answer in answers)
    # Every answer says all that is known: a browser may miss those before.
    known = [set(answer["phones"]) for answer in answers]
    assert all(one <= other for one, other in zip(known, known[1:], strict=False))


def test_what_is_wrong_is_an_answer_and_no_exception(person, tmp_path, caplog):
    (tmp_path / "words.jpg").write_text("These are words.")
    photo = {"path": str(save_phone_photo(tmp_path / "walk.jpg", 40, 30))}
    for wanted, part in (
        ({"photo": {"path": str(tmp_path / "words.jpg")}, "phones": ["sony"]}, "words.jpg"),
        ({"photo": {"path": "/etc/passwd"}, "phones": ["sony"]}, "no photo yet"),
        ({"photo": photo, "phones": ["nokia"]}, "iphone or sony"),
        ({"photo": photo, "phones": "sony"}, "iphone or sony"),
        ({"example": "../secret.png", "phones": ["sony"]}, "no photo yet"),
        ({}, "no photo yet"),
    ):
        (answer,) = list(handlers.enhance_on_page(event(**wanted), person))[-1:]
        assert answer["state"] == "error" and part in answer["message"]
        assert str(tmp_path) not in answer["message"]
        assert caplog.records.pop().getMessage() == f"refused: {answer['message']}"
    assert not caplog.records


def test_the_server_own_failures_are_logged_and_not_shown(person, monkeypatch, caplog):
    monkeypatch.setattr(handlers, "look", lambda photo: 1 / 0)
    wanted = event(example="coffee.png", phones=["sony"])
    (answer,) = handlers.enhance_on_page(wanted, person)
    assert answer["message"] == handlers.SERVER_FAILED and answer["advice"] == "retry"
    assert "ZeroDivisionError" in caplog.text


def test_files_are_given_to_who_made_the_result_alone(person):
    wanted = event(example="coffee.png", phones=["iphone"])
    *_, done = handlers.enhance_on_page(wanted, person)
    token = done["phones"]["iphone"]["result"]
    asked = {"token": token, "session": done["session"], "strength": 0.5}
    file = handlers.download(asked)
    assert file["name"] == "coffee_iphone_50.png" and file["bytes"] > 1000
    assert Image.open(file["file"]).size == Image.open(EXAMPLE_FOLDER / "coffee.png").size
    for wrong in (
        {**asked, "session": "another"},
        {**asked, "token": "guessed"},
        {**asked, "strength": float("nan")},
        {**asked, "strength": "much"},
        {**asked, "strength": True},
        None,
        {},
    ):
        assert set(handlers.download(wrong)) == {"error"}
    assert handlers.similarity_map(asked)["file"].endswith(".png")


def test_places_in_line_are_said_as_people_say_them():
    for place, words in (
        (1, "1st"),
        (2, "2nd"),
        (3, "3rd"),
        (4, "4th"),
        (11, "11th"),
        (21, "21st"),
    ):
        assert f" {words} in line, about 5 s" in handlers._waiting(
            {"position": place, "seconds": 4.2}
        )


def test_many_photos_list_what_failed(person, tmp_path):
    (tmp_path / "words.jpg").write_text("These are words.")
    good = save_phone_photo(tmp_path / "walk.jpg", 40, 30)
    files = [{"path": str(good)}, {"path": str(tmp_path / "words.jpg")}]
    *_, done = handlers.enhance_many_on_page(
        event(job=3, files=files, phone="auto", strength=1), person
    )
    assert done["state"] == "done" and "1 enhanced, 1 could not be" in done["says"]
    assert {item["name"]: item["status"] for item in done["items"]} == {
        "walk.jpg": "enhanced",
        "words.jpg": "failed",
    }
    assert done["job"] == 3 and done["bytes"] == Path(done["zip"]).stat().st_size
    for files in (None, [], "walk.jpg"):
        wrong = event(files=files, phone="auto", strength=1)
        (empty,) = handlers.enhance_many_on_page(wrong, person)
        assert "no photos yet" in empty["message"]
