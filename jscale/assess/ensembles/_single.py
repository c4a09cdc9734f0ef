"""The bands of one posterior, corrected by how its law forecast held-out runs."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import numpy as np

from jscale import fit
from jscale._core.checks import check_key, check_whole_number
from jscale._core.errors import JscaleError
from jscale._core.jobs import Arrays, Checkpoint, Progress, workers
from jscale._core.notes import Note
from jscale._core.scope import in_float64
from jscale._core.text import shown
from jscale.assess.backtesting import (
    LEAST_DRAWS,
    Backtest,
    Forecast,
    Forecaster,
    fit_notes,
    fit_settings,
    forecaster_of,
    inputs_at,
    law_digest,
    outcome_column,
    priors_text,
)
from jscale.assess.ensembles._candidates import Candidate
from jscale.assess.ensembles._correction import (
    LAW_ALONE,
    LAW_WITH_DISCREPANCY,
    BandCorrection,
    Prior,
    UncorrectableError,
    corrected,
    fit_correction,
    without_evidence,
)
from jscale.assess.ensembles._evidence import (
    columns_at,
    correction_from,
    evidence_of,
    held_out_forecast,
    windows_of,
)
from jscale.fit import ErrorModel, Posterior, Prediction
from jscale.fit.errors import as_error_model, columns_needed
from jscale.fit.objective import padded_at_least
from jscale.fit.predictions import RATIO, RESOURCES, input_ranges, without_repeats
from jscale.laws import LawFunction, as_law
from jscale.runs import Runs, read, select


@dataclass(frozen=True, eq=False)
class CorrectedPosterior:
    """A posterior whose bands of new runs are widened or narrowed by distance from the runs.

    Attributes:
        posterior: of one law.
        correction: factor by distance, and what it comes from.
    """

    posterior: Posterior
    correction: BandCorrection

    @property
    def ranges(self) -> Mapping[str, tuple[float, float]]:
        """Inputs of the law, ``C`` and ``D/N`` → smallest and largest value over the runs."""
        return self.posterior.ranges

    @property
    def notes(self) -> tuple[Note, ...]:
        """A sentence on the correction, and the notes of the posterior."""
        return without_repeats((*self.correction.notes, *self.posterior.notes))

    @in_float64
    def predict(
        self,
        inputs: Any,
        *,
        key: jax.Array,
        columns: Mapping[str, np.ndarray] | None = None,
    ) -> Prediction:
        """The forecast of new runs.

        Args:
            inputs: as for :func:`jscale.fit.predict`.
            key: a JAX random key.
            columns: as for :func:`jscale.fit.predict`.

        Raises:
            JscaleError: as :func:`jscale.fit.predict`.
        """
        plain = self.posterior.predict(inputs, key=key, columns=columns)
        plain = replace(plain, notes=without_repeats((*self.correction.notes, *plain.notes)))
        return corrected(plain, self.correction, jax.random.fold_in(key, 1))


@in_float64
def correct_bands(
    posterior: Posterior,
    table: Runs | None = None,
    *,
    key: jax.Array,
    draws: int = 1000,
    progress: bool = False,
    resume: str | os.PathLike[str] | None = None,
) -> CorrectedPosterior:
    """The posterior with bands corrected by forecasts of held-out runs.

    Its law, with its error model and priors, is fitted to the runs with the least compute, three
    times (50, 65 and 80% of them), by importance sampling, and forecasts the others. Where these
    forecasts show that bands are too narrow or too wide at a distance, those of new runs are
    multiplied by a factor that the result states, with a prior from public tables, and an error of
    the form of the law is added. Tables that are too small to hold out runs have the factor of the
    public tables.

    Args:
        posterior: of one law.
        table: the runs that it was fitted to; None for those that it holds, without columns that
            neither law nor error model uses.
        key: a JAX random key.
        draws: of each forecast.
        progress: show a progress bar on stderr.
        resume: file with the forecasts of held-out runs that are done; see :func:`backtest`.

    Raises:
        JscaleError: other runs.
        UncorrectableError: a posterior without its runs where no table is given, or one with priors
            that its record names only.

    Example:
        >>> import jax
        >>> from jscale import assess, fit, laws, runs
        >>> D = [1e10] * 4 + [4e10] * 4 + [2e11] * 4 + [1e12] * 4
        >>> table = runs.read({"N": [1e8, 3e8, 1e9, 3e9] * 4, "D": D, "loss": [3.0] * 16})
        >>> assess.correct_bands(None, table, key=jax.random.key(0))
        Traceback (most recent call last):
        jscale._core.errors.JscaleError: posterior must be one that fit.posterior returns, not None
    """
    # 1. Check the arguments.
    check_key(key)
    check_whole_number("draws", draws, at_least=LEAST_DRAWS)
    if not isinstance(posterior, Posterior):
        message = f"must be one that fit.posterior returns, not {shown(posterior)}"
        raise JscaleError(message, argument="posterior")
    if table is None:
        table = runs_of(posterior)
    elif table.digest != posterior.table_digest:
        message = f": sampled given other runs than {table.name}; expected one of this table"
        raise JscaleError(message, argument="posterior")
    candidate = _candidate(posterior)
    prior = prior_of(posterior.errors)
    table = _of_law(table, posterior)
    windows = windows_of((candidate,), table)
    if not windows:
        return CorrectedPosterior(posterior, without_evidence(prior))

    # 2. Forecast held-out runs.
    job = {
        "command": "correct",
        "table": table.digest,
        "candidate": [candidate.name, law_digest(candidate.law), priors_text(candidate.priors)],
        "windows": [np.flatnonzero(window.held_out).tolist() for window in windows],
        "draws": draws,
        "seed": np.asarray(jax.random.key_data(key)).tolist(),
    }
    with (
        Checkpoint(resume, job) as checkpoint,
        Progress(len(windows), "forecasting held-out runs", progress) as bar,
        workers(len(windows)) as pool,
    ):

        def forecast(i: int) -> Arrays:
            own_key = jax.random.fold_in(key, i)
            run = partial(held_out_forecast, candidate, table, windows[i], own_key, draws)
            result = checkpoint.unit(f"window {i}", run)
            bar.advance(1)
            return result

        forecasts = pool.map(forecast, range(len(windows)))

    # 3. The correction that they call for.
    evidence = evidence_of([forecasts], candidate, table, windows)
    correction = correction_from([forecasts], evidence, [candidate], table, windows, prior=prior)
    return CorrectedPosterior(posterior, correction)


def band_correction(
    backtest: Backtest, law: str | None = None, *, errors: ErrorModel | None = None
) -> BandCorrection:
    """The correction that the forecasts of a backtest of one law call for.

    Distances are of compute, as in the backtest. Runs below those that were fitted tell nothing of
    runs above, and are left out.

    Args:
        backtest: of the law.
        law: its name; None for the first.
        errors: its error model; None for that of the backtest.

    Example:
        A forecaster that knows nothing of size is wrong by more than its bands allow:

        >>> import jax
        >>> from jscale import assess, runs
        >>> def forecast(training, new, key):
        ...     return jax.random.choice(key, training["loss"], (200, len(new)))
        >>> past = assess.Forecaster("the past", forecast)
        >>> columns = {"N": [1e8, 2e8, 4e8, 8e8], "D": [1e10] * 4, "loss": [3.1, 2.9, 2.7, 2.5]}
        >>> table = runs.read(columns)
        >>> result = assess.backtest(past, table, key=jax.random.key(0), cuts=[0.5])
        >>> correction = assess.band_correction(result)
        >>> correction.count, bool(correction.factor(0.0) > 1)
        (2, True)
    """
    name = backtest.laws[0].law if law is None else backtest.of(law).law
    largest = {cut.label: cut.compute for cut in backtest.cuts}
    rows = [
        row
        for row in backtest.rows
        if row.law == name and not (row.decades > 0 and largest[row.cut] > row.C)
    ]
    if errors is None and backtest.errors is not None:
        errors = as_error_model(backtest.errors)
    return fit_correction(
        np.array([row.pit for row in rows]),
        np.array([row.decades for row in rows]),
        backtest.clusters[[row.row - 1 for row in rows]],
        LAW_ALONE if errors is None else prior_of(errors),
        runs=np.array([row.row for row in rows]),
    )


def corrected_forecaster(
    law: LawFunction | str,
    table: Runs,
    *,
    errors: Any = None,
    priors: Any = None,
    sampler: str = "importance",
    draws: int = 1000,
) -> Forecaster:
    """The forecaster of one law with bands as :func:`correct_bands` makes them, for a backtest.

    The correction comes from the runs that each fit is given.

    Args:
        law: a declared law, or the name of one of the catalogue.
        table: the runs that are to be backtested.
        errors: error model, or None for the default.
        priors: of parameters, or None for the default ones.
        sampler: as for :func:`backtest`.
        draws: of each posterior.

    Example:
        >>> from jscale import assess, laws, runs
        >>> D = [1e10] * 4 + [4e10] * 4 + [2e11] * 4 + [1e12] * 4
        >>> table = runs.read({"N": [1e8, 3e8, 1e9, 3e9] * 4, "D": D, "loss": [3.0] * 16})
        >>> assess.corrected_forecaster(laws.chinchilla, table).name
        'chinchilla, corrected'
    """
    law = as_law(law)
    plain = forecaster_of(law, errors=errors, priors=priors, sampler=sampler, draws=draws)
    options = fit_settings(sampler, draws, errors=errors, priors=priors)

    def forecast(training: Runs, new: Runs, key: jax.Array) -> Forecast:
        fit_key, correction_key, new_key = jax.random.split(key, 3)
        # Two programs for all cuts: most fits are to less than half of the runs and take half the
        # time there.
        with padded_at_least(len(table) // 2):
            posterior = fit.posterior(law, training, key=fit_key, **options)
            result = correct_bands(posterior, training, key=correction_key, draws=draws)
            prediction = result.predict(inputs_at(law, new), key=new_key, columns=columns_at(new))
        notes = (*fit_notes(law, training, posterior), *result.correction.notes)
        return Forecast(prediction.draws, notes)

    settings = {**plain.settings, "corrected": True}
    return replace(plain, name=f"{plain.name}, corrected", forecast=forecast, settings=settings)


def prior_of(errors: ErrorModel) -> Prior:
    """The prior of the correction of one law.

    A discrepancy has learned what the law lacks.
    """
    return LAW_ALONE if errors.discrepancy is None else LAW_WITH_DISCREPANCY


def _candidate(posterior: Posterior) -> Candidate:
    from jscale.fit.bayes.priors import recorded

    priors = {name: recorded(text, name) for name, text in posterior.priors.items()}
    if unknown := [posterior.priors[name] for name, prior in priors.items() if prior is None]:
        raise UncorrectableError(
            f"the posterior of {posterior.law_name} has priors that its record names only "
            f"({', '.join(unknown)}), so that its law cannot be fitted again to hold out runs; "
            "expected priors such as 'lognormal(0.2, 1)'"
        )
    return Candidate(posterior.law, posterior.errors, priors or None)


def _of_law(table: Runs, posterior: Posterior) -> Runs:
    """The table without resources that the law does not take, as the posterior holds it.

    Runs are then held out by a quantity of the law, and alike with the table and without.
    """
    known = {RATIO, *input_ranges(posterior.law, select(table, posterior.law).inputs)}
    known |= set(columns_needed(posterior.errors, set(table)))
    kept = {n: values for n, values in table.columns.items() if n in known or n not in RESOURCES}
    return replace(table, columns=kept)


def runs_of(posterior: Posterior) -> Runs:
    """The runs that a posterior holds, as a table."""
    rows = posterior.rows
    if rows is None:
        raise UncorrectableError(
            f"the posterior of {posterior.law_name} holds no runs, by which its bands could be "
            "corrected; expected one that fit.posterior or 'jscale sample' of this version has made"
        )
    columns = {**rows.columns, **rows.inputs, outcome_column(posterior.law): rows.loss}
    if rows.loss_se is not None:
        columns["loss_se"] = rows.loss_se
    table = read({name: np.asarray(values) for name, values in columns.items()})
    return replace(table, loss_unit=posterior.loss_unit or table.loss_unit)
