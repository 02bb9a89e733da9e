"""``models``: what can be loaded, and from where."""

import argparse
import sys

from dslr_gan.cli.common import PROGRAM, Commands, add_command
from dslr_gan.models.phones import PHONES, Phone


def add(commands: Commands) -> None:
    """Add the command."""
    add_command(
        commands,
        "models",
        _run,
        "List the models that can be loaded, and from where.",
        f"{PROGRAM} models",
    )


def _run(_: argparse.Namespace) -> int:
    for phone in PHONES.values():
        sys.stdout.write(f"{phone.name}: for photos of the {phone.title} ({phone.camera})\n")
        sys.stdout.write(f"  Hub: {_hub_line(phone)}\n  bundled: {_bundled_line(phone)}\n")
    sys.stdout.write(
        "auto: with enhance, by the maker of each photo's camera\n"
        "any other: --model owner/name, a Hub repository (owner/name@REVISION picks a branch, tag "
        "or commit),\n  or --model DIR, a folder with config.json and model.safetensors\n"
    )
    return 0


def _hub_line(phone: Phone) -> str:
    if phone.repository is None:
        return f"not configured; set {phone.variable}=owner/name to load from there"
    return f"{phone.repository} ({phone.variable}), loaded first"


def _bundled_line(phone: Phone) -> str:
    """Whether the package contains weights, and what is known about them."""
    if not phone.bundled:
        return f"none in {phone.folder}"

    from hub_card import ModelFacts

    try:
        facts = ModelFacts.from_json((phone.folder / "facts.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return f"{phone.folder}, nothing known about them"
    parameters = "unknown" if facts.parameters is None else f"{facts.parameters:,}"
    licence = facts.licence_name or "unknown"
    return f"{phone.folder}, {parameters} parameters, licence {licence}"
