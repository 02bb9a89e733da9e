"""The flags of the Hub: where the finished generator is pushed to."""

from dataclasses import dataclass

from dslr_gan.errors import DslrGanError, reason
from dslr_gan.training.options.flag import flag


@dataclass(frozen=True)
class Hub:
    """Whether and where the finished generator is pushed."""

    push_to_hub: bool = flag(False, "push the finished generator", free=True)
    hub_model_id: str | None = flag(
        None, "where to push it to, and the name in its card", metavar="OWNER/NAME", free=True
    )


def check_hub(hub: Hub) -> None:
    """Refuse what cannot work, without asking the Hub.

    Raises:
        DslrGanError: With what to change.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    if hub.push_to_hub and not hub.hub_model_id:
        raise DslrGanError("--push_to_hub needs --hub_model_id OWNER/NAME.")
    if hub.hub_model_id is not None:
        try:
            validate_repo_id(hub.hub_model_id)
        except HFValidationError as error:
            raise DslrGanError(f"--hub_model_id: {reason(error)}.") from error
