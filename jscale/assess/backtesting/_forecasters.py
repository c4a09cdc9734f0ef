"""What a backtest asks for forecasts: laws by their posterior, a fixed band, or a caller's."""

import hashlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import jax
import numpy as np

from jscale import fit
from jscale._core.arrays import standard_normal
from jscale._core.notes import Note
from jscale._core.status import Status
from jscale.fit.objective import pad, padded_at_least, padded_size
from jscale.laws import LawFunction, as_law, describe
from jscale.runs import Runs, select

SPARE_RUNS = 2
"""Runs beyond the number of parameters: one for the scale of the errors, one that is left."""
_STARTS = 16
_CHAINS = 2
_WARMUP = 500
SAMPLERS = ("importance", "nuts")


class Forecast(NamedTuple):
    """Losses of new runs.

    Attributes:
        draws: (draws, rows) losses, of each held-out run in the order of the table.
        notes: remarks on the fit.
    """

    draws: np.ndarray
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, eq=False)
class Forecaster:
    """A way to forecast the losses of new runs from those of others.

    Attributes:
        name: of the law or the method; unique in a backtest.
        forecast: called with the runs to fit, those to forecast (the same columns without the
            outcome) and a JAX random key; returns draws of the losses of the latter, shape (draws,
            rows), or a :class:`Forecast`.
        column: the outcome.
        least_runs: the fewest runs that it can be fitted to.
        law: the law whose inputs and outcome it uses; None where the column says all.
        settings: what the forecasts depend on besides runs, name and key, as JSON can hold it; a
            job that is resumed must have the same.
        in_threads: whether several forecasts may be made at once, in threads.

    Example:
        The loss of every new run is that of an old one, whatever its size:

        >>> import jax
        >>> from jscale import assess, runs
        >>> def forecast(training, new, key):
        ...     return jax.random.choice(key, training["loss"], (200, len(new)))
        >>> past = assess.Forecaster("the past", forecast)
        >>> columns = {"N": [1e8, 2e8, 4e8, 8e8], "D": [1e10] * 4, "loss": [3.1, 2.9, 2.7, 2.5]}
        >>> table = runs.read(columns)
        >>> result = assess.backtest(past, table, key=jax.random.key(0), cuts=[0.5])
        >>> [row.predicted > row.loss for row in result.rows]
        [True, True]
    """

    name: str
    forecast: Callable[[Runs, Runs, jax.Array], Any]
    column: str = "loss"
    least_runs: int = 2
    law: LawFunction | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    in_threads: bool = False

    @property
    def need(self) -> str:
        """The fewest runs that it can be fitted to, as a clause."""
        if self.law is None:
            return f"{self.name} needs at least {self.least_runs}"
        count = len(describe(self.law).parameters)
        return f"{self.name} with its {count} parameters needs at least {self.least_runs}"

    def outcome(self, table: Runs) -> np.ndarray:
        """What is forecast, shape (rows,); NaN in rows that are excluded.

        Raises:
            JscaleError: a column is missing or not valid.
        """
        if self.law is None:
            return np.where(table.kept, table[self.column], np.nan)
        data = select(table, self.law)
        values = np.full(len(table), np.nan)
        values[data.rows] = data.loss
        return values

    def notes_on(self, table: Runs) -> tuple[Note, ...]:
        """Remarks on how the law reads the table."""
        return () if self.law is None else select(table, self.law).notes


def forecaster_of(law: Any, *, errors: Any, priors: Any, sampler: str, draws: int) -> Forecaster:
    """The forecaster of a law by its posterior; a forecaster is returned as it is.

    Args:
        law: a declared law, the name of one of the catalogue, or a forecaster.
        errors: error model, or None for the default.
        priors: of parameters, or None for the default ones.
        sampler: of the posterior.
        draws: of the posterior, rounded down to a whole number in each chain.

    Raises:
        JscaleError: neither a declared law nor a forecaster.
    """
    if isinstance(law, Forecaster):
        return law
    law = as_law(law)
    record = describe(law)
    settings = fit_settings(sampler, draws, errors=errors, priors=priors)

    def forecast(training: Runs, new: Runs, key: jax.Array) -> Forecast:
        fit_key, new_key = jax.random.split(key)
        # One number of rows for all windows of a table, so that they share their programs.
        with padded_at_least(len(training) + len(new)):
            posterior = fit.posterior(law, training, key=fit_key, **settings)
            size = padded_size(len(new))
            inputs = {name: pad(column, size) for name, column in inputs_at(law, new).items()}
            columns = {name: pad(new[name], size) for name in new}
            losses = fit.predict(posterior, inputs, key=new_key, columns=columns)
        return Forecast(losses[:, : len(new)], fit_notes(law, training, posterior))

    return Forecaster(
        name=record.name,
        forecast=forecast,
        column=outcome_column(law),
        least_runs=len(record.parameters) + SPARE_RUNS,
        law=law,
        settings={
            "law": law_digest(law),
            "sampler": sampler,
            "draws": draws,
            "errors": str(errors),
            **({} if priors is None else {"priors": priors_text(priors)}),
        },
        in_threads=sampler == "importance",
    )


def law_digest(law: LawFunction) -> str:
    """What tells laws of one name apart in a job: a hash of the formula, of held values and source.

    The source is left out where there is none, as for a law that was typed at a prompt.
    """
    record = describe(law)
    try:
        source = inspect.getsource(inspect.unwrap(law))
    except (OSError, TypeError):
        source = ""
    held = [(parameter.name, float(value)) for parameter, value in record.held]
    text = repr((record.formula, record.definitions, held, source))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def fit_settings(sampler: str, draws: int, **model: Any) -> dict[str, Any]:
    """Arguments of :func:`jscale.fit.posterior` for one forecast; those that are None left out."""
    settings = {name: value for name, value in model.items() if value is not None}
    settings |= {"sampler": sampler, "chains": _CHAINS, "draws": draws // _CHAINS}
    return settings if sampler != "nuts" else {**settings, "warmup": _WARMUP}


def priors_text(priors: Any) -> str:
    """Priors as text that tells jobs apart."""
    if not isinstance(priors, Mapping):
        return str(priors)
    from jscale.fit.bayes.priors import written

    def text(prior: Any) -> str:
        leaves = [np.asarray(leaf).tolist() for leaf in jax.tree.leaves(prior)]
        is_plain = isinstance(prior, str | tuple | list)
        return str(prior) if is_plain else f"{written(prior)} {leaves}"

    return "; ".join(f"{name} = {text(prior)}" for name, prior in priors.items())


def outcome_column(law: LawFunction) -> str:
    """The column of what a law predicts."""
    return describe(law).output.column or "loss"


def fit_notes(law: LawFunction, training: Runs, posterior: fit.Posterior) -> tuple[Note, ...]:
    """Doubts about a fit; what is known of the table is noted elsewhere."""
    known = {note.code for note in select(training, law).notes}
    notes = [note for note in posterior.notes if note.code not in known and note.severity != "info"]
    if posterior.status != Status.converged:
        message = f"the posterior ended with {Status(posterior.status)}"
        notes.append(Note("not-converged", "warning", message, {}))
    return tuple(notes)


def in_sample_band(law: LawFunction | str, *, draws: int = 1000) -> Forecaster:
    """The point fit with a band as wide as the residuals of the fitted runs.

    The log loss of a new run is normal about the law, with the root mean square of the log
    residuals of the runs that were fitted as its standard deviation; where a loss has no log, the
    loss itself. It is what many plots of scaling laws show, and the least that a forecast should
    improve on.

    Args:
        law: a declared law, or the name of one of the catalogue.
        draws: draws of each forecast.

    Example:
        >>> import jax
        >>> from jscale import assess, laws, runs
        >>> D = [1e10] * 4 + [4e10] * 4 + [2e11] * 4 + [1e12] * 4
        >>> design = {"N": [1e8, 3e8, 1e9, 3e9] * 4, "D": D}
        >>> theta, key = laws.params(laws.chinchilla), jax.random.key(0)
        >>> table = runs.simulate(laws.chinchilla, theta, design, noise=0.005, key=key)
        >>> band = assess.in_sample_band(laws.chinchilla)
        >>> result = assess.backtest(band, table, key=key, cuts=[0.6])
        >>> band.name, len(result.rows)
        ('chinchilla, in-sample RMS', 6)
    """
    law = as_law(law)
    record = describe(law)

    def forecast(training: Runs, new: Runs, key: jax.Array) -> Forecast:
        point = fit.point(law, training, starts=_STARTS)
        spread = float(np.sqrt(np.mean(point.residuals**2)))
        loss = np.broadcast_to(np.asarray(law(**inputs_at(law, new), **point.params)), len(new))
        error = spread * standard_normal(key, (draws, len(new)))
        notes = ()
        if not point.certificate.converged:
            message = f"the fit ended with {point.certificate.status}"
            notes = (Note("not-converged", "warning", message, {}),)
        is_log = point.residuals_of == "log"
        return Forecast(loss * np.exp(error) if is_log else loss + error, notes)

    return Forecaster(
        name=f"{record.name}, in-sample RMS",
        forecast=forecast,
        column=outcome_column(law),
        least_runs=len(record.parameters) + SPARE_RUNS,
        law=law,
        settings={"method": "in-sample RMS", "law": law_digest(law), "draws": draws},
    )


def inputs_at(law: LawFunction, new: Runs) -> dict[str, np.ndarray]:
    """The inputs of a law at runs without an outcome, each of shape (rows,)."""
    columns = {**new.columns, outcome_column(law): np.ones(len(new))}
    return select(replace(new, columns=columns), law).inputs


def without_outcome(table: Runs, column: str) -> Runs:
    """The table without what is to be forecast, and its standard error."""
    hidden = {table.find(column), "loss_se" if column == "loss" else None}
    columns = {name: values for name, values in table.columns.items() if name not in hidden}
    return replace(table, columns=columns)
