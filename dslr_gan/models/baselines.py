"""Networks that the paper compares itself with: SRCNN and VDSR.

Papers: Dong et al. 2014, "Image Super-Resolution Using Deep Convolutional Networks"; Kim et al.
2016, "Accurate Image Super-Resolution Using Very Deep Convolutional Networks". Both enlarge
pictures there. Here, as in Prakash and Phumbhra 2020, they learn to enhance them. Our own code.

Zeros around a picture are dark, and a network that learned from patches of one size shows a frame
around pictures of another. Trained here, both therefore repeat the last row and column instead.
"""

from itertools import pairwise
from pathlib import Path
from typing import Literal, Self, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dslr_gan.errors import InputError
from dslr_gan.models.pretrained import Pretrained
from dslr_gan.models.saved import read_weights

Padding = Literal["zeros", "replicate"]


class SRCNN(Pretrained):
    """SRCNN 9-5-5 with 64 and 32 channels, ending in DPED's tanh.

    Paper: Dong et al. 2014; trained on DPED by Ignatov et al. for the PIRM 2018 challenge, from
    where colour in and out, the padded borders and the scaled tanh come.

    Args:
        padding: What is around every layer's input: ``"zeros"`` as in the published one, or
            ``"replicate"``.

    Raises:
        InputError: If it is something else.
    """

    def __init__(self, padding: Padding = "zeros") -> None:
        super().__init__()
        self.config = {"padding": padding}
        _check_padding(padding)
        self.conv1 = _Convolution(3, 64, 9, padding=4, padding_mode=padding)
        self.conv2 = _Convolution(64, 32, 5, padding=2, padding_mode=padding)
        self.conv3 = _Convolution(32, 3, 5, padding=2, padding_mode=padding)

    @property
    def receptive_radius(self) -> int:
        """Half of each kernel."""
        return 9 // 2 + 5 // 2 + 5 // 2

    @property
    def last_layer(self) -> nn.Conv2d:
        """The third convolution, before the tanh."""
        return self.conv3

    def forward(self, image: Tensor, context: None = None) -> Tensor:
        """Enhance pictures.

        Args:
            image: ``(N, 3, H, W)``, sRGB in [0, 1].
            context: Not used; SRCNN is local.

        Returns:
            ``(N, 3, H, W)``: the enhanced picture, in [-0.08, 1.08].
        """
        features = F.relu(self.conv2(F.relu(self.conv1(image))))
        return torch.tanh(self.conv3(features)) * 0.58 + 0.5

    @classmethod
    def from_published(cls, file: str | Path) -> Self:
        """Load the SRCNN that was published with the PIRM 2018 challenge.

        Args:
            file: A safetensors file with the keys ``conv1.weight`` ... ``conv3.bias``.

        Returns:
            The network, in evaluation mode.

        Raises:
            InputError: If the file is missing, damaged, or of another shape.
        """
        network = cls()
        network.load_strictly(read_weights(Path(file)), str(file))
        return network.eval()


class VDSR(Pretrained):
    """VDSR: twenty 3x3 convolutions with 64 channels and ReLU between them, added to the input.

    Paper: Kim et al. 2016, section 3: the twenty layers, their width and kernels, zeros around
    every layer's input so that the size stays, the residual onto the input, and weights drawn
    after He et al. 2015. Ours: RGB in and out, where the paper enhances luminance alone, and
    biases that start at 0, which the paper leaves open.

    Args:
        padding: What is around every layer's input: ``"zeros"`` as in the paper, or
            ``"replicate"``.

    Raises:
        InputError: If it is something else.
    """

    LAYERS = 20
    CHANNELS = 64

    def __init__(self, padding: Padding = "zeros") -> None:
        super().__init__()
        self.config = {"padding": padding}
        _check_padding(padding)
        widths = [3, *[self.CHANNELS] * (self.LAYERS - 1), 3]
        layers = [
            _Convolution(incoming, outgoing, 3, padding=1, padding_mode=padding)
            for incoming, outgoing in pairwise(widths)
        ]
        for layer in layers:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        self.layers = nn.ModuleList(layers)

    @property
    def receptive_radius(self) -> int:
        """A pixel for each layer: the paper's 41x41 pixels are seen."""
        return self.LAYERS

    @property
    def last_layer(self) -> nn.Conv2d:
        """The twentieth convolution, whose output is the correction."""
        return cast(nn.Conv2d, self.layers[-1])

    def forward(self, image: Tensor, context: None = None) -> Tensor:
        """Enhance pictures.

        Args:
            image: ``(N, 3, H, W)``, sRGB in [0, 1].
            context: Not used; VDSR is local.

        Returns:
            ``(N, 3, H, W)``: the enhanced picture, nominally in [0, 1], unclamped.
        """
        features = image
        for layer in self.layers[:-1]:
            features = F.relu(layer(features))
        return image + self.last_layer(features)


class _Convolution(nn.Conv2d):
    """A convolution of odd kernels that keeps the size.

    PyTorch 2.13 cannot compile the gradient of its own repeated border (``replication_pad2d``).
    What it compiles from an indexed border writes outside its memory on more than one thread of a
    processor.
    """

    def forward(self, image: Tensor) -> Tensor:
        """Convolve ``(N, C, H, W)``."""
        if self.padding_mode == "zeros" or not (self.training and torch.compiler.is_compiling()):
            return super().forward(image)
        border = self.kernel_size[0] // 2
        for side in (2, 3):
            first, last = image.narrow(side, 0, 1), image.narrow(side, image.shape[side] - 1, 1)
            image = torch.cat([first] * border + [image] + [last] * border, dim=side)
        return F.conv2d(image, self.weight, self.bias)


def _check_padding(padding: Padding) -> None:
    if padding not in ("zeros", "replicate"):
        raise InputError(f'padding must be "zeros" or "replicate", got {padding!r}.')
