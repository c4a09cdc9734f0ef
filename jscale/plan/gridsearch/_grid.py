"""``plan.grid``: search a grid of any size on all devices, and keep only the results."""

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, get_args

import jax

from jscale._core.checks import check_whole_number
from jscale._core.errors import Argument, JscaleError
from jscale._core.notes import Note
from jscale._core.text import enumerated, human, plural, shown
from jscale.laws import LawFunction
from jscale.plan.gridsearch._axes import Axis, read_axes
from jscale.plan.gridsearch._design import Design, DType, size_of_a_point
from jscale.plan.gridsearch._program import NAN, Compiled, most_parts
from jscale.plan.gridsearch._quantities import Quantity, read_constraints, read_objective
from jscale.plan.gridsearch._result import GridProblem, GridResult, View
from jscale.plan.gridsearch._run import Work, run, seconds_per_tile
from jscale.plan.reductions import Best, Reduced, Reduction, Space, divide

_TILE_POINTS = {"cpu": 2**20}
"""Points of a tile by platform. On a CPU the arrays of a tile have to stay below 32 MiB together:
glibc gives larger ones back to the system each time, and then moments took three times as long."""
_TILE_POINTS_ELSEWHERE = 2**25
_SHORT_ROW_PARTS = 4
"""How many times more points a tile of short rows has, at most, as one part of each is stored."""
_TILES = 16
"""Tiles that a grid is to have before they grow, so that several devices have the same work."""
_ROW_POINTS = 4096
_UNCONFIRMED = 10**13
"""Points from which on a grid needs ``yes=True``; at 10^9 a second they take three hours."""

Objective = LawFunction | Callable[..., Any] | str


def grid(
    objective: Objective | Mapping[str, Objective],
    axes: Mapping[str, Any],
    *,
    params: Mapping[str, Any] | None = None,
    where: Any = None,
    reduce: Sequence[Reduction] = (Best(),),
    dtype: DType = "float64",
    tile: int | None = None,
    yes: bool = False,
    resume: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> GridResult:
    """Evaluate a function at every point of a grid and collect results; the grid is never held.

    The points are computed tile by tile on all devices of this process, and on those of all
    processes of ``jax.distributed`` if that was initialised. Memory does not grow with the number
    of points. The result is the same, bit by bit, on any number of devices and processes of a kind.

    Args:
        objective: a law, a cost, a formula such as ``"6 * N * D"``, or a JAX function of scalars
            that takes axes, parameters and earlier quantities by name (all parameters, with
            ``**theta``); or several by name, of which the first is minimised. One without a name is
            called ``value``.
        axes: name → values, in the order that decides ties (the last one varies fastest): an array
            of numbers; or a dict of columns, or a list of dicts, whose entries carry several values
            (the N, layers and FLOP of real models; texts are labels).
        params: parameters, name → number; or draws, name → (draws,), which are a last axis
            ``draw``. ``P`` stands for all training precisions of a law.
        where: a constraint, or several: a formula such as ``"flops <= 1e21"`` or a function. Points
            where one fails, or where a quantity is NaN or infinite, are infeasible.
        reduce: what to collect, from :mod:`jscale.plan.reductions`.
        dtype: "float32" or "float64", of the computation.
        tile: the most points that one device computes at once; it bounds the memory.
        yes: confirm a grid of 10^13 points or more.
        resume: file of the job's finished parts: a job that was interrupted goes on from there.
        progress: whether to draw a progress bar on stderr.

    Raises:
        JscaleError: an empty axis, NaN on an axis, an objective that is not one number at a point,
            no feasible point, a file of another job, or a grid that needs ``yes=True``.

    Example:
        >>> import numpy as np
        >>> from jscale import laws, plan
        >>> axes = {
        ...     "N": np.geomspace(1e9, 1e10, 101),
        ...     "D": np.geomspace(1e10, 1e11, 101),
        ...     "P": np.arange(4.0, 17.0),
        ... }
        >>> theta = laws.params(laws.precision, "kumar2024")
        >>> cells = plan.grid(laws.precision, axes, params=theta, where="6/16 * N * D * P <= 1e21")
        >>> best = cells["best"]
        >>> print(f"{best['N']:.2e} parameters, {best['D']:.2e} tokens, {best['P']:.0f} bits")
        5.37e+09 parameters, 7.08e+10 tokens, 7 bits
    """
    begin = time.perf_counter()
    read, constants = read_axes(axes, params)
    names = [*(name for axis in read for name in axis.numbers), *constants]
    given = [name for name in params or () if name in names]
    quantities = read_objective(objective, names, given)
    known = [*names, *(each.name for each in quantities)]
    constraints = read_constraints(where, known, given)
    _check_used(read, [*quantities, *constraints])
    reductions = _reductions(reduce, [each.name for each in quantities])
    if dtype not in get_args(DType):
        raise JscaleError(
            f"must be one of {enumerated(get_args(DType))}, not {shown(dtype)}", argument="dtype"
        )

    sizes = {axis.name: axis.size for axis in read}
    trial = Design(divide(sizes, (), 1, 1), quantities, constraints, reductions, dtype)
    numbers = _stored_numbers(trial, *size_of_a_point(trial, read, constants))
    space = _divided(sizes, reductions, tile, numbers)
    for reduction in reductions:
        reduction.check(space)

    design = Design(space, quantities, constraints, reductions, dtype)
    with design.precision():
        compiled = Compiled(design, read, constants)
        if space.points >= _UNCONFIRMED and not yes:
            raise _too_large(space, compiled)
        job = _job(compiled) if resume is not None else {}
        states = run(Work(compiled, resume, job, progress))

    view = View(space, read, quantities[0].name)
    results = {each.name: each.finish(states[each.name], view) for each in reductions}
    nan = int(states[NAN][NAN])
    return GridResult(
        axes={axis.name: axis.columns for axis in read},
        points=space.points,
        nan=nan,
        seconds=time.perf_counter() - begin,
        notes=tuple(_notes(results, nan, space.points)),
        results=results,
        problem=GridProblem(quantities, constraints, read, constants),
    )


def _job(compiled: Compiled) -> dict[str, str]:
    """All that the result depends on."""
    return {"reductions": repr(compiled.design.reductions), "grid": compiled.digest()}


def _check_used(axes: Sequence[Axis], quantities: Sequence[Quantity]) -> None:
    """Check that something depends on every axis.

    Raises:
        JscaleError: an axis that no function takes.
    """
    taken = {name for quantity in quantities for name in quantity.takes}
    for axis in axes:
        if not taken & set(axis.numbers):
            names = enumerated(axis.numbers) or "no numbers"
            raise JscaleError(
                f"axes: nothing takes {axis.name!r} (it carries {names}); "
                "expected an axis that the objective or a constraint depends on"
            )


def _reductions(reduce: Any, quantities: Sequence[str]) -> tuple[Reduction, ...]:
    """The reductions.

    Raises:
        JscaleError: not reductions, two of one name, or one of a quantity that there is not.
    """
    reductions = (reduce,) if isinstance(reduce, Reduction) else tuple(reduce)
    if not reductions or not all(isinstance(each, Reduction) for each in reductions):
        message = f"must be a list of jscale.plan.reductions, such as Top(10), not {shown(reduce)}"
        raise JscaleError(message, argument="reduce")

    names = [each.name for each in reductions]
    twice = [name for name in names if names.count(name) > 1 or name == NAN]
    if twice:
        raise JscaleError(
            f": {twice[0]!r} is the name of two results; expected different ones (name=)",
            argument="reduce",
        )
    for each in reductions:
        unknown = [name for name in each.of if name not in quantities]
        if unknown:
            raise JscaleError(
                f": {each.name} needs the quantity {enumerated(unknown)}, which the objective does "
                f"not have (it has: {enumerated(quantities)})",
                argument="reduce",
            )
    return reductions


def _stored_numbers(design: Design, numbers: float, length: int) -> float:
    """The numbers that are stored for a point of a tile.

    Args:
        design: of the grid.
        numbers: of the largest intermediate result of a point.
        length: of the code of a point.
    """
    if not design.by_rows:
        return numbers
    # One part of each row at a time; but tiles of short rows are often computed again, as a whole.
    parts = most_parts(length)
    short = _row_points(design.reductions) < _ROW_POINTS
    return numbers / (min(parts, _SHORT_ROW_PARTS) if short else parts)


def _row_points(reductions: Sequence[Reduction]) -> int:
    """The most points of a row."""
    return min([_ROW_POINTS, *(each.row_points for each in reductions if each.row_points)])


def _divided(
    sizes: dict[str, int], reductions: Sequence[Reduction], tile: int | None, numbers: float
) -> Space:
    """The grid in tiles and rows that fit the memory.

    Args:
        sizes: axis → entries.
        reductions: that may need whole axes or rows of some length.
        tile: the most points of a tile; None for the default.
        numbers: that are stored for a point at once.
    """
    if tile is None:
        usual = _TILE_POINTS.get(jax.default_backend(), _TILE_POINTS_ELSEWHERE)
        even = max(usual, math.prod(sizes.values()) // _TILES)
        tile = max(1, min(int(usual / numbers), even))
    else:
        check_whole_number("tile", tile, 1)
    whole = {name for each in reductions for name in each.whole(tuple(sizes))}
    return divide(sizes, tuple(whole), tile, min(_row_points(reductions), tile))


def _too_large(space: Space, compiled: Compiled) -> JscaleError:
    """The refusal of a grid that would take very long, with an estimate."""
    seconds = seconds_per_tile(compiled) * space.tile_count
    points = space.points / seconds
    days, hours = seconds / 86400, seconds / 3600
    long = f"{human(days)} days" if days >= 2 else f"{human(hours)} hours"
    return JscaleError(
        f"grid: {space.points:,} points would take about {long} here, at {human(points)} points a "
        "second; make the axes shorter, or confirm with ",
        Argument("yes", True),
    )


def _notes(results: Mapping[str, Reduced], nan: int, points: int) -> Iterator[Note]:
    """What the user should know about the results."""
    if nan:
        message = (
            f"The objective is NaN at {plural(nan, 'point')} of {points:,}, which count as "
            "infeasible."
        )
        yield Note("objective-nan", "warning", message, {"points": nan})
    tied = [name for name, result in results.items() if result.attrs.get("tied")]
    if tied:
        message = (
            "Several points have the smallest value; the first in the order of the axes is given."
        )
        yield Note("tied-optimum", "info", message, {"results": tied})
