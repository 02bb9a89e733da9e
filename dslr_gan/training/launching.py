"""Starting on the devices that the launcher promised, and pushing what came out of it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import (
    GradientAccumulationPlugin,
    ProjectConfiguration,
    broadcast_object_list,
)

from dslr_gan.errors import DslrGanError, reason
from dslr_gan.evaluation.showcase import show_before_and_after
from dslr_gan.hub import check_push
from dslr_gan.models.registry import load_network
from dslr_gan.training.arguments import Settings
from dslr_gan.training.options.hub import Hub


def make_accelerator(settings: Settings, trackers: list[str]) -> Accelerator:
    """Start Accelerate, on all the processes and devices that the launcher promised.

    Args:
        settings: Of the run.
        trackers: What it reports to.

    Raises:
        DslrGanError: If GPUs are missing that the launcher was configured for, or Accelerate
            cannot start with its configuration.
    """
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    on_cpu = os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes", "on")
    gpus = torch.cuda.device_count()
    if not on_cpu and 0 < gpus < here:
        raise DslrGanError(
            f"the launcher started {here} processes here, but only {gpus} GPUs are visible; give "
            f"--num_processes {gpus}, or check nvidia-smi and CUDA_VISIBLE_DEVICES."
        )
    try:
        accelerator = Accelerator(
            mixed_precision=settings.network.mixed_precision,
            log_with=trackers or None,
            project_config=ProjectConfiguration(str(settings.output.output_dir)),
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
            "processor: accelerate launch --cpu train_accelerate.py ..."
        )
    if accelerator.num_processes < processes:
        raise DslrGanError(
            f"the launcher started {processes} processes, but each would train alone "
            f"({gpus} GPUs are visible); answer `accelerate config` anew."
        )
    return accelerator


def check_right_to_push(accelerator: Accelerator, hub: Hub) -> None:
    """Refuse a run whose generator the Hub would not take, before its first step.

    Raises:
        HubError: On every process, with what to do.
    """
    if hub.push_to_hub:
        advice = " Or leave out --push_to_hub, and push when the training is done."
        _on_main(accelerator, lambda: check_push(hub.target(), advice=advice))


def push_generator(accelerator: Accelerator, folder: Path, hub: Hub) -> str:
    """Put a saved generator on the Hub, from the main process.

    Args:
        accelerator: Knows the processes.
        folder: Where it was saved.
        hub: Where to, and how.

    Returns:
        What was pushed, and the address of the commit.

    Raises:
        DslrGanError: On every process, if the Hub cannot be reached or refuses; it names the
            command that pushes again.
    """

    def push() -> str:
        target = hub.target()
        network = load_network(folder)
        show_before_and_after(network)
        address = network.push_to_hub(
            target.repo_id,
            private=target.private,
            branch=target.branch,
            create_pr=target.create_pr,
            tag=target.tag,
            replace_card=target.replace_card,
            space=hub.hub_space,
            advice=f" The generator is whole in {folder}; `{target.command(folder)}` pushes it.",
        )
        return f"pushed: {folder} as {address}"

    return _on_main(accelerator, push)


def _on_main(accelerator: Accelerator, action: Callable[[], Any]) -> Any:
    """What an action on the main process gives; its error is raised on every process."""
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
