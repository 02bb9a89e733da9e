"""Every network that can be trained or loaded, by name."""

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple, Unpack

from dslr_gan.errors import DslrGanError, HubError, InputError, brief, reason
from dslr_gan.hub import CONFIG
from dslr_gan.models.baselines import SRCNN, VDSR
from dslr_gan.models.generator import Generator
from dslr_gan.models.phones import AUTO, PHONES, Phone
from dslr_gan.models.pretrained import HubOptions, Pretrained, load_saved
from dslr_gan.models.saved import SavedConfig, read_weights

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


class Loaded(NamedTuple):
    """A network and where it came from."""

    network: Pretrained
    source: str
    """Where the weights came from, in words for people."""
    fallback: str | None = None
    """Why something stood in for what was asked of the Hub; None where nothing did."""


def load(
    name: str | Path,
    *,
    force_download: bool = False,
    token: str | bool | None = None,
    cache_dir: str | Path | None = None,
    local_files_only: bool = False,
    revision: str | None = None,
    timeout: float | None = None,
    strict_source: bool = False,
) -> Loaded:
    """Load a network by a name of the catalogue, a Hub id, a folder, or a published file.

    A phone of the catalogue asks the Hub when its repository is configured. When that fails, its
    local copy is taken, then the bundled weights, with a warning in the log. A Hub id or a revision
    that was asked for is never replaced by something else.

    Args:
        name: ``"iphone"``, ``"sony"``, a Hub id ``owner/name``, one with a revision
            ``owner/name@revision``, the address of a repository's page, a folder that a network of
            any class was saved to, or the safetensors file of a published DPED generator or SRCNN.
        force_download: See :meth:`Pretrained.from_pretrained`.
        token: See :meth:`Pretrained.from_pretrained`.
        cache_dir: See :meth:`Pretrained.from_pretrained`.
        local_files_only: See :meth:`Pretrained.from_pretrained`.
        revision: Branch, tag or commit on the Hub.
        timeout: See :meth:`Pretrained.from_pretrained`.
        strict_source: Whether to raise an error where something would stand in for what was asked
            of the Hub: the bundled weights, or the local copy of a branch or tag while the Hub does
            not answer. What is taken from the cache by wish (``local_files_only``,
            ``HF_HUB_OFFLINE``) or by its full commit is no stand-in.

    Returns:
        The network on the CPU, in evaluation mode, and where it came from.

    Raises:
        InputError: If nothing is found under that name, or its files cannot be used.
        HubError: If it cannot be fetched from the Hub.
    """
    options: HubOptions = {
        "force_download": force_download,
        "token": token,
        "cache_dir": cache_dir,
        "local_files_only": local_files_only,
        "revision": revision,
        "timeout": timeout,
    }
    if str(name) in PHONES:
        loaded = _load_phone(PHONES[str(name)], options, strict_source)
    else:
        loaded = _load_named(name, options)
    origin = loaded.network.origin
    if strict_source and origin is not None and origin.is_stand_in:
        raise HubError(
            f"{origin.why}, and the local copy of {origin.repository}, commit "
            f"{(origin.commit or '')[:8]}, may not stand in; try again, or leave out "
            "--strict-source (strict_source).",
            origin.why,
        )
    return loaded


def load_network(name: str | Path, **options: Unpack[HubOptions]) -> Pretrained:
    """Load a saved network of whichever class its ``config.json`` names.

    Args:
        name: See :meth:`Pretrained.from_pretrained`.
        options: Its other arguments.

    Returns:
        The network on the CPU, in evaluation mode, with ``facts`` and ``origin`` set.

    Raises:
        InputError: As :meth:`Pretrained.from_pretrained`, or if this version does not know
            the class.
        HubError: As :meth:`Pretrained.from_pretrained`.
    """
    return load_saved(name, _class_of, **options)


def _class_of(config: SavedConfig) -> type[Pretrained]:
    if config.architecture not in _CLASSES:
        raise InputError(
            f"{config.place} describes a network of the class {brief(config.architecture)}, which "
            f"this version does not know; it knows {', '.join(_CLASSES)}."
        )
    return _CLASSES[config.architecture]


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


def _load_named(name: str | Path, options: HubOptions) -> Loaded:
    try:
        is_file = Path(name).is_file()
    except (OSError, ValueError) as error:  # too long a name, a folder out of reach, a zero byte
        raise InputError(
            f"{brief(str(name))} cannot be loaded ({reason(error)}); check the name and its "
            "permissions."
        ) from error
    if is_file and (Path(name).parent / CONFIG).is_file():
        raise InputError(
            f"{name} is one file of a saved network, which is a folder; name the folder "
            f"{Path(name).parent}."
        )
    try:
        if is_file and options["revision"] is None:
            return Loaded(load_published(name), f"file {name}")
        network = load_network(name, **options)
    except InputError as error:
        known = ", ".join(PHONES)
        if Path(name).exists() or "/" in str(name):
            raise
        chosen = ", which is chosen by each photo's camera, and by enhance alone"
        raise InputError(
            f"there is no model {str(name)!r}{chosen if str(name) == AUTO else ''}; take one of "
            f"{known}, a Hub id such as owner/name, or a folder."
        ) from error
    return _described(str(name), network)


def _load_phone(phone: Phone, options: HubOptions, strict: bool) -> Loaded:
    repository, revision = phone.repository, options["revision"]
    bundled = f"bundled {phone.title} weights"
    if repository is None:
        if revision is not None:
            raise InputError(
                f"revision {revision!r} of {phone.name} was asked for, but no Hub repository is "
                f"configured for it; set {phone.variable} or leave the revision out."
            )
        return Loaded(load_network(phone.folder), bundled)
    try:
        return _described(repository, load_network(repository, **options))
    except DslrGanError as error:
        if revision is not None or strict:
            raise
        why = error.cause if isinstance(error, HubError) else str(error).rstrip(".")
        logger.warning("%s; using the %s", str(error).rstrip("."), bundled)
    except Exception as error:  # a mistake of ours or of a library must not end a page
        why = f"{type(error).__name__}: {reason(error)}"
        if revision is not None or strict:
            raise DslrGanError(f"{repository} could not be loaded ({why}).") from error
        logger.exception("%s could not be loaded; using the %s", repository, bundled)
    source = f"{bundled}, because {repository} could not be loaded ({why})"
    return Loaded(load_network(phone.folder), source, why)


def _described(name: str, network: Pretrained) -> Loaded:
    origin = network.origin
    if origin is None or origin.repository is None:
        return Loaded(network, f"folder {name}")
    text = f"Hub repository {origin.repository} at commit {(origin.commit or '')[:8]}"
    if origin.answered:
        return Loaded(network, text)
    copy = f"local copy of {origin.fetched_on}" if origin.fetched_on else "local copy"
    return Loaded(
        network,
        f"{text} ({copy}{f', {origin.why}' if origin.why else ''})",
        origin.why or None,
    )
