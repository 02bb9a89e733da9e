"""The Hugging Face Hub: the one room that talks to it, and turns its errors into ours."""

from dslr_gan.hub.fetching import (
    CONFIG,
    FACTS,
    WEIGHTS,
    LocalCopy,
    Origin,
    ask_dataset,
    assets_folder,
    fetch,
    find_commit,
    is_hub_id,
    read_range,
)
from dslr_gan.hub.messages import hub_errors, not_fetched
from dslr_gan.hub.pushing import Pushed, check_push, check_repo_id, push

__all__ = [
    "CONFIG",
    "FACTS",
    "WEIGHTS",
    "LocalCopy",
    "Origin",
    "Pushed",
    "ask_dataset",
    "assets_folder",
    "check_push",
    "check_repo_id",
    "fetch",
    "find_commit",
    "hub_errors",
    "is_hub_id",
    "not_fetched",
    "push",
    "read_range",
]
