"""Networks that the paper compares itself with."""

from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dslr_gan.pretrained import Pretrained, read_weights


class SRCNN(Pretrained):
    """SRCNN 9-5-5 with 64 and 32 channels, ending in DPED's tanh.

    Paper: Dong et al. 2014, "Image Super-Resolution Using Deep Convolutional Networks"; trained
    on DPED by Ignatov et al. for the PIRM 2018 challenge, from where the scaled tanh comes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.config = {}
        self.conv1 = nn.Conv2d(3, 64, 9, padding="same")
        self.conv2 = nn.Conv2d(64, 32, 5, padding="same")
        self.conv3 = nn.Conv2d(32, 3, 5, padding="same")

    @property
    def receptive_radius(self) -> int:
        """Half of each kernel."""
        return 9 // 2 + 5 // 2 + 5 // 2

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
            DslrGanError: If the file is missing, damaged, or of another shape.
        """
        network = cls()
        network.load_strictly(read_weights(Path(file)), str(file))
        return network.eval()
