"""``prepare`` writes pairs with their terms, or one sentence and nothing."""

from pathlib import Path

import pytest
import torch
from command_line import refused, run
from helpers import published_like
from safetensors.torch import save_file

from dslr_gan.data import provenance


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


def test_prepare_with_targets_keeps_the_photos_terms_from_the_teacher(photos, tmp_path):
    (photos / "side.JPG").unlink()
    words = ["prepare", photos, "--targets", photos, "--grid", "20"]
    options = ["--name", "N", "--terms", "T", "--url", "https://a.b", "--teacher-name", "TN"]
    assert run(*words, "--out", tmp_path / "out", *options) == 0
    known = provenance(tmp_path / "out")
    assert (known.data.name, known.data.terms, known.data.url) == ("N", "T", "https://a.b")
    (teacher,) = known.teachers
    assert (teacher.name, teacher.terms, teacher.url) == ("TN", None, None)


@pytest.mark.parametrize(
    ("kind", "flag", "value", "words"),
    [
        ("--teacher", "--grid", "20", "--grid has no meaning with --teacher"),
        ("--targets", "--crop", "20", "--crop has no meaning with --targets"),
        ("--targets", "--per-photo", "2", "--per-photo has no meaning with --targets"),
        ("--targets", "--seed", "1", "--seed has no meaning with --targets"),
        ("--teacher", "--seed", "-1", "--seed must be at least 0, got -1"),
        ("--teacher", "--crop", "0", "--crop must be at least 1, got 0"),
    ],
)
def test_prepare_refuses_options_without_meaning(
    kind, flag, value, words, photos, tmp_path, capsys
):
    out = tmp_path / "new/out"
    assert words in refused(capsys, "prepare", photos, kind, photos, flag, value, "--out", out)
    assert not out.parent.exists()


def test_a_prepare_that_fails_leaves_no_folders(photos, teacher, tmp_path, capsys):
    out = tmp_path / "new/deep/out"
    words = ["prepare", photos, "--teacher", teacher, "--crop", "1000", "--out", out]
    assert "as large as one patch" in refused(capsys, *words)
    assert not (tmp_path / "new").exists()
