"""Rows are padded for compiled programs: no result depends on the padding."""

import jax
import numpy as np
import pytest

from jscale import fit, laws
from jscale._core.scope import float64
from jscale.fit.bayes._model import pose
from jscale.fit.bayes.sampling._whitening import isolated, potential_at
from jscale.fit.objective import (
    _compiled_form,
    _linearize,
    compiled_form,
    padded_at_least,
    padded_size,
)
from jscale.fit.objective import _problem as problems
from jscale.fit.solve import _batched
from jscale.fit.uncertainty import _resampling
from tests.fit.tables import isoflop
from tests.fuzz.test_memory import simulated

STARTS = 4
LAW = laws.power_size
"""Three parameters, which compile fast: padding is the same for every law."""


def test_sizes_are_few_and_close():
    sizes = [padded_size(rows) for rows in range(1, 3000)]
    assert sorted(set(sizes)) == [32, 64, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072]
    assert all(size >= rows for rows, size in enumerate(sizes, start=1))
    assert padded_size(240) == 256


def test_small_tables_are_padded_to_the_size_of_a_large_one_on_demand():
    assert padded_size(20) == 32
    with padded_at_least(100):
        assert [padded_size(rows) for rows in (1, 40, 100, 129)] == [128, 128, 128, 192]
        with padded_at_least(300):
            assert padded_size(1) == 384
        assert padded_size(1) == 128
    assert padded_size(20) == 32


def test_results_do_not_depend_on_the_padding_on_demand(monkeypatch):
    """A law of N and D on 40 runs: of 64 or 128 rows, and not padded."""
    table, errors = isoflop(), "normal + scale(C)"
    points = np.random.default_rng(0).normal(size=(5, 7))

    def fitted():
        problem = pose(laws.chinchilla, table, None, errors).problem
        with isolated(), jax.numpy_dtype_promotion("standard"):
            values = jax.jit(jax.vmap(lambda u: potential_at(problem, u)))(points)
        return fit.point(laws.chinchilla, table, starts=STARTS), problem.loss.shape, values

    with float64():
        point, shape, values = fitted()
        with padded_at_least(100):
            larger_point, larger_shape, larger_values = fitted()
        for module in (_compiled_form, _linearize, _batched):
            monkeypatch.setattr(module, "padded_size", lambda rows: rows)
        exact = fit.point(laws.chinchilla, table, starts=STARTS)
    assert (shape, larger_shape) == ((64,), (128,))
    for name, value in point.params.items():
        assert larger_point.params[name] == pytest.approx(value, rel=1e-6), name
        assert exact.params[name] == pytest.approx(value, rel=1e-11), name
        assert exact.stderr[name] == pytest.approx(point.stderr[name], rel=1e-8), name
    np.testing.assert_allclose(larger_values, values, rtol=1e-9)


def test_padded_rows_repeat_runs_with_weight_zero():
    columns = {"N": np.array([1.0, 2.0, 3.0])}
    data = problems.FitData(columns, np.array([4.0, 5.0, 6.0]), {"loss_min": 4.0}, 1e-3)
    form = compiled_form(laws.fix(laws.chinchilla, E=1.5), data._replace(errors=columns["N"]))
    padded = form.fit_data
    assert (len(padded.loss), padded.count) == (32, 3)
    for name, column in (("N", padded.inputs["N"]), ("errors", padded.errors)):
        np.testing.assert_array_equal(column, np.resize(columns["N"], 32), err_msg=name)
    np.testing.assert_array_equal(padded.weights, [1.0] * 3 + [0.0] * 29)
    assert padded.inputs["E"] == padded.centre["E"] == 1.5
    assert compiled_form(form.law, padded) == form


@pytest.mark.parametrize("count", [1, 2, 5, 6])
def test_the_median_is_that_of_the_runs(count):
    values = np.array([5.0, 1.0, 4.0, 2.0, 9.0, 3.0])
    with float64():
        assert problems.median_of(values, count) == np.median(values[:count])
        broken = np.where(values == 1.0, np.nan, values)
        assert np.isnan(problems.median_of(broken, count)) or count == 1


def measured(rows, objective, weights):
    """Everything that a fit returns, and what is computed from it."""
    table = simulated(rows, seed=1)
    point = fit.point(LAW, table, objective=objective, starts=STARTS, weights=weights)
    draws = fit.bootstrap(point, draws=8, key=jax.random.key(0), kind="parametric").draws
    profile = fit.profile(point, "alpha")
    numbers = {
        **point.params,
        **{f"stderr {name}": error for name, error in point.stderr.items()},
        **{f"draws {name}": column for name, column in draws.items()},
        "condition": point.certificate.condition,
        "objective": point.objective,
        "scale": point.scale,
        "predicted": point.predicted,
        "profile": [profile.low, profile.high],
        "fisher": fit.covariance(point, kind="fisher").matrix,
    }
    words = (point.certificate.status, point.certificate.agreement, point.notes, profile.notes)
    return numbers, words


def test_results_do_not_depend_on_the_padding(monkeypatch):
    rows, objective = 20, "huber-likelihood"
    weights = np.linspace(0.5, 2.0, rows)
    padded, padded_words = measured(rows, objective, weights)
    for module in (_compiled_form, _linearize, _batched, _resampling):
        monkeypatch.setattr(module, "padded_size", lambda rows: rows)
    exact, exact_words = measured(rows, objective, weights)

    assert padded_words == exact_words
    point_names = laws.describe(LAW).parameter_names
    for name, value in exact.items():
        # Covariances, draws and ends of profiles inherit the tolerances of their solvers.
        rtol = 1e-11 if name in point_names else 1e-8
        np.testing.assert_allclose(padded[name], value, rtol=rtol, err_msg=name)
