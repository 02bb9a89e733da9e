"""Text that others wrote, made safe for the inside of Markdown: shown as it is, never obeyed."""

import re
from typing import Any

# An underscore inside of a word, as in ms_ssim, means nothing.
_SPECIAL = re.compile(r"[\\`*\[\]<>|#!~&$]|(?<![^\W_])_|_(?![^\W_])")
_LINE_START = re.compile(r"^(\d*)([-+=.)])(?=\s|$)")
_URL = re.compile(r"https?://[^\s<>()\[\]|`\"\\]+")


def text(value: Any) -> str:
    """Text on one line, in a paragraph, a list or a cell of a table; None is *unknown*."""
    if value is None:
        return "unknown"
    words = " ".join("".join(each if each.isprintable() else " " for each in str(value)).split())
    # With HTML's own names: not every renderer takes a backslash before these.
    words = _SPECIAL.sub(_escaped, words)
    return _LINE_START.sub(r"\1\\\2", words)


def _escaped(found: re.Match[str]) -> str:
    return {"<": "&lt;", ">": "&gt;", "&": "&amp;"}.get(found[0], f"\\{found[0]}")


def link(name: str, url: str | None) -> str:
    """A link; without a proper web address the two as text."""
    if url is None:
        return text(name)
    if not is_web_address(url):
        return f"{text(name)} ({text(url)})"
    return f"[{text(name)}]({url})"


def is_web_address(url: str) -> bool:
    """Whether it begins with http or https and holds nothing that ends a link."""
    return _URL.fullmatch(url) is not None


def code_block(lines: list[str], language: str) -> str:
    """Lines as a block of code, with a fence that none of them ends."""
    content = "\n".join(lines).replace("\r", "")
    longest = max((len(run) for run in re.findall("`+", content)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{content}\n{fence}"
