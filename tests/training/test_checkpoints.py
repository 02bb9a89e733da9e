"""Checkpoints: whole or not there, whatever moment the process dies at."""

import dataclasses
import errno
import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

import dslr_gan.training.keeping.checkpoints
from dslr_gan.errors import DslrGanError
from dslr_gan.models.baselines import SRCNN
from dslr_gan.training.keeping.checkpoints import Checkpoints, step_of
from dslr_gan.training.keeping.collapse import CollapseGuard, TrainingFailed
from dslr_gan.training.keeping.pictures import Listing
from dslr_gan.training.keeping.sealing import STATE, read_state, seal
from dslr_gan.training.keeping.state import OtherSettings, RunState


@pytest.fixture(scope="module")
def accelerator():
    accelerator = Accelerator(cpu=True)
    network = torch.nn.Linear(3, 2)
    accelerator.prepare(network, torch.optim.Adam(network.parameters()))
    return accelerator


def state_at(step, value=0.5, settings=None):
    """The state of a run whose averaged weights are all one value."""
    ema = SRCNN().requires_grad_(False)
    for weight in ema.parameters():
        weight.fill_(value)
    return RunState(ema, CollapseGuard(5), 4, settings or {"seed": 0}, ["first"], step)


def write(checkpoints, step):
    checkpoints.folder.mkdir(exist_ok=True)
    checkpoints.write(state_at(step))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_was_written_is_read_back_and_older_ones_go(accelerator, tmp_path):
    checkpoints = Checkpoints(accelerator, tmp_path, 2)
    for step in (9, 10, 100):
        write(checkpoints, step)
    assert [step_of(path) for path in checkpoints.all()] == [10, 100]
    assert names(tmp_path) == ["checkpoint-10", "checkpoint-100"]
    assert read_state(tmp_path / "checkpoint-100") == {
        "step": 100, "samples": 400, "settings": {"seed": 0}, "commands": ["first"],
        "guard": {"decided": 0, "best_score": None, "best_step": None, "stuck": 0},
    }  # fmt: skip
    files = names(tmp_path / "checkpoint-100")
    assert {"ema.safetensors", "model.safetensors", STATE} <= set(files)


def test_a_limit_of_one_keeps_the_newest(accelerator, tmp_path):
    checkpoints = Checkpoints(accelerator, tmp_path, 1)
    for step in (1, 2):
        write(checkpoints, step)
    assert names(tmp_path) == ["checkpoint-2"]


def test_a_step_written_again_replaces_itself(accelerator, tmp_path):
    checkpoints = Checkpoints(accelerator, tmp_path, 3)
    write(checkpoints, 1)
    (tmp_path / "checkpoint-1/ema.safetensors").write_text("other")
    write(checkpoints, 1)
    assert read_state(tmp_path / "checkpoint-1")["step"] == 1
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
        checkpoints = Checkpoints(accelerator, folder, 2)
        for step in (1, 2):
            write(checkpoints, step)
        calls = iter(range(1000))

        def deadly(*arguments, calls=calls, fatal=fatal, **options):
            if next(calls) == fatal:
                raise Death
            return real(*arguments, **options)

        monkeypatch.setattr(owner, name, deadly)
        try:
            write(checkpoints, 3)
            survived = True
        except Death:
            survived = False
        monkeypatch.setattr(owner, name, real)
        steps = [read_state(path)["step"] for path in checkpoints.all()]
        assert steps in ([1, 2], [1, 2, 3], [2, 3]), f"died at {name} {fatal}: {steps}"
        checkpoints.tidy()
        assert not [name for name in names(folder) if name.startswith(".")]
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
def test_a_damaged_one_is_refused_by_name(accelerator, tmp_path, how, words):
    write(Checkpoints(accelerator, tmp_path, 2), 1)
    spoil(tmp_path / "checkpoint-1", how)
    with pytest.raises(DslrGanError, match=words):
        read_state(tmp_path / "checkpoint-1")


def test_one_whose_state_is_of_another_version_is_refused_by_name(accelerator, tmp_path):
    checkpoints = Checkpoints(accelerator, tmp_path, 2)
    write(checkpoints, 1)
    file = tmp_path / "checkpoint-1" / STATE
    values = json.loads(file.read_text())
    for lacks in ("settings", "samples", "guard", "commands"):
        file.write_text(json.dumps({name: each for name, each in values.items() if name != lacks}))
        with pytest.raises(DslrGanError, match="checkpoint-1 cannot be loaded by these versions"):
            checkpoints.resume("latest", state_at(0), print)
    for step in (-5, "x", None):
        file.write_text(json.dumps({**values, "step": step}))
        with pytest.raises(DslrGanError, match="no complete checkpoint"):
            read_state(tmp_path / "checkpoint-1")
    file.write_text("[" * 100_000)
    with pytest.raises(DslrGanError, match="no complete checkpoint"):
        read_state(tmp_path / "checkpoint-1")


def test_refused_ones_are_set_aside_and_foreign_folders_stay(accelerator, tmp_path):
    checkpoints = Checkpoints(accelerator, tmp_path, 2)
    write(checkpoints, 1)
    (tmp_path / ".checkpoint-2.unfinished").mkdir()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "checkpoint-best").mkdir()
    checkpoints.set_aside(checkpoints.all())
    checkpoints.tidy()
    assert names(tmp_path) == [".hidden", "checkpoint-best", "refused-checkpoint-1"]
    assert checkpoints.all() == []


def test_no_folder_has_no_checkpoints(accelerator, tmp_path):
    assert Checkpoints(accelerator, tmp_path / "nothing", 2).all() == []


def test_the_state_goes_through_a_checkpoint(accelerator, tmp_path):
    checkpoints = Checkpoints(accelerator, tmp_path, 2)
    written = state_at(3)
    written.guard.check_validation(3, 0.9, 0.8)
    checkpoints.write(written)
    state, said = state_at(0, value=0), []
    state.commands = ["second"]
    checkpoints.resume("latest", state, said.append)
    assert (state.step, state.samples, state.commands) == (3, 12, ["first", "second"])
    assert (state.guard.best_score, state.guard.best_step) == (0.9, 3)
    assert all((weight == 0.5).all() for weight in state.ema.parameters())
    assert said == [f"going on from {tmp_path / 'checkpoint-3'}"]


def test_a_damaged_one_is_set_aside_and_the_one_before_it_used(accelerator, tmp_path):
    checkpoints = Checkpoints(accelerator, tmp_path, 3)
    for step in (1, 2):
        write(checkpoints, step)
    spoil(tmp_path / "checkpoint-2", "changed")
    state, said = state_at(0), []
    checkpoints.begin("latest", state, said.append)
    assert state.step == 1 and "checkpoint-2 is damaged" in said[0]
    assert names(tmp_path) == [".lock", "checkpoint-1", "refused-checkpoint-2"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (state_at(0, settings={"seed": 1}), "other settings \\(--seed 0 -> 1\\)"),
        (dataclasses.replace(state_at(0), samples_per_step=8), "pairs per step"),
    ],
)
def test_other_settings_end_it(accelerator, tmp_path, changed, words):
    checkpoints = Checkpoints(accelerator, tmp_path, 2)
    for step in (1, 2):
        write(checkpoints, step)
    with pytest.raises(OtherSettings, match=f"checkpoint-2 was made with .*{words}"):
        checkpoints.resume("latest", changed, print)
    assert changed.step == 0 and len(checkpoints.all()) == 2


def test_weights_that_are_not_finite_are_neither_written_nor_loaded(accelerator, tmp_path):
    checkpoints = Checkpoints(accelerator, tmp_path, 5)
    for step in (1, 2):
        write(checkpoints, step)
    broken = state_at(3)
    next(broken.ema.parameters()).fill_(float("inf"))
    with pytest.raises(TrainingFailed, match=r"not finite \(.* in ema.safetensors\), and no check"):
        checkpoints.write(broken)
    assert names(tmp_path) == ["checkpoint-1", "checkpoint-2"]
    # One of an older version, which wrote what there was.
    file = tmp_path / "checkpoint-2/ema.safetensors"
    weights = load_file(file)
    next(iter(weights.values())).fill_(float("nan"))
    save_file(weights, file)
    state = json.loads((tmp_path / "checkpoint-2" / STATE).read_text())
    del state["files"]
    (tmp_path / "checkpoint-2" / STATE).unlink()
    seal(tmp_path / "checkpoint-2", state)
    state, said = state_at(0), []
    checkpoints.begin("latest", state, said.append)
    assert state.step == 1 and "checkpoint-2 holds numbers that are not finite" in said[0]


def test_an_older_one_can_be_named_and_the_later_ones_are_set_aside(accelerator, tmp_path):
    checkpoints, said = Checkpoints(accelerator, tmp_path, 5), []
    for step in (1, 2, 3):
        write(checkpoints, step)
    state = state_at(0)
    checkpoints.begin(str(tmp_path / "checkpoint-2"), state, said.append)
    assert state.step == 2 and "checkpoint-3 is set aside: refused-checkpoint-3" in said
    assert names(tmp_path) == [".lock", "checkpoint-1", "checkpoint-2", "refused-checkpoint-3"]


@pytest.mark.parametrize("left", ["generator", "best", "checkpoint-3"])
def test_what_an_earlier_run_left_is_overwritten_only_when_asked(accelerator, tmp_path, left):
    other = Checkpoints(accelerator, tmp_path / "other", 5)
    write(other, 2)
    (tmp_path / "out").mkdir()
    checkpoints = Checkpoints(accelerator, tmp_path / "out", 5)
    if left == "checkpoint-3":
        write(checkpoints, 3)
    else:
        (tmp_path / "out" / left).mkdir()
    # A new run, one that finds nothing to go on from, one that goes on from another folder's.
    wishes = [
        None,
        str(tmp_path / "other/checkpoint-2"),
        *(["latest"] if left != "checkpoint-3" else []),
    ]
    for wanted in wishes:
        with pytest.raises(DslrGanError, match=f"{left} of an earlier run, which .* overwrite"):
            Checkpoints(accelerator, tmp_path / "out", 5).begin(wanted, state_at(0), print)
        assert (tmp_path / "out" / left).is_dir()
    checkpoints.begin(None, state_at(0), print, overwrite=True)
    assert (tmp_path / "out" / left).exists() == (left != "checkpoint-3")


def test_it_can_be_read_by_whom_the_umask_lets(accelerator, tmp_path):
    before = os.umask(0o027)
    try:
        write(Checkpoints(accelerator, tmp_path, 1), 1)
    finally:
        os.umask(before)
    files = list((tmp_path / "checkpoint-1").iterdir())
    assert {file.stat().st_mode & 0o777 for file in files} == {0o640} and len(files) > 4


def listed(step, **sizes):
    lines = [f"0/train/phone/{name}.png {size}" for name, size in sizes.items()]
    return dataclasses.replace(state_at(step), listing=Listing(lines))


def test_a_picture_that_changed_its_size_is_told_and_no_obstacle(accelerator, tmp_path):
    Checkpoints(accelerator, tmp_path, 2).begin(None, first := listed(0, a=5, b=6, c=7), print)
    first.step = 1
    Checkpoints(accelerator, tmp_path, 2).write(first)
    said = []
    for changed, told in (
        (listed(0, a=9, b=6, c=7), "0/train/phone/a.png changed"),
        (listed(0, a=9, b=6, c=7), ""),
        (listed(0, a=8, b=8, c=7), "2 pictures changed, such as 0/train/phone/a.png"),
    ):
        said.clear()
        Checkpoints(accelerator, tmp_path, 2).begin("latest", changed, said.append)
        notes = [line.removeprefix("the pairs are not as they were then: ") for line in said[1:]]
        assert notes == [told] * bool(told)


def test_other_pairs_are_refused_by_what_is_different_unless_accepted(accelerator, tmp_path):
    checkpoints = Checkpoints(accelerator, tmp_path, 2)
    first = listed(0, a=5, b=6)
    first.settings = {"pairs": ["one mark"], "seed": 0}
    checkpoints.begin(None, first, print)
    first.step = 1
    checkpoints.write(first)
    other = listed(0, b=6, c=7)
    other.settings = {"pairs": ["another"], "seed": 0}
    words = r"other pairs \(0/train/phone/a.png removed, 0/train/phone/c.png added\); .*--accept_ch"
    with pytest.raises(OtherSettings, match=words):
        checkpoints.resume("latest", other, print)
    other.accepts_other_pairs, said = True, []
    checkpoints.resume("latest", other, said.append)
    assert other.step == 1 and "a.png removed" in said[1]


def test_without_a_checkpoint_it_starts_anew_or_is_refused(accelerator, tmp_path):
    checkpoints, said = Checkpoints(accelerator, tmp_path, 2), []
    checkpoints.begin("latest", state_at(0), said.append)
    assert said == [f"there is no checkpoint in {tmp_path}; starting anew"]
    with pytest.raises(DslrGanError, match="no complete checkpoint"):
        checkpoints.resume(str(tmp_path / "absent"), state_at(0), print)
    with pytest.raises(DslrGanError, match="another run is at work"):
        Checkpoints(accelerator, tmp_path, 2).begin(None, state_at(0), print)


def no_space(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


def torch_s_own_words(*_, **__):
    raise RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 38 vs 26")


def safetensors_own_words(*_, **__):
    raise SafetensorError("I/O error: No space left on device (os error 28)")


def no_quota(*_, **__):
    raise OSError(errno.EDQUOT, "Disk quota exceeded")


@pytest.mark.parametrize("fault", [no_space, torch_s_own_words, safetensors_own_words, no_quota])
def test_a_full_disk_is_called_one_and_the_older_checkpoint_stays(
    fault, accelerator, tmp_path, monkeypatch
):
    checkpoints = Checkpoints(accelerator, tmp_path, 1)
    write(checkpoints, 1)
    real = accelerator.save_state

    def fill(folder):
        real(folder)
        fault()

    monkeypatch.setattr(accelerator, "save_state", fill)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=4096))
    words = "step 2 could not be written .no space left on .*the checkpoints before it are whole"
    with pytest.raises(DslrGanError, match=words):
        write(checkpoints, 2)
    assert names(tmp_path) == ["checkpoint-1"], "nothing unfinished is left"
    assert read_state(tmp_path / "checkpoint-1")["step"] == 1
    monkeypatch.setattr(accelerator, "save_state", real)
    write(checkpoints, 2)
    assert names(tmp_path) == ["checkpoint-2"]


def test_the_first_checkpoint_on_a_full_disk_has_none_before_it(accelerator, tmp_path, monkeypatch):
    monkeypatch.setattr(dslr_gan.training.keeping.checkpoints, "save_file", no_space)
    with pytest.raises(DslrGanError, match=r"no space left .*; there is none before it: make room"):
        write(Checkpoints(accelerator, tmp_path, 1), 2)
    assert names(tmp_path) == []


def test_another_fault_of_the_disk_is_named(accelerator, tmp_path, monkeypatch):
    def broken(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(DslrGanError, match=r"\(Input/output error\); .*check the disk"):
        write(Checkpoints(accelerator, tmp_path, 1), 2)
    assert names(tmp_path) == []


def test_a_mistake_in_a_program_stays_one(accelerator, tmp_path, monkeypatch):
    def mistaken(_):
        raise RuntimeError("size mismatch")

    monkeypatch.setattr(accelerator, "save_state", mistaken)
    with pytest.raises(RuntimeError, match="size mismatch"):
        write(Checkpoints(accelerator, tmp_path, 1), 2)
