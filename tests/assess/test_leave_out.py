"""Clusters of runs left out: closed forms, refits, ArviZ; and weights by stacking."""

import warnings
from dataclasses import replace
from typing import Any

import arviz
import jax
import numpy as np
import pytest
import scipy.stats

# Behind arviz 1, 'import numpyro.distributions' leaves numpyro without its submodules.
from numpyro import distributions as dist

from jscale import assess, fit, laws, runs
from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.scope import float64
from jscale.fit.bayes import export
from jscale.fit.bayes.export._by_cluster import cluster_log_likelihood
from jscale.fit.bayes.export._left_out import _with_own_priors
from jscale.laws import law
from jscale.laws.roles import Count, Loss, SignedExponent

pytestmark = pytest.mark.usefixtures("one_optimiser")

KEY = jax.random.key(0)
SHAPE, RATE = 3.0, 2e-4
"""Of the inverse gamma prior of the variance, which is conjugate."""
VARIANCE = dist.TransformedDistribution(
    dist.InverseGamma(SHAPE, RATE), dist.transforms.PowerTransform(0.5)
)
PRIOR_SD = 0.1
SIGMA, EFFECT = 0.01, 0.02
"""Scales of errors and effects, where the priors fix them."""
GROUPS = np.repeat(["a", "b", "c", "d"], [2, 3, 3, 4])


@law(formula="D**p", source="test")
def power(D: Count, *, p: SignedExponent) -> Loss:
    """A line through the origin in logarithms."""
    return D**p


def line() -> runs.Runs:
    rng = np.random.default_rng(0)
    D = np.geomspace(1e3, 1e9, 12)
    shared = EFFECT * rng.normal(size=4)[np.unique(GROUPS, return_inverse=True)[1]]
    loss = D**0.05 * np.exp(shared + SIGMA * rng.normal(size=12))
    return runs.read({"D": D, "loss": loss, "group": GROUPS, "half": np.repeat(["x", "y"], 6)})


TABLE = line()
X, Y = np.log(TABLE["D"]), np.log(TABLE["loss"])


def sampled(errors: str, **priors) -> fit.Posterior:
    settings = {"sampler": "importance", "chains": 4, "draws": 1000}
    priors = {"p": dist.Normal(0.0, PRIOR_SD), **priors}
    return fit.posterior(power, TABLE, key=KEY, errors=errors, priors=priors, **settings)


@pytest.fixture(scope="module")
def independent() -> fit.Posterior:
    """The variance has its conjugate prior; the power hardly one."""
    return sampled("normal", p=dist.Normal(0.0, 100.0), sigma=VARIANCE)


@pytest.fixture(scope="module")
def correlated() -> fit.Posterior:
    fixed = {"sigma": ("lognormal", SIGMA, 1e-3), "effect_scale_group": ("lognormal", EFFECT, 1e-3)}
    return sampled("normal + effects(group)", p=("normal", 0.0, PRIOR_SD), **fixed)


def regression_without(out: np.ndarray) -> float:
    """Log density of the runs that are out, given the others: a multivariate Student-t."""
    x, y = X[~out], Y[~out]
    slope = x @ y / (x @ x)
    shape, rate = SHAPE + (len(x) - 1) / 2, RATE + np.sum((y - slope * x) ** 2) / 2
    scale = rate / shape * (np.eye(out.sum()) + np.outer(X[out], X[out]) / (x @ x))
    frozen: Any = scipy.stats.multivariate_t  # its stub takes whole numbers only
    return frozen(X[out] * slope, scale, df=2 * shape).logpdf(Y[out])


def normal_without(out: np.ndarray) -> float:
    """The same with shared errors of known size: a multivariate normal."""
    covariance = PRIOR_SD**2 * np.outer(X, X) + SIGMA**2 * np.eye(12)
    covariance += EFFECT**2 * (GROUPS[:, None] == GROUPS)
    joint = scipy.stats.multivariate_normal
    whole = joint.logpdf(Y, np.zeros(12), covariance)
    return whole - joint.logpdf(Y[~out], np.zeros((~out).sum()), covariance[np.ix_(~out, ~out)])


@pytest.mark.parametrize("by", ["group", "half"])
def test_independent_runs_as_in_the_closed_form(independent, by):
    labels = np.unique(TABLE[by], return_inverse=True)[1]
    expected = [regression_without(labels == i) for i in range(labels.max() + 1)]
    result = assess.loo(independent, TABLE, by=by)
    is_reliable = ~result.unreliable
    # Over eight keys scores with k below 0.5 were off by at most 0.03, those with 0.6 to 0.7 by
    # 0.27 to 0.35.
    limit = np.where(np.asarray(result.pareto_k) < 0.5, 0.1, 0.4)
    errors = np.abs(result.log_scores - np.array(expected))
    assert (errors < limit)[is_reliable].all()
    assert is_reliable.sum() >= (3 if by == "group" else 1)
    assert result.clusters == tuple(np.unique(TABLE[by]).tolist())
    assert result.runs.tolist() == np.bincount(labels).tolist()
    assert result.elpd == result.log_scores.sum()


@pytest.mark.parametrize("by", ["group", "half"])
def test_runs_that_share_errors_as_in_the_closed_form(correlated, by):
    """Also where clusters that are left out part those of the effects."""
    labels = np.unique(TABLE[by], return_inverse=True)[1]
    expected = [normal_without(labels == i) for i in range(labels.max() + 1)]
    result = assess.loo(correlated, TABLE, by=by, refit=True, key=KEY)
    np.testing.assert_allclose(result.log_scores, expected, atol=0.1)
    assert result.by == by
    assert not result.unreliable.any()


def test_a_refit_has_not_seen_the_cluster(correlated):
    labels = np.unique(GROUPS, return_inverse=True)[1]
    with float64():
        refit = export.refit_without(correlated, labels, 2, KEY)
    assert refit.elpd == pytest.approx(normal_without(labels == 2), abs=0.03)
    assert refit.notes == ()


def test_a_rough_refit_stays_unreliable(correlated, monkeypatch):
    note = Note("rough-importance-sampling", "warning", "rough")
    monkeypatch.setattr(
        export, "refit_without", lambda *given: export.Refitted(1.0, (note,) if given[2] else ())
    )
    narrow = replace(correlated, draws={"p": 20 * correlated.draws["p"]})
    result = assess.loo(narrow, TABLE, by="group", refit=True, key=KEY)
    assert result.refitted.sum() > 1
    np.testing.assert_array_equal(result.unreliable, result.refitted & (np.arange(4) > 0))
    assert [note.code for note in result.notes] == ["rough-refits"]


def test_priors_of_numpyro_reach_the_refits(correlated):
    """Where the record has all of their numbers."""
    posterior = replace(correlated, priors={"sigma": "Exponential(rate=2)"})
    prior: Any = _with_own_priors(posterior).distributions["sigma"]
    assert isinstance(prior, dist.Exponential)
    assert prior.rate == 2


def test_every_run_on_its_own_as_in_arviz(independent):
    D = {"D": TABLE["D"], "loss": TABLE["loss"]}
    alone = runs.read(D)
    result = assess.loo(replace(independent, table_digest=alone.digest), alone)
    assert result.by is None
    assert result.clusters[0] == "row 1"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a Pareto k above 0.7
        expected = arviz.loo(independent.to_arviz(), pointwise=True)
    values = expected.elpd_i if hasattr(expected, "elpd_i") else expected.loo_i
    np.testing.assert_allclose(result.log_scores, np.asarray(values), atol=5e-3)
    total = float(expected.elpd if hasattr(expected, "elpd") else expected.elpd_loo)
    assert result.elpd == pytest.approx(total, abs=0.01)
    # ArviZ 0.23 divides by the number of runs, 1.x by one less.
    assert result.se == pytest.approx(float(expected.se), rel=0.06)
    effective = float(expected.p if hasattr(expected, "elpd") else expected.p_loo)
    assert result.parameters == pytest.approx(effective, abs=0.02)


@pytest.mark.parametrize("ratio", [0.1, 30.0])
def test_sampled_effects_are_integrated_out(ratio):
    """Student-t errors and normal effects: against the integral on a fine grid."""
    settings = {"sampler": "importance", "chains": 1, "draws": 10}
    posterior = fit.posterior(power, TABLE, key=KEY, errors="student + effects(group)", **settings)
    sigma = posterior.noise["sigma"]
    posterior = replace(posterior, noise={"sigma": sigma, "effect_scale_group": ratio * sigma})
    labels = np.unique(GROUPS, return_inverse=True)[1]
    with float64():
        values = cluster_log_likelihood(posterior, labels)
    residual = Y - np.log(TABLE["D"]) * posterior.draws["p"][:, None]
    z = np.linspace(-12, 12, 40_001)
    for draw in (0, 7):
        for cluster in range(4):
            own = residual[draw, labels == cluster][:, None] - ratio * sigma[draw] * z
            density = scipy.stats.t.logpdf(own, posterior.errors.nu, scale=sigma[draw]).sum(axis=0)
            inside = np.exp(density - density.max()) * scipy.stats.norm.pdf(z)
            expected = density.max() + np.log(np.trapezoid(inside, z))
            assert values[draw, cluster] == pytest.approx(expected, abs=1e-6)


def test_losses_and_log_losses_are_scored_alike(independent):
    """Additive errors have densities of losses, which count as those of log losses."""
    raw = fit.posterior(
        power, TABLE, key=KEY, errors="normal + additive", sampler="importance", chains=1, draws=400
    )
    result = assess.loo(raw, TABLE, by="group")
    assert result.on_log
    assert result.elpd == pytest.approx(assess.loo(independent, TABLE, by="group").elpd, abs=6)
    both = assess.stacking([result, assess.loo(independent, TABLE, by="group")])
    assert sum(both.weights.values()) == pytest.approx(1.0)


def result_of(log_scores: list[float], errors: str) -> assess.LeaveOneOut:
    count = len(log_scores)
    return assess.LeaveOneOut(
        law="power", errors=errors, by=None, clusters=tuple(map(str, range(count))),
        runs=np.ones(count, int), log_scores=np.array(log_scores), pareto_k=np.zeros(count),
        refitted=np.zeros(count, bool), rough=np.zeros(count, bool), parameters=1.0, on_log=True,
        notes=(), table_digest="",
    )  # fmt: skip


def test_stacking_maximises_the_log_score_of_the_mixture():
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(3, 30)) + np.array([[0.0], [0.3], [-4.0]])
    result = assess.stacking([result_of(own.tolist(), f"m{i}") for i, own in enumerate(scores)])
    weights = np.array([result.weights[f"power, m{i}"] for i in range(3)])

    def score(w: np.ndarray) -> float:
        return float(np.log(w @ np.exp(scores)).sum())

    steps = np.linspace(0, 1, 101)
    best = max(score(np.array([a, b, 1 - a - b])) for a in steps for b in steps if a + b <= 1)
    assert score(weights) >= best - 1e-6
    assert weights.sum() == pytest.approx(1.0)
    assert weights[2] < 1e-3
    first = result.models[0]
    assert (first.name, first.difference, first.difference_se) == ("power, m1", 0.0, 0.0)
    second = result.models[1]
    difference = scores[0] - scores[1]
    assert second.difference == pytest.approx(difference.sum())
    assert second.difference_se == pytest.approx(np.sqrt(30) * difference.std(ddof=1))


def test_stacking_of_a_backtest_counts_each_cluster_once():
    """One forecaster is right about a run in each of four groups, the other in the last."""
    rows, clusters = [], []
    for law_name, own, others in (("a", 0.0, -3.0), ("b", -3.0, 0.0)):
        for row in range(16):
            score = own if row < 4 else others
            rows.append(held_out(law_name, row + 1, score))
    clusters = np.array([0, 1, 2, 3] + [3] * 12)
    template = assess.backtest(
        [assess.in_sample_band(each) for each in (laws.power_size, laws.power_data)],
        small_table(), key=KEY, cuts=[0.6], draws=100,
    )  # fmt: skip
    named = tuple(replace(e, law=n) for e, n in zip(template.laws, "ab", strict=True))
    result = assess.stacking(replace(template, rows=tuple(rows), laws=named, clusters=clusters))
    assert (result.how, result.pieces) == ("leave-future-out", 4)
    # Three pieces and a thirteenth of the fourth are for the first.
    right = (3 + 1 / 13) / 4
    weight, other = np.exp(0.0), np.exp(-3.0)
    a = np.linspace(0, 1, 10_001)
    objective = right * np.log(a * weight + (1 - a) * other)
    objective += (1 - right) * np.log(a * other + (1 - a) * weight)
    assert result.weights["a"] == pytest.approx(a[objective.argmax()], abs=2e-3)


def held_out(law_name: str, row: int, log_score: float) -> assess.HeldOutRun:
    numbers = dict.fromkeys(assess.HeldOutRun.__dataclass_fields__, 1.0)
    return assess.HeldOutRun(
        **{**numbers, "law": law_name, "cut": "C", "row": row, "log_score": log_score}
    )


def small_table() -> runs.Runs:
    N = np.geomspace(1e7, 1e9, 16)
    return runs.simulate(
        laws.power_size, {"L_inf": 1.8, "A": 150.0, "alpha": 0.3}, {"N": N, "D": 20 * N},
        noise=0.01, key=KEY,
    )  # fmt: skip


def test_bad_input(independent):
    with pytest.raises(JscaleError, match=r"posterior must be one that fit\.posterior returns"):
        assess.loo(7, TABLE)  # pyright: ignore[reportArgumentType]
    with pytest.raises(JscaleError, match="sampled given other runs than simulated power_size"):
        assess.loo(independent, small_table())
    with pytest.raises(JscaleError, match="holds no runs"):
        assess.loo(replace(independent, rows=None), TABLE)
    with pytest.raises(JscaleError, match="by: table: no two runs share a value of 'D'"):
        assess.loo(independent, TABLE, by="D")
    with pytest.raises(JscaleError, match="key: refits need a JAX random key"):
        assess.loo(independent, TABLE, refit=True)
    with pytest.raises(JscaleError, match="has priors that its record names only"):
        export.refit_without(independent, np.repeat([0, 1], 6), 0, KEY)
    one = result_of([0.0] * 5, "m")
    for evidence, message in (
        ([one], "expected at least two"),
        ([one, one], "is given twice"),
        ([one, result_of([0.0] * 4, "n")], "left out other runs"),
        ([one, result_of([0.0, np.nan, 0, 0, 0], "n")], "1 log score that are not finite"),
        ([one, 3], "expected results of loo, or a backtest, not 3"),
    ):
        with pytest.raises(JscaleError, match=message):
            assess.stacking(evidence)
