"""Besiroglu et al. 2024: Chinchilla's law on the points of Hoffmann et al.'s Figure 4."""

from collections.abc import Mapping

import jax
import numpy as np

from jscale import fit
from jscale.assess.published._row import Paper, Protocol, Row
from jscale.laws import chinchilla
from jscale.runs import Runs

DATASET = "chinchilla"
GRID = {"A": 477.8417, "B": 2143.8638, "E": 1.8172355, "alpha": 0.3473127, "beta": 0.3671826}
"""The best of the authors' grid of starts, by the summed Huber loss."""
GRID_OBJECTIVE = 0.0010182740346
ESTIMATES = {"E": 1.81686, "A": 482.006, "B": 2085.43, "alpha": 0.34781, "beta": 0.36585}
ERRORS = {"E": 0.02566, "A": 124.52, "B": 1293.28, "alpha": 0.01540, "beta": 0.02060}
"""Standard deviations of 4,000 bootstrap refits."""
INTERVALS = {
    "E": (1.769, 1.871),
    "A": (285.2, 743.6),
    "B": (1042.0, 5810.0),
    "alpha": (0.317, 0.373),
    "beta": (0.331, 0.415),
}
"""95% of the same refits."""
EXPONENT, EXPONENT_ERROR = 0.513, 0.020
DRAWS = 4000

_WITHIN_ERROR = 0.1
_WITHIN_ERROR_OF_B = 0.2
"""Relative; the draws of B have tails so heavy that its standard error varies by 10% from seed to
seed."""
_WITHIN_END = 0.25
"""Standard errors between ends of intervals: a 2.5% quantile of 4,000 draws has a Monte-Carlo error
of 0.05, for A and B of 0.1."""
_REASON = "the bootstrap samples differ by more than two seeds do"
_ERROR_COMMENTS = {
    "E": (
        "resampling runs leaves out errors that runs of one size share; "
        "resampling sizes gives larger standard errors"
    ),
    "B": "the draws of B have heavy tails: this varies by 10% from seed to seed",
}


def _rows(tables: Mapping[str, Runs], key: jax.Array) -> tuple[Row, ...]:
    table = tables[DATASET]
    bootstrap = fit.bootstrap(chinchilla, table, draws=DRAWS, key=key)
    likelihood = fit.point(chinchilla, table, objective="huber-likelihood", starts=16)
    return (
        *_grid(bootstrap.point),
        *_likelihood(likelihood),
        *_errors(bootstrap),
        *_intervals(bootstrap, likelihood),
    )


def _grid(point: fit.Point) -> tuple[Row, ...]:
    protocol = Protocol(DATASET, "240 runs, summed Huber, delta 1e-3")
    gain = 1 - point.objective / GRID_OBJECTIVE
    comment = f"our objective is lower by {gain:.1e} of it: their optimiser stopped slightly early"
    constants = protocol.constants(
        GRID, point.params, within=5e-4, comment=lambda name: comment if name == "A" else ""
    )
    objective = protocol.relative("objective", GRID_OBJECTIVE, point.objective, within=1e-6)
    return (*constants, objective)


def _likelihood(point: fit.Point) -> tuple[Row, ...]:
    protocol = Protocol(DATASET, "240 runs, Huber likelihood, free scale")
    p = point.params
    constants = (
        protocol.in_errors(name, value, p[name], error=ERRORS[name], within=0.001)
        for name, value in ESTIMATES.items()
    )
    a = p["beta"] / (p["alpha"] + p["beta"])
    return (*constants, protocol.in_errors("a", EXPONENT, a, error=EXPONENT_ERROR, within=0.05))


def _errors(bootstrap: fit.Bootstrap) -> tuple[Row, ...]:
    protocol = Protocol(DATASET, f"240 runs, {DRAWS:,} bootstrap refits by runs")
    stderr = {**bootstrap.stderr, "a": np.std(_exponents(bootstrap), ddof=1)}
    return tuple(
        protocol.relative(
            f"s.e. of {name}",
            error,
            stderr[name],
            within=_WITHIN_ERROR_OF_B if name == "B" else _WITHIN_ERROR,
            reason=_REASON,
            comment=_ERROR_COMMENTS.get(name, ""),
        )
        for name, error in {**ERRORS, "a": EXPONENT_ERROR}.items()
    )


def _intervals(bootstrap: fit.Bootstrap, likelihood: fit.Point) -> tuple[Row, ...]:
    fitted = f"240 runs, estimate and 95% of {DRAWS:,} bootstrap refits by runs"
    protocol = Protocol(DATASET, fitted)
    ends = bootstrap.interval(0.95)
    return tuple(
        protocol.interval(
            name,
            (low, ESTIMATES[name], high),
            (ends[name][0], likelihood.params[name], ends[name][1]),
            error=ERRORS[name],
            within=_WITHIN_END,
            reason=_REASON,
        )
        for name, (low, high) in INTERVALS.items()
    )


def _exponents(bootstrap: fit.Bootstrap) -> np.ndarray:
    """Draws of ``beta / (alpha + beta)``."""
    draws, converged = bootstrap.draws, bootstrap.settled
    alpha, beta = draws["alpha"][converged], draws["beta"][converged]
    return beta / (alpha + beta)


paper = Paper(DATASET, "Besiroglu et al. 2024, arXiv 2404.10102", _rows, (DATASET,))
