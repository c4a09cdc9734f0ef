"""Forecasts of held-out runs: the evidence for weights and for the correction of bands."""

from collections.abc import Sequence

import jax
import numpy as np

from jscale import fit
from jscale._core.errors import JscaleError
from jscale._core.jobs import Arrays
from jscale.assess.backtesting import (
    SPARE_RUNS,
    Needs,
    Split,
    clusters,
    expanding_windows,
    inputs_at,
    score,
    without_outcome,
)
from jscale.assess.ensembles._candidates import Candidate, is_enough
from jscale.assess.ensembles._correction import (
    ENSEMBLE,
    BandCorrection,
    Prior,
    distance_quantity,
    fit_correction,
    without_evidence,
)
from jscale.assess.ensembles._weights import Window, weights_of
from jscale.fit import Posterior
from jscale.fit.objective import padded_at_least
from jscale.laws import describe
from jscale.runs import Runs, select

CUTS = (0.5, 0.65, 0.8)
"""Shares of the runs, by compute, below which candidates are fitted to forecast the others."""


def windows_of(candidates: Sequence[Candidate], table: Runs) -> tuple[Split, ...]:
    """The cuts that leave every candidate enough runs, each once."""
    column = next((name for name in ("C", "N", "D") if name in table), None)
    if column is None:
        return ()
    least = max(len(describe(each.law).parameters) for each in candidates) + SPARE_RUNS
    needs = Needs(least, f"the ensemble needs at least {least}")
    by = "compute" if column == "C" else column

    windows: dict[bytes, Split] = {}
    for cut in CUTS:
        try:
            (split,) = expanding_windows(table, by, [cut], needs).splits
        except JscaleError:
            continue  # too few runs, or all of equal compute: the other cuts may do
        if all(is_enough(each, table.where(split.training)) for each in candidates):
            windows[split.training.tobytes()] = split
    return tuple(windows.values())


def posterior_of(candidate: Candidate, table: Runs, key: jax.Array, draws: int) -> Posterior:
    """The posterior of a candidate, by importance sampling."""
    return fit.posterior(
        candidate.law,
        table,
        key=key,
        errors=candidate.errors,
        priors=candidate.priors,
        sampler="importance",
        chains=1,
        draws=draws,
    )


def held_out_forecast(
    candidate: Candidate, table: Runs, window: Split, key: jax.Array, draws: int
) -> Arrays:
    """Draws of the held-out runs, and whether the posterior behind them is rough."""
    fit_key, new_key = jax.random.split(key)
    new = without_outcome(table.where(window.held_out), describe(candidate.law).output.column)
    with padded_at_least(len(table)):  # one program for all windows
        posterior = posterior_of(candidate, table.where(window.training), fit_key, draws)
        prediction = posterior.predict(
            inputs_at(candidate.law, new), key=new_key, columns=columns_at(new)
        )
    rough = any(note.code == "rough-importance-sampling" for note in posterior.notes)
    return {"draws": prediction.draws, "rough": np.asarray(rough)}


def columns_at(new: Runs) -> dict[str, np.ndarray]:
    """The columns of runs, for error models that use them."""
    return {name: new[name] for name in new}


def evidence_of(
    fits: Sequence[Sequence[Arrays]],
    candidate: Candidate,
    table: Runs,
    windows: Sequence[Split],
) -> list[Window]:
    """Log scores of all candidates in every window.

    They are those of log losses, or of the losses themselves where one of the runs has no log.

    Args:
        fits: what :func:`held_out_forecast` returned, by candidate and window.
        candidate: any of them, for what is observed.
        table: all runs.
        windows: of the table.
    """
    observed, labels = _observed(candidate, table), clusters(table, None)[1]
    has_logs = bool((observed[np.isfinite(observed)] > 0).all())
    evidence = []
    for j, window in enumerate(windows):
        scores = [score(each[j]["draws"], observed[window.held_out]) for each in fits]
        log_scores = [each.log_score if has_logs else each.log_score_raw for each in scores]
        evidence.append(Window(np.stack(log_scores), labels[window.held_out]))
    return evidence


def correction_from(
    fits: Sequence[Sequence[Arrays]],
    evidence: Sequence[Window],
    candidates: Sequence[Candidate],
    table: Runs,
    windows: Sequence[Split],
    *,
    prior: Prior = ENSEMBLE,
    last_only: bool = False,
) -> BandCorrection:
    """The correction that the weighted forecasts of held-out runs call for.

    The weights at each window come from the other windows. As windows are nested, earlier ones
    hold out all runs of the last one too: the judged runs also chose the weights by which they are
    judged, and the weighted forecast looks better than one of new runs. The prior :data:`ENSEMBLE`
    and the figures of docs/forecasts.md allow for that: they come from forecasts, made and
    corrected in this way, of runs that no fit, weight or correction had seen.

    Args:
        fits: as for :func:`evidence_of`.
        evidence: its result.
        candidates: in the order of the fits.
        table: all runs.
        windows: of the table.
        prior: of the correction.
        last_only: whether only the last window counts, which is most like the forecast of new runs.
    """
    if not windows:
        return without_evidence(prior)
    observed = _observed(candidates[0], table)
    quantity = distance_quantity(each.law for each in candidates)
    pit, decades, runs = [], [], []
    judged = list(enumerate(windows))[-1 if last_only else 0 :]
    for j, window in judged:
        others = [each for i, each in enumerate(evidence) if i != j]
        weights = weights_of(others, len(fits))
        counts = shares_of(weights, len(fits[0][j]["draws"]))
        draws = np.concatenate(
            [each[j]["draws"][:count] for each, count in zip(fits, counts, strict=True)]
        )
        pit.append(score(draws, observed[window.held_out]).pit)
        runs.append(np.flatnonzero(window.held_out))
        decades.append(_decades(table, window, quantity))
    labels = np.concatenate([evidence[j].clusters for j, _ in judged])
    pit, decades, runs = (np.concatenate(each) for each in (pit, decades, runs))
    points = _points(table)[runs]
    return fit_correction(pit, decades, labels, prior, runs=runs, points=points)


def _decades(table: Runs, window: Split, quantity: str | None) -> np.ndarray:
    """Decades of the held-out runs (rows,) beyond the largest that is fitted; 0 without any."""
    if quantity is None or quantity not in table:
        return np.zeros(int(window.held_out.sum()))
    largest = np.nanmax(table[quantity][window.training])
    return np.log10(table[quantity][window.held_out] / largest)


def _points(table: Runs) -> np.ndarray:
    """The label of each row's size and budget (rows,): runs with equal N and D have one.

    Without either, compute takes its place. Numbers are equal to three digits of their logarithms:
    columns are rounded in their own ways.
    """
    both = [name for name in ("N", "D") if name in table]
    names = both if len(both) == 2 else [name for name in ("N", "D", "C") if name in table]
    if not names:
        return np.zeros(len(table), int)
    logs = [np.nan_to_num(np.round(np.log10(table[name]), 3), nan=-1.0) for name in names]
    return np.unique(np.stack(logs, axis=1), axis=0, return_inverse=True)[1].ravel()


def _observed(candidate: Candidate, table: Runs) -> np.ndarray:
    """What the law predicts, of every row of the table (rows,); NaN in excluded rows."""
    data = select(table, candidate.law)
    values = np.full(len(table), np.nan)
    values[data.rows] = data.loss
    return values


def shares_of(weights: np.ndarray, total: int) -> list[int]:
    """Whole numbers in the ratio of the weights that sum to the total."""
    ends = np.round(np.cumsum(weights) / np.sum(weights) * total).astype(int)
    return np.diff(ends, prepend=0).tolist()
