"""Zips that nobody packed in good faith, and odd ones that somebody did."""

import io
import itertools
import struct
import warnings
import zipfile

import pytest

from dslr_gan.errors import DslrGanError
from dslr_gan.page.work import unpacking
from dslr_gan.page.work.unpacking import Room, is_zip, unpack
from tests.support.app_server import coffee


def photo_bytes():
    file = io.BytesIO()
    coffee(24, 18).save(file, "JPEG")
    return file.getvalue()


def zipped(entries, comment=b""):
    """The bytes of a zip of names and contents."""
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        warnings.simplefilter("ignore")  # two entries of one name
        made.comment = comment
        for name, content in entries:
            made.writestr(name, content)
    return file.getvalue()


def as_zip64(data):
    """The same zip with the end of the larger variant."""
    place = data.rindex(b"PK\x05\x06")
    count, size, start = struct.unpack("<HII", data[place + 10 : place + 20])
    far = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, start)
    pointer = struct.pack("<4sIQI", b"PK\x06\x07", 0, place, 1)
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, *[0xFFFFFFFF] * 2, 0)
    return data[:place] + far + pointer + end


def with_count(data, count):
    place = data.rindex(b"PK\x05\x06")
    return data[: place + 8] + struct.pack("<HH", count, count) + data[place + 12 :]


def unpacked(data, tmp_path):
    """The entries of a zip; what was written lies in one folder, in files of our names."""
    archive, folder = tmp_path / "a.zip", tmp_path / "inside"
    archive.write_bytes(data)
    folder.mkdir()
    assert is_zip(archive)
    try:
        return list(unpack(archive, folder, Room()))
    finally:
        assert {file.name for file in tmp_path.iterdir()} == {"a.zip", "inside"}
        assert all(file.stem.isdigit() and file.is_file() for file in folder.iterdir())


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        ([("same.jpg", photo_bytes())] * 2, ["same.jpg", "same.jpg"]),
        ([("../../up.jpg", photo_bytes())], ["up.jpg"]),
        ([("/" * 300 + "x.jpg", photo_bytes())], ["x.jpg"]),
        ([("a\r\nb\t.jpg", photo_bytes())], ["ab.jpg"]),
        ([("..\\..\\C:\\c.jpg", photo_bytes())], ["C/c.jpg"]),
        ([("\u202egpj.exe.jpg", photo_bytes())], ["gpj.exe.jpg"]),
        ([("nul", b""), ("photo.jpg/", b"")], ["nul"]),
        ([("d/" * 400 + "deep.jpg", photo_bytes())], ["d/" * 400 + "deep.jpg"]),
    ],
)
def test_names(entries, found, tmp_path):
    assert [str(entry.place) for entry in unpacked(zipped(entries), tmp_path)] == found


def test_what_is_written_has_the_zip_s_bytes(tmp_path):
    content = photo_bytes()
    for number, change in enumerate((bytes, as_zip64, lambda data: b"MZ stub" + data)):
        folder = tmp_path / str(number)
        folder.mkdir()
        data = change(zipped([("a.jpg", content), ("b.jpg", b"x")], b"a comment"[: number % 2]))
        if number == 2:  # a program that unpacks itself is no zip to us
            (folder / "a.exe").write_bytes(data)
            assert not is_zip(folder / "a.exe")
            continue
        entries = unpacked(data, folder)
        assert [entry.file.read_bytes() for entry in entries] == [content, b"x"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (zipped([(f"{n}.jpg", b"") for n in range(10_000)]), "too many files"),
        (as_zip64(zipped([(f"{n}.jpg", b"") for n in range(3_000)])), "too many files"),
        (with_count(zipped([(f"{n}.jpg", b"") for n in range(3_000)]), 1), "too many files"),
        (as_zip64(zipped([("a.jpg", b"")]))[:-60] + bytes(60), "cut off"),
        (as_zip64(zipped([("a.jpg", b"")])).replace(b"PK\x06\x06", b"PK\x06\x09"), "damaged"),
        (zipped([("a.jpg", b"x" * 99)])[:60], "cut off"),
        (zipped([("a.jpg", b"x" * 99)]).replace(b"PK\x01\x02", b"PK\x01\x09"), "damaged"),
        (b"PK\x03\x04" + bytes(40), "cut off"),
    ],
    ids=itertools.count(),  # the bytes have the time in them
)
def test_zips_that_are_refused_as_a_whole(data, words, tmp_path):
    with pytest.raises(DslrGanError, match=words) as error:
        unpacked(data, tmp_path)
    assert "\n" not in str(error.value) and str(tmp_path) not in str(error.value)


def test_a_bomb_ends_when_it_has_used_up_what_a_file_may_have(tmp_path, monkeypatch):
    monkeypatch.setattr(unpacking, "MAX_FILE_MB", 1)
    bomb = zipped([("bomb.jpg", bytes(5_000_000)), ("good.jpg", photo_bytes())])
    lying = bomb.replace(struct.pack("<I", 5_000_000), struct.pack("<I", 900))
    for number, data in enumerate((bomb, lying)):
        (tmp_path / str(number)).mkdir()
        first, second = unpacked(data, tmp_path / str(number))
        assert first.file is None and ("1 MB" in first.reason or "damaged" in first.reason)
        assert second.file is not None and second.file.read_bytes() == photo_bytes()


def test_an_empty_zip_holds_nothing(tmp_path):
    assert unpacked(zipped([]), tmp_path) == []


def test_entries_that_lie_over_each_other_are_unpacked_once_at_most(tmp_path):
    """The newer bombs: many names for the same bytes, each of which would be unpacked."""
    data = zipped([(f"{n}.jpg", b"%d" % n * 50) for n in range(3)])
    start = data.index(b"PK\x01\x02")
    place, listed = start, bytearray(data)
    for _ in range(3):
        listed[place + 42 : place + 46] = bytes(4)  # all begin where the first does
        place += 46 + sum(struct.unpack("<HHH", data[place + 28 : place + 34]))
    entries = unpacked(bytes(listed), tmp_path)
    assert sum(entry.file is not None for entry in entries) <= 1
    assert all("damaged" in entry.reason for entry in entries if entry.file is None)
