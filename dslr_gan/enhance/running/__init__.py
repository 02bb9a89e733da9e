"""A network on this machine: its device and precision, its memory, and what forks need."""
