"""Reductions to cells along kept axes: minima, counts, moments."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jscale.plan.reductions._protocol import (
    GridView,
    Place,
    Reduction,
    State,
    Tile,
    block_of,
    check_axes,
    inside_block,
    no_feasible_point,
    position,
)
from jscale.plan.reductions._reduced import Reduced
from jscale.plan.reductions._space import Space

_NOWHERE = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Marginal(Reduction):
    """The smallest objective at every entry of the kept axes, and where along the others it is.

    An isoFLOP valley keeps one axis, a heat map two. Of several such points the first in the order
    of the axes counts. Cells without a feasible point have the value NaN; what they carry of the
    other axes then has no meaning.

    Attributes:
        keep: the axes that stay.
        name: key of the result.

    Example:
        >>> import numpy as np
        >>> from jscale import plan
        >>> axes = {"x": np.arange(3.0), "y": np.linspace(0.0, 2.0, 5)}
        >>> valley = plan.reductions.Marginal(keep=("x",))
        >>> cells = plan.grid(lambda x, y: (x - 2 * y) ** 2 + x, axes, reduce=[valley])
        >>> cells["marginal"]["value"].tolist(), cells["marginal"]["y"].tolist()
        ([0.0, 1.0, 2.0], [0.0, 0.5, 1.0])
    """

    keep: tuple[str, ...]
    name: str = "marginal"

    def check(self, space: Space) -> None:
        """Check the axes."""
        check_axes(f"{self.name}: keep", self.keep, space)

    def init(self, space: Space) -> State:
        """Nothing is feasible."""
        shape = space.shape_of(self.keep)
        return {"value": np.full(shape, np.inf), "index": np.full(shape, _NOWHERE)}

    def update(self, tile: Tile) -> dict[str, jax.Array]:
        """The minima of the tile and their first position."""
        space = tile.space
        reduced = space.axes_of(space.others(self.keep))
        # The minimum and its position have to be those of the very same numbers.
        values = lax.optimization_barrier(next(iter(tile.values.values())))
        value = jnp.min(values, axis=reduced, keepdims=True)
        last = np.iinfo(np.int32).max
        index = jnp.min(jnp.where(values == value, position(space, reduced), last), axis=reduced)
        return {"value": value.reshape(index.shape), "index": index}

    def fold(self, state: State, part: State, place: Place) -> State:
        """Improve the cells that the tile covers."""
        space, names = place.space, place.space.others(self.keep)
        reduced = space.axes_of(names)
        block = block_of(space, space.axes_of(self.keep), place.start)
        inside = inside_block(block)
        index = np.zeros_like(part["index"][inside], dtype=np.int64)
        places = np.unravel_index(
            part["index"][inside], tuple(space.tile[a] for a in reduced) or (1,)
        )
        for axis, entries in zip(reduced, places, strict=False):
            index = index * space.sizes[axis] + place.start[axis] + entries
        tile = {"value": part["value"][inside], "index": index}
        improved = _better({name: array[block] for name, array in state.items()}, tile)
        for name, array in improved.items():
            state[name][block] = array
        return state

    def merge(self, first: State, second: State, space: Space) -> State:
        """The better of both in each cell."""
        del space
        return _better(first, second)

    def finish(self, state: State, grid: GridView) -> Reduced:
        """The cells."""
        feasible = state["value"] < np.inf
        if not feasible.any():
            raise no_feasible_point(grid.space)
        keep = tuple(name for name in grid.space.names if name in self.keep)
        value = np.where(feasible, state["value"], np.nan)
        others = grid.at(np.where(feasible, state["index"], 0), grid.space.others(keep))
        return Reduced(self.name, keep, {"value": value, **others}, grid.coordinates(keep))


def _better(first: State, second: State) -> State:
    """Of two minima with their indices the smaller one, or the one that comes first."""
    earlier = (second["value"] == first["value"]) & (second["index"] < first["index"])
    use = (second["value"] < first["value"]) | earlier
    return {name: np.where(use, second[name], first[name]) for name in first}


@dataclass(frozen=True)
class Count(Reduction):
    """The number of feasible points, in all or at every entry of kept axes: ``count``.

    Attributes:
        keep: the axes that stay.
        name: key of the result.

    Example:
        >>> import numpy as np
        >>> from jscale import plan
        >>> axes = {"x": np.arange(4.0), "y": np.arange(4.0)}
        >>> count = plan.reductions.Count()
        >>> cells = plan.grid(lambda x, y: x + y, axes, where="x < y", reduce=[count])
        >>> int(cells["feasible"]["count"])
        6
    """

    keep: tuple[str, ...] = ()
    name: str = "feasible"

    def check(self, space: Space) -> None:
        """Check the axes."""
        check_axes(f"{self.name}: keep", self.keep, space)

    def init(self, space: Space) -> State:
        """None."""
        return {"count": np.zeros(space.shape_of(self.keep), np.int64)}

    def update(self, tile: Tile) -> dict[str, jax.Array]:
        """The number in the tile."""
        reduced = tile.space.axes_of(tile.space.others(self.keep))
        return {"count": jnp.sum(tile.counted, axis=reduced, dtype=jnp.int32)}

    def fold(self, state: State, part: State, place: Place) -> State:
        """Add the tile."""
        block = block_of(place.space, place.space.axes_of(self.keep), place.start)
        state["count"][block] += part["count"][inside_block(block)]
        return state

    def merge(self, first: State, second: State, space: Space) -> State:
        """The sum."""
        del space
        return {"count": first["count"] + second["count"]}

    def finish(self, state: State, grid: GridView) -> Reduced:
        """The counts."""
        keep = tuple(name for name in grid.space.names if name in self.keep)
        return Reduced(self.name, keep, state, grid.coordinates(keep))


@dataclass(frozen=True)
class Moments(Reduction):
    """Mean and standard deviation over the feasible points along axes: ``mean``, ``sd``, ``count``.

    The deviation is that of the points themselves (divided by their number, not one less).

    Attributes:
        over: the axes to average over, such as ``("draw",)``; None for all.
        quantity: what to average; None for the objective.
        name: key of the result.

    Example:
        >>> import numpy as np
        >>> from jscale import plan
        >>> axes = {"x": np.arange(2.0), "draw": np.array([1.0, 2.0, 6.0])}
        >>> moments = plan.reductions.Moments(over=("draw",))
        >>> cells = plan.grid(lambda x, draw: x + draw, axes, reduce=[moments])
        >>> cells["moments"]["mean"].tolist()
        [3.0, 4.0]
    """

    over: tuple[str, ...] | None = None
    quantity: str | None = None
    name: str = "moments"

    @property
    def of(self) -> tuple[str, ...]:
        """The quantity."""
        return () if self.quantity is None else (self.quantity,)

    def check(self, space: Space) -> None:
        """Check the axes."""
        check_axes(f"{self.name}: over", self.over or (), space)

    def _keep(self, space: Space) -> tuple[str, ...]:
        return () if self.over is None else space.others(self.over)

    def init(self, space: Space) -> State:
        """No points."""
        shape = space.shape_of(self._keep(space))
        return {"count": np.zeros(shape), "mean": np.zeros(shape), "squares": np.zeros(shape)}

    def update(self, tile: Tile) -> dict[str, jax.Array]:
        """Number, mean and sum of squared deviations in the tile."""
        space = tile.space
        reduced = space.axes_of(space.others(self._keep(space)))
        values = tile.values[self.quantity or next(iter(tile.values))]
        counted = jnp.broadcast_to(tile.counted, values.shape)
        count = jnp.sum(counted, axis=reduced, keepdims=True, dtype=values.dtype)
        number = jnp.maximum(count, 1)
        # Deviations from a value among them sum with smaller errors, which float32 needs.
        low = jnp.min(jnp.where(counted, values, jnp.inf), axis=reduced, keepdims=True)
        origin = jnp.where(jnp.isfinite(low), low, 0)
        shifted = jnp.where(counted, values - origin, 0)
        mean = jnp.sum(shifted, axis=reduced, keepdims=True) / number
        squares = jnp.sum(jnp.where(counted, (shifted - mean) ** 2, 0), axis=reduced)
        shape = squares.shape
        return {
            "count": count.reshape(shape),
            "mean": (origin + mean).reshape(shape),
            "squares": squares,
        }

    def fold(self, state: State, part: State, place: Place) -> State:
        """Add the tile."""
        block = block_of(place.space, place.space.axes_of(self._keep(place.space)), place.start)
        inside = inside_block(block)
        tile = {name: array[inside].astype(np.float64) for name, array in part.items()}
        added = _pooled({name: array[block] for name, array in state.items()}, tile)
        for name, array in added.items():
            state[name][block] = array
        return state

    def merge(self, first: State, second: State, space: Space) -> State:
        """The moments of both."""
        del space
        return _pooled(first, second)

    def finish(self, state: State, grid: GridView) -> Reduced:
        """Mean and standard deviation; NaN in cells without a feasible point."""
        count = state["count"]
        some = np.where(count > 0, count, np.nan)
        values = {
            "mean": state["mean"] + 0 * some,
            "sd": np.sqrt(state["squares"] / some),
            "count": count.astype(np.int64),
        }
        keep = self._keep(grid.space)
        return Reduced(self.name, keep, values, grid.coordinates(keep))


def _pooled(first: State, second: State) -> State:
    """The moments of two sets of points (Chan, Golub and LeVeque 1983)."""
    count = first["count"] + second["count"]
    share = second["count"] / np.maximum(count, 1)
    step = second["mean"] - first["mean"]
    return {
        "count": count,
        "mean": first["mean"] + step * share,
        "squares": first["squares"] + second["squares"] + step**2 * first["count"] * share,
    }
