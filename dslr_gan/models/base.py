"""What every network for photos can say of itself, so that whoever runs one need not know which."""

from torch import Tensor, nn


class Network(nn.Module):
    """Base of the networks: how far they see, and how a photo is given to them in tiles."""

    @property
    def receptive_radius(self) -> int | None:
        """How many pixels away an input pixel can still change an output pixel, at most.

        ``None`` for a network that must see the whole picture at once, which is assumed of one
        that does not say.
        """
        return None

    @property
    def last_layer(self) -> nn.Conv2d:
        """The convolution that makes the output; every network names its own.

        The trainer logs the norm of each loss term's gradient at its weights, so that terms can
        be compared by how hard they pull.

        Raises:
            NotImplementedError: If the network does not name it.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say which layer is its last.")

    @property
    def multiple(self) -> int:
        """Tile origins must be multiples of this many pixels, for tiles to equal the whole."""
        return 1

    @property
    def uses_context(self) -> bool:
        """Whether a description of the whole photo is given to the network with each tile."""
        return False

    def context(self, summary: Tensor) -> Tensor:
        """Describe a whole photo for its tiles; only a network that uses context can.

        Args:
            summary: ``(N, 9, 32, 32)`` from ``dslr_gan.models.context.summarize``.

        Returns:
            ``(N, C)``.

        Raises:
            ValueError: If the network uses no context.
        """
        raise ValueError("this network uses no context; call it with the image alone.")

    def forward_tile(
        self, image: Tensor, inner: tuple[slice, slice], context: Tensor | None = None
    ) -> Tensor:
        """Compute ``self(image, context)[..., *inner]``; a network may leave out the rest.

        Args:
            image: ``(N, 3, H, W)``, sRGB in [0, 1]: a tile with what surrounds it.
            inner: The rows and columns of the tile in it.
            context: From :meth:`context` of the photo; ``None`` where the network uses none.

        Returns:
            ``(N, 3, h, w)`` of ``inner``, nominally in [0, 1], unclamped.
        """
        result: Tensor = self(image, context)
        return result[..., *inner]
