"""Networks that are saved to a folder, pushed to the Hub and loaded again, strictly.

A saved network is a folder of four files: ``model.safetensors`` (the weights), ``config.json``
(the class and its settings), ``facts.json`` (what is known of its training) and ``README.md``
(the card made from those facts). Beside them are the pictures that the card shows. No pickle is
read. The arguments have the names of huggingface_hub's ``PyTorchModelHubMixin``, which itself loads
renamed weights without a word, falls back to pickles and passes the Hub's errors on.
"""

import dataclasses
import json
import logging
from collections.abc import Callable, Container, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self, TypedDict, Unpack

import torch
from safetensors import SafetensorError
from safetensors.torch import save
from torch import Tensor

from dslr_gan.errors import DslrGanError, InputError, reason
from dslr_gan.files import written_whole
from dslr_gan.hub import (
    CARD,
    CONFIG,
    FACTS,
    TIMEOUT_S,
    WEIGHTS,
    Origin,
    Target,
    check_repo_id,
    fetch,
    push,
)
from dslr_gan.models.base import Network
from dslr_gan.models.saved import (
    SavedConfig,
    check_shapes,
    fetch_pictures,
    read_beside,
    read_config,
    read_facts_of,
    read_pictures,
    read_weights,
    shapes_of,
    sizes_of,
)
from hub_card import LICENCE, ModelFacts, Picture, licence_file, render, summary, unknown_facts

logger = logging.getLogger(__name__)

ATTACHMENTS = ("run.json",)
"""What else a saved network may have beside it: the arguments, versions and machine of its run."""


class HubOptions(TypedDict, total=False):
    """How something is fetched from the Hub, as :func:`dslr_gan.hub.fetch` takes it."""

    force_download: bool
    token: str | bool | None
    cache_dir: str | Path | None
    local_files_only: bool
    revision: str | None
    timeout: float | None


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
        timeout: float | None = None,
    ) -> Self:
        """Load a network from a folder or from the Hub.

        Args:
            name: A folder written by :meth:`save_pretrained`, a Hub id ``owner/name``, one with a
                revision ``owner/name@revision``, or the address of a repository's page.
            force_download: Whether to download anew what is in the cache.
            token: Access token; ``None`` takes the one of ``hf auth login`` or ``HF_TOKEN``,
                ``False`` none.
            cache_dir: Where fetched files are kept; ``None`` for huggingface_hub's usual place.
            local_files_only: Whether to take the local copy without asking the Hub.
            revision: Branch, tag or commit; only with a Hub id.
            timeout: Seconds that the Hub has; while a file comes, be it slowly, they do not pass.
                None for 60, or for 10 where there is a local copy that can stand in.

        Returns:
            The network on the CPU, in evaluation mode, with ``facts`` and ``origin`` set.

        Raises:
            HubError: If it cannot be fetched, or arrives damaged.
            InputError: If there is no such folder, or its files are incomplete, damaged,
                of another class, or have missing, surplus, misshapen or non-finite weights.
        """
        network = load_saved(
            name,
            lambda config: cls,
            force_download=force_download,
            token=token,
            cache_dir=cache_dir,
            local_files_only=local_files_only,
            revision=revision,
            timeout=timeout,
        )
        assert isinstance(network, cls)
        return network

    @classmethod
    def _from_files(cls, config: SavedConfig, origin: Origin) -> Self:
        """Load a network from files whose settings have been read."""
        shapes = shapes_of(config, cls)
        place, file = origin.place(WEIGHTS), origin.folder / WEIGHTS
        weights = read_weights(file, place, shapes)
        network = cls(**config.settings)
        network.load_strictly(weights, place)
        if all(value.dtype == torch.float16 for value in weights.values()):
            network.stored_as = torch.float16
        network.facts = read_facts_of(origin, cls.__name__)
        network.pictures = read_pictures(origin.folder, network.facts)
        network.attachments = read_beside(origin.folder, ATTACHMENTS)
        network.origin = origin
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
        check_shapes(weights, {key: value.shape for key, value in own.items()}, name)
        cast = {key: value.to(own[key].dtype) for key, value in weights.items()}
        for key, value in cast.items():
            if not torch.isfinite(value).all():
                raise InputError(
                    f"{name}: weight {key} holds NaN, infinity, or a number too large for float32; "
                    "take an earlier checkpoint."
                )
        self.load_state_dict(cast)

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
        timeout: float | None = None,
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
            timeout: Seconds for it all, besides a second for each 250 kB; None for 60.
            advice: What else an error message says.

        Returns:
            The address of the commit, or of the pull request.

        Raises:
            HubError: If the Hub cannot be reached or refuses.
            InputError: If a pull request is given a branch or a tag, or a name can be none.
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
            timeout_s=TIMEOUT_S if timeout is None else timeout,
        )
        target.check()
        if space is not None:
            check_repo_id(space, "me/dslr-gan")
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


def load_saved(
    name: str | Path,
    choose: Callable[[SavedConfig], type[Pretrained]],
    **options: Unpack[HubOptions],
) -> Pretrained:
    """Load a network from a folder or from the Hub.

    Args:
        name: See :meth:`Pretrained.from_pretrained`.
        choose: Gives the class for the settings, or raises an InputError.
        options: See :meth:`Pretrained.from_pretrained`.

    Returns:
        The network on the CPU, in evaluation mode, with ``facts`` and ``origin`` set.

    Raises:
        HubError: As :meth:`Pretrained.from_pretrained`.
        InputError: As :meth:`Pretrained.from_pretrained`.
    """

    def sizes(origin: Origin) -> range:
        """What the weights that these settings ask for may weigh, before they are fetched."""
        config = read_config(origin)
        return sizes_of(shapes_of(config, choose(config)))

    origin = fetch(name, most=sizes, **options)
    config = read_config(origin)
    try:
        return choose(config)._from_files(config, origin)
    except (RuntimeError, TypeError, ArithmeticError, MemoryError) as error:
        # Files of strangers: no check foresees all.
        raise InputError(
            f"{origin.place(WEIGHTS)} cannot be loaded ({reason(error)}); take another network."
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
