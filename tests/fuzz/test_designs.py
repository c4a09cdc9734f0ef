"""Random designs: no warning of NumPy's, and an infinite standard error instead of NaN.

Few runs, equal runs, one ratio of tokens to parameters, and inputs and losses of any size. A short
run fits 16 tables; ``JSCALE_FUZZ_SCALE=10`` fits 160.
"""

import warnings

import jax
import numpy as np
import pytest

from jscale import JscaleError, fit, laws, runs
from jscale._core.status import Status
from tests.fuzz.scale import cases

KINDS = ("any", "one size", "equal runs", "one ratio", "huge inputs", "huge losses", "flat", "two")


def design(seed: int) -> dict[str, np.ndarray]:
    """Columns of a table; the kinds of design take turns."""
    rng = np.random.default_rng(seed)
    kind, rows = KINDS[seed % len(KINDS)], int(rng.integers(5, 32))
    N, D = 10 ** rng.uniform(7, 11, rows), 10 ** rng.uniform(9, 13, rows)
    loss = 1.7 + 400 * N**-0.34 + 400 * D**-0.28

    if kind in ("one size", "equal runs"):
        N[:] = N[0]
    if kind == "equal runs":
        D[:] = D[0]
    if kind == "one ratio":
        D = 20 * N
    if kind == "huge inputs":
        N, D = 10 ** rng.uniform(-150, 150, rows), 10 ** rng.uniform(-150, 150, rows)
    if kind == "huge losses":
        loss = 10 ** rng.uniform(-300, 300, rows)
    if kind == "flat":
        loss[:] = 2.5
    if kind == "two":
        N, D = rng.choice(N[:2], rows), rng.choice(D[:2], rows)
    noise = rng.choice([0.0, 0.01, 1.0]) * rng.standard_normal(rows)
    return {"N": N, "D": D, "loss": loss * np.exp(noise)}


@pytest.mark.parametrize("objective", ["huber", "raw-squares"])
@pytest.mark.filterwarnings("error")
def test_numbers_are_finite_or_infinite(objective):
    for seed in range(cases(16)):
        with warnings.catch_warnings(action="ignore"):  # of reading
            try:
                table = runs.read(design(seed))
            except JscaleError:
                continue
        weights = None if seed % 3 else np.linspace(0.1, 1.0, len(table))
        point = fit.point(laws.chinchilla, table, objective=objective, starts=4, weights=weights)
        errors = [*point.stderr.values()]
        for kind in ("fisher", "sandwich"):
            errors += fit.covariance(point, kind=kind).stderr.values()
        profile = fit.profile(point, "alpha")
        assert not np.isnan([*errors, profile.low, profile.high]).any(), seed
        if point.certificate.status == Status.converged:
            assert np.isfinite([point.objective, *point.params.values()]).all(), seed


def test_covariances_that_overflow_are_infinite():
    rng = np.random.default_rng(0)
    jacobian, residual = rng.standard_normal((10, 3)), 1e200 * rng.standard_normal(10)
    matrix = fit.optimum.sandwich(residual, jacobian, np.eye(3), lambda r: r)
    assert (np.diag(matrix) == np.inf).all()
    assert not np.isnan(matrix).any()
    assert jax.numpy.isinf(fit.optimum.delta_method_variance(np.ones(3), matrix))
