"""Starting on the devices that the launcher promised, and pushing what came out of it."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import torch
from accelerate import Accelerator
from accelerate.utils import (
    GradientAccumulationPlugin,
    ProjectConfiguration,
    broadcast_object_list,
    get_int_from_env,
    parse_flag_from_env,
)

from dslr_gan.enhance.running.memory import lacks_memory
from dslr_gan.errors import DslrGanError, reason
from dslr_gan.evaluation.showcase import show_before_and_after
from dslr_gan.hub import check_push
from dslr_gan.models.registry import load_network
from dslr_gan.training.arguments import Settings
from dslr_gan.training.keeping.signals import HOW_TO_GO_ON
from dslr_gan.training.options.hub import Hub

_PROCESSES = ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")
"""Where torchrun and the implementations of MPI say how many processes they started."""

_RANKS = ("RANK", "PMI_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK")
"""Where they say which of these a process is."""

FIRST_WORD_S = 5.0
"""Seconds that the main process has to say what ends all of them."""


def make_accelerator(settings: Settings, trackers: list[str]) -> Accelerator:
    """Start Accelerate, on all the processes and devices that the launcher promised.

    Args:
        settings: Of the run.
        trackers: What it reports to.

    Raises:
        DslrGanError: If GPUs are missing that the launcher was configured for, or Accelerate
            cannot start with its configuration.
    """
    output = settings.output
    processes = get_int_from_env(_PROCESSES, 1)
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    gpus = torch.cuda.device_count()
    on_cpu = settings.network.cpu or parse_flag_from_env("ACCELERATE_USE_CPU")
    # Accelerate's own launcher starts several processes without --cpu only for GPUs; torchrun and
    # mpirun do not ask, and where there are none Accelerate would take each for the only one.
    if processes > 1 and not gpus and "ACCELERATE_MIXED_PRECISION" not in os.environ:
        on_cpu = True
    if not on_cpu and 0 < gpus < here:
        raise DslrGanError(
            f"the launcher started {here} processes here, but only {gpus} GPUs are visible; give "
            f"--num_processes {gpus}, or check nvidia-smi and CUDA_VISIBLE_DEVICES."
        )
    try:
        accelerator = Accelerator(
            cpu=on_cpu,
            mixed_precision=settings.network.mixed_precision,
            log_with=trackers or None,
            project_config=ProjectConfiguration(
                str(output.output_dir), str(output.logging_dir or output.output_dir)
            ),
            gradient_accumulation_plugin=GradientAccumulationPlugin(
                num_steps=settings.schedule.gradient_accumulation_steps, sync_with_dataloader=False
            ),
        )
    # Whatever `accelerate config` promised: a precision, DeepSpeed, FSDP.
    except (ImportError, NotImplementedError, OSError, RuntimeError, ValueError) as error:
        visible = f"{gpus} GPUs are" if gpus else "no GPU is"
        raise DslrGanError(
            f"Accelerate cannot start as it is configured ({reason(error)}; {visible} visible "
            "here); answer `accelerate config` anew, or check nvidia-smi and CUDA_VISIBLE_DEVICES."
        ) from error
    if accelerator.num_processes < processes and not gpus:
        raise DslrGanError(
            f"the launcher started {processes} processes, but no GPU is visible here, and each "
            "would train alone; check nvidia-smi and CUDA_VISIBLE_DEVICES, or train on the "
            "processor: add --cpu behind train_accelerate.py."
        )
    if accelerator.num_processes < processes:
        raise DslrGanError(
            f"the launcher started {processes} processes, but each would train alone "
            f"({gpus} GPUs are visible); answer `accelerate config` anew."
        )
    if accelerator.mixed_precision == "fp16" and accelerator.device.type == "cpu":
        raise DslrGanError("fp16 needs a GPU, and there is none here; take bf16 or no.")
    return accelerator


def processes_told(accelerator: Accelerator) -> str:
    """How many processes train and on what, for people: some launchers start fewer than asked."""
    told = f"processes: {accelerator.num_processes}, on {accelerator.device.type}"
    if accelerator.num_processes == 1 and "MASTER_PORT" in os.environ:
        told += "; the launcher was asked for several, which on processors torchrun starts"
    return told


def memory_advice(error: BaseException, settings: Settings) -> str | None:
    """What to do about a lack of memory, for people; None where an error is about something else.

    Args:
        error: Raised by PyTorch or Python anywhere in the training.
        settings: Of the run.
    """
    if not lacks_memory(error):
        return None
    schedule = settings.schedule
    advice = "give a smaller --resolution"
    if schedule.train_batch_size > 1:
        half, twice = schedule.train_batch_size // 2, 2 * schedule.gradient_accumulation_steps
        advice = f"give --train_batch_size {half} --gradient_accumulation_steps {twice}"
    return f"memory ran out ({reason(error)}); {advice}, and {HOW_TO_GO_ON}."


def file_advice(error: OSError) -> str:
    """What to do about a file that could not be read or written, for people."""
    return (
        f"{error.filename or 'a file'}: {error.strerror or error}; check the path, its "
        "permissions and the space on the disk."
    )


def end_with(message: str) -> NoReturn:
    """End this process with an error message and status 1.

    What ends one of several processes mostly ends all of them, and is to be said once. The launcher
    ends the others as soon as the main one has ended; only where it has not they speak.
    """
    if get_int_from_env(_RANKS, 0) > 0:
        time.sleep(FIRST_WORD_S)
    sys.exit(f"train_accelerate: {message}")


def check_right_to_push(accelerator: Accelerator, hub: Hub) -> None:
    """Refuse a run whose generator the Hub would not take, before its first step.

    Raises:
        HubError: On every process, with what to do.
    """
    if hub.push_to_hub:
        advice = " Or leave out --push_to_hub, and push when the training is done."
        on_main(accelerator, lambda: check_push(hub.target(), advice=advice))


def push_generator(accelerator: Accelerator, folder: Path, hub: Hub) -> str:
    """Put a saved generator on the Hub, from the main process.

    Args:
        accelerator: Knows the processes.
        folder: Where it was saved.
        hub: Where to, and how.

    Returns:
        What was pushed, and the address of the commit.

    Raises:
        DslrGanError: If the Hub cannot be reached or refuses, on every process; it names the
            command that pushes again.
    """

    def push() -> str:
        target = hub.target()
        network = load_network(folder)
        show_before_and_after(network)
        again = target.command(folder, space=hub.hub_space)
        address = network.push_to_hub(
            target.repo_id,
            private=target.private,
            token=target.token,
            branch=target.branch,
            create_pr=target.create_pr,
            tag=target.tag,
            replace_card=target.replace_card,
            space=hub.hub_space,
            advice=f" The generator is whole in {folder}; `{again}` pushes it.",
        )
        return f"pushed: {folder} as {address}"

    return on_main(accelerator, push)


def on_main(accelerator: Accelerator, action: Callable[[], Any]) -> Any:
    """What an action on the main process gives, on every process.

    Raises:
        DslrGanError: The action's, on every process, so that all of them end or all go on.
    """
    outcome: list[Any] = [None]
    if accelerator.is_main_process:
        try:
            outcome = [action()]
        except DslrGanError as error:
            outcome = [error]
    (result,) = broadcast_object_list(outcome)
    if isinstance(result, DslrGanError):
        raise result
    return result
