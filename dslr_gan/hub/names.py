"""What a repository may be called: a Hub id, one with a revision, or the address of its page."""

import re
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

import huggingface_hub as hf
from huggingface_hub import errors

from dslr_gan.errors import InputError, brief, reason, shown

_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")
# What git takes for the name of no branch or tag; as a part of an address it might name another.
_NO_REVISION = re.compile(
    r"\A[/.-]|[/.]\Z|/[/.]|\.\.|@\{|\A@\Z|\.lock(/|\Z)|[\s~^:?*\[\\\x7f]|\A\Z"
)
_SLASH = re.compile("%2F", re.IGNORECASE)
# The only revisions whose slashes need not be written as %2F, in the client's addresses, too.
_REFS = re.compile(r"(refs/(?:convert/[\w.-]+|pr/\d+))(?:/|\Z)")
_HOSTS = ("huggingface.co", "www.huggingface.co", "hf.co")
_WITH_REVISION = ("tree", "blob", "resolve", "raw", "commit")


class RepositoryName(NamedTuple):
    """A repository of a model on the Hub."""

    repository: str
    """Its id ``owner/name``."""
    revision: str | None
    """Branch, tag or commit; None for the main branch."""


def is_hub_id(name: str) -> bool:
    """Whether a text looks like ``owner/name``."""
    return _HUB_ID.fullmatch(name) is not None


def is_hub_address(text: str) -> bool:
    """Whether a text is an address at the Hub, such as ``https://huggingface.co/owner/name``."""
    try:
        address = urlsplit(text)
        return address.scheme == "hf" or (
            address.scheme in ("http", "https")
            and address.netloc.lower() in (*_HOSTS, urlsplit(hf.constants.ENDPOINT).netloc.lower())
        )
    except ValueError:  # such as an address with one bracket
        return False


def parse_repository(name: str, revision: str | None = None) -> RepositoryName:
    """Read the name of a repository.

    Args:
        name: ``owner/name``, ``owner/name@revision``, the address of a page of the repository,
            such as ``https://huggingface.co/owner/name/tree/revision``, or one of the client, such
            as ``hf://owner/name@revision``. Only in the latter must a slash in the revision be
            written as ``%2F``, but in ``refs/pr/1``.
        revision: Branch, tag or commit that was asked for beside the name.

    Raises:
        InputError: If it is none of these, or names another revision than ``revision``.
    """
    name = name.strip()
    if "://" in name:
        repository, named = _from_address(name)
    else:
        repository, at, named = name.partition("@")
        if at and not named:
            raise InputError(f"{shown(name)} ends where a revision should follow; name one.")
        named = _SLASH.sub("/", named)
    if not is_hub_id(repository):
        raise InputError(
            f"there is no folder {shown(name)[:200]}, and it is not a Hub id either; "
            "a Hub id looks like owner/name."
        )
    if named and revision is not None and named != revision:
        raise InputError(
            f"{shown(name)} names the revision {named!r}, and {revision!r} was asked for beside "
            "it; give one."
        )
    revision = revision if revision is not None else named or None
    if revision is not None:
        check_revision(revision)
    return RepositoryName(repository, revision)


def check_revision(name: str) -> None:
    """Raise an InputError where a text can be no branch, tag or commit."""
    if _NO_REVISION.search(name) or not name.isprintable() or len(name) > 250:
        raise InputError(
            f"{brief(repr(name))} cannot be the name of a branch, a tag or a commit; give one "
            "such as main or v1."
        )


def _from_address(text: str) -> tuple[str, str]:
    """Repository and revision of an address; the latter may be empty."""
    if not is_hub_address(text):
        raise InputError(
            f"{shown(text)[:200]} is not an address of the Hub; give a Hub id as owner/name."
        )
    address, hub = urlsplit(text), urlsplit(hf.constants.ENDPOINT)
    if address.scheme == "hf":
        return _from_uri(f"hf{text[2:]}")
    path = address.path
    if address.netloc.lower() == hub.netloc.lower():
        path = path.removeprefix(hub.path)
    parts = [part for part in path.split("/") if part]
    if parts[:1] == ["models"]:
        parts = parts[1:]
    if parts and parts[0] in ("datasets", "spaces", "collections", "papers", "docs", "api"):
        raise InputError(f"{shown(text)[:200]} is not the address of a model; give that of one.")
    owner, name, kind, *rest = [*parts, "", "", ""][: max(3, len(parts))]
    name, _, revision = name.partition("@")
    if kind in _WITH_REVISION and any(rest):
        # The name of a branch may hold a slash; only the address of a folder is that of a branch.
        refs = _REFS.match("/".join(rest))
        revision = refs[1] if refs else unquote("/".join(rest) if kind == "tree" else rest[0])
    elif kind == "discussions" and rest and rest[0].isdecimal():
        raise InputError(
            f"{shown(text)[:200]} is the address of a discussion; if it is a pull request, name it "
            f"as {owner}/{name}@refs/pr/{rest[0]}."
        )
    return f"{owner}/{name}", revision


def _from_uri(text: str) -> tuple[str, str]:
    """The same of an address as the client writes them, which may name a file."""
    try:
        uri = hf.parse_hf_uri(text)
    except errors.HfUriError as error:
        raise InputError(
            f"{shown(text)[:200]} names no model ({reason(ValueError(error.msg))}); write "
            "hf://owner/name@revision."
        ) from error
    if uri.type != "model":
        raise InputError(f"{shown(text)[:200]} is not the address of a model; give that of one.")
    if uri.path_in_repo:
        inside = f"{shown(text)[:200]} names {shown(uri.path_in_repo)} in a repository"
        advice = "leave it out"
        if uri.revision is not None:
            slashed = quote(f"{uri.revision}/{uri.path_in_repo}", safe="")
            advice += f", or write hf://{uri.id}@{shown(slashed)} if that is one revision"
        raise InputError(f"{inside}, and a model is a whole one; {advice}.")
    return uri.id, uri.revision or ""
