"""This repository as a Space: the files that one needs, and its variables."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import huggingface_hub as hf

from dslr_gan.errors import HubError, InputError
from dslr_gan.hub.asking import MORE_TIME
from dslr_gan.hub.fetching import CONFIG, FACTS, WEIGHTS
from dslr_gan.hub.names import parse_repository
from dslr_gan.hub.pushing import Target, create, not_taken
from dslr_gan.hub.sending import make_api, send

OWNED = ("dslr_gan", "hub_card", "docs")
"""Folders of which a Space has all and nothing else."""

_FILES = ("app.py", "requirements.txt", "pyproject.toml", "LICENSE")
_LINKED = ("CONTRIBUTING.md", "CHANGELOG.md")
"""What the README links to beside the docs."""
_README = "README.md"


def space_files(
    root: Path, repositories: Mapping[str, str], *, look: bool = True
) -> dict[str, Path | bytes]:
    """The files that a Space needs, by their names there.

    Args:
        root: Of this repository.
        repositories: What each variable of the page names, as :func:`parse_repository` reads it.
            The Space fetches their models when it is built.
        look: Whether to ask the Hub for the commits of the revisions; a build fetches by commit.

    Raises:
        InputError: If this is an installed package and no copy of the repository, or a value of
            ``repositories`` is no repository.
        HubError: If the Hub does not have one of them.
    """
    if not (root / "app.py").is_file():
        raise InputError(
            f"{root} is not a copy of the code with app.py in it, which a Space needs; run the "
            "command in one."
        )
    readme = (root / _README).read_text(encoding="utf-8")
    files: dict[str, Path | bytes] = {name: root / name for name in (*_FILES, *_LINKED)}
    for folder in OWNED:
        files |= {path.relative_to(root).as_posix(): path for path in _regular(root / folder)}
    return files | {_README: _front_matter(readme, repositories, look).encode()}


def _regular(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).parts
        hidden = any(part.startswith((".", "__pycache__")) for part in inside)
        if path.is_file() and not path.is_symlink() and not hidden:
            yield path


def _front_matter(readme: str, repositories: Mapping[str, str], look: bool) -> str:
    """The README with the models that the Space reads, and that are fetched when it is built."""
    card = hf.RepoCard(readme)
    models, preloaded = list(card.data.get("models") or []), []
    for value in repositories.values():
        repository, revision = parse_repository(value)
        models.append(repository)
        fetched = f"{repository} {CONFIG},{WEIGHTS},{FACTS}"
        if revision is not None:
            fetched += f" {_commit(repository, revision) if look else revision}"
        preloaded.append(fetched)
    card.data["models"] = list(dict.fromkeys(models))
    if preloaded:
        card.data["preload_from_hub"] = list(dict.fromkeys(preloaded))
    return str(card)


def _commit(repository: str, revision: str) -> str:
    def ask() -> str:
        return make_api(None).model_info(repository, revision=revision).sha or revision

    return send(ask, f"revision {revision!r} of {repository}")


def set_variables(target: Target, variables: Mapping[str, str]) -> None:
    """Make the Space where it does not exist, and set its variables.

    Args:
        target: The Space.
        variables: By name.

    Raises:
        HubError: If the Hub cannot be reached in time or refuses.
    """
    api = make_api(target.token)

    def set_all() -> None:
        made = create(api, target)
        for name, value in variables.items():
            api.add_space_variable(made.repo_id, name, value)

    try:
        send(
            set_all,
            target.repo_id,
            token=target.token,
            timeout_s=target.timeout_s,
            more=MORE_TIME,
        )
    except HubError as error:
        raise not_taken(target.repo_id, error, "") from error
