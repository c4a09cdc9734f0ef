"""The likelihood and the forecasts of error models against NumPy and SciPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.stats
from numpyro import handlers
from numpyro.infer.util import log_density

from jscale import fit, laws, runs
from jscale._core.scope import float64
from jscale.fit.bayes._model import Problem, law_values, pose, sites
from jscale.fit.errors import (
    Conditional,
    Placement,
    Scale,
    conditional,
    family_distribution,
    independent_errors,
    noise_priors,
    noise_ranges,
    place,
)
from tests.fit.tables import HOFFMANN, isoflop

NOISE = {
    "sigma": 0.012,
    "scale_power_C": 0.2,
    "scale_power_D_per_N": -0.3,
    "effect_scale_group": 0.008,
    "effect_scale_seed": 0.005,
    "misfit_scale": 0.02,
    "misfit_length": 0.9,
}
JOINT = "normal + known + scale(C, D/N) + effects(group, seed) + discrepancy"


def table(sizes: int = 8) -> runs.Runs:
    """Runs with groups of unequal size, seeds and standard errors."""
    simulated = isoflop(sizes=sizes)
    count = len(simulated)
    columns = {name: simulated[name] for name in ("N", "D", "loss")}
    numbers = np.arange(count)
    return runs.read(
        {
            **columns,
            "group": [f"g/{int(i**1.3) % 7}" for i in numbers],
            "seed": (numbers % 3).tolist(),
            "loss_se": 0.003 + 0.002 * (numbers % 4),
        }
    )


def matern(first: np.ndarray, second: np.ndarray, noise: dict[str, float]) -> np.ndarray:
    squared = ((first[:, None] - second[None]) ** 2).sum(-1) / noise["misfit_length"] ** 2
    distance = np.sqrt(3 * squared)
    return noise["misfit_scale"] ** 2 * (1 + distance) * np.exp(-distance)


def dense_covariance(runs_table: runs.Runs, inducing: np.ndarray) -> np.ndarray:
    """The covariance of the log losses of ``JOINT`` as a matrix."""
    logs = np.log(np.stack([runs_table["N"], runs_table["D"]], axis=1))
    points = (logs - logs.mean(0)) / logs.std(0)
    columns = [np.log(runs_table["C"]), np.log(runs_table["D"] / runs_table["N"])]
    z = [(column - column.mean()) / column.std() for column in columns]
    powers = NOISE["scale_power_C"] * z[0] + NOISE["scale_power_D_per_N"] * z[1]
    known = runs_table["loss_se"] / runs_table["loss"]
    own = (NOISE["sigma"] * np.exp(powers)) ** 2 + known**2

    among = matern(inducing, inducing, NOISE)
    between = matern(points, inducing, NOISE)
    smooth = between @ np.linalg.solve(among, between.T)
    np.fill_diagonal(smooth, NOISE["misfit_scale"] ** 2)  # FITC: exact on the diagonal
    effects = np.zeros_like(smooth)
    for name in ("group", "seed"):
        same = runs_table[name][:, None] == runs_table[name][None]
        effects += NOISE[f"effect_scale_{name}"] ** 2 * same
    return np.diag(own) + smooth + effects


def log_likelihood(problem: Problem, noise: dict[str, float]) -> float:
    """The log density of the observed site alone, at Hoffmann's parameters."""
    priors = {name: HOFFMANN[name] for name in ("alpha", "beta")}

    def density(values: dict[str, jax.Array]) -> jax.Array:
        seeded = handlers.substitute(handlers.seed(sites, 0), data={**priors, **values})
        trace = handlers.trace(seeded).get_trace(problem)
        site = trace[problem.errors.site]
        return jnp.sum(site["fn"].log_prob(site["value"]))

    with float64(), jax.numpy_dtype_promotion("standard"):
        return float(jax.jit(density)({n: jnp.asarray(value) for n, value in noise.items()}))


def predicted(problem: Problem) -> np.ndarray:
    """The law's losses that :func:`log_likelihood` sees."""
    priors = {name: HOFFMANN[name] for name in ("alpha", "beta")}

    @jax.jit
    def losses() -> jax.Array:
        seeded = handlers.substitute(handlers.seed(sites, 0), data=priors)
        trace = handlers.trace(seeded).get_trace(problem)
        return law_values(problem, {name: trace[name]["value"] for name in HOFFMANN})

    with float64(), jax.numpy_dtype_promotion("standard"):
        return np.asarray(losses())


@pytest.fixture(scope="module")
def joint():
    with float64():
        return pose(laws.chinchilla, table(), None, JOINT, padded=False)


@pytest.mark.parametrize("sizes", [8, 10], ids=["exact", "inducing"])
def test_the_joint_likelihood_is_that_of_a_dense_normal(sizes):
    """With more than 40 different runs there are 40 inducing points."""
    own = table(sizes)
    with float64():
        posed = pose(laws.chinchilla, own, None, JOINT, padded=False)
    assert len(posed.rows.inducing) == 40
    covariance = dense_covariance(own, posed.rows.inducing)
    residual = np.log(own["loss"]) - np.log(predicted(posed.problem))
    expected = scipy.stats.multivariate_normal(cov=covariance).logpdf(residual)
    assert log_likelihood(posed.problem, NOISE) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("text", [JOINT, "student + discrepancy(N) + effects(group)", "outliers"])
def test_padded_rows_change_nothing(text):
    with float64():
        plain, padded = (
            pose(laws.chinchilla, table(), None, text, padded=flag).problem
            for flag in (False, True)
        )
    assert padded.loss.shape == (64,)
    extra = {"outlier_share": 0.1, "outlier_scale": 5.0, "misfit": jnp.linspace(-1, 1, 8)}
    extra["effect_group"] = jnp.linspace(-1, 1, 7)
    values = [log_likelihood(problem, {**NOISE, **extra}) for problem in (plain, padded)]
    assert values[0] == pytest.approx(values[1], abs=1e-10)


def forecast(problem: Problem, at: Placement, noise, residual: np.ndarray) -> Conditional:
    """The errors at new rows, of numpy's arrays."""
    compiled = jax.jit(lambda *args: conditional(problem.errors, problem.arrays, at, *args))
    return jax.tree.map(np.asarray, compiled(noise, residual))


def test_forecasts_are_the_conditional_normal(joint):
    """At new runs of a known and of a new group, against the dense covariance of all rows."""
    own, problem, rows = table(), joint.problem, joint.rows
    new = {"N": np.array([3e8, 1e10, 3e7]), "D": np.array([6e9, 1e12, 9e7])}
    groups = np.array(["g/1", "elsewhere", "g/0"])
    with float64():
        at = place(problem.errors, rows, new, {"group": groups})
        noise = {name: jnp.asarray(value) for name, value in NOISE.items()}
        residual = np.log(own["loss"]) - np.log(predicted(problem))
        result = forecast(problem, at, noise, residual)

    logs = np.log(np.stack([own["N"], own["D"]], axis=1))
    points = (logs - logs.mean(0)) / logs.std(0)
    at_new = (np.log(np.stack([new["N"], new["D"]], axis=1)) - logs.mean(0)) / logs.std(0)
    inverse = np.linalg.inv(dense_covariance(own, rows.inducing))
    smooth = matern(at_new, rows.inducing, NOISE) @ np.linalg.solve(
        matern(rows.inducing, rows.inducing, NOISE), matern(rows.inducing, points, NOISE)
    )
    effects = NOISE["effect_scale_group"] ** 2 * (groups[:, None] == own["group"][None])
    prior = {
        "misfit": NOISE["misfit_scale"] ** 2,
        "effect": NOISE["effect_scale_group"] ** 2 + NOISE["effect_scale_seed"] ** 2,
    }
    for name, cross in {"misfit": smooth, "effect": effects}.items():
        mean = getattr(result, f"{name}_mean")
        variance = getattr(result, f"{name}_variance")
        np.testing.assert_allclose(mean, cross @ inverse @ residual, atol=1e-6)
        expected = prior[name] - np.einsum("ij,jk,ik->i", cross, inverse, cross)
        np.testing.assert_allclose(variance, expected, rtol=1e-4)
    between = -np.einsum("ij,jk,ik->i", smooth, inverse, effects)
    np.testing.assert_allclose(result.between, between, atol=1e-9)


def test_far_from_the_runs_a_forecast_is_the_prior(joint):
    with float64():
        new = {"N": np.array([1e20]), "D": np.array([1e30])}
        at = place(joint.problem.errors, joint.rows, new, {})
        noise = {name: jnp.asarray(value) for name, value in NOISE.items()}
        result = forecast(joint.problem, at, noise, np.zeros(len(joint.rows)))
    assert float(result.misfit_mean[0]) == pytest.approx(0, abs=1e-12)
    assert float(result.misfit_variance[0]) == pytest.approx(NOISE["misfit_scale"] ** 2)


FAMILY_NOISE = {
    "nu": 5.0, "outlier_share": 0.15, "outlier_scale": 6.0, "excess_scale": 1.7,
}  # fmt: skip
CLOSED = {
    "normal": scipy.stats.norm(scale=0.3).pdf,
    "student": scipy.stats.t(4, scale=0.3).pdf,
    "student(7)": scipy.stats.t(7, scale=0.3).pdf,
    "student(free)": scipy.stats.t(5, scale=0.3).pdf,
    "outliers": lambda x: (
        0.85 * scipy.stats.norm(scale=0.3).pdf(x) + 0.15 * scipy.stats.norm(scale=1.8).pdf(x)
    ),
    "one-sided": scipy.stats.exponnorm(1.7, scale=0.3).pdf,
}


@pytest.mark.parametrize("text", CLOSED)
def test_families_have_their_closed_form(text):
    errors, at = fit.ErrorModel.parse(text), np.linspace(-2.5, 6, 41)

    @jax.jit
    def evaluated(scale: jax.Array, key: jax.Array) -> tuple[jax.Array, ...]:
        distribution = family_distribution(
            errors, jnp.zeros(len(at)), Scale(scale, scale), FAMILY_NOISE
        )
        moments = jnp.asarray(distribution.mean), jnp.asarray(distribution.variance)
        draws = distribution.sample(key, (4000,))
        return jnp.asarray(distribution.log_prob(jnp.asarray(at))), *moments, draws

    with float64(), jax.numpy_dtype_promotion("standard"):
        log_density, mean, variance, draws = (
            np.asarray(each) for each in evaluated(jnp.full(len(at), 0.3), jax.random.key(0))
        )
    np.testing.assert_allclose(np.exp(log_density), CLOSED[text](at), rtol=1e-6, atol=1e-12)

    # Moments and quantiles of the draws.
    moments = [
        scipy.integrate.quad(lambda x, k=k: x**k * CLOSED[text](x), -60, 60, points=[0], limit=500)
        for k in (1, 2)
    ]
    assert float(mean[0]) == pytest.approx(moments[0][0], abs=1e-6)
    assert float(variance[0]) == pytest.approx(moments[1][0] - moments[0][0] ** 2, rel=2e-2)
    quantiles = np.quantile(draws, [0.1, 0.9])
    for quantile, expected in zip(quantiles, (0.1, 0.9), strict=True):
        share = scipy.integrate.quad(CLOSED[text], -60, quantile, points=[0], limit=500)[0]
        assert share == pytest.approx(expected, abs=0.01)


def test_one_sided_errors_keep_their_digits_in_the_tails():
    errors = fit.ErrorModel("one-sided")

    def log_prob(x: jax.Array, excess: jax.Array) -> jax.Array:
        one = jnp.ones(())
        noise = {"excess_scale": excess}
        distribution = family_distribution(errors, jnp.zeros(()), Scale(one, one), noise)
        return jnp.asarray(distribution.log_prob(x))

    x, excess = (grid.ravel() for grid in np.meshgrid([-30.0, 0.0, 30.0], [1e-4, 1.0, 1e4]))
    with float64():
        values, slopes = jax.jit(jax.vmap(jax.value_and_grad(log_prob)))(x, excess)
    np.testing.assert_allclose(values, scipy.stats.exponnorm(excess).logpdf(x), rtol=1e-6)
    assert np.isfinite(slopes).all()


@pytest.mark.parametrize(
    "text",
    ["outliers + scale(C, D/N)", "student(free) + effects(group)", "one-sided + discrepancy"],
)
def test_every_parameter_has_a_prior_and_a_range(text):
    with float64():
        posed = pose(laws.chinchilla, table(), None, text)
        priors = noise_priors(posed.problem.errors, posed.problem.arrays.spread)
    assert list(priors) == list(noise_ranges(posed.problem.errors))


def test_the_scale_of_the_errors_is_in_units_of_the_spread():
    """Half of the prior lies above a tenth of the standard deviation of the log losses."""
    with float64():
        problem = pose(laws.chinchilla, isoflop(), None, "normal").problem
        prior = noise_priors(problem.errors, problem.arrays.spread)["sigma"]
        median = float(jnp.exp(prior.loc))
    assert median == pytest.approx(0.1 * np.log(isoflop()["loss"]).std())


def test_groups_have_a_scale_each():
    with float64(), jax.numpy_dtype_promotion("standard"):
        problem = pose(laws.chinchilla, table(), None, "normal + scale-by(seed)", padded=False)
        ratios = jnp.asarray([-1.0, 0.0, 1.0])
        noise = {"sigma": 0.01, "scale_ratio_seed": ratios}
        residual = np.log(table()["loss"]) - np.log(predicted(problem.problem))
    scale = 0.01 * np.exp(np.asarray(ratios)[table()["seed"].astype(int)])
    expected = scipy.stats.norm(scale=scale).logpdf(residual).sum()
    assert log_likelihood(problem.problem, noise) == pytest.approx(expected, rel=1e-10)


def test_predictive_draws_losses_without_the_observed_ones():
    from numpyro.infer import Predictive

    for text, site in {JOINT: "log_loss", "outliers + additive": "loss"}.items():
        with float64(), jax.numpy_dtype_promotion("standard"):
            model = fit.model(laws.chinchilla, table(), errors=text, observed=False)
            draws = Predictive(model, num_samples=5)(jax.random.key(0))[site]
        assert draws.shape == (5, 40)
        assert np.unique(draws).size == 200


def test_additive_errors_may_have_any_sign():
    with float64(), jax.numpy_dtype_promotion("standard"):
        problem = pose(laws.chinchilla, table(), None, "normal + additive", padded=False).problem
        residual = table()["loss"] - predicted(problem)
        expected = scipy.stats.norm(scale=0.01).logpdf(residual).sum()
        assert log_likelihood(problem, {"sigma": 0.01}) == pytest.approx(expected, rel=1e-10)


def test_the_log_density_of_the_model_has_its_priors():
    """NumPyro's density is the likelihood plus those of all parameters."""
    with float64(), jax.numpy_dtype_promotion("standard"):
        problem = pose(laws.chinchilla, table(), None, "normal", padded=False).problem
        seeded = handlers.trace(handlers.seed(sites, 0)).get_trace(problem)
        values = {
            name: site["value"]
            for name, site in seeded.items()
            if site["type"] == "sample" and not site["is_observed"]
        }
        total, trace = log_density(sites, (problem,), {}, values)
        parts = sum(
            float(jnp.sum(site["fn"].log_prob(site["value"])))
            for site in trace.values()
            if site["type"] == "sample"
        )
    assert float(total) == pytest.approx(parts, rel=1e-12)


@pytest.mark.parametrize("nu", [4.0, 10.0, 3.0])
def test_drawn_errors_have_the_distribution_of_the_family(nu):
    """Even degrees of freedom are drawn from exponential variables, others by NumPyro."""
    errors = fit.ErrorModel("student", nu=nu)
    scale = np.full(20_000, 0.5)
    draws = independent_errors(errors, Scale(scale, scale), {}, jax.random.key(0))
    result = scipy.stats.kstest(np.asarray(draws) / 0.5, scipy.stats.t(nu).cdf)
    assert result.pvalue > 0.01
