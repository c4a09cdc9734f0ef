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
_HEAVY = 0.2
"""For the error of B: its draws have tails so heavy that seeds differ by 10%."""
_ENDS = 0.25
"""Standard errors between ends of intervals: a 2.5% quantile of 4,000 draws is known to 0.05, of A
and B to 0.1."""


def _rows(tables: Mapping[str, Runs], key: jax.Array) -> tuple[Row, ...]:
    table = tables[DATASET]
    drawn = fit.bootstrap(chinchilla, table, draws=DRAWS, key=key)
    likely = fit.point(chinchilla, table, objective="huber-likelihood")
    return (*_grid(drawn.point), *_likelihood(likely), *_errors(drawn), *_intervals(drawn, likely))


def _grid(point: fit.Point) -> tuple[Row, ...]:
    sheet = Protocol(DATASET, "240 runs, summed Huber, delta 1e-3")
    below = f"our optimum is lower by {1 - point.objective / GRID_OBJECTIVE:.1e} of the objective"
    return (
        *sheet.constants(
            GRID,
            point.params,
            within=5e-4,
            remark=lambda n: f"{below}: theirs stopped just short of it" if n == "A" else "",
        ),
        sheet.relative("objective", GRID_OBJECTIVE, point.objective, within=1e-6),
    )


def _likelihood(point: fit.Point) -> tuple[Row, ...]:
    sheet, p = Protocol(DATASET, "240 runs, Huber likelihood, free scale"), point.params
    constants = (
        sheet.in_errors(name, value, p[name], error=ERRORS[name], within=0.001)
        for name, value in ESTIMATES.items()
    )
    a = p["beta"] / (p["alpha"] + p["beta"])
    return (*constants, sheet.in_errors("a", EXPONENT, a, error=EXPONENT_ERROR, within=0.05))


def _errors(drawn: fit.Bootstrap) -> tuple[Row, ...]:
    sheet = Protocol(DATASET, f"240 runs, {DRAWS:,} bootstrap refits by runs")
    found = {**drawn.stderr, "a": np.std(_exponents(drawn), ddof=1)}
    remarks = {
        "E": "by runs: errors that runs of one size share are not in these; drawing whole sizes gives larger ones",
        "B": "the draws of B have heavy tails: from seed to seed this moves by 10%",
    }
    return tuple(
        sheet.relative(
            f"s.e. of {name}",
            error,
            found[name],
            within=_HEAVY if name == "B" else 0.1,
            why="a sample of the bootstrap beyond what seeds differ by",
            remark=remarks.get(name, ""),
        )
        for name, error in {**ERRORS, "a": EXPONENT_ERROR}.items()
    )


def _intervals(drawn: fit.Bootstrap, likely: fit.Point) -> tuple[Row, ...]:
    sheet, ours = (
        Protocol(DATASET, f"240 runs, estimate and 95% of {DRAWS:,} bootstrap refits by runs"),
        drawn.interval(0.95),
    )
    return tuple(
        sheet.interval(
            name,
            (low, ESTIMATES[name], high),
            (ours[name][0], likely.params[name], ours[name][1]),
            error=ERRORS[name],
            within=_ENDS,
            why="a sample of the bootstrap beyond what seeds differ by",
        )
        for name, (low, high) in INTERVALS.items()
    )


def _exponents(drawn: fit.Bootstrap) -> np.ndarray:
    alpha, beta = drawn.draws["alpha"][drawn.settled], drawn.draws["beta"][drawn.settled]
    return beta / (alpha + beta)


paper = Paper(DATASET, "Besiroglu et al. 2024, arXiv 2404.10102", _rows, (DATASET,))
