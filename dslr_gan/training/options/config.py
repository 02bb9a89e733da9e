"""Flags from a file: names and values in YAML, as if they stood on the command line."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dslr_gan.errors import reason
from dslr_gan.files import path_from_home


def with_config(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> list[str]:
    """Put the flags of ``--config FILE`` before those of the command line, which win.

    Args:
        parser: Of all flags.
        arguments: Those of the command line.

    Returns:
        All flags, those of the file first. A list is several values, true is a switch that is on.

    Raises:
        SystemExit: With an error message, if the file cannot be read, or names no flag.
    """
    finder = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    finder.add_argument("--config", action="append", default=[])
    files = finder.parse_known_args(arguments)[0].config
    if not files:
        return list(arguments)
    if len(files) > 1:
        parser.error("--config was given several times; name one file")
    (file,) = files
    given = {word.partition("=")[0] for word in arguments if word.startswith("--")}
    flags = {name: action for action in parser._actions for name in action.option_strings}
    words: list[str] = []
    for name, value in _read(parser, path_from_home(file)).items():
        flag = f"--{str(name).removeprefix('--')}"
        if flag not in flags or flag in ("--config", "--help"):
            parser.error(f"--config {file}: there is no flag {flag}")
        if flag not in given:
            words += _words(parser, f"--config {file}", flags[flag], flag, value)
    return [*words, *arguments]


def _read(parser: argparse.ArgumentParser, file: Path) -> dict[Any, Any]:
    import yaml  # type: ignore[import-untyped]

    try:
        text = file.read_text(encoding="utf-8")
        root = yaml.compose(text)
        keys = [key for key, _ in root.value] if isinstance(root, yaml.MappingNode) else []
        names = [str(key.value) for key in keys]
        found = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        place = f"line {error.problem_mark.line + 1}" if error.problem_mark else "YAML"
        parser.error(f"--config {file} cannot be read ({place}: {error.problem})")
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        parser.error(f"--config {file} cannot be read ({reason(error)})")
    if not isinstance(found, dict):
        parser.error(f"--config {file} must hold names of flags and their values")
    for name in names:
        if names.count(name) > 1:
            parser.error(f"--config {file} has {name} {names.count(name)} times; keep one")
    return found


def _words(
    parser: argparse.ArgumentParser, file: str, action: argparse.Action, flag: str, value: Any
) -> list[str]:
    """A flag of the file as it would stand on the command line."""
    values = value if isinstance(value, list) else [value]
    if action.nargs == 0:
        if not isinstance(value, bool):
            parser.error(f"{file}: {flag} is a switch; say true or false")
        return [flag] if value else []
    if any(isinstance(each, bool | dict | list) or each is None for each in values):
        parser.error(f"{file}: {flag} needs a value, or a list of them")
    texts = [str(each) for each in values]
    if action.nargs is None:  # one value each time, some flags several times
        return [f"{flag}={text}" for text in texts]
    return [flag, *texts]
