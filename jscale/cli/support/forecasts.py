"""Forecasts as JSON objects: points, what forecasts them, and the rows of ``jscale predict``."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from jscale._core.errors import JscaleError
from jscale._core.text import enumerated, quote
from jscale.cli.support import flags, inputs, parsing

if TYPE_CHECKING:
    import numpy as np

    from jscale._core.notes import Note
    from jscale.fit import ErrorModel, Prediction
    from jscale.laws import LawFunction
    from jscale.runs import Runs

DEFAULT_LAW = "chinchilla"
QUANTILES = (0.025, 0.05, 0.1, 0.5, 0.9, 0.95, 0.975)
"""Quantiles of a new run in every row."""
_LAW_QUANTILES = (0.1, 0.9)
_CHUNK_LOSSES = 4_000_000
"""Draws times points that are forecast at once: 32 MB for each of about six arrays."""
_FIRST_PART = 100
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


def forecaster(
    choice: LawChoice,
    table: "Runs",
    settings: inputs.Sampling,
    as_json: bool,
    *,
    errors: str | None = None,
    priors: list[str] | None = None,
) -> "tuple[LawFunction, Forecaster]":
    """What forecasts from a table of runs: the one place where laws become a forecast.

    Args:
        choice: of the law.
        table: the runs.
        settings: of the sampler.
        as_json: whether progress is left out.
        errors: the error model as text; None for the default.
        priors: texts of ``--prior``; None for the default priors.

    Returns:
        A law whose inputs the points have, and the posterior.

    Raises:
        JscaleError: more than one law.
    """
    law = choice.law()
    posterior = inputs.posterior_of(law, table, settings, as_json, errors=errors, priors=priors)
    return law, posterior


@dataclass(frozen=True)
class Points:
    """The points of a forecast.

    Attributes:
        columns: input → (points,).
        others: other column of the error model → (points,) numbers or labels.
        rows: what each point was given.
        notes: on the file that they were read from.
        option: argument that errors about the points name.
    """

    columns: "dict[str, np.ndarray]"
    others: "dict[str, np.ndarray]"
    rows: list[dict[str, Any]]
    notes: "tuple[Note, ...]" = ()
    option: str = "at"


def error_columns(errors: "ErrorModel | str | None") -> dict[str, bool]:
    """The columns that an error model has besides the law's inputs: whether each holds numbers.

    Raises:
        JscaleError: the text of an error model is wrong.
    """
    from jscale.fit import ErrorModel
    from jscale.fit.errors import columns_needed

    if errors is None:
        return {}
    return columns_needed(ErrorModel.parse(errors) if isinstance(errors, str) else errors)


def at_example(law: "LawFunction") -> str:
    """An ``--at`` of a law, for messages: ``--at N=7e10,D=1.4e12``."""
    from jscale.fit.predictions import example
    from jscale.laws import describe

    return f"--at {example(describe(law))}"


def points_of(
    law: "LawFunction",
    at: list[str] | None,
    file: str | None,
    others: Mapping[str, bool] | None = None,
) -> Points:
    """The points of ``--at``, one each, and those of the file of ``--from``.

    Args:
        law: whose inputs they have.
        at: texts of ``--at``.
        file: of ``--from``.
        others: other column that a point may have → whether it holds numbers, else labels.

    Raises:
        JscaleError: there is none, or an input is missing, unknown or outside the law's domain.
    """
    from jscale.fit.predictions import all_inputs
    from jscale.laws import describe

    names = describe(law).input_names
    allowed = {name: number for name, number in (others or {}).items() if name not in names}
    rows: list[dict[str, Any]] = [_from_text(law, text, allowed) for text in at or ()]
    notes = ()
    if file is not None:
        from_file, notes = _from_file(law, file, allowed)
        rows += from_file
    if not rows:
        raise JscaleError(f"nothing to predict: give {at_example(law)}, or --from FILE with inputs")

    defaults = {name: float(column[0]) for name, column in all_inputs(law, {}).items()}
    columns = {
        name: _column(rows, name, defaults[name])
        for name in names
        if any(name in row for row in rows)
    }
    _check_numbers(law, rows, [name for name, number in allowed.items() if number])
    extra = {
        name: _column(rows, name, math.nan if number else "")
        for name, number in allowed.items()
        if any(name in row for row in rows)
    }
    return Points(columns, extra, rows, notes, "at" if at else "from_file")


def _check_numbers(
    law: "LawFunction", rows: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> None:
    """Check that every point has the numbers that the scale of the errors depends on."""
    from jscale.laws import describe

    has_compute = {"N", "D"} <= set(describe(law).input_names)
    for name in names:
        if name == "C" and has_compute:
            continue  # 6 N D
        if any(name not in row for row in rows):
            raise JscaleError(
                f"the errors depend on {quote(name)}, which a point does not have; expected it in "
                f"every point, as in {at_example(law)},{name}=1"
            )


def _column(rows: Sequence[Mapping[str, Any]], name: str, default: Any) -> "np.ndarray":
    """The values of a column (points,), those that were left out at the default."""
    import numpy as np

    values = [row.get(name, default) for row in rows]
    return np.array(values, dtype=str if isinstance(default, str) else np.float64)


def _from_text(law: "LawFunction", text: str, others: Mapping[str, bool]) -> dict[str, Any]:
    """The point of one ``--at``."""
    from jscale.fit.predictions import checked_inputs

    example = at_example(law).removeprefix("--at ")
    pairs = parsing.pairs([text], "--at", example)
    labels = {name: label for name, label in pairs.items() if others.get(name) is False}
    numbers = [f"{name}={value}" for name, value in pairs.items() if name not in labels]
    values = parsing.values(numbers, "--at", example)
    with flags.renamed(inputs="at"):
        checked_inputs(law, {name: x for name, x in values.items() if name not in others})
    return {name: values.get(name, labels.get(name)) for name in pairs}


def _from_file(
    law: "LawFunction", file: str, others: Mapping[str, bool]
) -> "tuple[list[dict[str, Any]], tuple[Note, ...]]":
    """The points in a file, with the notes of its reader."""
    from jscale import runs

    try:
        table = runs.read(file, losses=False)
        columns = runs.inputs(table, law)
    except JscaleError as error:
        raise JscaleError(f"--from {error}") from None
    columns |= {name: table[name][table.kept] for name in others if name in table}
    values = [column.tolist() for column in columns.values()]
    points = [dict(zip(columns, point, strict=True)) for point in zip(*values, strict=True)]
    return points, table.notes


def rows_of(
    source: Forecaster,
    law: "LawFunction",
    points: Points,
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
        # Only a posterior has columns besides its inputs.
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
    law: "LawFunction", params: Mapping[str, float], points: Points
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
