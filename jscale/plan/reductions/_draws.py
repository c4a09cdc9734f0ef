"""Reductions over posterior draws: quantiles, and how often each candidate is the best."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jscale._core.errors import JscaleError
from jscale._core.text import shown
from jscale.plan.reductions._cells import Marginal
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
)
from jscale.plan.reductions._reduced import Reduced
from jscale.plan.reductions._space import Space

_FEW_ENTRIES = 32
_FEW_EDGES, _BATCH_SIZES = 256, 64
"""Up to so many edges, to compare a value with each of them, in so many lanes, is the fastest."""


@dataclass(frozen=True)
class Quantiles(Reduction):
    """Quantiles along an axis, such as that of the draws, at every entry of the others.

    Linear interpolation between order statistics, as ``numpy.quantile``, of the feasible points
    alone. The result has the dimension ``probability`` and the other axes, and the variable
    ``value``: NaN where no point along the axis is feasible.

    Attributes:
        probabilities: each from 0 to 1.
        over: the axis.
        quantity: what to describe; None for the objective.
        name: key of the result.

    Raises:
        JscaleError: no probabilities, or one out of range.

    Example:
        >>> import numpy as np
        >>> from jscale import plan
        >>> axes = {"x": np.arange(2.0), "draw": np.arange(5.0)}
        >>> median = plan.reductions.Quantiles((0.25, 0.5))
        >>> cells = plan.grid(lambda x, draw: x + draw, axes, reduce=[median])
        >>> cells["quantiles"]["value"].tolist()
        [[1.0, 2.0], [2.0, 3.0]]
    """

    probabilities: tuple[float, ...] = (0.05, 0.5, 0.95)
    over: str = "draw"
    quantity: str | None = None
    name: str = "quantiles"

    def __post_init__(self) -> None:
        given = self.probabilities
        if not given or not all(0 <= p <= 1 for p in given):
            raise JscaleError(f"must lie from 0 to 1, not {shown(given)}", argument="probabilities")

    @property
    def of(self) -> tuple[str, ...]:
        """The quantity."""
        return () if self.quantity is None else (self.quantity,)

    def whole(self, space_names: tuple[str, ...]) -> tuple[str, ...]:
        """The axis: all of its points are sorted at once."""
        del space_names
        return (self.over,)

    def check(self, space: Space) -> None:
        """Check the axis."""
        check_axes(f"{self.name}: over", (self.over,), space)

    def init(self, space: Space) -> State:
        """Nothing yet."""
        shape = (len(self.probabilities), *space.shape_of(space.others((self.over,))))
        return {"value": np.full(shape, np.nan)}

    def update(self, tile: Tile) -> dict[str, jax.Array]:
        """The values of the tile: on CPUs, XLA sorts some 20 times slower than NumPy."""
        values = tile.quantity(self.quantity)
        return {"values": jnp.where(tile.counted, values, jnp.inf)}

    def fold(self, state: State, part: State, place: Place) -> State:
        """Write the quantiles of the tile."""
        space = place.space
        (axis,) = space.axes_of((self.over,))
        values = part["values"]
        count = np.sum(values < np.inf, axis=axis)
        last = np.maximum(count - 1, 0)
        places = [probability * last for probability in self.probabilities]
        below = [np.floor(at).astype(np.int64) for at in places]
        needed = np.unique([below, [np.minimum(i + 1, last) for i in below]])
        # To place a few entries takes half the time of sorting all.
        if len(needed) <= _FEW_ENTRIES:
            values = np.partition(values, needed, axis=axis)
        else:
            values = np.sort(values, axis=axis)

        ordered = np.moveaxis(values, axis, 0)
        block = block_of(space, space.axes_of(space.others((self.over,))), place.start)
        for number, (at, lower) in enumerate(zip(places, below, strict=True)):
            upper = np.minimum(lower + 1, last)
            low, high = (
                np.take_along_axis(ordered, i[None], 0)[0].astype(np.float64)
                for i in (lower, upper)
            )
            apart = high > low  # both are infinite where nothing is feasible
            step = (at - lower) * np.subtract(high, low, out=np.zeros_like(low), where=apart)
            quantile = np.where(count > 0, low + step, np.nan)
            state["value"][number][block] = quantile[inside_block(block)]
        return state

    def merge(self, first: State, second: State, space: Space) -> State:
        """Each cell was in one of both."""
        del space
        return {"value": np.where(np.isnan(second["value"]), first["value"], second["value"])}

    def finish(self, state: State, grid: GridView) -> Reduced:
        """The quantiles."""
        others = grid.space.others((self.over,))
        coords = {"probability": ("probability", np.asarray(self.probabilities))}
        return Reduced(
            self.name, ("probability", *others), state, coords | grid.coordinates(others)
        )


@dataclass(frozen=True)
class ProbabilityBest(Reduction):
    """The share of the draws in which each candidate is the best: P(best).

    A candidate is a point of all other axes. The result lists those that are the best in some draw,
    the most frequent first, with the dimension ``candidate``, the variable ``probability`` and the
    values of the axes. Draws without a feasible candidate are counted in the attribute ``lost``,
    and the probabilities are shares of the others.

    Attributes:
        over: the axis of draws.
        name: key of the result.

    Example:
        >>> import numpy as np
        >>> from jscale import plan
        >>> axes = {"x": np.arange(3.0), "draw": np.array([0.1, 0.2, 1.9, 2.2])}
        >>> best = plan.reductions.ProbabilityBest()
        >>> cells = plan.grid(lambda x, draw: (x - draw) ** 2, axes, reduce=[best])
        >>> cells["probability_best"]["x"].tolist()
        [0.0, 2.0]
        >>> cells["probability_best"]["probability"].tolist()
        [0.5, 0.5]
    """

    over: str = "draw"
    name: str = "probability_best"

    @property
    def _marginal(self) -> Marginal:
        return Marginal((self.over,), self.name)

    def check(self, space: Space) -> None:
        """Check the axis."""
        check_axes(f"{self.name}: over", (self.over,), space)

    def init(self, space: Space) -> State:
        """No candidate."""
        return self._marginal.init(space)

    def update(self, tile: Tile) -> dict[str, jax.Array]:
        """The best candidate of the tile in every draw."""
        return self._marginal.update(tile)

    def fold(self, state: State, part: State, place: Place) -> State:
        """Keep the better candidate in every draw."""
        return self._marginal.fold(state, part, place)

    def merge(self, first: State, second: State, space: Space) -> State:
        """The better of both in every draw."""
        return self._marginal.merge(first, second, space)

    def finish(self, state: State, grid: GridView) -> Reduced:
        """The candidates."""
        feasible = state["value"] < np.inf
        if not feasible.any():
            raise no_feasible_point(grid.space)
        winners, counts = np.unique(state["index"][feasible], return_counts=True)
        order = np.lexsort((winners, -counts))
        others = grid.space.others((self.over,))
        values = {
            "probability": counts[order] / feasible.sum(),
            **grid.at(winners[order], others),
        }
        lost = int(np.sum(~feasible))
        return Reduced(self.name, ("candidate",), values, attrs={"lost": lost})


@dataclass(frozen=True)
class Histogram(Reduction):
    """Counts of the feasible points between edges: ``count``, with the dimension ``bin``.

    A bin includes its lower edge, the last one also its upper. Points outside are counted in the
    attributes ``below`` and ``above``.

    Attributes:
        edges: two or more, ascending.
        quantity: what to count; None for the objective.
        name: key of the result.

    Raises:
        JscaleError: fewer than two edges, or not ascending.

    Example:
        >>> import numpy as np
        >>> from jscale import plan
        >>> histogram = plan.reductions.Histogram((0.0, 1.0, 3.0))
        >>> cells = plan.grid(lambda x: x, {"x": np.arange(6.0)}, reduce=[histogram])
        >>> cells["histogram"]["count"].tolist(), cells["histogram"].attrs["above"]
        ([1, 3], 2)
    """

    edges: tuple[float, ...]
    quantity: str | None = None
    name: str = "histogram"

    def __post_init__(self) -> None:
        if len(self.edges) < 2 or not all(np.diff(self.edges) > 0):
            message = f"must be two or more ascending numbers, not {shown(self.edges)}"
            raise JscaleError(message, argument="edges")

    @property
    def of(self) -> tuple[str, ...]:
        """The quantity."""
        return () if self.quantity is None else (self.quantity,)

    def init(self, space: Space) -> State:
        """No points."""
        del space
        return {"count": np.zeros(len(self.edges) + 1, np.int64)}

    def update(self, tile: Tile) -> dict[str, jax.Array]:
        """The counts of the tile; the first is of the points below, the last of those above."""
        values = jnp.broadcast_to(tile.quantity(self.quantity), tile.counted.shape)
        edges = jnp.asarray(self.edges, values.dtype)
        # Of the last edge only points above it lie outside.
        edges = edges.at[-1].set(jnp.nextafter(edges[-1], jnp.asarray(jnp.inf, edges.dtype)))
        # NaN is at least no edge.
        at_least = _count_at_least(jnp.where(tile.counted, values, jnp.nan).ravel(), edges)
        ends = jnp.append(jnp.sum(tile.counted, dtype=jnp.int32), at_least)
        following = jnp.append(at_least, jnp.zeros(1, jnp.int32))
        return {"count": ends - following}

    def fold(self, state: State, part: State, place: Place) -> State:
        """Add the tile."""
        del place
        return {"count": state["count"] + part["count"]}

    def merge(self, first: State, second: State, space: Space) -> State:
        """The sum."""
        del space
        return {"count": first["count"] + second["count"]}

    def finish(self, state: State, grid: GridView) -> Reduced:
        """The counts."""
        del grid
        below, *inside, above = state["count"].tolist()
        edges = np.asarray(self.edges)
        coords = {"lower": ("bin", edges[:-1]), "upper": ("bin", edges[1:])}
        values = {"count": np.asarray(inside)}
        return Reduced(self.name, ("bin",), values, coords, {"below": below, "above": above})


def _count_at_least(values: jax.Array, edges: jax.Array) -> jax.Array:
    """How many values are at least each of some ascending edges.

    On CPUs, XLA's binary search and its scatter take ten times as long as comparisons in registers.
    """
    if jax.default_backend() != "cpu" or len(edges) > _FEW_EDGES:
        place = jnp.searchsorted(edges, values, side="right")
        place = jnp.where(jnp.isnan(values), 0, place)
        count = jnp.zeros(len(edges) + 1, jnp.int32).at[place].add(1)
        return jnp.cumsum(count[::-1])[::-1][1:]

    rest = -len(values) % _BATCH_SIZES
    rows = jnp.append(values, jnp.full(rest, jnp.nan, values.dtype)).reshape(-1, _BATCH_SIZES)

    def add(counts: jax.Array, row: jax.Array) -> tuple[jax.Array, None]:
        return counts + (row >= edges[:, None]).astype(jnp.int32), None

    # The first row begins: a constant would lie on all devices, and a tile lies on one.
    first = (rows[0] >= edges[:, None]).astype(jnp.int32)
    counts = lax.scan(add, first, rows[1:])[0]
    return jnp.sum(counts, axis=1, dtype=jnp.int32)
