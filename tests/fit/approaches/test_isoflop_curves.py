"""Curves, power laws, training curves and the three approaches side by side."""

import jax
import numpy as np
import pytest

from jscale import fit, laws, runs
from jscale._core.errors import JscaleError
from jscale._core.status import Status
from jscale.fit.approaches._curves import akima, law_slice, polynomial
from jscale.fit.approaches._powerlaw import fit_power_law
from tests.fit.tables import HOFFMANN

A_EXPONENT = HOFFMANN["beta"] / (HOFFMANN["alpha"] + HOFFMANN["beta"])


@pytest.mark.parametrize(
    ("curve", "coefficients"),
    [
        (polynomial(2), [1.0, -0.4, 0.3]),
        (polynomial(3), [1.0, -0.4, 0.3, 0.05]),
        (polynomial(3), [1.0, -0.4, -0.1, 0.2]),
        (law_slice(0.4, 0.3), [1.0, 0.5, 0.4]),
    ],
)
def test_the_vertex_is_a_minimum(curve, coefficients: list[float]):
    c = np.array(coefficients)
    x = curve.vertex(c)
    assert abs(curve.value(c, x, 1)) < 1e-14
    assert curve.value(c, x, 2) > 0
    step = 1e-5
    slope = (curve.value(c, x + 0.3 + step) - curve.value(c, x + 0.3 - step)) / (2 * step)
    assert curve.value(c, x + 0.3, 1) == pytest.approx(slope, rel=1e-8)


@pytest.mark.parametrize(
    ("curve", "coefficients"),
    [
        (polynomial(2), [1.0, 0.2, -0.3]),
        (polynomial(2), [1.0, 0.2, 0.0]),
        (polynomial(3), [1.0, 1.0, 0.1, 1.0]),
        (law_slice(0.4, 0.3), [1.0, 0.5, -0.4]),
    ],
)
def test_a_curve_without_minimum_has_no_vertex(curve, coefficients: list[float]):
    assert np.isnan(curve.vertex(np.array(coefficients)))


def test_akima_interpolates_and_is_smooth_and_local():
    x = np.array([0.0, 1.0, 2.5, 3.0, 4.0, 6.0])
    y = np.array([[1.0, 0.2, -0.3, 0.4, 1.0, 1.1], 2 * x + 1])
    np.testing.assert_allclose(akima(x, y, x), y, atol=1e-14)
    at = np.linspace(0, 6, 61)
    np.testing.assert_allclose(akima(x, y, at)[1], 2 * at + 1, atol=1e-13)
    step = 1e-7
    for knot in x[1:-1]:
        left, middle, right = akima(x, y, np.array([knot - step, knot, knot + step]))[0]
        assert (right - middle) / step == pytest.approx((middle - left) / step, abs=1e-5)
    # Akima's own example of locality: a step far away leaves the flat part flat.
    flat = akima(np.arange(9.0), np.array([0, 0, 0, 0, 0, 0, 0, 5.0, 9.0]), np.linspace(0, 4, 30))
    np.testing.assert_allclose(flat, 0, atol=1e-15)


def test_power_law_and_its_interval():
    C = np.geomspace(1e18, 1e21, 6)
    exact = fit_power_law(C, 0.3 * C**0.5)
    assert exact is not None
    assert exact.exponent == pytest.approx(0.5, abs=1e-12)
    assert exact.coefficient == pytest.approx(0.3, rel=1e-10)
    assert exact.interval[1] - exact.interval[0] < 1e-10
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(400):
        fitted = fit_power_law(C, 0.3 * C**0.5 * np.exp(0.1 * rng.standard_normal(6)))
        assert fitted is not None
        inside += fitted.interval[0] < 0.5 < fitted.interval[1]
    assert 0.92 < inside / 400 < 0.98
    two = fit_power_law(C[:2], C[:2])
    assert two is not None
    assert two.stderr == np.inf
    assert fit_power_law(C[:1], C[:1]) is None


def curves(noise: float = 0.0) -> runs.Runs:
    """Checkpoints of Hoffmann's law: thirty sizes, from 2 to 300 tokens a parameter each."""
    N = np.repeat(np.geomspace(1e8, 1e10, 30), 40)
    D = N * np.tile(np.geomspace(2, 300, 40), 30)
    names = [f"run {i // 40:02d}" for i in range(len(N))]
    design = {"N": N, "D": D, "run_id": names}
    return runs.simulate(laws.chinchilla, HOFFMANN, design, noise=noise, key=jax.random.key(0))


def test_training_curves_find_the_exponent():
    result = fit.training_curves(curves(), draws=200, key=jax.random.key(1))
    assert result.headline == "bracketed"
    assert result.status == Status.converged
    assert result.N is not None
    assert result.D is not None
    # A staircase of 30 sizes, 17% apart.
    assert result.N.exponent == pytest.approx(A_EXPONENT, abs=0.01)
    assert result.N.exponent + result.D.exponent == pytest.approx(1, abs=1e-6)
    assert result.N.interval[0] < A_EXPONENT < result.N.interval[1]
    inner = result.bracketed
    G = (HOFFMANN["alpha"] * HOFFMANN["A"] / HOFFMANN["beta"] / HOFFMANN["B"]) ** (
        1 / (HOFFMANN["alpha"] + HOFFMANN["beta"])
    )
    truth = G * (result.C[inner] / 6) ** A_EXPONENT
    assert np.abs(np.log(result.N_opt[inner] / truth)).max() < 0.16
    assert "unbracketed" in {note.code for note in result.notes}
    plain = fit.training_curves(curves()).N
    assert plain is not None
    assert plain.interval == (-np.inf, np.inf)


def test_training_curves_need_several_checkpoints_of_each_run():
    table = curves()
    last = np.arange(len(table)) % 40 == 39
    with pytest.raises(JscaleError, match="final losses are not training curves"):
        fit.training_curves(table.where(last))
    unlabelled = runs.read({name: table[name] for name in ("N", "D", "loss")})
    with pytest.raises(JscaleError, match="training curves need checkpoints and a column"):
        fit.training_curves(unlabelled)
    with pytest.raises(JscaleError, match="training curves of 3 runs"):
        fit.training_curves(table.where(np.arange(len(table)) < 80))
    mixed = runs.read({**table.columns, "run_id": [f"{i // 80}" for i in range(len(table))]})
    with pytest.raises(JscaleError, match="has several sizes N"):
        fit.training_curves(mixed)


def test_three_approaches_agree_on_one_law():
    C = np.repeat(np.geomspace(1e18, 1e21, 5), 7)
    G = (HOFFMANN["alpha"] * HOFFMANN["A"] / HOFFMANN["beta"] / HOFFMANN["B"]) ** (
        1 / (HOFFMANN["alpha"] + HOFFMANN["beta"])
    )
    N = G * (C / 6) ** A_EXPONENT * np.exp(np.tile(np.linspace(-1.5, 1.5, 7), 5))
    design = {"N": N, "D": C / 6 / N, "C": C}
    table = runs.simulate(laws.chinchilla, HOFFMANN, design, noise=0.002, key=jax.random.key(2))
    result = fit.three_approaches(table)
    first, second, third = result.exponents
    assert (first.approach, second.approach, third.approach) == (1, 2, 3)
    assert np.isnan(first.a)
    assert first.status != Status.converged
    assert "training curves need checkpoints" in first.why
    for row in (second, third):
        assert row.status == Status.converged
        width = row.a_interval[1] - row.a_interval[0]
        assert abs(row.a - A_EXPONENT) < width < 0.2
        assert row.a + row.b == pytest.approx(1)
    assert result.isoflop is not None
    assert result.isoflop.bias is not None
