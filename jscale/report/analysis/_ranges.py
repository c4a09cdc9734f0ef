"""Groups of runs and ranges of draws that the figures show."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from jscale.report.analysis._study import FittedStudy

_GROUPS = 8
_LEAST_GROUPS = 3
_MIN_IN_GROUP = 8
"""Runs in a group: the median of a handful is no trend."""


@dataclass(frozen=True, eq=False)
class ResidualTrend:
    """Residuals along a quantity, with medians of groups of runs.

    Attributes:
        x: the quantity, shape (rows,).
        percent: observed over predicted loss minus 1, in percent, shape (rows,).
        centres: median of ``x`` in each group, shape (groups,); empty for few runs.
        medians: median of ``percent`` in each group, shape (groups,).
    """

    x: np.ndarray
    percent: np.ndarray
    centres: np.ndarray
    medians: np.ndarray


@dataclass(frozen=True)
class DrawRange:
    """Ranges of the draws of one parameter.

    Attributes:
        interval: 5% and 95% quantiles.
        limits: 0.5% and 99.5% quantiles, between which the draws are shown.
    """

    interval: tuple[float, float]
    limits: tuple[float, float]


def residual_trends(study: FittedStudy) -> dict[str, ResidualTrend]:
    """``predicted`` and each input that varies → the residuals along it."""
    residuals = study.point.residuals
    trends = {"predicted": residual_trend(study.point.predicted, residuals)}
    for name in study.record.input_names:
        x = study.data.inputs[name]
        if x.min() < x.max():
            trends[name] = residual_trend(x, residuals)
    return trends


def residual_trend(x: np.ndarray, residuals: np.ndarray) -> ResidualTrend:
    """The trend of log residuals (rows,) along ``x`` (rows,)."""
    percent = 100 * np.expm1(residuals)
    return ResidualTrend(x, percent, *grouped_medians(x, percent))


def grouped_medians(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Medians of ``x`` and ``y`` in up to eight groups of nearly equal size along ``x``.

    Equal values of ``x`` stay in one group, and a group has eight runs at least. Empty where there
    would be fewer than three groups.
    """
    most = min(_GROUPS, len(x) // _MIN_IN_GROUP)
    distinct, group = np.unique(x, return_inverse=True)
    if len(distinct) > most > 0:
        edges = np.unique(np.quantile(x, np.linspace(0, 1, most + 1)))
        group = np.clip(np.searchsorted(edges, x, side="right"), 1, len(edges) - 1)
    groups = [g for g in np.unique(group) if (group == g).sum() >= _MIN_IN_GROUP]
    if len(groups) < _LEAST_GROUPS:
        return x[:0], y[:0]
    return (
        np.array([np.median(x[group == g]) for g in groups]),
        np.array([np.median(y[group == g]) for g in groups]),
    )


def draw_ranges(draws: Mapping[str, np.ndarray]) -> dict[str, DrawRange]:
    """Parameter → the ranges of its draws."""
    ranges = {}
    for name, values in draws.items():
        lowest, low, high, highest = (
            float(q) for q in np.quantile(values, [0.005, 0.05, 0.95, 0.995])
        )
        ranges[name] = DrawRange(interval=(low, high), limits=(lowest, highest))
    return ranges
