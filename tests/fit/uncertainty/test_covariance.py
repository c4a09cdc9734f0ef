"""Fisher, sandwich and cluster-sandwich covariances against formulas written out."""

import jax
import numpy as np
import pytest

from jscale import fit, laws, runs
from jscale._core.errors import JscaleError
from jscale.fit.objective._losses import HuberLikelihood, StudentLikelihood
from jscale.fit.optimum import _sandwich
from tests.fit.lines import LINE, line, matrix
from tests.fit.tables import isoflop


def squares(table: runs.Runs, kind: str, **more) -> fit.Covariance:
    return fit.covariance(LINE, table, kind, objective="log-squares", starts=4, **more)


def residuals(table: runs.Runs) -> np.ndarray:
    X, y = matrix(table), np.log(table["loss"])
    return y - X @ np.linalg.lstsq(X, y, rcond=None)[0]


def test_fisher_is_the_closed_form_of_linear_regression():
    table = line()
    X, r = matrix(table), residuals(table)
    expected = r @ r / (len(r) - 2) * np.linalg.inv(X.T @ X)
    np.testing.assert_allclose(squares(table, "fisher").matrix, expected, rtol=1e-8)


def test_fisher_with_weights_is_that_of_weighted_regression():
    table, weights = line(), np.linspace(0.2, 3.0, 30)
    X, y, root = matrix(table), np.log(table["loss"]), np.sqrt(np.linspace(0.2, 3.0, 30))
    r = root * (y - X @ np.linalg.lstsq(root[:, None] * X, root * y, rcond=None)[0])
    expected = r @ r / 28 * np.linalg.inv((X * weights[:, None]).T @ X)
    np.testing.assert_allclose(
        squares(table, "fisher", weights=weights).matrix, expected, rtol=1e-8
    )


@pytest.mark.parametrize("objective", ["student-likelihood"])
def test_weighted_fisher_is_the_spread_of_weighted_fits(objective):
    """Errors as the weights say: the spread of the fits to 60 tables is what one of them is told,
    on average.
    """
    weights, fits, errors = np.where(np.arange(30) % 2, 9.0, 0.25), [], []
    for seed in range(60):
        table = line(noise=0.0)
        noise = np.random.default_rng(seed).normal(0, 0.02, 30) / np.sqrt(weights)
        table = runs.read({**table.columns, "loss": table["loss"] * np.exp(noise)})
        made = fit.covariance(LINE, table, "fisher", objective=objective, weights=weights, starts=2)
        fits.append(made.point.params["b"])
        errors.append(made.stderr["b"])
    assert np.median(errors) == pytest.approx(np.std(fits), rel=0.25)


def test_sandwich_is_hc1():
    table = line()
    X, r = matrix(table), residuals(table)
    inverse = np.linalg.inv(X.T @ X)
    expected = inverse @ (X.T * r**2) @ X @ inverse * 30 / 28
    made = squares(table, "sandwich")
    np.testing.assert_allclose(made.matrix, expected, rtol=1e-8)
    np.testing.assert_allclose(made.matrix, made.point.covariance, rtol=1e-12)
    assert list(made.stderr) == ["a", "b"]
    np.testing.assert_allclose(list(made.stderr.values()), np.sqrt(np.diag(expected)), rtol=1e-8)


def test_cluster_sandwich_is_cr1():
    table = line()
    X, r = matrix(table), residuals(table)
    inverse, meat = np.linalg.inv(X.T @ X), np.zeros((2, 2))
    for name in np.unique(table["group"]):
        score = X[table["group"] == name].T @ r[table["group"] == name]
        meat += np.outer(score, score)
    expected = inverse @ meat @ inverse * 6 / 5 * 29 / 28
    made = squares(table, "cluster-sandwich")
    np.testing.assert_allclose(made.matrix, expected, rtol=1e-8)
    assert made.by == "group"
    assert "few-clusters" in {note.code for note in made.notes}
    with pytest.raises(JscaleError, match="no two runs share a value of 'seed'"):
        squares(table, "cluster-sandwich", by="seed")


def test_students_information_is_the_known_one():
    """(nu + 1) / (nu + 3) about the location and 2 nu / (nu + 3) about the log scale, with nothing
    in common.
    """
    with jax.enable_x64(True):
        found = _sandwich.residual_information(StudentLikelihood(4.0), np.log(0.3), 1.0)
        near_normal = _sandwich.residual_information(HuberLikelihood(8.0), np.log(0.3), 8.0)
        laplace = _sandwich.residual_information(HuberLikelihood(1e-3), 0.0, 1e-3)
    np.testing.assert_allclose(found, [[5 / 7 / 0.09, 0], [0, 8 / 7]], rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(near_normal, [[1 / 0.09, 0], [0, 2]], rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(laplace, [[1e-6, 0], [0, 1]], rtol=2e-3, atol=1e-8)


def test_fisher_of_a_likelihood_is_its_inverse_information():
    table = line(noise=0.02, tails=4.0)
    made = fit.covariance(LINE, table, "fisher", objective="student-likelihood", starts=4)
    X = matrix(table)
    r = np.log(table["loss"]) - np.log(made.point.predicted)
    # The scale at the optimum: the mean of (nu + 1) z**2 / (nu + z**2) is 1 there.
    scales = np.geomspace(1e-3, 1, 200_001)
    z2 = (r[:, None] / scales[None, ::100]) ** 2
    coarse = scales[::100][np.argmin(np.abs((5 * z2 / (4 + z2)).mean(axis=0) - 1))]
    fine = coarse * np.linspace(0.99, 1.01, 20_001)
    z2 = (r[:, None] / fine) ** 2
    scale = fine[np.argmin(np.abs((5 * z2 / (4 + z2)).mean(axis=0) - 1))]
    # Information 5 / 7 of a normal residual's; 30 / 28 for what two parameters have taken up of the
    # scale.
    np.testing.assert_allclose(
        made.matrix, np.linalg.inv(X.T @ X) * scale**2 * 7 / 5 * 30 / 28, rtol=1e-4
    )


def test_what_the_runs_do_not_tell_has_infinite_variance():
    N = np.geomspace(1e8, 1e10, 30)
    one_level = runs.simulate(
        laws.chinchilla,
        laws.params(laws.chinchilla),
        {"N": N, "D": np.full(30, 2e10)},
        noise=0.01,
        key=jax.random.key(0),
    )
    for kind in ("fisher", "sandwich"):
        stderr = fit.covariance(
            laws.chinchilla, one_level, kind, objective="log-squares", starts=8
        ).stderr
        assert np.isinf(stderr["beta"])
        assert not np.isnan(list(stderr.values())).any()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "hc3"}, "kind must be one of fisher, sandwich, cluster-sandwich, not 'hc3'"),
        ({"kind": "cluster-sandwich"}, "no runs share a group or a size"),
        ({"kind": "cluster-sandwich", "by": "seed"}, "no column 'seed'"),
        ({"kind": "cluster-sandwich", "by": "one"}, "column 'one' has one value in all runs"),
        ({"kind": "fisher", "by": "N"}, "by='N' belongs to the kind 'cluster-sandwich'"),
    ],
    ids=str,
)
def test_bad_input_is_one_line(settings, message):
    made = isoflop()
    columns = dict(made.columns) | {"N": made["N"] * np.linspace(1, 1.001, 40), "one": np.ones(40)}
    columns.pop("C", None)
    with pytest.raises(JscaleError, match=message) as caught:
        fit.covariance(laws.chinchilla, runs.read(columns), **settings)
    assert "\n" not in str(caught.value)
