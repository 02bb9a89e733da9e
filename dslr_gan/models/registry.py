"""Every network that can be trained or loaded, by name; whichever it is, it is used alike."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from dslr_gan.errors import DslrGanError
from dslr_gan.hub import CONFIG, locate
from dslr_gan.models.baselines import SRCNN, VDSR
from dslr_gan.models.generator import Generator
from dslr_gan.models.pretrained import Pretrained, read_architecture, read_weights

ARCHITECTURES: dict[str, Callable[[], Pretrained]] = {
    "default": Generator,
    "paper": partial(Generator, downscale=1),
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
    "srcnn": SRCNN,
    "vdsr": VDSR,
}
"""What can be trained. The paper's generator, DPED's, and ours with context: ``detail``, ``light``
with a third of its arithmetic, and ``swift``, folded deeper, in two thirds of its time; ``srcnn``
and ``vdsr`` are what the paper compares itself with."""

_CLASSES: dict[str, type[Pretrained]] = {each.__name__: each for each in (Generator, SRCNN, VDSR)}


def make_network(architecture: str) -> Pretrained:
    """Make an untrained network.

    Args:
        architecture: A name among :data:`ARCHITECTURES`.

    Returns:
        The network on the CPU, its weights drawn from PyTorch's global random state.

    Raises:
        DslrGanError: If there is no such architecture.
    """
    if architecture not in ARCHITECTURES:
        raise DslrGanError(
            f"there is no architecture {architecture!r}; take one of {', '.join(ARCHITECTURES)}."
        )
    return ARCHITECTURES[architecture]()


def load_network(name: str | Path, *, revision: str | None = None) -> Pretrained:
    """Load a saved network of whichever class its ``config.json`` names.

    Args:
        name: A folder written by :meth:`Pretrained.save_pretrained`, or a Hub id ``owner/name``.
        revision: Branch, tag or commit; only with a Hub id.

    Returns:
        The network on the CPU, in evaluation mode, with ``facts`` and ``origin`` set.

    Raises:
        DslrGanError: As :meth:`Pretrained.from_pretrained`, or if this version does not know
            the class.
    """
    origin = locate(name, revision)
    architecture = read_architecture(origin.folder)
    if architecture not in _CLASSES:
        raise DslrGanError(
            f"{origin.folder / CONFIG} describes a network of the class {architecture}, which "
            f"this version does not know; it knows {', '.join(_CLASSES)}."
        )
    network = _CLASSES[architecture].from_folder(origin.folder)
    network.origin = origin
    return network


def load_published(file: str | Path) -> Pretrained:
    """Load a network that was published as one safetensors file.

    Args:
        file: A generator of DPED or of the PIRM 2018 challenge, or that challenge's SRCNN.

    Returns:
        The network on the CPU, in evaluation mode.

    Raises:
        DslrGanError: If the file is missing, damaged, or of another layout.
    """
    # Of the published networks only the generators have instance norms.
    if any(key.startswith("norm") for key in read_weights(Path(file))):
        return Generator.from_published(file)
    return SRCNN.from_published(file)
