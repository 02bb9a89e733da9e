"""Checkpoints: whole or not there, whatever moment the process dies at."""

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator

from dslr_gan.errors import DslrGanError
from dslr_gan.training.checkpoints import STATE, Checkpoints, read_state, step_of


@pytest.fixture(scope="module")
def accelerator():
    accelerator = Accelerator(cpu=True)
    network = torch.nn.Linear(3, 2)
    accelerator.prepare(network, torch.optim.Adam(network.parameters()))
    return accelerator


def write(checkpoints, accelerator, step):
    checkpoints.folder.mkdir(exist_ok=True)
    checkpoints.write(
        accelerator, step, {"step": step}, lambda folder: (folder / "more").write_text(f"{step}")
    )


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_was_written_is_read_back_and_older_ones_go(accelerator, tmp_path):
    checkpoints = Checkpoints(tmp_path, 2)
    for step in (9, 10, 100):
        write(checkpoints, accelerator, step)
    assert [step_of(each) for each in checkpoints.all()] == [10, 100]
    assert names(tmp_path) == ["checkpoint-10", "checkpoint-100"]
    assert read_state(tmp_path / "checkpoint-100") == {"step": 100}
    assert (tmp_path / "checkpoint-100/more").read_text() == "100"
    assert "model.safetensors" in names(tmp_path / "checkpoint-100")


def test_a_limit_of_one_keeps_the_newest(accelerator, tmp_path):
    checkpoints = Checkpoints(tmp_path, 1)
    for step in (1, 2):
        write(checkpoints, accelerator, step)
    assert names(tmp_path) == ["checkpoint-2"]


def test_a_step_written_again_replaces_itself(accelerator, tmp_path):
    checkpoints = Checkpoints(tmp_path, 3)
    write(checkpoints, accelerator, 1)
    (tmp_path / "checkpoint-1/more").write_text("other")
    write(checkpoints, accelerator, 1)
    assert read_state(tmp_path / "checkpoint-1") == {"step": 1}
    assert names(tmp_path) == ["checkpoint-1"]


class Death(BaseException):
    """What no code catches on its way."""


@pytest.mark.parametrize(
    ("owner", "name"),
    [(os, "fsync"), (Path, "rename"), (shutil, "rmtree"), (Path, "write_text")],
)
def test_dying_at_any_call_leaves_whole_checkpoints(
    accelerator, tmp_path, monkeypatch, owner, name
):
    real = getattr(owner, name)
    for fatal in range(100):
        folder = tmp_path / str(fatal)
        checkpoints = Checkpoints(folder, 2)
        for step in (1, 2):
            write(checkpoints, accelerator, step)
        calls = iter(range(1000))

        def deadly(*arguments, calls=calls, fatal=fatal, **options):
            if next(calls) == fatal:
                raise Death
            return real(*arguments, **options)

        monkeypatch.setattr(owner, name, deadly)
        try:
            write(checkpoints, accelerator, 3)
            survived = True
        except Death:
            survived = False
        monkeypatch.setattr(owner, name, real)
        steps = [read_state(each)["step"] for each in checkpoints.all()]
        assert steps in ([1, 2], [1, 2, 3], [2, 3]), f"died at {name} {fatal}: {steps}"
        checkpoints.tidy()
        assert not [each for each in names(folder) if each.startswith(".")]
        if survived:
            assert fatal > 0, f"{name} is never called"
            assert steps == [2, 3]
            return
    pytest.fail("it never got through")


def spoil(checkpoint, how):
    file = checkpoint / "model.safetensors"
    if how == "cut short":
        file.write_bytes(file.read_bytes()[:-1])
    elif how == "changed":
        data = bytearray(file.read_bytes())
        data[-1] ^= 1
        file.write_bytes(data)
    elif how == "missing":
        file.unlink()
    elif how == "no state":
        (checkpoint / STATE).unlink()
    elif how == "half a state":
        text = (checkpoint / STATE).read_text()
        (checkpoint / STATE).write_text(text[: len(text) // 2])
    elif how == "a state of old":
        (checkpoint / STATE).write_text(json.dumps({"step": 1}))


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("cut short", "damaged: model.safetensors"),
        ("changed", "damaged: model.safetensors"),
        ("missing", "damaged: model.safetensors"),
        ("no state", "no complete checkpoint"),
        ("half a state", "no complete checkpoint"),
        ("a state of old", "no complete checkpoint"),
    ],
)
def test_a_damaged_one_is_a_sentence(accelerator, tmp_path, how, words):
    write(Checkpoints(tmp_path, 2), accelerator, 1)
    spoil(tmp_path / "checkpoint-1", how)
    with pytest.raises(DslrGanError, match=words):
        read_state(tmp_path / "checkpoint-1")


def test_refused_ones_are_set_aside_and_foreign_folders_stay(accelerator, tmp_path):
    checkpoints = Checkpoints(tmp_path, 2)
    write(checkpoints, accelerator, 1)
    (tmp_path / ".checkpoint-2.unfinished").mkdir()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "checkpoint-best").mkdir()
    checkpoints.set_aside(checkpoints.all())
    checkpoints.tidy()
    assert names(tmp_path) == [".hidden", "checkpoint-best", "refused-checkpoint-1"]
    assert checkpoints.all() == []


def test_no_folder_has_no_checkpoints(tmp_path):
    assert Checkpoints(tmp_path / "nothing", 2).all() == []
