"""The smallest values of the objective and where they are: the best point, and the best k.

XLA computes the index of a minimum (``argmin``) 20 times slower than the minimum on CPUs. A tile is
therefore reduced to the minima of its rows, and only rows whose minimum is among the best of many
tiles are evaluated again, as arrays.
"""

from dataclasses import dataclass

import jax
import numpy as np

from jscale._core.checks import check_whole_number
from jscale.plan.reductions._protocol import (
    Evaluate,
    GridView,
    Place,
    Reduction,
    State,
    Tile,
    no_feasible_point,
)
from jscale.plan.reductions._reduced import Reduced
from jscale.plan.reductions._space import Space

_ROW_POINTS = 4096
_BATCH = 16
"""Rows that are evaluated before the threshold is looked at again."""
_LAST = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Top(Reduction):
    """The k feasible points of the smallest objective, exactly; ties in the order of the axes.

    The result has the dimension ``rank``, the variable ``value`` and the values of the axes. It has
    fewer than k entries where fewer points are feasible.

    Attributes:
        k: number of points.
        name: key of the result.

    Raises:
        JscaleError: ``k`` is not a whole number of at least 1.

    Example:
        >>> import numpy as np
        >>> from jscale import plan
        >>> axes = {"x": np.arange(5.0), "y": np.arange(3.0)}
        >>> cells = plan.grid(lambda x, y: abs(x - 2 * y), axes, reduce=[plan.reductions.Top(4)])
        >>> top = cells["top"]
        >>> list(zip(top["x"].tolist(), top["y"].tolist(), top["value"].tolist()))
        [(0.0, 0.0, 0.0), (2.0, 1.0, 0.0), (4.0, 2.0, 0.0), (1.0, 0.0, 1.0)]
    """

    k: int
    name: str = "top"
    row_points = _ROW_POINTS
    by_rows = True

    def __post_init__(self) -> None:
        check_whole_number("k", self.k, 1)

    def init(self, space: Space) -> State:
        """No points."""
        return _no_points(space)

    def update(self, tile: Tile) -> dict[str, jax.Array]:
        """The minimum of every row."""
        return {"minima": tile.row_minima()}

    def fold(self, state: State, part: State, place: Place) -> State:
        """Keep the rows that may hold one of the best points."""
        return _fold(state, part["minima"], place, self.k)

    def settle(self, state: State, space: Space, evaluate: Evaluate) -> State:
        """Evaluate the rows."""
        return _settle(state, space, evaluate, self.k)

    def merge(self, first: State, second: State, space: Space) -> State:
        """The best of both."""
        del space
        return _keep(first, second["value"], second["index"], self.k)

    def finish(self, state: State, grid: GridView) -> Reduced:
        """The points, best first."""
        if not len(state["value"]):
            raise no_feasible_point(grid.space)
        return Reduced(
            self.name,
            ("rank",),
            {"value": state["value"], **grid.at(state["index"])},
            {"rank": ("rank", np.arange(1, len(state["value"]) + 1))},
        )


@dataclass(frozen=True)
class Best(Reduction):
    """The feasible point of the smallest objective; the first in the order of the axes of several.

    The result has no dimensions, the variable ``value`` and the values of the axes; its attribute
    ``tied`` says whether another point has the same value.

    Attributes:
        name: key of the result.

    Example:
        >>> from jscale import laws, plan
        >>> theta = laws.params(laws.chinchilla)
        >>> axes = {"N": [1e9, 7e9, 7e10], "D": [2e10, 1.4e12]}
        >>> cells = plan.grid(
        ...     laws.chinchilla, axes, params=theta, where="6 * N * D <= 1e23",
        ...     reduce=[plan.reductions.Best()],
        ... )
        >>> float(cells["best"]["N"]), float(cells["best"]["D"])
        (7000000000.0, 1400000000000.0)
    """

    name: str = "best"
    row_points = _ROW_POINTS
    by_rows = True

    def init(self, space: Space) -> State:
        """No point."""
        return _no_points(space)

    def update(self, tile: Tile) -> dict[str, jax.Array]:
        """The minimum of every row."""
        return {"minima": tile.row_minima()}

    def fold(self, state: State, part: State, place: Place) -> State:
        """Keep the rows that may hold one of the best two points."""
        # Two points tell whether there is a tie.
        return _fold(state, part["minima"], place, 2)

    def settle(self, state: State, space: Space, evaluate: Evaluate) -> State:
        """Evaluate the rows."""
        return _settle(state, space, evaluate, 2)

    def merge(self, first: State, second: State, space: Space) -> State:
        """The better of both."""
        del space
        return _keep(first, second["value"], second["index"], 2)

    def finish(self, state: State, grid: GridView) -> Reduced:
        """The point."""
        if not len(state["value"]):
            raise no_feasible_point(grid.space)
        values, points = state["value"], grid.at(state["index"][:1])
        tied = len(values) > 1 and bool(values[0] == values[1])
        return Reduced(
            self.name,
            (),
            {"value": values[0], **{name: column[0] for name, column in points.items()}},
            attrs={"tied": int(tied)},
        )


def _no_points(space: Space) -> State:
    """No points, and no rows that are to be evaluated."""
    return {
        "value": np.empty(0),
        "index": np.empty(0, np.int64),
        "low": np.empty(0),
        "start": np.empty((0, len(space.sizes)), np.int64),
    }


def _fold(state: State, minima: np.ndarray, place: Place, k: int) -> State:
    """The state with the rows of a tile, given their minima, that may hold one of the k best."""
    low, start, space = state["low"], state["start"], place.space
    rows = np.flatnonzero(minima <= low[k - 1] if len(low) >= k else minima < np.inf)
    # Rows that fill the last tile up repeat others and would take their places among the k.
    starts = space.row_starts(place.start, rows)
    inside = np.all(starts < np.asarray(space.sizes), axis=1)
    if not inside.any():
        return state

    low = np.concatenate([low, minima[rows[inside]].astype(np.float64)])
    start = np.concatenate([start, starts[inside]])
    first, last = space.row_ends(start)
    # Each of the k rows that come first has a point as good as its minimum, at its end at worst.
    order = np.lexsort((last, low))
    if len(order) > k:
        bound = order[k - 1]
        as_good = (low < low[bound]) | ((low == low[bound]) & (first <= last[bound]))
        order = order[as_good[order]]
    return {**state, "low": low[order], "start": start[order]}


def _settle(state: State, space: Space, evaluate: Evaluate, k: int) -> State:
    """The state with the k best points of its rows, the best rows first."""
    low, start = state["low"], state["start"]
    first, _ = space.row_ends(start)
    state = {**state, "low": low[:0], "start": start[:0]}
    for begin in range(0, len(low), _BATCH):
        batch = slice(begin, begin + _BATCH)
        last = (np.inf, _LAST)
        if len(state["value"]) == k:
            last = (state["value"][-1], state["index"][-1])
        may = (low[batch] < last[0]) | ((low[batch] == last[0]) & (first[batch] < last[1]))
        if not may.any():
            break
        values, indices = evaluate(start[batch][may])
        objective, flat = values.ravel(), indices.ravel()
        keep = (objective <= last[0]) & (objective < np.inf) & (flat >= 0)
        state = _keep(state, objective[keep], flat[keep], k)
    return state


def _keep(state: State, values: np.ndarray, indices: np.ndarray, k: int) -> State:
    """The k best points of a state and of others, by value and then by index."""
    if len(values) > k:
        near = values <= np.partition(values, k - 1)[k - 1]
        values, indices = values[near], indices[near]
    value = np.concatenate([state["value"], values.astype(np.float64)])
    index = np.concatenate([state["index"], indices])
    order = np.lexsort((index, value))[:k]
    return {**state, "value": value[order], "index": index[order]}
