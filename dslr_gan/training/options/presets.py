"""Presets: defaults for many flags at once."""

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    # The paper's own weights, iterations and batch; DPED's learning rate. The fall of the rate
    # along a cosine is ours.
    "paper": {
        "architecture": "paper",
        "max_train_steps": 30_000,
        "train_batch_size": 30,
        "learning_rate": 5e-4,
        "lr_warmup_steps": 0,
        "ema_decay": 0.0,
        "validation_steps": 1000,
        "checkpointing_steps": 1000,
    },
    # What the bundled models are made with. It departs from the paper: without VGG-16 weights
    # there is no content term, and against the paper's confessed flaws (noise, excessive colour)
    # the distances that the models are judged by stand in for the adversarial term.
    "shipped": {
        "architecture": "light",
        "max_train_steps": 7000,
        "optimizer": "soap",
        "learning_rate": 3e-3,
        "ema_decay": 0.999,
        "content_weight": 0.0,
        "texture_weight": 0.0,
        "color_weight": 0.0,
        "l1_weight": 1.0,
        "ssim_weight": 0.5,
        "ms_ssim_weight": 0.3,
        "stored_as": "float16",
    },
}
