"""What a reduction is: from the values of a tile, on the device, to a result of the whole grid."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jscale._core.errors import JscaleError
from jscale._core.text import enumerated, shown
from jscale.plan.reductions._reduced import Reduced
from jscale.plan.reductions._space import Space

State = dict[str, np.ndarray]
"""Arrays by name, which a checkpoint can hold."""
Evaluate = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""The first entries (rows, axes) of rows → the objective there (rows, points of a row), infinite
where infeasible, and the points' indices, -1 outside the grid."""


@dataclass(frozen=True)
class Tile:
    """The values of a tile inside a compiled program; every array has the shape of the tile.

    Attributes:
        space: the grid.
        objective: name of the quantity that is minimised.
        values: quantity → its values; the objective is infinite at infeasible points.
        feasible: points where the constraints hold and every quantity is finite.
        inside: points of the grid; False for those that fill the last tile up.
        minima: quantity → the minima of the rows, if those are all there is of the tile.
    """

    space: Space
    objective: str
    values: Mapping[str, jax.Array]
    feasible: jax.Array
    inside: jax.Array
    minima: Mapping[str, jax.Array] | None = None

    @property
    def counted(self) -> jax.Array:
        """The feasible points of the grid."""
        return self.feasible & self.inside

    def quantity(self, name: str | None) -> jax.Array:
        """The values of a quantity; of the objective for None."""
        return self.values[self.objective if name is None else name]

    def row_minima(self, name: str | None = None) -> jax.Array:
        """The smallest value of a quantity at the feasible points of each row (rows,).

        The rows are in order, and the quantity is the objective for None.
        """
        if self.minima is not None:
            return self.minima[self.objective if name is None else name]
        values = jnp.where(self.feasible, self.quantity(name), jnp.inf)
        return row_minima(self.space, values)


def along(
    reducer: Callable[..., jax.Array], values: jax.Array, axes: Sequence[int], **options: Any
) -> jax.Array:
    """``reducer`` along axes, which stay with one entry; the last axis first.

    XLA reduces the last axis twice as fast as several at once. What comes out is computed once and
    not again wherever it is used.
    """
    last = values.ndim - 1
    for some in ([a for a in axes if a == last], [a for a in axes if a != last]):
        if some:
            reduced = reducer(values, axis=tuple(some), keepdims=True, **options)
            values = lax.optimization_barrier(reduced)
    return values


def row_minima(space: Space, values: jax.Array) -> jax.Array:
    """The minimum of each row (rows,) of the values of a tile."""
    if space.row[-1] == space.tile[-1]:
        values = along(jnp.min, values, (len(space.tile) - 1,))

    shape: list[int] = []
    reduced: list[int] = []
    for rows, entries, count in zip(space.rows, space.row, values.shape, strict=True):
        if rows > 1 or entries == 1:
            shape.append(rows)
        if entries > 1 and count > 1:
            reduced.append(len(shape))
            shape.append(entries)
    return jnp.min(values.reshape(shape), axis=tuple(reduced)).ravel()


@dataclass(frozen=True)
class Place:
    """Where a tile lies, for the part of a reduction that runs outside of compiled programs.

    Attributes:
        space: the grid.
        start: first entry of the tile along each axis.
        objective: name of the quantity that is minimised.
        evaluate: rows of the tile, by number → quantity → values (rows, points of a row), infinite
            where infeasible.
    """

    space: Space
    start: tuple[int, ...]
    objective: str
    evaluate: Callable[[np.ndarray], dict[str, np.ndarray]]

    def indices(self, rows: np.ndarray, entries: np.ndarray) -> np.ndarray:
        """The indices of points, given by row and place in the row; -1 outside the grid."""
        starts = self.space.row_starts(self.start, rows)
        return self.space.indices(starts + np.stack(np.unravel_index(entries, self.space.row), -1))


class Reduction(ABC):
    """A result that is collected from the tiles of a grid, one at a time; hashable.

    ``update`` runs in a compiled program on every device; the other methods run in NumPy. The tiles
    of a group are folded into one state in the order of the grid, and the states of the groups are
    merged in that order.
    """

    name: str
    """Key of the result; unique in a grid."""
    of: tuple[str, ...] = ()
    """Quantities that it needs; empty for the objective alone."""
    row_points: int | None = None
    """The most points of a row, for a reduction that works by rows."""
    by_rows: bool = False
    """Whether ``update`` needs nothing of a tile but the minima of its rows."""

    def whole(self, space_names: Sequence[str]) -> tuple[str, ...]:
        """Axes that no tile may divide."""
        del space_names
        return ()

    def check(self, space: Space) -> None:
        """Check that the axes and settings fit the grid.

        Raises:
            JscaleError: they do not.
        """
        del space

    @abstractmethod
    def init(self, space: Space) -> State:
        """The state before any tile."""

    @abstractmethod
    def update(self, tile: Tile) -> dict[str, jax.Array]:
        """What the state needs of a tile."""

    @abstractmethod
    def fold(self, state: State, part: State, place: Place) -> State:
        """The state with a tile, whose ``update`` returned ``part``, added."""

    def settle(self, state: State, space: Space, evaluate: Evaluate) -> State:
        """The state at the end of a group of tiles, with what was left for then."""
        del space, evaluate
        return state

    @abstractmethod
    def merge(self, first: State, second: State, space: Space) -> State:
        """One state of two, the first of earlier tiles."""

    @abstractmethod
    def finish(self, state: State, grid: "GridView") -> Reduced:
        """The result.

        Raises:
            JscaleError: there is none, as no point is feasible.
        """


class GridView(ABC):
    """The axes of a grid, as the end of a reduction needs them."""

    space: Space
    objective: str

    @abstractmethod
    def at(self, indices: np.ndarray, axes: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        """The values of the axes at points, by name.

        Args:
            indices: of points, in the order of ``axes``.
            axes: the axes that the indices count; None for all.
        """

    @abstractmethod
    def coordinates(self, axes: Sequence[str]) -> dict[str, tuple[str, np.ndarray]]:
        """The labels of the entries of axes and what else they carry: name → (axis, array)."""


def check_axes(where: str, axes: Sequence[str], space: Space) -> None:
    """Check that axes exist.

    Raises:
        JscaleError: one does not.
    """
    unknown = [name for name in axes if name not in space.names]
    if unknown:
        raise JscaleError(
            f"{where}: the grid has no axis {enumerated(map(shown, unknown))} "
            f"(it has: {enumerated(space.names)})"
        )


def no_feasible_point(space: Space) -> JscaleError:
    """The error of a grid without a feasible point."""
    return JscaleError(
        f"grid: none of the {space.points:,} points is feasible: at each the constraints fail or "
        "the objective is NaN or infinite"
    )


def position(space: Space, axes: Sequence[int]) -> jax.Array:
    """The position of the points of a tile along some axes, as if the tile had no others.

    It counts in the order of the axes; the shape broadcasts against that of the tile.
    """
    total = jnp.zeros((1,) * len(space.tile), jnp.int32)
    for axis in axes:
        shape = tuple(n if a == axis else 1 for a, n in enumerate(space.tile))
        total = total * space.tile[axis] + lax.broadcasted_iota(jnp.int32, shape, axis)
    return total


def block_of(space: Space, axes: Sequence[int], start: Sequence[int]) -> tuple[slice, ...]:
    """The part of an array over ``axes`` that the tile at ``start`` covers."""
    return tuple(slice(start[a], min(start[a] + space.tile[a], space.sizes[a])) for a in axes)


def inside_block(block: Sequence[slice]) -> tuple[slice, ...]:
    """The part of a tile's array that lies inside the grid."""
    return tuple(slice(0, part.stop - part.start) for part in block)
