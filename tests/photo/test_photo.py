"""What is known of a photo beside its pixels, and what is a photo at all."""

import copy
import gc
import io
import pickle
import subprocess
import sys
import weakref

import numpy as np
import pytest
from PIL import Image
from skimage import data

from dslr_gan.errors import DslrGanError
from dslr_gan.photo import notes, open_photo, photo_from_pixels, photo_pixels
from dslr_gan.photo.photo import add_note, low_bytes, photo_of
from dslr_gan.photo.sixteen_bit import split_bytes
from tests.support.paths import ROOT
from tests.support.photo_helpers import deep_pixels, encoded, pictures, round_trip, same


def deep_photo() -> Image.Image:
    photo, low = split_bytes(deep_pixels(3))
    photo_of(photo).low_bytes = low
    return photo


def test_notes_hold_for_every_image_made_of_a_photo(coffee):
    pages = encoded(coffee, "TIFF", save_all=True, append_images=[coffee])
    photo = open_photo(pages)
    expected = ["It has 2 pages; only the first is enhanced."]
    made = (photo.copy(), photo.crop((1, 2, 9, 9)), photo.resize((20, 10)), round_trip(photo))
    for image in (photo, *made, pickle.loads(pickle.dumps(photo)), copy.deepcopy(photo)):
        assert notes(image) == expected
    add_note(made[-1].info, "Another.")
    assert notes(made[-1]) == [*expected, "Another."] and notes(photo) == expected


def test_low_bytes_are_those_of_one_image():
    photo = deep_photo()
    add_note(photo.info, "A note.")
    assert low_bytes(photo) is not None
    flipped = photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT)  # of the same size and mode
    for other in (flipped, pickle.loads(pickle.dumps(photo)), copy.deepcopy(photo)):
        assert low_bytes(other) is None and notes(other) == ["A note."]
    photo_of(flipped).low_bytes = flipped.copy()
    assert low_bytes(photo) is not low_bytes(flipped)


def test_whatever_becomes_of_its_info_a_photo_keeps_its_bits():
    photo = deep_photo()
    for info in ({}, deep_photo().info, Image.new("RGB", (5, 5)).info):
        photo.info = info
        assert photo_pixels(photo).dtype == np.uint16


def test_a_thumbnail_keeps_no_low_bytes_in_memory():
    photo = deep_photo()
    low = weakref.ref(low_bytes(photo))
    thumbnail = photo.resize((5, 5))
    assert low() is not None
    del photo
    gc.collect()
    assert low() is None and thumbnail.size == (5, 5)


def test_opening_photos_waits_for_no_pytorch():
    script = """
import sys, types
package = types.ModuleType("dslr_gan")
package.__path__ = ["dslr_gan"]
sys.modules["dslr_gan"] = package
from dslr_gan.photo import PHOTO_SUFFIXES, open_photo, photo_from_pixels, save_photo
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)
    with pytest.raises(ImportError, match="no_such_name"):
        from dslr_gan.photo import no_such_name  # noqa: F401


@pytest.mark.parametrize("mode", ["I;16B", "I"])
def test_other_ways_to_hold_sixteen_bits(mode):
    values = np.array([[0, 258, 65535]], dtype=">u2" if mode == "I;16B" else np.int32)
    photo = Image.frombytes(mode, (3, 1), values.tobytes())
    result = round_trip(photo)
    assert result.mode == "I;16"
    assert np.asarray(result).tolist() == [[0, 258, 65535]]


def test_more_than_sixteen_bits_and_floats_are_refused():
    with pytest.raises(DslrGanError, match="16 bits"):
        photo_pixels(Image.new("I", (2, 2), 70000))
    with pytest.raises(DslrGanError, match="16 bits"):
        photo_pixels(Image.new("I", (2, 2), -1))
    with pytest.raises(DslrGanError, match="floating-point"):
        photo_pixels(Image.new("F", (2, 2), 0.5))


def test_what_is_no_photo_is_refused(tmp_path):
    with pytest.raises(DslrGanError, match="PIL image, got ndarray"):
        photo_pixels(data.coffee())
    with pytest.raises(DslrGanError, match="no pixels"):
        photo_pixels(Image.new("RGB", (0, 5)))
    cut = encoded(pictures()["RGB"], "PNG").getvalue()[:2000]
    with pytest.raises(DslrGanError, match="cannot be decoded"):
        photo_pixels(Image.open(io.BytesIO(cut)))


def test_operations_of_pillow_s_leave_eight_bits_that_are_right():
    photo = deep_photo()
    for smaller in (photo.resize((20, 10)), photo.copy(), photo.crop((1, 2, 9, 9))):
        assert low_bytes(smaller) is None
        source = photo_pixels(smaller)
        assert source.dtype == np.uint8
        assert same(photo_from_pixels(source, source.pixels), smaller)
    photo.thumbnail((20, 20))  # in place
    assert low_bytes(photo) is None
