"""From loss and compute to scores: published values, chains of laws, abrupt metrics."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import laws
from jscale._core.errors import JscaleError
from jscale.laws.tasks import _downstream, _scores
from tests.laws.catalogue_points import in_dtype
from tests.tolerances import REFERENCE

SIGMOID = {"a": 0.7, "k": 3.0, "L_0": 2.3, "b": 0.25}
DENSE = laws.params(laws.chinchilla)


@pytest.mark.parametrize(
    ("source", "loss", "error"),
    [
        ("gadre2024_c4_17", 2.462787911, 0.5267555759),
        ("gadre2024_refinedweb_17", 2.583472034, 0.5087756085),
    ],
)
def test_reference_errors(source, loss, error):
    """Gadre et al. 2024: error at the loss of 1e21 FLOP and 20 tokens a parameter, to 40 digits."""
    theta = laws.params(_downstream.error_from_loss, source)
    with in_dtype("float64"):
        np.testing.assert_allclose(
            _downstream.error_from_loss(loss, **theta), error, rtol=REFERENCE
        )


def test_two_steps_in_one():
    """Bhagia et al. 2024: size and data to a loss, the loss to a score."""
    both = laws.substitute(_downstream.score_from_loss, loss=laws.chinchilla)
    with in_dtype("float64"):
        expected = _downstream.score_from_loss(laws.chinchilla(7e9, 2e12, **DENSE), **SIGMOID)
        np.testing.assert_allclose(both(N=7e9, D=2e12, **DENSE, **SIGMOID), expected, rtol=1e-14)
    gadre = laws.substitute(_downstream.error_from_loss, loss=laws.chinchilla)
    assert set(laws.describe(gadre).input_names) == {"N", "D"}


def test_half_the_gain_at_the_midpoint():
    with in_dtype("float64"):
        score = _downstream.score_from_loss(SIGMOID["L_0"], **SIGMOID)
        np.testing.assert_allclose(score, SIGMOID["b"] + SIGMOID["a"] / 2, rtol=1e-14)
        theta = {"R_0": 0.1, "A": 0.6, "C_mid": 1e21, "B": 0.8}
        np.testing.assert_allclose(_scores.rl_score(1e21, **theta), 0.35, rtol=1e-14)
        np.testing.assert_allclose(_downstream.pass_rate(0.4, tau=0.4, sd=1.0), 0.5, rtol=1e-14)


def test_an_exact_match_looks_abrupt():
    """Per decade of size the loss changes by one ratio, the score of 40 tokens in one decade."""
    N = np.geomspace(1e7, 1e13, 7)
    with in_dtype("float64"):
        loss = laws.power_size(N, L_inf=0.0, A=60.0, alpha=0.3)
        score = np.asarray(_downstream.exact_match(loss, k=40.0))
        ratios = loss[1:] / loss[:-1]
        np.testing.assert_allclose(ratios, ratios[0], rtol=1e-12)
        changes = np.diff(score)
        assert score[0] < 1e-3
        assert score[-1] > 0.6
        assert changes.max() > 5 * np.median(changes[:3])
        one = _downstream.exact_match(loss, k=1.0)
        np.testing.assert_allclose(score, np.asarray(one) ** 40, rtol=1e-12)


def test_capability_to_score():
    """One sigmoid for all families: the same score wherever the capability is the same."""
    law = _scores.observational(1)
    with in_dtype("float64"):
        cheap, dear = {"theta": 0.4, "nu": -19.0}, {"theta": 0.3, "nu": -15.0}
        C = jnp.asarray(3e21)
        S = _scores.capability(C, **cheap)
        same = jnp.exp((S - dear["nu"]) / dear["theta"])
        values = [
            law(_scores.capability(c, **t), alpha=-0.2, beta_1=1.5)
            for c, t in ((C, cheap), (same, dear))
        ]
        np.testing.assert_allclose(values[0], values[1], rtol=1e-12)
        np.testing.assert_allclose(jnp.log(values[0] / (1 - values[0])), -0.2 + 1.5 * S, rtol=1e-12)
    with pytest.raises(JscaleError, match="1 or more, not 0"):
        _scores.observational(0)


def test_rotated_components_give_the_same_score():
    """The trap on the card: a rotation of the components and of their weights is the same law."""
    law, turn = _scores.observational(2), np.array([[0.6, -0.8], [0.8, 0.6]])
    S, beta = np.array([0.7, -1.1]), np.array([1.2, 0.5])
    with in_dtype("float64"):
        values = [
            law(*s, alpha=0.1, beta_1=b[0], beta_2=b[1])
            for s, b in ((S, beta), (turn @ S, turn @ beta))
        ]
        np.testing.assert_allclose(values[0], values[1], rtol=1e-14)


def test_coverage_grows_with_samples():
    """A power law in the logarithm of the coverage."""
    with in_dtype("float64"):
        k = jnp.geomspace(1.0, 1e4, 5)
        logs = jnp.log(-jnp.log(_scores.coverage(k, a=1.5, b=0.3)))
        np.testing.assert_allclose(jnp.diff(logs), -0.3 * np.log(10.0), rtol=1e-12)
        np.testing.assert_allclose(_scores.coverage(1.0, a=1.5, b=0.3), np.exp(-1.5), rtol=1e-14)


def test_tokens_of_a_compute_optimal_model():
    """Rounded constants: 1.05e13 tokens at 3.8e25 FLOP, a third more at an exponent of 0.535."""
    theta = laws.params(_scores.optimal_tokens)
    with in_dtype("float64"):
        tokens = _scores.optimal_tokens(3.8e25, **theta)
        np.testing.assert_allclose(tokens, 1.0464e13, rtol=1e-4)
        more = _scores.optimal_tokens(3.8e25, **{**theta, "alpha": theta["alpha"] + 0.005})
        assert 1.3 < more / tokens < 1.4


def test_the_error_falls_with_size():
    gadre = laws.substitute(_downstream.error_from_loss, loss=laws.chinchilla)
    theta = {**DENSE, **laws.params(_downstream.error_from_loss)}
    with in_dtype("float64"):
        slope = jax.grad(lambda N: gadre(N=N, D=2e11, **theta))(jnp.asarray(1e9))
        assert slope < 0


@pytest.mark.parametrize("components", [1, 2, 3])
def test_every_number_of_components_is_its_formula(components):
    law = _scores.observational(components)
    record, rng = laws.describe(law), np.random.default_rng(components)
    at = {name: rng.normal(size=5) for name in (*record.input_names, *record.parameter_names)}
    with in_dtype("float64"):
        np.testing.assert_allclose(law(**at), record.evaluate(at), rtol=1e-14)
