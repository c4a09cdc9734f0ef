"""Proposals and weights of adaptive importance sampling, on densities with known moments."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
import scipy.stats

from jscale._core.jobs import Checkpoint
from jscale.fit.bayes.sampling.importance import Weighted, _adaptive, _rounds
from jscale.fit.bayes.sampling.importance._bends import Bent, Straight
from jscale.fit.bayes.sampling.importance._mixture import Mixture, Proposal, Shape, about, fitted
from jscale.fit.bayes.sampling.importance._result import counting

RNG_SEED = 3


def banana(points: np.ndarray) -> np.ndarray:
    """Log density: x ~ N(0, 1), y ~ N(x^2 / 3, 0.2), two more are standard normals."""
    x, y, *others = points.T
    rest = -0.5 * sum(other**2 for other in others)
    return -0.5 * x**2 - 0.5 * ((y - x**2 / 3) / 0.2) ** 2 + rest


def two_ends(points: np.ndarray) -> np.ndarray:
    """Log density of the logs of two terms of which the runs know the sum within 2% only."""
    a, b = points.T
    prior = -0.5 * ((a + 1.5) ** 2 + (b + 1.5) ** 2) / 1.5**2
    return prior - 0.5 * (np.logaddexp(a, b) / 0.02) ** 2


def sampled(monkeypatch, density, size: int, seed: int = 0) -> Weighted:
    monkeypatch.setattr(_adaptive, "log_densities", lambda _, points: density(points))
    start = about(np.zeros(size), 0.5 * np.eye(size))
    nothing: dict = {"draws": 2000, "checkpoint": Checkpoint(None, {}), "advanced": lambda _: None}
    return _adaptive.weighted_sample(None, start, jax.random.key(seed), **nothing)  # type: ignore[arg-type] # (no problem: the density is replaced)


def test_a_bent_ridge_has_its_moments(monkeypatch):
    sample = sampled(monkeypatch, banana, 4)
    assert sample.is_good
    mean = sample.weights @ sample.free
    sd = np.sqrt(sample.weights @ (sample.free - mean) ** 2)
    error = 4 / np.sqrt(sample.effective)
    # The mean of y is 1 / 3, its variance 0.2^2 + 2 / 9; it has a kurtosis of 12.
    expected = np.array([1, np.sqrt(0.04 + 2 / 9), 1, 1])
    np.testing.assert_allclose(mean / expected, [0, 1 / 3 / expected[1], 0, 0], atol=error)
    np.testing.assert_allclose(sd / expected, 1.0, atol=2 * error)


def test_points_that_overflow_do_not_count():
    """Heavy tails in other coordinates: the square of such a value is infinite."""
    points = np.random.default_rng(0).normal(size=(400, 3))
    points[7, 1] = 1e200
    weights = np.full(400, 1 / 399)
    weights[3] = 0.0
    kept, log_weights = counting(Weighted(points, weights, 0.8, 399.0, True))
    assert kept.tobytes() == np.delete(points, [3, 7], axis=0).tobytes()
    assert log_weights == pytest.approx(-np.log(399))


def test_both_ends_of_a_ridge_are_sampled(monkeypatch):
    """From a start at neither end: the two terms have the same distribution."""
    sample = sampled(monkeypatch, two_ends, 2)
    assert sample.is_good
    share = sample.weights @ (sample.free[:, 0] > sample.free[:, 1])
    assert share == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(sample.effective))
    # By quadrature along the ridge: the share of draws in which a term is below a hundredth.
    edges = np.linspace(-12, 1, 2601)
    grid = np.stack(np.meshgrid(edges, np.linspace(-0.1, 0.1, 201)), axis=-1).reshape(-1, 2)
    a, total = grid.T
    inside = a < total
    b = total + np.log1p(-np.exp(np.minimum(a - total, -1e-12)))
    # da db = da dtotal e^(total - b)
    density = np.where(inside, np.exp(two_ends(np.stack([a, b], axis=1)) + total - b), 0.0)
    expected = density[a < np.log(0.01)].sum() / density.sum()
    share = sample.weights @ (sample.free[:, 0] < np.log(0.01))
    assert share == pytest.approx(expected, abs=4 * np.sqrt(expected / sample.effective))


def test_equal_keys_give_equal_points(monkeypatch):
    first, same, other = (sampled(monkeypatch, banana, 4, seed) for seed in (0, 0, 1))
    assert first.free.tobytes() == same.free.tobytes()
    assert first.weights.tobytes() == same.weights.tobytes()
    assert first.free[:10].tobytes() != other.free[:10].tobytes()


def fitted_bytes() -> str:
    """A digest of a proposal and of densities under it."""
    rng = np.random.default_rng(RNG_SEED)
    points = rng.normal(size=(20_000, 6))
    weights = rng.dirichlet(np.ones(20_000))
    proposal = fitted(points, weights, weights, rng, Shape(components=2))
    values = (*proposal.mixture[:3], proposal.log_density(points), proposal.draw(1000, rng))
    return hashlib.sha256(b"".join(each.tobytes() for each in values)).hexdigest()


def test_the_threads_of_blas_do_not_change_the_bytes():
    variables = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
    script = "from tests.fit.bayes import test_proposals as t; print(t.fitted_bytes())"
    alone = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | dict.fromkeys(variables, "1"),
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    assert alone.stdout.strip() == fitted_bytes()


def test_points_without_a_density_have_no_weight():
    log_weights = np.full(2000, -np.inf)
    log_weights[:10] = 0.0
    weights = _rounds.tempered(log_weights, least=40.0)
    np.testing.assert_allclose(weights[:10], 0.1, rtol=1e-12)
    assert not weights[10:].any()
    np.testing.assert_allclose(_rounds.tempered(log_weights[10:], least=40.0), 1 / 1990)


def test_the_density_of_a_mixture_is_that_of_scipy():
    rng = np.random.default_rng(RNG_SEED)
    roots = np.array([np.eye(3), np.tril(rng.normal(size=(3, 3)), -1) + 0.5 * np.eye(3)])
    mixture = Mixture(np.array([0.3, 0.7]), rng.normal(size=(2, 3)), roots)
    points = rng.normal(size=(20, 3))
    parts = [
        share * scipy.stats.multivariate_t(mean, root @ root.T, df=int(mixture.nu)).pdf(points)
        for share, mean, root in zip(mixture.shares, mixture.means, mixture.roots, strict=True)
    ]
    densities = Proposal(Straight(np.zeros(3), np.eye(3)), mixture).log_density(points)
    np.testing.assert_allclose(densities, np.log(np.sum(parts, axis=0)), rtol=1e-10)


def test_bent_coordinates_go_back_and_have_their_volume():
    rng = np.random.default_rng(RNG_SEED)
    points = rng.normal(size=(500, 3)) * [3.0, 0.3, 1.0]
    points[:, 1] += points[:, 0] ** 2 / 3
    coordinates = Bent(points, np.full(500, 1 / 500))
    z = coordinates.from_free(points)
    np.testing.assert_allclose(coordinates.to_free(z), points, atol=1e-8)
    assert np.corrcoef(z[:, 0] ** 2, z[:, 2])[0, 1] == pytest.approx(0.0, abs=0.1)

    step = 1e-5 * np.eye(3)
    jacobian = (coordinates.to_free(z[0] + step) - coordinates.to_free(z[0] - step)) / 2e-5
    assert np.linalg.slogdet(jacobian)[1] == pytest.approx(coordinates.log_volume, abs=1e-6)


def test_components_find_two_clusters():
    rng = np.random.default_rng(RNG_SEED)
    points = rng.normal(size=(2000, 2)) + np.where(np.arange(2000)[:, None] < 600, 8.0, -8.0)
    weights = np.full(2000, 1 / 2000)
    proposal = fitted(points, weights, weights, rng, Shape(components=4))
    draws = proposal.draw(4000, rng)
    assert np.mean(draws.sum(axis=1) > 0) == pytest.approx(0.3, abs=0.03)
    assert np.mean(np.abs(draws.sum(axis=1)) < 8) < 0.05
