"""The Hugging Face Hub: the one room that talks to it, and turns its errors into ours."""

from dslr_gan.hub.asking import TIMEOUT_S, Deadline
from dslr_gan.hub.fetching import CONFIG, FACTS, SMALL_FILE, WEIGHTS, Origin, fetch
from dslr_gan.hub.messages import hub_errors, not_fetched
from dslr_gan.hub.names import (
    RepositoryName,
    is_hub_address,
    is_hub_id,
    parse_repository,
)
from dslr_gan.hub.pushing import Pushed, check_push, check_repo_id, push
from dslr_gan.hub.reading import ask_dataset, assets_folder, find_commit, read_range

__all__ = [
    "CONFIG",
    "FACTS",
    "SMALL_FILE",
    "TIMEOUT_S",
    "WEIGHTS",
    "Deadline",
    "Origin",
    "Pushed",
    "RepositoryName",
    "ask_dataset",
    "assets_folder",
    "check_push",
    "check_repo_id",
    "fetch",
    "find_commit",
    "hub_errors",
    "is_hub_address",
    "is_hub_id",
    "not_fetched",
    "parse_repository",
    "push",
    "read_range",
]
