"""The Hugging Face Hub: the one room that talks to it, and turns its errors into ours."""

# ruff: noqa: E402
import os

from dslr_gan.errors import HubError, reason

try:
    import huggingface_hub.file_download  # noqa: F401 - it reads its variables at its import
except ValueError as error:
    named = sorted({name for name in os.environ if name.startswith("HF_")} | {"HF_ENDPOINT"})
    raise HubError(
        f"a variable of the environment has a value that huggingface_hub cannot use "
        f"({reason(error)}); check {', '.join(named)}."
    ) from error

from dslr_gan.hub.asking import TIMEOUT_S, Deadline
from dslr_gan.hub.fetching import CONFIG, FACTS, SMALL_FILE, WEIGHTS, Origin, fetch
from dslr_gan.hub.messages import hub_errors, not_fetched
from dslr_gan.hub.names import (
    RepositoryName,
    is_hub_address,
    is_hub_id,
    parse_repository,
)
from dslr_gan.hub.pushing import CARD, Pushed, Target, check_push, check_repo_id, push
from dslr_gan.hub.reading import (
    ask_dataset,
    assets_folder,
    find_commit,
    read_range,
    read_small_file,
    unasked,
)
from dslr_gan.hub.space import set_variables

__all__ = [
    "CARD",
    "CONFIG",
    "FACTS",
    "SMALL_FILE",
    "TIMEOUT_S",
    "WEIGHTS",
    "Deadline",
    "Origin",
    "Pushed",
    "RepositoryName",
    "Target",
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
    "read_small_file",
    "set_variables",
    "unasked",
]
