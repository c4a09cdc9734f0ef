"""The optimum between the points of a grid."""

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from jscale._core import expressions
from jscale._core.errors import JscaleError
from jscale._core.scope import float64
from jscale._core.status import is_optimum
from jscale._core.text import did_you_mean, enumerated, shown
from jscale.plan.gridsearch import GridProblem, GridResult, Quantity, at_a_point
from jscale.plan.optimiser._functions import Constraint
from jscale.plan.optimiser._solve import Solution, solve
from jscale.plan.optimiser._variables import Free
from jscale.plan.reductions import Best

_SENSES = {ast.LtE: "<=", ast.Lt: "<=", ast.GtE: ">=", ast.Gt: ">=", ast.Eq: "=="}
_SLACK = 1e-6
"""Relative rounding of a value in float32, by which an optimum may seem worse than a grid point."""


def polish(cells: GridResult, *, free: Sequence[str] | None = None, name: str = "best") -> Solution:
    """The optimum near the best point of a grid, between its points, in float64.

    :func:`~jscale.plan.solve` searches from the neighbours of the best point on, and further while
    one of them holds the optimum, to the ends of the axes at most. A search in float32 with this at
    its end has the accuracy of one in float64.

    Args:
        cells: a result of :func:`~jscale.plan.grid` with ``Best``, whose parameters are numbers and
            whose constraints are formulas such as ``"flops <= 1e21"``.
        free: axes to vary; None for all that are lists of positive numbers. The others, such as
            real models, and formats that are left out here, stay as they are at the best point.
        name: of the ``Best``.

    Returns:
        The optimum: its values, multipliers of the constraints in the order of ``where``, and
        status; ``side`` names axes at whose end it lies.

    Raises:
        JscaleError: no such result, an axis that cannot vary, draws, or a constraint that is not a
            comparison.

    Example:
        The published optimum at 1e21 FLOP, from a coarse grid in float32:

        >>> import numpy as np
        >>> from jscale import laws, plan
        >>> cells = plan.grid(
        ...     laws.precision,
        ...     {
        ...         "N": np.geomspace(1e9, 1e10, 21),
        ...         "D": np.geomspace(1e10, 1e12, 21),
        ...         "P": np.arange(4.0, 17.0),
        ...     },
        ...     params=laws.params(laws.precision, "kumar2024"),
        ...     where="6/16 * N * D * P <= 1e21",
        ...     dtype="float32",
        ... )
        >>> best = plan.polish(cells).values
        >>> print(f"{best['N']:.5e} {best['D']:.5e} {best['P']:.5f}")
        5.34335e+09 7.12732e+10 7.00211
    """
    reduced, problem = _checked(cells, name), cells.problem
    best = {key: float(value) for key, value in reduced.values.items() if _is_number(value)}
    value, axes = best.pop("value"), _axes(problem)
    chosen = _chosen(free, axes)
    if not chosen:
        raise JscaleError("the grid has no axis of positive numbers that could vary")

    objective = _Term(problem.quantities, problem.quantities[0].name)
    with float64():
        point = {**best, **problem.constants}
        constraints = [_constraint(problem, each, point) for each in problem.constraints]
        fixed = {key: number for key, number in best.items() if key not in chosen}
        steps = 1
        while True:
            boxes = {key: _box(axis, best[key], steps) for key, axis in chosen.items()}
            variables: dict[str, Any] = fixed | {k: Free(*box) for k, box in boxes.items()}
            solution = solve(
                objective, variables, params=problem.constants, constraints=constraints
            )
            whole = all(_box(axis, best[k], 2 * steps) == boxes[k] for k, axis in chosen.items())
            if whole or _is_inside(solution, boxes, chosen, value):
                return solution
            steps *= 2


@dataclass(frozen=True)
class _Term:
    """A quantity of a grid, or a formula of quantities and axes, over a scale; hashable."""

    quantities: tuple[Quantity, ...]
    text: str
    minus: str | None = None
    scale: float = 1.0

    def __call__(self, **values: Any) -> jax.Array:
        results, _ = at_a_point(self.quantities, (), values)
        known = {**values, **results}
        term = expressions.evaluate(self.text, known)
        if self.minus is not None:
            term = (term - expressions.evaluate(self.minus, known)) / self.scale
        return term


def _checked(cells: Any, name: str) -> Any:
    """The best point of a grid.

    Raises:
        JscaleError: no result of a grid, no ``Best``, or a grid over draws.
    """
    if not isinstance(cells, GridResult):
        raise JscaleError(
            f"must be a result of plan.grid, not {type(cells).__name__}", argument="cells"
        )
    reduced = cells[name]
    if reduced.dims or "tied" not in reduced.attrs:
        raise JscaleError(f"{name!r} is not the result of {Best.__name__}()", argument="name")
    if "draw" in cells.axes:
        raise JscaleError(
            "the parameters are draws, each with an optimum of its own: give plan.solve the draws, "
            "or polish a grid of one set of parameters"
        )
    return reduced


def _is_number(value: Any) -> bool:
    return np.asarray(value).dtype.kind in "iufb"


def _axes(problem: GridProblem) -> dict[str, np.ndarray]:
    """The axes that can vary: one positive number an entry, and two entries or more."""
    axes = {}
    for axis in problem.axes:
        numbers = axis.numbers.get(axis.name)
        if numbers is None or len(axis.columns) > 1 or numbers.ndim > 1:
            continue
        entries = np.unique(numbers)
        if len(entries) > 1 and entries[0] > 0 and np.isfinite(entries[-1]):
            axes[axis.name] = entries
    return axes


def _chosen(free: Any, axes: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The axes to vary.

    Raises:
        JscaleError: not a list of axes that can vary.
    """
    if free is None:
        return axes
    known = list(axes)
    # Text would be read letter by letter.
    is_list = isinstance(free, Iterable) and not isinstance(free, str)
    names: list[Any] = list(free) if is_list else [free]
    unknown = [name for name in names if name not in known]
    if unknown or not is_list:
        hint = did_you_mean(str(unknown[0]), known) if is_list else ""
        raise JscaleError(
            f"must be a list of axes of positive numbers ({enumerated(known) or 'there is none'}), "
            f"not {shown(unknown[0] if is_list else free)}{hint}",
            argument="free",
        )
    return {name: axes[name] for name in names}


def _constraint(
    problem: GridProblem, constraint: Quantity, point: Mapping[str, float]
) -> Constraint:
    """A constraint of a grid as one of :func:`solve`.

    Raises:
        JscaleError: it is not a comparison of two numbers.
    """
    # The name of a formula is its text, which the grid has read.
    body = ast.parse(constraint.name.strip(), mode="eval").body if constraint.is_formula else None
    sense = _SENSES.get(type(body.ops[0])) if isinstance(body, ast.Compare) else None
    if sense is None:
        raise JscaleError(
            f"polish: the constraint {shown(constraint.name)} is not a comparison; expected a "
            "formula such as 'flops <= 1e21'"
        )
    assert isinstance(body, ast.Compare)
    left, right = ast.unparse(body.left), ast.unparse(body.comparators[0])
    quantities = problem.quantities
    if not expressions.names(right):
        return _Term(quantities, left), sense, float(expressions.evaluate(right, {}))
    size = abs(float(_Term(quantities, right)(**point)))
    return _Term(quantities, left, right, size or 1.0), sense, 0.0


def _box(entries: np.ndarray, value: float, steps: int) -> tuple[float, float]:
    """The entries some steps below and above a value, at most the ends."""
    place = int(np.argmin(np.abs(entries - value)))
    low, high = max(place - steps, 0), min(place + steps, len(entries) - 1)
    return float(entries[low]), float(entries[high])


def _is_inside(
    solution: Solution,
    boxes: Mapping[str, tuple[float, float]],
    axes: Mapping[str, np.ndarray],
    value: float,
) -> bool:
    """Whether there is an optimum as good as the grid's that only an end of an axis may hold."""
    if not bool(is_optimum(solution.status)):
        return False
    if float(solution.objective) > value + _SLACK * abs(value):
        return False
    for name, (low, high) in boxes.items():
        side = int(solution.side[name])
        if (side < 0 and low > axes[name][0]) or (side > 0 and high < axes[name][-1]):
            return False
    return True
