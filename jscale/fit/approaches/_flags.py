"""What may be wrong with the valley of one budget."""

import numpy as np

from jscale._core.status import Status
from jscale.fit.approaches._budgets import Group
from jscale.fit.approaches._valleys import SIZES, Bottom
from jscale.fit.uncertainty import student_quantile

FEW_POINTS = "few_points"
UNBRACKETED = "unbracketed"
OFF_CENTRE = "off_centre"
WEAK_CURVATURE = "weak_curvature"

_ASIDE = 0.5
"""Distance of the minimum from the middle of the sampled ln N, in half widths, above which it is
off
centre: one side of the valley then has less than a third of the length of the other."""
_CURVED = 0.95
"""Level of the two-sided interval of the curvature, by Student's t, which must lie above zero."""
_FLAT = 1e-12
"""Rise of a valley over its half width, as a share of the loss, that rounding alone makes."""

SENTENCES = {
    FEW_POINTS: "no more sizes than the curve has coefficients, so that nothing is left to judge it by",
    UNBRACKETED: "the minimum does not lie between sampled sizes, or the lowest loss is at the first or last of them",
    OFF_CENTRE: "the minimum lies far from the middle of the sampled sizes, where the curve leans on one side",
    WEAK_CURVATURE: "the loss does not curve upwards beyond its noise, so that the minimum may be anywhere",
}


def diagnose(kind: str, group: Group, bottom: Bottom | None) -> tuple[Status, tuple[str, ...]]:
    """How the search for a minimum ended, and the flags of the valley.

    ``converged`` is a minimum between the smallest and the largest sampled size.
    """
    flags = []
    few = len(np.unique(group.N)) <= SIZES[kind]
    if few:
        flags.append(FEW_POINTS)
    if bottom is None:
        return Status.collinear_design, tuple(flags)
    inside = np.log(group.N.min()) < bottom.log_N < np.log(group.N.max())
    if not inside or int(np.argmin(group.loss)) in (0, len(group.loss) - 1):
        flags.append(UNBRACKETED)
    elif abs(bottom.log_N - group.centre) > _ASIDE * group.half_width:
        flags.append(OFF_CENTRE)
    # Akima's curve has no curvature to speak of; a valley of few points has no noise to compare
    # with.
    flat = _FLAT * float(group.loss.min()) / max(group.half_width, _FLAT) ** 2
    freedom = len(group.N) - SIZES[kind]
    needed = (
        flat if few else max(flat, student_quantile(_CURVED, freedom) * bottom.curvature_stderr)
    )
    if kind != "akima" and not bottom.curvature > needed:
        flags.append(WEAK_CURVATURE)
    return (Status.converged if inside else Status.no_interior_optimum), tuple(flags)
