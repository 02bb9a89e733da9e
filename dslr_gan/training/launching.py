"""Starting on the devices that the launcher promised, and pushing what came out of it."""

import os
import shlex
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

from dslr_gan.errors import DslrGanError, HubError, reason
from dslr_gan.hub import check_push, push
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
    repo_id = hub.hub_model_id
    if hub.push_to_hub and repo_id:
        advice = " Or leave out --push_to_hub, and push when the training is done."
        _on_main(accelerator, lambda: check_push(repo_id, advice=advice))


def push_generator(accelerator: Accelerator, folder: Path, repo_id: str) -> str:
    """Put the finished generator on the Hub, from the main process.

    Args:
        accelerator: Knows the processes.
        folder: Where it was saved.
        repo_id: Hub id ``owner/name``.

    Returns:
        The address of the commit.

    Raises:
        HubError: On every process, if the Hub cannot be reached or refuses; it names the command
            that pushes again.
    """
    command = shlex.join(["hf", "upload", repo_id, str(folder)])
    advice = f" The generator is whole in {folder}; `{command}` pushes it."
    message = "Upload the network"
    return _on_main(
        accelerator, lambda: push(folder, repo_id, commit_message=message, advice=advice).commit
    )


def _on_main(accelerator: Accelerator, action: Callable[[], Any]) -> Any:
    """What an action on the main process gives; its error is raised on every process."""
    outcome: list[Any] = [None]
    if accelerator.is_main_process:
        try:
            outcome = [action()]
        except HubError as error:
            outcome = [error]
    (result,) = broadcast_object_list(outcome)
    if isinstance(result, HubError):
        raise result
    return result
