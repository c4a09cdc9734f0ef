"""The Pareto front of two or three quantities, exactly.

A tile is reduced to the smallest value of every quantity in every row. Where a point of the front
so far is better than those in all quantities, no point of the row is on the front; the other rows
are evaluated again, as arrays.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.text import shown
from jscale.plan.reductions._protocol import (
    GridView,
    Place,
    Reduction,
    State,
    Tile,
    no_feasible_point,
)
from jscale.plan.reductions._reduced import Reduced
from jscale.plan.reductions._space import Space

_ROW_POINTS = 64
_BATCH = 512
"""Rows that are evaluated before the front is updated."""
_SHIELD = 64
"""Points of the front that every row is compared with first, of three quantities."""


@dataclass(frozen=True)
class Front(Reduction):
    """The feasible points that no other improves in one quantity without losing in another.

    All quantities are minimised. Of points that are equal in all of them the first in the order of
    the axes is kept. The result has the dimension ``point``, in the order of the first quantity,
    with the quantities and the values of the axes.

    Attributes:
        quantities: two or three names.
        name: key of the result.

    Raises:
        JscaleError: not two or three different names.

    Example:
        >>> from jscale import laws, plan
        >>> theta = laws.params(laws.chinchilla)
        >>> axes = {"N": [1e9, 7e9], "D": [2e10, 2e11]}
        >>> objective = {"loss": laws.chinchilla, "flops": "6 * N * D"}
        >>> front = plan.reductions.Front(("flops", "loss"))
        >>> cells = plan.grid(objective, axes, params=theta, reduce=[front])
        >>> [f"{flops:.1e}" for flops in cells["front"]["flops"]]
        ['1.2e+20', '8.4e+20', '1.2e+21', '8.4e+21']
    """

    quantities: tuple[str, ...]
    name: str = "front"
    row_points = _ROW_POINTS
    by_rows = True

    def __post_init__(self) -> None:
        names = self.quantities
        if len(names) not in (2, 3) or len(set(names)) < len(names):
            message = f"must be two or three different quantities, not {shown(names)}"
            raise JscaleError(message, argument="quantities")

    @property
    def of(self) -> tuple[str, ...]:
        """The quantities."""
        return self.quantities

    def init(self, space: Space) -> State:
        """No points."""
        del space
        return {"values": np.empty((0, len(self.quantities))), "index": np.empty(0, np.int64)}

    def update(self, tile: Tile) -> dict[str, jax.Array]:
        """The smallest values of every row, over its feasible points."""
        return {"minima": jnp.stack([tile.row_minima(n) for n in self.quantities], axis=-1)}

    def fold(self, state: State, part: State, place: Place) -> State:
        """Evaluate the rows that may hold a point of the front."""
        minima = part["minima"]
        rows = np.flatnonzero(np.all(minima < np.inf, axis=1))
        rows = rows[~_dominated(minima[rows], state["values"])]
        # Rows that are good in all quantities come first: they exclude many others.
        rows = rows[np.argsort(_rank(minima[rows]), kind="stable")]
        while len(rows):
            values, indices = place.evaluate(rows[:_BATCH])
            points = np.stack([values[name].ravel() for name in self.quantities], axis=-1)
            flat = indices.ravel()
            keep = (flat >= 0) & np.all(points < np.inf, axis=1)
            points, flat = points[keep].astype(np.float64), flat[keep]
            if points.shape[1] == 2:
                near = _near_front(points)
                points, flat = points[near], flat[near]
            rest = ~_dominated(points, state["values"])
            state = _union(state, points[rest], flat[rest])
            rows = rows[_BATCH:]
            rows = rows[~_dominated(minima[rows], state["values"])]
        return state

    def merge(self, first: State, second: State, space: Space) -> State:
        """The front of both."""
        del space
        return _union(first, second["values"], second["index"])

    def finish(self, state: State, grid: GridView) -> Reduced:
        """The front."""
        if not len(state["index"]):
            raise no_feasible_point(grid.space)
        columns = dict(zip(self.quantities, state["values"].T, strict=True))
        return Reduced(self.name, ("point",), {**columns, **grid.at(state["index"])})


def _rank(values: np.ndarray) -> np.ndarray:
    """The sum of the ranks of each row in every column."""
    return np.argsort(np.argsort(values, axis=0, kind="stable"), axis=0).sum(axis=1)


def _dominated(points: np.ndarray, front: np.ndarray) -> np.ndarray:
    """Whether a point of the front is as small in every quantity and smaller in one.

    Args:
        points: (points, quantities).
        front: (others, quantities), in the order of the first quantity and then of the next ones.
    """
    if not len(front) or not len(points):
        return np.zeros(len(points), bool)
    if front.shape[1] == 2:
        # The second quantity falls along a front: the last point that is as small in the first one
        # is the best of those.
        place = np.searchsorted(front[:, 0], points[:, 0], side="right") - 1
        other = front[np.maximum(place, 0)]
        smaller = (other[:, 1] < points[:, 1]) | (
            (other[:, 1] == points[:, 1]) & (other[:, 0] < points[:, 0])
        )
        return (place >= 0) & smaller

    dominated = np.zeros(len(points), bool)
    steps = np.unique(np.linspace(0, len(front) - 1, min(_SHIELD, len(front))).astype(int))
    for others in (front[steps], front):
        for other in others:
            rest = np.flatnonzero(~dominated)
            near = points[rest]
            as_small = np.all(other <= near, axis=1) & np.any(other < near, axis=1)
            dominated[rest[as_small]] = True
    return dominated


def _union(state: State, values: np.ndarray, index: np.ndarray) -> State:
    """The front of the points of a state and others."""
    values = np.concatenate([state["values"], values])
    index = np.concatenate([state["index"], index])
    order = np.lexsort((index, *values.T[::-1]))
    values, index = values[order], index[order]
    # Equal points follow one another; the first in the order of the axes stays.
    new = np.ones(len(values), bool)
    new[1:] = np.any(values[1:] != values[:-1], axis=1)
    values, index = values[new], index[new]

    if values.shape[1] == 2:
        lowest = np.minimum.accumulate(values[:, 1])
        keep = np.ones(len(values), bool)
        keep[1:] = values[1:, 1] < lowest[:-1]
    else:
        keep = _first_front(values)
    return {"values": values[keep], "index": index[keep]}


def _near_front(values: np.ndarray) -> np.ndarray:
    """Rows of two quantities that hold the front: none before them is smaller in the second one.

    One sort leaves few rows, which are then ordered by both quantities and their indices.
    """
    order = np.argsort(values[:, 0])
    second = values[order, 1]
    return order[second <= np.minimum.accumulate(second)]


def _first_front(values: np.ndarray) -> np.ndarray:
    """Which of different points, in the order of the first quantity, no other one dominates."""
    keep = np.zeros(len(values), bool)
    rest = np.arange(len(values))
    while len(rest):
        # Nothing before the first of the rest dominates it, and nothing behind it can.
        first = rest[0]
        keep[first] = True
        rest = rest[1:]
        rest = rest[~np.all(values[first] <= values[rest], axis=1)]
    return keep
