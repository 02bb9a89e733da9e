"""VGG-16 up to relu3_3 for the content loss, and where its weights come from.

Network: Simonyan and Zisserman, Very Deep Convolutional Networks for Large-Scale Image
Recognition, ICLR 2015. Weights: torchvision's, trained on ImageNet, as the Hub repository
timm/vgg16.tv_in1k holds them under BSD-3-Clause; none of them are part of this package.
"""

import json
import logging
import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Self

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn import functional as F

from dslr_gan.errors import HubError, InputError, reason
from dslr_gan.files import written_whole
from dslr_gan.hub import TIMEOUT_S, Deadline, assets_folder, find_commit, read_range
from dslr_gan.metrics.similarity import check_pair

logger = logging.getLogger(__name__)

# Channels in and out of each convolution by its place in the network; ReLUs and pools between.
_CONVOLUTIONS = {
    0: (3, 64),
    2: (64, 64),
    5: (64, 128),
    7: (128, 128),
    10: (128, 256),
    12: (256, 256),
    14: (256, 256),
}
_POOLS = (4, 9)
_LAST = 15
_FEATURES = {8: "relu2_2", 15: "relu3_3"}

_SHAPES: dict[str, tuple[int, ...]] = {}
for _place, (_in, _out) in _CONVOLUTIONS.items():
    _SHAPES[f"features.{_place}.weight"] = (_out, _in, 3, 3)
    _SHAPES[f"features.{_place}.bias"] = (_out,)

_LONGEST_HEADER = 10_000_000
_NO_SAFETENSORS = "it is not a safetensors file, and pickled ones such as .pth are never loaded"


class VGGFeatures(nn.Module):
    """VGG-16 features of a picture, frozen; the ImageNet normalisation is inside.

    A new one has random weights; ``from_hub`` and ``from_file`` give it the trained ones.

    Attributes:
        source: Where the weights came from, in words.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(*(_layer(place) for place in range(_LAST + 1)))
        channels = (1, 3, 1, 1)
        mean = torch.tensor((0.485, 0.456, 0.406)).view(channels)
        deviation = torch.tensor((0.229, 0.224, 0.225)).view(channels)
        # Constants, not weights: the state dict has VGG's own keys and no others.
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("deviation", deviation, persistent=False)
        self.source = "random weights"
        self.requires_grad_(False)
        self.eval()

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Compute the features; gradients flow to the image, never to the weights.

        Args:
            image: ``(N, 3, H, W)``, sRGB, nominally in [0, 1], unclamped, sides at least 4.

        Returns:
            ``relu2_2``: ``(N, 128, H // 2, W // 2)`` and ``relu3_3``: ``(N, 256, H // 4, W // 4)``,
            both at least 0.

        Raises:
            InputError: If the image has another shape.
        """
        if image.ndim != 4 or image.shape[1] != 3 or min(image.shape[2:]) < 4:
            raise InputError(
                "The image for VGG features must have the shape (N, 3, H, W) with sides of at "
                f"least 4, got {tuple(image.shape)}; pass RGB, channels first, as a batch."
            )
        hidden = (image - self.mean) / self.deviation
        found = {}
        for place, layer in enumerate(self.features):
            hidden = layer(hidden)
            if place in _FEATURES:
                found[_FEATURES[place]] = hidden
        return found

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """Read the weights from a safetensors file with the layout of timm/vgg16.tv_in1k.

        The whole VGG-16 is the usual input, so keys beyond the seven convolutions are allowed.

        Args:
            path: The file, with ``features.0.weight`` ... ``features.14.bias``.

        Returns:
            The network on the CPU, float32.

        Raises:
            InputError: If the file is not there or no safetensors file, or if a weight is
                missing, has another shape, or is not finite.
        """
        if not Path(path).is_file():
            raise InputError(_message(str(path), "there is no such file"))
        try:
            with safe_open(path, "pt") as file:
                held = set(file.keys())
                tensors = {key: file.get_tensor(key) for key in _SHAPES if key in held}
            return cls._from_tensors(tensors, source=f"the file {Path(path).name}")
        except (OSError, SafetensorError, ValueError) as error:
            raise InputError(_message(str(path), _words(error))) from error

    @classmethod
    def from_hub(
        cls,
        repo: str = "timm/vgg16.tv_in1k",
        filename: str = "model.safetensors",
        revision: str | None = None,
        timeout: float | None = None,
    ) -> Self:
        """Read the weights from a Hub repository: by byte ranges, 7 MB of a file of 553.

        What was read is kept among huggingface_hub's assets (under ``HF_HOME``) by commit, and
        is used from there the next time, even when the Hub cannot be reached. Where it cannot be
        kept, the log says so, and it is read again the next time.

        Args:
            repo: Id of the repository.
            filename: The safetensors file in it, with the layout that ``from_file`` reads.
            revision: Branch, tag or commit; None is the main branch.
            timeout: Seconds that the Hub has; while the bytes come they do not pass. None for 60,
                or for 10 to name the commit where an earlier answer is noted.

        Returns:
            The network on the CPU, float32.

        Raises:
            HubError: If the Hub cannot be reached and nothing is kept, if the repository,
                revision or file is not there, or for what ``from_file`` refuses.
        """
        try:
            folder = assets_folder("vgg16", repo, filename)
            deadline = None if timeout is None else Deadline(timeout)
            commit = find_commit(repo, filename, revision or "main", folder, deadline)
            kept = folder / f"{commit}.safetensors"
            source = f"{repo} at commit {commit[:8]}"
            try:
                return cls._from_tensors(safetensors.torch.load_file(kept), source)
            except (OSError, SafetensorError, ValueError):  # not there yet, or damaged
                deadline = deadline or Deadline(TIMEOUT_S)  # for all of its parts together
                read = partial(read_range, repo, filename, commit, deadline=deadline)
                content = _read_needed(read)
            network = cls._from_tensors(safetensors.torch.load(content), source)
            _keep(content, kept)
            return network
        except HubError as error:
            words = error.cause
            told = f"{words} ({error.advice})" if error.advice else words
            raise type(error)(_message(f"{repo}/{filename} on the Hub", told), words) from error
        except (OSError, SafetensorError, ValueError) as error:
            words = _words(error)
            raise HubError(_message(f"{repo}/{filename} on the Hub", words), words) from error

    @classmethod
    def _from_tensors(cls, tensors: Mapping[str, Tensor], source: str) -> Self:
        """Build the network from its fourteen tensors; ValueError where one is not right."""
        for key in _SHAPES:
            if key not in tensors:
                raise ValueError(f"{key} is missing")
            _check_shape(key, tensors[key].shape)
            if not tensors[key].is_floating_point() or not tensors[key].isfinite().all():
                raise ValueError(f"{key} has values that are no finite numbers")
        network = cls()
        network.load_state_dict({key: tensors[key] for key in _SHAPES})
        network.source = source
        return network


def _keep(content: bytes, file: Path) -> None:
    """Write what was read for the next time; a full disk costs nothing else."""
    try:
        with written_whole(file) as unfinished:
            unfinished.write_bytes(content)
    except OSError as error:
        logger.warning("the VGG-16 weights cannot be kept in %s (%s)", file, reason(error))


def _layer(place: int) -> nn.Module:
    """The layer at one place of torchvision's numbering of VGG-16."""
    if place in _CONVOLUTIONS:
        return nn.Conv2d(*_CONVOLUTIONS[place], kernel_size=3, padding=1)
    if place in _POOLS:
        return nn.MaxPool2d(kernel_size=2, stride=2)
    return nn.ReLU(inplace=True)


def _check_shape(key: str, shape: Any) -> None:
    if tuple(shape) != _SHAPES[key]:
        raise ValueError(f"{key} has the shape {tuple(shape)} instead of {_SHAPES[key]}")


def _message(place: str, words: str) -> str:
    """An error message for people: what went wrong where, and what to do."""
    return (
        f"The VGG-16 weights cannot be read from {place}: {words}; pass --vgg_weights "
        "FILE with model.safetensors of timm/vgg16.tv_in1k, or --content_weight 0 to train "
        "without the content loss."
    )


def _words(error: Exception) -> str:
    """What went wrong, in a few words of one line."""
    words = reason(error)
    return f"{_NO_SAFETENSORS} ({words})" if isinstance(error, SafetensorError) else words


def _read_needed(read: Callable[[int, int], bytes]) -> bytes:
    """Read the wanted tensors of a remote safetensors file, as a small safetensors file.

    Args:
        read: Gives the bytes of the file from a start to a stop, which is not included.

    Returns:
        A whole safetensors file of the fourteen tensors, their values not looked at yet.

    Raises:
        ValueError: If it is not a safetensors file or a tensor is missing or misshapen.
    """
    length = int.from_bytes(read(0, 8), "little")
    if not 2 <= length <= _LONGEST_HEADER:
        raise ValueError(_NO_SAFETENSORS)
    spans = _find_spans(read(8, 8 + length))
    blocks: list[tuple[int, int]] = []  # neighbouring tensors come in one request
    header = {}
    size = 0
    for key, (kind, start, stop) in sorted(spans.items(), key=lambda item: item[1][1]):
        if blocks and blocks[-1][1] == start:
            blocks[-1] = (blocks[-1][0], stop)
        else:
            blocks.append((start, stop))
        offsets = [size, size + stop - start]
        header[key] = {"dtype": kind, "shape": _SHAPES[key], "data_offsets": offsets}
        size += stop - start
    data = [read(8 + length + start, 8 + length + stop) for start, stop in blocks]
    head = json.dumps(header).encode()
    return b"".join([len(head).to_bytes(8, "little"), head, *data])


def _find_spans(header: bytes) -> dict[str, tuple[str, int, int]]:
    """Type, start and stop of each wanted tensor's bytes, as a safetensors header says."""
    entries = json.loads(header)
    if not isinstance(entries, dict):
        raise ValueError(_NO_SAFETENSORS)
    spans = {}
    for key, shape in _SHAPES.items():
        if key not in entries:
            raise ValueError(f"{key} is missing")
        try:
            _check_shape(key, entries[key]["shape"])
            kind, (start, stop) = entries[key]["dtype"], entries[key]["data_offsets"]
            # A damaged header must not make us ask for the whole file; types are checked later.
            sane = 0 <= start < stop <= start + 8 * math.prod(shape)
        except (KeyError, TypeError):
            sane = False
        if not sane:
            raise ValueError(f"the header of the file makes no sense at {key}")
        spans[key] = (kind, start, stop)
    return spans


def content_loss(vgg: VGGFeatures, enhanced: Tensor, target: Tensor) -> Tensor:
    """Content loss: squared distance of VGG-16 features at relu2_2 and relu3_3, summed.

    Args:
        vgg: Frozen features; inputs are normalised by ImageNet's mean and deviation inside.
        enhanced: Generator output ``(N, 3, H, W)``, sRGB, nominally in [0, 1], unclamped.
        target: DSLR patch, same shape, dtype and device.

    Returns:
        Scalar ``()``: for each layer the mean over N, C, H and W, then the sum.

    Raises:
        ValueError: If the shapes differ or are not ``(N, 3, H, W)``.

    References:
        Prakash and Phumbhra 2020, III.A.3.
    """
    check_pair(enhanced, target)
    with torch.no_grad():
        wanted = vgg(target)
    terms = [F.mse_loss(got, wanted[layer]) for layer, got in vgg(enhanced).items()]
    return torch.stack(terms).sum()
