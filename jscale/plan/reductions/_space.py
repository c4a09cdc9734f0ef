"""The geometry of a grid: axes, tiles that a device computes at once, and rows of a tile.

A tile is a block of the grid, and a row a smaller block of the tile. The points of a long row are
consecutive in the order of the axes (the last one fastest), those of a short one are neighbours
along all axes; the rows of a tile are consecutive, unless a reduction needs whole axes. All follow
from the sizes of the axes alone, not from the number of devices: this is why a grid has the same
result, bit by bit, on any number of them.
"""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_FEW_POINTS = 256
"""Points of a short row: its values are to be close to one another."""
_FILLED = 1.05
"""The most that short rows may lengthen an axis."""


@dataclass(frozen=True)
class Space:
    """The axes of a grid and how it is divided; hashable.

    Attributes:
        names: of the axes.
        sizes: entries of each axis.
        tile: entries of a tile along each axis; a multiple of those of a row.
        row: entries of a row along each axis.
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    tile: tuple[int, ...]
    row: tuple[int, ...]

    @property
    def points(self) -> int:
        """Points of the grid."""
        return math.prod(self.sizes)

    @property
    def tiles(self) -> tuple[int, ...]:
        """Tiles along each axis."""
        return tuple(-(-n // b) for n, b in zip(self.sizes, self.tile, strict=True))

    @property
    def tile_count(self) -> int:
        """Tiles of the grid."""
        return math.prod(self.tiles)

    @property
    def padded(self) -> tuple[int, ...]:
        """Entries of each axis once it is filled up to whole tiles."""
        return tuple(t * b for t, b in zip(self.tiles, self.tile, strict=True))

    @property
    def rows(self) -> tuple[int, ...]:
        """Rows of a tile along each axis."""
        return tuple(b // c for b, c in zip(self.tile, self.row, strict=True))

    def shortened(self, counts: Sequence[int]) -> "Space":
        """The grid with rows and tiles that have so many times fewer entries along each axis."""
        tile, row = (
            tuple(n // count for n, count in zip(block, counts, strict=True))
            for block in (self.tile, self.row)
        )
        return dataclasses.replace(self, tile=tile, row=row)

    def tile_start(self, number: int) -> tuple[int, ...]:
        """The first entry of a tile along each axis."""
        place = np.unravel_index(number, self.tiles)
        return tuple(int(p) * b for p, b in zip(place, self.tile, strict=True))

    def tile_points(self, start: Sequence[int]) -> int:
        """Points of the tile at ``start`` that belong to the grid."""
        return math.prod(
            min(n - first, b) for n, first, b in zip(self.sizes, start, self.tile, strict=True)
        )

    def row_starts(self, start: Sequence[int], rows: np.ndarray) -> np.ndarray:
        """The first entries (rows, axes) of rows, given by number, of the tile at ``start``."""
        places = np.stack(np.unravel_index(rows, self.rows), axis=-1)
        return np.asarray(start) + places * np.asarray(self.row)

    def row_points(self, rows: np.ndarray) -> np.ndarray:
        """The positions (rows, points of a row) of the points of rows, by number, in their tile."""
        starts = self.row_starts([0] * len(self.row), rows)
        first = np.ravel_multi_index(tuple(starts.T), self.tile)
        entries = np.ravel_multi_index(tuple(np.indices(self.row)), self.tile)
        return np.add.outer(first, entries.ravel())

    def row_ends(self, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The smallest and the largest index (rows,) of the points of rows."""
        first = last = np.zeros(len(starts), np.int64)
        for axis, (size, count) in enumerate(zip(self.sizes, self.row, strict=True)):
            first = first * size + starts[:, axis]
            last = last * size + np.minimum(starts[:, axis] + count, size) - 1
        return first, last

    def row_indices(self, starts: np.ndarray) -> np.ndarray:
        """The indices (rows, points of a row) of the points of rows; -1 outside the grid."""
        return self.indices(starts[:, None] + np.indices(self.row).reshape(len(self.row), -1).T)

    def indices(self, entries: np.ndarray) -> np.ndarray:
        """The indices (…) of points, given by their entries (…, axes); -1 outside the grid."""
        inside = np.all(entries < np.asarray(self.sizes), axis=-1)
        total = np.zeros(inside.shape, np.int64)
        for axis, size in enumerate(self.sizes):
            total = total * size + entries[..., axis]
        return np.where(inside, total, -1)

    def axes_of(self, names: Sequence[str]) -> tuple[int, ...]:
        """The numbers of the named axes, in the order of the grid."""
        return tuple(i for i, name in enumerate(self.names) if name in names)

    def others(self, names: Sequence[str]) -> tuple[str, ...]:
        """The axes that are not named, in the order of the grid."""
        return tuple(name for name in self.names if name not in names)

    def shape_of(self, names: Sequence[str]) -> tuple[int, ...]:
        """Entries of the named axes, in the order of the grid."""
        return tuple(self.sizes[i] for i in self.axes_of(names))


def divide(sizes: dict[str, int], whole: Sequence[str], tile_points: int, row_points: int) -> Space:
    """Divide a grid.

    Args:
        sizes: axis → entries.
        whole: axes that every tile has whole.
        tile_points: the most points of a tile, unless the whole axes have more.
        row_points: the most points of a row.
    """
    names, counts = tuple(sizes), tuple(sizes.values())
    if row_points > _FEW_POINTS:
        block = _block(counts, row_points, (1,) * len(counts))
        row = tuple(_divisible(n, size, row_points) for n, size in zip(block, counts, strict=True))
    else:
        row = _compact(counts, row_points)

    kept = tuple(i for i, name in enumerate(names) if name in whole)
    budget = max(1, tile_points // math.prod(_up(counts[i], row[i]) for i in kept))
    free = tuple(1 if i in kept else n for i, n in enumerate(counts))
    block = _block(free, budget, tuple(1 if i in kept else c for i, c in enumerate(row)))
    tile = tuple(_up(n, row[i]) if i in kept else block[i] for i, n in enumerate(counts))
    return Space(names, counts, tile, row)


def _block(sizes: tuple[int, ...], points: int, unit: tuple[int, ...]) -> tuple[int, ...]:
    """A block of consecutive units: whole last axes, a part of one axis, one unit of others."""
    block = list(unit)
    for i in reversed(range(len(sizes))):
        most = points // math.prod((*unit[:i], *block[i + 1 :]))
        if most < sizes[i]:
            parts = -(-sizes[i] // max(most, 1))
            block[i] = _up(-(-sizes[i] // parts), unit[i])
            if block[i] > max(most, unit[i]):
                block[i] -= unit[i]
            break
        block[i] = _up(sizes[i], unit[i])
    return tuple(block)


def _compact(sizes: tuple[int, ...], points: int) -> tuple[int, ...]:
    """A block of neighbours, of about an equal share of every axis, which it divides nearly."""
    block = [1] * len(sizes)
    while True:
        longer = [i for i, n in enumerate(block) if _up(sizes[i], 2 * n) <= _FILLED * sizes[i]]
        if not longer or 2 * math.prod(block) > points:
            return tuple(block)
        block[max(longer, key=lambda i: sizes[i] / block[i])] *= 2


def _divisible(count: int, size: int, most: int) -> int:
    """About ``count`` entries of a row along an axis of ``size``, so many that they have parts."""
    if count < size:
        for many, unit in ((2048, 128), (512, 16), (128, 8)):
            if count >= many:
                return _up(count, unit) if _up(count, unit) <= most else count - count % unit
    return count


def _up(count: int, unit: int) -> int:
    """``count`` rounded up to a multiple of ``unit``."""
    return -(-count // unit) * unit
