"""The Hugging Face Hub: the one room that talks to it, and turns its errors into ours."""

from dslr_gan.hub.beside import fetch_pictures, read_beside, read_pictures, repository_of
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
from dslr_gan.hub.pushing import CARD, Pushed, Target, check_push, check_repo_id, push
from dslr_gan.hub.sending import read_small_file
from dslr_gan.hub.space import set_variables

__all__ = [
    "CARD",
    "CONFIG",
    "FACTS",
    "WEIGHTS",
    "LocalCopy",
    "Origin",
    "Pushed",
    "Target",
    "ask_dataset",
    "assets_folder",
    "check_push",
    "check_repo_id",
    "fetch",
    "fetch_pictures",
    "find_commit",
    "hub_errors",
    "is_hub_id",
    "not_fetched",
    "push",
    "read_beside",
    "read_pictures",
    "read_range",
    "read_small_file",
    "repository_of",
    "set_variables",
]
