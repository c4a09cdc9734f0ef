"""The size and the power of the test of trends, by simulation."""

import numpy as np
import pytest

from jscale.assess.auditing.misfit import _wild
from jscale.assess.auditing.misfit._refit import TUNING, RobustFit, _exactly_orthogonal
from jscale.assess.auditing.misfit._wild import Regression, wild_tests
from jscale.fit.objective import Clusters
from tests.assess.auditing.simulated_tables import ERRORS, THETA, D, N, bowl

TABLES = 500


def jacobian() -> np.ndarray:
    """The derivatives of the log of Chinchilla's law by its parameters, up to factors."""
    size, data = THETA["A"] * N ** -THETA["alpha"], THETA["B"] * D ** -THETA["beta"]
    columns = [np.ones(len(N)), size, data, size * np.log(N), data * np.log(D)]
    return np.stack(columns, axis=1) / (THETA["E"] + size + data)[:, None]


def p_value(errors: np.ndarray, clusters: Clusters) -> float:
    """The p value of a cubic trend along D/N in errors (rows,) about a fitted law."""
    scale = 1.4826 * float(np.median(np.abs(errors)))
    start = RobustFit(errors, jacobian(), TUNING * scale, scale)
    fit = _exactly_orthogonal(start, np.ones(len(N), bool))
    u = np.log(D / N)
    u = (u - u.mean()) / u.std()
    regression = Regression(fit.span(), fit.score, fit.curvature, fit.residuals)
    return wild_tests(regression, {"D/N": np.stack([u, u**2, u**3], axis=1)}, clusters)[
        "D/N"
    ].p_value


@pytest.fixture(autouse=True)
def fewer_draws(monkeypatch):
    monkeypatch.setattr(_wild, "DRAWS", 399)


@pytest.mark.parametrize("kind", ERRORS)
def test_size_is_nominal(kind: str):
    """Within three binomial standard errors of 5% and of 1%, over 500 tables."""
    rng = np.random.default_rng(0)
    by_size = Clusters("N", np.unique(N, return_inverse=True)[1])
    alone = Clusters(None, np.arange(len(N)))
    clusters = by_size if kind == "clustered" else alone
    p_values = np.array([p_value(ERRORS[kind](rng), clusters) for _ in range(TABLES)])
    for level in (0.05, 0.01):
        error = 3 * np.sqrt(level * (1 - level) / TABLES)
        assert abs((p_values <= level).mean() - level) <= error, (kind, level)


def test_power_on_a_planted_misfit():
    """A misfit as large as six standard deviations of the noise is found in 9 of 10 tables."""
    rng = np.random.default_rng(1)
    alone = Clusters(None, np.arange(len(N)))
    p_values = [p_value(bowl(6.0) + ERRORS["normal"](rng), alone) for _ in range(50)]
    assert np.mean(np.array(p_values) <= 0.05) >= 0.9


def test_regressors_in_the_span_of_the_law_are_left_out():
    errors = ERRORS["normal"](np.random.default_rng(0))
    fit = RobustFit(errors, jacobian(), 1.0, 1.0)
    regression = Regression(fit.span(), fit.score, fit.curvature, fit.residuals)
    columns = jacobian()[:, 1:3]
    assert wild_tests(regression, {"own": columns}, Clusters(None, np.arange(len(N)))) == {}
