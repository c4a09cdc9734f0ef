"""The result of a grid search, and the axes as the ends of reductions see them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.text import did_you_mean, enumerated, shown
from jscale.plan.gridsearch._axes import DRAW, Axis
from jscale.plan.gridsearch._quantities import Quantity
from jscale.plan.reductions import GridView, Reduced, Space


@dataclass(frozen=True)
class GridProblem:
    """What was searched.

    Attributes:
        quantities: the objective first.
        constraints: that make a point feasible.
        axes: in their order.
        constants: the parameters that are single numbers.
    """

    quantities: tuple[Quantity, ...]
    constraints: tuple[Quantity, ...]
    axes: tuple[Axis, ...]
    constants: Mapping[str, float]


@dataclass(frozen=True)
class GridResult:
    """What a grid search collected.

    Attributes:
        axes: axis → the values of its entries, by name.
        points: number of points.
        nan: points that meet the constraints but whose objective is NaN; counted as infeasible.
        seconds: time that it took, compilation included.
        notes: what else is to be known, such as ties.
        results: reduction → its result; also ``result[name]``.
        problem: what was searched, for :func:`~jscale.plan.polish`.
    """

    axes: Mapping[str, Mapping[str, np.ndarray]]
    points: int
    nan: int
    seconds: float
    notes: tuple[Note, ...]
    results: Mapping[str, Reduced]
    problem: GridProblem

    def __getitem__(self, name: str) -> Reduced:
        if name not in self.results:
            raise JscaleError(
                f"the grid has no result {shown(name)}{did_you_mean(str(name), self.results)} "
                f"(it has: {enumerated(self.results)})"
            )
        return self.results[name]


@dataclass(frozen=True)
class View(GridView):
    """The axes, for the ends of reductions."""

    space: Space
    axes: tuple[Axis, ...]
    objective: str

    def at(self, indices: np.ndarray, axes: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        """The values of the axes at points, by name."""
        chosen = [axis for axis in self.axes if axes is None or axis.name in axes]
        if not chosen:
            return {}
        places = np.unravel_index(indices, tuple(axis.size for axis in chosen))
        values = {}
        for axis, entries in zip(chosen, places, strict=True):
            columns = axis.columns or {axis.name: np.arange(axis.size)}
            if axis.name == DRAW:  # the parameters of a draw are not what is looked for
                columns = {axis.name: columns.get(axis.name, np.arange(axis.size))}
            values |= {name: column[entries] for name, column in columns.items()}
        return values

    def coordinates(self, axes: Sequence[str]) -> dict[str, tuple[str, np.ndarray]]:
        """The labels of the entries of axes and what else they carry."""
        coords: dict[str, tuple[str, np.ndarray]] = {}
        for axis in self.axes:
            if axis.name in axes:
                coords |= axis.coordinates()
        return coords
