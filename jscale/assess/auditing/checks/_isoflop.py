"""Grids of runs at equal compute: the flags and the bias of parabolas through them."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale.assess.auditing.checks._registry import check
from jscale.assess.auditing.checks._subject import MOST_ROWS, Subject
from jscale.fit import IsoFlop, Point, isoflop
from jscale.laws import describe

_LEAST_SIZES = 4
_SHARE = 0.5
"""Share of the budgets that have as many sizes, and of the runs that lie on these."""
_MATERIAL_BIAS = 0.05
"""Bias of ln N* from which on it is worth a word."""
_MATERIAL_EXPONENT = 0.01


@check(
    of_fits=False,
    few_points="train five sizes or more at each budget",
    unbracketed="train smaller and larger models at these budgets, until the loss rises on both "
    "sides",
    off_centre="add sizes on the short side of the minimum, or leave the outer ones out",
    weak_curvature="widen the range of sizes at these budgets, or train more of them",
    no_minimum="train sizes on both sides of the optimum at these budgets",
    flags_matter="quote the power law of the budgets without flags, and add sizes at the others",
    headline_flagged="quote no power law in C from this grid",
    one_budget_matters="train another budget near the one that moves the exponent",
)
def valleys(subject: Subject) -> Iterator[Note]:
    """IsoFLOP grids off-centre, unbracketed, weakly curved; see :func:`jscale.fit.isoflop`."""
    result = _analysis(subject)
    if result is None:
        return
    for note in result.notes:
        # Nobody asked for the parabolas' power law here: what spoils it is a warning.
        yield replace(note, severity="warning") if note.severity == "error" else note


@check(
    needs_fit=True,
    of_fits=False,
    isoflop_bias="fit the law itself (jscale fit), or take the power law with the bias removed: "
    "jscale isoflop RUNS --law NAME",
)
def valley_bias(subject: Subject) -> Iterator[Note]:
    """The bias of parabolas for this grid, by the fitted law."""
    point = subject.fitted
    if not isinstance(point, Point) or describe(point.law).name != "chinchilla":
        return
    result = _analysis(subject, point)
    if result is None or result.bias is None:
        return
    bias = result.bias.log_N[np.isfinite(result.bias.log_N)]
    if not bias.size or (
        np.abs(bias).max() < _MATERIAL_BIAS and abs(result.bias.exponent) < _MATERIAL_EXPONENT
    ):
        return
    worst = float(bias[np.argmax(np.abs(bias))])
    message = (
        f"parabolas through the budgets of this grid put N* off by up to {np.expm1(worst):+.1%}, "
        f"and its exponent by {result.bias.exponent:+.3f}, by the fitted law"
    )
    evidence = {"log_N": worst, "exponent": result.bias.exponent}
    yield Note("isoflop-bias", "warning", message, evidence)


def _analysis(subject: Subject, point: Point | None = None) -> IsoFlop | None:
    """The valleys of a table whose runs lie on budgets; None for any other."""
    columns = subject.positive("N", "D", "C", "loss")
    if columns is None or not 2 * _LEAST_SIZES <= len(subject) <= MOST_ROWS:
        return None
    try:
        result = isoflop(subject.table, law=None)
    except JscaleError:
        return None
    n = subject.table["N"]
    sizes = [len(np.unique(n[budget.rows])) for budget in result.budgets]
    used = [
        budget.n_runs
        for budget, count in zip(result.budgets, sizes, strict=True)
        if count >= max(_LEAST_SIZES, budget.n_runs / 2)
    ]
    budgets = len(result.budgets)
    if len(used) < max(2, _SHARE * budgets) or sum(used) < _SHARE * len(subject):
        return None
    if point is None:
        return result
    return isoflop(subject.table, law=point.law, params=point.params)
