"""One training step, its gradients written to a file: run on one process and on several.

python -m tests.support.gradients FILE TRAINER_FLAGS...
"""

import sys

from safetensors.torch import save_file

from dslr_gan.training.arguments import parse_arguments
from dslr_gan.training.keeping.signals import StopRequest
from train_accelerate import set_up, train


def main() -> None:
    """Run one step of both networks and keep the gradients that the optimizers get."""
    run = set_up(parse_arguments(sys.argv[2:]))
    run.logbook.start(0, {"commands": [], "settings": {}})
    kept = {}

    def keep(name, network, optimizer):
        def step():
            for key, parameter in run.accelerator.unwrap_model(network).named_parameters():
                kept[f"{name}.{key}"] = parameter.grad.clone()

        optimizer.step = step

    keep("generator", run.generator, run.optimizer)
    keep("discriminator", run.discriminator, run.discriminator_optimizer)
    next(train(run, StopRequest(print)))
    if run.accelerator.is_main_process:
        save_file(kept, sys.argv[1])


if __name__ == "__main__":
    main()
