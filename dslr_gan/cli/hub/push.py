"""``push``: a model, a dataset, pairs or the page to the Hugging Face Hub."""

import argparse
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dslr_gan.cli.common import (
    HUB_TIMEOUT_S,
    PROGRAM,
    Commands,
    add_command,
    complain,
    place_option,
    say,
    seconds,
)
from dslr_gan.errors import InputError
from dslr_gan.models.phones import PHONES

if TYPE_CHECKING:
    from dslr_gan.hub import Target

SPACE = "space"
"""What stands for the page as a Space."""


class Parcel(NamedTuple):
    """What is pushed."""

    files: Mapping[str, Path | bytes]
    """By their names on the Hub."""
    message: str
    """Of the commit."""
    variables: Mapping[str, str] = {}
    """Of a Space."""
    owned: tuple[str, ...] = ()
    """Folders there in which no other files are kept."""


def add(commands: Commands) -> None:
    """Add the command."""
    command = add_command(
        commands,
        "push",
        _run,
        "Push to the Hugging Face Hub: a model with its card, a dataset that prepare wrote, a "
        "folder of pairs as a dataset, or this page as a Space.",
        f"{PROGRAM} push runs/iphone/generator --repo me/dslr-gan-iphone --tag v1 --dry-run\n"
        f"  {PROGRAM} push pairs/mine --repo me/my-pairs --private\n"
        f"  {PROGRAM} push space --repo me/dslr-gan --iphone me/dslr-gan-iphone@v1",
    )
    command.description = (
        f"{command.description}\n\nIt needs a token that may write: `hf auth login`, or HF_TOKEN. "
        "What fails for a moment is tried again within the time of --hub-timeout. A card that "
        "somebody has written or changed there is kept, and so it is said."
    )
    command.add_argument(
        "what",
        type=place_option,
        metavar="WHAT",
        help=f"{', '.join(PHONES)}, a folder of a model, of a dataset or of pairs, or {SPACE}",
    )
    command.add_argument("--repo", required=True, metavar="OWNER/NAME", help="where to")
    command.add_argument(
        "--private", action="store_true", help="make it private; refused where it is public"
    )
    command.add_argument("--branch", metavar="BRANCH", help="branch to commit to (default: main)")
    command.add_argument("--pr", action="store_true", help="propose it as a pull request")
    command.add_argument("--tag", metavar="TAG", help="tag for the commit, such as v1")
    command.add_argument("--message", metavar="TEXT", help="first line of the commit")
    command.add_argument(
        "--replace-card",
        action="store_true",
        help="replace a card that somebody has written or changed there",
    )
    command.add_argument(
        "--dry-run", action="store_true", help="list the files and their sizes; nothing is sent"
    )
    command.add_argument(
        "--hub-timeout",
        type=seconds,
        default=HUB_TIMEOUT_S,
        metavar="S",
        help=f"seconds for it all, besides one for each 250 kB (default: {HUB_TIMEOUT_S:g})",
    )
    command.add_argument(
        "--space", metavar="OWNER/NAME", help="with a model: the Space that its card links to"
    )
    group = command.add_argument_group(f"with {SPACE}")
    for phone in PHONES.values():
        group.add_argument(
            f"--{phone.name}",
            metavar="OWNER/NAME[@REVISION]",
            help=f"repository that it loads the {phone.title} model from (default: bundled)",
        )


def _run(options: argparse.Namespace) -> int:
    from dslr_gan.hub import check_push, check_repo_id, push, set_variables

    for name in (options.repo, options.space):
        if name is not None:
            check_repo_id(name, "me/dslr-gan")
    kind = _kind(options.what)
    _check_meant(options, kind)
    target = _target(options, kind)
    target.check()
    if not options.dry_run:
        check_push(target, make=False)  # nothing is made there before all is whole here
    with _parcel(options, kind) as parcel:
        if options.dry_run:
            _list(parcel, target)
            return 0
        flags = {"message": options.message, **_repositories(options)}
        again = target.command(options.what, **flags)
        if parcel.variables:
            set_variables(target, parcel.variables)
        pushed = push(
            parcel.files,
            target,
            message=options.message or parcel.message,
            owned=parcel.owned,
            advice=f" Nothing here is lost; `{again}` pushes it again.",
        )
    say(f"pushed: {pushed.commit}")
    for note in pushed.notes:
        complain(note)
    return 0


def _target(options: argparse.Namespace, kind: str) -> "Target":
    from dslr_gan.hub import Target

    return Target(
        repo_id=options.repo,
        repo_type={"model": "model", SPACE: "space"}.get(kind, "dataset"),
        private=True if options.private else None,
        branch=options.branch,
        create_pr=options.pr,
        tag=options.tag,
        # The Space's README is this repository's.
        replace_card=options.replace_card or kind == SPACE,
        timeout_s=options.hub_timeout,
    )


def _kind(what: str) -> str:
    """``"model"``, ``"dataset"``, ``"pairs"`` or ``"space"``."""
    if what in PHONES:
        return "model"
    folder = Path(what)
    if what == SPACE and not folder.is_dir():
        return SPACE
    if not folder.is_dir():
        known = ", ".join((*PHONES, SPACE))
        raise InputError(f"there is no folder {what}; name one, or one of {known}.")
    if any((folder / name).is_file() for name in ("config.json", "model.safetensors")):
        return "model"
    from dslr_gan.prepare.publishing import is_prepared

    return "dataset" if is_prepared(folder) else "pairs"


def _check_meant(options: argparse.Namespace, kind: str) -> None:
    """Refuse options that belong to another kind."""
    meant = {"space": "model"} | dict.fromkeys(PHONES, SPACE)
    for name, of in meant.items():
        if getattr(options, name) is not None and kind != of:
            raise InputError(f"--{name} has no meaning with {options.what}; leave it out.")


def _repositories(options: argparse.Namespace) -> dict[str, str]:
    """The flags that only one kind has, for the command that pushes again."""
    names = ("space", *PHONES)
    return {name: getattr(options, name) for name in names if getattr(options, name) is not None}


@contextmanager
def _parcel(options: argparse.Namespace, kind: str) -> Iterator[Parcel]:
    if kind == "model":
        yield _model(options)
    elif kind == SPACE:
        yield _space(options)
    elif kind == "dataset":
        from dslr_gan.prepare.publishing import prepared_files

        files = prepared_files(Path(options.what), options.repo)
        yield Parcel(files, "Upload the patches")
    else:
        from dslr_gan.prepare.publishing import write_pairs

        with tempfile.TemporaryDirectory() as folder:
            files = write_pairs(Path(options.what), Path(folder) / "out", options.repo)
            yield Parcel(files, "Upload the pairs")


def _model(options: argparse.Namespace) -> Parcel:
    from dslr_gan.evaluation.showcase import show_before_and_after
    from dslr_gan.models.registry import load_network
    from hub_card import summary, unknown_facts

    phone = PHONES.get(options.what)
    network = load_network(phone.folder if phone is not None else options.what)
    show_before_and_after(network)
    files = network.saved_files(repo_id=options.repo, space=options.space)
    facts = network.facts or unknown_facts(type(network).__name__)
    return Parcel(files, summary(facts))


def _space(options: argparse.Namespace) -> Parcel:
    from dslr_gan.hub.space import OWNED, space_files

    repositories = {
        PHONES[name].variable: repository for name, repository in _repositories(options).items()
    }
    files = space_files(Path(__file__).parents[3], repositories, look=not options.dry_run)
    return Parcel(files, "Update the page", repositories, OWNED)


def _list(parcel: Parcel, target: "Target") -> None:
    """Write what would be sent, and how large it is."""
    sizes = {
        name: len(content) if isinstance(content, bytes) else content.stat().st_size
        for name, content in sorted(parcel.files.items())
    }
    width = len(f"{max(sizes.values()):,}")
    for name, size in sizes.items():
        say(f"{size:>{width},}  {name}")
    for name, value in parcel.variables.items():
        say(f"variable {name}={value}")
    total = f"{len(sizes)} files, {sum(sizes.values()):,} bytes"
    say(f"{total}, for the {target.repo_type} {target.repo_id}; nothing was sent.")
