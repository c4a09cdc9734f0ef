"""How far the parameters move when the runs are drawn again."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import jax
import numpy as np

from jscale._core.checks import check_level
from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.scope import in_float64
from jscale.fit.objective import (
    Objective,
    Weights,
    default_cluster_column,
    few_clusters_note,
    resolve,
    weigh,
)
from jscale.fit.optimum import Point, mask_unidentified, optimum
from jscale.fit.uncertainty import _resampling
from jscale.fit.uncertainty._ends import percentiles
from jscale.fit.uncertainty._identified import unidentified, unidentified_note
from jscale.fit.uncertainty._refits import Refits
from jscale.laws import LawFunction, describe
from jscale.runs import Data, Runs, select

_SHARE_FAILED = 0.01
SYMMETRIC = ("wild", "parametric")
"""Kinds whose errors are as likely above the law as below."""


@dataclass(frozen=True)
class Bootstrap:
    """A law refitted to resampled runs; everything is float64.

    A refit that did not settle has the best parameters that it reached in ``draws``, False in
    ``settled``, and no part in standard errors, covariance and intervals.

    Attributes:
        law: the law.
        kind: how the runs were drawn again: "rows", "cluster", "wild" or "parametric".
        point: the fit to the runs as they are.
        draws: parameter → (draws,).
        settled: (draws,) which refits ended at an optimum.
        seconds: wall time of the refits alone, compiled before but for second attempts.
        notes: doubts and remarks, those of the point among them.
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
        """Number of refits that did not settle."""
        return int((~self.settled).sum())

    @property
    def covariance(self) -> np.ndarray:
        """Covariance (k, k) of the settled refits, in the order of ``draws``."""
        if self.settled.sum() < 2:
            return np.full((len(self.draws),) * 2, np.inf)
        spread = np.atleast_2d(
            np.cov(np.stack([column[self.settled] for column in self.draws.values()]))
        )
        return mask_unidentified(spread, tuple(self.draws), unidentified(self.point))

    @property
    def stderr(self) -> dict[str, float]:
        """Parameter → standard deviation over the settled refits; infinite where the runs do not
        tell the parameter.
        """
        blind = unidentified(self.point) if self.settled.sum() > 1 else frozenset(self.draws)
        return {
            name: np.inf if name in blind else float(column[self.settled].std(ddof=1))
            for name, column in self.draws.items()
        }

    def interval(self, level: float = 0.9) -> dict[str, tuple[float, float]]:
        """Parameter → ends of the percentile interval over the settled refits.

        A parameter that the runs do not tell has its whole range: along a ridge refits stay where
        they began.

        Args:
            level: share of the refits inside, between 0 and 1.

        Raises:
            JscaleError: a level outside (0, 1).
        """
        check_level(level)
        ranges = {
            p.name: (float(p.support.lower), float(p.support.upper))
            for p in describe(self.law).parameters
        }
        return {
            name: ranges[name]
            if name in unidentified(self.point)
            else percentiles(column[self.settled], level)
            for name, column in self.draws.items()
        }

    def __repr__(self) -> str:
        shown = ", ".join(f"{k}={self.point.params[k]:.6g}±{v:.2g}" for k, v in self.stderr.items())
        return f"<Bootstrap {describe(self.law).name} by {self.kind}: {shown}; {len(self.settled)} draws>"


@in_float64
def bootstrap(
    law: LawFunction,
    table: Runs,
    *,
    draws: int,
    key: jax.Array,
    kind: Literal["rows", "cluster", "wild", "parametric"] = "rows",
    by: str | None = None,
    objective: str | Objective = "huber",
    weights: Weights = None,
    starts: int = 64,
    multipliers: Literal["rademacher", "mammen"] = "rademacher",
    progress: bool = False,
) -> Bootstrap:
    """The parameters of ``law`` refitted to ``draws`` resampled tables, each from the optimum of
    the
    whole table.

    "rows" draws runs with replacement; "cluster" draws whole clusters of them (seeds of one model,
    checkpoints of one run), without which errors that runs share are taken for independent ones;
    "wild" keeps the runs and gives their residuals (by cluster, with ``by``) random signs;
    "parametric" simulates losses from the fitted law with noise that
    suits the objective: normal for squares, Student-t with the objective's degrees of freedom for a
    Student likelihood and with 4 for Huber losses. The noise is of the residuals' size (for squares
    root mean square, else median), times ``sqrt(n / (n - k))`` for what k parameters have taken up.
    Both draw errors as likely above the law as below, and are refused for an objective that is not
    symmetric.

    A refit that does not settle is tried again from other starts before it counts as failed.

    Args:
        law: a declared law.
        table: validated runs; rows marked ``exclude`` are left out.
        draws: number of resampled tables.
        key: a JAX random key; the same key gives the same bytes.
        kind: how the runs are drawn again.
        by: column whose equal values make a cluster; "cluster" takes ``group``, or the sizes where
            they repeat, without it.
        objective: as for :func:`jscale.fit.point`.
        weights: as for :func:`jscale.fit.point`; the parametric bootstrap takes them for inverse
            variances, and draws errors in proportion to ``loss_se``.
        starts: number of starting points of the fit to the whole table.
        multipliers: of the wild bootstrap: "rademacher" (±1) or "mammen" (two points of skewness
            1).
        progress: show a progress bar on stderr.

    Raises:
        JscaleError: as :func:`jscale.fit.point`; or draws, kind, key or clusters that do not make
            sense.
    """
    _resampling.check(draws, key, kind, multipliers)
    goal = resolve(objective)
    if kind in SYMMETRIC and not goal.symmetric:
        raise JscaleError(
            f"the {kind} bootstrap draws symmetric noise, which {goal} does not fit; choose another kind"
        )
    best, free = optimum(law, table, goal, starts, weights)
    data = weigh(table, select(table, law), weights, goal.on)
    labels = _resampling.clusters(table, data, kind, by)
    job = Resampling(kind, labels, int(draws), key, multipliers, progress)
    made = resampled(best, free, goal, data, job)
    return replace(made, notes=(*made.notes, *shared(table, data, kind)))


class Resampling(NamedTuple):
    """What a bootstrap is asked to do, checked; fields as for :func:`bootstrap`, with the clusters'
    labels (rows,).
    """

    kind: str
    labels: np.ndarray | None
    draws: int
    key: jax.Array
    multipliers: str
    progress: bool


def resampled(
    best: Point, free: np.ndarray, goal: Objective, data: Data, job: Resampling
) -> Bootstrap:
    """The bootstrap of a fit that is there already; in a float64 scope."""
    draw = _resampling.drawing(
        job.kind,
        data.loss,
        best.predicted,
        goal=goal,
        parameters=len(best.params),
        labels=job.labels,
        multipliers=job.multipliers,
        sizes=data.sizes,
    )
    refits = Refits(best.law, goal, data, free, draw)
    refits.compile(job.key)
    began = time.perf_counter()
    params, settled = refits.run(job.draws, job.key, job.progress)
    seconds = time.perf_counter() - began
    residual = (
        np.log(data.loss / best.predicted) if goal.on == "log" else data.loss - best.predicted
    )
    scale = 1.4826 * float(
        np.median(np.abs(residual if data.errors is None else residual / data.errors))
    )
    notes = (*best.notes, *_notes(settled, best, goal, job, scale), *unidentified_note(best))
    return Bootstrap(best.law, job.kind, best, params, settled, seconds, notes)


def _notes(
    settled: np.ndarray, best: Point, goal: Objective, job: Resampling, scale: float
) -> tuple[Note, ...]:
    """What to remark; ``scale`` is that of the residuals as the objective sees them."""
    found = few_clusters_note(job.labels)
    found += _short(goal, scale, job.multipliers) if job.kind == "wild" else []
    failures = int((~settled).sum())
    if failures:
        share = failures / len(settled)
        message = f"{failures} of {len(settled)} bootstrap refits did not settle and are left out of errors and intervals"
        found.append(
            Note(
                "bootstrap-failures",
                "info" if share <= _SHARE_FAILED else "warning",
                message,
                {"share": share},
            )
        )
    if not best.certificate.converged:
        message = (
            f"the fit that the bootstrap starts from is not certified: {best.certificate.status}"
        )
        found.append(Note("bootstrap-uncertified", "warning", message, {}))
    return tuple(found)


def _short(goal: Objective, scale: float, multipliers: str) -> list[Note]:
    """A warning where random signs do not move a fit as far as new errors would (Feng, He & Hu
    2011).
    """
    turn = getattr(goal, "delta", np.inf) * (scale if goal.has_scale else 1.0)
    if turn >= scale:
        return []
    if multipliers == "mammen":
        how = "wild bootstraps of it with Mammen's multipliers are 30% to 40% too short; take another kind"
    else:
        how = (
            "wild bootstraps of it are too short (in simulations of 90% intervals on the Chinchilla runs they covered "
            "80% to 86%)"
        )
    message = f"{goal} is nearly the absolute value of residuals: {how}"
    return [Note("wild-short", "warning", message, {"delta": turn, "scale": scale})]


def shared(table: Runs, data: Data, kind: str) -> tuple[Note, ...]:
    """What drawing runs one by one cannot see, where runs have company."""
    column = default_cluster_column(table, data)
    if kind != "rows" or column is None:
        return ()
    together = len(data) / len(np.unique(table[column][data.rows]))
    message = (
        f"runs were drawn one by one: errors that runs of one {column} share ({together:.1f} of them on average) are "
        f"not in these standard errors; kind 'cluster' by {column} shows them"
    )
    return (Note("rows-resampled", "info", message, {"column": column, "runs": together}),)
