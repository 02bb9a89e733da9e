"""Many photos and zips into one zip."""

import io
import itertools
import json
import types
import zipfile

import numpy as np
import pytest
from PIL import ExifTags, Image

from dslr_gan.enhance.photo_file import enhance_file
from dslr_gan.errors import DslrGanError
from dslr_gan.models.phones import AUTO
from dslr_gan.page.phone_models import enhancer_for
from dslr_gan.page.work import many, unpacking
from dslr_gan.page.work.admission import LINE
from dslr_gan.page.work.jobs import stop
from dslr_gan.page.work.many import enhance_many
from dslr_gan.photo import open_photo
from tests.support.app_server import MAKER, coffee, save_phone_photo
from tests.support.photo_helpers import DISPLAY_P3, rgb_profile


def zipped(file, entries):
    """A zip of names and contents, in order."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in entries:
            made.writestr(name, content)
    return file


def photo_bytes(width=64, height=48, kind="JPEG", **options):
    file = io.BytesIO()
    coffee(width, height).save(file, kind, **options)
    return file.getvalue()


def items_of(steps):
    return {item["name"]: item for item in steps[-1]["items"]}


def test_photos_keep_names_folders_and_metadata_and_a_bad_one_is_listed(uploads, tmp_path):
    single = save_phone_photo(uploads / "walk.jpg", 80, 60, orientation=6)
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Sony"
    wide = photo_bytes(exif=exif, icc_profile=rgb_profile(DISPLAY_P3))
    archive = zipped(
        uploads / "holiday.zip",
        [
            ("day 1/cat.jpg", wide), ("day 1/cat.JPG", photo_bytes()), ("day 2/", b""),
            ("day 2/bad.jpg", b"nonsense"), ("notes.txt", b"words"), ("__MACOSX/._cat.jpg", b"x"),
            ("day 2/drawing.gif", photo_bytes(kind="GIF")),
        ],
    )  # fmt: skip
    steps = list(enhance_many([single, archive], "auto", "me", 0.5))
    json.dumps(steps)
    items = items_of(steps)
    assert {name: item["status"] for name, item in items.items()} == {
        "walk.jpg": "enhanced", "day 1/cat.jpg": "enhanced", "day 1/cat.JPG": "enhanced",
        "day 2/bad.jpg": "failed", "notes.txt": "left out", "day 2/drawing.gif": "enhanced",
    }  # fmt: skip
    assert "bad.jpg is not a photo" in items["day 2/bad.jpg"]["reason"]
    done = steps[-1]
    assert (done["enhanced"], done["failed"], done["stopped"]) == (4, 1, False)
    with zipfile.ZipFile(done["zip"]) as made:
        names = ["walk.jpg", "day 1/cat.jpg", "day 1/cat-2.JPG", "day 2/drawing.png"]
        assert made.namelist() == names and made.testzip() is None
        made.extractall(tmp_path)
    for name, source, phone in (("walk.jpg", single, "iphone"), ("day 1/cat.jpg", wide, "sony")):
        if isinstance(source, bytes):
            (tmp_path / "source.jpg").write_bytes(source)
            source = tmp_path / "source.jpg"
        known = enhance_file(enhancer_for(phone), source, tmp_path / "known.jpg", strength=0.5)
        assert (tmp_path / name).read_bytes() == known.file.read_bytes()
    assert open_photo(tmp_path / "day 1/cat.jpg").info["icc_profile"] == rgb_profile(DISPLAY_P3)
    assert Image.open(tmp_path / "walk.jpg").getexif()[ExifTags.Base.Make] == MAKER
    shown = items["walk.jpg"]
    assert Image.open(shown["before"]).size == Image.open(shown["after"]).size == (60, 80)
    counts = [step for step in steps if step["state"] in ("working", "item")]
    assert counts[-1]["done"] == counts[-1]["total"] == 5 and counts[-1]["seconds_left"] == 0
    assert not list(uploads.glob("dslr_gan/*/unpacked/*/*"))


def test_hostile_zips_lead_nowhere(uploads):
    raw = photo_bytes()
    names = [
        "../../../etc/a.jpg", "/etc/b.jpg", "C:\\Windows\\c.jpg", "x/../../d.jpg", "..", "a\nb.jpg",
        f"{'ü' * 200}.jpg",
    ]  # fmt: skip
    archive = zipped(uploads / "slip.zip", [(name, raw) for name in names])
    steps = list(enhance_many([archive], "iphone", "me"))
    with zipfile.ZipFile(steps[-1]["zip"]) as made:
        found = made.namelist()
    assert found[:4] == ["etc/a.jpg", "etc/b.jpg", "C/Windows/c.jpg", "x/d.jpg"]
    assert found[4] == "ab.jpg" and found[5].endswith("ü.jpg") and len(found[5].encode()) < 255


def test_names_of_older_programs_are_read(uploads):
    archive = uploads / "old.zip"
    zipped(archive, [("AAAAAA.jpg", photo_bytes()), ("BBBBB.jpg", photo_bytes(40, 30))])
    data = archive.read_bytes().replace(b"AAAAAA.jpg", "Käfer".encode() + b".jpg")
    archive.write_bytes(data.replace(b"BBBBB.jpg", "Käfer".encode("cp437") + b".jpg"))
    steps = list(enhance_many([archive], "iphone", "me"))
    assert list(items_of(steps)) == ["Käfer.jpg"] and steps[-1]["enhanced"] == 2
    with zipfile.ZipFile(steps[-1]["zip"]) as made:
        assert made.namelist() == ["Käfer.jpg", "Käfer-2.jpg"]


def test_locked_nested_linked_and_broken_entries_have_their_reasons(uploads):
    inner = zipped(uploads / "inner.zip", [("a.jpg", photo_bytes())]).read_bytes()
    link = zipfile.ZipInfo("link.jpg")
    link.external_attr = 0o120777 << 16
    archive = zipped(
        uploads / "odd.zip",
        [("inner.zip", inner), (link, b"/etc/passwd"), ("raw.nef", b"II*\0"),
         ("good.jpg", photo_bytes()), ("locked.jpg", b"LOCKED" * 50),
         ("broken.jpg", np.random.default_rng(0).bytes(5000))],
    )  # fmt: skip
    data = bytearray(archive.read_bytes())
    for start in (b"PK\x03\x04", b"PK\x01\x02"):  # the flag of encryption, in both headers
        place = -1
        while (place := data.find(start, place + 1)) >= 0:
            name_at = place + (30 if start[2] == 3 else 46)
            if data[name_at : name_at + 10] == b"locked.jpg":
                data[place + (6 if start[2] == 3 else 8)] |= 1
    place = data.find(b"broken.jpg") + 200
    data[place : place + 40] = bytes(40)
    archive.write_bytes(data)
    items = items_of(list(enhance_many([archive], "iphone", "me")))
    reasons = {
        "inner.zip": "inside a zip", "link.jpg": "a link", "raw.nef": "raw file",
        "locked.jpg": "password", "broken.jpg": "damaged",
    }  # fmt: skip
    for name, words in reasons.items():
        assert items[name]["status"] != "enhanced" and words in items[name]["reason"]
    assert items["good.jpg"]["status"] == "enhanced"


def test_bombs_are_counted_as_they_unpack(uploads, monkeypatch):
    monkeypatch.setattr(unpacking, "MAX_FILE_MB", 0.1)
    monkeypatch.setattr(unpacking, "MAX_UNPACKED_MB", 0.25)
    monkeypatch.setattr(unpacking, "MAX_PHOTOS", 4)
    lying = zipped(
        uploads / "bomb.zip",
        [("large.jpg", bytes(200_000)), *((f"{n}.jpg", bytes(99_000)) for n in range(4))],
    )
    data = lying.read_bytes()
    lying.write_bytes(data.replace((200_000).to_bytes(4, "little"), (9).to_bytes(4, "little")))
    items = items_of(list(enhance_many([lying], "iphone", "me")))
    assert "0.1 MB" in items["large.jpg"]["reason"] or "damaged" in items["large.jpg"]["reason"]
    assert "Unpacked there are more" in items["2.jpg"]["reason"]
    assert "4 photos at once" in items["3.jpg"]["reason"]


def test_a_list_of_entries_that_would_fill_the_memory_is_not_read(uploads, monkeypatch):
    monkeypatch.setattr(unpacking, "MAX_LIST_BYTES", 100)
    archive = zipped(uploads / "long.zip", [(f"{n}.jpg", b"") for n in range(9)])
    monkeypatch.setattr(unpacking.zipfile, "ZipFile", lambda *_: pytest.fail("it was read"))
    with pytest.raises(DslrGanError, match="too many files"):
        list(unpacking.unpack(archive, uploads, unpacking.Room()))


def test_a_broken_zip_is_listed_and_the_others_go_on(uploads):
    whole = zipped(uploads / "whole.zip", [("a.jpg", photo_bytes())])
    cut = uploads / "cut.zip"
    cut.write_bytes(whole.read_bytes()[:400])
    steps = list(enhance_many([cut, whole], "iphone", "me"))
    assert "cut off" in items_of(steps)["cut.zip"]["reason"] and steps[-1]["enhanced"] == 1


def test_stopping_gives_what_is_done(uploads):
    photos = [save_phone_photo(uploads / f"{name}.jpg", 64, 48) for name in "abc"]
    steps = []
    for step in enhance_many(photos, "iphone", "me"):
        steps.append(step)
        if step["state"] == "item":
            stop("me")
    done = steps[-1]
    assert done["stopped"] and 1 <= done["enhanced"] < 3
    with zipfile.ZipFile(done["zip"]) as made:
        assert len(made.namelist()) == done["enhanced"]
    assert LINE.state()[:2] == (0, False)


def test_the_time_left_goes_by_the_size_of_the_photos(uploads, monkeypatch):
    photos = [save_phone_photo(uploads / f"{side}.jpg", side, side) for side in (500, 250)]
    (uploads / "words.jpg").write_text("words")
    clock = types.SimpleNamespace(perf_counter=itertools.count().__next__)  # 1 s for each photo
    monkeypatch.setattr(many, "time", clock)
    steps = enhance_many([*photos, uploads / "words.jpg"], "iphone", "me")
    steps = [step for step in steps if "share" in step]
    shares = [step["share"] for step in steps]
    assert shares == sorted(shares) and shares[-1] == 1
    left = [step["seconds_left"] for step in steps if step["state"] == "item"]
    work = [many.SMALLEST_WORK + megapixels for megapixels in (0.25, 0.06, 0)]
    expected = [1 / work[0] * sum(work[1:]), 2 / sum(work[:2]) * work[2], 0]
    assert left == pytest.approx(expected, abs=0.06)


def test_others_are_served_between_two_photos(uploads):
    photos = [save_phone_photo(uploads / f"turn {name}.jpg", 64, 48) for name in "abc"]
    run = enhance_many(photos, "iphone", "me")
    for step in run:
        if step["state"] == "item":
            break
    with LINE.place("you", 1) as ticket:
        assert ticket.ready.wait(20)  # before the third photo at the latest
    assert list(run)[-1]["enhanced"] == 3


def test_no_photos_and_wrong_values_are_refused_at_once(uploads):
    photo = save_phone_photo(uploads / "one.jpg", 40, 30)
    for values, words in (
        (([], "iphone", "me"), "no photos yet"),
        (([photo], "nokia", "me"), "nokia"),
        (([photo], "iphone", "me", float("nan")), "between 0 and 1"),
    ):
        with pytest.raises(DslrGanError, match=words):
            enhance_many(*values)
    words = uploads / "words.txt"
    words.write_text("words")
    done = list(enhance_many([words], AUTO, "me"))[-1]
    assert done["zip"] is None and done["failed"] == 1
