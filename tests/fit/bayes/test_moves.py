"""Points that move to a posterior, and the weighted samples that follow from them."""

from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pytest

from jscale._core.jobs import Checkpoint
from jscale.fit.bayes.sampling.importance import _moved, _moves
from jscale.fit.bayes.sampling.importance._moved import moved_sample
from jscale.fit.bayes.sampling.importance._moves import Moving, moved
from jscale.fit.bayes.sampling.importance._result import Weighted
from jscale.fit.errors import ErrorModel

SIZE = 6
"""Dimensions: one that is wide, one that bends with it, and normal ones."""
BENT = 0.3
"""Standard deviation about the bend."""
KEY = jax.random.key(0)


def bent(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log density of x ~ N(0, 1), y ~ N(x² / 2, 0.3²), z ~ N(0, 1), and its gradient."""
    x, y, z = points[:, 0], points[:, 1], points[:, 2:]
    off = (y - 0.5 * x**2) / BENT**2
    values = -0.5 * (x**2 + BENT**2 * off**2 + (z**2).sum(axis=1))
    return values, np.concatenate([(x * off - x)[:, None], -off[:, None], -z], axis=1)


MEAN = np.array([0, 0.5, 0, 0, 0, 0])
SD = np.array([1, np.sqrt(0.5 + BENT**2), 1, 1, 1, 1])


@pytest.fixture
def density(monkeypatch):
    """The density of the module in place of that of a problem."""
    monkeypatch.setattr(_moves, "gradients", lambda _, points: bent(points))
    monkeypatch.setattr(_moved, "log_densities", lambda _, points: bent(points)[0])


PROBLEM: Any = SimpleNamespace(errors=ErrorModel.parse("normal"))
"""In place of a problem, whose density is replaced."""


def without_checkpoint() -> Checkpoint:
    return Checkpoint(None, {})


def far(count: int) -> np.ndarray:
    """Points that are off by two of the widest standard deviations, and too near each other."""
    return 2.0 + 0.3 * np.random.default_rng(1).normal(size=(count, SIZE))


def test_points_move_to_the_density(density):
    moving = Moving(far(400))
    moving, path = moved(PROBLEM, moving, KEY, 100, checkpoint=without_checkpoint(), name="moves")
    assert path.free.shape == (50 * 400, SIZE)
    np.testing.assert_array_equal(path.free[-400:], moving.free)
    np.testing.assert_allclose(path.log_target, bent(path.free)[0])
    # 400 points that are nearly independent, each at 50 times: within .1 sd by keys 0 to 4.
    np.testing.assert_allclose((path.free.mean(axis=0) - MEAN) / SD, 0.0, atol=0.15)
    np.testing.assert_allclose(path.free.std(axis=0) / SD, 1.0, atol=0.15)


def test_a_sample_of_moved_points_has_the_moments(density):
    """From weights of which hardly any count."""
    start = Weighted(far(1000), np.full(1000, 1e-3), 2.0, 3.0, False)
    shares = []
    keep = {"draws": 2000, "checkpoint": without_checkpoint(), "advanced": shares.append}
    sample = moved_sample(PROBLEM, start, KEY, **keep)
    assert sample.is_good
    assert sample.effective >= 3600
    assert shares == [1.0]
    mean = sample.weights @ sample.free
    error = 4 / np.sqrt(sample.effective)
    np.testing.assert_allclose((mean - MEAN) / SD, 0.0, atol=error)
    sd = np.sqrt(sample.weights @ (sample.free - mean) ** 2)
    np.testing.assert_allclose(sd / SD, 1.0, atol=2 * error)


def test_what_is_kept_is_not_computed_again(density, monkeypatch, tmp_path):
    def sampled() -> Weighted:
        start = Weighted(far(500), np.full(500, 1 / 500), 2.0, 3.0, False)
        with Checkpoint(tmp_path / "state", {}) as checkpoint:
            keep = {"draws": 400, "checkpoint": checkpoint, "advanced": lambda _: None}
            return moved_sample(PROBLEM, start, KEY, **keep)

    whole = sampled()
    monkeypatch.setattr(_moves, "gradients", None)
    monkeypatch.setattr(_moved, "log_densities", None)
    again = sampled()
    assert again.free.tobytes() == whole.free.tobytes()
    assert again.weights.tobytes() == whole.weights.tobytes()


def test_a_sample_with_hardly_any_weights_stays(density):
    few = np.zeros(1000)
    few[:20] = 0.05
    sample = Weighted(far(1000), few, 2.0, 3.0, False)
    keep = {"draws": 400, "checkpoint": without_checkpoint(), "advanced": lambda _: None}
    assert moved_sample(PROBLEM, sample, KEY, **keep) is sample


def test_points_without_a_density_give_no_sample(density, monkeypatch):
    """Such a law may be finite where points move, and nowhere else."""
    monkeypatch.setattr(_moved, "log_densities", lambda _, points: np.full(len(points), -np.inf))
    monkeypatch.setattr(_moved, "_MOVES", (10,))
    sample = Weighted(far(500), np.full(500, 1 / 500), 2.0, 3.0, False)
    keep = {"draws": 400, "checkpoint": without_checkpoint(), "advanced": lambda _: None}
    assert moved_sample(PROBLEM, sample, KEY, **keep) is sample
