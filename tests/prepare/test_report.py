"""The report: its numbers, and a page that stands alone."""

import base64
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from dslr_gan.prepare.matching import PhotoPair, pairs_by_name
from dslr_gan.prepare.one_pair import CutSettings, PairOutcome, cut_pair, read_patches
from dslr_gan.prepare.report import write_report
from tests.support.made_photos import write_pairs

SETTINGS = CutSettings(patch=48, stride=48, min_ncc=0.985)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with the report on two pairs that gave patches and two that gave none."""
    folder = tmp_path_factory.mktemp("report")
    pairs = pairs_by_name(*write_pairs(folder / "made", ["chelsea", "coffee"], width=320))
    files = {pair.name: folder / f"{pair.name}.parquet" for pair in pairs}
    outcomes = {pair.name: cut_pair(pair, files[pair.name], SETTINGS) for pair in pairs}
    bad = PhotoPair("<b>bad", folder / "secret/<b>bad.jpg", folder / "secret/bad.png")
    strange = PhotoPair("strange", folder / "a.png", folder / "b.png")
    outcomes[bad.name] = PairOutcome(bad.name, reason=f"{bad.phone} is empty.", unreadable=True)
    outcomes[strange.name] = PairOutcome(strange.name, reason="two scenes.", seconds=1.5)
    splits = {"train": ["chelsea"], "test": ["coffee"]}
    write_report(folder, [*pairs, bad, strange], outcomes, files, splits, SETTINGS)
    return folder, outcomes, files


def test_the_numbers_are_those_of_the_pairs(made):
    folder, outcomes, _ = made
    report = json.loads((folder / "report.json").read_text())
    assert [pair["name"] for pair in report["pairs"]] == ["chelsea", "coffee", "<b>bad", "strange"]
    assert [pair["split"] for pair in report["pairs"]] == ["train", "test", None, None]
    chelsea, _, bad, strange = report["pairs"]
    assert chelsea["kept"] == outcomes["chelsea"].kept and chelsea["phone"] == "chelsea.png"
    assert chelsea["inliers"] == outcomes["chelsea"].inliers
    assert bad["unreadable"] and bad["reason"] == "<b>bad.jpg is empty."
    assert strange["reason"] == "two scenes."
    totals = report["totals"]
    assert (totals["pairs"], totals["pairs_used"]) == (4, 2)
    assert totals["patches_kept"] == outcomes["chelsea"].kept + outcomes["coffee"].kept
    lost = [outcomes[name].rejected.get("correlation", 0) for name in ("chelsea", "coffee")]
    assert totals["patches_rejected"]["correlation"] == sum(lost) > 0
    assert report["settings"]["min_ncc"] == 0.985
    # It is pushed with the patches: nothing of where the photos lie on this machine.
    for name in ("report.json", "report.html"):
        assert "secret" not in (folder / name).read_text()


class _Balance(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attributes):
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_stands_alone_and_shows_the_worst_first(made):
    folder, _, files = made
    page = (folder / "report.html").read_text()
    parser = _Balance()
    parser.feed(page)
    assert parser.open == []
    assert "<b>" not in page and "&lt;b&gt;bad" in page
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "two scenes." in page
    rows = [row for file in files.values() for row in read_patches(file).patches.to_pylist()]
    kept, rejected = page.split("The worst that were rejected")
    for part, wanted in ((kept, True), (rejected, False)):
        shown = [float(number) for number in re.findall(r"<figcaption>(-?[\d.]+)", part)]
        expected = sorted(row["correlation"] for row in rows if row["kept"] is wanted)[:24]
        assert shown == pytest.approx(expected, abs=0.0006) and shown


def test_a_figure_is_phone_dslr_and_their_difference(made):
    folder, _, files = made
    page = (folder / "report.html").read_text()
    data = re.search(r"base64,([^\"]+)", page)[1]
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))).astype(float)
    assert sheet.shape == (48, 144, 3)
    rows = [row for file in files.values() for row in read_patches(file).patches.to_pylist()]
    worst = min((row for row in rows if row["kept"]), key=lambda row: row["correlation"])
    for place, side in enumerate(("phone", "dslr")):
        original = np.asarray(Image.open(io.BytesIO(worst[side]))).astype(float)
        part = sheet[:, place * 48 : (place + 1) * 48]
        assert np.abs(part - original).mean() < 4  # JPEG
    assert sheet[:, 98:].mean() == pytest.approx(128, abs=2)


def test_a_report_without_patches_to_show(tmp_path):
    outcomes = {"a": PairOutcome("a", reason="none.")}
    pair = PhotoPair("a", tmp_path / "a.png", tmp_path / "b.png")
    write_report(tmp_path, [pair], outcomes, {}, {"train": []}, SETTINGS)
    assert (tmp_path / "report.html").read_text().count("There are none.") == 2
