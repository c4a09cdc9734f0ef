"""Distillation: the broken power law in logarithms, the capacity gap, and recovery."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import fit, laws, runs
from jscale.laws.data._distill import distilled
from tests.laws.catalogue_points import DTYPES, cast, in_dtype

THETA = {
    "c0": 1.2,
    "c1": 2.0,
    "d1": 1.3,
    "f1": 0.1,
    "A": 300.0,
    "B": 900.0,
    "alpha": 0.35,
    "beta": 0.36,
    "gamma": 0.8,
}


@pytest.fixture(autouse=True)
def _double():
    with in_dtype("float64"):
        yield


@pytest.mark.parametrize("teacher", [1.6, 2.2, 3.0, 4.5])
def test_value_is_the_printed_equation(teacher):
    """Busbridge et al. 2025, eq. 8, evaluated directly."""
    p, N, D, student_loss = THETA, 5e8, 2e10, 2.6
    break_factor = (1 + (teacher / (student_loss * p["d1"])) ** (1 / p["f1"])) ** (
        -p["c1"] * p["f1"]
    )
    excess = (p["A"] / N ** p["alpha"] + p["B"] / D ** p["beta"]) ** p["gamma"]
    printed = teacher + teacher ** -p["c0"] * break_factor * excess
    np.testing.assert_allclose(distilled(N, D, teacher, student_loss, **p), printed, rtol=1e-14)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_sharp_break_does_not_overflow(dtype):
    """At a width of 0.005, where the inner power exceeds 1e150, the slope follows c1."""
    with in_dtype(dtype):
        theta = cast({**THETA, "f1": 0.005}, dtype)
        point = cast({"N": 5e8, "D": 2e10, "L_teacher": 6.0, "L_student": 2.0}, dtype)
        value, slopes = jax.value_and_grad(lambda at: distilled(**at, **theta))(point)
        student = (300 / 5e8**0.35 + 900 / 2e10**0.36) ** 0.8
        sharp = 6.0 + 6.0**-1.2 * (6 / (2 * 1.3)) ** -2.0 * student
        np.testing.assert_allclose(value, sharp, rtol=1e-6)
        assert all(np.isfinite(s) for s in slopes.values())


def test_capacity_gap():
    """Capacity gap: an intermediate teacher is best; one far better than the student hurts."""
    teachers = jnp.linspace(0.3, 6.0, 400)
    losses = distilled(1e8, 2e9, teachers, 3.2, **THETA)
    best = int(jnp.argmin(losses))
    assert 0 < best < 399
    assert (jnp.diff(losses[: best + 1]) < 0).all()


def test_recovery():
    """With the break fixed, students of several sizes and teachers identify the rest."""
    key = jax.random.key(5)
    rows = 160
    columns = {"N": (1e8, 8e9), "D": (4e9, 5e11), "L_teacher": (1.8, 3.2), "L_student": (2.0, 3.4)}
    draws = jax.random.uniform(key, (len(columns), rows))
    design = {
        name: np.exp(np.log(low) + np.asarray(u) * np.log(high / low))
        for u, (name, (low, high)) in zip(draws, columns.items(), strict=True)
    }
    law = laws.fix(distilled, d1=THETA["d1"], f1=THETA["f1"], gamma=THETA["gamma"])
    theta = {k: v for k, v in THETA.items() if k not in ("d1", "f1", "gamma")}
    table = runs.simulate(law, theta, design, noise=1e-6, key=key)
    point = fit.point(law, table, starts=4)
    for name, value in theta.items():
        np.testing.assert_allclose(point.params[name], value, rtol=1e-2, err_msg=name)
