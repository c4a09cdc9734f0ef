"""The whole export to ArviZ: groups, and the diagnostics and plots that need them.

It runs on both generations of ArviZ: 0.23 here, 1.x in the environment of ``make smoke``.
"""

import warnings
from dataclasses import replace

import arviz
import jax
import matplotlib
import numpy as np
import pytest

# Behind arviz 1, 'import numpyro.distributions' leaves numpyro without its submodules.
from numpyro import distributions as dist
from scipy import stats

from jscale import fit, laws, runs
from jscale.fit.bayes._arviz import _HAS_TREES, smoothed_weights
from tests.fit.tables import HOFFMANN, isoflop

GROUPS = {
    *("posterior", "prior", "log_likelihood", "posterior_predictive"),
    *("observed_data", "constant_data", "sample_stats"),
}
SETTINGS = {"chains": 2, "warmup": 400, "draws": 300, "sampler": "nuts", "errors": "student"}
matplotlib.use("Agg")


@pytest.fixture(scope="module")
def posterior() -> fit.Posterior:
    return fit.posterior(laws.chinchilla, isoflop(), key=jax.random.key(0), **SETTINGS)


@pytest.fixture(scope="module")
def tree(posterior):
    return posterior.to_arviz()


def grouped() -> runs.Runs:
    """Runs of five ratios that share an error of 2% each."""
    table = isoflop()
    ratios, index = np.unique(np.round(table["D"] / table["N"]), return_inverse=True)
    shift = np.random.default_rng(0).normal(0.0, 0.02, len(ratios))[index]
    columns = {"N": table["N"], "D": table["D"], "loss": table["loss"] * np.exp(shift)}
    return runs.read({**columns, "group": [f"ratio {i}" for i in index]})


@pytest.mark.smoke
def test_all_groups_are_there(tree):
    names = set(tree.children) if _HAS_TREES else set(tree.groups())
    assert names >= GROUPS
    assert tree["log_likelihood"]["log_loss"].shape == (2, 300, 40)
    assert tree["posterior_predictive"]["log_loss"].shape == (2, 300, 40)
    assert set(tree["constant_data"].data_vars) == {"N", "D"}
    assert tree["sample_stats"]["energy"].shape == (2, 300)
    np.testing.assert_allclose(
        tree["observed_data"]["log_loss"].values, np.log(isoflop()["loss"]), rtol=1e-14
    )


def test_the_log_likelihood_is_that_of_the_error_model(posterior, tree):
    params = {name: values[:, None] for name, values in posterior.draws.items()}
    table = isoflop()
    law = np.log(np.asarray(laws.chinchilla(table["N"], table["D"], **params)))
    expected = stats.t.logpdf(np.log(table["loss"]), 4, law, posterior.noise["sigma"][:, None])
    values = tree["log_likelihood"]["log_loss"].values.reshape(600, 40)
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-4)  # laws in float32 here


def test_replicates_are_of_the_same_distribution(tree):
    """A posterior predictive p-value of each run: its rank is nearly uniform."""
    drawn = tree["posterior_predictive"]["log_loss"].values.reshape(600, 40)
    ranks = (drawn < tree["observed_data"]["log_loss"].values).mean(axis=0)
    assert stats.kstest(ranks, "uniform").pvalue > 0.01


def test_prior_draws_are_those_of_the_roles(tree):
    alpha = tree["prior"]["alpha"].values.ravel()
    assert np.median(np.log(alpha)) == pytest.approx(np.log(0.25), abs=0.08)
    assert np.log(alpha).std() == pytest.approx(1.0, abs=0.05)


@pytest.mark.smoke
def test_arviz_works_on_it(tree):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loo = arviz.loo(tree, pointwise=True)
        pareto_k = np.asarray(loo.pareto_k)
        assert np.isfinite(np.asarray(loo.elpd if _HAS_TREES else loo.elpd_loo))
        assert (pareto_k < 0.7).all()
        assert (np.asarray(_numbers(arviz.bfmi(tree))) > 0.3).all()
        if _HAS_TREES:
            arviz.plot_ppc_dist(tree)
            arviz.plot_loo_pit(tree)
        else:
            arviz.plot_ppc(tree, num_pp_samples=20)
            arviz.plot_loo_pit(tree, y="log_loss")
    matplotlib.pyplot.close("all")


def _numbers(result) -> np.ndarray:
    """The numbers of a result: an array, or a dataset of one variable."""
    if hasattr(result, "children") and "sample_stats" in result.children:
        result = result["sample_stats"]
    if hasattr(result, "data_vars"):
        (result,) = result.data_vars.values()
    return np.asarray(result)


def test_prior_draws_under_priors_of_numpyro():
    """By name where the record has all of their numbers; else without what depends on them."""
    priors = {"alpha": dist.Exponential(3.0), "sigma": dist.TruncatedNormal(0.0, 0.1, low=0.0)}
    settings = {"sampler": "importance", "chains": 1, "draws": 50, "errors": "student"}
    posterior = fit.posterior(
        laws.chinchilla, isoflop(), key=jax.random.key(0), priors=priors, **settings
    )
    group = posterior.to_arviz()["prior"]
    assert set(group.data_vars) == {"E", "A", "B", "alpha", "beta"}
    assert np.mean(group["alpha"].values) == pytest.approx(1 / 3, rel=0.1)
    named = replace(posterior, priors={"alpha": "TransformedDistribution()"})
    assert set(named.to_arviz()["prior"].data_vars) == {"E", "B", "beta", "sigma"}


def test_runs_that_share_errors_are_left_out_one_by_one():
    """The joint density over that of all other runs is the density of one given the others."""
    posterior = fit.posterior(
        laws.chinchilla,
        grouped(),
        key=jax.random.key(0),
        errors="normal + effects(group)",
        chains=1,
        warmup=200,  # as where NUTS is compared with importance sampling, by the same program
        draws=20,
    )
    values = posterior.to_arviz()["log_likelihood"]["log_loss"].values[0]
    rows = posterior.rows
    draw = 7
    theta = {name: column[draw] for name, column in posterior.draws.items()}
    law = np.log(np.asarray(laws.chinchilla(rows.inputs["N"], rows.inputs["D"], **theta)))
    labels = rows.columns["group"]
    covariance = posterior.noise["effect_scale_group"][draw] ** 2 * (labels[:, None] == labels)
    covariance += posterior.noise["sigma"][draw] ** 2 * np.eye(40)
    residual = np.log(rows.loss) - law
    for i in (0, 11, 39):
        others = np.arange(40) != i
        weights = np.linalg.solve(covariance[np.ix_(others, others)], covariance[others, i])
        mean, variance = (
            weights @ residual[others],
            covariance[i, i] - weights @ covariance[others, i],
        )
        expected = stats.norm.logpdf(residual[i], mean, variance**0.5)
        assert values[draw, i] == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize(
    "errors", ["student + effects(group)", "outliers + additive + scale(D)", "normal + additive"]
)
def test_every_kind_of_errors_is_exported(errors):
    posterior = fit.posterior(
        laws.chinchilla,
        grouped(),
        key=jax.random.key(1),
        errors=errors,
        priors={"alpha": "lognormal(0.3, 0.5)"},
        chains=1,
        warmup=20,
        draws=10,
    )
    tree = posterior.to_arviz()
    site = posterior.errors.site
    assert np.isfinite(tree["log_likelihood"][site].values).all()
    assert np.isfinite(tree["posterior_predictive"][site].values).all()
    assert "alpha" in tree["prior"]


def test_the_truth_has_a_likely_log_likelihood(tree):
    """Leave-one-out: about the entropy of normal errors of 1%, a nat a run."""
    density = np.logaddexp.reduce(tree["log_likelihood"]["log_loss"].values.reshape(600, 40), 0)
    mean = float(np.mean(density - np.log(600)))
    assert HOFFMANN
    assert mean == pytest.approx(-0.5 * np.log(2 * np.pi * np.e * 0.01**2), abs=0.4)


@pytest.mark.smoke
def test_smoothed_weights_know_the_shape_of_their_tail():
    """Weights with a Pareto tail of shape 0.5 have that shape, and keep their number."""
    weights = stats.genpareto.rvs(0.5, size=20_000, random_state=0) + 1.0
    smoothed, shape = smoothed_weights(np.log(weights))
    assert smoothed.shape == (20_000,)
    assert shape == pytest.approx(0.5, abs=0.15)
    assert smoothed.argmax() == weights.argmax()
