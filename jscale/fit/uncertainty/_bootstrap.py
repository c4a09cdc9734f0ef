"""How far the parameters move when the runs are resampled."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, overload

import jax
import numpy as np

from jscale._core.checks import check_level
from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.scope import in_float64
from jscale.fit.objective import (
    Objective,
    Weights,
    cluster_labels,
    default_cluster_column,
    few_clusters_note,
    resolve,
)
from jscale.fit.optimum import (
    DEFAULT_OBJECTIVE,
    FitContext,
    Point,
    mask_unidentified,
    resolve_point,
)
from jscale.fit.predictions import Prediction, input_ranges, predict_by_draws
from jscale.fit.uncertainty._ends import percentiles
from jscale.fit.uncertainty._identified import unidentified, unidentified_note
from jscale.fit.uncertainty._refits import BootstrapRefits
from jscale.fit.uncertainty._resampling import (
    SYMMETRIC,
    ResamplingKind,
    check_resampling,
    padded_resampler,
    resampling_labels,
)
from jscale.laws import LawFunction, describe
from jscale.runs import Data, Runs, TableLike

_TOLERATED_FAILURES = 0.01
"""Share of failed refits above which their note is a warning."""
_TO_STANDARD_DEVIATION = 1.4826
"""Median absolute value of normal residuals → their standard deviation."""

Multipliers = Literal["rademacher", "mammen"]


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """A law refitted to resampled runs; everything is float64.

    A refit that did not converge has the best parameters that it reached in ``draws``, False in
    ``settled``, and is left out of standard errors, covariance and intervals.

    Attributes:
        law: the law.
        kind: how the runs were resampled: "rows", "cluster", "wild" or "parametric".
        point: the fit to the observed runs.
        draws: parameter → (draws,).
        settled: (draws,) which refits converged.
        seconds: wall time of the refits alone, without compilation (except that of retries).
        notes: warnings and remarks, those of the point included.
    """

    law: LawFunction
    kind: str
    point: Point
    draws: Mapping[str, np.ndarray]
    settled: np.ndarray
    seconds: float
    notes: tuple[Note, ...]

    @property
    def failures(self) -> int:
        """Number of refits that did not converge."""
        return int((~self.settled).sum())

    @property
    def covariance(self) -> np.ndarray:
        """Covariance (k, k) over the converged refits, in the order of ``draws``."""
        if self.settled.sum() < 2:
            return np.full((len(self.draws),) * 2, np.inf)

        converged = np.stack([column[self.settled] for column in self.draws.values()])
        spread = np.atleast_2d(np.cov(converged))
        return mask_unidentified(spread, tuple(self.draws), unidentified(self.point))

    @property
    def stderr(self) -> dict[str, float]:
        """Parameter → standard deviation over the converged refits.

        It is infinite where the data do not identify the parameter.
        """
        infinite = unidentified(self.point) if self.settled.sum() > 1 else frozenset(self.draws)
        return {
            name: np.inf if name in infinite else float(column[self.settled].std(ddof=1))
            for name, column in self.draws.items()
        }

    def interval(self, level: float = 0.9) -> dict[str, tuple[float, float]]:
        """Parameter → ends of the percentile interval over the converged refits.

        An unidentified parameter has its whole range: refits stay near the point of the ridge from
        which they start.

        Args:
            level: share of the refits inside, between 0 and 1.

        Raises:
            JscaleError: a level outside (0, 1).
        """
        check_level(level)
        infinite = unidentified(self.point)
        ends = {}
        for parameter in describe(self.law).parameters:
            name, support = parameter.name, parameter.support
            full_range = (float(support.lower), float(support.upper))
            draws = self.draws[name][self.settled]
            ends[name] = full_range if name in infinite else percentiles(draws, level)
        return {name: ends[name] for name in self.draws}

    @in_float64
    def predict(self, inputs: Any, *, key: jax.Array) -> Prediction:
        """The forecast of new runs, one draw for each converged refit.

        The noise is drawn from the residuals of the point, times ``sqrt(n / (n - k))`` for the k
        fitted parameters.

        Args:
            inputs: input name → number or (points,) numbers; inputs with a default may be left out.
            key: a JAX random key.

        Raises:
            JscaleError: an input is unknown, missing or outside the domain of the law, no refit
                converged, or the fit has as many parameters as runs.
        """
        best, name = self.point, describe(self.law).name
        freedom = best.n_runs - len(best.params)
        if freedom <= 0 or not self.settled.any():
            reason = "no refit converged" if freedom > 0 else "no degree of freedom is left"
            raise JscaleError(
                f"law {name!r}: {reason}, so its forecast has no band; "
                "expected a posterior (fit.posterior)"
            )
        context = best._context
        return predict_by_draws(
            self.law,
            {each: column[self.settled] for each, column in self.draws.items()},
            best.residuals * np.sqrt(best.n_runs / freedom),
            inputs,
            key=key,
            ranges={} if context is None else input_ranges(self.law, context.data.inputs),
            notes=self.notes,
            additive=best.residuals_of == "value",
        )

    def __repr__(self) -> str:
        params, name = self.point.params, describe(self.law).name
        values = ", ".join(f"{k}={params[k]:.6g}±{error:.2g}" for k, error in self.stderr.items())
        return f"<Bootstrap {name} by {self.kind}: {values}; {len(self.settled)} draws>"


@overload
def bootstrap(
    law: Point,
    table: None = None,
    *,
    draws: int,
    key: jax.Array,
    kind: ResamplingKind = "rows",
    by: str | None = None,
    multipliers: Multipliers = "rademacher",
    progress: bool = False,
) -> Bootstrap: ...


@overload
def bootstrap(
    law: LawFunction | str,
    table: TableLike,
    *,
    draws: int,
    key: jax.Array,
    kind: ResamplingKind = "rows",
    by: str | None = None,
    objective: str | Objective | None = None,
    weights: Weights = None,
    starts: int | None = None,
    multipliers: Multipliers = "rademacher",
    progress: bool = False,
) -> Bootstrap: ...


@in_float64
def bootstrap(
    law: LawFunction | str | Point,
    table: TableLike | None = None,
    *,
    draws: int,
    key: jax.Array,
    kind: ResamplingKind = "rows",
    by: str | None = None,
    objective: str | Objective | None = None,
    weights: Weights = None,
    starts: int | None = None,
    multipliers: Multipliers = "rademacher",
    progress: bool = False,
) -> Bootstrap:
    """The parameters of a law refitted to ``draws`` resampled tables.

    ``bootstrap(point, ...)`` uses a fit that exists; ``bootstrap(law, table, ...)`` makes one
    first. Every refit starts from its optimum. A refit that does not converge is tried again from
    other starts before it counts as failed.

    "rows" draws runs with replacement. "cluster" draws whole clusters of them (seeds of one model,
    checkpoints of one run); the other kinds treat the errors of the runs of a cluster as
    independent, except "wild" with ``by``. "wild"
    keeps the runs and gives their residuals (by cluster, with ``by``) random signs. "parametric"
    simulates losses from the fitted law with noise that suits the objective: normal for squares,
    Student-t with the objective's degrees of freedom for a Student likelihood and with 4 for Huber
    losses. The noise has the residuals' size (for squares root mean square, else median), times
    ``sqrt(n / (n - k))`` for the k fitted parameters. "wild" and "parametric" draw errors
    that are as likely above the law as below, and raise for an objective that is not symmetric.

    Args:
        law: a fitted :class:`jscale.fit.Point`, or a declared law.
        table: validated runs, with a law only; rows marked ``exclude`` are left out.
        draws: number of resampled tables.
        key: a JAX random key; the same key gives the same bytes.
        kind: how the runs are resampled.
        by: column whose equal values make a cluster; "cluster" takes the first that runs share of
            ``trunk``, ``run_id``, the trained model, ``group`` and ``N`` without it.
        objective: as for :func:`jscale.fit.point`; None for "huber", or what the point minimised.
        weights: as for :func:`jscale.fit.point`; None for none, or those of the point. The
            parametric bootstrap takes them for inverse variances, and draws errors in proportion to
            ``loss_se``.
        starts: number of starting points of the fit to the observed runs; None for 64.
        multipliers: of the wild bootstrap: "rademacher" (±1) or "mammen" (two points of skewness
            1).
        progress: show a progress bar on stderr.

    Returns:
        The parameters of every refit, with standard errors and percentile intervals.

    Raises:
        JscaleError: as :func:`jscale.fit.point`; draws, kind, key or clusters that are not
            possible; or arguments that contradict the point.

    Example:
        >>> import jax
        >>> from jscale import fit, laws, runs
        >>> N, D = [1e8, 3e8, 1e9, 3e9] * 4, [1e10] * 4 + [4e10] * 4 + [2e11] * 4 + [1e12] * 4
        >>> theta = laws.params(laws.chinchilla)
        >>> table = runs.simulate(
        ...     laws.chinchilla, theta, {"N": N, "D": D}, noise=0.005, key=jax.random.key(0)
        ... )
        >>> point = fit.point(laws.chinchilla, table, starts=8)
        >>> result = fit.bootstrap(point, draws=20, key=jax.random.key(1))
        >>> print(result.draws["alpha"].shape, result.failures)
        (20,) 0
        >>> low, high = result.interval(0.9)["alpha"]
        >>> print(f"{low:.2f} to {high:.2f}")
        0.18 to 0.38
    """
    check_resampling(draws, key, kind, multipliers)
    if not isinstance(law, Point):
        _check_symmetry(kind, resolve(DEFAULT_OBJECTIVE if objective is None else objective))

    best, context = resolve_point(
        law, table, objective=objective, weights=weights, starts=starts, caller="bootstrap"
    )
    _check_symmetry(kind, context.state.objective)

    labels = resampling_labels(context.table, context.data, kind, by)
    request = Resampling(kind, labels, int(draws), key, multipliers, progress)
    result = bootstrap_point(best, context, request)
    notes = rows_resampled_note(context.table, context.data, kind)
    return replace(result, notes=(*result.notes, *notes))


def _check_symmetry(kind: str, objective: Objective) -> None:
    if kind in SYMMETRIC and not objective.symmetric:
        raise JscaleError(
            f"the {kind} bootstrap draws symmetric noise, which {objective} does not fit; "
            "choose another kind"
        )


class Resampling(NamedTuple):
    """Validated arguments of :func:`bootstrap`, with the clusters as labels (rows,) or None."""

    kind: str
    labels: np.ndarray | None
    draws: int
    key: jax.Array
    multipliers: str
    progress: bool


def bootstrap_point(best: Point, context: FitContext, request: Resampling) -> Bootstrap:
    """The bootstrap of a fit; in a float64 scope."""
    state, data = context.state, context.data
    draw = padded_resampler(
        request.kind,
        data.loss,
        best.predicted,
        objective=state.objective,
        parameters=len(best.params),
        labels=request.labels,
        multipliers=request.multipliers,
        sizes=data.sizes,
    )
    refits = BootstrapRefits(state, draw)
    refits.compile(request.key)
    start = time.perf_counter()
    params, converged = refits.run(request.draws, request.key, request.progress)
    seconds = time.perf_counter() - start

    notes = (
        *best.notes,
        *few_clusters_note(request.labels),
        *wild_bias_note(best, context, request),
        *_failures_note(converged),
        *_uncertified_note(best),
        *unidentified_note(best),
    )
    return Bootstrap(best.law, request.kind, best, params, converged, seconds, notes)


def wild_bias_note(best: Point, context: FitContext, request: Resampling) -> list[Note]:
    """A warning where random signs move a fit less than new errors would (Feng, He & Hu 2011).

    That is so for an objective that is nearly the absolute value of most residuals.
    """
    objective, data = context.state.objective, context.data
    if request.kind != "wild":
        return []

    # Scale of the residuals as the objective compares them.
    if objective.on == "log":
        residual = np.log(data.loss / best.predicted)
    else:
        residual = data.loss - best.predicted
    relative = residual if data.errors is None else residual / data.errors
    scale = _TO_STANDARD_DEVIATION * float(np.median(np.abs(relative)))
    delta = getattr(objective, "delta", np.inf) * (scale if objective.has_scale else 1.0)
    if delta >= scale:
        return []

    if request.multipliers == "mammen":
        bias = (
            "wild bootstraps of it with Mammen's multipliers are 30% to 40% too short; "
            "take another kind"
        )
    else:
        bias = (
            "wild bootstraps of it are too short (in simulations of 90% intervals on the "
            "Chinchilla runs they covered 80% to 86%)"
        )
    message = f"{objective} is nearly the absolute value of residuals: {bias}"
    return [Note("wild-short", "warning", message, {"delta": delta, "scale": scale})]


def _failures_note(converged: np.ndarray) -> list[Note]:
    failures = int((~converged).sum())
    if not failures:
        return []

    share = failures / len(converged)
    message = (
        f"{failures} of {len(converged)} bootstrap refits did not converge and are left out of "
        "errors and intervals"
    )
    severity = "info" if share <= _TOLERATED_FAILURES else "warning"
    return [Note("bootstrap-failures", severity, message, {"share": share})]


def _uncertified_note(best: Point) -> list[Note]:
    if best.certificate.converged:
        return []

    message = f"the fit that the bootstrap starts from is not certified: {best.certificate.status}"
    return [Note("bootstrap-uncertified", "warning", message, {})]


def rows_resampled_note(table: Runs, data: Data, kind: str) -> tuple[Note, ...]:
    """A remark that drawing runs one by one ignores errors that runs of a cluster share."""
    column = default_cluster_column(table, data)
    if kind != "rows" or column is None:
        return ()

    per_cluster = len(data) / len(np.unique(cluster_labels(table, data, column)))
    message = (
        f"runs were drawn one by one: errors that runs of one {column} share ({per_cluster:.1f} of "
        f"them on average) are not in these standard errors; kind 'cluster' by {column} shows them"
    )
    evidence = {"column": column, "runs": per_cluster}
    return (Note("rows-resampled", "info", message, evidence),)
