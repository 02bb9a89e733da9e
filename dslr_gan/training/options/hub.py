"""The flags of the Hub: where the finished generator is pushed to."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dslr_gan.errors import DslrGanError, reason
from dslr_gan.training.options.flag import flag

if TYPE_CHECKING:
    from dslr_gan.hub import Target

HUB_TOKEN = "--hub_token"
"""The flag that no record of a command may show the value of."""


@dataclass(frozen=True)
class Hub:
    """Where the finished generator is pushed to, and how."""

    push_to_hub: bool = flag(False, "push the finished generator", free=True)
    hub_model_id: str | None = flag(
        None, "where to push it to, and the name in its card", metavar="OWNER/NAME", free=True
    )
    hub_private: bool = flag(
        False, "there as a private repository", free=True, alias="--hub_private_repo"
    )
    hub_token: str | None = flag(
        None, "access token; better HF_TOKEN or `hf auth login`, since others on this machine can "
        "see a command",
        free=True, secret=True, metavar="TOKEN",
    )  # fmt: skip
    hub_branch: str | None = flag(
        None, "branch to push to (default: main)", metavar="NAME", free=True
    )
    hub_pr: bool = flag(False, "propose it as a pull request", free=True)
    hub_tag: str | None = flag(None, "tag for the commit, such as v1", metavar="TAG", free=True)
    hub_replace_card: bool = flag(
        False, "replace a card that somebody has written or changed there", free=True
    )
    hub_space: str | None = flag(
        None, "the Space that the card links to", metavar="OWNER/NAME", free=True
    )

    def target(self) -> "Target":
        """The same for :func:`dslr_gan.hub.push`; only with a ``hub_model_id``."""
        from dslr_gan.hub import Target

        assert self.hub_model_id is not None
        return Target(
            repo_id=self.hub_model_id,
            private=True if self.hub_private else None,
            branch=self.hub_branch,
            create_pr=self.hub_pr,
            tag=self.hub_tag,
            replace_card=self.hub_replace_card,
            token=self.hub_token,
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
    for name in ("hub_model_id", "hub_space"):
        value = getattr(hub, name)
        if value is None:
            continue
        try:
            validate_repo_id(value)
        except HFValidationError as error:
            raise DslrGanError(f"--{name}: {reason(error)}.") from error
    if hub.hub_pr and (hub.hub_branch or hub.hub_tag):
        raise DslrGanError(
            "--hub_pr proposes a commit to main; leave out --hub_branch and --hub_tag."
        )
