"""The trainer as a whole: what a run leaves, stops, resumes and refuses; on two processes, too."""

import dataclasses
import json
import shlex
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from accelerate.utils import set_seed
from PIL import Image
from safetensors.torch import load_file, save_file

from dslr_gan.enhance.enhancer import PhotoEnhancer
from dslr_gan.errors import DslrGanError
from dslr_gan.hub import check_push
from dslr_gan.models.generator import Generator
from dslr_gan.training import launching
from dslr_gan.training.keeping.signals import Stopped, StopRequest
from hub_card import THIS_MODEL
from tests.support.hub_server import HubServer, take_for_the_hub
from tests.support.paths import ROOT
from tests.support.trainer import (
    ENVIRONMENT,
    SHORT,
    make_dped,
    set_up_here,
    train,
    train_here,
)
from train_accelerate import begin, generator_terms, run_training, save_generator
from train_accelerate import train as train_steps


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return make_dped(tmp_path_factory.mktemp("dped") / "iphone")


@pytest.fixture(scope="module")
def whole_run(pairs, tmp_path_factory):
    """Four steps of one process without a break, checkpoints after two and four."""
    out = tmp_path_factory.mktemp("whole")
    result = train_here([*flags(pairs, out), "--max_train_steps", 4])
    assert result.returncode == 0, result.stderr
    return out


def flags(pairs, out):
    steps = ["--validation_steps", 2, "--checkpointing_steps", 2]
    return ["--pairs", pairs, "--output_dir", out, *steps, *SHORT]


def weights(out):
    return load_file(out / "generator/model.safetensors")


def rows(out):
    return [json.loads(line) for line in (out / "results/log.jsonl").read_text().splitlines()]


def test_a_run_leaves_generator_card_samples_log_and_checkpoints(whole_run, pairs):
    generator = Generator.from_pretrained(whole_run / "generator")
    facts = generator.facts
    assert facts.steps == 4 and facts.batch_size == 2 and facts.seed == 0
    assert facts.losses == {"texture": 0.3, "color": 0.2}
    assert facts.data[0].name == "DPED patches, iphone against Canon 70D"
    assert "10 pairs" in facts.data[0].gave
    assert facts.commands[-1].startswith(
        "accelerate launch --num_processes 1 --cpu train_accelerate.py --pairs"
    )
    scores = {(score.method, score.metric): score for score in facts.scores}
    assert scores[THIS_MODEL, "PSNR"].pairs == 3
    assert scores["input photo", "MS-SSIM"].ci95 is not None
    assert "research" in (whole_run / "generator/README.md").read_text()
    for step in (0, 2, 4):
        picture = Image.open(whole_run / f"results/samples/step_{step:06d}.png")
        assert picture.size == (3 * 48, 3 * 48), "phone, enhanced and DSLR, a pair a row"
    assert sorted(path.name for path in whole_run.glob("checkpoint-*")) == [
        "checkpoint-2",
        "checkpoint-4",
    ]
    assert [path.name for path in whole_run.glob(".*")] == [".lock"], "nothing unfinished is left"


def test_the_log_has_every_term_its_gradient_and_the_scores(whole_run):
    logged = set().union(*rows(whole_run))
    assert {"train/texture", "train/color", "train/discriminator", "train/learning_rate"} <= logged
    assert {"train/discriminator_accuracy", "gradient/texture", "gradient/color"} <= logged
    assert {f"validation/{side}/{metric}" for side in ("input", "model") for metric in
            ("psnr", "ssim", "ms_ssim")} <= logged  # fmt: skip


def test_the_first_sample_picture_shows_phone_and_dslr_as_they_are(whole_run, pairs):
    picture = np.array(Image.open(whole_run / "results/samples/step_000000.png"))
    for row in range(3):
        for column, side in ((0, "iphone"), (2, "canon")):
            shown = picture[48 * row : 48 * (row + 1), 48 * column : 48 * (column + 1)]
            expected = np.array(Image.open(pairs / f"test_data/patches/{side}/{row}.png"))
            assert (shown == expected).all()


def test_stopped_and_resumed_is_bit_identical(whole_run, pairs, tmp_path):
    # The same run, of which only the first checkpoint is left.
    shutil.copytree(whole_run / "checkpoint-2", tmp_path / "checkpoint-2")
    result = train_here(
        [*flags(pairs, tmp_path), "--max_train_steps", 4, "--resume_from_checkpoint", "latest"]
    )
    assert result.returncode == 0, result.stderr
    assert "going on from" in result.stderr
    resumed, straight = weights(tmp_path), weights(whole_run)
    assert all(torch.equal(resumed[key], straight[key]) for key in straight)


@pytest.mark.slow
def test_a_run_with_soap_is_gone_on_with_bit_identically_too(pairs, tmp_path):
    common = [*flags(pairs, tmp_path), "--optimizer", "soap", "--max_train_steps", 4]
    straight = train_here(common)
    assert straight.returncode == 0, straight.stderr
    gone_on_with = [*common, "--output_dir", tmp_path / "again"]
    shutil.copytree(tmp_path / "checkpoint-2", tmp_path / "again/checkpoint-2")
    resumed = train_here([*gone_on_with, "--resume_from_checkpoint", "latest"])
    assert resumed.returncode == 0, resumed.stderr
    first, second = weights(tmp_path), weights(tmp_path / "again")
    assert all(torch.equal(first[key], second[key]) for key in first)
    shutil.copytree(tmp_path / "checkpoint-2", tmp_path / "adam/checkpoint-2")
    other = [*common, "--output_dir", tmp_path / "adam", "--optimizer", "adam"]
    refused = train_here([*other, "--resume_from_checkpoint", "latest"])
    assert refused.returncode == 1
    assert "--optimizer" in refused.stderr and "Traceback" not in refused.stderr


def test_resume_without_a_checkpoint_starts_anew_and_says_so(pairs, tmp_path):
    arguments = [*flags(pairs, tmp_path), "--max_train_steps", 1]
    result = train_here([*arguments, "--resume_from_checkpoint", "latest"])
    assert result.returncode == 0, result.stderr
    assert "starting anew" in result.stderr


@pytest.mark.slow
def test_two_processes_train_as_one_on_the_joined_batch(pairs, tmp_path):
    common = [*flags(pairs, tmp_path), "--max_train_steps", 2, "--learning_rate", "1e-4"]
    one = train_here([*common, "--train_batch_size", 4, "--output_dir", tmp_path / "one"])
    two = train([*common, "--output_dir", tmp_path / "two"], processes=2)
    assert one.returncode == 0, one.stderr
    assert two.returncode == 0, two.stderr
    assert "4 pairs per step (processes: 1, on cpu)" in one.stderr
    assert "4 pairs per step (processes: 2, on cpu)" in two.stderr
    first, second = weights(tmp_path / "one"), weights(tmp_path / "two")
    error = max((first[key] - second[key]).abs().max().item() for key in first)
    moved = max((first[key] - start).abs().max().item() for key, start in untrained().items())
    # Adam divides by the gradient's own size, so float noise in the mean of two halves can move
    # a weight whose gradient is nearly nothing; it stays far below what a step moves.
    assert error < 0.05 * moved, f"two processes differ from one by {error}, a step moves {moved}"
    # The first row is of the untrained, so equal, network: three pairs on two processes.
    assert rows(tmp_path / "one")[0] == pytest.approx(rows(tmp_path / "two")[0])
    for name in ("one", "two"):
        facts = Generator.from_pretrained(tmp_path / name / "generator").facts
        assert {score.pairs for score in facts.scores} == {3}, "each pair counts once"
        assert facts.batch_size == 4


def untrained():
    set_seed(0)
    return Generator().state_dict()


@pytest.mark.slow
def test_gradient_accumulation_is_one_step_on_the_joined_batch(pairs, tmp_path):
    common = [*flags(pairs, tmp_path), "--max_train_steps", 1, "--texture_weight", 0]
    joined = train_here([*common, "--train_batch_size", 4, "--output_dir", tmp_path / "joined"])
    parts = train_here(
        [*common, "--gradient_accumulation_steps", 2, "--output_dir", tmp_path / "parts"]
    )
    assert joined.returncode == parts.returncode == 0, joined.stderr + parts.stderr
    first, second = weights(tmp_path / "joined"), weights(tmp_path / "parts")
    for key, value in first.items():
        assert torch.allclose(value, second[key], atol=2e-4), key


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["--content_weight", "1", "--vgg_weights", "absent.safetensors"], "absent.safetensors"),
        (["--pairs", "absent"], "absent"),
        (["--resolution", "100"], "resolution"),
        (["--push_to_hub"], "hub_model_id"),
        (["--max_train_steps", "0"], "max_train_steps"),
        (["--texture_weight", "0", "--color_weight", "0"], "weight"),
        (["--resume_from_checkpoint", "absent"], "no complete checkpoint"),
        (["--init_from", "absent"], "absent"),
        (["--card", "absent.json"], "absent.json"),
        (["--seed", "-1"], "seed"),
        (["--learning_rate", "nan"], "learning_rate"),
        (["--report_to", "nonsense"], "nonsense"),
        (["--hub_model_id", "bad id"], "hub_model_id"),
    ],
)
def test_a_mistake_is_one_error_message_and_writes_nothing(pairs, tmp_path, change, words):
    out = tmp_path / "out"
    arguments = [*flags(pairs, out), "--max_train_steps", 1, *change]
    result = train_here(arguments)
    assert result.returncode == 1
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("train_accelerate: ") and words in last
    assert "Traceback" not in result.stderr
    assert not (out / "generator").exists()


def test_a_checkpoint_of_other_settings_is_refused(whole_run, pairs, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(whole_run, copy)
    common = [*flags(pairs, copy), "--max_train_steps", 6, "--resume_from_checkpoint", "latest"]
    other = train_here([*common, "--color_weight", "0.5"])
    assert other.returncode == 1
    assert "--color_weight 0.2 -> 0.5" in other.stderr
    # The latest, which people know of, and once.
    assert "checkpoint-4 was made with" in other.stderr and "checkpoint-2" not in other.stderr
    assert (copy / "checkpoint-4").is_dir() and (copy / "checkpoint-2").is_dir()


def test_a_checkpoint_cut_short_is_refused_and_the_one_before_it_used(whole_run, pairs, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(whole_run, copy)
    shutil.rmtree(copy / "generator")
    state = copy / "checkpoint-4/model.safetensors"
    state.write_bytes(state.read_bytes()[:1000])
    result = train_here(
        [*flags(pairs, copy), "--max_train_steps", 4, "--resume_from_checkpoint", "latest"]
    )
    assert result.returncode == 0, result.stderr
    assert "checkpoint-4 is damaged" in result.stderr
    assert "going on from" in result.stderr and "checkpoint-2" in result.stderr
    assert (copy / "refused-checkpoint-4").is_dir(), "set aside, not thrown away"
    resumed, straight = weights(copy), weights(whole_run)
    assert all(torch.equal(resumed[key], straight[key]) for key in straight)


def test_a_new_run_does_not_mix_with_an_older_one(whole_run, pairs, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(whole_run, copy)
    result = train_here([*flags(pairs, copy), "--max_train_steps", 2])
    assert result.returncode == 1
    assert "checkpoint-4" in result.stderr and (copy / "checkpoint-4").is_dir()


def test_a_folder_in_which_another_run_works_is_left_alone(pairs, tmp_path):
    at_work = set_up_run(pairs, tmp_path)
    at_work.checkpoints.claim_folder()
    with pytest.raises(DslrGanError, match="another run is at work"):
        run_training(set_up_run(pairs, tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {".lock"}


@pytest.mark.parametrize(
    "facts", [{"licence_name": "Bad Name"}, {"limits": "one sentence"}, {"colour": 1}, ["title"]]
)
def test_a_wrong_card_is_refused_before_training(pairs, tmp_path, facts):
    card = tmp_path / "card.json"
    card.write_text(json.dumps(facts))
    with pytest.raises(DslrGanError, match=r"card\.json"):
        set_up_run(pairs, tmp_path / "out", "--card", card)


def test_what_a_network_started_from_stays_in_its_card(whole_run, pairs, tmp_path):
    run = set_up_run(pairs, tmp_path, "--init_from", whole_run / "generator")
    begin(run)
    ancestor = run.card.ancestor

    def facts():
        return run.card.facts(run.settings, run.state, run.data, run.scores, run.vgg)

    assert len(facts().commands) == 2 and facts().commands[0] == ancestor.commands[0]
    assert facts().data == ancestor.data, "the same pairs once more"
    run.state.step = 3
    assert facts().steps == ancestor.steps + 3 > 3
    run.card.ancestor = dataclasses.replace(ancestor, steps=None, data=[])
    assert facts().steps is None and len(facts().data) == 1


def test_the_generator_is_stored_as_it_was_asked_for(pairs, tmp_path):
    run = set_up_run(pairs, tmp_path, "--stored_as", "float16")
    begin(run)
    save_generator(run, tmp_path / "half", run.scores)
    saved = load_file(tmp_path / "half/model.safetensors")
    assert {value.dtype for value in saved.values()} == {torch.float16}
    assert {value.dtype for value in run.state.ema.state_dict().values()} == {torch.float32}


def test_the_content_loss_runs_on_given_vgg_weights_and_stands_in_the_card(pairs, tmp_path):
    widths = [3, 64, 64, 128, 128, 256, 256, 256]
    layers = [0, 2, 5, 7, 10, 12, 14]
    weights = {}
    for layer, incoming, outgoing in zip(layers, widths, widths[1:], strict=False):
        weights[f"features.{layer}.weight"] = torch.randn(outgoing, incoming, 3, 3) * 0.05
        weights[f"features.{layer}.bias"] = torch.zeros(outgoing)
    save_file(weights, tmp_path / "vgg.safetensors")
    more = ["--content_weight", 1, "--vgg_weights", tmp_path / "vgg.safetensors"]
    run = set_up_run(pairs, tmp_path / "out", *more, "--max_train_steps", 1)
    run_training(run)
    logged = set().union(*rows(tmp_path / "out"))
    assert {"train/content", "gradient/content", "train/texture", "train/color"} <= logged
    facts = Generator.from_pretrained(tmp_path / "out/generator").facts
    assert facts.losses == {"content": 1.0, "texture": 0.3, "color": 0.2}
    assert any("VGG-16" in teacher.name for teacher in facts.teachers)


def test_a_damaged_picture_is_named_in_the_error_message(pairs, tmp_path):
    shutil.copytree(pairs, tmp_path / "iphone")
    for file in (tmp_path / "iphone/training_data/iphone").iterdir():
        file.write_bytes(file.read_bytes()[:200])
    result = train_here(
        [
            *flags(tmp_path / "iphone", tmp_path / "out"),
            "--max_train_steps",
            1,
            "--dataloader_num_workers",
            1,
        ]  # fmt: skip
    )
    assert result.returncode == 1 and "Traceback" not in result.stderr
    assert ".png" in result.stderr.strip().splitlines()[-1]


@pytest.mark.slow
def test_with_workers_a_damaged_picture_is_one_message_and_no_traceback(pairs, tmp_path):
    """In a process of its own: the traceback came while Python ended its workers."""
    shutil.copytree(pairs, tmp_path / "iphone")
    file = tmp_path / "iphone/training_data/iphone/3.png"
    file.write_bytes(file.read_bytes()[:900])
    for attempt in range(3):
        more = ["--max_train_steps", 9, "--dataloader_num_workers", 2]
        result = train([*flags(tmp_path / "iphone", tmp_path / str(attempt)), *more])
        assert result.returncode == 1 and "Traceback" not in result.stderr
        assert "3.png" in result.stderr.strip().splitlines()[-1]


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with HubServer() as server:
        take_for_the_hub(monkeypatch, server, tmp_path / "hub home")
        yield server


PUSH = ["--max_train_steps", 2, "--push_to_hub", "--hub_model_id", "me/x"]


def test_a_run_that_may_not_push_is_refused_before_its_first_step(pairs, tmp_path, hub):
    hub.role = "read"
    result = train_here([*flags(pairs, tmp_path / "out"), *PUSH])
    assert result.returncode == 1 and "Traceback" not in result.stderr
    last = result.stderr.strip().splitlines()[-1]
    assert "the Hub does not take me/x (the token from the variable HF_TOKEN may only" in last
    assert "leave out --push_to_hub" in last
    assert not list((tmp_path / "out").glob("[a-z]*")) and not hub.repositories


def test_a_push_that_fails_after_all_leaves_all_and_names_the_command(
    pairs, tmp_path, hub, monkeypatch
):
    def check(*arguments, **options):
        check_push(*arguments, **options)
        hub.role = "read"

    monkeypatch.setattr(launching, "check_push", check)
    out = tmp_path / "out"
    result = train_here([*flags(pairs, out), *PUSH])
    assert result.returncode == 1 and "Traceback" not in result.stderr
    last = result.stderr.strip().splitlines()[-1]
    command = f"python -m dslr_gan push {out / 'generator'} --repo me/x"
    assert f"is whole in {out / 'generator'}; `{command}` pushes" in last
    assert Generator.from_pretrained(out / "generator").facts.steps == 2
    assert (out / "checkpoint-2").is_dir()
    hub.role = "write"
    monkeypatch.setattr(launching, "check_push", check_push)
    again = train_here([*flags(pairs, out), *PUSH, "--resume_from_checkpoint", "latest"])
    assert again.returncode == 0 and "pushed: " in again.stderr
    found = hub.repositories["me/x"]
    stored = {name: file.content for name, file in found.files("main").items()}
    pushed = out / ("best" if f"pushed: {out / 'best'}" in again.stderr else "generator")
    for name in ("model.safetensors", "curves.png", "samples.png", "run.json"):
        assert stored[name] == (pushed / name).read_bytes()
    assert "before-after.jpg" in stored and b"![Losses and" in stored["README.md"]
    facts = Generator.from_pretrained(pushed).facts
    message = found.messages[found.branches["main"]]
    assert message.startswith(f"dslr_gan out: step {facts.steps}, PSNR ")
    assert "MS-SSIM 0." in message and "on 3 pairs" in message


def set_up_run(pairs, out, *more):
    return set_up_here([*flags(pairs, out), *more])


def test_the_discriminator_is_frozen_in_the_generator_s_step(pairs, tmp_path):
    run = set_up_run(pairs, tmp_path)
    batch = next(run.data.batches(run.accelerator, 0))
    enhanced = run.generator(batch.phone, batch.context(run.network))
    terms = generator_terms(run, enhanced, batch.dslr)
    run.accelerator.backward(run.settings.losses.total(terms))
    assert next(run.generator.parameters()).grad is not None
    assert all(parameter.grad is None for parameter in run.discriminator.parameters())
    assert all(parameter.requires_grad for parameter in run.discriminator.parameters())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_run_after_its_step_with_a_checkpoint(number, pairs, tmp_path):
    run = set_up_run(pairs, tmp_path, "--validation_steps", 100)
    begin(run)
    stop = StopRequest(print)
    steps = train_steps(run, stop)
    next(steps)
    assert not list(tmp_path.glob("checkpoint-*"))
    stop.signal = number
    with pytest.raises(Stopped, match=f"stopped by {number.name} after step 2") as stopped:
        next(steps)
    assert stopped.value.status == 128 + number
    assert [path.name for path in tmp_path.glob("checkpoint-*")] == ["checkpoint-2"]


def test_a_loss_that_is_not_finite_stops_the_run(pairs, tmp_path):
    run = set_up_run(pairs, tmp_path)
    with torch.no_grad():
        next(run.generator.parameters()).fill_(float("nan"))
    with pytest.raises(DslrGanError, match="loss became nan in step 1"):
        run_training(run)
    assert not (tmp_path / "generator").exists() and not list(tmp_path.glob("checkpoint-*"))


def test_training_brings_the_phone_closer_to_the_dslr(pairs, tmp_path):
    more = ["--max_train_steps", 40, "--texture_weight", 0, "--l1_weight", 1, "--color_weight", 0]
    run = set_up_run(pairs, tmp_path, *more, "--validation_steps", 40, "--checkpointing_steps", 40)
    run_training(run)
    assert run.scores.model.means["psnr"] > run.scores.input.means["psnr"] + 3


@pytest.mark.slow
def test_a_collapse_stops_the_run_and_the_best_generator_stays(pairs, tmp_path):
    """A generator thrown about by far too large steps loses to the discriminator for good."""
    more = ["--texture_weight", 1, "--color_weight", 0, "--learning_rate", 0.3, "--ema_decay", 0,
            "--discriminator_learning_rate", 1e-3, "--collapse_steps", 3, "--max_train_steps", 60,
            "--validation_steps", 1, "--lr_warmup_steps", 0]  # fmt: skip
    run = set_up_run(pairs, tmp_path, *more)
    with pytest.raises(DslrGanError, match="the training has collapsed: .*best"):
        run_training(run)
    best = Generator.from_pretrained(tmp_path / "best")
    assert best.facts.steps == run.state.guard.best_step < run.state.step < 60
    scored = {row["step"]: row["validation/model/ms_ssim"] for row in rows(tmp_path)
              if "validation/model/ms_ssim" in row}  # fmt: skip
    assert scored[best.facts.steps] == max(scored[step] for step in scored if step)
    assert scored[run.state.step] < scored[0]
    assert not (tmp_path / "generator").exists()


def test_the_best_generator_is_kept_beside_the_last(whole_run):
    scored = {row["step"]: row["validation/model/ms_ssim"] for row in rows(whole_run)
              if "validation/model/ms_ssim" in row}  # fmt: skip
    best = Generator.from_pretrained(whole_run / "best").facts
    assert best.steps == max((2, 4), key=scored.get)


def test_the_results_folder_is_for_people(whole_run):
    names = {path.name for path in (whole_run / "results").iterdir()}
    assert names == {"index.html", "curves.png", "samples", "log.jsonl", "run.json"}
    run = json.loads((whole_run / "results/run.json").read_text())
    assert "train_accelerate.py --pairs" in run["commands"][0]
    assert run["settings"]["max_train_steps"] == 4
    assert list((whole_run / "dslr_gan").glob("events.*")), "TensorBoard is the default"


@pytest.mark.parametrize("architecture", ["srcnn", pytest.param("vdsr", marks=pytest.mark.slow)])
def test_baselines_train_by_the_same_script(architecture, pairs, tmp_path):
    more = ["--architecture", architecture, "--max_train_steps", 100, "--l1_weight", 1,
            "--learning_rate", 1e-3, "--texture_weight", 0, "--validation_steps", 100]  # fmt: skip
    run = set_up_run(pairs, tmp_path, *more)
    run_training(run)
    first, last = rows(tmp_path)[0], rows(tmp_path)[-1]
    assert last["validation/model/psnr"] > first["validation/model/psnr"] + 0.5
    assert "gradient/l1" in last
    enhancer = PhotoEnhancer.from_pretrained(tmp_path / "generator")
    assert type(enhancer.generator).__name__.lower() == architecture
    again = set_up_run(pairs, tmp_path / "again", "--init_from", tmp_path / "generator")
    assert type(again.network).__name__.lower() == architecture


@pytest.mark.parametrize("more", [["--channels_last"], ["--mixed_precision", "bf16"]])
@pytest.mark.slow
def test_faster_ways_give_nearly_the_same_step(more, pairs, tmp_path):
    common = ["--max_train_steps", 2, "--l1_weight", 1, "--texture_weight", 0]
    plain, fast = set_up_run(pairs, tmp_path / "plain", *common), None
    run_training(plain)
    fast = set_up_run(pairs, tmp_path / "fast", *common, *more)
    run_training(fast)
    # bf16 keeps 8 bits of each number; the losses themselves stay in float32.
    tolerance = 0.05 if "bf16" in more else 1e-4
    for name in ("train/l1", "train/color"):
        assert rows(tmp_path / "fast")[1][name] == pytest.approx(
            rows(tmp_path / "plain")[1][name], rel=tolerance
        )
    dtypes = {parameter.dtype for parameter in fast.network.parameters()}
    assert dtypes == {torch.float32}


@pytest.mark.slow
def test_compiled_it_trains_and_measures_gradients(pairs, tmp_path):
    common = ["--architecture", "srcnn", "--texture_weight", 0, "--max_train_steps", 2]
    run_training(set_up_run(pairs, tmp_path / "plain", *common))
    run_training(set_up_run(pairs, tmp_path / "compiled", *common, "--compile"))
    plain, compiled = (rows(tmp_path / name)[-1] for name in ("plain", "compiled"))
    assert plain.keys() == compiled.keys() and "gradient/color" in plain
    # Fused kernels add up in another order.
    assert compiled == pytest.approx(plain, rel=1e-3)


def test_a_stream_goes_on_bit_for_bit(pairs, tmp_path):
    common = ["--streaming", "--texture_weight", 0, "--l1_weight", 1, "--max_train_steps", 6,
              "--checkpointing_steps", 4, "--validation_steps", 6]  # fmt: skip
    run_training(set_up_run(pairs, tmp_path / "whole", *common))
    (tmp_path / "rest").mkdir()
    shutil.copytree(tmp_path / "whole/checkpoint-4", tmp_path / "rest/checkpoint-4")
    rest = set_up_run(pairs, tmp_path / "rest", *common, "--resume_from_checkpoint", "latest")
    run_training(rest)
    whole, resumed = weights(tmp_path / "whole"), weights(tmp_path / "rest")
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)


def test_what_researchers_ask_for(pairs, tmp_path):
    photo = tmp_path / "beach.png"
    Image.fromarray(np.full((40, 60, 3), 90, np.uint8)).save(photo)
    config = tmp_path / "run.yaml"
    config.write_text(f"pairs: {pairs}\nnum_train_epochs: 1\nmax_train_samples: 6\n")
    run = set_up_here(
        ["--config", config, "--output_dir", tmp_path / "out", *SHORT, "--texture_weight", 0,
         "--init_from", "sony", "--validation_images", photo, "--logging_dir", tmp_path / "logs",
         "--tracker_project_name", "mine", "--report_to", "tensorboard", "--cpu", "--adam_beta1",
         0.5]
    )  # fmt: skip
    assert run.settings.schedule.max_train_steps == 3, "six pairs, two a step"
    assert run.network.config == PhotoEnhancer.from_pretrained("sony").generator.config
    assert run.optimizer.param_groups[0]["betas"] == (0.5, 0.999)
    run_training(run)
    assert {file.name for file in (tmp_path / "out/results/photos").iterdir()} == {
        "beach_step_000000.jpg",
        "beach_step_000003.jpg",
    }
    assert list((tmp_path / "logs/mine").glob("events.*")) and not (tmp_path / "out/mine").exists()
    assert Generator.from_pretrained(tmp_path / "out/generator").facts.data


def test_a_stream_without_test_pairs_says_what_to_do(pairs, tmp_path):
    with pytest.raises(DslrGanError, match="a stream cannot be divided; .*--validation_pairs"):
        set_up_run(pairs / "training_data", tmp_path, "--streaming")


@pytest.mark.slow
def test_without_any_standard_stream_it_trains(pairs, tmp_path):
    words = [sys.executable, "train_accelerate.py", "--pairs", pairs, "--output_dir", tmp_path]
    words += [*SHORT, "--max_train_steps", 1, "--report_to", "none"]
    command = f"{shlex.join(map(str, words))} <&- >&- 2>&-"
    assert subprocess.run(command, shell=True, cwd=ROOT, env=ENVIRONMENT).returncode == 0
    assert (tmp_path / "generator/model.safetensors").is_file()
