"""The trainer's flags by group, a typed, frozen dataclass each; none of them imports PyTorch."""
