"""``backtest``: laws fitted to some runs and judged by their forecasts of the others."""

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import numpy as np

from jscale._core.checks import check_key, check_whole_number
from jscale._core.errors import Argument, JscaleError
from jscale._core.jobs import Arrays, Checkpoint, Progress, workers
from jscale._core.notes import Note
from jscale._core.scope import in_float64
from jscale._core.text import enumerated, shown
from jscale.assess.backtesting._clusters import clusters
from jscale.assess.backtesting._forecasters import (
    SAMPLERS,
    Forecast,
    Forecaster,
    forecaster_of,
    without_outcome,
)
from jscale.assess.backtesting._groups import leave_each_out, random_folds
from jscale.assess.backtesting._held_out import HeldOutRun, Observed, held_out_runs
from jscale.assess.backtesting._result import Backtest, BacktestedLaw, Cut, failure_notes
from jscale.assess.backtesting._split import Needs, Split, Splits
from jscale.assess.backtesting._summary import by_cut, by_distance, summarise
from jscale.assess.backtesting._windows import COMPUTE, expanding_windows, window_below
from jscale.fit.errors import default_errors
from jscale.laws import LawFunction, as_law
from jscale.runs import Runs, select

LEAST_DRAWS = 100
"""Quantiles of fewer draws are too rough to judge or correct bands by."""
_FOLDS_KEY = 2**31 - 1
"""Number of the key for folds; those of the cuts count from 0."""


@in_float64
def backtest(
    laws: LawFunction | str | Forecaster | Sequence[LawFunction | str | Forecaster],
    table: Runs,
    *,
    errors: Any = None,
    priors: Any = None,
    key: jax.Array,
    by: str = COMPUTE,
    cuts: int | Sequence[float] | None = None,
    train_below: Mapping[str, float] | None = None,
    leave_out: str | None = None,
    folds: int | None = None,
    cluster: str | None = None,
    sampler: str = "importance",
    draws: int = 1000,
    progress: bool = False,
    resume: str | os.PathLike[str] | None = None,
) -> Backtest:
    """Forecasts of held-out runs, and whether their bands hold what they say.

    Each law is fitted to some of the runs and forecasts the losses of the others, several times.
    By default the runs are ordered by compute, and windows that begin at the smallest end at five
    cuts from 40% to 80% of the runs; each forecasts all larger runs. Runs of equal compute are on
    one side of a cut. Rows marked ``exclude`` are not used.

    Args:
        laws: a declared law or several, each fitted separately, or names of the catalogue; or
            :class:`Forecaster` objects.
        table: validated runs.
        errors: error model of the laws, as for :func:`jscale.fit.posterior`; None for the default
            of the runs that each fit is given.
        priors: of parameters of the laws and of the error model, likewise.
        key: a JAX random key; the same key gives the same bytes.
        by: column of numbers that orders the runs, "compute" for ``C``.
        cuts: how many, evenly spaced from 40% to 80% of the runs (one: 60%); or the shares of the
            runs, such as ``(0.6, 0.8)``. None for five, or as many as the table allows.
        train_below: column → number: instead of cuts, fit the runs that are below in every column
            and forecast the others.
        leave_out: column: instead of cuts, forecast the runs of each of its values from all others.
        folds: instead of cuts, forecast each of so many random folds from the others; runs of equal
            compute are in one fold.
        cluster: column whose equal values form a cluster, whose runs are not independent evidence
            on the coverage. For None the first of ``trunk``, ``run_id``, ``group`` and ``N`` with
            at least 8 values that runs share, else every run is its own.
        sampler: of the posterior, as for :func:`jscale.fit.posterior`: "importance", which takes a
            second a fit, or "nuts".
        draws: draws of each forecast.
        progress: show a progress bar on stderr.
        resume: file with the forecasts of each finished fit, created if it does not exist. The same
            call goes on where one that was killed has left it. It remains when the job is done.

    Raises:
        JscaleError: no law, a law given twice or laws of different quantities; a missing column, or
            one of labels where numbers are needed; too few runs to fit, none held out, fewer runs
            than cuts; ways to split that exclude each other; a file of another job.

    Source: Gneiting & Raftery 2007 (scores); Gneiting, Balabdaoui & Raftery 2007 (calibration).

    Example:
        Do bands as wide as the residuals hold runs of more compute?

        >>> import jax
        >>> from jscale import assess, laws, runs
        >>> D = [1e10] * 4 + [4e10] * 4 + [2e11] * 4 + [1e12] * 4
        >>> design = {"N": [1e8, 3e8, 1e9, 3e9] * 4, "D": D}
        >>> theta, key = laws.params(laws.chinchilla), jax.random.key(0)
        >>> table = runs.simulate(laws.chinchilla, theta, design, noise=0.005, key=key)
        >>> band = assess.in_sample_band(laws.chinchilla)
        >>> result = assess.backtest(band, table, key=key, cuts=[0.6])
        >>> held = result.summary.bands[1]
        >>> print(f"{held.held} of {held.count} runs are in their 80% bands")
        3 of 6 runs are in their 80% bands
    """
    start = time.perf_counter()
    check_key(key)
    check_whole_number("draws", draws, at_least=LEAST_DRAWS)
    if sampler not in SAMPLERS:
        raise JscaleError(
            f"must be one of {enumerated(SAMPLERS)}, not {shown(sampler)}", argument="sampler"
        )
    forecasters = _forecasters(laws, errors=errors, priors=priors, sampler=sampler, draws=draws)
    outcome = _outcome(forecasters, table)
    splits = _splits(
        table, forecasters, key, by=by, cuts=cuts, train_below=train_below, leave_out=leave_out,
        folds=folds,
    )  # fmt: skip
    known = Observed(table, outcome, splits.column)
    has_logs = bool((outcome[table.kept] > 0).all())
    cluster, labels = clusters(table, cluster)

    job = {
        "command": "backtest",
        "table": table.digest,
        "laws": [[each.name, dict(each.settings)] for each in forecasters],
        "splits": [_fingerprint(split) for split in splits.splits],
        "seed": np.asarray(jax.random.key_data(key)).tolist(),
    }
    steps = len(forecasters) * len(splits.splits)
    with Checkpoint(resume, job) as checkpoint, Progress(steps, "backtesting", progress) as bar:
        forecasts = {
            each.name: _forecasts(each, table, splits.splits, key, (checkpoint, bar))
            for each in forecasters
        }

    rows: list[HeldOutRun] = []
    notes = [note for each in forecasters for note in each.notes_on(table)]
    for each in forecasters:
        for split, forecast in zip(splits.splits, forecasts[each.name], strict=True):
            rows += held_out_runs(each.name, known, split, forecast)
        notes += _fit_notes(each, forecasts[each.name], has_logs=has_logs)

    results = tuple(_law_result(each.name, rows, labels) for each in forecasters)
    for each in results:
        notes += failure_notes(each)
    return Backtest(
        laws=results,
        rows=tuple(rows),
        cuts=tuple(_cut(table, split) for split in splits.splits),
        how=splits.how,
        cluster=cluster,
        errors=_errors_of(laws, table) if errors is None else str(errors),
        n_runs=int(table.kept.sum()),
        seconds=time.perf_counter() - start,
        notes=tuple({(n.code, n.message): n for n in notes}.values()),
        table_digest=table.digest,
        loss_unit=table.loss_unit,
        clusters=labels,
    )


def _forecasters(laws: Any, **settings: Any) -> list[Forecaster]:
    """The forecasters, with different names and one outcome."""
    several = isinstance(laws, Sequence) and not isinstance(laws, str)
    forecasters = [forecaster_of(each, **settings) for each in (laws if several else [laws])]
    if not forecasters:
        raise JscaleError(": expected at least one law to backtest", argument="laws")

    names = [each.name for each in forecasters]
    if duplicates := sorted({name for name in names if names.count(name) > 1}):
        raise JscaleError(f": {shown(duplicates[0])} is given twice", argument="laws")
    first = forecasters[0]
    for each in forecasters[1:]:
        if each.column != first.column:
            raise JscaleError(
                f": {shown(first.name)} forecasts {first.column}, {shown(each.name)} forecasts "
                f"{each.column}; expected laws of one quantity",
                argument="laws",
            )
    return forecasters


def _errors_of(laws: Any, table: Runs) -> str | None:
    """The default error model of the laws, where all have one for the whole table."""
    several = isinstance(laws, Sequence) and not isinstance(laws, str)
    listed: list[Any] = list(laws) if several else [laws]
    named = [as_law(each) for each in listed if not isinstance(each, Forecaster)]
    models = {str(default_errors(law, table, select(table, law)).errors) for law in named}
    return models.pop() if len(models) == 1 else None


def _outcome(forecasters: Sequence[Forecaster], table: Runs) -> np.ndarray:
    """What is forecast, shape (rows,), once every law has found its columns."""
    outcomes = [each.outcome(table) for each in forecasters]
    return outcomes[0]


def _splits(
    table: Runs,
    forecasters: Sequence[Forecaster],
    key: jax.Array,
    *,
    by: Any,
    cuts: Any,
    train_below: Any,
    leave_out: Any,
    folds: Any,
) -> Splits:
    others = {"train_below": train_below, "leave_out": leave_out, "folds": folds}
    ways = {name: value for name, value in others.items() if value is not None}
    if ways and by != COMPUTE:
        ways = {"by": by, **ways}
    if ways and cuts is not None:
        ways = {"cuts": cuts, **ways}
    if len(ways) > 1:
        (name, value), (other, other_value) = list(ways.items())[:2]
        raise JscaleError(
            Argument(name, value), " and ", Argument(other, other_value),
            " are two ways to split the runs; expected one of them",
        )  # fmt: skip

    neediest = max(forecasters, key=lambda each: each.least_runs)
    needs = Needs(neediest.least_runs, neediest.need)
    if train_below is not None:
        return window_below(table, train_below, needs)
    if leave_out is not None:
        return leave_each_out(table, leave_out, needs)
    if folds is not None:
        return random_folds(table, folds, jax.random.fold_in(key, _FOLDS_KEY), needs)
    return expanding_windows(table, by, cuts, needs)


def _fingerprint(split: Split) -> list[Any]:
    """What identifies a split: its label, and the rows that it forecasts."""
    return [split.label, np.flatnonzero(split.held_out).tolist()]


def _forecasts(
    forecaster: Forecaster,
    table: Runs,
    splits: Sequence[Split],
    key: jax.Array,
    record: tuple[Checkpoint, Progress],
) -> list[Forecast]:
    """The forecasts of one method, those that the checkpoint has not made again."""
    checkpoint, bar = record

    def forecast(i: int) -> Forecast:
        run = partial(_forecast, forecaster, table, splits[i], key, i)
        arrays = checkpoint.unit(f"{forecaster.name}, split {i}", run)
        bar.advance(1)
        return _from_arrays(arrays)

    if not forecaster.in_threads:
        return [forecast(i) for i in range(len(splits))]
    order = _large_and_small(splits)
    with workers(len(splits)) as pool:
        forecasts = dict(zip(order, pool.map(forecast, order), strict=True))
    return [forecasts[i] for i in range(len(splits))]


def _large_and_small(splits: Sequence[Split]) -> list[int]:
    """Numbers of the splits: the one with the most runs to fit, with the fewest, and so on inwards.

    Threads that start together then compile programs for different numbers of runs; with one number
    all of them would wait for one program.
    """
    sizes = [split.training.sum() for split in splits]
    ranked = sorted(range(len(splits)), key=lambda i: -sizes[i])
    return [ranked[i // 2] if i % 2 == 0 else ranked[-1 - i // 2] for i in range(len(ranked))]


def _forecast(
    forecaster: Forecaster, table: Runs, split: Split, key: jax.Array, number: int
) -> Arrays:
    """The draws of the held-out runs, and notes as text."""
    training = table.where(split.training)
    new = without_outcome(table.where(split.held_out), forecaster.column)
    result = forecaster.forecast(training, new, jax.random.fold_in(key, number))
    forecast = result if isinstance(result, Forecast) else Forecast(np.asarray(result))

    draws, rows = np.asarray(forecast.draws, float), int(split.held_out.sum())
    if draws.ndim != 2 or draws.shape[1] != rows or len(draws) < 2:
        raise JscaleError(
            f"forecaster {shown(forecaster.name)} returned draws of shape {draws.shape}; expected "
            f"(draws, {rows}), one column for each held-out run"
        )
    texts = [[note.code, note.severity, note.message] for note in forecast.notes]
    return {"draws": draws, "notes": np.array(json.dumps(texts))}


def _from_arrays(arrays: Arrays) -> Forecast:
    notes = tuple(Note(*each) for each in json.loads(str(arrays["notes"])))
    return Forecast(arrays["draws"], notes)


def _fit_notes(
    forecaster: Forecaster, forecasts: Sequence[Forecast], *, has_logs: bool
) -> list[Note]:
    """The notes of all fits of a forecaster, one of each code, with the number of its fits."""
    by_code: dict[str, list[Note]] = {}
    for forecast in forecasts:
        for code, note in {note.code: note for note in forecast.notes}.items():
            by_code.setdefault(code, []).append(note)

    notes = []
    for same in by_code.values():
        example = "" if len({note.message for note in same}) == 1 else ", the first"
        fits = f"{len(same)} of {len(forecasts)} fits{example}"
        message = f"{forecaster.name}, {fits}: {same[0].message}"
        notes.append(replace(same[0], message=message))
    invalid = sum(int(np.sum(~np.isfinite(forecast.draws))) for forecast in forecasts)
    if invalid:
        message = f"{forecaster.name}: {invalid:,} draws are not finite and are left out"
        notes.append(Note("draws-not-finite", "warning", message, {"count": invalid}))
    negative = sum(int(np.sum(forecast.draws <= 0)) for forecast in forecasts)
    if negative and has_logs:
        share = negative / sum(forecast.draws.size for forecast in forecasts)
        message = (
            f"{forecaster.name}: {negative:,} draws ({share:.2g} of them) are 0 or below and have "
            "no logarithm: scores of log losses leave them out, bands hold them"
        )
        notes.append(Note("draws-not-positive", "info", message, {"count": negative}))
    return notes


def _law_result(name: str, rows: Sequence[HeldOutRun], labels: np.ndarray) -> BacktestedLaw:
    own = [row for row in rows if row.law == name]
    return BacktestedLaw(
        law=name,
        summary=summarise("all", own, labels),
        cuts=by_cut(own, labels),
        distances=by_distance(own, labels),
    )


def _cut(table: Runs, split: Split) -> Cut:
    compute = table["C"][split.training] if "C" in table else np.array([np.nan])
    known = compute[~np.isnan(compute)]
    largest = float(known.max()) if known.size else float("nan")
    return Cut(split.label, int(split.training.sum()), int(split.held_out.sum()), largest)
