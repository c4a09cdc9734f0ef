"""Batched refits against Newton descents, and one lane independent of the others."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import fit, laws, runs
from jscale._core.jaxprs import by_logarithm
from jscale._core.scope import float64
from jscale._core.solve import _newton_batched
from jscale.fit.objective import Huber, Problem, resolve, spread_starts, tabulate
from jscale.fit.solve import Batch, descend, refit_batch
from jscale.runs import select
from tests.fit.tables import isoflop

STARTS = 4
OBJECTIVES = ("huber", "huber-likelihood", "log-squares", "raw-squares", "asymmetric-huber")


@pytest.fixture(autouse=True)
def _in_float64():
    with float64():
        yield


class Case:
    """One law on one table, and resamples of it."""

    def __init__(self, law=laws.chinchilla, objective="huber", table=None):
        self.law, self.goal = law, resolve(objective)
        self.data = select(isoflop() if table is None else table, law)
        self.fit_data, self.stages = tabulate(law, self.data, self.goal)
        ends = self.descents(jnp.ones(len(self.data)), spread_starts(laws.describe(law), STARTS))
        self.start = ends.free[np.nanargmin(ends.value)]
        self.observed = jnp.log(self.fit_data.loss) if self.goal.on == "log" else self.fit_data.loss

    def weights(self, problems, seed=0):
        rows = len(self.data)
        return jnp.asarray(
            np.random.default_rng(seed).multinomial(rows, np.ones(rows) / rows, problems), float
        )

    def solve(self, weights, starts=None, observed=None, count=None):
        starts = self.start[None] if starts is None else starts
        observed = self.observed[None] if observed is None else observed
        problems = max(len(weights), len(observed), len(starts))
        batch = Batch(weights, observed, starts, jnp.asarray(problems if count is None else count))
        return refit_batch(self.law, self.goal, self.fit_data, self.stages, batch)

    def descents(self, weights, starts):
        return descend(
            self.law, self.goal, self.fit_data._replace(weights=weights), self.stages, starts
        )

    def newton(self, weights):
        """The lowest of Newton descents with these weights, from the start and around it."""
        k = len(laws.describe(self.law).parameters)
        offsets = 0.1 * np.random.default_rng(0).normal(size=(STARTS, k))
        offsets[0] = 0.0
        return float(np.nanmin(self.descents(weights, self.start[:k] + offsets).value))


def with_bits():
    """Forty runs at 4 sizes, 2 ratios and 5 precisions of the weights."""
    sizes, ratios, bits = [3e7, 6e7, 1.1e8, 2.2e8], [20.0, 180.0], [3.0, 4.0, 6.0, 8.0, 16.0]
    N, ratio, P_w = (m.ravel() for m in np.meshgrid(sizes, ratios, bits))
    design = {"N": N, "D": ratio * N, "P_w": P_w}
    return runs.simulate(
        laws.qat, laws.params(laws.qat), design, noise=0.003, key=jax.random.key(7)
    )


@pytest.fixture(scope="module")
def huber():
    with float64():
        return Case()


@pytest.mark.parametrize(
    ("law", "objective", "simulated"),
    [
        *((laws.chinchilla, name, isoflop) for name in OBJECTIVES),
        (laws.tie(laws.chinchilla, beta="alpha"), Huber(delta=1e-4), isoflop),
        (laws.qat, "log-squares", with_bits),
    ],
    ids=[*OBJECTIVES, "tied", "bits"],
)
def test_each_lane_reaches_the_minimum_of_newton(law, objective, simulated):
    case = Case(law, objective, simulated())
    weights = case.weights(16)
    solved = case.solve(weights)
    assert np.asarray(solved.converged).mean() >= 0.9
    for w, value, converged in zip(weights, solved.value, solved.converged, strict=True):
        if converged:
            # Resamples have several minima: where the two differ, the batch must be the lower.
            reference = case.newton(w)
            assert value <= reference + 1e-9 * abs(reference)


def test_answers_are_the_objective_at_the_parameters(huber):
    weights = huber.weights(5)
    solved = huber.solve(weights)
    for w, free, value in zip(weights, solved.free, solved.value, strict=True):
        problem = Problem(huber.law, huber.goal, huber.fit_data._replace(weights=w))
        assert float(problem.value(free)) == pytest.approx(float(value), rel=1e-12)


def test_more_problems_than_lanes_and_fewer_than_room(huber):
    weights = huber.weights(200)
    solved = huber.solve(weights, count=150)
    assert np.asarray(solved.converged[:150]).all()
    assert not np.asarray(solved.converged[150:]).any()
    assert np.isnan(np.asarray(solved.free[150:])).all()
    separate = huber.solve(weights[140:145])
    np.testing.assert_allclose(solved.value[140:145], separate.value, rtol=1e-12)


@pytest.mark.parametrize("damage", ["starts", "weights", "observed"])
def test_a_nan_in_one_lane_does_not_affect_the_others(huber, damage):
    batch = {
        "weights": huber.weights(8).at[3, 0].set(1.0),
        "starts": jnp.tile(huber.start, (8, 1)),
        "observed": jnp.tile(huber.observed, (8, 1)),
    }
    damaged = {**batch, damage: batch[damage].at[3, 0].set(jnp.nan)}
    expected, solved = huber.solve(**batch), huber.solve(**damaged)
    others = np.arange(8) != 3
    assert not solved.converged[3]
    assert np.asarray(solved.converged)[others].all()
    assert np.asarray(solved.free)[others].tobytes() == np.asarray(expected.free)[others].tobytes()


def test_a_lane_with_a_distant_start_ends(huber):
    starts = jnp.stack([huber.start, huber.start + 300.0])
    solved = huber.solve(jnp.ones((2, len(huber.data))), starts)
    assert bool(solved.converged[0])
    assert np.isfinite(solved.free[0]).all()


def test_a_run_of_weight_zero_is_left_out(huber):
    """The refit of 40 runs, of which 10 have weight 0, is the fit of the other 30."""
    mask = np.arange(len(huber.data)) % 4 != 1
    fit_data, stages = tabulate(huber.law, select(isoflop().where(mask), huber.law), huber.goal)
    starts = spread_starts(laws.describe(huber.law), 16)
    values = np.asarray(descend(huber.law, huber.goal, fit_data, stages, starts).value)
    assert np.mean(values < values.min() * (1 + 1e-9)) > 0.9

    weights = jnp.asarray(mask, float)[None]
    for loss in (jnp.log(50.0), jnp.inf):
        observed = jnp.where(mask, huber.observed, loss)[None]
        solved = huber.solve(weights, observed=observed)
        assert bool(solved.converged[0])
        assert float(solved.value[0]) == pytest.approx(values.min(), rel=1e-10)


def test_weights_count_as_repetitions(huber):
    weights = huber.weights(1)
    table = isoflop()
    repeated = np.repeat(np.arange(len(table)), np.asarray(weights[0], int))
    copies = runs.read({name: column[repeated] for name, column in table.columns.items()})
    point = fit.point(huber.law, copies, objective=huber.goal)
    assert float(huber.solve(weights).value[0]) == pytest.approx(point.objective, rel=1e-10)


def test_elimination_solves_definite_systems_and_always_descends():
    rng = np.random.default_rng(0)
    eliminate = jax.jit(_newton_batched.eliminate)
    for k in (1, 2, 5, 9):
        a = rng.normal(size=(k, k))
        definite, right = a @ a.T + 0.1 * np.eye(k), rng.normal(size=k)
        solution = eliminate(definite, right)
        np.testing.assert_allclose(solution, np.linalg.solve(definite, right), rtol=1e-9)
        assert float(np.asarray(eliminate(a + a.T, right)) @ right) > 0


def test_powers_become_exponentials():
    @jax.jit
    def law(x, y, n):
        return (jnp.where(x > 1, x, 1.0) ** -y + y**2 + 2.0**y) * n**3

    x, y, n = jnp.asarray([0.5, 3.0, 1e12]), jnp.asarray(0.37), jnp.asarray([1.0, 2.0, 3.0])
    fast = by_logarithm(law)
    np.testing.assert_allclose(fast(x, y, n), law(x, y, n), rtol=1e-14)
    np.testing.assert_allclose(
        jax.jacfwd(fast, 1)(x, y, n), jax.jacfwd(law, 1)(x, y, n), rtol=1e-13
    )
    assert " pow " in str(jax.make_jaxpr(law)(x, y, n))
    assert " pow " not in str(jax.make_jaxpr(fast)(x, y, n))
