"""Next runs: against closed forms, refits by brute force, exhaustive search, and bad input."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import laws, plan
from jscale._core.errors import JscaleError
from jscale._core.scope import float64
from jscale.plan.design._greedy import (
    Criterion,
    Runs,
    exchanged,
    greedy,
    pair_reductions,
    reductions,
    updated,
)
from tests.plan.cases import BESIROGLU

NOISE, BUDGET = 0.005, 1e24
NAMES = list(BESIROGLU)
GRID = plan.run_grid(np.geomspace(1e8, 1e10, 5), np.geomspace(1e9, 1e12, 6), most=1e22)


def jacobian(N, D):
    """Of the logarithm of the loss by the parameters, (runs, k)."""

    def logs(theta):
        return jnp.log(laws.chinchilla(jnp.asarray(N), jnp.asarray(D), **theta))

    with float64():
        columns = jax.jacfwd(logs)({name: jnp.asarray(value) for name, value in BESIROGLU.items()})
        return np.stack([np.asarray(columns[name]) for name in NAMES], axis=1)


def fisher(N, D):
    """The inverse information of runs with equal noise."""
    slopes = jacobian(N, D)
    return NOISE**2 * np.linalg.inv(slopes.T @ slopes)


@pytest.fixture(scope="module")
def base():
    """Sizes and tokens of 60 runs, and the covariance of their fit."""
    N = np.repeat(np.geomspace(3e7, 3e9, 12), 5)
    D = N * np.tile([3.0, 10.0, 30.0, 100.0, 300.0], 12)
    return N, D, fisher(N, D)


@pytest.fixture(scope="module")
def settings(base):
    return {
        "noise": NOISE,
        "covariance": base[2],
        "plan_budget": BUDGET,
        "stop_at_saving": False,
        "forecast": {"N": 7e10, "D": 1.4e12},
    }


def random_case(seed, runs=9, k=4):
    rng = np.random.default_rng(seed)
    root, target = rng.normal(size=(2, k, k))
    covariance, matrix = root @ root.T, target @ target.T
    slopes = rng.normal(size=(runs, k))
    return covariance, Runs(slopes, rng.uniform(0.5, 2, runs), rng.uniform(1, 3, runs)), matrix


@pytest.mark.parametrize("determinant", [False, True])
def test_updates_are_those_of_the_whole_covariance(determinant):
    covariance, runs, matrix = random_case(0)
    criterion = Criterion(None if determinant else matrix)

    def value(covariance):
        if determinant:
            return 0.5 * np.linalg.slogdet(covariance)[1]
        return criterion.value(covariance)

    before = value(covariance)
    alone, pairs = (f(covariance, runs, criterion) for f in (reductions, pair_reductions))
    for i in range(len(runs.cost)):
        information = np.linalg.inv(covariance)
        slope = runs.slopes[i]
        after = np.linalg.inv(information + np.outer(slope, slope) / runs.variance[i])
        np.testing.assert_allclose(updated(covariance, slope, runs.variance[i]), after, rtol=1e-9)
        np.testing.assert_allclose(alone[i], before - value(after), rtol=1e-8)
        for j in set(range(len(runs.cost))) - {i}:
            both = updated(after, runs.slopes[j], runs.variance[j])
            fall = value(after) - value(both)
            np.testing.assert_allclose(pairs[i, j], fall, rtol=1e-7)


def test_the_better_batch_is_near_the_best_one():
    """Of all batches that the budget pays for, over 40 random problems."""
    shares = []
    for seed in range(40):
        covariance, runs, matrix = random_case(seed)
        criterion, budget = Criterion(matrix), 6.0
        limits = {"budget": budget, "most": 9}
        batches = [
            greedy(covariance, runs, criterion, per_cost=each, **limits) for each in (True, False)
        ]
        batches = [exchanged(each, runs, criterion, budget=budget) for each in batches]
        left = min(criterion.value(each.covariances[-1]) for each in batches)
        best = criterion.value(covariance)
        for size in range(1, 7):
            for batch in itertools.combinations(range(9), size):
                if runs.cost[list(batch)].sum() > budget:
                    continue
                after = covariance
                for i in batch:
                    after = updated(after, runs.slopes[i], runs.variance[i])
                best = min(best, criterion.value(after))
        before = criterion.value(covariance)
        shares.append((before - left) / (before - best))
    assert np.min(shares) > 0.95
    assert np.mean(shares) > 0.999


def test_regret_before_and_after_are_those_of_fits(base, settings):
    """Covariances of whole designs, and regret by the plan's closed form, over draws."""
    found = plan.next_runs(laws.chinchilla, BESIROGLU, GRID, budget=2e22, most=4, **settings)
    N = np.concatenate([base[0], found.inputs["N"]])
    D = np.concatenate([base[1], found.inputs["D"]])
    values = np.array(list(BESIROGLU.values()))
    for covariance, predicted in ((base[2], found.regret[0]), (fisher(N, D), found.regret[-1])):
        relative = covariance / values[:, None] / values
        rng = np.random.default_rng(1)
        draws = values * np.exp(rng.multivariate_normal(np.zeros(5), relative, 4000))
        p = dict(zip(NAMES, draws.T, strict=True))
        a, b = p["alpha"], p["beta"]
        size = (a * p["A"] / (b * p["B"])) ** (1 / (a + b)) * (BUDGET / 6) ** (b / (a + b))
        with float64():
            loss = np.asarray(laws.chinchilla(size, BUDGET / (6 * size), **BESIROGLU), float)
            best = float(plan.optimal(laws.chinchilla, BESIROGLU, BUDGET).loss)
        np.testing.assert_allclose(np.mean(loss - best), predicted, rtol=0.08)
    before, after = np.linalg.slogdet(base[2])[1], np.linalg.slogdet(fisher(N, D))[1]
    np.testing.assert_allclose(found.information[-1], (before - after) / 2, rtol=0.03)
    assert np.all(np.diff(found.regret) < 0)
    np.testing.assert_allclose(found.cost, 6 * found.inputs["N"] * found.inputs["D"], rtol=1e-12)


def test_each_target_is_best_by_its_own_measure(settings):
    found = {
        target: plan.next_runs(
            laws.chinchilla, BESIROGLU, GRID, target=target, budget=3e22, most=3, **settings
        )
        for target in ("plan", "forecast", "parameters")
    }
    regret, spread, learnt = (
        {target: getattr(each, name)[-1] for target, each in found.items()}
        for name in ("regret", "forecast_sd", "information")
    )
    assert regret["plan"] <= min(regret.values()) * (1 + 1e-12)
    assert spread["forecast"] <= min(spread.values()) * (1 + 1e-12)
    assert learnt["parameters"] >= max(learnt.values()) * (1 - 1e-12)


def test_it_stops_where_the_next_run_costs_more_than_it_saves(settings):
    spending = settings | {"stop_at_saving": True}
    found = plan.next_runs(laws.chinchilla, BESIROGLU, GRID, budget=1e25, most=20, **spending)
    assert found.stop == "saving"
    assert np.sum(found.saved) > np.sum(found.cost)
    # The unit of the costs changes nothing where a FLOP has its price in it.
    unit = 1e-17
    dollars = spending | {"cost": unit * 6 * GRID["N"] * GRID["D"], "price": unit, "most": 20}
    same = plan.next_runs(laws.chinchilla, BESIROGLU, GRID, budget=unit * 1e25, **dollars)
    np.testing.assert_array_equal(same.index, found.index)
    assert same.stop == "saving"
    priced = spending | {"cost": np.full(len(GRID["N"]), 1e40)}
    none = plan.next_runs(laws.chinchilla, BESIROGLU, GRID, budget=1e41, **priced)
    assert (len(none.index), none.stop) == (0, "saving")
    assert (
        plan.next_runs(laws.chinchilla, BESIROGLU, GRID, budget=1e10, **settings).stop == "budget"
    )


def test_runs_off_the_ray_break_a_collinear_design():
    """After runs at 20 tokens a parameter, the cheapest useful runs have other ratios."""
    N = np.geomspace(3e7, 3e9, 30)
    slopes = jacobian(N, 20 * N)
    scale = np.array(list(BESIROGLU.values()))
    prior = np.diag(1 / (0.5 * scale) ** 2)
    covariance = np.linalg.inv(slopes.T @ slopes / NOISE**2 + prior)
    found = plan.next_runs(
        laws.chinchilla,
        BESIROGLU,
        GRID,
        covariance=covariance,
        noise=NOISE,
        budget=1e21,
        target="parameters",
        most=2,
    )
    ratio = found.inputs["D"] / found.inputs["N"]
    assert np.all((ratio < 5) | (ratio > 80))


def test_draws_and_a_point_choose_the_same_runs(base, settings):
    values = np.array(list(BESIROGLU.values()))
    relative = base[2] / values[:, None] / values
    steps = np.random.default_rng(2).multivariate_normal(np.zeros(5), relative, 4000)
    draws = dict(zip(NAMES, (values * np.exp(steps)).T, strict=True))
    limits = {"budget": 2e22, "most": 3}
    point = plan.next_runs(laws.chinchilla, BESIROGLU, GRID, **limits, **settings)
    sampled = plan.next_runs(
        laws.chinchilla, draws, GRID, **limits, **(settings | {"covariance": None})
    )
    np.testing.assert_allclose(sampled.regret[0], point.regret[0], rtol=0.1)
    np.testing.assert_allclose(sampled.regret[-1], point.regret[-1], rtol=0.1)


def test_perfect_information_is_a_run_that_shows_a_parameter(base, settings):
    """Removing a parameter's doubt conditions the others on it."""
    worth = plan.perfect_information(laws.chinchilla, BESIROGLU, BUDGET, covariance=base[2])
    found = plan.next_runs(laws.chinchilla, BESIROGLU, GRID, budget=1e22, most=1, **settings)
    np.testing.assert_allclose(worth.regret, found.regret[0], rtol=1e-9)
    assert all(-1e-12 <= value <= worth.regret * (1 + 1e-9) for value in worth.nats.values())
    certain = base[2].copy()  # alpha known: the covariance of the others given it
    place = NAMES.index("alpha")
    certain -= np.outer(certain[place], certain[place]) / certain[place, place]
    kept = settings | {"covariance": certain}
    left = plan.next_runs(laws.chinchilla, BESIROGLU, GRID, budget=1e22, most=1, **kept)
    saved = worth.regret - worth.nats["alpha"]
    np.testing.assert_allclose(left.regret[0], saved, rtol=0.05)


def test_a_parameter_that_is_known_exactly_says_nothing_more(base, settings):
    known = base[2].copy()
    known[0], known[:, 0] = 0.0, 0.0
    worth = plan.perfect_information(laws.chinchilla, BESIROGLU, BUDGET, covariance=known)
    assert worth.nats["E"] == 0.0
    assert np.isfinite(list(worth.nats.values())).all()
    kept = settings | {"covariance": known}
    best = plan.next_runs(
        laws.chinchilla, BESIROGLU, GRID, budget=3e22, most=3, target="parameters", **kept
    )
    slopes = jacobian(best.inputs["N"], best.inputs["D"])[:, 1:] / NOISE
    after = np.linalg.inv(known[1:, 1:]) + slopes.T @ slopes
    learnt = np.linalg.slogdet(after)[1] + np.linalg.slogdet(known[1:, 1:])[1]
    np.testing.assert_allclose(best.information[-1], learnt / 2, rtol=0.03)


def test_two_hundred_thousand_candidates(settings):
    many = plan.run_grid(np.geomspace(1e8, 1e10, 500), np.geomspace(1e9, 1e12, 400), most=1e24)
    assert len(many["N"]) == 200_000
    alone = settings | {"target": "parameters", "plan_budget": None, "forecast": None}
    found = plan.next_runs(laws.chinchilla, BESIROGLU, many, budget=1e22, most=1, **alone)
    assert len(found.index) == 1


BAD = {
    "target": ({"target": "loss"}, "target must be plan, forecast or parameters, not 'loss'"),
    "no plan": ({"plan_budget": None}, "plan_budget is missing"),
    "no forecast": ({"target": "forecast", "forecast": None}, "forecast is missing"),
    "noise": ({"noise": 0.0}, "noise must be a finite number above 0"),
    "budget": ({"budget": -1.0}, "budget must be a finite number above 0"),
    "shape": ({"covariance": np.eye(3)}, r"has the shape \(3, 3\); expected \(5, 5\)"),
    "not identified": ({"covariance": np.full((5, 5), np.inf)}, "do not identify all parameters"),
    "asymmetric": ({"covariance": np.eye(5) + np.eye(5, k=1)}, "covariance is not symmetric"),
    "indefinite": (
        {"covariance": np.diag([1e-3, 1e2, 1e2, -1e-3, 1e-3])},
        "covariance has a negative variance in some direction",
    ),
    "both": (
        {"params": BESIROGLU | {"E": np.linspace(1.7, 1.9, 50)}},
        "covariance is of a point, and the parameters are draws",
    ),
    "no runs": ({"most": 0}, "most must be a whole number of at least 1, not 0"),
    "negative runs": ({"most": -1}, "most must be a whole number of at least 1, not -1"),
    "price": ({"price": 0.0}, "price must be a finite number above 0"),
    "no covariance": ({"covariance": None}, "1 draws cannot describe 5 parameters"),
    "input": ({"candidates": {"N": 1e9, "D": 1e9, "U": 1e9}}, "have U, which law 'chinchilla'"),
    "empty": ({"candidates": {"N": [], "D": []}}, "candidates are empty"),
    "lengths": ({"candidates": {"N": [1e9] * 2, "D": [1e9] * 3}}, "candidates differ in length"),
    "size": ({"candidates": {"N": -1e9, "D": 1e9}}, "N must be"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line(name, settings):
    change, message = BAD[name]
    arguments = settings | {"budget": 1e21, "candidates": GRID, "params": BESIROGLU} | change
    with pytest.raises(JscaleError, match=message) as error:
        plan.next_runs(laws.chinchilla, **arguments)
    assert "\n" not in str(error.value)


def test_a_grid_without_a_cheap_run_is_one_line():
    with pytest.raises(JscaleError, match="no run of the grid costs at most 1: the cheapest costs"):
        plan.run_grid([1e9], [1e9], most=1.0)
