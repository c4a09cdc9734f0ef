"""Tables with known errors, and points at the true parameters instead of fitted ones."""

from collections.abc import Callable

import numpy as np

from jscale import laws, runs
from jscale.fit import Point
from jscale.runs import Runs
from tests.report.stand_ins import point_of

LAW = laws.chinchilla
THETA = laws.params(LAW, "besiroglu2024")
SIZES, TOKENS = np.geomspace(5e7, 1e10, 8), np.geomspace(1e9, 2e11, 4)
N, D = (grid.ravel() for grid in np.meshgrid(SIZES, TOKENS))
ERRORS: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "normal": lambda rng: rng.normal(size=len(N)),
    "student": lambda rng: rng.standard_t(3, size=len(N)),
    "clustered": lambda rng: (
        0.7 * rng.normal(size=len(N)) + np.tile(rng.normal(size=len(SIZES)), len(TOKENS))
    ),
}
"""Kind of errors → draws (rows,); clustered ones are shared by runs of one size."""


def table_with(errors: np.ndarray, **columns: np.ndarray) -> Runs:
    """A table whose log losses differ from the law's by ``errors`` (rows,)."""
    loss = np.asarray(LAW(N, D, **THETA)) * np.exp(errors)
    return runs.read({"N": N, "D": D, "loss": loss, **columns})


def at_truth(table: Runs) -> Point:
    """A point at the true parameters."""
    return point_of(LAW, table, THETA)


def bowl(size: float) -> np.ndarray:
    """A misfit (rows,) that is quadratic in log D/N, from ``-size / 2`` to ``size / 2``."""
    u = np.log(D / N)
    curve = (u - u.mean()) ** 2
    return size * (curve / np.ptp(curve) - 0.5)
