"""What the launcher promised is there, or the message says what is not; what is pushed, when."""

from types import SimpleNamespace

import pytest
import torch

from dslr_gan.errors import DslrGanError, HubError
from dslr_gan.models.registry import make_network
from dslr_gan.training import launching
from dslr_gan.training.arguments import parse_arguments
from dslr_gan.training.launching import (
    FIRST_WORD_S,
    check_right_to_push,
    end_with,
    make_accelerator,
    memory_advice,
    on_main,
    processes_told,
    push_generator,
)
from tests.support.hub_server import HubServer, take_for_the_hub


def settings(*more):
    return parse_arguments(["--pairs", "pairs", "--output_dir", "out", *more])


def launched(monkeypatch, processes, gpus):
    monkeypatch.setenv("WORLD_SIZE", str(processes))
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(processes))
    monkeypatch.delenv("ACCELERATE_USE_CPU", raising=False)
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")  # as Accelerate's launcher does
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    one = SimpleNamespace(num_processes=1, mixed_precision="no", device=torch.device("cpu"))

    def start(cpu, **_):
        one.cpu = cpu
        return one

    monkeypatch.setattr(launching, "Accelerator", start)
    return one


def test_processes_without_a_gpu_are_told_that_there_is_none(monkeypatch):
    launched(monkeypatch, processes=2, gpus=0)
    with pytest.raises(DslrGanError, match="started 2 processes, but no GPU is visible"):
        make_accelerator(settings(), [])


def test_processes_of_other_launchers_without_a_gpu_train_on_the_processor(monkeypatch):
    one = launched(monkeypatch, processes=2, gpus=0)
    one.num_processes = 2
    monkeypatch.delenv("ACCELERATE_MIXED_PRECISION")  # torchrun's do not have it
    assert make_accelerator(settings(), []).cpu is True
    monkeypatch.delenv("WORLD_SIZE")
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "2")
    assert make_accelerator(settings(), []).cpu is True
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert make_accelerator(settings(), []).cpu is False
    assert make_accelerator(settings("--cpu"), []).cpu is True


def test_half_precision_on_a_processor_is_refused_whoever_asked(monkeypatch):
    one = launched(monkeypatch, processes=1, gpus=0)
    one.mixed_precision = "fp16"  # of `accelerate config`, for example
    with pytest.raises(DslrGanError, match="fp16 needs a GPU"):
        make_accelerator(settings(), [])


def test_a_launcher_that_started_one_of_several_is_told(monkeypatch):
    one = launched(monkeypatch, processes=1, gpus=0)
    assert processes_told(one) == "processes: 1, on cpu"
    monkeypatch.setenv("MASTER_PORT", "29500")
    assert "asked for several, which on processors torchrun starts" in processes_told(one)
    one.num_processes = 2
    assert processes_told(one) == "processes: 2, on cpu"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "2 GiB"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "can't"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_a_lack_of_memory_comes_with_flags_that_keep_the_pairs_per_step(error, words):
    told = memory_advice(error, settings("--train_batch_size", "16"))
    assert words in told and told.endswith(".")
    assert "--train_batch_size 8 --gradient_accumulation_steps 2, and go on with" in told
    assert "smaller --resolution" in memory_advice(error, settings("--train_batch_size", "1"))
    assert memory_advice(RuntimeError("size mismatch"), settings()) is None


def test_fewer_gpus_than_processes_are_counted(monkeypatch):
    launched(monkeypatch, processes=8, gpus=4)
    with pytest.raises(DslrGanError, match=r"8 processes here, but only 4 .*--num_processes 4"):
        make_accelerator(settings(), [])


def test_processes_that_do_not_know_of_each_other_are_refused(monkeypatch):
    launched(monkeypatch, processes=2, gpus=2)
    with pytest.raises(DslrGanError, match="each would train alone .2 GPUs are visible"):
        make_accelerator(settings(), [])


@pytest.mark.parametrize(("rank", "waits"), [(None, []), ("0", []), ("3", [FIRST_WORD_S])])
def test_the_main_process_has_the_first_word(monkeypatch, rank, waits):
    slept = []
    monkeypatch.setattr(launching.time, "sleep", slept.append)
    monkeypatch.delenv("RANK", raising=False)
    if rank is not None:
        monkeypatch.setenv("RANK", rank)
    with pytest.raises(SystemExit, match=r"^train_accelerate: it was so\.$"):
        end_with("it was so.")
    assert slept == waits


def test_what_the_main_process_cannot_do_is_raised_on_all(monkeypatch):
    full = DslrGanError("there is no room.")
    monkeypatch.setattr(launching, "broadcast_object_list", lambda outcome: [full])
    with pytest.raises(DslrGanError, match="there is no room"):
        on_main(SimpleNamespace(is_main_process=False), pytest.fail)


def test_one_process_needs_no_gpu(monkeypatch):
    one = launched(monkeypatch, processes=1, gpus=0)
    assert make_accelerator(settings(), []) is one


@pytest.mark.parametrize(
    "error",
    [
        ValueError("fp16 mixed precision requires a GPU"),
        ImportError("DeepSpeed is not installed"),
        RuntimeError("fp8 needs transformer-engine"),
    ],
)
def test_what_accelerate_cannot_start_with_is_one_message(error, monkeypatch):
    launched(monkeypatch, processes=1, gpus=0)

    def refuse(**_):
        raise error

    monkeypatch.setattr(launching, "Accelerator", refuse)
    with pytest.raises(DslrGanError, match=f"{error}; no GPU is visible here"):
        make_accelerator(settings(), [])


ALONE = SimpleNamespace(is_main_process=True, num_processes=1)
PUSHES = ("--push_to_hub", "--hub_model_id", "me/x")


def test_the_right_to_push_is_asked_for_by_those_who_push(monkeypatch):
    asked = []
    monkeypatch.setattr(launching, "check_push", lambda target, advice: asked.append(target))
    check_right_to_push(ALONE, settings().hub)
    check_right_to_push(ALONE, settings("--hub_model_id", "me/x").hub)
    other = SimpleNamespace(is_main_process=False, num_processes=1)
    check_right_to_push(other, settings(*PUSHES).hub)
    assert asked == []
    check_right_to_push(ALONE, settings(*PUSHES).hub)
    assert [target.repo_id for target in asked] == ["me/x"]


def test_a_push_that_fails_names_the_command_that_pushes_again(monkeypatch, tmp_path):
    folder = tmp_path / "my run/generator"
    network = make_network("srcnn")
    network.save_pretrained(folder)
    hub_flags = settings(*PUSHES, "--hub_private", "--hub_tag", "v1").hub
    with HubServer() as hub:
        take_for_the_hub(monkeypatch, hub, tmp_path)
        hub.role = "read"
        with pytest.raises(HubError, match="the Hub does not take me/x") as caught:
            push_generator(ALONE, folder, hub_flags)
        command = f"python -m dslr_gan push '{folder}' --repo me/x --private --tag v1"
        assert f"is whole in {folder}; `{command}` pushes it." in str(caught.value)
        hub.role = "write"
        words = push_generator(ALONE, folder, hub_flags)
        assert words.startswith(f"pushed: {folder} as {hub.url}/me/x/commit/")
        found = hub.repositories["me/x"]
        assert found.private and found.tags["v1"] == found.branches["main"]
        files = found.files("v1")
        assert files["before-after.jpg"].content.startswith(b"\xff\xd8")
        weights = (folder / "model.safetensors").read_bytes()
        assert files["model.safetensors"].content == weights
