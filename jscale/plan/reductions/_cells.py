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
    along,
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
        values = tile.quantity(None)
        value = along(jnp.min, values, reduced)
        last = np.iinfo(np.int32).max
        index = along(jnp.min, jnp.where(values == value, position(space, reduced), last), reduced)
        shape = tuple(space.tile[a] for a in space.axes_of(self.keep))
        return {"value": value.reshape(shape), "index": index.reshape(shape)}

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
        kept = tile.space.axes_of(self.keep)
        reduced = tile.space.axes_of(tile.space.others(self.keep))
        count = along(jnp.sum, tile.counted, reduced, dtype=jnp.int32)
        return {"count": count.reshape([tile.space.tile[a] for a in kept])}

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
        values = tile.quantity(self.quantity)
        counted = tile.counted
        count = along(jnp.sum, counted, reduced, dtype=jnp.int32)
        # Deviations from about the mean sum with smaller errors, which float32 needs. A mean over
        # all points would lie far from those of a cell with few feasible ones.
        total = along(jnp.sum, jnp.where(counted, values, 0), reduced)
        centre = lax.optimization_barrier(total / jnp.maximum(count, 1).astype(total.dtype))
        deviation = jnp.where(counted, values - centre, 0)
        parts = {
            "count": count,
            "centre": centre,
            "sum": along(jnp.sum, deviation, reduced),
            "squares": along(jnp.sum, deviation * deviation, reduced),
        }
        shape = [space.tile[a] for a in space.axes_of(self._keep(space))]
        return {name: part.reshape(shape) for name, part in parts.items()}

    def fold(self, state: State, part: State, place: Place) -> State:
        """Add the tile."""
        block = block_of(place.space, place.space.axes_of(self._keep(place.space)), place.start)
        inside = inside_block(block)
        count, centre, total, squares = (
            part[name][inside].astype(np.float64) for name in ("count", "centre", "sum", "squares")
        )
        shift = total / np.maximum(count, 1)
        # Of equal points the difference can fall below 0 by rounding.
        rest = np.maximum(squares - total * shift, 0)
        tile = {"count": count, "mean": centre + shift, "squares": rest}
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
