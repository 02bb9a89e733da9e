"""Every network that can be trained or loaded, by name."""

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypedDict

from dslr_gan.errors import DslrGanError, InputError
from dslr_gan.hub import LocalCopy, fetch
from dslr_gan.models.baselines import SRCNN, VDSR
from dslr_gan.models.generator import Generator
from dslr_gan.models.phones import PHONES, Phone
from dslr_gan.models.pretrained import Pretrained, read_config, read_weights

logger = logging.getLogger(__name__)

ARCHITECTURES: dict[str, Callable[[], Pretrained]] = {
    "default": Generator,
    "paper": partial(Generator, downscale=1, end_kernel=9, residual=False, skips=False),
    "full": partial(Generator, downscale=1),
    "dped": partial(
        Generator, channels=64, downscale=1, norm="instance", end_kernel=9, residual=False
    ),
    "detail": partial(
        Generator,
        blocks=4,
        dilations=[1, 1, 2, 4],
        end_kernel=5,
        coarse_channels=32,
        context_channels=32,
    ),
    "light": partial(
        Generator,
        channels=16,
        blocks=4,
        dilations=[1, 1, 2, 4],
        end_kernel=5,
        coarse_channels=32,
        context_channels=64,
        context_width=64,
    ),
    "swift": partial(
        Generator,
        channels=28,
        blocks=4,
        downscale=4,
        dilations=[1, 1, 2, 4],
        coarse_channels=24,
        context_channels=48,
        context_width=36,
    ),
    "srcnn": partial(SRCNN, padding="replicate"),
    "vdsr": partial(VDSR, padding="replicate"),
}
"""What can be trained.

``paper`` is the paper's generator to the letter: 32 channels, convolutions and ReLU alone, tanh
last, whose output is the picture. What the paper leaves open is DPED's: twelve layers, 9x9 kernels
at both ends. ``dped`` is DPED's own. The others are ours and correct the input: ``default``,
``full`` at full resolution, and those with context: ``detail``, ``light`` with a third of its
arithmetic, and ``swift``, folded deeper, in two thirds of its time. ``srcnn`` and ``vdsr`` are what
the paper compares itself with."""

_CLASSES: dict[str, type[Pretrained]] = {
    network.__name__: network for network in (Generator, SRCNN, VDSR)
}


def make_network(architecture: str) -> Pretrained:
    """Make an untrained network.

    Args:
        architecture: A name among :data:`ARCHITECTURES`.

    Returns:
        The network on the CPU, its weights drawn from PyTorch's global random state.

    Raises:
        InputError: If there is no such architecture.
    """
    if architecture not in ARCHITECTURES:
        raise InputError(
            f"there is no architecture {architecture!r}; take one of {', '.join(ARCHITECTURES)}."
        )
    return ARCHITECTURES[architecture]()


class _HubOptions(TypedDict):
    """Arguments of :meth:`Pretrained.from_pretrained` beside the name."""

    force_download: bool
    token: str | bool | None
    cache_dir: str | Path | None
    local_files_only: bool
    revision: str | None


class Loaded(NamedTuple):
    """A network and where it came from."""

    network: Pretrained
    source: str
    """Where the weights came from, in words for people."""


def load(
    name: str | Path,
    *,
    force_download: bool = False,
    token: str | bool | None = None,
    cache_dir: str | Path | None = None,
    local_files_only: bool = False,
    revision: str | None = None,
) -> Loaded:
    """Load a network by a name of the catalogue, a Hub id, a folder, or a published file.

    A phone of the catalogue asks the Hub when its repository is configured. When that fails, its
    local copy is taken, then the bundled weights, with a warning in the log. A Hub id or a revision
    that was asked for is never replaced by something else.

    Args:
        name: ``"iphone"``, ``"sony"``, a Hub id ``owner/name``, a folder that a network of any
            class was saved to, or the safetensors file of a published DPED generator or SRCNN.
        force_download: See :meth:`Pretrained.from_pretrained`.
        token: See :meth:`Pretrained.from_pretrained`.
        cache_dir: See :meth:`Pretrained.from_pretrained`.
        local_files_only: See :meth:`Pretrained.from_pretrained`.
        revision: Branch, tag or commit on the Hub.

    Returns:
        The network on the CPU, in evaluation mode, and where it came from.

    Raises:
        InputError: If nothing is found under that name, or its files cannot be used.
        HubError: If it cannot be fetched from the Hub.
    """
    hub_options: _HubOptions = {
        "force_download": force_download,
        "token": token,
        "cache_dir": cache_dir,
        "local_files_only": local_files_only,
        "revision": revision,
    }
    if str(name) in PHONES:
        return _load_phone(PHONES[str(name)], hub_options)
    return _load_named(name, hub_options)


def load_network(
    name: str | Path,
    *,
    force_download: bool = False,
    token: str | bool | None = None,
    cache_dir: str | Path | None = None,
    local_files_only: bool = False,
    revision: str | None = None,
) -> Pretrained:
    """Load a saved network of whichever class its ``config.json`` names.

    Args:
        name: A folder written by :meth:`Pretrained.save_pretrained`, or a Hub id ``owner/name``.
        force_download: See :meth:`Pretrained.from_pretrained`.
        token: See :meth:`Pretrained.from_pretrained`.
        cache_dir: See :meth:`Pretrained.from_pretrained`.
        local_files_only: See :meth:`Pretrained.from_pretrained`.
        revision: Branch, tag or commit; only with a Hub id.

    Returns:
        The network on the CPU, in evaluation mode, with ``facts`` and ``origin`` set.

    Raises:
        InputError: As :meth:`Pretrained.from_pretrained`, or if this version does not know
            the class.
        HubError: As :meth:`Pretrained.from_pretrained`.
    """
    origin = fetch(
        name,
        force_download=force_download,
        token=token,
        cache_dir=cache_dir,
        local_files_only=local_files_only,
        revision=revision,
    )
    config = read_config(origin.folder)
    if config.architecture not in _CLASSES:
        raise InputError(
            f"{config.file} describes a network of the class {config.architecture}, which "
            f"this version does not know; it knows {', '.join(_CLASSES)}."
        )
    network = _CLASSES[config.architecture].from_config(config)
    network.origin = origin
    return network


def load_published(file: str | Path) -> Pretrained:
    """Load a network that was published as one safetensors file.

    Args:
        file: A generator of DPED or of the PIRM 2018 challenge, or that challenge's SRCNN.

    Returns:
        The network on the CPU, in evaluation mode.

    Raises:
        InputError: If the file is missing, damaged, or of another layout.
    """
    # Of the published networks only the generators have instance norms.
    if any(key.startswith("norm") for key in read_weights(Path(file))):
        return Generator.from_published(file)
    return SRCNN.from_published(file)


def _load_named(name: str | Path, hub_options: _HubOptions) -> Loaded:
    try:
        is_file = Path(name).is_file()
    except OSError as error:  # too long a name, or a folder that is out of reach
        raise InputError(
            f"{name} cannot be loaded ({error.strerror}); check the name and its permissions."
        ) from error
    try:
        if is_file and hub_options["revision"] is None:
            return Loaded(load_published(name), f"file {name}")
        network = load_network(name, **hub_options)
    except InputError as error:
        known = ", ".join(PHONES)
        if Path(name).exists() or "/" in str(name):
            raise
        raise InputError(
            f"there is no model {str(name)!r}; take one of {known}, a Hub id such as owner/name, "
            "or a folder."
        ) from error
    return Loaded(network, _describe(str(name), network, hub_options))


def _load_phone(phone: Phone, hub_options: _HubOptions) -> Loaded:
    repository, revision = phone.repository, hub_options["revision"]
    bundled = f"bundled {phone.name} weights"
    if repository is None:
        if revision is not None:
            raise InputError(
                f"revision {revision!r} of {phone.name} was asked for, but no Hub repository is "
                f"configured for it; set {phone.variable} or leave the revision out."
            )
        return Loaded(load_network(phone.folder), bundled)
    try:
        network = load_network(repository, **hub_options)
    except DslrGanError as error:
        if revision is not None:
            raise
        logger.warning("%s; using the %s", str(error).rstrip("."), bundled)
        source = f"{bundled}, because {repository} could not be loaded"
        return Loaded(load_network(phone.folder), source)
    return Loaded(network, _describe(repository, network, hub_options))


def _describe(name: str, network: Pretrained, hub_options: _HubOptions) -> str:
    origin = network.origin
    if origin is None or origin.commit is None:
        return f"folder {name}"
    text = f"Hub repository {name} at commit {origin.commit[:8]}"
    if origin.answered:
        return text
    if hub_options["local_files_only"]:
        return f"{text} (local copy)"
    why = origin.why if isinstance(origin, LocalCopy) else "the Hub did not answer"
    return f"{text} (local copy, {why})"
