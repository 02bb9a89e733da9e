"""The enhancer: exact tiles, whole photos, and where the weights come from."""

import ctypes
import functools
import io
import logging
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms
from safetensors.torch import save_file
from scipy.ndimage import gaussian_filter
from skimage import data
from skimage.color import deltaE_ciede2000, rgb2lab

import dslr_gan.enhance.enhancer
import dslr_gan.models.registry
from dslr_gan.enhance.enhancer import PhotoEnhancer
from dslr_gan.enhance.running.precision import NetworkRunner
from dslr_gan.errors import DslrGanError
from dslr_gan.models.generator import Generator
from dslr_gan.models.phones import Phone
from dslr_gan.models.registry import load_network
from dslr_gan.photo import photo_pixels, to_pixels, to_tensor
from dslr_gan.photo.photo import low_bytes, photo_of
from tests.support.helpers import loud, published_like
from tests.support.hub_client import HubClient
from tests.support.hub_server import HubServer
from tests.support.photo_helpers import ADOBE_RGB, DISPLAY_P3, rgb_profile

SETTINGS = {
    "folded by 2": {"channels": 8},
    "full size": {"channels": 4, "blocks": 2, "downscale": 1},
    "folded by 4": {"channels": 8, "blocks": 2, "downscale": 4, "dilations": [1, 3]},
    "folded by 3": {"channels": 8, "blocks": 1, "downscale": 3},
    "coarse": {"channels": 8, "blocks": 1, "coarse_channels": 8},
    "context": {"channels": 8, "blocks": 2, "context_channels": 8},
    "both": {"channels": 8, "blocks": 1, "coarse_channels": 8, "context_channels": 8},
}
TINY = {"channels": 4, "blocks": 1}


def picture(height, width):
    return data.astronaut()[60 : 60 + height, 130 : 130 + width]


def photo(height=60, width=80, mode="RGB"):
    return Image.fromarray(picture(height, width)).convert(mode)


def tiny(bias=0.25):
    """A small generator whose bias tells it from others."""
    generator = loud(TINY)
    torch.nn.init.constant_(generator.tail.bias, bias)
    return generator


def whole(generator, pixels):
    """What the network makes of a picture in one piece."""
    with torch.inference_mode():
        return to_pixels(generator(to_tensor(pixels)), pixels.dtype)


def distances(enhanced, expected):
    return np.abs(np.asarray(enhanced).astype(int) - np.asarray(expected))


def check_tiles(generator, pixels, tile):
    """Compare tiles with the whole; give what the network changed, in levels."""
    enhanced = PhotoEnhancer(generator, tile=tile).enhance(Image.fromarray(pixels))
    expected = whole(generator, pixels)
    wrong = distances(enhanced, expected)
    assert wrong.max() <= 1, f"maximum {wrong.max()}, mean {wrong.mean()}"
    return distances(expected, pixels).mean()


# Tiles ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("tile", [16, 45, 97, 131, 512])
def test_tiles_are_the_whole(name, tile):
    assert check_tiles(loud(SETTINGS[name]), picture(97, 131), tile) > 5


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("size", [(1, 1), (1, 70), (67, 2), (17, 16), (31, 33), (150, 29)])
def test_tiles_are_the_whole_at_every_size(name, size):
    check_tiles(loud(SETTINGS[name]), picture(*size), 16)


@pytest.mark.parametrize("name", SETTINGS)
def test_without_its_margin_a_tile_would_be_seen(name, monkeypatch):
    monkeypatch.setattr(Generator, "receptive_radius", 0)
    with pytest.raises(AssertionError, match="maximum"):
        check_tiles(loud(SETTINGS[name]), picture(97, 131), 45)


def test_without_the_reach_of_its_coarse_branch_a_tile_would_be_seen(monkeypatch):
    local = loud({**SETTINGS["coarse"], "coarse_channels": 0})
    monkeypatch.setattr(Generator, "receptive_radius", local.receptive_radius)
    with pytest.raises(AssertionError, match="maximum"):
        check_tiles(loud(SETTINGS["coarse"]), picture(97, 131), 45)


@pytest.mark.parametrize("name", ["context", "both"])
def test_without_the_photo_s_context_a_tile_would_be_seen(name, monkeypatch):
    monkeypatch.setattr(NetworkRunner, "context", lambda *_: None)
    with pytest.raises(AssertionError, match="maximum"):
        check_tiles(loud(SETTINGS[name]), picture(97, 131), 45)


@pytest.mark.parametrize("name", ["folded by 2", "both"])
def test_what_the_network_sees_at_once_depends_on_the_tile_alone(name):
    generator = loud(SETTINGS[name])
    largest = []

    def record(_, inputs, output):
        tensors = [each for each in (*inputs, output) if isinstance(each, torch.Tensor)]
        largest[-1] = max(largest[-1], *(each.numel() for each in tensors))

    for module in generator.modules():
        module.register_forward_hook(record)
    enhancer = PhotoEnhancer(generator, tile=16)
    # Beyond tile and margins, which the smaller photo has already.
    for height, width in [(180, 180), (180, 300), (300, 190)]:
        largest.append(0)
        enhancer.enhance(photo(height, width))
    assert largest[0] == largest[1] == largest[2] > 0
    enhancer.tile = 64
    largest.append(0)
    enhancer.enhance(photo(180, 360))
    assert largest[3] > largest[0]


@functools.cache
def loud_once(downscale, context):
    """Built once; drawing its weights anew takes longer than a tile."""
    return loud({"channels": 4, "blocks": 1, "downscale": downscale, "context_channels": context})


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    height=st.integers(1, 120),
    width=st.integers(1, 120),
    tile=st.integers(16, 130),
    downscale=st.sampled_from([1, 2, 3, 4, 8]),
    context=st.sampled_from([0, 4]),
)
def test_tiles_are_the_whole_for_any_size_tile_and_downscale(
    height, width, tile, downscale, context
):
    check_tiles(loud_once(downscale, context), picture(height, width), tile)


# Memory --------------------------------------------------------------------------------------


NO_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 2 bytes"),
    RuntimeError("could not create a primitive"),
    MemoryError(),
]


class Scarce(torch.nn.Module):
    """A generator on a device whose memory ends at a number of pixels."""

    def __init__(self, generator, most, error=NO_MEMORY[0]):
        super().__init__()
        self.generator, self.most, self.error = generator, most, error
        self.seen = []

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.generator, name)

    def forward_tile(self, image, inner, context=None):
        self.seen.append(tuple(image.shape[2:]))
        if image[0, 0].numel() > self.most:
            raise self.error
        return self.generator.forward_tile(image, inner, context)


@pytest.mark.parametrize(
    ("name", "error"),
    zip(["folded by 2", "folded by 4", "context", "context"], NO_MEMORY, strict=True),
)
def test_a_tile_that_does_not_fit_is_halved_and_the_pixels_stay(name, error, caplog):
    generator, pixels = loud(SETTINGS[name]), picture(180, 230)
    scarce = Scarce(generator, (40 + 2 * generator.receptive_radius + 8) ** 2, error)
    enhancer = PhotoEnhancer(scarce, tile=128)
    calls = []
    with caplog.at_level(logging.WARNING, logger="dslr_gan"):
        result = enhancer.enhance(
            Image.fromarray(pixels), progress=lambda *call: calls.append(call)
        )
    wrong = distances(result, whole(generator, pixels))
    assert wrong.max() <= 1, f"maximum {wrong.max()}, mean {wrong.mean()}"
    assert calls == [(done, 4) for done in range(1, 5)]
    assert 16 <= enhancer.tile <= 64 and "going on with tiles of" in caplog.text
    failures = len(scarce.seen)
    enhancer.enhance(Image.fromarray(pixels))
    again = scarce.seen[failures:]
    assert all(height * width <= scarce.most for height, width in again), "it learned nothing"


def test_no_memory_for_the_smallest_tile_is_called_that():
    with pytest.raises(DslrGanError, match="not enough memory on cpu for a tile of .* pixels"):
        PhotoEnhancer(Scarce(tiny(), 0), tile=64).enhance(photo())
    with pytest.raises(DslrGanError, match="not enough memory on cpu"):
        PhotoEnhancer(Scarce(loud({**TINY, "norm": "instance"}), 0)).enhance(photo())


def test_another_error_of_the_network_is_not_taken_for_lack_of_memory():
    def fail(*_):
        raise RuntimeError("shapes do not match")

    generator = tiny()
    generator.forward = fail
    with pytest.raises(RuntimeError, match="shapes do not match"):
        PhotoEnhancer(generator).enhance(photo())


def test_no_memory_for_the_result_is_called_that(monkeypatch):
    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(dslr_gan.enhance.enhancer, "InMemoryWriter", fail)
    with pytest.raises(DslrGanError, match="not enough memory for a photo of 80x60 pixels"):
        PhotoEnhancer(tiny()).enhance(photo())


@pytest.mark.parametrize(("width", "height"), [(1, 1), (10_000, 1), (1, 10_000), (65_000, 40)])
def test_odd_sizes(width, height):
    ramp = np.linspace(0, 255, width * height).astype(np.uint8).reshape(height, width)
    original = Image.fromarray(np.stack((ramp, ramp[::-1], 255 - ramp), axis=-1))
    enhancer = PhotoEnhancer(loud({**TINY, "context_channels": 4}))
    result = enhancer.enhance(original)
    assert result.size == (width, height)
    if width * height < 65_000:
        assert distances(result, whole(enhancer.generator, np.asarray(original))).max() <= 1


# Strength, progress, mistakes ----------------------------------------------------------------


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA"])
def test_strength_zero_gives_the_photo_s_own_pixels(mode):
    original = photo(mode=mode)
    result = PhotoEnhancer(tiny(), tile=32).enhance(original, 0)
    assert result.mode == mode
    assert np.array_equal(result, original)


def test_strength_zero_keeps_every_one_of_16_bits():
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    result = PhotoEnhancer(tiny()).enhance(Image.fromarray(values), strength=0)
    assert np.array_equal(result, values)


def test_strength_leads_from_the_photo_to_the_network_s():
    original = picture(60, 80)
    enhancer = PhotoEnhancer(tiny(0.05))
    none, half, full = (
        np.asarray(enhancer.enhance(photo(), strength)).astype(int) for strength in (0, 0.5, 1)
    )
    assert np.array_equal(full, whole(enhancer.generator, original))
    assert np.array_equal(np.asarray(enhancer.enhance(photo())), full)
    assert (np.minimum(none, full) <= half).all() and (half <= np.maximum(none, full)).all()
    inside = (full > 0) & (full < 255)
    assert inside.mean() > 0.5
    assert np.abs(half - (none + full) / 2)[inside].max() <= 1
    assert np.abs(half - none).mean() > 2


@pytest.mark.parametrize("amount", [-0.01, 1.01, float("nan"), "much"])
@pytest.mark.parametrize("name", ["strength", "colour", "detail"])
def test_other_amounts_are_refused(name, amount):
    with pytest.raises(DslrGanError, match=f"{name} must lie between 0 and 1, got"):
        PhotoEnhancer(tiny()).enhance(photo(), **{name: amount})


def test_half_the_strength_is_half_of_what_full_strength_shows():
    enhancer = PhotoEnhancer(tiny(0.6))  # much of it is brighter than white
    none, half, full = (
        np.asarray(enhancer.enhance(photo(), strength)).astype(int) for strength in (0, 0.5, 1)
    )
    assert (full == 255).mean() > 0.2
    assert np.abs(half - (none + full) / 2).max() <= 0.5


def test_colour_and_detail_part_the_change():
    enhancer = PhotoEnhancer(loud(SETTINGS["folded by 2"]), tile=45)
    none, full, neither, colour, detail = (
        np.asarray(enhancer.enhance(photo(97, 131), **amounts)).astype(float)
        for amounts in (
            {"strength": 0}, {}, {"colour": 0, "detail": 0}, {"detail": 0}, {"colour": 0},
        )
    )  # fmt: skip
    assert np.array_equal(none, neither)
    inside = (np.minimum(colour, detail) > 0) & (np.maximum(colour, detail) < 255)
    assert np.abs(colour + detail - none - full)[inside].max() <= 1.5
    smooth, rough = (np.abs(gaussian_filter(part - none, (3, 3, 0))) for part in (colour, detail))
    assert rough.mean() < smooth.mean() / 8
    smooth, both = (np.abs(np.diff(part - none, n=2, axis=1)) for part in (colour, full))
    assert smooth.mean() < both.mean() / 2


@pytest.mark.parametrize("amounts", [{"detail": 0}, {"colour": 0.3, "strength": 0.5}])
def test_colour_and_detail_know_no_tiles(amounts):
    of_tiles, of_the_whole = (
        np.asarray(
            PhotoEnhancer(loud(SETTINGS["both"]), tile).enhance(photo(150, 131), **amounts)
        ).astype(int)
        for tile in (45, 512)
    )
    assert np.abs(of_tiles - of_the_whole).max() <= 1


def test_progress_counts_the_tiles():
    calls = []
    PhotoEnhancer(tiny(), tile=20).enhance(photo(), progress=lambda *call: calls.append(call))
    assert calls == [(done, 12) for done in range(1, 13)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tile": 15}, "tile must be at least 16 pixels, got 15"),
        ({"tile": -512}, "tile must be at least 16"),
        ({"device": "abacus"}, "there is no device abacus here; cpu always works"),
        ({"device": "meta"}, "there is no device meta here"),
        ({"device": "cuda:99"}, "there is no device cuda:99 here"),
    ],
)
def test_other_options_are_refused(options, message):
    with pytest.raises(DslrGanError, match=message):
        PhotoEnhancer(tiny(), **options)


def test_what_is_no_photo_is_refused():
    with pytest.raises(TypeError, match=r"PIL.Image.Image, got ndarray; .*fromarray"):
        PhotoEnhancer(tiny()).enhance(picture(9, 9))
    with pytest.raises(DslrGanError, match="floating-point"):
        PhotoEnhancer(tiny()).enhance(Image.new("F", (9, 9)))


def test_a_network_in_training_mode_is_switched_over():
    assert not PhotoEnhancer(tiny().train()).generator.training


# What a photo carries ------------------------------------------------------------------------


def test_a_turned_photo_comes_back_upright_with_its_exif():
    upright = photo()
    sideways = upright.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation], exif[ExifTags.Base.Make] = 6, "Apple"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    sideways.info["exif"] = exif.tobytes()
    before = sideways.tobytes(), dict(sideways.info)

    enhancer = PhotoEnhancer(tiny(), tile=32)
    result = enhancer.enhance(sideways)
    assert result.size == upright.size
    assert np.array_equal(result, enhancer.enhance(upright))
    kept = result.getexif()
    assert kept[ExifTags.Base.Make] == "Apple"
    assert kept[ExifTags.Base.Orientation] == 1
    assert kept.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] == "N"
    assert (sideways.tobytes(), sideways.info) == before


def test_the_network_sees_srgb_and_the_profile_comes_back():
    original = photo()
    original.info["icc_profile"] = rgb_profile(DISPLAY_P3)
    generator = tiny()
    seen = []
    generator.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    enhancer = PhotoEnhancer(generator)
    result = enhancer.enhance(original)
    assert torch.equal(seen[0], to_tensor(photo_pixels(original).pixels))
    assert distances(to_pixels(seen[0]), original).max() > 5
    assert result.info["icc_profile"] == original.info["icc_profile"]
    assert distances(result, original).mean() > 5
    assert np.array_equal(enhancer.enhance(original, 0), original)


@pytest.mark.parametrize("primaries", [DISPLAY_P3, ADOBE_RGB], ids=["Display P3", "Adobe RGB"])
@pytest.mark.parametrize("deep", [False, True])
def test_colours_agree_with_a_colour_managed_conversion(primaries, deep):
    """CIEDE2000 against the sRGB result taken to the photo's space and back by littleCMS."""
    space = ImageCms.ImageCmsProfile(io.BytesIO(rgb_profile(primaries)))
    srgb = ImageCms.createProfile("sRGB")
    # Inside of sRGB, with room above, so that nothing is clipped.
    inside = Image.fromarray((picture(120, 160) * 0.6 + 50).astype(np.uint8))
    wide = ImageCms.profileToProfile(inside, inputProfile=srgb, outputProfile=space)
    enhancer = PhotoEnhancer(tiny(0.05), tile=64)
    expected = enhancer.enhance(ImageCms.profileToProfile(wide, space, srgb))
    wide.info["icc_profile"] = rgb_profile(primaries)
    if deep:
        photo_of(wide).low_bytes = wide.copy()  # times 257
    result = enhancer.enhance(wide)
    assert result.info["icc_profile"] == rgb_profile(primaries)
    assert (low_bytes(result) is not None) == deep
    seen = ImageCms.profileToProfile(result, space, srgb)
    colours = (rgb2lab(np.asarray(each)) for each in (seen, expected))
    error = deltaE_ciede2000(*colours)
    assert error.mean() < 1, f"mean {error.mean()}, maximum {error.max()}"
    unmanaged = deltaE_ciede2000(rgb2lab(np.asarray(result)), rgb2lab(np.asarray(expected)))
    assert unmanaged.mean() > error.mean() + 0.5, "the picture must tell the two spaces apart"
    assert distances(seen, ImageCms.profileToProfile(wide, space, srgb)).mean() > 5


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_enhanced_around(mode):
    original = photo(mode=mode)
    alpha = Image.fromarray(picture(60, 80)[..., 2])
    original.putalpha(alpha)
    enhancer = PhotoEnhancer(tiny(), tile=32)
    result = enhancer.enhance(original)
    assert result.mode == mode
    assert np.array_equal(result.getchannel("A"), alpha)
    opaque = enhancer.enhance(original.convert(mode[:-1]))
    assert np.array_equal(result.convert(mode[:-1]), opaque)
    assert distances(opaque, original.convert(mode[:-1])).mean() > 5


def test_a_gray_photo_stays_gray_and_a_deep_one_deep():
    shallow = photo(mode="L")
    noise = np.random.default_rng(0).integers(0, 257, (60, 80))
    deep = np.asarray(shallow).astype(np.uint16) * 256 + noise.astype(np.uint16)
    enhancer = PhotoEnhancer(tiny(0.01), tile=32)
    gray = enhancer.enhance(shallow)
    result = enhancer.enhance(Image.fromarray(deep))
    assert (gray.mode, result.mode) == ("L", "I;16")
    assert distances(gray, shallow).mean() > 2
    values = np.asarray(result)
    assert len(np.unique(values % 256)) > 200, "only 8 of the 16 bits were used"
    # The same photo but for its low byte, so nearly the same result.
    assert distances(values // 257, gray).mean() < 2


@pytest.mark.parametrize("profile", [None, DISPLAY_P3], ids=["sRGB", "Display P3"])
@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_a_photo_in_black_and_white_gets_no_tint(profile, strength):
    generator = tiny(0.1)
    with torch.no_grad():
        generator.tail.bias += torch.tensor([0.1, 0, -0.05]).repeat_interleave(4)  # a warm light
    enhancer = PhotoEnhancer(generator, tile=32)
    gray = photo(mode="L")
    colour = gray.convert("RGB")
    if profile is not None:
        colour.info["icc_profile"] = rgb_profile(profile)
    result = enhancer.enhance(colour, strength)
    assert result.mode == "RGB"
    # A colour space that is not sRGB has its own gray at the same numbers, but for rounding.
    spread = np.ptp(np.asarray(result).astype(int), axis=2).max()
    assert spread <= (0 if profile is None else 1)
    assert distances(result, colour).mean() > 2
    if profile is None:
        assert np.array_equal(result.convert("L"), enhancer.enhance(gray, strength))
    colour.putpixel((79, 59), (10, 10, 11))  # the last pixel of all
    assert np.ptp(np.asarray(enhancer.enhance(colour, strength)).astype(int), axis=2).mean() > 5


# Instance norm -------------------------------------------------------------------------------


def test_instance_norm_is_run_on_the_whole_photo():
    generator = loud({"channels": 4, "blocks": 1, "norm": "instance"})
    calls = []
    enhancer = PhotoEnhancer(generator, tile=16)
    result = enhancer.enhance(photo(61, 83), progress=lambda *call: calls.append(call))
    assert calls == [(1, 1)]
    assert np.array_equal(result, whole(generator, picture(61, 83)))


def test_instance_norm_on_too_large_a_photo_is_refused(monkeypatch):
    monkeypatch.setattr(dslr_gan.enhance.enhancer, "WHOLE_LIMIT", 60 * 80)
    enhancer = PhotoEnhancer(loud({**TINY, "norm": "instance"}))
    enhancer.enhance(photo(60, 80))
    with pytest.raises(DslrGanError, match="81x60 pixels, .* scale the photo down or take a model"):
        enhancer.enhance(photo(60, 81))
    PhotoEnhancer(tiny()).enhance(photo(60, 81))


# Names ---------------------------------------------------------------------------------------


@pytest.fixture
def bundled(tmp_path, monkeypatch):
    """A package whose iPhone's bias is 1 and whose Sony's is 2, with no repository configured."""
    folder = tmp_path / "weights"
    for bias, name in ((1, "iphone"), (2, "sony")):
        tiny(bias).save_pretrained(folder / name)
        monkeypatch.delenv(f"DSLR_GAN_{name.upper()}_REPO", raising=False)
    monkeypatch.setattr(Phone, "folder", property(lambda phone: folder / phone.name))
    return folder


def bias(enhancer):
    return enhancer.generator.tail.bias[0].item()


def test_the_catalogue_s_names_take_the_bundled_weights(bundled):
    for expected, name, title in ((1, "iphone", "iPhone"), (2, "sony", "Sony")):
        enhancer = PhotoEnhancer.from_pretrained(name, tile=48, device="cpu")
        assert (bias(enhancer), enhancer.tile) == (expected, 48)
        assert enhancer.source == f"bundled {title} weights"


def test_a_revision_needs_a_repository(bundled):
    with pytest.raises(DslrGanError, match="revision 'v1' of sony .* set DSLR_GAN_SONY_REPO"):
        PhotoEnhancer.from_pretrained("sony", revision="v1")


def test_a_package_without_weights_says_so(bundled, tmp_path):
    (bundled / "sony/model.safetensors").unlink()
    with pytest.raises(DslrGanError, match="there is no .*sony/model.safetensors"):
        PhotoEnhancer.from_pretrained("sony")


def test_folders_and_published_files(bundled, tmp_path):
    enhancer = PhotoEnhancer.from_pretrained(bundled / "sony")
    assert (bias(enhancer), enhancer.source) == (2, f"folder {bundled / 'sony'}")
    file = tmp_path / "published.safetensors"
    save_file(published_like(channels=4, blocks=1), file)
    enhancer = PhotoEnhancer.from_pretrained(str(file))
    assert enhancer.generator.norm == "instance"
    assert enhancer.source == f"file {file}"
    assert PhotoEnhancer(tiny()).source == "weights handed over in memory"


@pytest.mark.parametrize("name", ["nikon", "iPhone", "iphone2"])
def test_an_unknown_name_is_an_error_message(name):
    with pytest.raises(DslrGanError, match=f"no model '{name}'; take one of iphone, sony, a Hub"):
        PhotoEnhancer.from_pretrained(name)


def test_what_only_enhance_knows_is_called_that():
    with pytest.raises(DslrGanError, match="no model 'auto', which is chosen by .* enhance alone"):
        PhotoEnhancer.from_pretrained("auto")


def test_other_files_and_folders_are_an_error_message(bundled, tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"no weights")
    with pytest.raises(DslrGanError, match="photo.jpg is no whole safetensors file"):
        PhotoEnhancer.from_pretrained(tmp_path / "photo.jpg")
    with pytest.raises(DslrGanError, match="there is no .*config.json"):
        PhotoEnhancer.from_pretrained(tmp_path)
    for name in ("config.json", "model.safetensors"):
        with pytest.raises(DslrGanError, match="one file of a saved .*; name the folder .*sony"):
            PhotoEnhancer.from_pretrained(bundled / "sony" / name)
    with pytest.raises(DslrGanError, match="there is no folder .*elsewhere/model"):
        PhotoEnhancer.from_pretrained(tmp_path / "elsewhere/model")
    with pytest.raises(DslrGanError, match="has no revision 'v1'"):
        PhotoEnhancer.from_pretrained(bundled / "sony", revision="v1")
    with pytest.raises(DslrGanError, match=r"cannot be loaded \(File name too long\)"):
        PhotoEnhancer.from_pretrained("x" * 300)
    with pytest.raises(DslrGanError, match="is not an address of the Hub; give a Hub id as"):
        PhotoEnhancer.from_pretrained("https://example.com/me/m")
    with pytest.raises(DslrGanError, match="The name of a model is empty"):
        PhotoEnhancer.from_pretrained("")


def test_a_repository_that_fails_gives_way_to_the_bundled_weights(bundled, monkeypatch, caplog):
    def fail(name, **hub_options):
        if Path(name).is_dir():
            return load_network(name, **hub_options)
        raise DslrGanError(f"{name} is out of reach.")

    monkeypatch.setattr(dslr_gan.models.registry, "load_network", fail)
    monkeypatch.setenv("DSLR_GAN_IPHONE_REPO", "me/model")
    with caplog.at_level(logging.WARNING, logger="dslr_gan"):
        enhancer = PhotoEnhancer.from_pretrained("iphone")
    assert bias(enhancer) == 1
    why = "me/model is out of reach"
    source = f"bundled iPhone weights, because me/model could not be loaded ({why})"
    assert (enhancer.source, enhancer.fallback) == (source, why)
    assert caplog.messages == ["me/model is out of reach; using the bundled iPhone weights"]
    # What was asked for by its own name is never replaced.
    with pytest.raises(DslrGanError, match="me/model is out of reach"):
        PhotoEnhancer.from_pretrained("me/model")
    with pytest.raises(DslrGanError, match="me/model is out of reach"):
        PhotoEnhancer.from_pretrained("iphone", revision="main")
    assert PhotoEnhancer.from_pretrained("sony").source == "bundled Sony weights"


OUTAGE = "the Hub is out of order: 503 Service Unavailable"


def test_a_configured_repository_over_http(bundled, tmp_path):
    tiny(5).save_pretrained(tmp_path / "pushed")

    with HubServer() as hub, HubClient(hub, tmp_path / "home") as client:

        def load(name="iphone", repository="me/model", revision=None, strict=False):
            return client.ask(
                "enhancer",
                name=name,
                bundled=str(bundled / "iphone"),
                repository=repository,
                revision=revision,
                strict=strict,
            )

        for file in ("config.json", "model.safetensors"):
            commit = hub.add_file("me/model", file, (tmp_path / "pushed" / file).read_bytes())
        hub.repositories["me/model"].tags["v1"] = commit
        here = f"Hub repository me/model at commit {commit[:8]}"
        for answer in (load(), load(revision="v1"), load("me/model")):
            assert answer == {"source": here, "bias": 5, "log": []}

        hub.fail_with(503)
        copy = {
            "source": f"{here} (local copy of {date.today().isoformat()}, {OUTAGE})",
            "bias": 5,
            "log": [
                f"{OUTAGE} (check the network and try again); using the local copy of me/model, "
                f"commit {commit[:8]} of {date.today().isoformat()}"
            ],
        }
        assert load() == load(revision="v1") == load("me/model") == copy
        assert load(revision=commit)["bias"] == load(f"me/model@{commit}", strict=True)["bias"] == 5
        for asked in ({}, {"revision": "v1"}, {"repository": "me/model@v1"}):
            with pytest.raises(DslrGanError, match=f"{OUTAGE}, and the local .* --strict-source"):
                load(**asked, strict=True)

        away = load(repository="me/other")
        source = "bundled iPhone weights, because me/other could not be loaded"
        assert away["source"] == f"{source} ({OUTAGE})"
        with pytest.raises(DslrGanError, match="me/other could not be fetched from the Hub"):
            load(repository="me/other", strict=True)
        assert away["bias"] == 1
        (line,) = away["log"]
        assert line.startswith("me/other could not be fetched from the Hub")
        assert line.endswith("; using the bundled iPhone weights")

        hub.fail_with(None)
        absent = load(repository="me/other")
        absence = "there is no such repository, or it is not open to you"
        assert absent["source"] == f"{source} ({absence})"
        assert absent["log"][0].startswith("the Hub has no me/other; ")
        for asked in ({"name": "me/other"}, {"repository": "me/other", "revision": "v1"}):
            with pytest.raises(DslrGanError, match="the Hub has no .*me/other"):
                load(**asked)
        with pytest.raises(DslrGanError, match="no revision 'v2' of me/model"):
            load(revision="v2")


MAPPED = """
import ctypes, torch
from dslr_gan import Generator, PhotoEnhancer

class Mallinfo2(ctypes.Structure):  # glibc's, of ten sizes; the fifth is in blocks of their own
    _fields_ = [(f"size_{{number}}", ctypes.c_size_t) for number in range(10)]

mallinfo2 = ctypes.CDLL(None).mallinfo2
mallinfo2.restype = Mallinfo2
{made}
before = mallinfo2().size_4
layer = torch.zeros(24 * 2**20, dtype=torch.uint8)
print(mallinfo2().size_4 - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallinfo2"),
    reason="glibc alone learns it",
)
def test_a_layer_takes_memory_that_is_kept_when_it_is_freed(monkeypatch):
    for name in ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"):
        monkeypatch.delenv(name, raising=False)

    def mapped(made):
        """Bytes of a block of 24 MiB that go back to the system when it is freed."""
        run = [sys.executable, "-c", MAPPED.format(made=made)]
        return int(subprocess.run(run, check=True, capture_output=True, text=True).stdout)

    assert mapped("") >= 24 * 2**20
    assert mapped('PhotoEnhancer(Generator(channels=4, blocks=1), device="cpu")') == 0
