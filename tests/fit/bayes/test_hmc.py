"""Chains of Hamiltonian Monte Carlo, and the weighted samples that follow from them."""

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from jscale._core.jobs import Checkpoint
from jscale._core.scope import float64
from jscale._core.status import Status
from jscale.fit.bayes._model import pose
from jscale.fit.bayes.sampling._density import gradients, log_densities
from jscale.fit.bayes.sampling._whitening import potential_at
from jscale.fit.bayes.sampling.importance import _hmc, _hmc_sample
from jscale.fit.bayes.sampling.importance._hmc import BLOCK, State, run_chains
from jscale.fit.bayes.sampling.importance._hmc_sample import hmc_sample
from jscale.fit.bayes.sampling.importance._mixture import about
from jscale.fit.bayes.sampling.importance._result import Weighted
from jscale.fit.bayes.sampling.importance._rounds import nothing
from jscale.fit.errors import ErrorModel
from tests.fit.bayes.test_importance import FLAT, VARIANCE, closed_form, conjugate, line, power

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
    monkeypatch.setattr(_hmc, "gradients", lambda _, points: bent(points))
    monkeypatch.setattr(_hmc_sample, "log_densities", lambda _, points: bent(points)[0])


PROBLEM: Any = SimpleNamespace(errors=ErrorModel.parse("normal"))
"""In place of a problem, whose density is replaced."""


def without_checkpoint() -> Checkpoint:
    return Checkpoint(None, {})


def far(count: int) -> np.ndarray:
    """Points that are off by two of the widest standard deviations, and too near each other."""
    return 2.0 + 0.3 * np.random.default_rng(1).normal(size=(count, SIZE))


def test_chains_find_the_density(density):
    state, path = run_chains(
        PROBLEM, State(far(400)), KEY, 20, checkpoint=without_checkpoint(), name="HMC"
    )
    assert path.free.shape == (10 * BLOCK * 400, SIZE)
    np.testing.assert_array_equal(path.free[-400:], state.free)
    np.testing.assert_allclose(path.log_target, bent(path.free)[0])
    # By keys 0 to 4 means are off by .01 to .06 sd at most, standard deviations by 1 to 14%.
    np.testing.assert_allclose((path.free.mean(axis=0) - MEAN) / SD, 0.0, atol=0.15)
    np.testing.assert_allclose(path.free.std(axis=0) / SD, 1.0, atol=0.15)


def test_a_sample_from_chains_has_the_moments(density):
    """From weights of which hardly any count."""
    start = Weighted(far(1000), np.full(1000, 1e-3), 2.0, 3.0, False)
    sample = hmc_sample(PROBLEM, start, KEY, checkpoint=without_checkpoint())
    assert sample.is_good
    assert sample.effective >= 1600
    mean = sample.weights @ sample.free
    error = 4 / np.sqrt(sample.effective)
    np.testing.assert_allclose((mean - MEAN) / SD, 0.0, atol=error)
    sd = np.sqrt(sample.weights @ (sample.free - mean) ** 2)
    np.testing.assert_allclose(sd / SD, 1.0, atol=2 * error)


def test_what_is_kept_is_not_computed_again(density, monkeypatch, tmp_path):
    def sampled() -> Weighted:
        start = Weighted(far(500), np.full(500, 1 / 500), 2.0, 3.0, False)
        with Checkpoint(tmp_path / "state", {}) as checkpoint:
            return hmc_sample(PROBLEM, start, KEY, checkpoint=checkpoint)

    whole = sampled()
    monkeypatch.setattr(_hmc, "gradients", None)
    monkeypatch.setattr(_hmc_sample, "log_densities", None)
    again = sampled()
    assert again.free.tobytes() == whole.free.tobytes()
    assert again.weights.tobytes() == whole.weights.tobytes()


def test_a_sample_with_hardly_any_weights_stays(density):
    few = np.zeros(1000)
    few[:20] = 0.05
    sample = Weighted(far(1000), few, 2.0, 3.0, False)
    keep = {"checkpoint": without_checkpoint()}
    assert hmc_sample(PROBLEM, sample, KEY, **keep) is sample


def test_points_without_a_density_give_no_sample(density, monkeypatch):
    """Such a law may be finite where chains are, and nowhere else."""
    monkeypatch.setattr(
        _hmc_sample, "log_densities", lambda _, points: np.full(len(points), -np.inf)
    )
    monkeypatch.setattr(_hmc_sample, "_BLOCKS", (2,))
    sample = Weighted(far(500), np.full(500, 1 / 500), 2.0, 3.0, False)
    keep = {"checkpoint": without_checkpoint()}
    assert hmc_sample(PROBLEM, sample, KEY, **keep) is sample


def test_one_point_with_much_of_the_weight_is_no_sample(density, monkeypatch):
    """Smoothing hides it: it is the sign of a region where proposals are too low."""
    monkeypatch.setattr(_hmc_sample, "_BLOCKS", (20,))

    def with_outlier(_, points):
        values = bent(points)[0]
        if len(points) == 2000:  # a third of the first points: others are as they are
            values[7] = values.max() + 12.0
        return values

    start = Weighted(far(500), np.full(500, 1 / 500), 2.0, 3.0, False)
    keep = {"checkpoint": without_checkpoint()}
    assert hmc_sample(PROBLEM, start, KEY, **keep).is_good
    monkeypatch.setattr(_hmc_sample, "log_densities", with_outlier)
    sample = hmc_sample(PROBLEM, start, KEY, **keep)
    assert sample.effective > 400  # by smoothed weights
    assert not sample.is_good


def test_slow_chains_that_are_near_do_not_refuse_what_two_samples_agree_on():
    rng = np.random.default_rng(0)
    proposal = about(np.zeros(2), np.eye(2))

    def drawn():
        points = proposal.draw(4000, rng)
        return nothing(2).extended(proposal, points, -0.5 * (points**2).sum(axis=1))[0]

    before, sample = drawn(), drawn()
    at = rng.normal(size=(500, 2))
    for shift, alone, together in ((0.0, True, True), (0.35, False, True), (1.0, False, False)):
        state = State(at + np.array([shift, 0.0]))
        assert _hmc_sample._weighed(sample, state, None).agreed == alone
        assert _hmc_sample._weighed(sample, state, before).agreed == together
    few = before._replace(log_target=before.log_target + np.where(np.arange(4000) < 9, 50.0, 0.0))
    assert not _hmc_sample._weighed(sample, State(at + np.array([0.35, 0.0])), few).agreed


def test_gradients_are_those_of_the_density():
    """Of numbers of points that are no multiple of the block, and fewer than one."""
    priors = {"p": FLAT, "sigma": VARIANCE}
    with float64(), jax.numpy_dtype_promotion("standard"):
        problem = pose(power, line(), priors, "normal").problem
        points = np.random.default_rng(0).normal(size=(103, 2)) * 0.1
        expected = -np.asarray(
            jax.jit(jax.vmap(jax.grad(lambda u: potential_at(problem, u))))(jnp.asarray(points))
        )
        for count in (3, 103):
            values, slopes = gradients(problem, points[:count])
            np.testing.assert_allclose(values, log_densities(problem, points[:count]), rtol=1e-12)
            np.testing.assert_allclose(slopes, expected[:count], rtol=1e-9)


def test_a_posterior_from_chains_is_that_of_the_closed_form(monkeypatch):
    """Adaptive rounds are replaced by a wide sample, few of whose points count."""

    def poor(problem, first, *_, **__):
        z = 6.0 * np.random.default_rng(0).normal(size=(4000, 2))
        points = np.asfortranarray(first.coordinates.to_free(z))
        values = log_densities(problem, points)
        weights = np.exp(values - values.max())
        return Weighted(points, weights / weights.sum(), 2.0, 3.0, False)

    monkeypatch.setattr("jscale.fit.bayes.sampling.importance.weighted_sample", poor)
    posterior = conjugate(sampler="auto")
    assert posterior.sampler == "importance"
    assert posterior.status == Status.converged
    draws = {"p": posterior.draws["p"], "variance": posterior.noise["sigma"] ** 2}
    for name, distribution in closed_form().items():
        assert scipy.stats.kstest(draws[name], distribution.cdf).pvalue > 1e-3, name


def test_few_chains_run_where_runs_share_errors(density, monkeypatch):
    counts = []

    def run(problem, state, *_, **__):
        counts.append(len(state.free))
        raise KeyboardInterrupt

    monkeypatch.setattr(_hmc_sample, "run_chains", run)
    sample = Weighted(far(1000), np.full(1000, 1e-3), 2.0, 3.0, False)
    keep = {"checkpoint": without_checkpoint()}
    for errors in ("student", "normal + effects(group)"):
        problem: Any = SimpleNamespace(errors=ErrorModel.parse(errors))
        with pytest.raises(KeyboardInterrupt):
            hmc_sample(problem, sample, KEY, **keep)
    assert counts == [500, 200]
