"""Posteriors: mixing, agreement with other samplers and the point fit, and predicting."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
import scipy.stats
from numpyro.infer import MCMC, NUTS

from jscale import fit, laws
from jscale._core.errors import JscaleError
from jscale._core.jobs import Checkpoint
from jscale._core.scope import float64
from jscale._core.status import Status
from jscale.fit.bayes._arviz import diagnostics
from jscale.laws.roles import lognormal
from tests.fit.tables import HOFFMANN, frontier, isoflop

STUDENT = {"errors": "student", "sampler": "nuts"}
SETTINGS = {"chains": 2, "warmup": 400, "draws": 600, **STUDENT}
QUICK = {"chains": 2, "warmup": 400, "draws": 100, **STUDENT}
"""As long a warm-up, so that the compiled sampler is the same."""


@pytest.fixture(scope="module")
def posterior() -> fit.Posterior:
    # The default numbers of chains and draws: with half of them one key in three stays below 400
    # effective draws in the tails.
    return fit.posterior(laws.chinchilla, isoflop(), key=jax.random.key(0), **STUDENT)


@pytest.mark.smoke
def test_chains_mix(posterior):
    assert posterior.status == Status.converged, posterior.notes
    for name, row in posterior.summary.items():
        assert row["ess_bulk"] > 400, name
        assert row["rhat"] < 1.01, name
    assert posterior.divergences == 0


def test_the_posterior_contains_the_truth(posterior):
    for name, truth in HOFFMANN.items():
        row = posterior.summary[name]
        assert abs(np.log(row["q50"] / truth)) < 4 * row["sd"] / row["mean"], name
    # The simulated noise is normal with sd 0.01: as a Student-t with 4 degrees of freedom its scale
    # is about 0.8 of it.
    assert 0.005 < posterior.summary["sigma"]["q50"] < 0.013


def test_agrees_with_the_point(posterior):
    point = fit.point(laws.chinchilla, isoflop(), objective="log-squares")
    for name in HOFFMANN:
        assert (
            abs(posterior.summary[name]["q50"] - point.params[name])
            < 1.5 * posterior.summary[name]["sd"]
        ), name


def test_summary_is_of_the_draws(posterior):
    for name, row in posterior.summary.items():
        values = posterior.draws.get(name, posterior.noise.get(name))
        assert values.shape == (4000,)
        assert values.dtype == np.float64
        assert row["q05"] == pytest.approx(np.quantile(values, 0.05))
        assert row["mean"] == pytest.approx(values.mean())


def test_the_key_determines_the_draws():
    first, same, other = (
        fit.posterior(laws.chinchilla, isoflop(), key=jax.random.key(seed), **QUICK)
        for seed in (0, 0, 1)
    )
    assert same.draws["A"].tobytes() == first.draws["A"].tobytes()
    assert other.draws["A"].tobytes() != first.draws["A"].tobytes()


@pytest.mark.smoke
def test_chains_that_were_killed_go_on(tmp_path: Path, monkeypatch):
    """The draws are those of chains that were not interrupted, and no chunk is sampled twice."""
    settings = {**QUICK, "key": jax.random.key(7)}
    whole = fit.posterior(laws.chinchilla, isoflop(), **settings)
    add, written = Checkpoint.add, []

    def killed(self, name, result):
        """The process ends after four more chunks."""
        add(self, name, result)
        written.append(name)
        if len(written) % 4 == 0:
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "add", killed)
    for _ in range(5):
        try:
            posterior = fit.posterior(
                laws.chinchilla, isoflop(), resume=tmp_path / "state", **settings
            )
            break
        except KeyboardInterrupt:
            continue
    assert len(written) == len(set(written)) == 10
    for name, draws in whole.draws.items():
        assert posterior.draws[name].tobytes() == draws.tobytes()
    with pytest.raises(JscaleError, match="another job, whose draws is 100, not 200"):
        fit.posterior(
            laws.chinchilla, isoflop(), resume=tmp_path / "state", **{**settings, "draws": 200}
        )


def test_arviz_container(posterior):
    tree = posterior.to_arviz()
    assert tree["posterior"]["alpha"].dims == ("chain", "draw")
    assert tree["posterior"]["alpha"].shape == (4, 1000)
    np.testing.assert_array_equal(
        tree["posterior"]["alpha"].values.ravel(), posterior.draws["alpha"]
    )
    assert tree["sample_stats"]["diverging"].dtype == bool


def test_numpyro_gives_the_same_posterior(posterior):
    """NumPyro's own driver, without whitening, gives the same means within Monte-Carlo error."""
    with float64(), jax.numpy_dtype_promotion("standard"):
        mcmc = MCMC(
            NUTS(fit.model(laws.chinchilla, isoflop(), errors="student")),
            num_warmup=600,
            num_samples=1500,
            progress_bar=False,
        )
        mcmc.run(jax.random.key(2))
        samples = {name: np.asarray(values) for name, values in mcmc.get_samples().items()}
    for name in HOFFMANN:
        effective = numpyro.diagnostics.effective_sample_size(samples[name][None])
        assert effective > 150, name
        row = posterior.summary[name]
        error = row["sd"] * np.sqrt(1 / effective + 1 / row["ess_bulk"])
        assert abs(samples[name].mean() - row["mean"]) < 4 * error, name


def test_a_ridge_widens_the_posterior(posterior):
    # With 12 keys alpha was 3.0 to 4.7 and beta 11 to 15 times as wide, the rank correlation
    # -0.56 to -0.83, and R-hat 1.007 to 1.5; another machine's rounding changes the chains as
    # another key does.
    ridge = fit.posterior(laws.chinchilla, frontier(), key=jax.random.key(4), **SETTINGS)
    assert ridge.status == Status.not_converged
    assert "prior_dominated" in {note.code for note in ridge.notes}
    for name, factor in {"alpha": 2.0, "beta": 5.0}.items():
        assert ridge.summary[name]["sd"] > factor * posterior.summary[name]["sd"], name
    # One ratio identifies the sum of the two terms only, so they are anticorrelated.
    size = ridge.draws["A"] * 1e9 ** -ridge.draws["alpha"]
    data = ridge.draws["B"] * 2e10 ** -ridge.draws["beta"]
    assert scipy.stats.spearmanr(size, data).statistic < -0.5


def test_without_information_the_posterior_is_the_prior():
    """The bits do not vary, so gamma_w keeps its prior.

    The prior of its role is wider: scales from 8 bits on take so much from every run that A has to
    follow along a curved and narrow ridge, at whose end one chain in ten stays, in NumPyro's own
    coordinates as well.
    """
    settings = {
        "chains": 2,
        "warmup": 600,
        "draws": 1500,
        **STUDENT,
        "priors": {"gamma_w": lognormal(2.0, 0.2)},
    }
    qat = fit.posterior(laws.qat, isoflop(), key=jax.random.key(6), **settings)
    logs, ess = np.log(qat.draws["gamma_w"]), qat.summary["gamma_w"]["ess_bulk"]
    assert ess > 1000
    assert logs.mean() == pytest.approx(np.log(2), abs=4 * 0.2 / np.sqrt(ess))
    assert logs.std() == pytest.approx(0.2, rel=0.1)


def test_priors_can_be_replaced(posterior):
    arguments = {"key": jax.random.key(0), **SETTINGS}
    narrow = {"E": dist.Normal(1.5, 1e-3)}
    informed = fit.posterior(laws.chinchilla, isoflop(), priors=narrow, **arguments)
    assert abs(informed.summary["E"]["mean"] - 1.5) < 0.02
    assert informed.summary["E"]["sd"] < 2e-3 < posterior.summary["E"]["sd"]
    with pytest.raises(JscaleError, match="no parameter gamma"):
        fit.posterior(laws.chinchilla, isoflop(), priors={"gamma": dist.Normal()}, **arguments)


def test_predict_is_the_law_at_the_draws(posterior):
    inputs = {"N": [1e9, 7e10], "D": [2e10, 1.4e12]}
    loss = fit.predict(posterior, inputs)
    assert loss.shape == (4000, 2)
    params = {name: values[17] for name, values in posterior.draws.items()}
    assert loss[17, 1] == pytest.approx(laws.chinchilla(7e10, 1.4e12, **params), rel=1e-12)
    noisy = fit.predict(posterior, inputs, key=jax.random.key(3))
    ratio = np.log(noisy / loss)
    # Student-t, 4 degrees of freedom: half of the draws lie within 0.741 scales.
    assert np.mean(np.abs(ratio) < 0.741 * posterior.noise["sigma"][:, None]) == pytest.approx(
        0.5, abs=0.05
    )
    with pytest.raises(JscaleError, match="takes N, D"):
        fit.predict(posterior, {"N": [1e9]})


def test_the_precision_of_the_caller_is_unchanged(posterior):
    before = jax.config.jax_enable_x64
    fit.predict(posterior, {"N": [1e9], "D": [1e10]})
    assert jax.config.jax_enable_x64 == before


@pytest.mark.parametrize("count", [0, 10.5, -3, True, "100", None, np.nan, [4], 10**12])
@pytest.mark.parametrize("name", ["chains", "warmup", "draws"])
def test_counts_of_chains_and_draws_are_checked(name, count):
    with pytest.raises(JscaleError, match=name) as error:
        fit.posterior(laws.chinchilla, isoflop(), key=jax.random.key(0), **{name: count})
    assert len(str(error.value)) < 200


@pytest.mark.parametrize(
    "key", [0, None, jax.random.split(jax.random.key(0)), np.zeros(2, np.uint32), "key"]
)
def test_the_key_is_checked(key):
    with pytest.raises(JscaleError, match="key must be"):
        fit.posterior(laws.chinchilla, isoflop(), key=key)


@pytest.mark.parametrize(
    ("priors", "message"),
    [
        ({"E": 1.7}, "priors\\['E'\\] is a number"),
        ({"E": dist.Normal(np.zeros(2), 1.0)}, "of one real number"),
        ({"E": dist.Poisson(3.0)}, "of one real number"),
        (["E"], "must map parameters"),
        ({0: dist.Normal()}, "no parameter 0"),
    ],
)
def test_priors_are_checked(priors, message):
    with pytest.raises(JscaleError, match=message):
        fit.posterior(laws.chinchilla, isoflop(), key=jax.random.key(0), priors=priors)


def test_an_improper_prior_is_a_prior():
    """A flat density above zero has no draws; the sampler needs none."""
    from jscale.fit.bayes._model import pose
    from jscale.fit.bayes.sampling._whitening import Whitening, potential

    flat = {"E": dist.ImproperUniform(dist.constraints.positive, (), ())}
    problem = pose(laws.chinchilla, isoflop(), flat, "student").problem
    with float64(), jax.numpy_dtype_promotion("standard"):
        whitening = Whitening(jax.numpy.zeros(6), jax.numpy.eye(6))
        assert np.isfinite(jax.jit(potential)(problem, whitening, jax.numpy.zeros(6)))


def test_law_and_table_are_checked():
    with pytest.raises(JscaleError, match="not a declared law"):
        fit.posterior(np.log, isoflop(), key=jax.random.key(0))
    with pytest.raises(JscaleError, match="table"):
        fit.posterior(laws.chinchilla, {"N": [1e9]}, key=jax.random.key(0))


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_in_one_chain_ends_all_chains(error):
    """The other chain would take a thousand chunks."""
    from jscale._core.jobs import Checkpoint
    from jscale.fit.bayes._model import pose
    from jscale.fit.bayes.sampling._nuts import sample
    from jscale.fit.bayes.sampling._whitening import whiten

    steps = []

    def fail(_: int) -> None:
        steps.append(1)
        if len(steps) == 2:
            raise error("stop")

    with float64(), jax.numpy_dtype_promotion("standard"):
        problem = pose(laws.chinchilla, isoflop(), None, "student").problem
        whitening = whiten(problem, jax.random.key(0))
        settings = {"chains": 2, "warmup": 400, "draws": 100_000}
        with pytest.raises(error, match="stop"):
            sample(
                problem,
                whitening,
                jax.random.key(0),
                **settings,
                advanced=fail,
                checkpoint=Checkpoint(None, {}),
            )
    assert len(steps) < 20


def test_a_single_chain_has_the_r_hat_of_its_halves():
    chain = np.random.default_rng(0).normal(size=(1, 400)) + np.linspace(0, 1, 400)
    halves = chain.reshape(2, 200)
    single, split = (diagnostics({"x": draws})["x"] for draws in (chain, halves))
    assert single == split

    settings = {**QUICK, "chains": 1}
    posterior = fit.posterior(laws.chinchilla, isoflop(), key=jax.random.key(0), **settings)
    assert all(np.isfinite(row["rhat"]) for row in posterior.summary.values())


def compilations(call) -> int:
    """The number of programs that a call compiles."""
    events = []

    def listen(name: str, _: float, **__) -> None:
        if name == "/jax/core/compile/backend_compile_duration":
            events.append(name)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        call()
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    return len(events)


def test_tables_of_one_size_share_the_compiled_sampler(posterior):
    """Runs, whitening and the numbers of a prior are arguments of the program."""
    other, arguments = isoflop(seed=1), {"key": jax.random.key(3), **QUICK}
    fit.posterior(laws.chinchilla, isoflop(), **arguments)
    assert compilations(lambda: fit.posterior(laws.chinchilla, other, **arguments)) == 0
    again = fit.posterior(laws.chinchilla, other, **arguments)
    assert again.summary["E"]["q50"] != posterior.summary["E"]["q50"]
    assert again.table_digest == other.digest


def test_settings_of_the_caller_change_nothing():
    """Settings of JAX and NumPyro that other programs set, and handlers that are active."""
    arguments = {"key": jax.random.key(0), **QUICK}
    usual = fit.posterior(laws.chinchilla, isoflop(), **arguments)
    table = isoflop()
    scopes = {
        "ranks": jax.numpy_rank_promotion("raise"),
        "transfers": jax.transfer_guard("disallow"),
        "precision": jax.default_matmul_precision("bfloat16"),
        "nans": jax.debug_nans(True),
        "validation": numpyro.validation_enabled(),
        "seed": numpyro.handlers.seed(rng_seed=1),
        "substituted": numpyro.handlers.substitute(data={"sigma": 5.0}),
    }
    for name, scope in scopes.items():
        with scope:
            same = fit.posterior(laws.chinchilla, table, **arguments)
        assert same.draws["A"].tobytes() == usual.draws["A"].tobytes(), name
    with numpyro.handlers.trace() as trace:
        fit.posterior(laws.chinchilla, table, **arguments)
    assert not trace


def test_threads_give_the_same_draws():
    arguments = {"key": jax.random.key(0), **QUICK}
    tables = [isoflop(seed=seed) for seed in range(4)]

    def draws(table) -> bytes:
        return fit.posterior(laws.chinchilla, table, **arguments).draws["A"].tobytes()

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(draws, tables))
    assert together == [draws(table) for table in tables]
