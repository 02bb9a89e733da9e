"""Networks that are saved to a folder, pushed to the Hub and loaded again, strictly.

A saved network is a folder of four files: ``model.safetensors`` (the weights), ``config.json``
(the class and its settings), ``facts.json`` (what is known of its training) and ``README.md``
(the card made from those facts). Beside them are the pictures that the card shows. No pickle is
read. The arguments have the names of huggingface_hub's ``PyTorchModelHubMixin``, which itself loads
renamed weights without a word, falls back to pickles and passes the Hub's errors on.
"""

import dataclasses
import inspect
import json
import logging
from collections.abc import Container, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from dslr_gan.errors import DslrGanError, InputError, reason
from dslr_gan.files import written_whole
from dslr_gan.hub import (
    CARD,
    CONFIG,
    FACTS,
    WEIGHTS,
    Origin,
    Target,
    fetch,
    fetch_pictures,
    push,
    read_beside,
    read_pictures,
)
from dslr_gan.models.base import Network
from hub_card import LICENCE, ModelFacts, Picture, licence_file, render, summary, unknown_facts

logger = logging.getLogger(__name__)

ATTACHMENTS = ("run.json",)
"""What else a saved network may have beside it: the arguments, versions and machine of its run."""


class SavedConfig(NamedTuple):
    """The contents of a saved network's ``config.json``."""

    file: Path
    architecture: str
    """The name of the network's class, whether or not there is such a class."""
    settings: dict[str, Any]
    """Keyword arguments of the class."""


class Pretrained(Network):
    """A network with its settings and facts, which is saved, pushed and loaded.

    A subclass sets ``self.config`` to the keyword arguments that build it again.
    """

    config: dict[str, Any]
    facts: ModelFacts | None = None
    """What is known of the training; ``None`` makes a card that says *unknown*."""
    pictures: Mapping[str, bytes] = MappingProxyType({})
    """Files of the pictures that the facts name. Those on the Hub are fetched for saving."""
    attachments: Mapping[str, bytes] = MappingProxyType({})
    """Other files of :data:`ATTACHMENTS`."""
    origin: Origin | None = None
    """Where the weights came from; ``None`` for a network made here."""
    stored_as: torch.dtype = torch.float32
    """What the weights are rounded to in a file: ``torch.float32``, or ``torch.float16`` for half
    the size. The network in memory keeps its precision. A loaded one has that of its file."""

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        *,
        force_download: bool = False,
        token: str | bool | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
        revision: str | None = None,
    ) -> Self:
        """Load a network from a folder or from the Hub.

        Args:
            name: A folder written by :meth:`save_pretrained`, or a Hub id ``owner/name``.
            force_download: Whether to download anew what is in the cache.
            token: Access token; ``None`` takes the one of ``hf auth login`` or ``HF_TOKEN``,
                ``False`` none.
            cache_dir: Where fetched files are kept; ``None`` for huggingface_hub's usual place.
            local_files_only: Whether to take the local copy without asking the Hub.
            revision: Branch, tag or commit; only with a Hub id.

        Returns:
            The network on the CPU, in evaluation mode, with ``facts`` and ``origin`` set.

        Raises:
            HubError: If it cannot be fetched, or arrives damaged.
            InputError: If there is no such folder, or its files are incomplete, damaged,
                of another class, or have missing, surplus, misshapen or non-finite weights.
        """
        origin = fetch(
            name,
            force_download=force_download,
            token=token,
            cache_dir=cache_dir,
            local_files_only=local_files_only,
            revision=revision,
        )
        network = cls.from_config(read_config(origin.folder))
        network.origin = origin
        return network

    @classmethod
    def from_config(cls, config: SavedConfig) -> Self:
        """Load a network from the files beside a ``config.json`` that has been read.

        Args:
            config: From :func:`read_config`.

        Returns:
            The network on the CPU, in evaluation mode, with ``facts`` set.

        Raises:
            InputError: As :meth:`from_pretrained`.
        """
        _check_config(config, cls)
        folder = config.file.parent
        network = cls(**config.settings)
        weights = read_weights(folder / WEIGHTS)
        network.load_strictly(weights, str(folder / WEIGHTS))
        if all(value.dtype == torch.float16 for value in weights.values()):
            network.stored_as = torch.float16
        network.facts = _read_facts(folder / FACTS)
        network.pictures = read_pictures(folder, network.facts)
        network.attachments = read_beside(folder, ATTACHMENTS)
        return network.eval()

    def load_strictly(self, weights: Mapping[str, Tensor], name: str) -> None:
        """Load weights whose names and shapes are exactly this network's, all finite.

        Args:
            weights: Tensors by parameter name.
            name: What to call them in an error message.

        Raises:
            InputError: If a weight is missing, surplus, misshapen or not finite; the network
                is then unchanged.
        """
        own = self.state_dict()
        for problem, names in (
            ("lacks", own.keys() - weights.keys()),
            ("has the surplus", weights.keys() - own.keys()),
        ):
            if names:
                raise InputError(
                    f"{name} {problem} weights {_some(names)}; it was not saved from this "
                    f"{type(self).__name__}, or its {CONFIG} is another's."
                )
        for key, value in weights.items():
            if value.shape != own[key].shape:
                raise InputError(
                    f"{name}: weight {key} has shape {tuple(value.shape)}, but the network has "
                    f"{tuple(own[key].shape)}; its {CONFIG} is another's."
                )
            if not torch.isfinite(value).all():
                raise InputError(
                    f"{name}: weight {key} holds NaN or infinity; take an earlier checkpoint."
                )
        self.load_state_dict(dict(weights))

    def saved_files(
        self, *, repo_id: str | None = None, space: str | None = None
    ) -> dict[str, bytes]:
        """The files of the saved network by their names.

        Pictures that the facts name and that are on the Hub are fetched. The card leaves out those
        that are missing.

        Args:
            repo_id: What the card loads in its examples: a Hub id, or a bundled model's name.
            space: Hub id of the Space that the card links to.

        Raises:
            DslrGanError: If a weight is not finite, or too large for float16 where that is asked
                for.
        """
        weights = self._weights_to_save()
        facts = self.facts or unknown_facts(type(self).__name__)
        pictures = {**fetch_pictures(self.origin, facts, self.pictures), **self.pictures}
        facts = _with_pictures(facts, pictures)
        config = {"architecture": type(self).__name__, **self.config}
        texts = {
            CONFIG: json.dumps(config, indent=2) + "\n",
            FACTS: facts.to_json(),
            CARD: str(render(facts, repo_id, space=space)),
            LICENCE: licence_file(facts),
        }
        metadata = {"architecture": type(self).__name__, "format": "pt", "library": "dslr_gan"}
        files = {name: text.encode() for name, text in texts.items() if text is not None}
        files |= {picture.file: pictures[picture.file] for picture in facts.all_pictures}
        files |= self.attachments
        return files | {WEIGHTS: _with_metadata(save(weights), metadata)}

    def save_pretrained(self, save_directory: str | Path, *, repo_id: str | None = None) -> None:
        """Write weights, settings, facts and card into a folder, each file whole.

        The weights are rounded to :attr:`stored_as`. Pictures that the facts name are written,
        too. The card leaves out those that are missing.

        Args:
            save_directory: Is made where it does not exist; the files in it are replaced.
            repo_id: What the card loads in its examples: a Hub id, or a bundled model's name.

        Raises:
            DslrGanError: If the folder cannot be written to, or a weight is not finite, or too
                large for float16 where that is asked for.
        """
        folder = Path(save_directory)
        try:
            files = self.saved_files(repo_id=repo_id)
            # All are renamed into place together: never new settings beside old weights.
            with ExitStack() as whole:
                for name, content in files.items():
                    whole.enter_context(written_whole(folder / name)).write_bytes(content)
        except (OSError, SafetensorError) as error:
            raise DslrGanError(
                f"cannot write the network to {folder} ({reason(error)}); name another folder."
            ) from error

    def _weights_to_save(self) -> dict[str, Tensor]:
        weights = {
            key: value.detach().to("cpu", self.stored_as).contiguous()
            for key, value in self.state_dict().items()
        }
        if not all(torch.isfinite(value).all() for value in weights.values()):
            if all(torch.isfinite(value).all() for value in self.state_dict().values()):
                raise DslrGanError("a weight is too large for float16; store it as float32.")
            raise DslrGanError("the network holds NaN or infinity and was not saved.")
        return weights

    def push_to_hub(
        self,
        repo_id: str,
        *,
        commit_message: str | None = None,
        commit_description: str | None = None,
        private: bool | None = None,
        token: str | None = None,
        branch: str | None = None,
        create_pr: bool | None = None,
        tag: str | None = None,
        replace_card: bool = False,
        space: str | None = None,
        advice: str = "",
    ) -> str:
        """Put the network with its card on the Hub, in one commit.

        Args:
            repo_id: Hub id ``owner/name``; made where it does not exist.
            commit_message: The commit's first line; by default the steps and the scores.
            commit_description: Its other lines.
            private: Whether a new repository is private; ``None`` leaves it to the owner's default.
                ``True`` refuses one that is public already.
            token: Access token; ``None`` takes the one of ``hf auth login`` or ``HF_TOKEN``.
            branch: Branch to commit to, made where it does not exist; ``None`` for ``main``.
            create_pr: Whether to propose the commit as a pull request to ``main`` instead.
            tag: Tag for the commit; one that exists is refused.
            replace_card: Whether to replace a card that somebody has written or changed there; it
                is kept otherwise, and a warning is logged.
            space: Hub id of the Space that the card links to.
            advice: What else an error message says.

        Returns:
            The address of the commit, or of the pull request.

        Raises:
            HubError: If the Hub cannot be reached or refuses.
            InputError: If a pull request is given a branch or a tag.
            DslrGanError: As :meth:`saved_files`.
        """
        target = Target(
            repo_id=repo_id,
            private=private,
            branch=branch,
            create_pr=bool(create_pr),
            tag=tag,
            replace_card=replace_card,
            token=token,
        )
        target.check()
        pushed = push(
            self.saved_files(repo_id=repo_id, space=space),
            target,
            message=commit_message or summary(self.facts or unknown_facts(type(self).__name__)),
            description=commit_description,
            advice=advice,
        )
        for note in pushed.notes:
            logger.warning("%s", note)
        return pushed.commit


def read_config(folder: Path) -> SavedConfig:
    """Read which network a folder has, and its settings.

    Args:
        folder: Has ``config.json``.

    Returns:
        The contents of the file.

    Raises:
        InputError: If the file is missing, damaged, or names no class.
    """
    file = folder / CONFIG
    if not file.is_file():
        raise InputError(
            f"there is no {file}; a saved network has {CONFIG} and {WEIGHTS} side by side."
        )
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise InputError(f"{file} is not JSON ({reason(error)}); save it again.") from error
    settings = dict(config) if isinstance(config, dict) else {}
    architecture = settings.pop("architecture", None)
    if not isinstance(architecture, str):
        raise InputError(f"{file} does not say which network it describes; name another folder.")
    return SavedConfig(file, architecture, settings)


def read_weights(file: Path) -> dict[str, Tensor]:
    """Read a safetensors file.

    Args:
        file: The file.

    Returns:
        Its tensors by name, on the CPU.

    Raises:
        InputError: If it is missing, damaged, or not safetensors.
    """
    if not file.is_file():
        raise InputError(
            f"there is no {file}; weights are read from safetensors files only, never a pickle."
        )
    try:
        return load_file(file)
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(
            f"{file} is no whole safetensors file ({reason(error)}); fetch or save it again."
        ) from error


def _check_config(config: SavedConfig, network: type[Pretrained]) -> None:
    if config.architecture != network.__name__:
        raise InputError(
            f"{config.file} does not describe a {network.__name__}; name another folder."
        )
    surplus = config.settings.keys() - inspect.signature(network).parameters.keys()
    if surplus:
        raise InputError(
            f"{config.file} has settings that this version does not know: {_some(surplus)}; update."
        )


def _read_facts(file: Path) -> ModelFacts | None:
    if not file.is_file():
        return None
    try:
        return ModelFacts.from_json(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise InputError(
            f"{file} does not hold the facts of a network ({reason(error)}); remove it."
        ) from error


def _with_metadata(content: bytes, metadata: Mapping[str, str]) -> bytes:
    """A safetensors file with metadata, the same bytes each time; the library shuffles them."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.dumps({"__metadata__": metadata, **json.loads(content[8:end])}).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + content[end:]


def _with_pictures(facts: ModelFacts, here: Container[str]) -> ModelFacts:
    """Facts without the pictures that are missing."""
    first = facts.before_after

    def kept(pictures: list[Picture] | None) -> list[Picture] | None:
        return None if pictures is None else [each for each in pictures if each.file in here]

    return dataclasses.replace(
        facts,
        before_after=first if first is not None and first.file in here else None,
        pictures=kept(facts.pictures),
        training_pictures=kept(facts.training_pictures),
    )


def _some(names: set[str]) -> str:
    first = ", ".join(sorted(names)[:3])
    return first if len(names) <= 3 else f"{first} and {len(names) - 3} more"
