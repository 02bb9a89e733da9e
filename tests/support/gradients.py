"""One training step, its gradients written to a file: run on one process and on several.

python -m tests.support.gradients FILE TRAINER_FLAGS...
"""

import sys

from safetensors.torch import save_file

from dslr_gan.training.arguments import parse_arguments
from train_accelerate import Trainer


def main() -> None:
    """Run one forward and backward pass of both networks and keep what the optimizers get."""
    trainer = Trainer(parse_arguments(sys.argv[2:]))
    kept = {}

    def keep(name, network, optimizer):
        def step():
            for key, parameter in trainer.accelerator.unwrap_model(network).named_parameters():
                kept[f"{name}.{key}"] = parameter.grad.clone()

        optimizer.step = step

    keep("generator", trainer.generator, trainer.optimizer)
    keep("discriminator", trainer.discriminator, trainer.discriminator_optimizer)
    trainer.train_on(trainer.on_device(next(iter(trainer.batches()))))
    if trainer.accelerator.is_main_process:
        save_file(kept, sys.argv[1])


if __name__ == "__main__":
    main()
