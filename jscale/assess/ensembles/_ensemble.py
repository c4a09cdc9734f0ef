"""``ensemble``: a forecast that averages over laws and error models."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import numpy as np

from jscale import fit
from jscale._core.checks import check_key, check_whole_number
from jscale._core.errors import JscaleError
from jscale._core.jobs import Arrays, Checkpoint, Progress
from jscale._core.notes import Note
from jscale._core.scope import in_float64
from jscale.assess.backtesting import (
    Needs,
    Split,
    expanding_windows,
    inputs_at,
    score,
    without_outcome,
)
from jscale.assess.ensembles._candidates import Candidate, candidates_of, is_enough
from jscale.assess.ensembles._correction import BandCorrection, corrected, fit_correction
from jscale.assess.ensembles._weights import Window, weights_of
from jscale.fit import Posterior, Prediction
from jscale.fit.objective import default_cluster_column, padded_at_least
from jscale.fit.predictions import mixture, without_repeats
from jscale.laws import describe
from jscale.runs import Runs, select

CUTS = (0.5, 0.65, 0.8)
"""Shares of the runs, by compute, below which candidates are fitted to forecast the others."""
_SPARE_RUNS = 2
"""Runs beyond the number of parameters that a fit needs."""
_LEAST_DRAWS = 100


@dataclass(frozen=True, eq=False)
class Member:
    """A candidate of an ensemble, fitted to all runs.

    Attributes:
        name: law and error model.
        posterior: of its parameters.
        weight: its share of the forecast.
        score: mean log score of its forecasts of held-out runs, nats a run; NaN without any.
    """

    name: str
    posterior: Posterior
    weight: float
    score: float


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Laws with error models, weighted by how well they forecast runs of more compute.

    Attributes:
        members: the candidates, that with the largest weight first.
        correction: by how much bands are widened with distance.
        windows: number of cuts that the weights come from.
        held_out: number of forecasts of held-out runs behind the weights.
        notes: remarks on the weights.
        table_digest: hash of the table.
    """

    members: tuple[Member, ...]
    correction: BandCorrection
    windows: int
    held_out: int
    notes: tuple[Note, ...]
    table_digest: str

    @property
    def weights(self) -> dict[str, float]:
        """Name of each member → its weight."""
        return {each.name: each.weight for each in self.members}

    @property
    def law_weights(self) -> dict[str, float]:
        """Name of each law → the sum of its members' weights, the largest first."""
        sums: dict[str, float] = {}
        for each in self.members:
            law = each.posterior.law_name
            sums[law] = sums.get(law, 0.0) + each.weight
        return dict(sorted(sums.items(), key=lambda item: -item[1]))

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """Inputs of the laws, ``C`` and ``D/N`` → smallest and largest value over the runs."""
        return {name: ends for each in self.members for name, ends in each.posterior.ranges.items()}

    @in_float64
    def predict(
        self,
        inputs: Mapping[str, Any],
        *,
        key: jax.Array,
        columns: Mapping[str, np.ndarray] | None = None,
        draws: int = 2000,
    ) -> Prediction:
        """The forecast of new runs, averaged over the members.

        Args:
            inputs: input name → number or (points,) numbers; a law that has fewer inputs than the
                others takes its own.
            key: a JAX random key.
            columns: as for :func:`jscale.fit.predict`.
            draws: number of draws, divided among the members by their weights.

        Raises:
            JscaleError: an input is unknown, missing or outside the domain of a law.
        """
        check_key(key)
        check_whole_number("draws", draws, at_least=_LEAST_DRAWS)
        counts = _shares_of(np.array([each.weight for each in self.members]), draws)
        predictions = []
        for i, (member, count) in enumerate(zip(self.members, counts, strict=True)):
            if count:
                key_of = jax.random.fold_in(key, i)
                own = self._inputs_of(member, inputs)
                prediction = member.posterior.predict(own, key=key_of, columns=columns)
                predictions.append(_thinned(prediction, count))
        predictions.sort(key=lambda each: -len(each.at))  # the first has the distance from the runs
        correction_key = jax.random.fold_in(key, len(self.members))
        return corrected(mixture(predictions, self.notes), self.correction, correction_key)

    def _inputs_of(self, member: Member, inputs: Any) -> Any:
        """The inputs that the law of a member takes, without those of other members alone."""
        own = set(describe(member.posterior.law).input_names)
        others = {
            name for each in self.members for name in describe(each.posterior.law).input_names
        }
        if not isinstance(inputs, Mapping) or not (set(inputs) - own) & others:
            return inputs
        points = max(np.size(values) for values in inputs.values())
        return {
            name: np.full(points, values) if np.size(values) == 1 else values
            for name, values in inputs.items()
            if name in own or name not in others  # the law says what no law takes
        }

    def __repr__(self) -> str:
        weights = ", ".join(f"{name} {weight:.2f}" for name, weight in self.weights.items())
        return f"<Ensemble: {weights}>"


@in_float64
def ensemble(
    laws: Any,
    table: Runs,
    *,
    errors: Any = None,
    key: jax.Array,
    correct: bool = True,
    draws: int = 1000,
    progress: bool = False,
    resume: str | os.PathLike[str] | None = None,
) -> Ensemble:
    """A forecast that averages over laws and error models by how they forecast held-out runs.

    Every law with every error model is fitted to the runs with the least compute, three times (50,
    65 and 80% of them), and forecasts the others. Candidates are weighted by the log score of these
    forecasts, shrunk towards equal weights. All are then fitted to all runs. Where forecasts of
    held-out runs show that bands are too narrow or too wide at a distance, those of new runs are
    corrected by a factor that the result states.

    Args:
        laws: a declared law, several, or None for laws that suit the columns of the table.
        table: validated runs; rows marked ``exclude`` are left out.
        errors: error model or its text, several, or None for Student-t errors and for normal errors
            with a discrepancy.
        key: a JAX random key.
        correct: whether to correct bands by the forecasts of held-out runs.
        draws: of each posterior.
        progress: show a progress bar on stderr.
        resume: file with the forecasts of held-out runs that are done; see :func:`backtest`.

    Raises:
        JscaleError: no law, one given twice, a missing column, or too few runs.

    Source: Vehtari & Ojanen 2012 (pseudo-BMA weights); Bürkner, Gabry & Vehtari 2020
        (leave-future-out).

    Example:
        >>> import jax
        >>> from jscale import assess, laws, runs
        >>> D = [1e10] * 4 + [4e10] * 4 + [2e11] * 4 + [1e12] * 4
        >>> design = {"N": [1e8, 3e8, 1e9, 3e9] * 4, "D": D}
        >>> theta, key = laws.params(laws.chinchilla), jax.random.key(0)
        >>> table = runs.simulate(laws.chinchilla, theta, design, noise=0.005, key=key)
        >>> result = assess.ensemble(
        ...     [laws.power_data, laws.chinchilla], table, errors="student", key=key, draws=200
        ... )
        >>> next(iter(result.law_weights))
        'chinchilla'
    """
    # 1. Check the arguments.
    check_key(key)
    check_whole_number("draws", draws, at_least=_LEAST_DRAWS)
    candidates = candidates_of(laws, table, errors)
    windows = _windows(candidates, table)
    labels = _cluster_labels(candidates[0], table)

    # 2. Forecast held-out runs, and fit all runs.
    job = {
        "command": "ensemble",
        "table": table.digest,
        "candidates": [each.name for each in candidates],
        "windows": [np.flatnonzero(window.held_out).tolist() for window in windows],
        "draws": draws,
        "seed": np.asarray(jax.random.key_data(key)).tolist(),
    }
    steps = len(candidates) * (len(windows) + 1)
    fits, posteriors = [], []
    with Checkpoint(resume, job) as checkpoint, Progress(steps, "weighing laws", progress) as bar:
        for i, candidate in enumerate(candidates):
            keys = jax.random.split(jax.random.fold_in(key, i), len(windows) + 1)
            forecasts = []
            for j, window in enumerate(windows):
                run = partial(_forecast, candidate, table, window, keys[j], draws)
                forecasts.append(checkpoint.unit(f"{candidate.name}, window {j}", run))
                bar.advance(1)
            fits.append(forecasts)
            posteriors.append(_posterior(candidate, table, keys[-1], draws))
            bar.advance(1)

    # 3. Weigh, and judge the weighted forecasts of the same runs.
    evidence = _evidence(fits, table, windows, labels)
    weights = weights_of(evidence, len(candidates))
    correction = BandCorrection()
    if correct:
        correction = _correction(fits, weights, table, windows, labels)
    return Ensemble(
        members=_members(candidates, posteriors, weights, evidence),
        correction=correction,
        windows=len(windows),
        held_out=sum(window.log_scores.shape[1] for window in evidence),
        notes=without_repeats((*_notes(windows), *correction.notes)),
        table_digest=table.digest,
    )


def _windows(candidates: Sequence[Candidate], table: Runs) -> tuple[Split, ...]:
    """The cuts that leave every candidate enough runs, each once."""
    column = next((name for name in ("C", "N", "D") if name in table), None)
    if column is None:
        return ()
    least = max(len(describe(each.law).parameters) for each in candidates) + _SPARE_RUNS
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


def _cluster_labels(candidate: Candidate, table: Runs) -> np.ndarray:
    """The cluster of every row of the table (rows,); each run its own where none share one."""
    column = default_cluster_column(table, select(table, candidate.law))
    if column is None:
        return np.arange(len(table))
    return np.unique(table[column], return_inverse=True)[1]


def _posterior(candidate: Candidate, table: Runs, key: jax.Array, draws: int) -> Posterior:
    return fit.posterior(
        candidate.law,
        table,
        key=key,
        errors=candidate.errors,
        sampler="importance",
        chains=1,
        draws=draws,
    )


def _forecast(
    candidate: Candidate, table: Runs, window: Split, key: jax.Array, draws: int
) -> Arrays:
    """Draws of the held-out runs, and their decades of compute beyond the others."""
    fit_key, new_key = jax.random.split(key)
    new = without_outcome(table.where(window.held_out), describe(candidate.law).output.column)
    with padded_at_least(len(table)):  # one program for all windows
        posterior = _posterior(candidate, table.where(window.training), fit_key, draws)
        forecast = posterior.predict(inputs_at(candidate.law, new), key=new_key)
    return {"draws": forecast.draws, "decades": forecast.decades["C"]}


def _evidence(
    fits: Sequence[Sequence[Arrays]], table: Runs, windows: Sequence[Split], labels: np.ndarray
) -> list[Window]:
    """Log scores of all candidates in every window."""
    evidence = []
    for j, window in enumerate(windows):
        observed = table["loss"][window.held_out]
        scores = [score(forecasts[j]["draws"], observed).log_score for forecasts in fits]
        evidence.append(Window(np.stack(scores), labels[window.held_out]))
    return evidence


def _correction(
    fits: Sequence[Sequence[Arrays]],
    weights: np.ndarray,
    table: Runs,
    windows: Sequence[Split],
    labels: np.ndarray,
) -> BandCorrection:
    """The correction that the weighted forecasts of held-out runs call for."""
    pit, decades, clusters = [], [], []
    for j, window in enumerate(windows):
        counts = _shares_of(weights, len(fits[0][j]["draws"]))
        draws = np.concatenate(
            [forecasts[j]["draws"][:count] for forecasts, count in zip(fits, counts, strict=True)]
        )
        pit.append(score(draws, table["loss"][window.held_out]).pit)
        # Laws without N or D do not know the compute.
        decades.append(np.fmax.reduce([forecasts[j]["decades"] for forecasts in fits]))
        clusters.append(labels[window.held_out])
    if not pit:
        return BandCorrection()
    return fit_correction(*(np.concatenate(each) for each in (pit, decades, clusters)))


def _members(
    candidates: Sequence[Candidate],
    posteriors: Sequence[Posterior],
    weights: np.ndarray,
    evidence: Sequence[Window],
) -> tuple[Member, ...]:
    """The members, that with the largest weight first."""
    if evidence:
        scores = np.concatenate([each.log_scores for each in evidence], axis=1).mean(axis=1)
    else:
        scores = np.full(len(candidates), np.nan)
    members = [
        Member(candidate.name, posterior, float(weight), float(value))
        for candidate, posterior, weight, value in zip(
            candidates, posteriors, weights, scores, strict=True
        )
    ]
    return tuple(sorted(members, key=lambda each: -each.weight))


def _notes(windows: Sequence[Split]) -> list[Note]:
    if windows:
        return []
    message = (
        "too few runs to hold any out: laws and error models have equal weights, and nothing "
        "checks the bands"
    )
    return [Note("no-held-out-runs", "warning", message)]


def _shares_of(weights: np.ndarray, total: int) -> list[int]:
    """Whole numbers in the ratio of the weights that sum to the total."""
    ends = np.round(np.cumsum(weights) / np.sum(weights) * total).astype(int)
    return np.diff(ends, prepend=0).tolist()


def _thinned(prediction: Prediction, count: int) -> Prediction:
    """The prediction with so many draws."""
    chosen = np.arange(count) % len(prediction.draws)
    return replace(
        prediction,
        draws=prediction.draws[chosen],
        parameter_draws=prediction.parameter_draws[chosen],
    )
