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
from jscale.plan.reductions._pareto import Staircase, dominated, no_points, seeds, union
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
"""Rows that are evaluated at once."""
_WAITING = 4096
"""Points that wait to be compared with one another, unless the front has more: that takes long."""


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
        return no_points(len(self.quantities))

    def update(self, tile: Tile) -> dict[str, jax.Array]:
        """The smallest values of every row, over its feasible points."""
        return {"minima": jnp.stack([tile.row_minima(name) for name in self.quantities])}

    def fold(self, state: State, part: State, place: Place) -> State:
        """Evaluate the rows that may hold a point of the front."""
        minima = part["minima"]
        rows = np.flatnonzero(_possible(minima, state["values"]))
        if len(rows) > _BATCH:
            # Rows that are good in all quantities come first: they exclude many others.
            first = seeds(minima[:, rows].T, _BATCH)
            state = self._evaluated(state, rows[first], place)
            rows = np.delete(rows, first)
            rows = rows[_possible(minima[:, rows], state["values"])]
        return self._evaluated(state, rows, place)

    def _evaluated(self, state: State, rows: np.ndarray, place: Place) -> State:
        """The front with the points of rows, given by number."""
        found, waiting = [no_points(len(self.quantities))], 0
        for begin in range(0, len(rows), _BATCH):
            batch = rows[begin : begin + _BATCH]
            values = place.evaluate(batch)
            points = np.stack([values[name] for name in self.quantities])
            row, entry = np.nonzero(_possible(points, state["values"]))
            index = place.indices(batch[row], entry)
            inside = index >= 0
            points = points[:, row, entry][:, inside].T.astype(np.float64)
            found.append({"values": points, "index": index[inside]})
            waiting += len(points)
            if waiting > max(_WAITING, len(state["index"])) or begin + _BATCH >= len(rows):
                both = (np.concatenate([each[name] for each in found]) for name in state)
                state, found, waiting = union(state, *both), [], 0
        return state

    def merge(self, first: State, second: State, space: Space) -> State:
        """The front of both."""
        del space
        return union(first, second["values"], second["index"])

    def finish(self, state: State, grid: GridView) -> Reduced:
        """The front."""
        if not len(state["index"]):
            raise no_feasible_point(grid.space)
        columns = dict(zip(self.quantities, state["values"].T, strict=True))
        return Reduced(self.name, ("point",), {**columns, **grid.at(state["index"])})


def _possible(values: np.ndarray, front: np.ndarray) -> np.ndarray:
    """Whether points (quantities, …) can be on a front: of three quantities exactly.

    Of two, a few that the front dominates may be among them.
    """
    possible = np.all(values < np.inf, axis=0)
    if not len(front):
        return possible
    if len(values) == 2:
        return possible & ~Staircase(front).above(*values)
    some = values[:, possible].T
    possible[possible] = ~dominated(some, front)
    return possible
