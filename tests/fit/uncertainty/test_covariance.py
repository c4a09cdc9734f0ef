"""Fisher, sandwich and cluster-sandwich covariances against formulas written out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import fit, laws, runs
from jscale._core.errors import JscaleError
from jscale.fit.objective import HuberLikelihood, StudentLikelihood, params_at
from jscale.fit.optimum import resolve_point, state_at
from jscale.fit.optimum._sandwich import residual_information
from jscale.fit.solve import Batch, refit_batch
from tests.fit.lines import LINE, line, matrix

pytestmark = pytest.mark.usefixtures("one_optimiser")


@pytest.fixture(scope="module")
def point() -> fit.Point:
    return fit.point(LINE, line(), objective="log-squares", starts=4)


def residuals(table: runs.Runs) -> np.ndarray:
    X, y = matrix(table), np.log(table["loss"])
    return y - X @ np.linalg.lstsq(X, y, rcond=None)[0]


def test_fisher_is_the_closed_form_of_linear_regression(point):
    X, r = matrix(line()), residuals(line())
    expected = r @ r / (len(r) - 2) * np.linalg.inv(X.T @ X)
    np.testing.assert_allclose(fit.covariance(point, kind="fisher").matrix, expected, rtol=1e-8)


def test_fisher_with_weights_is_that_of_weighted_regression():
    table, weights = line(), np.linspace(0.2, 3.0, 30)
    X, y, root = matrix(table), np.log(table["loss"]), np.sqrt(weights)
    r = root * (y - X @ np.linalg.lstsq(root[:, None] * X, root * y, rcond=None)[0])
    expected = r @ r / 28 * np.linalg.inv((X * weights[:, None]).T @ X)
    settings = {"objective": "log-squares", "starts": 4, "weights": weights}
    covariance = fit.covariance(LINE, table, "fisher", **settings)
    np.testing.assert_allclose(covariance.matrix, expected, rtol=1e-8)


def test_weighted_fisher_is_the_spread_of_weighted_fits():
    """The spread of fits to 60 tables is the standard error of one of them, on average.

    Errors are inversely proportional to the roots of the weights.
    """
    weights = np.where(np.arange(30) % 2, 9.0, 0.25)
    noise = np.stack([np.random.default_rng(seed).normal(0, 0.02, 30) for seed in range(60)])
    losses = line(noise=0.0)["loss"] * np.exp(noise / np.sqrt(weights))
    first = runs.read({**line().columns, "loss": losses[0]})
    point = fit.point(LINE, first, objective="student-likelihood", weights=weights, starts=4)
    _, context = resolve_point(point, None, caller="test")
    state, slopes, errors = context.state, [], []

    # All tables at once; one by one they would take ten times as long.
    with jax.enable_x64(True):
        batch = Batch(
            weights=state.fit_data.weights[None],
            observed=jnp.log(losses),
            starts=jnp.asarray(state.free)[None],
            count=jnp.asarray(60),
        )
        law, objective, fit_data, stages = LINE, state.objective, state.fit_data, state.stages
        solved = refit_batch(law, objective, fit_data, stages, batch)
        assert solved.converged.all()
        slopes = np.asarray(params_at(law, objective, fit_data, solved.free)["b"])
        for loss, free in zip(losses, np.asarray(solved.free), strict=True):
            table = fit_data._replace(loss=jnp.asarray(loss))
            refit = state_at(law, objective, table, stages, free)
            errors.append(np.sqrt(refit.covariance("fisher")[1, 1]))

    stated = fit.covariance(point, kind="fisher").stderr["b"]
    assert stated == pytest.approx(errors[0], rel=1e-6)
    assert np.median(errors) == pytest.approx(np.std(slopes), rel=0.25)


def test_sandwich_is_hc1(point):
    X, r = matrix(line()), residuals(line())
    inverse = np.linalg.inv(X.T @ X)
    expected = inverse @ (X.T * r**2) @ X @ inverse * 30 / 28
    covariance = fit.covariance(point, kind="sandwich")
    np.testing.assert_allclose(covariance.matrix, expected, rtol=1e-8)
    np.testing.assert_allclose(covariance.matrix, point.covariance, rtol=1e-12)
    assert list(covariance.stderr) == ["a", "b"]
    errors = np.sqrt(np.diag(expected))
    np.testing.assert_allclose(list(covariance.stderr.values()), errors, rtol=1e-8)


def test_cluster_sandwich_is_cr1(point):
    table = line()
    X, r = matrix(table), residuals(table)
    inverse, meat = np.linalg.inv(X.T @ X), np.zeros((2, 2))
    for name in np.unique(table["group"]):
        score = X[table["group"] == name].T @ r[table["group"] == name]
        meat += np.outer(score, score)
    expected = inverse @ meat @ inverse * 6 / 5 * 29 / 28
    covariance = fit.covariance(point, kind="cluster-sandwich")
    np.testing.assert_allclose(covariance.matrix, expected, rtol=1e-8)
    assert covariance.by == "group"
    assert "few-clusters" in {note.code for note in covariance.notes}
    with pytest.raises(JscaleError, match="no two runs share a value of 'seed'"):
        fit.covariance(point, kind="cluster-sandwich", by="seed")


def test_students_information_has_its_closed_form():
    """(nu + 1) / (nu + 3) about the location and 2 nu / (nu + 3) about the log scale."""
    with jax.enable_x64(True):
        student = residual_information(StudentLikelihood(4.0), np.log(0.3), 1.0)
        nearly_normal = residual_information(HuberLikelihood(8.0), np.log(0.3), 8.0)
        laplace = residual_information(HuberLikelihood(1e-3), 0.0, 1e-3)
    np.testing.assert_allclose(student, [[5 / 7 / 0.09, 0], [0, 8 / 7]], rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(nearly_normal, [[1 / 0.09, 0], [0, 2]], rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(laplace, [[1e-6, 0], [0, 1]], rtol=2e-3, atol=1e-8)


def test_fisher_of_a_likelihood_is_its_inverse_information():
    table = line(noise=0.02, tails=4.0)
    covariance = fit.covariance(LINE, table, "fisher", objective="student-likelihood", starts=4)
    X = matrix(table)
    r = np.log(table["loss"]) - np.log(covariance.point.predicted)

    # The scale at the optimum: the mean of (nu + 1) z**2 / (nu + z**2) is 1 there.
    def nearest(scales: np.ndarray) -> float:
        z2 = (r[:, None] / scales) ** 2
        return scales[np.argmin(np.abs((5 * z2 / (4 + z2)).mean(axis=0) - 1))]

    coarse = nearest(np.geomspace(1e-3, 1, 2001))
    scale = nearest(coarse * np.linspace(0.99, 1.01, 20_001))

    # Information 5 / 7 of a normal residual's; 30 / 28 for the two fitted parameters.
    expected = np.linalg.inv(X.T @ X) * scale**2 * 7 / 5 * 30 / 28
    np.testing.assert_allclose(covariance.matrix, expected, rtol=1e-4)


def test_unidentified_parameters_have_infinite_variance():
    design = {"N": np.geomspace(1e8, 1e10, 40), "D": np.full(40, 2e10)}
    theta = laws.params(laws.chinchilla)
    table = runs.simulate(laws.chinchilla, theta, design, noise=0.01, key=jax.random.key(0))
    point = fit.point(laws.chinchilla, table, objective="log-squares", starts=8)
    for kind in ("fisher", "sandwich"):
        stderr = fit.covariance(point, kind=kind).stderr
        assert np.isinf(stderr["beta"])
        assert not np.isnan(list(stderr.values())).any()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "hc3"}, "kind must be one of fisher, sandwich, cluster-sandwich, not 'hc3'"),
        ({"kind": "cluster-sandwich"}, "no runs share a trained model, a group or a size"),
        ({"kind": "cluster-sandwich", "by": "seed"}, "no column 'seed'"),
        ({"kind": "cluster-sandwich", "by": "one"}, "column 'one' has one value in all runs"),
        ({"kind": "fisher", "by": "N"}, "by='N' belongs to the kind 'cluster-sandwich'"),
    ],
    ids=str,
)
def test_a_mistake_is_one_line(settings, message):
    columns = {**line().columns, "one": np.ones(30)}
    del columns["group"], columns["seed"]
    settings = {**settings, "objective": "log-squares", "starts": 4}
    with pytest.raises(JscaleError, match=message) as caught:
        fit.covariance(LINE, runs.read(columns), **settings)
    assert "\n" not in str(caught.value)
