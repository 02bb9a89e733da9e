"""Average the weights of generators that were trained from one start, into one generator.

    python -m scripts.average runs/sony_0/generator runs/sony_1/generator --out runs/sony_mean
    python -m scripts.average runs/new/generator=0.7 runs/start/generator=0.3 --out runs/between

Runs that differ by their seed alone end in different places around one good one, and their mean is
nearer to it than most of them, at no cost when it is used (Wortsman et al. 2022, "Model soups:
averaging weights of multiple fine-tuned models improves accuracy without increasing inference
time"). On few real pairs, where runs differ by more than half a decibel, it also says less about
luck. Between a run and what it started from, shares after ``=`` say how far to go: what the run
forgot comes back sooner than what it learned is lost (Wortsman et al. 2022, "Robust fine-tuning of
zero-shot models").
"""

import argparse
import dataclasses
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from dslr_gan.errors import DslrGanError
from dslr_gan.models.pretrained import Pretrained
from dslr_gan.models.registry import load_network


def average(networks: Sequence[Pretrained], shares: Sequence[float]) -> Pretrained:
    """The mean of networks.

    Args:
        networks: At least two of one class and one shape. The first is changed into the mean, its
            facts keep what it learned from and gain the others' commands.
        shares: Of each, positive; only how large they are beside each other counts.

    Raises:
        DslrGanError: If there are fewer, or they are of different shapes.
    """
    if len(networks) < 2:
        raise DslrGanError("name at least two generators; one is its own mean.")
    first = networks[0]
    for network in networks[1:]:
        if type(network) is not type(first) or network.config != first.config:
            raise DslrGanError(
                "the generators are of different shapes; average runs of one architecture."
            )
    states = [network.state_dict() for network in networks]
    parts = torch.tensor(shares, dtype=torch.float64) / sum(shares)
    mean = {
        name: torch.tensordot(parts, torch.stack([state[name].double() for state in states]), 1)
        for name in states[0]
    }
    first.load_state_dict(mean)
    known = [network.facts for network in networks]
    if all(facts is not None for facts in known):
        commands = [command for facts in known if facts for command in facts.commands or []]
        first.facts = dataclasses.replace(
            known[0],  # type: ignore[type-var]
            commands=list(dict.fromkeys(commands)),
            scores=None,
        )
    return first


def parse(models: Sequence[str]) -> tuple[list[str], list[float]]:
    """Split every ``MODEL=SHARE``; a folder whose own name holds an equals sign is taken whole.

    Raises:
        DslrGanError: If a share is no positive number, or some have one and others have none.
    """
    names, shares = [], []
    for model in models:
        name, equals, share = model.rpartition("=")
        if not equals or Path(model).is_dir():
            names.append(model)
            continue
        try:
            number = float(share)
        except ValueError:
            number = 0.0
        if not 0 < number < float("inf"):
            raise DslrGanError(f"{model}: the share after = must be a positive number.")
        names.append(name)
        shares.append(number)
    if shares and len(shares) < len(names):
        raise DslrGanError("give every generator a share (MODEL=SHARE), or none of them.")
    return names, shares or [1.0] * len(names)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and average."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="+", metavar="MODEL[=SHARE]", help="folders or Hub ids")
    parser.add_argument(
        "--out", required=True, metavar="DIR", help="folder for the mean, rounded to float16"
    )
    options = parser.parse_args(arguments)
    words = [*options.models, "--out", options.out]
    try:
        if Path(options.out).exists():
            raise DslrGanError(f"{options.out} exists already; name a new folder.")
        names, shares = parse(options.models)
        mean = average([load_network(name) for name in names], shares)
        mean.stored_as = torch.float16
        if mean.facts is not None:
            command = f"python -m scripts.average {shlex.join(words)}"
            commands = [*(mean.facts.commands or []), command]
            mean.facts = dataclasses.replace(mean.facts, commands=commands)
        mean.save_pretrained(options.out)
    except DslrGanError as error:
        sys.exit(f"average: {error}")


if __name__ == "__main__":
    main()
