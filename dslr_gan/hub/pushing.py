"""Pushing files to the Hub, and finding out first whether that is allowed."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import huggingface_hub as hf
from huggingface_hub import errors, utils

from dslr_gan.errors import HubError, InputError, reason, shown
from dslr_gan.hub.asking import MORE_TIME, TIMEOUT_S, check_timeout
from dslr_gan.hub.messages import TOKENS_PAGE, token_source
from dslr_gan.hub.names import check_revision
from dslr_gan.hub.reading import read_small_file
from dslr_gan.hub.sending import headers, make_api, send
from hub_card import is_untouched

CHECK_S = 20.0
"""How long finding out may take."""

CARD = "README.md"

_MOST_OF_A_CARD = 10_000_000
_WEIGHTS_OF_OTHERS = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".h5", ".onnx")


def check_repo_id(repo_id: str, example: str) -> None:
    """Raise an InputError where a text is not a Hub id ``owner/name``; it shows an example."""
    try:
        utils.validate_repo_id(repo_id)
    except errors.HFValidationError as error:
        raise InputError(f"{repo_id!r} is not a Hub id such as {example}.") from error
    if "/" not in repo_id:
        raise InputError(f"{repo_id!r} has no owner; give a Hub id such as {example}.")


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where something is pushed to, and how."""

    repo_id: str
    """Hub id ``owner/name``; the repository is made where it does not exist."""
    repo_type: str = "model"
    """``"model"``, ``"dataset"`` or ``"space"``."""
    private: bool | None = None
    """Whether a new repository is private; ``None`` leaves it to the owner's default. ``True``
    refuses a repository that is public already."""
    branch: str | None = None
    """Branch to commit to, made where it does not exist; ``None`` for ``main``."""
    create_pr: bool = False
    """Whether to propose the commit as a pull request to ``main`` instead."""
    tag: str | None = None
    """Tag for the commit; one that exists is refused."""
    replace_card: bool = False
    """Whether to replace a card that somebody has written or changed there."""
    token: str | None = None
    """Access token; ``None`` takes the one of ``hf auth login`` or ``HF_TOKEN``."""
    timeout_s: float = TIMEOUT_S
    """Seconds for it all, besides a second for each 250 kB."""

    def check(self) -> None:
        """Raise an InputError where the values do not go together, or a name can be none."""
        check_timeout(self.timeout_s)
        for name in (self.branch, self.tag):
            if name is not None:
                check_revision(name)
        if self.create_pr and self.branch is not None:
            raise InputError(
                f"a pull request goes to main; leave out the branch {self.branch}, or the request."
            )
        if self.create_pr and self.tag is not None:
            raise InputError(
                f"a pull request cannot be tagged before it is merged; leave out the tag "
                f"{self.tag}, or the request."
            )

    def command(self, what: str | Path, **options: str | None) -> str:
        """The shell command that pushes something there.

        Args:
            what: A model or a folder.
            options: Other flags of the command with their values.
        """
        flags = {
            "--private": self.private,
            "--branch": self.branch,
            "--pr": self.create_pr,
            "--tag": self.tag,
            "--replace-card": self.replace_card and self.repo_type != "space",
        }
        flags |= {f"--{name}": value for name, value in options.items()}
        words = ["python", "-m", "dslr_gan", "push", str(what), "--repo", self.repo_id]
        for flag, value in flags.items():
            words += [flag] if value is True else [flag, value] if value else []
        return shlex.join(words)


@dataclass(frozen=True, kw_only=True)
class Pushed:
    """What was made on the Hub."""

    repository: str
    """Its address."""
    commit: str
    """The address of the commit, or of the pull request."""
    notes: tuple[str, ...] = ()
    """What else a person should know, a sentence each."""


def push(
    files: Mapping[str, Path | bytes],
    target: Target,
    *,
    message: str,
    description: str | None = None,
    owned: tuple[str, ...] = (),
    advice: str = "",
) -> Pushed:
    """Put files on the Hub, in one commit.

    What fails for a moment is tried again, until the target's time is over. A card that somebody
    has written or changed there is kept, unless the target says otherwise. Other files there stay.

    Args:
        files: By their names there: a file here, or what is in it.
        target: Where to.
        message: The commit's first line.
        description: Its other lines.
        owned: Folders there in which no other files are kept.
        advice: What else an error message says.

    Raises:
        HubError: If the Hub cannot be reached in time or refuses.
        InputError: If the target's values do not go together, or a file cannot be read.
    """
    target.check()
    size = sum(map(_size, files.values()))
    one = _Push(target, files, message, description, owned)
    try:
        return send(
            one.run,
            target.repo_id,
            token=target.token,
            size=size,
            timeout_s=target.timeout_s,
            more=MORE_TIME,
        )
    except HubError as error:
        if one.done is not None and target.tag is not None:
            words = (
                f"the files are on the Hub ({one.done.commit_url}), but not the tag {target.tag} "
                f"({error.cause}); {error.advice or 'check its name'}."
            )
            raise type(error)(f"{words}{advice}", error.cause, error.advice) from error
        raise not_taken(target.repo_id, error, advice) from error


def _size(content: Path | bytes) -> int:
    """The bytes of what is pushed; a file must be one that can be read."""
    if isinstance(content, bytes):
        return len(content)
    try:
        with content.open("rb"):
            return content.stat().st_size
    except OSError as error:
        raise InputError(
            f"{shown(content)} cannot be read ({reason(error)}); check its permissions."
        ) from error


class _Push:
    """One push: :meth:`run` may be called again after it has failed."""

    def __init__(
        self,
        target: Target,
        files: Mapping[str, Path | bytes],
        message: str,
        description: str | None,
        owned: tuple[str, ...],
    ) -> None:
        self.target, self.files = target, dict(files)
        self.message, self.description, self.owned = message, description, owned
        self.api = make_api(target.token)
        self.notes: list[str] = []
        self.gone: list[str] = []
        """Files there that are to go."""
        self.known = False
        """Whether the repository has been looked at."""
        self.done: hf.CommitInfo | None = None
        """The commit, once it is made."""

    def run(self) -> Pushed:
        target, api = self.target, self.api
        kind = target.repo_type
        made = create(api, target)
        there: dict[str, Any] = {"repo_id": made.repo_id, "repo_type": kind}
        if not self.known:
            self._look(there)
        done = self.done = self.done or self._commit(there)
        if target.tag is not None:
            self._tag(there, target.tag, done.oid)
        address = done.pr_url or done.commit_url
        return Pushed(repository=str(made), commit=address, notes=tuple(self.notes))

    def _commit(self, there: dict[str, Any]) -> hf.CommitInfo:
        target, api = self.target, self.api
        if target.branch is not None:
            api.create_branch(**there, branch=target.branch, exist_ok=True)
        return api.create_commit(
            **there,
            operations=[
                hf.CommitOperationAdd(path_in_repo=name, path_or_fileobj=content)
                for name, content in sorted(self.files.items())
            ]
            + [hf.CommitOperationDelete(path_in_repo=name, is_folder=False) for name in self.gone],
            commit_message=self.message,
            commit_description=self.description,
            revision=target.branch,
            create_pr=target.create_pr,
        )

    def _tag(self, there: dict[str, Any], tag: str, commit: str) -> None:
        """Name the commit; a tag that is there by now is right only where it names this one."""
        try:
            self.api.create_tag(**there, tag=tag, revision=commit)
        except errors.HfHubHTTPError as error:
            if error.response.status_code != 409:
                raise
            refs = self.api.list_repo_refs(**there)
            # Such as the one of an earlier try whose answer was lost.
            if {each.name: each.target_commit for each in refs.tags}.get(tag) != commit:
                raise _tag_exists(tag) from None

    def _look(self, there: dict[str, Any]) -> None:
        """Find out what must not be overwritten, before anything is sent."""
        target, notes = self.target, []
        branch = target.branch
        refs = self.api.list_repo_refs(**there)
        _check_tag(refs, target)
        if branch is not None and branch not in {each.name for each in refs.branches}:
            branch = None  # it will begin as main is
        names = set(self.api.list_repo_files(**there, revision=branch))
        name = target.repo_id
        if CARD in names and CARD in self.files and not target.replace_card:
            theirs = read_small_file(
                **there, name=CARD, revision=branch or "main", most_bytes=_MOST_OF_A_CARD,
                token=target.token,
            )  # fmt: skip
            ours = self.files[CARD]
            ours = ours if isinstance(ours, bytes) else ours.read_bytes()
            written = theirs.decode("utf-8-sig", errors="replace")
            if written.strip() and theirs.strip() != ours.strip() and not is_untouched(written):
                del self.files[CARD]
                notes.append(
                    f"the card of {name} was kept, because somebody has written or changed it; "
                    "--replace-card replaces it."
                )
        if target.repo_type == "model":
            others = sorted(
                each for each in names - self.files.keys() if each.endswith(_WEIGHTS_OF_OTHERS)
            )
            if others:
                notes.append(
                    f"{name} also has {', '.join(others[:3])}, which this model does not use; "
                    f"`hf repo-files delete {name} {others[0]}` removes it."
                )
        folders = tuple(f"{folder}/" for folder in self.owned)
        self.gone = sorted(each for each in names - self.files.keys() if each.startswith(folders))
        self.notes, self.known = notes, True


def check_push(target: Target, *, make: bool = True, advice: str = "") -> None:
    """Find out whether :func:`push` would be allowed, before the work whose result it is to push.

    Args:
        target: Where to.
        make: Whether to make the repository where it does not exist: only that shows that it may
            be made. Otherwise nothing is changed, and the token alone is looked at then.
        advice: What else an error message says.

    Raises:
        HubError: If the Hub cannot be reached or would refuse.
        InputError: If the target's values do not go together.
    """
    target.check()
    api = make_api(target.token)

    def ask() -> None:
        if not _may_write(api):
            words = f"the token from {token_source(target.token)} may only read"
            raise HubError(f"{words}.", words, f"make one that may write at {TOKENS_PAGE}")
        repo_id = target.repo_id
        if make:
            repo_id = create(api, target).repo_id
        elif not api.repo_exists(repo_id, repo_type=target.repo_type):
            return
        else:
            _check_private(api, target, repo_id)
        if target.tag is not None:
            _check_tag(api.list_repo_refs(repo_id, repo_type=target.repo_type), target)
        # The first request of every push, which the Hub answers to those who may write.
        address = f"{api.endpoint}/api/{target.repo_type}s/{repo_id}/preupload/main"
        sample = {"path": "config.json", "sample": "", "size": 0}
        answer = utils.get_session().post(
            address,
            headers=headers(target.token),
            json={"files": [sample]},
        )
        utils.hf_raise_for_status(answer)

    try:
        # Without an advice to give it more time, of which it would take no more.
        send(ask, target.repo_id, token=target.token, timeout_s=min(CHECK_S, target.timeout_s))
    except HubError as error:
        raise not_taken(target.repo_id, error, advice) from error


def create(api: hf.HfApi, target: Target) -> hf.RepoUrl:
    """Make the repository where it does not exist."""
    kind = target.repo_type
    made = api.create_repo(
        target.repo_id,
        repo_type=kind,
        private=target.private,
        exist_ok=True,
        space_sdk="gradio" if kind == "space" else None,
    )
    _check_private(api, target, made.repo_id)
    return made


def _check_private(api: hf.HfApi, target: Target, repo_id: str) -> None:
    if target.private and api.repo_info(repo_id, repo_type=target.repo_type).private is False:
        words = "it exists and is public"
        advice = (
            "make it private on its settings page, name another, or do not ask for a private one"
        )
        raise HubError(f"{words}.", words, advice)


def _check_tag(refs: hf.GitRefs, target: Target) -> None:
    if target.tag is not None and target.tag in {each.name for each in refs.tags}:
        raise _tag_exists(target.tag)


def _tag_exists(tag: str) -> HubError:
    words = f"it has a tag {tag} already"
    return HubError(f"{words}.", words, "choose another tag")


def _may_write(api: hf.HfApi) -> bool:
    """Whether the token may write anything at all, as far as the Hub says what it may."""
    try:
        token = api.whoami()["auth"]["accessToken"]
        if token.get("role") == "fineGrained":
            scopes = (token.get("fineGrained") or {}).get("scoped") or []
            return any("repo.write" in (scope.get("permissions") or []) for scope in scopes)
        return bool(token.get("role") != "read")
    except errors.HfHubHTTPError as error:
        if error.response.status_code != 404:
            raise
        return True  # another server, which knows no persons
    except (AttributeError, KeyError, TypeError):  # a token of another kind
        return True


def not_taken(repo_id: str, error: HubError, advice: str) -> HubError:
    """The error for a push that failed."""
    what_to_do = error.advice or "check the name"
    message = f"the Hub does not take {repo_id} ({error.cause}); {what_to_do}.{advice}"
    return type(error)(message, error.cause, error.advice)
