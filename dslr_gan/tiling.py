"""How a picture is cut into tiles whose results join without a seam: pure geometry."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Tile:
    """One tile: what it delivers, and what it must see for that. Half-open pixel ranges."""

    top: int
    """First row that the tile delivers."""
    bottom: int
    """Row after the last that it delivers."""
    left: int
    """First column that it delivers."""
    right: int
    """Column after the last that it delivers."""
    outer_top: int
    """First row that it sees."""
    outer_bottom: int
    """Row after the last that it sees."""
    outer_left: int
    """First column that it sees."""
    outer_right: int
    """Column after the last that it sees."""

    @property
    def core(self) -> tuple[slice, slice]:
        """Rows and columns that the tile delivers, in the picture."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    @property
    def outer(self) -> tuple[slice, slice]:
        """Rows and columns that the tile sees, in the picture."""
        return (
            slice(self.outer_top, self.outer_bottom),
            slice(self.outer_left, self.outer_right),
        )

    @property
    def inner(self) -> tuple[slice, slice]:
        """Rows and columns that the tile delivers, counted within what it sees."""
        return (
            slice(self.top - self.outer_top, self.bottom - self.outer_top),
            slice(self.left - self.outer_left, self.right - self.outer_left),
        )


def plan_tiles(height: int, width: int, tile: int, margin: int, multiple: int = 1) -> list[Tile]:
    """Cover a picture with tiles of nearly one size.

    Args:
        height: The picture's rows, from 1.
        width: The picture's columns, from 1.
        tile: Largest side that a tile delivers; it is rounded down to ``multiple``, which is
            also the least.
        margin: Pixels that a tile sees beyond what it delivers, where the picture has them.
        multiple: What a tile sees starts at multiples of this many pixels.

    Returns:
        Tiles in reading order; what they deliver covers each pixel once.

    Raises:
        ValueError: If a number is below its least.
    """
    if min(height, width, tile, multiple) < 1 or margin < 0:
        raise ValueError(
            "height, width, tile and multiple must be at least 1 and margin at least 0, got "
            f"{height}, {width}, {tile}, {multiple}, {margin}."
        )
    rows = _cut(height, tile, margin, multiple)
    columns = _cut(width, tile, margin, multiple)
    return [
        Tile(top, bottom, left, right, outer_top, outer_bottom, outer_left, outer_right)
        for top, bottom, outer_top, outer_bottom in rows
        for left, right, outer_left, outer_right in columns
    ]


def _cut(length: int, tile: int, margin: int, multiple: int) -> list[tuple[int, int, int, int]]:
    """Cut one side into nearly equal ranges, so that no sliver is left at its end."""
    largest = max(tile // multiple, 1) * multiple
    pieces = -(-length // largest)
    step = -(-length // (pieces * multiple)) * multiple
    return [
        (
            start,
            min(start + step, length),
            max(start - margin, 0) // multiple * multiple,
            min(start + step + margin, length),
        )
        for start in range(0, length, step)
    ]
