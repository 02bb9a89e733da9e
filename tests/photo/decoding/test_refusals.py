"""An error message tells damaged files from rare ones, and both from what is no photo."""

import io
import struct
import subprocess
import sys

import numpy as np
import pytest
import tifffile

from dslr_gan.errors import DslrGanError
from dslr_gan.photo import open_photo
from tests.support.beside import bmp, chunk, jpeg, png
from tests.support.photo_helpers import encoded
from tests.support.zoo import scene

FRAME = jpeg().index(b"\xff\xc0")
MESSAGES = {
    "a.jpg": {
        "damaged": (b"\xff\xd8", b"\xff\xd8ab" * 30, bytes(500), bytes(512) + jpeg()),
        "is damaged or cut off": (jpeg()[:20], jpeg()[:3], jpeg()[:-60]),
        "rare kind.*lossless JPEG": (jpeg()[: FRAME + 1] + b"\xc3" + jpeg()[FRAME + 2 :],),
        "rare kind.*12 bits": (jpeg()[: FRAME + 4] + b"\x0c" + jpeg()[FRAME + 5 :],),
        "is not a photo": (b"<svg>", b"\n", b"a"),
    },
    "a.png": {
        "damaged": (png()[:20], png().replace(b"\r\n", b"\n", 1), png()[: len(png()) // 2]),
        "rare kind.*iPhone": (png()[:8] + chunk(b"CgBI", bytes(4)) + png()[8:33] + bytes(60),),
    },
    "a.bmp": {"rare kind.*BMP of 24 bits": (bmp(np.zeros((4, 12), np.uint8), 24, packing=9),)},
    "a.heic": {
        "is a web page": (b"<!DOCTYPE html><title>Log in</title>" * 9, b"\n <HTML>" + bytes(99)),
        "is a pointer of Git LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:a",),
        "is an archive": (b"PK\x03\x04" + bytes(99), b"\x1f\x8b\x08" + bytes(99)),
        "is a PDF": (b"%PDF-1.7\n" + bytes(99),),
        "is a video": (b"\0\0\0\x18ftypmp42" + bytes(99), b"\0\0\0\x14ftypqt  " + bytes(99)),
    },
}


@pytest.mark.parametrize(
    ("name", "words", "data"),
    [(n, w, d) for n, kinds in MESSAGES.items() for w, files in kinds.items() for d in files],
)
def test_what_is_said_of_a_file(name, words, data, tmp_path):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DslrGanError, match=words) as error:
        open_photo(tmp_path / name)
    assert str(error.value).endswith(".") and "unpack" not in str(error.value)


def test_a_tiff_packed_in_a_rare_way_is_not_called_damaged():
    data = bytearray(encoded(scene(), "TIFF", compression="tiff_lzw").getvalue())
    place = data.index(struct.pack("<HHI", 259, 3, 1)) + 8
    data[place : place + 2] = struct.pack("<H", 34676)  # SGI LogLuv, without its library
    with pytest.raises(DslrGanError, match="rare kind.*TIFF packed as tiff_sgilog"):
        open_photo(io.BytesIO(bytes(data)))


QUIET = """
import sys
from dslr_gan.errors import DslrGanError
from dslr_gan.photo import open_photo
for path in sys.argv[1:]:
    try:
        open_photo(path)
    except DslrGanError:
        pass
"""


def test_no_line_of_a_library_stands_between_ours(tmp_path):
    fax = bytearray(encoded(scene().convert("1"), "TIFF", compression="group4").getvalue())
    fax[20:60] = bytes(range(40))
    wide = bytearray(encoded(scene(), "TIFF").getvalue())
    place = wide.index(struct.pack("<HHI", 277, 3, 1)) + 8
    wide[place : place + 2] = struct.pack("<H", 65535)  # Pillow's log says it is too many
    files = {"fax.tif": fax, "wide.tif": wide}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    tifffile.imwrite(tmp_path / "odd.tif", np.zeros((4, 4), np.uint8), extratags=[(700, 2, 0, "x")])
    paths = [str(path) for path in tmp_path.iterdir()]
    run = subprocess.run(
        [sys.executable, "-c", QUIET, *paths], capture_output=True, text=True, check=True
    )
    assert (run.stdout, run.stderr) == ("", "")
