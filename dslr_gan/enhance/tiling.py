"""How a picture is cut into tiles whose results join without a seam."""

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

    def grown(self, reach: int, height: int, width: int) -> "Tile":
        """The tile that delivers ``reach`` more pixels on each side, where the picture has them."""
        return Tile(
            max(self.top - reach, 0),
            min(self.bottom + reach, height),
            max(self.left - reach, 0),
            min(self.right + reach, width),
            *(self.outer_top, self.outer_bottom, self.outer_left, self.outer_right),
        )

    def within_grown(self, reach: int) -> tuple[slice, slice]:
        """Rows and columns that the tile delivers, counted within what :meth:`grown` delivers."""
        top, left = min(self.top, reach), min(self.left, reach)
        return (
            slice(top, top + self.bottom - self.top),
            slice(left, left + self.right - self.left),
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
    picture = (0, height), (0, width)
    return _cover(*picture, height, width, tile, margin, multiple)


def split_tile(
    tile: Tile, height: int, width: int, largest: int, margin: int, multiple: int = 1
) -> list[Tile]:
    """Cover what one tile delivers with smaller tiles, where memory does not suffice for it.

    Args:
        tile: One of ``plan_tiles``.
        height: Of the picture, as it was planned.
        width: Likewise.
        largest: Largest side that a smaller tile delivers.
        margin: As it was planned.
        multiple: As it was planned.
    """
    rows, columns = (tile.top, tile.bottom), (tile.left, tile.right)
    return _cover(rows, columns, height, width, largest, margin, multiple)


def _cover(
    rows: tuple[int, int],
    columns: tuple[int, int],
    height: int,
    width: int,
    tile: int,
    margin: int,
    multiple: int,
) -> list[Tile]:
    return [
        Tile(top, bottom, left, right, outer_top, outer_bottom, outer_left, outer_right)
        for top, bottom, outer_top, outer_bottom in _cut(rows, height, tile, margin, multiple)
        for left, right, outer_left, outer_right in _cut(columns, width, tile, margin, multiple)
    ]


def _cut(
    part: tuple[int, int], length: int, tile: int, margin: int, multiple: int
) -> list[tuple[int, int, int, int]]:
    """Cut a part of one side into nearly equal ranges, so that no sliver is left at its end."""
    first, last = part
    largest = max(tile // multiple, 1) * multiple
    pieces = -(-(last - first) // largest)
    step = -(-(last - first) // (pieces * multiple)) * multiple
    return [
        (
            start,
            min(start + step, last),
            max(start - margin, 0) // multiple * multiple,
            min(start + step + margin, last + margin, length),
        )
        for start in range(first, last, step)
    ]
