"""Each objective against its definition, and what it is for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

from jscale import fit, laws, runs
from jscale._core.errors import JscaleError
from jscale._core.scope import float64
from jscale.fit.objective._losses import resolve
from tests.fit.tables import HOFFMANN, isoflop

NAMES = (
    "huber",
    "asymmetric-huber",
    "huber-likelihood",
    "student-likelihood",
    "log-squares",
    "raw-squares",
)


@pytest.mark.parametrize("name", NAMES)
def test_slope_is_the_derivative(name):
    goal = resolve(name)
    with float64():
        r, s, delta = (
            jnp.asarray([-0.3, -1e-4, 2e-4, 0.7]),
            jnp.asarray(-1.3),
            jnp.asarray(goal.stages()[-1]),
        )
        slopes = jax.vmap(jax.grad(lambda x: goal.rows(x, s, delta)))(r)
        np.testing.assert_allclose(goal.slope(r, s, delta), slopes, rtol=1e-12)


@pytest.mark.parametrize(
    "goal",
    [fit.HuberLikelihood(delta=0.7), fit.StudentLikelihood(), fit.StudentLikelihood(df=1.5)],
    ids=str,
)
def test_a_likelihood_is_a_density(goal):
    with float64():
        delta, s = jnp.asarray(goal.stages()[-1]), jnp.log(jnp.asarray(0.02))
        density = jax.jit(lambda r: jnp.exp(-goal.rows(r, s, delta)))
        total = 2 * sum(
            quad(density, a, b, epsabs=1e-12)[0] for a, b in ((0, 0.02), (0.02, 1), (1, np.inf))
        )
    assert total == pytest.approx(1.0, abs=1e-7)


def test_student_with_many_degrees_is_normal():
    table = isoflop()
    student = fit.point(laws.chinchilla, table, objective=fit.StudentLikelihood(df=1e9))
    squares = fit.point(laws.chinchilla, table, objective="log-squares")
    for name, value in squares.params.items():
        assert student.params[name] == pytest.approx(value, rel=1e-5), name
    # At the best scale the likelihood of n normal residuals is n log(rms) + n/2 (1 + log 2 pi).
    n, rms = squares.n_runs, np.sqrt(np.mean(squares.residuals**2))
    assert student.objective == pytest.approx(
        n * np.log(rms) + n / 2 * (1 + np.log(2 * np.pi)), rel=1e-6
    )


def test_student_forgets_far_runs():
    table = isoflop()
    damaged = table["loss"].copy()
    damaged[:3] *= 1.5
    columns = {"N": table["N"], "D": table["D"]}
    clean = fit.point(laws.chinchilla, table, objective="student-likelihood")
    student, squares = (
        fit.point(laws.chinchilla, runs.read({**columns, "loss": damaged}), objective=goal)
        for goal in ("student-likelihood", "log-squares")
    )
    assert abs(student.params["E"] - clean.params["E"]) < clean.stderr["E"]
    assert abs(squares.params["E"] - clean.params["E"]) > 5 * clean.stderr["E"]


def test_asymmetric_huber_leaves_its_share_of_runs_below():
    above = 0.25
    point = fit.point(
        laws.chinchilla, isoflop(sizes=40), objective=fit.AsymmetricHuber(above=above, delta=1e-4)
    )
    # The scatter is about the runs' own middle, not about a law at their lower edge.
    assert point.scale == pytest.approx(0.01, rel=0.2)
    # With a small delta every run pulls alike: those below, times 1, balance those above, times
    # ``above``.
    assert point.certificate.converged
    assert np.mean(point.residuals < 0) == pytest.approx(above / (1 + above), abs=0.02)


def test_asymmetric_huber_with_equal_sides_is_huber():
    table = isoflop()
    one, other = (
        fit.point(laws.chinchilla, table, objective=o)
        for o in (fit.AsymmetricHuber(above=1.0), "huber")
    )
    assert one.objective == other.objective
    assert one.params == other.params


def test_asymmetric_huber_with_a_large_delta_is_an_expectile():
    point = fit.point(
        laws.chinchilla, isoflop(), objective=fit.AsymmetricHuber(above=0.3, delta=10.0)
    )
    r = point.residuals
    # The floor and the terms span constants only roughly: what must balance is the pull along each
    # derivative.
    with float64():
        theta = {name: jnp.asarray(value) for name, value in point.params.items()}
        table = isoflop()
        slopes = jax.jacfwd(lambda p: jnp.log(laws.chinchilla(table["N"], table["D"], **p)))(theta)
    for name, slope in slopes.items():
        pulls = np.where(r > 0, 0.3, 1.0) * r * np.asarray(slope)
        assert abs(pulls.sum()) < 1e-6 * np.abs(pulls).sum(), name


def test_asymmetric_huber_finds_the_law_below_under_tuned_runs():
    table = isoflop(sizes=40, noise=0.003)
    rng = np.random.default_rng(0)
    worse = np.where(rng.random(len(table)) < 0.7, rng.exponential(0.03, len(table)), 0.0)
    tuned = runs.read({"N": table["N"], "D": table["D"], "loss": table["loss"] * np.exp(worse)})
    plain, asymmetric = (
        fit.point(laws.chinchilla, tuned, objective=o) for o in ("huber", "asymmetric-huber")
    )

    def miss(point):
        loss = laws.chinchilla(table["N"], table["D"], **point.params)
        return np.median(np.log(loss / laws.chinchilla(table["N"], table["D"], **HOFFMANN)))

    assert abs(miss(asymmetric)) < 0.003
    assert miss(plain) > 0.006


@pytest.mark.parametrize("kind", ["parametric", "wild"])
def test_symmetric_bootstraps_refuse_an_asymmetric_objective(kind):
    with pytest.raises(
        JscaleError, match=f"the {kind} bootstrap draws symmetric noise, which asymmetric-huber"
    ):
        fit.bootstrap(
            laws.chinchilla,
            isoflop(),
            draws=10,
            key=jax.random.key(0),
            kind=kind,
            objective="asymmetric-huber",
        )


@pytest.mark.parametrize("objective", ["asymmetric-huber", "student-likelihood"])
def test_refits_in_batch_find_what_point_finds(objective):
    table = isoflop()
    made = fit.bootstrap(
        laws.chinchilla, table, draws=8, key=jax.random.key(2), objective=objective
    )
    assert made.failures == 0
    with jax.enable_x64(True):
        chosen = jax.random.randint(jax.random.fold_in(jax.random.key(2), 3), (40,), 0, 40, "int32")
    counts = np.bincount(np.asarray(chosen), minlength=40)
    point = fit.point(laws.chinchilla, table, objective=objective, weights=counts)
    for name, value in point.params.items():
        assert made.draws[name][3] == pytest.approx(value, rel=1e-4), name


@pytest.mark.parametrize(
    "objective",
    [
        fit.AsymmetricHuber(above=0.0),
        fit.Huber(True),
        fit.AsymmetricHuber(delta=-1.0),
        fit.Huber(on="both"),
        fit.StudentLikelihood(df=float("inf")),
        fit.StudentLikelihood(df=None),
        "student",
    ],
    ids=repr,
)
def test_bad_objective_is_one_line(objective):
    with pytest.raises(JscaleError) as caught:
        fit.point(laws.chinchilla, isoflop(), objective=objective)
    assert "\n" not in str(caught.value)
