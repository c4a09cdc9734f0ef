"""Each objective against its definition and its purpose."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

from jscale import fit, laws, runs
from jscale._core.errors import JscaleError
from jscale._core.scope import float64
from jscale.fit.objective import resolve, score_and_derivative
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
def test_score_is_the_derivative_of_the_contributions(name):
    objective = resolve(name)
    with float64():
        r = jnp.asarray([-0.3, -1e-4, 2e-4, 0.7])
        log_scale, delta = jnp.asarray(-1.3), jnp.asarray(objective.stages()[-1])
        by_residual = jax.grad(lambda x: objective.rows(x, log_scale, delta))
        first, second = jax.vmap(jax.value_and_grad(by_residual))(r)
        score, score_derivative = score_and_derivative(objective, r, log_scale, delta)
        np.testing.assert_allclose(objective.score(r, log_scale, delta), first, rtol=1e-12)
        np.testing.assert_allclose(score, first, rtol=1e-12)
        np.testing.assert_allclose(score_derivative, second, rtol=1e-12, atol=1e-12)


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
    student = fit.point(laws.chinchilla, table, objective=fit.StudentLikelihood(df=1e9), starts=8)
    squares = fit.point(laws.chinchilla, table, objective="log-squares", starts=8)
    for name, value in squares.params.items():
        assert student.params[name] == pytest.approx(value, rel=1e-5), name
    # At the best scale the likelihood of n normal residuals is n log(rms) + n/2 (1 + log 2 pi).
    n, rms = squares.n_runs, np.sqrt(np.mean(squares.residuals**2))
    assert student.objective == pytest.approx(
        n * np.log(rms) + n / 2 * (1 + np.log(2 * np.pi)), rel=1e-6
    )


def test_student_is_robust_to_outliers():
    table = isoflop()
    damaged = table["loss"].copy()
    damaged[:3] *= 1.5
    contaminated = runs.read({"N": table["N"], "D": table["D"], "loss": damaged})
    clean = fit.point(laws.chinchilla, table, objective="student-likelihood", starts=8)
    student = fit.point(laws.chinchilla, contaminated, objective="student-likelihood", starts=8)
    squares = fit.point(laws.chinchilla, contaminated, objective="log-squares", starts=8)
    assert abs(student.params["E"] - clean.params["E"]) < clean.stderr["E"]
    assert abs(squares.params["E"] - clean.params["E"]) > 5 * clean.stderr["E"]


def test_asymmetric_huber_puts_its_share_of_runs_below_the_law():
    above, table = 0.25, isoflop(sizes=40, noise=0.1)
    point = fit.point(laws.chinchilla, table, objective="asymmetric-huber", starts=8)
    # The scale is about the median of the residuals, not about a law at their lower edge.
    assert point.scale == pytest.approx(0.1, rel=0.2)
    # With a delta far below the noise all scores have one size: those of the runs below balance
    # ``above`` times those of the runs above.
    assert point.certificate.converged
    assert np.mean(point.residuals < 0) == pytest.approx(above / (1 + above), abs=0.02)


def test_asymmetric_huber_with_equal_sides_is_huber():
    table = isoflop()
    asymmetric = fit.point(
        laws.chinchilla, table, objective=fit.AsymmetricHuber(above=1.0), starts=8
    )
    symmetric = fit.point(laws.chinchilla, table, objective="huber", starts=8)
    assert asymmetric.objective == symmetric.objective
    assert asymmetric.params == symmetric.params


def test_asymmetric_huber_with_a_large_delta_is_an_expectile():
    table = isoflop()
    expectile = fit.AsymmetricHuber(above=0.3, delta=10.0)
    point = fit.point(laws.chinchilla, table, objective=expectile, starts=8)
    r = point.residuals
    # The law does not contain constants exactly, so the scores balance along each derivative.
    with float64():
        theta = {name: jnp.asarray(value) for name, value in point.params.items()}
        columns = jax.jacfwd(lambda p: jnp.log(laws.chinchilla(table["N"], table["D"], **p)))(theta)
    for name, column in columns.items():
        gradients = np.where(r > 0, 0.3, 1.0) * r * np.asarray(column)
        assert abs(gradients.sum()) < 1e-6 * np.abs(gradients).sum(), name


def test_asymmetric_huber_finds_the_law_below_under_tuned_runs():
    table = isoflop(sizes=40, noise=0.003)
    rng = np.random.default_rng(0)
    excess = np.where(rng.random(len(table)) < 0.7, rng.exponential(0.03, len(table)), 0.0)
    loss = table["loss"] * np.exp(excess)
    under_tuned = runs.read({"N": table["N"], "D": table["D"], "loss": loss})

    def bias(objective):
        point = fit.point(laws.chinchilla, under_tuned, objective=objective, starts=8)
        loss = laws.chinchilla(table["N"], table["D"], **point.params)
        return np.median(np.log(loss / laws.chinchilla(table["N"], table["D"], **HOFFMANN)))

    assert abs(bias("asymmetric-huber")) < 0.003
    assert bias("huber") > 0.006


@pytest.mark.parametrize("kind", ["parametric", "wild"])
def test_symmetric_bootstraps_reject_an_asymmetric_objective(kind):
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


def test_refits_in_batch_equal_the_point_fit_of_the_same_weights():
    table, objective = isoflop(), "student-likelihood"
    key = jax.random.key(2)
    resampled = fit.bootstrap(laws.chinchilla, table, draws=8, key=key, objective=objective)
    assert resampled.failures == 0
    with jax.enable_x64(True):
        rows = jax.random.randint(jax.random.fold_in(key, 3), (40,), 0, 40, "int32")
    counts = np.bincount(np.asarray(rows), minlength=40)
    point = fit.point(laws.chinchilla, table, objective=objective, weights=counts)
    for name, value in point.params.items():
        assert resampled.draws[name][3] == pytest.approx(value, rel=1e-4), name


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
    with pytest.raises(JscaleError) as error:
        fit.point(laws.chinchilla, isoflop(), objective=objective)
    assert "\n" not in str(error.value)
