"""``ensemble``: a forecast that averages over laws and error models."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import numpy as np

from jscale._core.checks import check_key, check_whole_number
from jscale._core.jobs import Arrays, Checkpoint, Progress, workers
from jscale._core.notes import Note
from jscale._core.scope import in_float64
from jscale.assess.backtesting import LEAST_DRAWS, Split, law_digest
from jscale.assess.ensembles._candidates import Candidate, candidates_of
from jscale.assess.ensembles._correction import BandCorrection, corrected, known_distance
from jscale.assess.ensembles._evidence import (
    correction_from,
    evidence_of,
    held_out_forecast,
    posterior_of,
    shares_of,
    windows_of,
)
from jscale.assess.ensembles._weights import Window, weights_of
from jscale.fit import Posterior, Prediction
from jscale.fit.predictions import mixture, without_repeats
from jscale.laws import describe
from jscale.runs import Runs


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
        check_whole_number("draws", draws, at_least=LEAST_DRAWS)
        counts = shares_of(np.array([each.weight for each in self.members]), draws)
        predictions = []
        for i, (member, count) in enumerate(zip(self.members, counts, strict=True)):
            own, own_key = self._inputs_of(member, inputs), jax.random.fold_in(key, i)
            predictions += _predictions(member.posterior, count, own_key, own, columns)
        # The first has the distance from the runs.
        predictions.sort(key=lambda each: (known_distance(each), -len(each.at)))
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
        laws: a declared law or its name in the catalogue, several, or None for laws that suit the
            columns of the table.
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
    check_whole_number("draws", draws, at_least=LEAST_DRAWS)
    candidates = candidates_of(laws, table, errors)
    windows = windows_of(candidates, table)

    # 2. Forecast held-out runs, and fit all runs.
    job = {
        "command": "ensemble",
        "table": table.digest,
        "candidates": [[each.name, law_digest(each.law)] for each in candidates],
        "windows": [np.flatnonzero(window.held_out).tolist() for window in windows],
        "draws": draws,
        "seed": np.asarray(jax.random.key_data(key)).tolist(),
    }
    steps = len(candidates) * (len(windows) + 1)
    with Checkpoint(resume, job) as checkpoint, Progress(steps, "weighing laws", progress) as bar:

        def fit_one(i: int) -> tuple[list[Arrays], Posterior]:
            candidate = candidates[i]
            keys = jax.random.split(jax.random.fold_in(key, i), len(windows) + 1)
            forecasts = []
            for j, window in enumerate(windows):
                run = partial(held_out_forecast, candidate, table, window, keys[j], draws)
                forecasts.append(checkpoint.unit(f"{candidate.name}, window {j}", run))
                bar.advance(1)
            posterior = posterior_of(candidate, table, keys[-1], draws)
            bar.advance(1)
            return forecasts, posterior

        # Candidates have programs of their own, which compile side by side.
        with workers(len(candidates)) as pool:
            fitted = pool.map(fit_one, range(len(candidates)))
    fits = [forecasts for forecasts, _ in fitted]
    posteriors = [posterior for _, posterior in fitted]

    # 3. Weigh, and judge the weighted forecasts of the same runs.
    evidence = evidence_of(fits, candidates[0], table, windows)
    weights = weights_of(evidence, len(candidates))
    correction = BandCorrection()
    if correct:
        correction = correction_from(fits, evidence, candidates, table, windows, last_only=True)
    return Ensemble(
        members=_members(candidates, posteriors, weights, evidence),
        correction=correction,
        windows=len(windows),
        held_out=sum(window.log_scores.shape[1] for window in evidence),
        notes=without_repeats((*_notes(fits, windows), *correction.notes)),
        table_digest=table.digest,
    )


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


def _notes(fits: Sequence[Sequence[Arrays]], windows: Sequence[Split]) -> list[Note]:
    if not windows:
        message = (
            "too few runs to hold any out: laws and error models have equal weights, and nothing "
            "checks the bands"
        )
        return [Note("no-held-out-runs", "warning", message)]
    rough = sum(int(forecast["rough"]) for forecasts in fits for forecast in forecasts)
    if not rough:
        return []
    total = len(fits) * len(windows)
    message = f"{rough} of {total} fits behind the weights have rough posteriors"
    return [Note("rough-weights", "info", message, {"rough": rough, "fits": total})]


def _predictions(
    posterior: Posterior,
    count: int,
    key: jax.Array,
    inputs: Mapping[str, Any],
    columns: Mapping[str, np.ndarray] | None,
) -> list[Prediction]:
    """Forecasts of a posterior with so many draws; parameters repeat, errors do not."""
    predictions: list[Prediction] = []
    missing = count
    while missing > 0:
        own_key = jax.random.fold_in(key, len(predictions))
        prediction = posterior.predict(inputs, key=own_key, columns=columns)
        chosen = np.arange(min(missing, len(prediction.draws)))
        predictions.append(
            replace(
                prediction,
                draws=prediction.draws[chosen],
                parameter_draws=prediction.parameter_draws[chosen],
            )
        )
        missing -= len(chosen)
    return predictions
