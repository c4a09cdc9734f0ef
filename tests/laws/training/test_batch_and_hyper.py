"""Batch sizes, learning rates and progress: printed numbers, and how the laws hang together."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import fit, laws, runs
from jscale.laws.loss._progress import algorithmic_progress, compute_gain
from jscale.laws.training._batch import (
    critical_batch,
    kaplan_allocation,
    kaplan_critical_batch,
    minimum_compute,
    minimum_steps,
    training_examples,
    training_steps,
)
from jscale.laws.training._hyper import (
    adamw_timescale,
    deepseek_batch,
    deepseek_learning_rate,
    deepseek_model_scale,
    deepseek_tokens,
    step_law_batch,
    step_law_learning_rate,
    weight_decay,
)
from tests.laws.catalogue_points import in_dtype
from tests.tolerances import REFERENCE

LEAST = {"S_min": 1e4, "E_min": 1e10}


@pytest.fixture(autouse=True)
def _double():
    with in_dtype("float64"):
        yield


@pytest.mark.parametrize(
    ("law", "at", "value"),
    [
        (deepseek_learning_rate, {"C": 1e20}, 0.0009859981744),
        (deepseek_batch, {"C": 1e20}, 1017144.96),
        (deepseek_model_scale, {"C": 1e20}, 5251267289.0),
        (deepseek_tokens, {"C": 1e20}, 19045296020.0),
        (step_law_learning_rate, {"N": 1e9, "D": 1e11}, 0.001632499402),
        (step_law_batch, {"D": 1e11}, 1107714.89),
        (adamw_timescale, {"M": 20}, 0.2235560742),
    ],
    ids=lambda x: laws.describe(x).name if callable(x) else None,
)
def test_values_worked_out_in_40_digits(law, at, value):
    np.testing.assert_allclose(law(**at, **laws.params(law)), value, rtol=REFERENCE)


def test_steps_against_examples():
    np.testing.assert_allclose(training_steps(2e6, **LEAST), 15000.0, rtol=REFERENCE)
    np.testing.assert_allclose(training_examples(2e6, **LEAST), 3e10, rtol=REFERENCE)
    batch = np.geomspace(1e3, 1e9, 7)
    S, examples = training_steps(batch, **LEAST), training_examples(batch, **LEAST)
    np.testing.assert_allclose((S / 1e4 - 1) * (examples / 1e10 - 1), 1.0, rtol=1e-9)
    np.testing.assert_allclose(examples, batch * S, rtol=1e-14)
    # At the critical batch either costs twice its minimum.
    np.testing.assert_allclose(training_steps(1e6, **LEAST), 2e4)
    np.testing.assert_allclose(training_examples(1e6, **LEAST), 2e10)


def test_least_steps_and_compute_of_a_run():
    batch = np.array([1e5, 1e6, 1e7])
    np.testing.assert_allclose(
        minimum_steps(training_steps(batch, **LEAST), batch, 1e6), 1e4, rtol=1e-14
    )
    compute = 6e9 * training_examples(batch, **LEAST)
    np.testing.assert_allclose(minimum_compute(compute, batch, 1e6), 6e19, rtol=1e-14)


def test_kaplan_critical_batch():
    theta = laws.params(kaplan_critical_batch)
    np.testing.assert_allclose(kaplan_critical_batch(1.0, **theta), 2e8)
    # The batch doubles for every 13% by which the loss falls (Kaplan et al. 2020, Section 5.1).
    ratio = kaplan_critical_batch(0.87 * 3, **theta) / kaplan_critical_batch(3.0, **theta)
    np.testing.assert_allclose(ratio, 2.0, rtol=0.04)
    np.testing.assert_allclose(critical_batch(1e10, k=20.0, p=0.47), 20 * 1e10**0.47, rtol=1e-14)


def test_kaplan_allocation():
    result = kaplan_allocation(alpha_N=0.076, alpha_B=0.21, alpha_S=0.76)
    np.testing.assert_allclose(result.alpha_C, 0.0520, atol=5e-5)
    np.testing.assert_allclose(result.N + result.batch + result.S, 1.0, rtol=1e-14)
    np.testing.assert_allclose(result.N + result.D, 1.0, rtol=1e-14)
    assert abs(result.N - 0.73) < 0.06
    assert abs(result.batch - 0.24) < 0.01


def test_kaplan_allocation_is_the_least_loss():
    """At C = 6 N B S with B at the critical batch, the brute-force N has the stated exponent."""
    steps, critical = laws.params(laws.kaplan_steps), laws.params(kaplan_critical_batch)

    def best_size(C):
        N = jnp.geomspace(1e6, 1e13, 20_001)

        def excess(loss):
            # At the critical batch the run takes 2 S_min steps, so C = 6 N * B * 2 S_min.
            S_min = C / (6 * N) / (2 * kaplan_critical_batch(loss, **critical))
            return laws.kaplan_steps(N, S_min, **steps) - loss

        low, high = jnp.full_like(N, 0.1), jnp.full_like(N, 50.0)
        for _ in range(80):
            middle = jnp.sqrt(low * high)
            above = excess(middle) > 0
            low, high = jnp.where(above, middle, low), jnp.where(above, high, middle)
        return N[jnp.argmin(low)]

    result = jnp.log(best_size(1e24) / best_size(1e20)) / jnp.log(1e4)
    exponents = kaplan_allocation(
        alpha_N=steps["alpha_N"], alpha_B=critical["alpha_B"], alpha_S=steps["alpha_S"]
    )
    np.testing.assert_allclose(result, exponents.N, atol=1e-3)


def test_deepseek_spends_the_budget():
    C = np.geomspace(1e17, 1e25, 5)
    spent = deepseek_model_scale(C, **laws.params(deepseek_model_scale)) * deepseek_tokens(
        C, **laws.params(deepseek_tokens)
    )
    np.testing.assert_allclose(spent, C, rtol=2e-4)  # the printed digits


def test_weight_decay_gives_the_timescale():
    run = {"batch_tokens": 1e6, "learning_rate": 1e-3, "D": 2e10}
    decay = weight_decay(0.2, **run)
    np.testing.assert_allclose(
        run["batch_tokens"] / (run["learning_rate"] * decay * run["D"]), 0.2, rtol=1e-14
    )
    np.testing.assert_allclose(weight_decay(0.2, **{**run, "batch_tokens": 2e6}), 2 * decay)


def test_progress():
    # The effective compute doubles in 8.4 months, and the same rate as an exponential is that of
    # the other law.
    theta = laws.params(compute_gain)
    days = 8.4 * 30.4375
    np.testing.assert_allclose(
        compute_gain(np.array([0.0, days, 2 * days]), **theta), [1.0, 2.0, 4.0], rtol=1e-14
    )
    np.testing.assert_allclose(algorithmic_progress(1e9, days, g=np.log(2) / days), 2e9, rtol=1e-14)


def test_recovery():
    truth = laws.params(step_law_learning_rate)
    N, D = (a.ravel() for a in np.meshgrid(np.geomspace(1e8, 1e10, 8), np.geomspace(1e9, 1e12, 8)))
    rate = np.asarray(step_law_learning_rate(N, D, **truth)) * np.exp(
        0.05 * np.random.default_rng(0).normal(size=64)
    )
    point = fit.point(
        step_law_learning_rate, runs.read({"N": N, "D": D, "lr": rate, "loss": rate}), starts=8
    )
    assert point.certificate.converged
    for name, value in truth.items():
        assert abs(point.params[name] - value) < 4 * point.stderr[name], name
    # The coefficient is far less certain than the exponents: the reason for its anchor.
    assert point.stderr["k"] / truth["k"] > 5 * point.stderr["a"] / truth["a"]


def test_published_errors():
    published = laws.describe(step_law_learning_rate).published["li2025"]
    assert published.stderr == {"a": 0.0298, "b": 0.0191}
    assert jax.grad(lambda D: step_law_learning_rate(1e9, D, **published.values))(1e11) > 0
