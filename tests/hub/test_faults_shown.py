"""The same faults on the way from the Hub as a person meets them: at a command, and on the page."""

import logging
import re
import shutil
import time
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from dslr_gan.hub import fetch
from dslr_gan.models.phones import PHONES, Phone
from dslr_gan.page.phone_models import PhoneModel
from tests.hub.test_faults import (
    BROKEN_OFF,
    BUNDLED,
    FAULTS,
    NEW,
    OLD,
    SLOW_FAULTS,
    TIMEOUT_S,
    commit_of,
    hub,  # noqa: F401 - a fixture
    is_whole,
    rows,
    timeout_of,
    told,
)
from tests.models.test_pretrained import tiny
from tests.support.command_line import complaints, names, run
from tests.support.pair_files import flat_pairs

ALL_FAULTS = FAULTS | SLOW_FAULTS
QUICK = ("busy at first", "weights busy for ever", "huge width", "portal")


class Expected(NamedTuple):
    """What is right while the commit before is cached, and while nothing is: a bias or words."""

    kept: float | str
    empty: float | str


def expected(name, xet):
    fault = ALL_FAULTS[name]
    empty = fault.xet if xet and fault.xet != "" else fault.empty
    kept = NEW if xet and fault.xet is None else fault.kept
    return Expected(kept, NEW if empty is None else empty)


def play(name, server, tmp_path):
    """The commit before is in the cache, the Hub has a newer one, and then it happens."""
    fetch("me/m")
    commit_of(server, NEW, tmp_path)
    ALL_FAULTS[name].play(server)


def forget(tmp_path):
    shutil.rmtree(tmp_path / "home/hub/models--me--m", ignore_errors=True)


# At a command ----------------------------------------------------------------------------------


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Enhances a small photo with me/m in so many seconds; gives what it did."""
    photo = tmp_path / "photo.png"
    Image.new("RGB", (24, 24), (40, 40, 40)).save(photo)
    # Else pytest's handlers would keep the command's own from the standard error.
    monkeypatch.setattr(logging.root, "handlers", [])

    def enhance(seconds, model="me/m"):
        out = tmp_path / "out"
        shutil.rmtree(out, ignore_errors=True)
        logging.root.handlers.clear()
        capsys.readouterr()
        began = time.monotonic()
        options = ("--model", model, "--hub-timeout", f"{seconds:g}")
        code = run("enhance", photo, "--out", out, *options)
        assert time.monotonic() - began < seconds + 5
        words = capsys.readouterr()
        lines = words.err.splitlines()
        assert all(told(line).startswith("dslr_gan: ") for line in lines), words.err
        if code:
            assert code == 1 and not out.exists() and words.out == ""
            (last,) = complaints(lines[-1])
            return last, lines
        assert names(out) == ["photo.png"]
        with Image.open(out / "photo.png") as picture:
            return np.asarray(picture).mean(), lines

    return enhance


@pytest.fixture
def brightness(command, tmp_path):
    """How bright the photo becomes by its model; what each bias leads to is found out here."""

    def of(bias):
        tiny(bias).save_pretrained(tmp_path / "alone")
        return command(TIMEOUT_S, str(tmp_path / "alone"))[0]

    return {bias: of(bias) for bias in (OLD, NEW)}


@pytest.mark.parametrize("name", rows(ALL_FAULTS, QUICK))
def test_a_fault_is_one_sentence_of_a_command(name, hub, tmp_path, command, brightness):  # noqa: F811
    kept, empty = expected(name, hub.xet is not None)
    seconds = timeout_of(name)
    play(name, hub, tmp_path)

    result, lines = command(seconds)
    if isinstance(kept, str):
        assert re.search(kept, result)
    else:
        assert result == brightness[kept]
        assert (kept == OLD) is any("; using the local copy of me/m" in line for line in lines)
    assert len(lines) <= 1

    forget(tmp_path)
    result, lines = command(seconds)
    assert re.search(empty, result) if isinstance(empty, str) else result == brightness[empty]
    assert len(lines) <= 1 and is_whole(tmp_path / "home")


def test_evaluate_says_it_too_and_a_script_may_be_strict(hub, tmp_path, capsys, monkeypatch):  # noqa: F811
    monkeypatch.setenv("DSLR_GAN_IPHONE_REPO", "https://example.com/me/m")
    flat_pairs(tmp_path / "pairs")
    command = ("evaluate", "--pairs", tmp_path / "pairs")
    assert run(*command, "--strict-source") == 1
    (line,) = complaints(capsys.readouterr().err)
    assert "https://example.com/me/m is not an address of the Hub" in line
    monkeypatch.setenv("DSLR_GAN_IPHONE_REPO", "me/m@v7")
    assert run(*command, "--strict-source", "--hub-timeout", "5") == 1
    (line,) = complaints(capsys.readouterr().err)
    assert "the Hub has no revision 'v7' of me/m" in line


# On the page -----------------------------------------------------------------------------------

QUICK_ON_THE_PAGE = ("busy for ever", "refused token", "no weights", "deep settings")

WORDS_ON_THE_PAGE = {
    "no such repository": "there is no such repository, or it is not open to you",
    "settings vanish": "there is no such file",
    "forbidden": "does not allow it",
}
"""The cause alone, where the sentence of a command has other words for it."""


@pytest.fixture
def page(tmp_path, monkeypatch):
    """The page's model of a phone whose repository is me/m: the bias of what is shown, and what
    is said of it."""
    tiny(BUNDLED).save_pretrained(tmp_path / "bundled")
    monkeypatch.setattr(Phone, "folder", tmp_path / "bundled")
    monkeypatch.setenv("DSLR_GAN_IPHONE_REPO", "me/m")

    def visit(seconds):
        model = PhoneModel(PHONES["iphone"], seconds, again_s=1000)
        began = time.monotonic()
        try:
            model.get()
            assert time.monotonic() - began < seconds + 2  # however long the Hub takes
            while "still being fetched" in model.source:
                assert time.monotonic() - began < seconds + 6
                time.sleep(0.05)
            return model.get().generator.tail.bias[0].item(), told(model.source)
        finally:
            model.stop()

    return visit


@pytest.mark.parametrize("name", rows(ALL_FAULTS, QUICK_ON_THE_PAGE))
def test_a_fault_is_told_on_the_page_beside_what_stands_in(name, hub, tmp_path, page):  # noqa: F811
    kept, empty = expected(name, hub.xet is not None)
    seconds = timeout_of(name)
    play(name, hub, tmp_path)
    check_the_page(name, kept, *page(seconds))
    forget(tmp_path)
    check_the_page(name, empty, *page(seconds))
    assert is_whole(tmp_path / "home")


def check_the_page(name, right, bias, source):
    if isinstance(right, str):
        words = "the Hub did not answer" if right == BROKEN_OFF else re.split(r"\.\*|;", right)[0]
        words = WORDS_ON_THE_PAGE.get(name, words)
        assert bias == BUNDLED
        assert re.search(f"^bundled iPhone weights, because me/m .*{words}", source)
    else:
        assert bias == right and source.startswith("Hub repository me/m at commit ")
        assert (right == OLD) is ("(local copy of " in source)
