"""``calibrate``: coverage of every kind of interval, measured on simulated tables."""

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import jax
import numpy as np

from jscale._core.checks import check_key, check_level, check_whole_number
from jscale._core.errors import Argument, JscaleError
from jscale._core.jobs import Checkpoint, Progress
from jscale._core.notes import Note
from jscale._core.scope import in_float64
from jscale._core.text import shown
from jscale.assess.coverage._coverage import Calibration, coverage_of
from jscale.assess.coverage._intervals import TOO_MANY_FAILED, SimulatedIntervals
from jscale.assess.coverage._simulated import NOISES, noise_of, simulate_tables
from jscale.fit.objective import Objective, Weights, cluster_labels, few_clusters_note
from jscale.fit.optimum import FitState, Point, resolve_point
from jscale.fit.uncertainty import (
    TargetFunction,
    TargetTransform,
    choose_kinds,
    target_transform,
    target_value,
    targets_by_name,
    unbounded_targets,
    unidentified_note,
)
from jscale.laws import LawFunction, as_law, describe
from jscale.runs import Runs

_DEFAULT_SHARED = 0.5
"""Share of the variance common to runs of one cluster, unless another is given."""


@in_float64
def calibrate(
    law: LawFunction | str,
    table: Runs,
    *,
    key: jax.Array,
    simulations: int = 200,
    targets: str | Sequence[str | TargetFunction] | Mapping[str, TargetFunction] | None = None,
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
    resume: str | os.PathLike[str] | None = None,
) -> Calibration:
    """The share of simulated tables whose interval contains the true value.

    Losses are simulated at the table's own inputs from the law fitted to it, with errors of the
    runs' own robust size. The law is fitted to each simulated table, every kind of interval is
    computed, and either contains the true value, which is known here, or not. A bootstrap is run in
    every simulation.

    Args:
        law: a declared law, or the name of one of the catalogue.
        table: validated runs.
        key: a JAX random key; the same key gives the same bytes.
        simulations: number of tables.
        targets: parameters, or JAX functions of the parameters such as
            :func:`jscale.assess.quantity` gives; all parameters for None.
        kinds: as for :func:`jscale.fit.intervals`.
        level: nominal coverage of the intervals.
        noise: "normal"; "student-t" with 4 degrees of freedom; "residuals", drawn from those of the
            fit, with their tails and outliers; "unequal", normal, of the size of the residuals of
            the 15 runs with the nearest predicted loss; "cluster", normal with a component common
            to the runs of a cluster.
        shared: share of the variance of that component, for "cluster"; a half for None.
        draws: refits of each bootstrap.
        by: column whose equal values make a cluster; for None the first that runs share of
            ``trunk``, ``run_id``, the trained model, ``group`` and ``N``.
        objective: as for :func:`jscale.fit.point`.
        weights: as for :func:`jscale.fit.point`; simulated errors are proportional to ``loss_se``,
            or to the inverse square roots of other weights.
        starts: number of starting points of the fit to the table.
        progress: show a progress bar on stderr.
        resume: file with the progress of the job, created if it does not exist. The same call goes
            on where one that was killed has left it. It remains when the job is done.

    Raises:
        JscaleError: as :func:`jscale.fit.intervals`, an invalid number or noise, or a file of
            another job.

    Example:
        Which intervals of an exponent reach their nominal 90% on a table of 16 runs?

        >>> import jax
        >>> import numpy as np
        >>> from jscale import assess, laws, runs
        >>> N = np.geomspace(1e8, 1e10, 16)
        >>> theta = laws.params(laws.kaplan_size)
        >>> design = {"N": N, "D": 20 * N}
        >>> key = jax.random.key(0)
        >>> table = runs.simulate(laws.kaplan_size, theta, design, noise=0.01, key=key)
        >>> result = assess.calibrate(laws.kaplan_size, table, key=key, kinds=["fisher"], starts=8)
        >>> row = result.of("alpha_N", "fisher")
        >>> print(f"{row.coverage:.0%} of {row.simulations} intervals contain the true exponent")
        94% of 200 intervals contain the true exponent
    """
    law = as_law(law)
    _check(key, simulations, noise)
    shared = _shared_variance(noise, shared)
    check_level(level)
    check_whole_number("draws", draws, at_least=2)
    functions = targets_by_name(law, targets)
    best, context = resolve_point(
        law, table, objective=objective, weights=weights, starts=starts, caller="calibrate"
    )
    state = context.state
    _check_fit(state, table, noise)

    transforms = {name: target_transform(law, name, f) for name, f in functions.items()}
    truths = _true_values(table, best, transforms)
    kinds, column, notes = choose_kinds(
        table, context.data, kinds, by, state.objective, clustered=noise == "cluster"
    )
    labels = None if column is None else cluster_labels(table, context.data, column)

    distribution = noise_of(state, noise, labels, shared)
    job = {
        **_identity(best, table, key),
        "truths": truths,
        "kinds": kinds,
        "level": level,
        "noise": noise,
        "shared": shared,
        "by": column,
        "draws": draws,
        "simulations": simulations,
    }
    with Checkpoint(resume, job) as checkpoint:
        tables, converged = simulate_tables(state, distribution, key, simulations, checkpoint)
        if not converged.any():
            raise JscaleError(
                f"{table.name}: none of {simulations} simulated tables could be fitted; "
                f"the fit to the table itself ended as {best.certificate.status}"
            )
        work = SimulatedIntervals.work(kinds, len(tables.losses), draws)
        with Progress(work, "intervals of simulated tables", progress) as bar:
            intervals = SimulatedIntervals(
                state, functions, transforms, level, labels, draws, tables, bar, checkpoint
            )
            unbounded = unbounded_targets(best, functions)
            ends, seconds, interval_notes = _ends(intervals, kinds, unbounded)
    notes = [
        *best.notes,
        *notes,
        *few_clusters_note(labels),
        *_failures(converged),
        *_uncertified(best),
        *unidentified_note(best),
        *interval_notes,
    ]
    return Calibration(
        rows=tuple(
            coverage_of(name, kind, truths[name], ends[kind][name])
            for name in functions
            for kind in kinds
        ),
        law=describe(law).name,
        level=level,
        noise=noise,
        scale=distribution.scale,
        objective_name=best.objective_name,
        weights=best.weights,
        shared=shared,
        by=column,
        simulations=simulations,
        draws=draws,
        seconds=seconds,
        notes=tuple({(n.code, n.message): n for n in notes}.values()),
        table_digest=table.digest,
    )


def _check(key: Any, simulations: Any, noise: Any) -> None:
    check_whole_number("simulations", simulations, at_least=2)
    if noise not in NOISES:
        raise JscaleError(
            f"must be one of {', '.join(NOISES)}, not {shown(noise)}", argument="noise"
        )
    check_key(key)


def _identity(best: Point, table: Runs, key: jax.Array) -> dict[str, Any]:
    """What identifies the fit that tables are simulated from, and the random numbers."""
    return {
        "command": "calibrate",
        "law": describe(best.law).name,
        "table": table.digest,
        "objective": best.objective_name,
        "weights": best.weights,
        "fit": best.params,
        "seed": np.asarray(jax.random.key_data(key)).tolist(),
    }


def _shared_variance(noise: str, shared: Any) -> float:
    """The share of the variance common to runs of one cluster; 0 without clusters."""
    if noise != "cluster":
        if shared is not None:
            raise JscaleError(
                Argument("shared", shared),
                " belongs to ",
                Argument("noise", "cluster"),
                ", not to ",
                Argument("noise", noise),
            )
        return 0.0
    if shared is None:
        return _DEFAULT_SHARED
    is_number = isinstance(shared, int | float) and not isinstance(shared, bool)
    if not is_number or not 0 <= shared <= 1:
        raise JscaleError(f"must lie between 0 and 1, not {shown(shared)}", argument="shared")
    return float(shared)


def _check_fit(state: FitState, table: Runs, noise: str) -> None:
    """Check that errors can be simulated from a fit."""
    if not state.objective.symmetric and noise != "residuals":
        raise JscaleError(
            f"noise {shown(noise)} is symmetric, which {state.objective} does not fit; "
            "expected noise 'residuals'"
        )
    n, k = state.linearization.jacobian.shape
    if n <= k:
        raise JscaleError(
            f"{table.name}: {n} runs, {k} parameters: "
            "no degree of freedom is left to estimate the size of the errors to simulate"
        )


def _true_values(
    table: Runs, best: Point, transforms: Mapping[str, TargetTransform]
) -> dict[str, float]:
    """The value of every target at the fit, which is the truth of the simulations."""
    truths = {name: target_value(transform, best.params) for name, transform in transforms.items()}
    for name, truth in truths.items():
        if np.isnan(truth):
            raise JscaleError(
                f"{table.name}: {name} has no value at the fit: there is no truth to cover"
            )
    return truths


def _ends(
    intervals: SimulatedIntervals, kinds: Sequence[str], unbounded: Iterable[str]
) -> tuple[dict[str, dict[str, np.ndarray]], dict[str, float], list[Note]]:
    """By kind: the ends (simulations, 2) of every target, and the wall time; and notes.

    The interval of an ``unbounded`` target is its entire range.
    """
    count = len(intervals.tables.losses)
    entire_range = {}
    for name in unbounded:
        transform = intervals.transforms[name]
        entire_range[name] = np.tile([transform.lower, transform.upper], (count, 1))

    ends: dict[str, dict[str, np.ndarray]] = {}
    seconds: dict[str, float] = {}
    notes: list[Note] = []
    for kind in kinds:
        start = time.perf_counter()
        kind_ends, kind_notes = intervals.ends(kind)
        seconds[kind] = time.perf_counter() - start
        ends[kind] = {**kind_ends, **entire_range}
        notes += kind_notes
    return ends, seconds, notes


def _failures(converged: np.ndarray) -> list[Note]:
    count = int((~converged).sum())
    if not count:
        return []
    share = count / len(converged)
    message = (
        f"{count} of {len(converged)} fits of simulated tables did not converge and are left out"
    )
    severity = "info" if share <= TOO_MANY_FAILED else "warning"
    return [Note("simulations-failed", severity, message, {"share": share})]


def _uncertified(best: Point) -> list[Note]:
    if best.certificate.converged:
        return []
    message = f"the fit that tables are simulated from is not certified: {best.certificate.status}"
    return [Note("calibrate-uncertified", "warning", message, {})]
