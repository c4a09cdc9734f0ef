"""Flags on the valley of one budget."""

import numpy as np

from jscale._core.status import Status
from jscale.fit.approaches._budgets import BudgetRuns
from jscale.fit.approaches._valleys import SIZES, ValleyMinimum
from jscale.fit.uncertainty import student_quantile

FEW_POINTS = "few_points"
UNBRACKETED = "unbracketed"
OFF_CENTRE = "off_centre"
WEAK_CURVATURE = "weak_curvature"

_MAX_OFFSET = 0.5
"""Distance of the minimum from the centre of the sampled ln N, in half widths, above which it is
off centre: one side of the valley then has less than a third of the length of the other."""
_LEVEL = 0.95
"""Level of the two-sided Student-t interval of the curvature, which must lie above zero."""
_ROUNDING = 1e-12
"""Rise of a valley over its half width, as a share of the loss, due to rounding alone."""

SENTENCES = {
    FEW_POINTS: "no more sizes than the curve has coefficients, so that no residual is left to "
    "judge it by",
    UNBRACKETED: "the minimum does not lie between sampled sizes, or the lowest loss is at the "
    "first or last of them",
    OFF_CENTRE: "the minimum lies far from the middle of the sampled sizes, where the curve is "
    "determined by one side",
    WEAK_CURVATURE: "the loss does not curve upwards beyond its noise, so that the minimum may be "
    "anywhere",
}


def diagnose(
    kind: str, group: BudgetRuns, minimum: ValleyMinimum | None
) -> tuple[Status, tuple[str, ...]]:
    """How the search for a minimum ended, and the flags of the valley.

    ``converged`` is a minimum between the smallest and the largest sampled size.
    """
    undetermined = group.sizes <= SIZES[kind]
    flags = [FEW_POINTS] if undetermined else []
    if minimum is None:
        return Status.collinear_design, tuple(flags)

    interior = np.log(group.N.min()) < minimum.log_N < np.log(group.N.max())
    lowest_at_edge = int(np.argmin(group.loss)) in (0, len(group.loss) - 1)
    if not interior or lowest_at_edge:
        flags.append(UNBRACKETED)
    elif abs(minimum.log_N - group.centre) > _MAX_OFFSET * group.half_width:
        flags.append(OFF_CENTRE)

    # Akima's curve has no defined curvature.
    if kind != "akima" and not minimum.curvature > _least_curvature(kind, group, minimum):
        flags.append(WEAK_CURVATURE)
    return (Status.converged if interior else Status.no_interior_optimum), tuple(flags)


def _least_curvature(kind: str, group: BudgetRuns, minimum: ValleyMinimum) -> float:
    """The curvature above which a valley is more than its noise."""
    rounding = _ROUNDING * float(group.loss.min()) / max(group.half_width, _ROUNDING) ** 2
    # A valley of few points has no residuals to estimate noise from.
    if group.sizes <= SIZES[kind]:
        return rounding
    quantile = student_quantile(_LEVEL, len(group.N) - SIZES[kind])
    return max(rounding, quantile * minimum.curvature_stderr)
