"""Parallel streams: a published value, the equivalent size, and recovery."""

import jax
import numpy as np
import pytest

from jscale import fit, laws, runs
from jscale.laws.loss._parallel import parallel, parallel_size
from tests.laws.catalogue_points import in_dtype
from tests.tolerances import REFERENCE

THETA = laws.params(parallel)


@pytest.fixture(autouse=True)
def _double():
    with in_dtype("float64"):
        yield


def test_value():
    """Chen et al. 2025, authors' code, Stack-V2-Python: 1.57e9 parameters and four streams."""
    np.testing.assert_allclose(parallel(1571472384, 4, **THETA), 1.052961743, rtol=REFERENCE)


@pytest.mark.parametrize("source", laws.describe(parallel).published)
def test_equivalent_size_of_one_stream(source):
    theta = laws.params(parallel, source)
    same = parallel_size(1e9, 8.0, theta)
    np.testing.assert_allclose(
        parallel(same, 1.0, **theta), parallel(1e9, 8.0, **theta), rtol=1e-14
    )
    assert 1.6e9 < same < 1.9e9


def test_one_stream_is_a_power_law():
    A = THETA["A"] ** THETA["alpha"]
    expected = laws.power_size(1e9, L_inf=THETA["E"], A=A, alpha=THETA["alpha"])
    np.testing.assert_allclose(parallel(1e9, 1, **THETA), expected, rtol=1e-13)


def test_recovery():
    N, P = (g.ravel() for g in np.meshgrid(np.geomspace(1e8, 2e10, 12), [1.0, 2.0, 4.0, 8.0, 16.0]))
    table = runs.simulate(
        parallel, THETA, {"N": N, "parallel_P": P}, noise=1e-5, key=jax.random.key(1)
    )
    point = fit.point(parallel, table, starts=4)
    for name, rtol in (("E", 5e-3), ("alpha", 5e-3), ("k", 5e-3), ("A", 5e-2)):
        np.testing.assert_allclose(point.params[name], THETA[name], rtol=rtol, err_msg=name)
