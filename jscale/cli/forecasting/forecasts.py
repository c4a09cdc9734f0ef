"""Forecasts as JSON objects: what forecasts, and the rows of ``jscale predict``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from jscale._core.errors import JscaleError
from jscale._core.text import enumerated
from jscale.cli.forecasting import ensembles
from jscale.cli.support import inputs
from jscale.cli.support.session import shows_progress

if TYPE_CHECKING:
    from jscale._core.notes import Note
    from jscale.assess import CorrectedPosterior
    from jscale.cli.forecasting.points import Points
    from jscale.fit import Posterior, Prediction
    from jscale.laws import LawFunction
    from jscale.runs import Runs

DEFAULT_LAW = "chinchilla"
QUANTILES = (0.025, 0.05, 0.1, 0.5, 0.9, 0.95, 0.975)
"""Quantiles of a new run in every row."""
_LAW_QUANTILES = (0.1, 0.9)
_CHUNK_LOSSES = 4_000_000
"""Draws times points that are forecast at once: 32 MB for each of about six arrays."""
_FIRST_PART = 100
_CORRECTION = 2**31 - 1
"""Number of the key of forecasts of held-out runs; those of points count from 0."""
_CORRECTION_FILE = ".bands"
"""What is added to the name of a file of progress for that of the forecasts of held-out runs."""
_DISTANCE_CODES = ("beyond-runs", "far-forecast", "ranges-unknown")
"""Codes of notes that are made for all points together."""


class Forecaster(Protocol):
    """What predicts new runs: a posterior, or several laws together."""

    @property
    def ranges(self) -> Mapping[str, tuple[float, float]]:
        """Quantity → smallest and largest value over the runs; empty where not known."""
        ...

    def predict(self, inputs: Any, *, key: Any) -> "Prediction":
        """The forecast of new runs at some inputs."""
        ...


@dataclass(frozen=True)
class LawChoice:
    """The law of a command line.

    Attributes:
        names: of ``--law``.
        fixed: texts of ``--fix``.
        tied: texts of ``--tie``.
    """

    names: Sequence[str]
    fixed: list[str] | None = None
    tied: list[str] | None = None

    @property
    def is_given(self) -> bool:
        """Whether any option says what the law is."""
        return bool(self.names or self.fixed or self.tied)

    @property
    def is_ensemble(self) -> bool:
        """Whether laws forecast together: several are named, or nothing says what the law is."""
        return len(self.names) > 1 or not self.is_given

    def law(self) -> "LawFunction":
        """The law, with parameters fixed or tied.

        Raises:
            JscaleError: there are several, or there is no such law.
        """
        if len(self.names) > 1:
            listed = enumerated(self.names)
            raise JscaleError(f"--law: expected one law, not {len(self.names)} ({listed})")
        name = self.names[0] if self.names else DEFAULT_LAW
        return inputs.law_of(name, self.fixed, self.tied)


@dataclass(frozen=True)
class Model:
    """What forecasts besides the laws: the options of a forecast from runs.

    Attributes:
        settings: of the sampler; an ensemble uses the draws and the seed.
        errors: the error model as text; None for the default.
        priors: texts of ``--prior``; None for the default priors.
        correct: whether bands are corrected by forecasts of held-out runs.
    """

    settings: inputs.Sampling
    errors: str | None = None
    priors: list[str] | None = None
    correct: bool = True


def law_of_points(choice: LawChoice, table: "Runs", errors: str | None) -> "LawFunction":
    """A law whose inputs the points of a forecast have.

    Raises:
        JscaleError: there is no such law, or no law takes the inputs of all.
    """
    if choice.is_ensemble:
        return ensembles.widest_of(ensembles.laws_for(choice.names, table, errors))
    return choice.law()


def forecaster(
    choice: LawChoice, table: "Runs", model: Model, as_json: bool, resume: Path | None = None
) -> Forecaster:
    """What forecasts from a table of runs: the one place where laws become a forecast.

    Args:
        choice: of the laws.
        table: the runs.
        model: the other options.
        as_json: whether progress is left out.
        resume: file with the progress, or None.

    Returns:
        The posterior of one law, its bands corrected, or the ensemble of several.
    """
    settings = model.settings
    if not choice.is_ensemble:
        posterior = inputs.posterior_of(
            choice.law(),
            table,
            settings,
            as_json,
            resume,
            errors=model.errors,
            priors=model.priors,
        )
        if not model.correct:
            return posterior
        # Chains and forecasts of held-out runs are two jobs, each with a file.
        own_file = None if resume is None else resume.with_name(resume.name + _CORRECTION_FILE)
        result = corrected(posterior, table, settings.seed, as_json, own_file)
        if own_file is not None:
            own_file.unlink(missing_ok=True)
        return result

    from jscale import assess

    return assess.ensemble(
        ensembles.laws_for(choice.names, table, model.errors),
        table,
        errors=model.errors,
        key=inputs.key_of(settings.seed),
        correct=model.correct,
        draws=settings.draws,
        progress=shows_progress(as_json),
        resume=resume,
    )


def corrected(
    posterior: "Posterior",
    table: "Runs | None",
    seed: int,
    as_json: bool,
    resume: Path | None = None,
) -> "Posterior | CorrectedPosterior":
    """The posterior with its bands corrected by forecasts of held-out runs.

    Where it cannot be, since it holds no runs or its priors are not known, it is as it was, with a
    note.

    Args:
        posterior: of one law.
        table: its runs, or None for those that it holds.
        seed: of the forecasts.
        as_json: whether progress is left out.
        resume: file with the forecasts that are done, or None.
    """
    import jax

    from jscale import assess
    from jscale._core.notes import Note
    from jscale.assess.ensembles import UncorrectableError

    key = jax.random.fold_in(inputs.key_of(seed), _CORRECTION)
    try:
        return assess.correct_bands(
            posterior, table, key=key, progress=shows_progress(as_json), resume=resume
        )
    except UncorrectableError as error:
        note = Note("not-corrected", "warning", f"bands are not corrected: {error}")
        return replace(posterior, notes=(*posterior.notes, note))


def of_file(
    posterior: "Posterior", correct: bool, seed: int, as_json: bool
) -> "Posterior | CorrectedPosterior":
    """What forecasts from the posterior in a file."""
    return corrected(posterior, None, seed, as_json) if correct else posterior


def rows_of(
    source: Forecaster,
    law: "LawFunction",
    points: "Points",
    *,
    key: Any,
    level: float,
) -> "tuple[list[dict[str, Any]], tuple[Note, ...]]":
    """The rows of a forecast as JSON objects, and its notes.

    Many points are forecast in parts, so that the memory does not grow with them.

    Args:
        source: what forecasts.
        law: whose inputs the points have.
        points: of the forecast.
        key: a JAX random key.
        level: probability inside the band that rows have besides the usual quantiles.
    """
    import jax
    import numpy as np

    from jscale.fit.predictions import (
        all_inputs,
        distance_notes,
        quantities,
        without_repeats,
    )

    rows, notes, distances = [], [], []
    # The first part is small: its draws say how many points fit into the others.
    size = _FIRST_PART
    while len(rows) < len(points.rows):
        part = slice(len(rows), len(rows) + size)
        columns = {name: column[part] for name, column in points.columns.items()}
        others = {name: column[part] for name, column in points.others.items()}
        predict: Any = source.predict
        predict = partial(predict, columns=others) if others else predict
        new = predict(columns, key=jax.random.fold_in(key, part.start))
        rows += _rows(new, points.rows[part], level)
        notes += [note for note in new.notes if note.code not in _DISTANCE_CODES]
        distances.append(new.decades)
        size = max(_FIRST_PART, _CHUNK_LOSSES // len(new.draws))

    decades = {name: np.concatenate([d[name] for d in distances]) for name in distances[0]}
    values = quantities(law, all_inputs(law, points.columns))
    beyond = distance_notes(decades, source.ranges, values, noun="row")
    return rows, without_repeats((*beyond, *notes))


def _rows(
    new: "Prediction",
    given: Sequence[Mapping[str, float]],
    level: float,
) -> list[dict[str, Any]]:
    mean = new.mean()
    quantiles, law_quantiles = _quantiles_of(level)
    by_quantile = dict(zip(map(quantile_key, quantiles), new.quantile(quantiles), strict=True))
    of_law = new.parameter_quantile(law_quantiles)
    of_law = dict(zip(map(quantile_key, law_quantiles), of_law, strict=True))
    return [
        {
            "at": dict(inputs),
            "mean": mean[i],
            **{name: values[i] for name, values in by_quantile.items()},
            "parameter": {name: values[i] for name, values in of_law.items()},
            "decades": {name: values[i] for name, values in new.decades.items()},
            "shares": {name: values[i] for name, values in new.shares.items()},
        }
        for i, inputs in enumerate(given)
    ]


def values_of(
    law: "LawFunction", params: Mapping[str, float], points: "Points"
) -> list[dict[str, Any]]:
    """The law's value at the points as rows of a forecast, without a band.

    Raises:
        JscaleError: a point lies outside the domain of the law.
    """
    import numpy as np

    from jscale.fit.predictions import RESOURCES, law_values
    from jscale.laws import describe

    draws = {name: np.array([value]) for name, value in params.items()}
    values = law_values(law, draws, points.columns)[0]
    nothing = {quantile_key(p): None for p in QUANTILES}
    names = dict.fromkeys((*RESOURCES, *describe(law).input_names))
    rows = []
    for value, given in zip(values, points.rows, strict=True):
        if not np.isfinite(value):
            point = ",".join(f"{name}={number:g}" for name, number in given.items())
            raise JscaleError(
                f": {point}: law {describe(law).name!r} has no finite value there; "
                "expected a point inside the domain of the law",
                argument="inputs",
            )
        rows.append(
            {
                "at": dict(given),
                "mean": value,
                **nothing,
                "q50": value,
                "parameter": {quantile_key(p): value for p in _LAW_QUANTILES},
                "decades": dict.fromkeys(names),
                "shares": None,
            }
        )
    return rows


def no_runs_note() -> "Note":
    """A remark on a forecast from given parameters."""
    from jscale._core.notes import Note

    return Note(
        "no-runs",
        "info",
        "parameters alone give the law's value: without runs there are no noise, no band and no "
        "distance; 'jscale predict RUNS' or --posterior FILE have them",
    )


def quantile_key(p: float) -> str:
    """The JSON key of a quantile: ``q025``, ``q10``, ``q50``."""
    return "q" + f"{p:.6f}".removeprefix("0.").rstrip("0").ljust(2, "0")


def _quantiles_of(level: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Quantiles of a new run and of the law in a row: the usual ones and the ends of a level."""
    ends = (round((1 - level) / 2, 6), round((1 + level) / 2, 6))
    new_run = sorted({*QUANTILES, *ends})
    return tuple(new_run), tuple(sorted({*_LAW_QUANTILES, *ends}))
