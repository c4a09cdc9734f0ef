"""Which sampler draws, what it says, and that neither cores nor interruptions change the draws."""

import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from jscale import fit, laws, runs
from jscale._core.errors import JscaleError
from jscale._core.jobs import Checkpoint, Progress
from jscale._core.status import Status
from jscale.fit.bayes import _diagnostics
from jscale.fit.bayes._model import Problem, pose
from jscale.fit.bayes.sampling import _choice
from jscale.fit.bayes.sampling._density import log_densities
from jscale.fit.bayes.sampling._mode import find_mode
from jscale.fit.bayes.sampling._scan import scanned
from jscale.fit.bayes.sampling._whitening import unconstrained_values
from jscale.fit.bayes.sampling.importance import _hmc_sample, _result
from jscale.laws import law
from jscale.laws.roles import Count, Loss, SignedExponent
from tests.fit.bayes.test_importance import FLAT, VARIANCE, line, power
from tests.fit.tables import HOFFMANN

SETTINGS = {"errors": "normal", "key": jax.random.key(0)}


def codes(posterior: fit.Posterior) -> set[str]:
    return {note.code for note in posterior.notes}


@pytest.fixture(scope="module")
def ladder() -> fit.Posterior:
    """Twelve runs at D = 20 N, where the terms can change places."""
    N = np.geomspace(2e7, 3e9, 12)
    design = {"N": N, "D": 20 * N}
    key = jax.random.key(0)
    table = runs.simulate(laws.chinchilla, HOFFMANN, design, noise=0.003, key=key)
    return fit.posterior(laws.chinchilla, table, key=key, errors="student")


def test_a_ladder_on_one_ray_converges(ladder):
    """NUTS whitened at the mode ended at R-hat 1.5; two keys of this one differ by its errors."""
    assert ladder.sampler == "importance"
    assert ladder.status == Status.converged
    assert min(row["ess_tail"] for row in ladder.summary.values()) > 1000
    # Either term may be nearly nothing.
    size = ladder.draws["A"] * 2.4e8 ** -ladder.draws["alpha"]
    data = ladder.draws["B"] * 4.9e9 ** -ladder.draws["beta"]
    assert np.mean(size < 0.1 * data) > 0.02
    assert np.mean(data < 0.1 * size) > 0.02


@pytest.fixture(scope="module")
def grid() -> runs.Runs:
    """Sizes by tokens: both terms are identified, and the floor is not told from a flat term."""
    truth = {"E": 0.936, "A": 0.413, "B": 1.51e9, "alpha": 0.0244, "beta": 1.04}
    N, D = np.meshgrid(np.geomspace(3e7, 3e9, 8), np.geomspace(2e9, 2e11, 8))
    design = {"N": N.ravel(), "D": D.ravel()}
    return runs.simulate(laws.chinchilla, truth, design, noise=0.007, key=jax.random.key(2))


def test_a_floor_that_a_flat_term_hides_is_sampled_to_its_end(grid):
    """Against importance sampling about conditional modes, whose proposals do not adapt."""
    posterior = fit.posterior(laws.chinchilla, grid, key=jax.random.key(0), errors="student")
    assert posterior.sampler == "importance"
    assert posterior.status == Status.converged
    rng, count = np.random.default_rng(0), 100_000
    key = jax.random.key(0)
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        problem = pose(laws.chinchilla, grid, None, "student").problem
        scan = scanned(problem, key, find_mode(problem, key), None)
        assert scan is not None
        along = rng.uniform(-5.0, 5.0, (count, 1))
        others = rng.standard_t(5, (count, 5))
        points = np.concatenate([along, others], axis=1)
        log_proposal = scipy.stats.t.logpdf(others, 5).sum(axis=1)
        log_weights = log_densities(scan.problem, points) - log_proposal
        logits = unconstrained_values(scan.problem, jnp.asarray(points), (scan.site,))[:, 0]
    weights = np.exp(log_weights - log_weights.max())
    weights /= weights.sum()
    order = np.argsort(logits)
    draws = posterior.summary["E"]["ess_bulk"]
    for share in (0.02, 0.05, 0.1, 0.5, 0.9):
        place = np.searchsorted(np.cumsum(weights[order]), share)
        end = posterior_floor(problem, float(logits[order][place]))
        error = np.sqrt(share * (1 - share) * (1 / draws + (weights**2).sum()))
        assert np.mean(posterior.draws["E"] < end) == pytest.approx(share, abs=4 * error)


def posterior_floor(problem: Problem, logit: float) -> float:
    """The floor whose logit, as a share of the highest one, this is."""
    return float(problem.centre["floor_max"] / (1 + np.exp(-logit)))


@law(formula="log(-D)**p", source="test")
def undefined(D: Count, *, p: SignedExponent) -> Loss:
    """A law without values."""
    return jnp.log(-D) ** p


def test_a_law_without_values_is_one_line():
    priors = {"p": FLAT, "sigma": VARIANCE}
    with pytest.raises(JscaleError, match="density is not finite at any of 4 starts; check the"):
        fit.posterior(undefined, line(), priors=priors, **SETTINGS)


def no_importance_sampling(monkeypatch):
    """No weights are good enough, and few points are drawn to find that out."""
    monkeypatch.setattr(_result, "MAX_PARETO_K", -np.inf)
    monkeypatch.setattr(_hmc_sample, "_CHAINS", 100)
    monkeypatch.setattr(_hmc_sample, "_BLOCKS", (2,))


def test_importance_sampling_is_the_first_choice():
    priors = {"p": FLAT, "sigma": VARIANCE}
    chosen = fit.posterior(power, line(), priors=priors, **SETTINGS)
    required = fit.posterior(power, line(), priors=priors, sampler="importance", **SETTINGS)
    assert chosen.sampler == required.sampler == "importance"
    assert chosen.draws["p"].tobytes() == required.draws["p"].tobytes()
    assert "sampled-by-nuts" not in codes(chosen)


def test_priors_that_exclude_the_runs_are_an_error(monkeypatch):
    """Chains mix all the same: the scale of the errors takes up the difference."""
    priors = {"p": FLAT, "sigma": VARIANCE}
    assert "prior-excludes-runs" not in codes(
        fit.posterior(power, line(), priors=priors, **SETTINGS)
    )
    monkeypatch.setattr(_diagnostics, "EXCLUDED", 1e-9)
    (note,) = (
        note
        for note in fit.posterior(power, line(), priors=priors, **SETTINGS).notes
        if note.code == "prior-excludes-runs"
    )
    assert note.severity == "error"
    assert "sigma (" in note.message


def test_nuts_draws_where_weights_do_not_suffice(tmp_path, monkeypatch):
    no_importance_sampling(monkeypatch)
    settings = {"chains": 2, "warmup": 100, "draws": 50, **SETTINGS}
    priors = {"p": FLAT, "sigma": VARIANCE}
    posterior = fit.posterior(power, line(), priors=priors, **settings)
    assert posterior.sampler == "nuts"
    (note,) = (note for note in posterior.notes if note.code == "sampled-by-nuts")
    assert note.severity == "info"
    assert "Pareto k" in note.message
    assert posterior.energy is not None
    posterior.save(tmp_path / "draws.nc")
    loaded = fit.load(tmp_path / "draws.nc", power)
    assert loaded.sampler == "nuts"
    assert "sampled-by-nuts" in codes(loaded)


def test_an_interrupted_call_goes_on(tmp_path, monkeypatch):
    arguments = {"priors": {"p": FLAT, "sigma": VARIANCE}, **SETTINGS}
    whole = fit.posterior(power, line(), **arguments)
    add = Checkpoint.add

    def killed(self, name, result):
        add(self, name, result)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Checkpoint, "add", killed)
        with pytest.raises(KeyboardInterrupt):
            fit.posterior(power, line(), resume=tmp_path / "state", **arguments)
    resumed = fit.posterior(power, line(), resume=tmp_path / "state", **arguments)
    assert resumed.draws["p"].tobytes() == whole.draws["p"].tobytes()


def test_the_number_of_cores_does_not_change_the_draws(monkeypatch):
    arguments = {"priors": {"p": FLAT, "sigma": VARIANCE}, **SETTINGS}
    draws = []
    for cores in ({0}, set(range(8))):
        count = {"raising": False}  # macOS has no such function, and it is asked first
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, cores=cores: cores, **count)
        draws.append(fit.posterior(power, line(), **arguments).draws["p"].tobytes())
    assert draws[0] == draws[1]


def test_chains_that_do_not_mix_are_drawn_again(monkeypatch):
    """Three times as long, thinned to as many draws; and the note says whether that helped."""
    no_importance_sampling(monkeypatch)
    monkeypatch.setattr(_choice, "_LEAST_DRAWS", 50)  # of which no chains have 400 effective draws
    settings = {"chains": 2, "warmup": 100, "draws": 50, **SETTINGS}
    priors = {"p": FLAT, "sigma": VARIANCE}
    advanced, lengthened = [], []
    monkeypatch.setattr(Progress, "advance", lambda _, count: advanced.append(count))
    monkeypatch.setattr(Progress, "extend", lambda _, count: lengthened.append(count))
    posterior = fit.posterior(power, line(), priors=priors, **settings)
    assert posterior.draws["p"].shape == (100,)
    assert lengthened == [3 * 300]
    assert sum(advanced) == 300 + 3 * 300
    (note,) = (note for note in posterior.notes if note.code == "nuts-lengthened")
    assert note.severity == "warning"
    assert "fix or tie parameters" in note.message
    assert posterior.status == Status.not_converged
