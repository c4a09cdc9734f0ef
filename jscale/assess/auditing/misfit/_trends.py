"""``lack_of_fit``: trends of the residuals along the inputs of a law."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from jscale._core.notes import Note
from jscale._core.scope import in_float64
from jscale._core.text import listing
from jscale.assess.auditing.misfit._refit import SPARE_RUNS, RobustFit, Study, robust_fit, study_of
from jscale.assess.auditing.misfit._wild import DRAWS, Regression, wild_tests
from jscale.fit import Point, Posterior
from jscale.runs import Runs

SIGNIFICANT = 0.01
"""Corrected p value below which a trend is a finding."""
MATERIAL = 0.05
"""Share of the variance of the residuals that a finding explains, or could remove, at least. A
smaller trend can be certain and still change nothing."""
_DEGREE = 3
_TREND = 0.7
"""Share of the range of a trend between its two ends from which on it rises or falls."""
_SURFACE, _SURFACE_NAME = ("N", "D"), "N and D"

Shape = Literal["curved", "rising", "falling"]


@dataclass(frozen=True)
class Trend:
    """A smooth trend of the residuals.

    Attributes:
        inputs: what it runs along: one input, C or D/N, or N and D together.
        shape: "rising" where runs with small values lie below the law and those with large ones
            above, "falling" for the reverse, else "curved".
        ends: whether the runs at the two ends lie "above" or "below" the trend's middle.
        p_value: probability of as strong a trend by chance.
        p_adjusted: the same, corrected for the number of trends that were tested (Holm).
        share: share of the variance of the residuals that it explains, adjusted for its number of
            terms.
        removable: share of the variance that the law would lose if it were refitted with the trend
            as a further term, adjusted likewise.
        size: difference between the 95% and the 5% quantile of the trend over the runs, in log
            loss, or in units of the loss where some have no logarithm.
    """

    inputs: tuple[str, ...]
    shape: Shape
    ends: Literal["above", "below"]
    p_value: float
    p_adjusted: float
    share: float
    removable: float
    size: float

    @property
    def label(self) -> str:
        """``C``, or ``N and D``."""
        return listing(self.inputs)


@dataclass(frozen=True)
class LackOfFit:
    """Trends of the residuals of a law.

    Attributes:
        trends: one for each quantity that varies, the smallest p value first; empty where there are
            too few runs for a test, or no residuals.
        n_runs: number of runs.
        on_log: whether residuals are of the logarithm of the loss.
        clusters: what runs of a cluster share; None where runs are independent.
        n_clusters: number of clusters.
    """

    trends: tuple[Trend, ...]
    n_runs: int
    on_log: bool
    clusters: str | None
    n_clusters: int

    @property
    def significant(self) -> tuple[Trend, ...]:
        """The trends with a corrected p value below 1% that matter: of 5% of the variance."""
        return tuple(
            trend
            for trend in self.trends
            if trend.p_adjusted < SIGNIFICANT and max(trend.share, trend.removable) >= MATERIAL
        )

    @property
    def share(self) -> float:
        """Largest share of the variance of the residuals that a significant trend explains."""
        return max((trend.share for trend in self.significant), default=0.0)

    @property
    def notes(self) -> tuple[Note, ...]:
        """A ``lack-of-fit`` warning where a trend is significant; else empty."""
        if not self.significant:
            return ()

        lines = [trend for trend in self.significant if len(trend.inputs) == 1]
        first, *others = sorted(lines or self.significant, key=lambda trend: -trend.share)
        parts = [_described(first, self.on_log)]
        if others:
            parts.append(f"also along {listing(trend.label for trend in others)}")
        explained = _explained(self.significant)
        message = (
            f"the residuals have a trend: {'; '.join(parts)}; {explained}: they are misfit of the "
            "law as well as noise, and a forecast inherits the misfit"
        )
        evidence = {
            trend.label: {
                "shape": trend.shape,
                "p_value": trend.p_value,
                "p_adjusted": trend.p_adjusted,
                "share": trend.share,
                "removable": trend.removable,
                "size": trend.size,
            }
            for trend in self.trends
        }
        return (Note("lack-of-fit", "warning", message, evidence),)


def _explained(trends: Sequence[Trend]) -> str:
    """How much of the variance the strongest of some trends explains, or would explain."""
    strongest = max(trends, key=lambda trend: trend.share)
    if strongest.share >= MATERIAL:
        function = f"a smooth function of {strongest.label}"
        return f"{function} explains {strongest.share:.0%} of their variance"
    strongest = max(trends, key=lambda trend: trend.removable)
    function = f"a smooth function of {strongest.label}"
    return f"a refit with {function} would remove {strongest.removable:.0%} of their variance"


def _described(trend: Trend, on_log: bool) -> str:
    """``curved along C, by 2.3% of the loss, highest at the ends (p = 0.0005 …)``."""
    size = f"{np.expm1(trend.size):.1%} of the loss" if on_log else f"{trend.size:.2g}"
    where = ""
    if trend.shape == "curved":
        middle = "below" if trend.ends == "above" else "above"
        where = f", {trend.ends} the law at the ends and {middle} it in the middle"
    limit = 1 / (1 + DRAWS)
    sign = "≤" if trend.p_value <= limit else "="
    p_value = f"p {sign} {trend.p_adjusted:.1g}"
    return f"{trend.shape} along {trend.label}, by {size}{where} ({p_value})"


@in_float64
def lack_of_fit(fitted: Point | Posterior, table: Runs, *, by: str | None = None) -> LackOfFit:
    """Test whether the residuals of a law have trends: whether the law fits the runs.

    The law is refitted by a Huber loss, starting from the fitted parameters. The residuals are
    regressed on a cubic polynomial in the logarithm of every input that varies, of C and of D/N,
    and on a quadratic function of N and D, after projection on the complement of the law's
    Jacobian: a trend that the law's own parameters could follow is not misfit. The p values come
    from a wild bootstrap of the scores by cluster with 1,999 draws (fixed weights: a table has one
    answer), and hold for errors of unequal sizes, with heavy tails, and shared within clusters.

    Args:
        fitted: a fit, or posterior draws, of the runs.
        table: the runs.
        by: column whose equal values make a cluster. None: the first that the runs share of
            ``trunk``, ``run_id``, the trained model where runs are quantised after training,
            ``group``, and the sizes, if there are ten. Runs are independent where none of them
            forms six clusters.

    Returns:
        The trends, with a ``lack-of-fit`` note where one is significant at 1% after correction for
        their number.

    Raises:
        JscaleError: fitted to other runs, or ``by`` is not a column that forms clusters.

    Example:
        Runs that follow Chinchilla's law have no trend about it.

        >>> import jax
        >>> from jscale import assess, fit, laws, runs
        >>> N, D = [1e8, 3e8, 1e9, 3e9] * 4, [1e10] * 4 + [4e10] * 4 + [2e11] * 4 + [1e12] * 4
        >>> theta = laws.params(laws.chinchilla)
        >>> table = runs.simulate(
        ...     laws.chinchilla, theta, {"N": N, "D": D}, noise=0.005, key=jax.random.key(0)
        ... )
        >>> point = fit.point(laws.chinchilla, table, starts=8)
        >>> assess.lack_of_fit(point, table).notes
        ()
    """
    study = study_of(fitted, table, by)
    fit = None
    if len(study.data) >= study.free.size + SPARE_RUNS:
        fit = robust_fit(study)
    trends = () if fit is None else _trends(study, fit)
    return LackOfFit(
        trends=trends,
        n_runs=len(study.data),
        on_log=study.on_log,
        clusters=study.clusters.name,
        n_clusters=study.clusters.count,
    )


def _trends(study: Study, fit: RobustFit) -> tuple[Trend, ...]:
    """The trends along everything that varies, the smallest p value first."""
    polynomials = _polynomials(study)
    regression = Regression(fit.span(), fit.score, fit.curvature, fit.residuals)
    scaled = {name: z / study.sizes[:, None] for name, z in polynomials.items()}
    tests = wild_tests(regression, scaled, study.clusters)
    adjusted = holm({name: test.p_value for name, test in tests.items()})

    trends = [
        Trend(
            inputs=_SURFACE if name == _SURFACE_NAME else (name,),
            p_value=test.p_value,
            p_adjusted=adjusted[name],
            removable=test.share,
            **_visible(polynomials[name], study, fit, is_line=name != _SURFACE_NAME),
        )
        for name, test in tests.items()
    ]
    return tuple(sorted(trends, key=lambda trend: (trend.p_value, -trend.share)))


def _polynomials(study: Study) -> dict[str, np.ndarray]:
    """Name → regressors (rows, q) of every quantity that varies, and of N and D together."""
    coordinates = {
        name: coordinate
        for name, values in study.quantities.items()
        if (coordinate := _coordinate(values)) is not None
    }
    spare = len(study.data) - study.free.size - SPARE_RUNS + _DEGREE
    polynomials = {}
    for name, u in coordinates.items():
        degree = min(_DEGREE, len(np.unique(u)) - 1, spare)
        polynomials[name] = np.stack([u**power for power in range(1, degree + 1)], axis=1)
    if set(_SURFACE) <= set(coordinates) and spare >= 5:
        u, v = (coordinates[name] for name in _SURFACE)
        polynomials[_SURFACE_NAME] = np.stack([u, v, u**2, u * v, v**2], axis=1)
    return polynomials


def _coordinate(values: np.ndarray) -> np.ndarray | None:
    """A quantity (rows,) as a standardised coordinate, its logarithm if it has one.

    None where it does not vary. Infinite bits, which are off, count as twice the most bits.
    """
    finite = np.isfinite(values)
    if not finite.any():
        return None
    values = np.where(finite, values, 2 * np.abs(values[finite]).max())
    values = np.log(values) if (values > 0).all() else values
    spread = values.std()
    if not spread > 1e-9 * max(1.0, float(np.abs(values).max())):
        return None
    return np.round((values - values.mean()) / spread, 9)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """The p values corrected for their number (Holm 1979)."""
    ordered = sorted(p_values, key=lambda name: p_values[name])
    adjusted, largest = {}, 0.0
    for i, name in enumerate(ordered):
        largest = max(largest, min(1.0, (len(ordered) - i) * p_values[name]))
        adjusted[name] = largest
    return adjusted


def _visible(
    polynomial: np.ndarray, study: Study, fit: RobustFit, *, is_line: bool
) -> dict[str, Any]:
    """The trend as it can be seen in the residuals: shape, ends, share and size.

    Args:
        polynomial: (rows, q) regressors; the first is the quantity itself.
        study: the runs.
        fit: of the law to them.
        is_line: whether the trend runs along one quantity.
    """
    columns = np.column_stack([np.ones(len(polynomial)), polynomial])
    residuals = fit.residuals * study.sizes
    weights = np.minimum(1.0, fit.cutoff / np.maximum(np.abs(fit.residuals), 1e-300))
    trend = _weighted_fit(columns, residuals, np.sqrt(weights) / study.sizes)

    shape, ends = "curved", "above"
    if is_line:
        u = polynomial[:, 0]
        low, high = float(trend[np.argmin(u)]), float(trend[np.argmax(u)])
        if abs(high - low) >= _TREND * np.ptp(trend):
            shape = "rising" if high > low else "falling"
        middle = float(np.median(trend[np.abs(u) <= np.median(np.abs(u))]))
        ends = "above" if 0.5 * (low + high) > middle else "below"
    bottom, top = np.quantile(trend, [0.05, 0.95])
    share = _share(columns, residuals, 1 / study.sizes)
    return {"shape": shape, "ends": ends, "share": share, "size": float(top - bottom)}


def _weighted_fit(columns: np.ndarray, y: np.ndarray, root: np.ndarray) -> np.ndarray:
    """The least-squares fit (rows,) of ``y`` with weights ``root`` squared."""
    weighted = root[:, None] * columns
    axes, sizes, _ = np.linalg.svd(weighted, full_matrices=False)
    axes = axes[:, sizes > 1e-9 * sizes.max()]
    return (axes @ (axes.T @ (root * y))) / root


def _share(columns: np.ndarray, y: np.ndarray, root: np.ndarray) -> float:
    """Adjusted coefficient of determination of a regression with an intercept."""
    n, k = columns.shape
    left = np.square(root * (y - _weighted_fit(columns, y, root))).sum() / max(n - k, 1)
    total = np.square(root * (y - _weighted_fit(columns[:, :1], y, root))).sum() / max(n - 1, 1)
    return float(np.clip(1 - left / total, 0.0, 1.0))
