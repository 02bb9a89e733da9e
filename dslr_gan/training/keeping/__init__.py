"""Nothing is lost: checkpoints, signals, the collapse guard, what a run may not overwrite."""
