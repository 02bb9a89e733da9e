"""Downloads of a kept result, which run no network."""

import numpy as np
import pytest
from PIL import ExifTags, Image

from dslr_gan.enhance.enhancer import Amounts, PhotoEnhancer
from dslr_gan.enhance.photo_file import enhance_file
from dslr_gan.enhance.running.precision import NetworkRunner
from dslr_gan.errors import DslrGanError
from dslr_gan.page.phone_models import enhancer_for
from dslr_gan.page.work import downloads
from dslr_gan.page.work.kept import find
from dslr_gan.page.work.photo_run import enhance_photo
from dslr_gan.page.work.pictures import blended, parted
from dslr_gan.photo import open_photo, photo_pixels
from tests.support.app_server import MAKER, coffee
from tests.support.photo_helpers import DISPLAY_P3, rgb_profile


def levels(photo):
    return photo_pixels(photo).pixels.astype(int)


@pytest.fixture
def no_network(monkeypatch):
    """Fails the test if the network is run."""
    monkeypatch.setattr(NetworkRunner, "run", lambda *_: pytest.fail("the network was run"))


def test_a_download_runs_no_network_and_is_made_once(enhanced, no_network):
    file = downloads.download(enhanced.token, "me")
    assert file.name == "walk_iphone_100.jpg"
    assert Image.open(file).getexif()[ExifTags.Base.Make] == MAKER
    assert downloads.download(enhanced.token, "me", 1.0) == file


def test_full_strength_is_the_very_file_that_enhance_file_writes(enhanced, tmp_path):
    other = enhance_file(enhancer_for("iphone"), enhanced.photo, tmp_path / "other.jpg").file
    assert downloads.download(enhanced.token, "me").read_bytes() == other.read_bytes()


@pytest.mark.parametrize("kind", ["plain", "deep", "gray", "wide", "alpha"])
@pytest.mark.parametrize("amounts", [{"strength": 0.7}, {"strength": 0.6, "colour": 0.3}])
def test_any_amounts_are_those_of_enhance_file(kind, amounts, uploads, tmp_path):
    photo = uploads / f"{kind}.png"
    picture = coffee(90, 70)
    match kind:
        case "deep":
            values = np.asarray(picture.convert("L")).astype(np.uint16) * 257 + 31
            picture = Image.fromarray(values)
        case "gray":
            picture = picture.convert("L")
        case "alpha":
            picture.putalpha(120)
    picture.save(photo, icc_profile=rgb_profile(DISPLAY_P3) if kind == "wide" else None)
    token = list(enhance_photo(photo, ["iphone"], "me"))[-1]["result"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NetworkRunner, "run", lambda *_: pytest.fail("the network was run"))
        found = downloads.download(token, "me", **amounts)
    known = enhance_file(enhancer_for("iphone"), photo, tmp_path / "known.png", **amounts).file
    one, other = open_photo(found), open_photo(known)
    assert (one.mode, one.size, one.info.get("icc_profile")) == (
        other.mode, other.size, other.info.get("icc_profile"),
    )  # fmt: skip
    assert one.info["xmp"] == other.info["xmp"]
    # Of gray in 16 bits colour and detail part the luma, not what it is made of.
    most = 1 if kind != "deep" or "colour" not in amounts else 257
    assert np.abs(levels(one) - levels(other)).max() <= most
    assert np.abs(levels(one) - levels(open_photo(photo))).mean() > 1


def test_no_strength_is_the_upload_itself(enhanced, no_network):
    file = downloads.download(enhanced.token, "me", 0)
    assert file.name == "walk_iphone_0.jpg"
    assert file.read_bytes() == enhanced.photo.read_bytes()


def test_names_say_what_was_done_and_fit_on_a_disk(uploads):
    photo = uploads / f"{'ü' * 110}.png"
    coffee(20, 20).save(photo)
    token = list(enhance_photo(photo, ["sony"], "me"))[-1]["result"]
    name = downloads.download(token, "me", 0.675, 0, 1).name
    assert name.endswith("ü_sony_67.5_colour_0_detail_100.png")


def test_only_some_downloads_of_a_result_are_kept(enhanced):
    files = [downloads.download(enhanced.token, "me", step / 40) for step in range(20, 30)]
    assert [file.exists() for file in files] == [False] * 4 + [True] * 6


@pytest.mark.parametrize("amounts", [(float("nan"),), (1.5,), ("much",), (1, -1), (1, 1, None)])
def test_other_amounts_are_refused(enhanced, amounts):
    for function in (downloads.download, downloads.share_picture):
        with pytest.raises(DslrGanError, match="must lie between 0 and 1"):
            function(enhanced.token, "me", *amounts)


@pytest.mark.parametrize("token", [None, "", "../..", 7])
def test_what_is_not_one_s_own_is_refused(enhanced, token):
    for session, wanted in (("me", token), ("you", enhanced.token)):
        with pytest.raises(DslrGanError, match="no longer kept"):
            downloads.download(wanted, session)


def test_the_layers_mix_to_any_colour_and_detail(enhanced):
    parts = downloads.layers(enhanced.token, "me")
    before, after, low, high = (
        np.asarray(Image.open(file)).astype(float)
        for file in (enhanced.done["before"], enhanced.done["after"], *parts.values())
    )
    for strength, colour, detail in ((1, 1, 0), (0.8, 0.9, 0.3), (1, 0.2, 0.7)):
        layer = low if colour >= detail else high
        more, less = max(colour, detail), min(colour, detail)
        mixed = (
            before * (1 - strength * more)
            + layer * strength * (more - less)
            + after * strength * less
        )
        file = downloads.download(enhanced.token, "me", strength, colour, detail)
        assert np.abs(mixed - levels(open_photo(file))).mean() < 2.5  # JPEGs, all of them


@pytest.mark.parametrize("size", [(2100, 150), (120, 90)])
def test_the_parts_of_a_change_are_those_of_downloads(size):
    before = np.asarray(coffee(*size))
    after = np.clip(before * np.linspace(0.7, 1.3, size[0])[:, None] + 9, 0, 255).astype(np.uint8)
    for part, amounts in zip(parted(before, after), ({"detail": 0}, {"colour": 0}), strict=True):
        off = np.abs(part.astype(int) - blended(before, after, Amounts(**amounts)))
        assert off.max() <= 2 and off.mean() < 0.1


def test_what_a_browser_blends_is_within_a_level_of_the_download(uploads):
    photo = uploads / "blended.png"
    coffee(90, 70).save(photo)
    token = list(enhance_photo(photo, ["iphone"], "me"))[-1]["result"]
    before, after = (part.astype(float) for part in find(token, "me").pictures())
    for percent in (1, 30, 50, 77, 100):
        strength = percent / 100
        opacity = np.rint(255 * strength) / 255  # browsers have 8 bits for it, too
        shown = np.rint(before + opacity * (after - before))
        made = levels(open_photo(downloads.download(token, "me", strength)))
        assert np.abs(shown - made).max() <= 1


def test_a_picture_to_share_has_both_and_tells_nothing_else(enhanced):
    file = downloads.share_picture(enhanced.token, "me", 0.5)
    assert file.name == "walk_iphone_50_before_after.jpg"
    shared = Image.open(file)
    assert shared.width > 2 * 240 and shared.height == 320 and not shared.getexif()
    for place, name in ((0, "before"), (shared.width - 240, "after")):
        half = np.asarray(shared.crop((place, 0, place + 240, 250))).astype(float)
        whole = np.asarray(Image.open(enhanced.done[name]))[:250].astype(float)
        off = np.abs(half - whole).mean()
        assert off < 2 if name == "before" else 3 < off < 60
    plate = np.asarray(shared.crop((0, 298, 30, 320)))
    assert (plate < 90).mean() > 0.4 and (plate > 240).any()


def test_the_kept_enhancer_is_an_enhancer_with_its_name(enhanced):
    found = find(enhanced.token, "me").enhancer
    assert isinstance(found, PhotoEnhancer) and found.source == enhancer_for("iphone").source
    with pytest.raises(DslrGanError, match="another one"):
        found.enhance(coffee(30, 20))
