import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import laws, runs
from jscale._core.jaxprs import _powers
from jscale._core.scope import float64
from jscale._core.solve import _newton_batched
from jscale.fit.objective._losses import Huber, resolve
from jscale.fit.objective._problem import Problem
from jscale.fit.objective._start_ranges import spread_starts
from jscale.fit.objective._tabulate import tabulate
from jscale.fit.optimum._point import optimum
from jscale.fit.solve._batched import Batch, refit_batch
from jscale.fit.solve._staged_descent import descend
from jscale.runs import select
from tests.fit.tables import isoflop

STARTS = 4
OBJECTIVES = ("huber", "huber-likelihood", "log-squares", "raw-squares")


@pytest.fixture(autouse=True)
def _double():
    with float64():
        yield


class Case:
    """One law on one table, and resamples of it."""

    def __init__(self, law=laws.chinchilla, table=None, objective="huber"):
        self.law, self.goal = law, resolve(objective)
        table = isoflop() if table is None else table
        self.data = select(table, law)
        self.fit_data, self.stages = tabulate(law, self.data, self.goal)
        found = self.descents(jnp.ones(len(self.data)), spread_starts(laws.describe(law), STARTS))
        self.start = found.free[np.nanargmin(found.value)]
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
        """The best of Newton descents with these weights, from the same start and nearby."""
        k = len(laws.describe(self.law).parameters)
        nearby = (
            0.1
            * np.random.default_rng(0).normal(size=(STARTS, k))
            * (np.arange(STARTS) > 0)[:, None]
        )
        return float(np.nanmin(self.descents(weights, self.start[:k] + nearby).value))


def bits():
    N, ratio, bits = (
        m.ravel()
        for m in np.meshgrid(
            [3e7, 6e7, 1.1e8, 2.2e8], [20.0, 60.0, 180.0], [3.0, 4.0, 6.0, 8.0, 16.0]
        )
    )
    design = {"N": N, "D": ratio * N, "P_w": bits}
    return runs.simulate(
        laws.qat, laws.params(laws.qat), design, noise=0.003, key=jax.random.key(7)
    )


def slow_powers():
    N, ratio = (m.ravel() for m in np.meshgrid(np.geomspace(1e7, 1e10, 8), [3.0, 30.0, 300.0]))
    design = {"N": N, "D": ratio * N}
    return runs.simulate(
        laws.kaplan, laws.params(laws.kaplan), design, noise=0.003, key=jax.random.key(5)
    )


@pytest.fixture(scope="module")
def huber():
    with float64():
        return Case()


@pytest.mark.parametrize(
    ("law", "table", "objective"),
    [
        *((laws.chinchilla, isoflop, name) for name in OBJECTIVES),
        (laws.qat, bits, "log-squares"),
        (laws.kaplan, slow_powers, "log-squares"),
        (laws.tie(laws.chinchilla, beta="alpha"), isoflop, Huber(delta=1e-4)),
    ],
    ids=[*OBJECTIVES, "qat", "kaplan", "tied"],
)
def test_each_lane_finds_what_newton_finds(law, table, objective):
    case = Case(law, table(), objective)
    weights = case.weights(16)
    solved = case.solve(weights)
    assert np.asarray(solved.settled).mean() >= 0.9
    for w, value, settled in zip(weights, solved.value, solved.settled, strict=True):
        if settled:
            # Resamples have corners of their own: where the two differ, the batch must be the
            # lower.
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
    assert np.asarray(solved.settled[:150]).all()
    assert not np.asarray(solved.settled[150:]).any()
    assert np.isnan(np.asarray(solved.free[150:])).all()
    alone = huber.solve(weights[140:145])
    np.testing.assert_allclose(solved.value[140:145], alone.value, rtol=1e-12)


@pytest.mark.parametrize("damage", ["start", "weight", "loss"])
def test_a_bad_lane_hurts_no_other(huber, damage):
    weights, starts = huber.weights(8), jnp.tile(huber.start, (8, 1))
    observed = jnp.tile(huber.observed, (8, 1))
    good = huber.solve(weights, starts, observed)
    spoilt = {"start": starts.at[3, 2], "weight": weights.at[3, 0], "loss": observed.at[3, 0]}[
        damage
    ].set(jnp.nan)
    if damage == "loss":
        weights = weights.at[3, 0].set(1.0)
    given = {"weights": weights, "starts": starts, "observed": observed}
    given[{"start": "starts", "weight": "weights", "loss": "observed"}[damage]] = spoilt
    found = huber.solve(**given)
    others = np.arange(8) != 3
    assert not found.settled[3]
    assert np.asarray(found.settled)[others].all()
    assert np.asarray(found.free)[others].tobytes() == np.asarray(good.free)[others].tobytes()


def test_a_lane_in_the_wilderness_ends(huber):
    starts = jnp.stack([huber.start, huber.start + 300.0])
    solved = huber.solve(jnp.ones((2, len(huber.data))), starts)
    assert bool(solved.settled[0])
    assert np.isfinite(solved.free[0]).all()


def test_a_run_of_weight_zero_is_not_there(huber):
    keep = np.arange(len(huber.data)) % 4 != 1
    weights = jnp.asarray(keep, float)[None]
    smaller = optimum(huber.law, isoflop().where(keep), huber.goal, 16)[0]
    for loss in (jnp.log(50.0), jnp.inf):
        observed = jnp.where(keep, huber.observed, loss)[None]
        solved = huber.solve(weights, observed=observed)
        assert bool(solved.settled[0])
        assert float(solved.value[0]) == pytest.approx(smaller.objective, rel=1e-10)


def test_weights_count_as_repetitions(huber):
    weights = huber.weights(1)
    table = isoflop()
    repeated = np.repeat(np.arange(len(table)), np.asarray(weights[0], int))
    copies = runs.read({name: column[repeated] for name, column in table.columns.items()})
    point = optimum(huber.law, copies, huber.goal, 16)[0]
    assert float(huber.solve(weights).value[0]) == pytest.approx(point.objective, rel=1e-10)


def test_elimination_solves_and_always_descends():
    rng = np.random.default_rng(0)
    for k in (1, 2, 5, 9):
        a = rng.normal(size=(k, k))
        definite, right = a @ a.T + 0.1 * np.eye(k), rng.normal(size=k)
        found = _newton_batched.eliminate(jnp.asarray(definite), jnp.asarray(right))
        np.testing.assert_allclose(found, np.linalg.solve(definite, right), rtol=1e-9)
        indefinite = jnp.asarray(a + a.T)
        assert float(_newton_batched.eliminate(indefinite, jnp.asarray(right)) @ right) > 0


def test_powers_become_exponentials():
    @jax.jit
    def law(x, y, n):
        return (jnp.where(x > 1, x, 1.0) ** -y + y**2 + 2.0**y) * n**3

    x, y, n = jnp.asarray([0.5, 3.0, 1e12]), jnp.asarray(0.37), jnp.asarray([1.0, 2.0, 3.0])
    fast = _powers.by_logarithm(law)
    np.testing.assert_allclose(fast(x, y, n), law(x, y, n), rtol=1e-14)
    np.testing.assert_allclose(
        jax.jacfwd(fast, 1)(x, y, n), jax.jacfwd(law, 1)(x, y, n), rtol=1e-13
    )
    assert " pow " in str(jax.make_jaxpr(law)(x, y, n))
    assert " pow " not in str(jax.make_jaxpr(fast)(x, y, n))
