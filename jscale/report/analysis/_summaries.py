"""Summaries of the runs, the residuals and the posterior."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from jscale.report.analysis._bands import Band, band
from jscale.report.analysis._study import FittedStudy

_UNITS = {
    "N": "parameters",
    "D": "tokens",
    "C": "FLOP",
}


@dataclass(frozen=True)
class ColumnSummary:
    """A column of the fitted runs.

    Attributes:
        name: of the column, or ``D/N``.
        unit: of its values.
        minimum: smallest value.
        median: middle value.
        maximum: largest value.
    """

    name: str
    unit: str
    minimum: float
    median: float
    maximum: float


def column_summaries(study: FittedStudy) -> tuple[ColumnSummary, ...]:
    """Size, data, their ratio, compute, the law's other inputs, the loss and its error."""
    units = _UNITS | dict.fromkeys(("loss", "loss_se"), study.loss_unit)
    units |= {each.name: each.unit for each in study.record.inputs}
    columns: dict[str, np.ndarray] = {}
    for name in ("N", "D", "C", *study.record.input_names, "loss", "loss_se"):
        values = study.data.inputs.get(name, study.column(name))
        if values is not None:
            columns[name] = values
        if name == "D" and {"N", "D"} <= set(columns):
            columns["D/N"] = columns["D"] / columns["N"]
            units["D/N"] = "tokens per parameter"

    return tuple(
        ColumnSummary(
            name, units.get(name, ""), float(x.min()), float(np.median(x)), float(x.max())
        )
        for name, x in columns.items()
    )


@dataclass(frozen=True)
class ResidualSummary:
    """Size of the residuals of the fit.

    Attributes:
        rms: root mean square of the residuals.
        largest: residual of largest absolute value, as a share of the predicted loss.
        largest_row: number of its row in the table, from 1.
    """

    rms: float
    largest: float
    largest_row: int


def residual_summary(study: FittedStudy) -> ResidualSummary:
    """The root mean square and the largest of the residuals."""
    point = study.point
    i = int(np.argmax(np.abs(point.residuals)))
    return ResidualSummary(
        rms=float(np.sqrt(np.mean(point.residuals**2))),
        largest=float(np.expm1(point.residuals[i])),
        largest_row=int(point.rows[i]) + 1,
    )


def irreducible_loss(study: FittedStudy) -> dict[str, Band]:
    """Parameter of irreducible loss → its value, shape (1,)."""
    return {
        each.name: band(study.samples[each.name][:, None])
        for each in study.record.parameters
        if each.role.name == "irreducible loss"
    }


def noise_summaries(study: FittedStudy) -> dict[str, Mapping[str, float]]:
    """Noise parameter → mean, sd and quantiles of its posterior, with its diagnostics."""
    if study.posterior is None:
        return {}
    summaries = {}
    for name, values in study.posterior.noise.items():
        draws = np.asarray(values)
        q05, q50, q95 = (float(q) for q in np.quantile(draws, [0.05, 0.5, 0.95]))
        moments = {"mean": float(draws.mean()), "sd": float(draws.std(ddof=1))}
        diagnostics = study.posterior.summary.get(name, {})
        summaries[name] = {**moments, "q05": q05, "q50": q50, "q95": q95, **diagnostics}
    return summaries
