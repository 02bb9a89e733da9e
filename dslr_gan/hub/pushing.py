"""Pushing a folder to the Hub, and finding out first whether that is allowed."""

from pathlib import Path
from typing import NamedTuple

import huggingface_hub as hf
from huggingface_hub import errors, utils

from dslr_gan.errors import HubError, InputError
from dslr_gan.hub.messages import TOKENS_PAGE, hub_errors, token_source

_TIMEOUT_S = 20.0


def check_repo_id(repo_id: str, example: str) -> None:
    """Raise an InputError where a text is not a Hub id ``owner/name``; it shows an example."""
    try:
        utils.validate_repo_id(repo_id)
    except errors.HFValidationError as error:
        raise InputError(f"{repo_id!r} is not a Hub id such as {example}.") from error
    if "/" not in repo_id:
        raise InputError(f"{repo_id!r} has no owner; give a Hub id such as {example}.")


class Pushed(NamedTuple):
    """Addresses of a repository and of the commit or the pull request that was made."""

    repository: str
    commit: str


def push(
    folder: str | Path,
    repo_id: str,
    *,
    repo_type: str = "model",
    commit_message: str,
    private: bool | None = None,
    token: str | None = None,
    branch: str | None = None,
    create_pr: bool | None = None,
    advice: str = "",
) -> Pushed:
    """Put a folder on the Hub, in one commit.

    Args:
        folder: All of its files go.
        repo_id: Hub id ``owner/name``; made where it does not exist.
        repo_type: ``"model"`` or ``"dataset"``.
        commit_message: The commit's first line.
        private: Whether a new repository is private; ``None`` leaves it to the owner's default.
        token: Access token; ``None`` takes the one of ``hf auth login`` or ``HF_TOKEN``.
        branch: Branch to commit to, made where it does not exist; ``None`` for ``main``.
        create_pr: Whether to propose the commit as a pull request to ``main`` instead.
        advice: What else an error message says.

    Raises:
        HubError: If the Hub cannot be reached or refuses.
        InputError: If a pull request is given a branch.
    """
    if create_pr and branch is not None:  # only some of the client's ways of sending allow it
        raise InputError(f"a pull request goes to main; leave out the branch {branch}.")
    api = hf.HfApi(token=token)
    try:
        with hub_errors(repo_id, token=token):
            made = api.create_repo(repo_id, repo_type=repo_type, private=private, exist_ok=True)
            if branch is not None:
                api.create_branch(made.repo_id, repo_type=repo_type, branch=branch, exist_ok=True)
            commit = api.upload_folder(
                repo_id=made.repo_id,
                folder_path=folder,
                repo_type=repo_type,
                commit_message=commit_message,
                revision=branch,
                create_pr=create_pr,
            )
    except HubError as error:
        raise _not_taken(repo_id, error, advice) from error
    return Pushed(str(made), commit.pr_url or commit.commit_url)


def check_push(
    repo_id: str,
    *,
    repo_type: str = "model",
    private: bool | None = None,
    token: str | None = None,
    advice: str = "",
) -> None:
    """Find out whether :func:`push` would be allowed, before the work whose result it is to push.

    The repository is made where it does not exist: only that shows that it may be made.

    Args:
        repo_id: See :func:`push`.
        repo_type: See :func:`push`.
        private: See :func:`push`.
        token: See :func:`push`.
        advice: What else an error message says.

    Raises:
        HubError: If the Hub cannot be reached or would refuse.
    """
    api = hf.HfApi(token=token)
    try:
        with hub_errors(repo_id, token=token):
            if not _may_write(api):
                words = f"the token from {token_source(token)} may only read"
                raise HubError(f"{words}.", words, f"make one that may write at {TOKENS_PAGE}")
            made = api.create_repo(repo_id, repo_type=repo_type, private=private, exist_ok=True)
            # The first request of every push, which the Hub answers to those who may write.
            address = f"{api.endpoint}/api/{repo_type}s/{made.repo_id}/preupload/main"
            sample = {"path": "config.json", "sample": "", "size": 0}
            answer = utils.get_session().post(
                address,
                headers=utils.build_hf_headers(token=token),
                json={"files": [sample]},
                timeout=_TIMEOUT_S,
            )
            utils.hf_raise_for_status(answer)
    except HubError as error:
        raise _not_taken(repo_id, error, advice) from error


def _may_write(api: hf.HfApi) -> bool:
    """Whether the token may write anything at all, as far as the Hub says what it may."""
    try:
        token = api.whoami()["auth"]["accessToken"]
    except errors.HfHubHTTPError as error:
        if error.response.status_code != 404:
            raise
        return True  # another server, which knows no persons
    except (KeyError, TypeError):  # a token of another kind
        return True
    if token.get("role") == "fineGrained":
        scopes = token.get("fineGrained", {}).get("scoped", [])
        return any("repo.write" in scope.get("permissions", []) for scope in scopes)
    return token.get("role") != "read"


def _not_taken(repo_id: str, error: HubError, advice: str) -> HubError:
    what_to_do = error.advice or "check the name"
    message = f"the Hub does not take {repo_id} ({error.cause}); {what_to_do}.{advice}"
    return type(error)(message, error.cause, error.advice)
