"""Which attempt at a weighted sample is taken, and what a scan along the floor accepts."""

from dataclasses import replace
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from jscale import laws, runs
from jscale._core.jobs import Checkpoint
from jscale.fit.bayes._model import pose
from jscale.fit.bayes.sampling import _attempts, _scan
from jscale.fit.bayes.sampling._attempts import Attempts
from jscale.fit.bayes.sampling._ridge import exponent_sites, is_on_ray
from jscale.fit.bayes.sampling._whitening import free_size, unconstrained_values
from jscale.fit.bayes.sampling.importance import Weighted
from tests.fit.tables import HOFFMANN

KEY = jax.random.key(0)
GOOD, POOR = (0.2, 5000.0), (0.9, 300.0)
"""Pareto k and effective points."""


def sample_of(quality: tuple[float, float]) -> Weighted:
    return Weighted(np.zeros((4, 2)), np.full(4, 0.25), *quality, True)


def chosen(monkeypatch, *, by_chains: bool = True, pooled: bool = False, **qualities) -> tuple:
    """Which attempts are made, which is taken, and what the bar shows.

    ``qualities``: of ``first``, ``along`` and ``chains``; ``reaches``, or None without a scan;
    ``sharp``: whether the exponents are identified.
    """
    made, shares = [], []
    reaches, sharp = qualities.pop("reaches", True), qualities.pop("sharp", False)

    def weighed(problem, first, key, *, name, advanced, **_):
        advanced(1.0)
        made.append("first" if name == "round" else "along")
        return sample_of(qualities[made[-1]])

    def by_hmc(problem, before, key, *, checkpoint):
        made.append(f"chains from {problem}")
        return sample_of(qualities["chains"])

    scan = None if reaches is None else SimpleNamespace(problem="along", mode=(0, 0))
    monkeypatch.setattr(_attempts, "find_mode", lambda *_: (0, 0))
    monkeypatch.setattr(_attempts, "with_transport", lambda problem: "first")
    monkeypatch.setattr(_attempts, "scanned", lambda *_: scan)
    monkeypatch.setattr(_attempts, "covers", lambda *_: reaches)
    monkeypatch.setattr(_attempts, "exponents_are_identified", lambda *_: sharp)
    importance = SimpleNamespace(
        about=lambda *_: None,
        equal_points=lambda *_: None,
        weighted_sample=weighed,
        hmc_sample=by_hmc,
    )
    monkeypatch.setattr(_attempts, "importance", importance)
    problem = SimpleNamespace(pooling=object() if pooled else None)
    attempts = Attempts(
        problem,  # type: ignore[arg-type] # (only whether it is pooled is asked)
        mode_key=KEY,
        start=None,
        key=KEY,
        draws=1000,
        checkpoint=Checkpoint(None, {}),
        advanced=shares.append,
    )
    taken = attempts.best(by_chains=by_chains)
    return made, taken, shares


@pytest.mark.parametrize(
    ("given", "made", "where"),
    [
        ({"first": GOOD, "sharp": True, "reaches": False}, ["first"], "first"),
        ({"first": GOOD}, ["first"], "first"),
        ({"first": GOOD, "reaches": None}, ["first"], "first"),
        ({"first": GOOD, "along": GOOD, "reaches": False}, ["first", "along"], "along"),
        ({"first": POOR, "along": GOOD}, ["first", "along"], "along"),
        ({"along": GOOD, "pooled": True}, ["along"], "along"),
    ],
)
def test_the_first_good_attempt_that_reaches_the_ends_is_taken(monkeypatch, given, made, where):
    attempts, taken, shares = chosen(monkeypatch, **given)
    assert attempts == made
    assert taken.problem == where
    assert taken.sample.is_good
    # The bar is full when an attempt is accepted, and not before.
    assert shares[-1] == 1.0
    assert max(shares[:-1]) < 1.0


def test_a_sample_without_an_end_of_the_floor_is_never_taken(monkeypatch):
    """Neither by its many points, nor to start chains from."""
    given = {"first": GOOD, "along": POOR, "chains": POOR, "reaches": False}
    made, taken, shares = chosen(monkeypatch, **given)
    assert made == ["first", "along", "chains from along"]
    assert taken.problem == "along"
    assert not taken.sample.is_good
    assert max(shares) < 1.0
    _, taken, _ = chosen(monkeypatch, by_chains=False, **given)
    assert not taken.sample.is_good


def test_chains_start_from_the_attempt_with_more_points(monkeypatch):
    given = {"first": (0.9, 900.0), "along": POOR, "chains": GOOD}
    made, taken, _ = chosen(monkeypatch, **given)
    assert made == ["first", "along", "chains from first"]
    assert taken.sample.is_good
    made, taken, _ = chosen(monkeypatch, by_chains=False, **given)
    assert made == ["first", "along"]
    assert taken.sample.effective == 900.0
    made, _, _ = chosen(monkeypatch, first=POOR, chains=POOR, reaches=None)
    assert made == ["first", "chains from first"]


def problem_of(N, D, priors=None):
    table = runs.simulate(laws.chinchilla, HOFFMANN, {"N": N, "D": D}, noise=0.003, key=KEY)
    return pose(laws.chinchilla, table, priors, "student").problem


def test_runs_on_a_ray_are_those_whose_inputs_grow_together():
    N = np.geomspace(2e7, 3e9, 12)
    assert is_on_ray(problem_of(N, 20 * N))
    assert is_on_ray(problem_of(N, np.full(12, 2e10)))  # whose logs have a spread of 4e-15
    grid = np.meshgrid(N[::4], 20 * N[::3])
    assert not is_on_ray(problem_of(*map(np.ravel, grid)))


def test_exponents_of_the_caller_have_no_sites():
    N = np.geomspace(2e7, 3e9, 12)
    assert exponent_sites(problem_of(N, 20 * N)) == ("alpha", "beta")
    assert exponent_sites(problem_of(N, 20 * N, priors={"beta": "normal(0.3, 0.1)"})) is None


@pytest.mark.parametrize("by_sum", [1.0, 0.0])
def test_a_sample_covers_a_scan_unless_it_lacks_an_end(by_sum):
    """In the coordinates of the sample, which are those of the scan or others."""
    N, D = (
        np.ravel(x) for x in np.meshgrid(np.geomspace(1e8, 1e10, 4), np.geomspace(1e9, 1e11, 4))
    )
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        problem = replace(problem_of(N, D), terms_by_sum=by_sum)
        points = np.random.default_rng(0).normal(size=(4000, free_size(problem)))
        floors = np.asarray(unconstrained_values(problem, points, ("E_centred",)))[:, 0]
        tails = np.array(_scan.TAILS)
        quantiles = np.quantile(floors, [*tails, *(1 - tails)])
        index = 2  # after A_centred and B_centred: sites are in order of their names
        scan = _scan.Scan(replace(problem, terms_by_sum=0.0), "E_centred", index, quantiles)
        assert _scan.covers(scan, problem, points)
        for kept in (floors > quantiles[1], floors < quantiles[3]):
            assert not _scan.covers(scan, problem, points[kept])
        # A fifth of the mass that the scan says suffices.
        thin = (floors > quantiles[1]) | (np.arange(4000) % 3 == 0)
        assert _scan.covers(scan, problem, points[thin])


def test_exponents_are_identified_where_their_logs_hardly_vary():
    N = np.geomspace(2e7, 3e9, 12)
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        problem = replace(problem_of(N, 20 * N), terms_by_sum=0.0)
        points = np.random.default_rng(0).normal(size=(400, free_size(problem)))
        assert _scan.exponents_are_identified(problem, 0.05 * points)
        assert not _scan.exponents_are_identified(problem, points)
        without = replace(problem, priors=(("E", laws.roles.Prior("uniform", (1.0, 2.0))),))
        assert not _scan.exponents_are_identified(without, 0.05 * points)
