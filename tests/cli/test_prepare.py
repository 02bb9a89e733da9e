"""``prepare`` writes pairs with their terms, or one message and nothing."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from dslr_gan.data.provenance import provenance
from dslr_gan.prepare import pipeline
from tests.support.command_line import complaints, names, refused, run
from tests.support.helpers import published_like
from tests.support.hub_server import HubServer, take_for_the_hub
from tests.support.made_photos import write_pairs


@pytest.fixture
def teacher(tmp_path) -> Path:
    torch.manual_seed(0)
    save_file(published_like(channels=4, blocks=1), tmp_path / "tiny.safetensors")
    return tmp_path / "tiny.safetensors"


def test_prepare_with_a_teacher_says_whose_the_photos_and_the_network_are(
    photos, teacher, tmp_path
):
    words = ["prepare", photos, "--teacher", teacher, "--crop", "20", "--per-photo", "2"]
    assert run(*words, "--out", tmp_path / "bare") == 0
    bare = provenance(tmp_path / "bare")
    assert (bare.data.name, bare.data.gave) == ("photos", "4 pairs from 2 photos")
    assert bare.teachers[0].name == "enhancements by tiny" and "DPED" in bare.teachers[0].terms
    options = ["--terms", "CC0", "--teacher-name", "N", "--teacher-terms", "T", "--teacher-url"]
    assert run(*words, "--out", tmp_path / "full", *options, "https://a.b") == 0
    full = provenance(tmp_path / "full")
    assert (full.data.name, full.data.terms, full.data.url) == ("photos", "CC0", None)
    (known,) = full.teachers
    assert (known.name, known.terms, known.url) == ("N", "T", "https://a.b")


def test_prepare_varies_a_teacher_s_crops_if_told_how_many(photos, teacher, tmp_path, capsys):
    words = ["prepare", photos, "--teacher", teacher, "--crop", "20", "--vary"]
    assert run(*words, "--per-photo", "3", "--out", tmp_path / "out") == 0
    assert provenance(tmp_path / "out").data.gave == "6 pairs from 2 photos"
    assert "--per-photo how many" in refused(capsys, *words, "--out", tmp_path / "endless")
    assert not (tmp_path / "endless").exists()


def test_prepare_shows_the_teacher_whole_photos(photos, teacher, tmp_path, capsys):
    words = ["prepare", photos, "--teacher", teacher, "--whole"]
    assert run(*words, "--out", tmp_path / "out") == 0
    assert provenance(tmp_path / "out").data.gave == "2 pairs from 2 photos"
    said = refused(capsys, *words, "--per-photo", "2", "--out", tmp_path / "both")
    assert "--per-photo has no meaning with --whole" in said


def test_prepare_with_targets_keeps_the_photos_terms_from_the_teacher(photos, tmp_path):
    (photos / "side.JPG").unlink()
    words = ["prepare", photos, "--targets", photos, "--grid", "20"]
    options = ["--name", "N", "--terms", "T", "--url", "https://a.b", "--teacher-name", "TN"]
    assert run(*words, "--out", tmp_path / "out", *options) == 0
    known = provenance(tmp_path / "out")
    assert (known.data.name, known.data.terms, known.data.url) == ("N", "T", "https://a.b")
    (teacher,) = known.teachers
    assert (teacher.name, teacher.terms, teacher.url) == ("TN", None, None)


def test_prepare_blends_a_second_network_into_the_targets(photos, teacher, tmp_path):
    (photos / "side.JPG").unlink()
    words = ["prepare", photos, "--targets", photos, "--grid", "20"]
    options = ["--blend-with", teacher, "--teacher-name", "TN"]
    assert run(*words, "--out", tmp_path / "out", *options) == 0
    known = provenance(tmp_path / "out")
    assert [each.name for each in known.teachers] == ["TN", "enhancements by tiny"]


@pytest.mark.parametrize(
    ("kind", "flag", "value", "words"),
    [
        ("--teacher", "--grid", "20", "--grid has no meaning with --teacher"),
        ("--targets", "--crop", "20", "--crop has no meaning with --targets"),
        ("--targets", "--per-photo", "2", "--per-photo has no meaning with --targets"),
        ("--targets", "--seed", "1", "--seed has no meaning with --targets"),
        ("--teacher", "--blend-with", "f", "--blend-with has no meaning with --teacher"),
        ("--teacher", "--seed", "-1", "--seed must be at least 0, got -1"),
        ("--teacher", "--crop", "0", "--crop must be at least 1, got 0"),
        ("--teacher", "--dslr", "d", "--dslr has no meaning with --teacher"),
        ("--targets", "--push_to_hub", "a/b", "--push_to_hub has no meaning with --targets"),
        ("--targets", "--student", "iphone", "--student has no meaning with --targets"),
        ("--teacher", "--precision", "bf16", "--precision has no meaning with --teacher"),
        ("--seen-by", "--crop", "20", "--crop has no meaning with --seen-by"),
        ("--seen-by", "--grid", "20", "--seen-by needs --student"),
    ],
)
def test_prepare_refuses_options_without_meaning(
    kind, flag, value, words, photos, tmp_path, capsys
):
    out, given = tmp_path / "new/out", f"{photos}=sony" if kind == "--seen-by" else photos
    assert words in refused(capsys, "prepare", photos, kind, given, flag, value, "--out", out)
    assert not out.parent.exists()


def test_a_prepare_that_fails_leaves_no_folders(photos, teacher, tmp_path, capsys):
    out = tmp_path / "new/deep/out"
    words = ["prepare", photos, "--teacher", teacher, "--crop", "1000", "--out", out]
    assert "as large as one patch" in refused(capsys, *words)
    assert not (tmp_path / "new").exists()


# Phone and DSLR ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cameras(tmp_path_factory) -> tuple[Path, Path]:
    return write_pairs(tmp_path_factory.mktemp("cameras"), ["astronaut", "chelsea"])


def test_prepare_aligns_what_it_can_read_and_tells_of_the_rest(
    cameras, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(pipeline, "_pool", ThreadPoolExecutor)  # whose workers start at once
    bad = tmp_path / "photos/bad.jpg"
    bad.parent.mkdir()
    bad.write_bytes(b"no photo")
    table = tmp_path / "pairs.csv"
    table.write_text(
        f"phone,dslr\nastronaut.png,astronaut.png\nchelsea.png,chelsea.png\n{bad},{bad}2\n"
    )
    bad.with_name("bad.jpg2").write_bytes(b"neither")
    out = tmp_path / "new/out"
    words = ["prepare", "--phone", cameras[0], "--dslr", cameras[1], "--csv", table, "--out", out]
    assert run(*words, "--patch", "64", "--terms", "CC0", "--workers", "1") == 1
    said = capsys.readouterr()
    (message,) = [line for line in said.err.splitlines() if line.startswith("dslr_gan: ")]
    assert "bad is left out: " in message and "bad.jpg is not a photo" in message
    assert "from 2 pairs of photos; 1 left out" in said.out and "report.html" in said.out
    assert names(out) == [
        "README.md", "data", "photos.json", "report.html", "report.json", "source.json",
    ]  # fmt: skip
    assert '"terms": "CC0"' in (out / "source.json").read_text()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["extra.jpg"], "extra.jpg has no meaning with --phone"),
        (["--crop", "20"], "--crop has no meaning with --phone"),
        (["--grid", "20"], "--grid has no meaning with --phone"),
        (["--teacher-name", "x"], "--teacher-name has no meaning with --phone"),
        (["--patch", "5"], "--patch must be between 16 and 10000, got 5"),
        (["--min-ncc", "2"], "--min-ncc must be between -1 and 1"),
        (["--test-share", "1"], "--test-share must be from 0 to below 1"),
        (["--workers", "0"], "--workers must be at least 1"),
        (["--seed", "-1"], "--seed must be at least 0"),
        (["--private"], "--private has no meaning without --push_to_hub"),
        (["--push_to_hub", "mine"], "'mine' has no owner"),
        (["--url", "https://me:secret@example.com/x"], "holds an access token or a password"),
        (["--csv", "absent.csv"], "absent.csv cannot be read as a table"),
    ],
)
def test_prepare_refuses_what_means_nothing_for_cameras(cameras, options, words, tmp_path, capsys):
    base = ["prepare", "--phone", cameras[0], "--dslr", cameras[1], "--out", tmp_path / "new/out"]
    assert words in refused(capsys, *base, *options)
    assert not (tmp_path / "new").exists()


def test_prepare_needs_both_cameras_and_something_to_read(cameras, tmp_path, capsys):
    out = ["--out", tmp_path / "out"]
    assert "--phone needs --dslr" in refused(capsys, "prepare", "--phone", cameras[0], *out)
    words = ["prepare", "--phone", cameras[0], "--dslr", tmp_path / "nowhere", *out]
    assert "there is no folder" in refused(capsys, *words)
    inside = ["prepare", "--phone", cameras[0], "--dslr", cameras[1], "--out", cameras[0] / "out"]
    assert "where photos are read from" in refused(capsys, *inside)
    assert run("prepare", "--targets", cameras[0], *out) == 2
    assert "IN" in capsys.readouterr().err
    assert complaints("") == [] and not (tmp_path / "out").exists()


def test_prepare_asks_the_hub_before_the_work(cameras, tmp_path, capsys, monkeypatch):
    base = ["prepare", "--phone", cameras[0], "--dslr", cameras[1], "--out", tmp_path / "new/out"]
    with HubServer() as hub:
        take_for_the_hub(monkeypatch, hub, tmp_path)
        hub.role = "read"
        words = refused(capsys, *base, "--push_to_hub", "me/pairs")
        assert "the Hub does not take me/pairs (the token from the variable HF_TOKEN may" in words
        assert not hub.repositories and not (tmp_path / "new").exists()
