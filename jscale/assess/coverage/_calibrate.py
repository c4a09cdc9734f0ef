"""``calibrate``: how often each kind of interval covers the truth, measured on simulated tables."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.checks import check_key, check_level
from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.scope import in_float64
from jscale.assess.coverage._simulated import NOISES, noise_of, refitted, simulated
from jscale.assess.coverage._study import TOO_MANY_FAILED, Study
from jscale.fit.objective import Objective, Weights, few_clusters_note, labels_of
from jscale.fit.optimum import FitState, Point, fit_once
from jscale.fit.uncertainty import (
    BOOTSTRAPS,
    Quantity,
    choose_kinds,
    estimate,
    named,
    target_transform,
    unbounded_targets,
    unidentified_note,
)
from jscale.laws import LawFunction, describe
from jscale.runs import Runs

_SHARED = 0.5
"""Share of the variance that runs of a cluster have in common, unless another is asked for."""


@dataclass(frozen=True)
class Coverage:
    """What one kind of interval is worth for one target.

    Attributes:
        target: name of the number.
        kind: of the interval, one of :data:`jscale.fit.INTERVAL_KINDS`.
        truth: the number in the law that the tables were simulated from.
        coverage: share of the simulations whose interval holds it; NaN where none has an interval.
        stderr: binomial standard error of that share, at the share with one hit and one miss added.
        width: median width.
        simulations: number of simulations counted.
    """

    target: str
    kind: str
    truth: float
    coverage: float
    stderr: float
    width: float
    simulations: int


@dataclass(frozen=True)
class Calibration:
    """Coverage of every kind of interval, measured.

    Attributes:
        rows: target by target, in the order of the kinds.
        law: its name.
        level: coverage that the intervals are made for.
        noise: how the losses scattered.
        scale: robust standard deviation of that scatter, in log loss, for a run of the usual size
            of error.
        objective_name: what was minimised.
        weights: column that weighed the runs, "given" for an array, None for none.
        shared: share of its variance that runs of a cluster had in common; 0 without clusters.
        by: column of the clusters, or None.
        simulations: number of tables.
        draws: refits of each bootstrap.
        seconds: kind → wall time, compilation included.
        notes: doubts and remarks.
        table_digest: hash of the table.
    """

    rows: tuple[Coverage, ...]
    law: str
    level: float
    noise: str
    scale: float
    objective_name: str
    weights: str | None
    shared: float
    by: str | None
    simulations: int
    draws: int
    seconds: Mapping[str, float]
    notes: tuple[Note, ...]
    table_digest: str

    def of(self, target: str, kind: str) -> Coverage:
        """The coverage of this target and kind.

        Raises:
            JscaleError: there is none.
        """
        for row in self.rows:
            if (row.target, row.kind) == (target, kind):
                return row
        raise JscaleError(f"there is no coverage of {kind!r} intervals of {target!r}")

    def __repr__(self) -> str:
        targets, kinds = ({getattr(row, name) for row in self.rows} for name in ("target", "kind"))
        size = f"{len(targets)} targets x {len(kinds)} kinds at {self.level:.4g}"
        return (
            f"<Calibration {self.law}: {size}, {self.noise} noise; {self.simulations} simulations>"
        )


@in_float64
def calibrate(
    law: LawFunction,
    table: Runs,
    *,
    key: jax.Array,
    simulations: int = 200,
    targets: str | Sequence[str | Quantity] | Mapping[str, Quantity] | None = None,
    kinds: Sequence[str] | None = None,
    level: float = 0.9,
    noise: Literal["normal", "student-t", "residuals", "unequal", "cluster"] = "normal",
    shared: float | None = None,
    draws: int = 200,
    by: str | None = None,
    objective: str | Objective = "huber",
    weights: Weights = None,
    starts: int = 64,
    progress: bool = False,
) -> Calibration:
    """The share of simulated tables in which an interval holds the truth, for every kind and
    target.

    Losses are drawn at the table's own inputs from the law fitted to it, with errors of the runs'
    own robust size; the law is fitted to them, every kind of interval is built, and the truth,
    which is known here, lies in it or not. A bootstrap is itself run in every simulation.

    Args:
        law: a declared law.
        table: validated runs.
        key: a JAX random key; the same key gives the same bytes.
        simulations: number of tables.
        targets: parameters, or JAX functions of the parameters such as
            :func:`jscale.assess.quantity` gives; all parameters for None.
        kinds: as for :func:`jscale.fit.intervals`.
        level: coverage that the intervals are made for.
        noise: "normal"; "student-t" with 4 degrees of freedom; "residuals", drawn from those of the
            fit, with their tails and outliers; "unequal", normal and as large as the residuals of
            the 15 runs of the nearest predicted loss; "cluster", normal with a part that runs of
            one cluster share.
        shared: share of the variance that they share, for "cluster"; a half for None.
        draws: refits of each bootstrap.
        by: column whose equal values make a cluster; ``group``, or the sizes where they repeat, for
            None.
        objective: as for :func:`jscale.fit.point`.
        weights: as for :func:`jscale.fit.point`; errors are simulated in proportion to ``loss_se``,
            or as inverse to the roots of other weights.
        starts: number of starting points of the fit to the table.
        progress: show progress bars on stderr.

    Raises:
        JscaleError: as :func:`jscale.fit.intervals`, or a number or a noise that does not make
            sense.
    """
    _check(key, simulations, noise)
    share = _share(noise, shared)
    check_level(level)
    wanted = named(law, targets)
    best, state, data = fit_once(law, table, objective, starts, weights)
    _check_fit(state, table, noise)
    aims = {name: target_transform(law, name, target) for name, target in wanted.items()}
    truths = {name: estimate(aim, best.params) for name, aim in aims.items()}
    if lost := [name for name, truth in truths.items() if np.isnan(truth)]:
        raise JscaleError(
            f"{table.name}: {lost[0]} has no value at the fit: there is no truth to cover"
        )
    chosen, column, notes = choose_kinds(
        table, data, kinds, by, state.goal, clustered=noise == "cluster"
    )
    if any(kind in BOOTSTRAPS for kind in chosen):
        _check_count("draws", draws)
    labels = None if column is None else labels_of(table, data, column)
    scatter = noise_of(state, noise, labels, share)
    keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.arange(simulations))
    losses = simulated(state, scatter, keys)
    free, settled = refitted(state, losses)
    losses, free, keys = losses[settled], free[settled], keys[settled]
    notes = [
        *best.notes,
        *notes,
        *few_clusters_note(labels),
        *_failures(settled),
        *_uncertified(best),
        *unidentified_note(best),
    ]
    if not settled.any():
        raise JscaleError(
            f"{table.name}: none of {simulations} simulated tables could be fitted; the fit to the table itself ended "
            f"as {best.certificate.status}"
        )
    study = Study(state, wanted, aims, level, labels, draws, losses, free, keys, progress)
    ends, seconds, remarks = _ends(study, chosen, unbounded_targets(best, wanted))
    notes += remarks
    rows = [_row(name, kind, truths[name], ends[kind][name]) for name in wanted for kind in chosen]
    return Calibration(
        rows=tuple(rows),
        law=describe(law).name,
        level=level,
        noise=noise,
        scale=scatter.scale,
        objective_name=best.objective_name,
        weights=best.weights,
        shared=share,
        by=column,
        simulations=simulations,
        draws=draws,
        seconds=seconds,
        notes=tuple({(n.code, n.message): n for n in notes}.values()),
        table_digest=table.digest,
    )


def _ends(
    study: Study, kinds: Sequence[str], untold: Iterable[str]
) -> tuple[dict[str, dict[str, np.ndarray]], dict[str, float], list[Note]]:
    """By kind: the ends (simulations, 2) of every target, of ``untold`` ones their whole range; its
    time; and notes.
    """
    whole = {
        name: np.tile([study.aims[name].lower, study.aims[name].upper], (len(study.losses), 1))
        for name in untold
    }
    ends: dict[str, dict[str, np.ndarray]] = {}
    seconds: dict[str, float] = {}
    notes: list[Note] = []
    for kind in kinds:
        began = time.perf_counter()
        found, remarks = study.ends(kind)
        seconds[kind] = time.perf_counter() - began
        ends[kind] = {**found, **whole}
        notes += remarks
    return ends, seconds, notes


def _check_count(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 2:
        raise JscaleError(f"{name} must be a whole number of at least 2, not {value!r}")


def _check(key: Any, simulations: Any, noise: Any) -> None:
    _check_count("simulations", simulations)
    if noise not in NOISES:
        raise JscaleError(f"noise must be one of {', '.join(NOISES)}, not {noise!r}")
    check_key(key)


def _share(noise: str, shared: Any) -> float:
    """The share of its variance that runs of a cluster have in common; 0 without clusters."""
    if noise != "cluster":
        if shared is not None:
            raise JscaleError(
                f"shared={shared!r} belongs to noise='cluster', not to noise={noise!r}"
            )
        return 0.0
    if shared is None:
        return _SHARED
    if isinstance(shared, bool) or not isinstance(shared, int | float) or not 0 <= shared <= 1:
        raise JscaleError(f"shared must lie between 0 and 1, not {shared!r}")
    return float(shared)


def _check_fit(state: FitState, table: Runs, noise: str) -> None:
    """Refuse a fit that no errors can be simulated from."""
    if not state.goal.symmetric and noise != "residuals":
        raise JscaleError(
            f"noise {noise!r} is symmetric, which {state.goal} does not fit; expected noise 'residuals'"
        )
    n, k = state.local.jacobian.shape
    if n <= k:
        raise JscaleError(
            f"{table.name}: {n} runs, {k} parameters: no degree of freedom is left to tell the size of errors to "
            "simulate"
        )


def _failures(settled: np.ndarray) -> list[Note]:
    count = int((~settled).sum())
    if not count:
        return []
    share = count / len(settled)
    message = f"{count} of {len(settled)} fits of simulated tables did not settle and are left out"
    severity = "info" if share <= TOO_MANY_FAILED else "warning"
    return [Note("simulations-failed", severity, message, {"share": share})]


def _uncertified(best: Point) -> list[Note]:
    if best.certificate.converged:
        return []
    message = f"the fit that tables are simulated from is not certified: {best.certificate.status}"
    return [Note("calibrate-uncertified", "warning", message, {})]


def _row(name: str, kind: str, truth: float, ends: np.ndarray) -> Coverage:
    """Coverage from the ends (simulations, 2) of intervals; where there are none (NaN), a
    simulation does not count.
    """
    ends = ends[~np.isnan(ends).any(axis=1)]
    count = len(ends)
    if not count:
        return Coverage(name, kind, truth, np.nan, np.nan, np.nan, 0)
    hits = int(((ends[:, 0] <= truth) & (truth <= ends[:, 1])).sum())
    near = (hits + 1) / (count + 2)
    stderr = float(np.sqrt(near * (1 - near) / count))
    return Coverage(
        name, kind, truth, hits / count, stderr, float(np.median(ends[:, 1] - ends[:, 0])), count
    )
