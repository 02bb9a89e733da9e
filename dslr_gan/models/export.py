"""A network as ONNX, for runtimes other than PyTorch.

A network becomes one file or, where it uses a context, two: ``iphone.onnx`` and
``iphone.context.onnx``. Batch, height and width are free, from 1x1; height and width need not be
multiples of anything. Pictures are sRGB in [0, 1], float32. To run them takes onnxruntime and
numpy::

    import numpy as np, onnxruntime as ort
    from PIL import Image

    photo = np.asarray(Image.open("photo.jpg").convert("RGB"), np.float32) / 255
    image = photo.transpose(2, 0, 1)[None]  # (1, 3, H, W)
    (context,) = ort.InferenceSession("iphone.context.onnx").run(None, {"image": image})
    network = ort.InferenceSession("iphone.onnx")
    (enhanced,) = network.run(None, {"image": image, "context": context})
    pixels = (enhanced[0].clip(0, 1) * 255).round().astype(np.uint8).transpose(1, 2, 0)
    Image.fromarray(pixels).save("enhanced.jpg")

The context describes the whole photo. The network may then be run on parts of it, which take less
memory: with ``receptive_radius`` pixels around each part, cut off afterwards, and origins that are
``multiple`` of so many pixels, the parts equal the whole. Both numbers are in the file's metadata
(``network.get_modelmeta().custom_metadata_map``); without a ``receptive_radius`` the network must
see the whole photo.
"""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from dslr_gan.errors import DslrGanError, reason
from dslr_gan.files import written_whole
from dslr_gan.models.context import summarize, summarize_traced
from dslr_gan.models.pretrained import Pretrained

TOLERANCE = 1e-4
"""How far an exported graph may differ from PyTorch, on a scale where white is 1: a fortieth of a
step of an 8-bit picture. Other orders of summation differ by some 1e-6."""

CHECKED_SIZES = ((1, 64, 96), (2, 37, 53), (1, 9, 130))
"""Batch, height and width of the pictures that each graph is checked on."""

_EXAMPLE = (2, 71, 93)
"""What the graph is traced with; no side of it is a multiple or among those that are checked."""

_NEEDED = "pip install onnx onnxscript onnxruntime"


@dataclass(frozen=True)
class Exported:
    """What was written."""

    file: Path
    """The network: ``image`` (and ``context``) to ``enhanced``."""
    context_file: Path | None
    """The whole photo's ``image`` to ``context``; ``None`` of a network without context."""
    difference: float
    """The largest difference to PyTorch that was found, as for ``TOLERANCE``."""


def context_file(file: Path) -> Path:
    """Where the second graph goes: ``iphone.context.onnx`` beside ``iphone.onnx``."""
    return file.with_suffix(f".context{file.suffix}")


def export_onnx(network: Pretrained, file: str | Path) -> Exported:
    """Write a network as ONNX, after it was checked against PyTorch through onnxruntime.

    Args:
        network: A generator or a baseline, on the CPU, in evaluation mode.
        file: Is replaced where it exists, as is :func:`context_file`; both are whole or not there.

    Returns:
        What was written, and how far it is from PyTorch.

    Raises:
        DslrGanError: If a library for it is missing, the network cannot be exported, what came
            out differs from PyTorch, or the file cannot be written.
    """
    _check_libraries()
    file = Path(file)
    image = torch.rand(_EXAMPLE[0], 3, *_EXAMPLE[1:], generator=torch.Generator().manual_seed(0))
    graphs = {file: _Graph(_Network(network), network, (image,), "enhanced")}
    if network.uses_context:

        def describe(image: Tensor) -> Tensor:
            return network.context(summarize(image))

        with torch.no_grad():
            context = describe(image)
        graphs = {
            context_file(file): _Graph(_Context(network), describe, (image,), "context"),
            file: _Graph(_Network(network), network, (image, context), "enhanced"),
        }
    worst = 0.0
    try:
        # Renamed into place together: never a new network beside an old context.
        with ExitStack() as whole:
            for path, graph in graphs.items():
                unfinished = whole.enter_context(written_whole(path))
                _export(graph, network, unfinished)
                worst = max(worst, _difference(graph, network, unfinished))
    except OSError as error:
        raise DslrGanError(
            f"{file} cannot be written ({reason(error)}); name another file."
        ) from error
    return Exported(file, context_file(file) if network.uses_context else None, worst)


@dataclass(frozen=True)
class _Graph:
    """One graph to be written."""

    module: nn.Module
    """What is exported."""
    reference: Callable[..., Tensor]
    """What PyTorch computes, to be compared with."""
    example: tuple[Tensor, ...]
    """The inputs it is traced with."""
    output: str
    """The name of its output."""


class _Network(nn.Module):
    """A network with or without context, its inputs by position."""

    def __init__(self, network: Pretrained) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, context: Tensor | None = None) -> Tensor:
        return self.network(image, context)


class _Context(nn.Module):
    """From a whole photo to its context, in operations that ONNX has for free sizes."""

    def __init__(self, network: Pretrained) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        return self.network.context(summarize_traced(image))


def _check_libraries() -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise DslrGanError(
            f"{error.name or 'a library'} is missing, which exporting to ONNX needs; install it "
            f"with: {_NEEDED}."
        ) from error


def _export(graph: _Graph, network: Pretrained, file: Path) -> None:
    count = len(graph.example)
    free = ({0: "batch", 2: "height", 3: "width"}, {0: "batch"})[:count]
    try:
        with _quiet():
            program = torch.onnx.export(
                graph.module.eval(),
                graph.example,
                dynamo=True,
                dynamic_shapes=free,
                input_names=("image", "context")[:count],
                output_names=[graph.output],
                verbose=False,
            )
    except Exception as error:  # the exporter raises nearly anything
        raise DslrGanError(
            f"this {type(network).__name__} cannot be exported to ONNX ({reason(error)}); "
            "take another network."
        ) from error
    if program is None:
        raise AssertionError("the exporter gives a program unless it is given a file")
    program.model.metadata_props.update(_metadata(network))
    program.save(file, external_data=False)


def _metadata(network: Pretrained) -> dict[str, str]:
    facts = network.facts
    known = {
        "title": facts.title if facts else None,
        "licence": facts.licence_name if facts else None,
        "receptive_radius": network.receptive_radius,
        "multiple": network.multiple,
    }
    return {name: str(value) for name, value in known.items() if value is not None}


def _difference(graph: _Graph, network: Pretrained, file: Path) -> float:
    """The largest difference between an exported graph and PyTorch, on pictures of three sizes."""
    import onnxruntime

    # From bytes, so that the file can be renamed afterwards wherever open files cannot.
    session = onnxruntime.InferenceSession(file.read_bytes(), providers=["CPUExecutionProvider"])
    random = torch.Generator().manual_seed(1)
    worst = 0.0
    for batch, height, width in CHECKED_SIZES:
        inputs = {"image": torch.rand(batch, 3, height, width, generator=random)}
        if len(graph.example) > 1:
            size = network.config["context_channels"]
            inputs["context"] = torch.rand(batch, size, generator=random)
        with torch.inference_mode():
            expected = graph.reference(*inputs.values())
        try:
            (found,) = session.run(None, {name: value.numpy() for name, value in inputs.items()})
        except Exception as error:  # a graph that was traced for one kind of size only
            raise DslrGanError(
                f"this {type(network).__name__} cannot be exported to ONNX: its graph fails on "
                f"{width}x{height} pixels ({reason(error)}); take another network."
            ) from error
        same = found.shape == tuple(expected.shape)
        off = float((torch.from_numpy(found) - expected).abs().max()) if same else float("inf")
        if not off <= TOLERANCE:
            raise DslrGanError(
                f"this {type(network).__name__} cannot be exported to ONNX: its graph differs from "
                f"PyTorch by {off:.2g} on {width}x{height} pixels; take another network."
            )
        worst = max(worst, off)
    return worst


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's warnings of libraries and names that play no part here."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
