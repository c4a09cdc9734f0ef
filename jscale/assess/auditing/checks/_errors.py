"""The errors of the runs: outliers, tails, noise that changes with scale, the floor, trends."""

from collections.abc import Iterator

import numpy as np

from jscale._core.notes import Note
from jscale._core.text import general
from jscale.assess.auditing.checks._registry import check
from jscale.assess.auditing.checks._residuals import enough_for_tests
from jscale.assess.auditing.checks._subject import Subject, rows_evidence
from jscale.assess.auditing.misfit import lack_of_fit, largest_runs
from jscale.fit import Point
from jscale.laws import describe

_MATERIAL, _MATERIAL_OFF_SURFACE = 0.01, 0.05
"""Size of an outlier, as a share of the loss, that is worth a word; a smooth surface itself is off
by some percent where runs span decades."""
_TAIL, _TAIL_SHARE = 3.5, 4.65e-4
"""Standard deviations, and the share of normal errors beyond them."""
_SIGNIFICANT = 0.001
_RANK_Z = 3.3
"""Rank correlation times the root of the number of runs: 1 in 1,000 by chance."""
_FLOOR_NOISES = 2.0


@check(
    outliers="look at the run: diverged, resumed, in another unit or evaluated on other data; mark "
    "it in a column 'exclude' with a reason, and say by how much the fit changes"
)
def outliers(subject: Subject) -> Iterator[Note]:
    """Runs that do not follow the others, by name, with their leverage."""
    residuals = subject.residuals
    if residuals is None:
        return
    least = _MATERIAL if residuals.is_law else _MATERIAL_OFF_SURFACE
    material = [e for e in residuals.outliers() if abs(e.gap) > least or not residuals.on_log]
    if not material:
        return
    worst = material[0]
    rows = np.array([each.row for each in material])
    gap = f"{np.expm1(worst.gap):+.1%}" if residuals.on_log else general(worst.gap, 2)
    message = (
        f"{subject.names_of(rows)} off {residuals.model} fitted to the others; the farthest, "
        f"{subject.names_of(rows[:1])}, by {gap} of the loss (t = {worst.t:.1f}, leverage "
        f"{worst.leverage:.2f})"
    )
    evidence = rows_evidence(rows) | {
        "gap": [each.gap for each in material[:100]],
        "t": [each.t for each in material[:100]],
        "leverage": [each.leverage for each in material[:100]],
    }
    yield Note("outliers", "warning", message, evidence)


@check(
    needs_fit=True,
    heavy_tails="keep a robust objective (the default) and Student-t errors: --errors student",
)
def heavy_tails(subject: Subject) -> Iterator[Note]:
    """More large residuals than normal errors have."""
    residuals = subject.residuals
    if residuals is None or not enough_for_tests(residuals) or not residuals.scale > 0:
        return
    from scipy.special import bdtrc  # takes a third of a second to import

    count = int((np.abs(residuals.values) > _TAIL * residuals.scale).sum())
    n = len(residuals.values)
    probability = float(bdtrc(count - 1, n, _TAIL_SHARE)) if count > 2 else 1.0
    if probability > _SIGNIFICANT:
        return
    message = (
        f"{count} of {n:,} residuals of {residuals.model} lie beyond {_TAIL} standard deviations, "
        f"where normal errors have {n * _TAIL_SHARE:.1f}: bands of normal errors are too narrow"
    )
    yield Note("heavy-tails", "warning", message, {"count": count, "p_value": probability})


@check(
    needs_fit=True,
    noise_with_scale="give each run's loss_se, or errors whose size depends on compute: "
    "--errors 'student + scale(C)'",
)
def noise_with_scale(subject: Subject) -> Iterator[Note]:
    """Residuals whose size rises or falls with compute."""
    residuals = subject.residuals
    if residuals is None or not enough_for_tests(residuals):
        return
    for name in ("C", "N", "D"):
        values = subject.table.columns.get(name)
        if values is None or values.dtype.kind != "f":
            continue
        x, size = values[residuals.rows], np.abs(residuals.values)
        if not np.isfinite(x).all() or len(np.unique(x)) < 4:
            continue
        rho = float(np.corrcoef(_ranks(x), _ranks(size))[0, 1])
        z = rho * np.sqrt(len(x) - 1)
        half = x > np.median(x)
        ratio = float(np.median(size[half]) / max(float(np.median(size[~half])), 1e-300))
        if abs(z) < _RANK_Z or 0.6 < ratio < 1 / 0.6:
            continue
        word = "grow" if ratio > 1 else "shrink"
        message = (
            f"residuals of {residuals.model} {word} with {name} (rank correlation {rho:+.2f}): the "
            f"half with the largest {name} scatters {general(ratio, 2)} times as much"
        )
        evidence = {"column": name, "correlation": rho, "ratio": ratio}
        yield Note("noise-with-scale", "warning", message, evidence)
        return


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks of values, equal ones with their mean rank."""
    _, label, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2)[label]


@check(
    needs_fit=True,
    floor_in_noise="fix the floor at a value from larger models (--fix E=1.7), give it a prior, or "
    "train larger runs: by this law more compute gains nothing",
    floor_unidentified="quote no floor, and fix it or give it a prior before a forecast far out",
)
def floor(subject: Subject) -> Iterator[Note]:
    """A floor at the lowest loss, or one that the runs do not identify."""
    point = subject.fitted
    if not isinstance(point, Point):
        return
    names = [p.name for p in describe(point.law).parameters if p.role.name == "irreducible loss"]
    for name in names:
        value, error = point.params[name], point.stderr[name]
        lowest = float(point.predicted.min())
        noise = point.scale * (lowest if point.residuals_of == "log" else 1.0)
        evidence = {"floor": value, "stderr": error, "lowest": lowest, "noise": noise}
        if lowest - value < _FLOOR_NOISES * noise:
            message = (
                f"the floor {name} = {general(value, 4)} lies within the noise "
                f"({general(noise, 2)}) of the lowest loss, {general(lowest, 4)}"
            )
            yield Note("floor-in-noise", "error", message, evidence)
        elif not error < 0.5 * max(value, 1e-12):
            scatter = f" ± {general(error, 2)}" if np.isfinite(error) else ""
            message = (
                f"the floor {name} = {general(value, 3)}{scatter} is not identified by the runs: "
                "it may be 0"
            )
            yield Note("floor-unidentified", "error", message, evidence)


@check(
    needs_fit=True,
    lack_of_fit="compare other laws (jscale compare), and add the missing input; bands of the "
    "parameters do not cover misfit: --errors 'student + discrepancy'",
)
def trends(subject: Subject) -> Iterator[Note]:
    """Trends and curvature of the residuals against every input; see :func:`lack_of_fit`."""
    if subject.fitted is not None:
        yield from lack_of_fit(subject.fitted, subject.table, by=subject.by).notes


@check(
    needs_fit=True,
    largest_runs_off="trust forecasts less than their bands say; fit the largest runs alone, or a "
    "law with another large-scale limit (jscale compare)",
)
def largest(subject: Subject) -> Iterator[Note]:
    """The runs with the largest compute off the law of the others; see :func:`largest_runs`."""
    if subject.fitted is not None:
        yield from largest_runs(subject.fitted, subject.table, by=subject.by).notes
