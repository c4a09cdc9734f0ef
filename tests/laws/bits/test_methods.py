"""One effective-parameter multiplier for every compression method."""

import jax
import numpy as np
import pytest

from jscale import fit, laws, runs
from jscale._core.errors import JscaleError
from jscale.laws.bits._compressed import compressed, quest
from jscale.laws.bits._methods import compressed_methods
from tests.tolerances import VALUE

DENSE = {"E": 1.2, "A": 300.0, "B": 1500.0, "alpha": 0.33, "beta": 0.35}


def test_one_method_is_the_law_of_one():
    theta = {**DENSE, "eff": 0.4}
    for method in (0.0, 1.0):
        value = compressed_methods(1)(1e8, 2e9, method, **DENSE, eff_1=0.4)
        np.testing.assert_allclose(
            value, compressed(1e8, 2e9, method, **theta), rtol=VALUE["float64"]
        )


def test_every_method_has_its_share():
    law, shares = compressed_methods(3), {"eff_1": 0.7, "eff_2": 0.2, "eff_3": 1.016}
    for i in (1, 2, 3):
        flags = {f"compressed_{j}": float(i == j) for j in (1, 2, 3)}
        expected = quest(1e8, 2e9, shares[f"eff_{i}"], **DENSE)
        np.testing.assert_allclose(law(1e8, 2e9, **flags, **DENSE, **shares), expected, rtol=1e-6)


def test_the_family_by_name():
    assert laws.get("compressed_methods(3)") is compressed_methods(3)
    assert laws.get("compressed_methods") is laws.get("compressed_methods(1)")


@pytest.mark.parametrize("n", [0, -1, 1.5, "2"])
def test_a_number_of_methods_that_makes_no_sense(n):
    with pytest.raises(JscaleError, match=r"n is .*; expected a whole number"):
        compressed_methods(n)


def test_recovery():
    sizes, ratios, methods = (
        a.ravel() for a in np.meshgrid([3e7, 1e8, 3e8, 1e9], [10.0, 40.0, 160.0], [0, 1, 2])
    )
    truth = {**DENSE, "eff_1": 0.6, "eff_2": 0.15}
    columns = {
        "N": sizes,
        "D": sizes * ratios,
        "compressed_1": methods == 1.0,
        "compressed_2": methods == 2.0,
    }
    columns = {name: np.asarray(column, dtype=float) for name, column in columns.items()}
    table = runs.simulate(compressed_methods(2), truth, columns, noise=5e-4, key=jax.random.key(0))
    point = fit.point(compressed_methods(2), table, objective="log-squares", starts=8)
    assert point.certificate.converged
    for name in ("eff_1", "eff_2"):
        assert abs(point.params[name] - truth[name]) < 4 * point.stderr[name]
        assert point.params[name] == pytest.approx(truth[name], rel=0.05)
