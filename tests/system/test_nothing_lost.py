"""What breaks a run for real: pictures, disks, gradients, launchers. Nothing of it is lost."""

import errno
import os
import shutil
import subprocess
import sys
import tempfile

import pytest
import torch
from safetensors.torch import load_file

import train_accelerate
from dslr_gan.errors import DslrGanError
from dslr_gan.models.registry import load_network
from dslr_gan.training.keeping.collapse import MAX_STUCK, TrainingFailed
from dslr_gan.training.keeping.signals import HOW_TO_GO_ON
from tests.support.paths import ROOT
from tests.support.trainer import SHORT, make_dped, set_up_here, train_here
from train_accelerate import begin, run_training
from train_accelerate import train as train_steps


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return make_dped(tmp_path_factory.mktemp("dped") / "iphone")


def flags(pairs, out, *more):
    small = ["--architecture", "srcnn", "--texture_weight", 0, "--l1_weight", 1]
    steps = ["--validation_steps", 100, "--checkpointing_steps", 100, "--max_train_steps", 6]
    return ["--pairs", pairs, "--output_dir", out, *SHORT, *small, *steps, *more]


def weights(out):
    return load_file(out / "generator/model.safetensors")


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


def damage(file):
    file.write_bytes(file.read_bytes()[:300])


@pytest.fixture
def damaged_on_the_way(monkeypatch):
    """A function that damages a picture after all were checked, before the first step."""

    def arrange(file):
        real = train_accelerate.check_pictures

        def check(*arguments):
            real(*arguments)
            damage(file)

        monkeypatch.setattr(train_accelerate, "check_pictures", check)
        return lambda: monkeypatch.setattr(train_accelerate, "check_pictures", real)

    return arrange


@pytest.mark.slow
def test_a_finished_generator_is_overwritten_only_when_asked(pairs, tmp_path):
    first = train_here(flags(pairs, tmp_path, "--max_train_steps", 1))
    assert first.returncode == 0, first.stderr
    shutil.rmtree(tmp_path / "checkpoint-1")
    kept = weights(tmp_path)
    again = train_here(flags(pairs, tmp_path, "--max_train_steps", 2))
    last = again.stderr.splitlines()[-1]
    assert again.returncode == 1 and "has a finished generator" in last
    assert "--resume_from_checkpoint" not in last, "there is no checkpoint to go on from"
    assert same(kept, weights(tmp_path))
    asked = train_here(flags(pairs, tmp_path, "--max_train_steps", 2, "--overwrite_output_dir"))
    assert asked.returncode == 0, asked.stderr
    assert not same(kept, weights(tmp_path))


def test_damaged_pictures_are_told_before_anything_is_written(pairs, tmp_path):
    folder = tmp_path / "iphone"
    shutil.copytree(pairs, folder)
    for name in ("canon/7.png", *(f"iphone/{number}.png" for number in (2, 3, 4))):
        damage(folder / "training_data" / name)
    result = train_here(flags(folder, tmp_path / "out"))
    last = result.stderr.strip().splitlines()[-1]
    assert result.returncode == 1 and "4 of the pairs cannot be trained on" in last
    assert "iphone/2.png" in last and last.endswith("And 1 more.")
    assert not (tmp_path / "out").exists()


def test_a_picture_damaged_on_the_way_leaves_a_checkpoint_and_is_repaired(
    pairs, tmp_path, damaged_on_the_way
):
    folder, out = tmp_path / "iphone", tmp_path / "out"
    shutil.copytree(pairs, folder)
    # One that is read for the first time in the fifth step.
    _, row = set_up_here(flags(folder, out)).data.samples().locate(8)
    file = folder / f"training_data/iphone/{row}.png"
    whole = file.read_bytes()
    undo = damaged_on_the_way(file)
    broken = train_here(flags(folder, out))
    undo()
    assert broken.returncode == 1 and "Traceback" not in broken.stderr
    last = broken.stderr.strip().splitlines()[-1]
    assert file.name in last and last.startswith("train_accelerate: ")
    (checkpoint,) = out.glob("checkpoint-*")
    assert checkpoint.name == "checkpoint-4"
    assert f"there is a checkpoint of step 4, {HOW_TO_GO_ON}." in broken.stderr
    # Repaired by another program: the same pixels, another size.
    file.write_bytes(whole + b" ")
    result = train_here(flags(folder, out, "--resume_from_checkpoint", "latest"))
    assert result.returncode == 0, result.stderr
    assert f"not as they were then: 0/train/phone/{file.name} changed" in result.stderr
    straight = train_here(flags(pairs, tmp_path / "straight"))
    assert straight.returncode == 0 and same(weights(out), weights(tmp_path / "straight"))


@pytest.mark.slow
def test_pairs_that_came_or_went_are_told_and_accepted_by_a_flag(pairs, tmp_path):
    folder, out = tmp_path / "iphone", tmp_path / "out"
    shutil.copytree(pairs, folder)
    first = train_here(flags(folder, out, "--max_train_steps", 2))
    assert first.returncode == 0, first.stderr
    for side in ("iphone", "canon"):
        (folder / f"training_data/{side}/9.png").unlink()
    more = ["--resume_from_checkpoint", "latest", "--max_train_steps", 3]
    refused = train_here(flags(folder, out, *more))
    last = refused.stderr.strip().splitlines()[-1]
    assert refused.returncode == 1 and "2 pictures removed, such as 0/train/dslr/9.png" in last
    assert train_here(flags(folder, out, *more, "--accept_changed_pairs")).returncode == 0


@pytest.mark.parametrize("error", [RuntimeError("a mistake"), KeyError("x"), MemoryError()])
def test_any_error_between_two_steps_leaves_a_checkpoint(error, pairs, tmp_path, monkeypatch):
    run = set_up_here(flags(pairs, tmp_path, "--validation_steps", 3))
    real = train_accelerate.validate

    def validate(run, batch=None):
        if run.state.step == 3:
            raise error
        return real(run, batch)

    monkeypatch.setattr(train_accelerate, "validate", validate)
    with pytest.raises(type(error)):
        run_training(run)
    assert [path.name for path in tmp_path.glob("checkpoint-*")] == ["checkpoint-3"]


def test_an_error_within_a_step_leaves_none_of_half_a_step(pairs, tmp_path, monkeypatch):
    run = set_up_here(flags(pairs, tmp_path, "--texture_weight", 1, "--checkpointing_steps", 2))
    real = train_accelerate.generator_terms

    def out_of_memory(run, *arguments):
        if run.state.step == 3:  # the discriminator has moved by now
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(run, *arguments)

    monkeypatch.setattr(train_accelerate, "generator_terms", out_of_memory)
    with pytest.raises(torch.OutOfMemoryError):
        run_training(run)
    assert [path.name for path in tmp_path.glob("checkpoint-*")] == ["checkpoint-2"]


def test_a_full_disk_at_a_checkpoint_does_not_end_the_training(pairs, tmp_path, monkeypatch):
    run = set_up_here(flags(pairs, tmp_path, "--checkpointing_steps", 2))
    real, said = run.accelerator.save_state, []

    def save_state(folder):
        real(folder)
        if run.state.step == 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(run.accelerator, "save_state", save_state)
    monkeypatch.setattr(run, "report", said.append)
    run_training(run)
    (told,) = [line for line in said if "could not be written" in line]
    assert "step 4" in told and told.endswith("The training goes on, and tries again at the next.")
    assert sorted(path.name for path in tmp_path.glob("*checkpoint-*")) == [
        "checkpoint-2",
        "checkpoint-6",
    ]
    assert (tmp_path / "generator").is_dir()


def test_a_gradient_that_is_not_finite_moves_nothing_and_the_run_goes_on(pairs, tmp_path):
    run = set_up_here(flags(pairs, tmp_path, "--ema_decay", 0))
    begin(run)
    weight = next(run.generator.parameters())
    weight.register_hook(lambda grad: grad * (float("nan") if run.state.step == 1 else 1))

    class Never:
        signal = None

    seen = [weight.detach().clone()]
    for _ in train_steps(run, Never()):
        seen.append(weight.detach().clone())
    moved = [not torch.equal(one, two) for one, two in zip(seen, seen[1:], strict=False)]
    assert moved == [True, False, True, True, True, True]
    assert run.state.guard.stuck == 0 and torch.isfinite(weight).all()


@pytest.mark.slow
def test_gradients_that_stay_so_end_the_run_without_a_checkpoint(pairs, tmp_path):
    run = set_up_here(flags(pairs, tmp_path, "--max_train_steps", MAX_STUCK + 1))
    next(run.generator.parameters()).register_hook(lambda grad: grad * float("inf"))
    with pytest.raises(TrainingFailed, match="moved nothing in them"):
        run_training(run)
    assert not list(tmp_path.glob("checkpoint-*"))


def on_a_small_disk(folder, size, command):
    """Run a command with a small file system in a folder, of which FOLDER.kept is a copy."""
    inner = (
        f"set -e; mount -t tmpfs -o size={size} tmpfs {folder}; set +e; "
        f'"$@"; status=$?; cp -r {folder}/. {folder}.kept; exit $status'
    )
    return subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", inner, "sh", *map(str, command)],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"},
    )  # fmt: skip


@pytest.mark.slow
def test_a_disk_that_is_really_full_ends_nothing_until_the_end(pairs, tmp_path):
    """A checkpoint here has 1.2 MB: one fits, and while it is there a second one does not."""
    out = tmp_path / "out"
    out.mkdir()
    if on_a_small_disk(out, "1m", ["true"]).returncode:
        pytest.skip("this system mounts no file system for a test")
    shutil.rmtree(f"{out}.kept")
    more = ["--checkpointing_steps", 2, "--report_to", "none"]
    command = [sys.executable, "train_accelerate.py", *flags(pairs, out, *more)]
    result = on_a_small_disk(out, "2000k", command)
    kept = tmp_path / "out.kept"
    assert "Traceback" not in result.stderr, result.stderr
    assert "the checkpoint of step 4 could not be written (no space left" in result.stderr
    assert "The training goes on" in result.stderr
    assert (kept / "checkpoint-2").is_dir() and not list(kept.glob(".checkpoint*"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("launcher", "told"),
    [
        (
            ["torch.distributed.run", "--standalone", "--nproc_per_node", "2"],
            "4 pairs per step (processes: 2",
        ),
        (["accelerate.commands.launch", "--cpu", "--num_processes", "2"], "asked for several"),
    ],
)
def test_two_processes_without_a_gpu_by_either_launcher(launcher, told, pairs, tmp_path):
    command = [sys.executable, "-m", *launcher, "train_accelerate.py"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    environment.pop("ACCELERATE_USE_CPU", None)
    result = subprocess.run(
        [*command, *map(str, flags(pairs, tmp_path, "--max_train_steps", 2))],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False, env=environment,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert told in result.stderr and "another run" not in result.stderr
    assert (tmp_path / "generator").is_dir()


@pytest.mark.slow
def test_what_ends_all_processes_is_said_once(pairs, tmp_path):
    folder = tmp_path / "iphone"
    shutil.copytree(pairs, folder)
    damage(folder / "training_data/canon/7.png")
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    result = subprocess.run(
        [sys.executable, *launcher, "train_accelerate.py",
         *map(str, flags(folder, tmp_path / "out"))],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
    )  # fmt: skip
    assert result.returncode == 1
    assert result.stderr.count("train_accelerate: 1 of the pairs cannot be trained on") == 1


@pytest.mark.slow
def test_a_best_generator_that_finds_no_room_does_not_end_the_training(
    pairs, tmp_path, monkeypatch
):
    run = set_up_here(flags(pairs, tmp_path, "--validation_steps", 2))
    real, said = run.state.ema.save_pretrained, []

    def save_pretrained(folder, **options):
        if run.state.step == 2:
            raise DslrGanError("cannot write the network to best (No space left on device).")
        real(folder, **options)

    monkeypatch.setattr(run.state.ema, "save_pretrained", save_pretrained)
    monkeypatch.setattr(run, "report", said.append)
    run_training(run)
    assert any("No space left" in line for line in said)
    assert (tmp_path / "best").is_dir() and run.state.guard.best_step > 2


@pytest.mark.slow
@pytest.mark.parametrize("has_checkpoint", [True, False])
def test_a_finished_generator_that_finds_no_room_is_not_lost(
    has_checkpoint, pairs, tmp_path, monkeypatch
):
    out, elsewhere = tmp_path / "out", tmp_path / "tmp"
    elsewhere.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))
    run = set_up_here(flags(pairs, out, "--max_train_steps", 2))
    real = run.state.ema.save_pretrained

    def save_pretrained(folder, **options):
        if folder.is_relative_to(out):
            raise DslrGanError(f"cannot write the network to {folder} (No space left on device).")
        real(folder, **options)

    monkeypatch.setattr(run.state.ema, "save_pretrained", save_pretrained)
    if not has_checkpoint:
        monkeypatch.setattr(run.checkpoints, "write", lambda state: None)
    with pytest.raises(DslrGanError, match="No space left on device") as raised:
        run_training(run)
    if has_checkpoint:
        assert "nothing is trained again" in str(raised.value)
        assert not list(elsewhere.glob("dslr_gan-*"))
    else:
        (kept,) = elsewhere.glob("dslr_gan-*/generator")
        assert f"It is in {kept} instead" in str(raised.value)
        assert load_network(kept).facts.steps == 2
