"""Networks that are saved to a folder, pushed to the Hub and loaded again, strictly.

A saved network is a folder of four files: ``model.safetensors`` (the weights), ``config.json``
(the class and its settings), ``facts.json`` (what is known of its training) and ``README.md``
(the card made from those facts), beside which lie the pictures that it shows. Transfer and caching
are huggingface_hub's; no pickle is read.
"""

import dataclasses
import inspect
import json
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import torch
from httpx2 import HTTPError
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from dslr_gan.errors import DslrGanError, first_line
from dslr_gan.files import written_whole
from dslr_gan.hub import CONFIG, FACTS, WEIGHTS, Origin, locate
from hub_card import ModelFacts, render, unknown_facts

CARD = "README.md"


class Pretrained(nn.Module):
    """Base of the networks: keeps their settings and facts, saves, pushes and loads them.

    A subclass sets ``self.config`` to the keyword arguments that build it again.
    """

    config: dict[str, Any]
    facts: ModelFacts | None = None
    """What is known of the training; ``None`` makes a card that says *unknown*."""
    pictures: Mapping[str, bytes] = MappingProxyType({})
    """Files of the pictures that the facts name; of a network from the Hub none are fetched."""
    origin: Origin | None = None
    """Where the weights came from; ``None`` for a network made here."""
    stored_as: torch.dtype = torch.float32
    """What the numbers are rounded to in a file: ``torch.float32``, or ``torch.float16`` for half
    the size. The network itself stays as it is. One that is loaded remembers it of its file."""

    @property
    def receptive_radius(self) -> int | None:
        """How many pixels away an input pixel can still change an output pixel, at most.

        ``None`` for a network that must see the whole picture at once, which is what is
        supposed of one that does not say.
        """
        return None

    @property
    def last_layer(self) -> nn.Conv2d:
        """The convolution that makes the output; every network names its own.

        The trainer logs the norm of each loss term's gradient at its weights, so that terms can
        be told apart by how hard they pull.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say which layer is its last.")

    @property
    def multiple(self) -> int:
        """Tile origins must be multiples of this many pixels, for tiles to equal the whole."""
        return 1

    @property
    def uses_context(self) -> bool:
        """Whether a description of the whole photo is handed to each of its tiles."""
        return False

    def context(self, summary: Tensor) -> Tensor:
        """Describe a whole photo for its tiles; only a network that uses context can."""
        raise ValueError("this network uses no context; call it with the image alone.")

    def forward_tile(
        self, image: Tensor, inner: tuple[slice, slice], context: Tensor | None = None
    ) -> Tensor:
        """``self(image, context)[..., *inner]``; a network may save itself what lies around."""
        result: Tensor = self(image, context)
        return result[..., *inner]

    @classmethod
    def from_pretrained(cls, name: str | Path, *, revision: str | None = None) -> Self:
        """Load a network from a folder or from the Hub.

        Args:
            name: A folder written by :meth:`save_pretrained`, or a Hub id ``owner/name``.
            revision: Branch, tag or commit; only with a Hub id.

        Returns:
            The network on the CPU, in evaluation mode, with ``facts`` and ``origin`` set.

        Raises:
            DslrGanError: If it cannot be found or fetched, or its files are incomplete, damaged,
                of another class, or hold missing, surplus, misshapen or non-finite weights.
        """
        origin = locate(name, revision)
        network = cls.from_folder(origin.folder)
        network.origin = origin
        return network

    @classmethod
    def from_folder(cls, folder: Path) -> Self:
        """Load a network from the files of a folder; see :meth:`from_pretrained`."""
        architecture, settings = _read_config(folder / CONFIG)
        _check_config(folder / CONFIG, architecture, settings, cls)
        network = cls(**settings)
        weights = read_weights(folder / WEIGHTS)
        network.load_strictly(weights, str(folder / WEIGHTS))
        if all(value.dtype == torch.float16 for value in weights.values()):
            network.stored_as = torch.float16
        network.facts = _read_facts(folder / FACTS)
        network.pictures = _read_pictures(folder, network.facts)
        return network.eval()

    def load_strictly(self, weights: Mapping[str, Tensor], name: str) -> None:
        """Take over weights whose names and shapes are exactly this network's, all finite.

        Args:
            weights: Tensors by parameter name.
            name: What to call them in an error.

        Raises:
            DslrGanError: If a weight is missing, surplus, misshapen or not finite; the network
                is then unchanged.
        """
        own = self.state_dict()
        for problem, names in (
            ("lacks", own.keys() - weights.keys()),
            ("has the surplus", weights.keys() - own.keys()),
        ):
            if names:
                raise DslrGanError(
                    f"{name} {problem} weights {_some(names)}; it was not saved from this "
                    f"{type(self).__name__}, or its {CONFIG} is another's."
                )
        for key, value in weights.items():
            if value.shape != own[key].shape:
                raise DslrGanError(
                    f"{name}: weight {key} has shape {tuple(value.shape)}, but the network has "
                    f"{tuple(own[key].shape)}; its {CONFIG} is another's."
                )
            if not torch.isfinite(value).all():
                raise DslrGanError(
                    f"{name}: weight {key} holds NaN or infinity; take an earlier checkpoint."
                )
        self.load_state_dict(dict(weights))

    def save_pretrained(self, folder: str | Path, *, repository: str | None = None) -> None:
        """Write weights, settings, facts and card into a folder, each file whole.

        The weights are rounded to :attr:`stored_as`. Pictures that the facts name go with them; the
        card leaves out those that are not here.

        Args:
            folder: Is made where it does not exist; the files in it are replaced.
            repository: Hub id that the card names in its example.

        Raises:
            DslrGanError: If the folder cannot be written to, or a weight is not finite, or too
                large for float16 where that is asked for.
        """
        folder = Path(folder)
        weights = {
            key: value.detach().to("cpu", self.stored_as).contiguous()
            for key, value in self.state_dict().items()
        }
        if not all(torch.isfinite(value).all() for value in weights.values()):
            if all(torch.isfinite(value).all() for value in self.state_dict().values()):
                raise DslrGanError("a weight is too large for float16; store it as float32.")
            raise DslrGanError("the network holds NaN or infinity and was not saved.")
        facts = self.facts or unknown_facts(type(self).__name__)
        if facts.pictures:
            here = [picture for picture in facts.pictures if picture.file in self.pictures]
            facts = dataclasses.replace(facts, pictures=here)
        config = {"architecture": type(self).__name__, **self.config}
        texts = {
            CONFIG: json.dumps(config, indent=2) + "\n",
            FACTS: facts.to_json(),
            CARD: str(render(facts, repository)),
        }
        try:
            # All are renamed into place together: never new settings beside old weights.
            with ExitStack() as whole:
                for picture in facts.pictures or []:
                    path = whole.enter_context(written_whole(folder / picture.file))
                    path.write_bytes(self.pictures[picture.file])
                for name, text in texts.items():
                    path = whole.enter_context(written_whole(folder / name))
                    path.write_text(text, encoding="utf-8")
                path = whole.enter_context(written_whole(folder / WEIGHTS))
                # save_file would make it private, whatever the umask says.
                path.write_bytes(save(weights, metadata={"format": "pt"}))
        except (OSError, SafetensorError) as error:
            reason = getattr(error, "strerror", None) or first_line(error)
            raise DslrGanError(
                f"cannot write the network to {folder} ({reason}); name another folder."
            ) from error

    def push_to_hub(
        self,
        repository: str,
        *,
        commit_message: str = "Upload the network",
        private: bool | None = None,
        branch: str | None = None,
        token: str | None = None,
    ) -> str:
        """Put the network with its card on the Hub, in one commit.

        Args:
            repository: Hub id ``owner/name``; made where it does not exist.
            commit_message: The commit's first line.
            private: Whether a new repository is private; ``None`` leaves it to the owner's default.
            branch: Branch to commit to, made where it does not exist; ``None`` for ``main``.
            token: Access token; ``None`` takes the one of ``hf auth login`` or ``HF_TOKEN``.

        Returns:
            The commit's address.

        Raises:
            DslrGanError: If the Hub cannot be reached or refuses.
        """
        api = HfApi(token=token)
        with tempfile.TemporaryDirectory() as folder:
            # First, so that a network that cannot be saved leaves no empty repository behind.
            self.save_pretrained(folder, repository=repository)
            try:
                repository = api.create_repo(repository, private=private, exist_ok=True).repo_id
                if branch is not None:
                    api.create_branch(repository, branch=branch, exist_ok=True)
                commit = api.upload_folder(
                    repo_id=repository,
                    folder_path=folder,
                    commit_message=commit_message,
                    revision=branch,
                )
            except (HfHubHTTPError, HTTPError, HFValidationError, OfflineModeIsEnabled) as error:
                raise DslrGanError(
                    f"the Hub did not take {repository} ({first_line(error)}); check the name, the "
                    "network, and that `hf auth login` has a token that may write there."
                ) from error
        return commit.commit_url


def read_architecture(folder: Path) -> str:
    """Tell of which class the network in a folder was saved.

    Args:
        folder: Holds ``config.json``.

    Returns:
        The name of the class, whether or not there is such a class.

    Raises:
        DslrGanError: If the file is missing, damaged, or names no class.
    """
    architecture, _ = _read_config(folder / CONFIG)
    if not isinstance(architecture, str):
        raise DslrGanError(
            f"{folder / CONFIG} does not say which network it describes; name another folder."
        )
    return architecture


def read_weights(file: Path) -> dict[str, Tensor]:
    """Read a safetensors file.

    Args:
        file: The file.

    Returns:
        Its tensors by name, on the CPU.

    Raises:
        DslrGanError: If it is missing, damaged, or not safetensors.
    """
    if not file.is_file():
        raise DslrGanError(
            f"there is no {file}; weights are read from safetensors files only, never a pickle."
        )
    try:
        return load_file(file)
    except (SafetensorError, OSError, ValueError) as error:
        raise DslrGanError(
            f"{file} is no whole safetensors file ({first_line(error)}); fetch or save it again."
        ) from error


def _read_config(file: Path) -> tuple[Any, dict[str, Any]]:
    """What stands for the class's name, ``None`` where nothing does, and the settings."""
    if not file.is_file():
        raise DslrGanError(
            f"there is no {file}; a saved network has {CONFIG} and {WEIGHTS} side by side."
        )
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise DslrGanError(f"{file} is not JSON ({first_line(error)}); save it again.") from error
    if not isinstance(config, dict):
        return None, {}
    return config.pop("architecture", None), config


def _check_config(
    file: Path, architecture: Any, settings: dict[str, Any], network: type[Pretrained]
) -> None:
    if architecture != network.__name__:
        raise DslrGanError(f"{file} does not describe a {network.__name__}; name another folder.")
    surplus = settings.keys() - inspect.signature(network).parameters.keys()
    if surplus:
        raise DslrGanError(
            f"{file} has settings that this version does not know: {_some(surplus)}; update."
        )


def _read_facts(file: Path) -> ModelFacts | None:
    if not file.is_file():
        return None
    try:
        return ModelFacts.from_json(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise DslrGanError(
            f"{file} does not hold the facts of a network ({first_line(error)}); remove it."
        ) from error


def _read_pictures(folder: Path, facts: ModelFacts | None) -> dict[str, bytes]:
    """The files of the pictures that the facts name, as far as they lie in the folder."""
    wanted = [folder / each.file for each in (facts.pictures or [] if facts else [])]
    try:
        return {file.name: file.read_bytes() for file in wanted if file.is_file()}
    except OSError as error:
        raise DslrGanError(
            f"{error.filename} cannot be read ({error.strerror}); remove it."
        ) from error


def _some(names: set[str]) -> str:
    shown = ", ".join(sorted(names)[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
