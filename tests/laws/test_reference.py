"""Numbers that papers print, and values computed from them in 40 digits."""

import functools
import json
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import laws
from tests.laws.catalogue_points import in_dtype
from tests.tolerances import REFERENCE, VALUE

TABLE = json.loads(Path(__file__).with_name("reference.json").read_text(encoding="utf-8"))


@pytest.fixture(autouse=True)
def _double():
    with in_dtype("float64"):
        yield


@functools.cache
def constants(law: str, source: str) -> dict[str, float]:
    return laws.params(laws.get(law), source)


@pytest.mark.parametrize("entry", TABLE["values"], ids=lambda e: e["id"])
def test_value(entry):
    law, params = laws.get(entry["law"]), entry["params"]
    theta = constants(entry["law"], params) if isinstance(params, str) else params
    value = law(**entry["at"], **theta)
    # A difference of two losses of ten digits, for the fraction that reproduces it.
    rtol = 1e-6 if "delta" in entry["at"] and entry["law"] == "effective_fraction" else REFERENCE
    np.testing.assert_allclose(value, entry["value"], rtol=rtol, err_msg=entry["source"])
    with jax.enable_x64(False):
        np.testing.assert_allclose(
            float(law(**entry["at"], **theta)),
            entry["value"],
            rtol=max(rtol, VALUE["float32"]),
            err_msg="float32",
        )


def test_every_law_is_named_in_a_test_of_its_own():
    """The contract checks properties only; every law also needs a test that knows its numbers."""
    folders = Path(__file__).parent, Path(__file__).parents[1] / "reference"
    files = [path for folder in folders for path in folder.rglob("*.py")]
    written = "".join(path.read_text(encoding="utf-8") for path in files) + json.dumps(TABLE)
    names = {laws.describe(f).name.partition("(")[0] for f in laws.catalogue}
    assert not {name for name in names if not re.search(rf"\b{name}\b", written)}


@pytest.mark.parametrize("point", TABLE["robust"]["points"], ids=lambda p: p["id"])
def test_robust_degradation(point):
    trained = {k: v for k, v in point["at"].items() if k != "P_post"}
    both = constants("precision", "kumar2024_bias")
    before = laws.low_precision(**trained, **constants("low_precision", "kumar2024"))
    after = laws.precision_robust(**point["at"], **both, **point["robustness"])
    np.testing.assert_allclose(after - before, point["delta"], rtol=REFERENCE, atol=1e-15)


@pytest.mark.parametrize(
    "point", TABLE["critical_tokens"]["points"], ids=lambda p: f"{p['N']:g}-{p['P_post']}"
)
def test_loss_turns_at_the_critical_tokens(point):
    """At D_crit the slope in D is zero: more data makes the quantised model worse."""
    theta = constants("precision", "kumar2024")

    def slope(D):
        gradient = jax.grad(
            lambda D: laws.precision(point["N"], D, P_post=point["P_post"], **theta)
        )(D)
        return gradient * D / (theta["beta"] * theta["B"] * D ** -theta["beta"])

    D = jnp.asarray(point["D"])
    assert abs(slope(D)) < REFERENCE
    assert slope(0.99 * D) < -1e-3
    assert slope(1.01 * D) > 1e-3


def test_best_bits():
    """The bits that give the most effective parameters at a given N * P: 7 to 8, says the paper."""
    best, theta = TABLE["best_bits"], constants("effective_parameters", "kumar2024")

    def per_bit(P):
        return jnp.log(laws.effective_parameters(1.0, P, P, P, **theta) / P)

    P = jnp.asarray(best["P"])
    np.testing.assert_allclose(
        laws.effective_parameters(1.0, P, P, P, **theta), best["f"], rtol=REFERENCE
    )
    slope, curvature = jax.jit(jax.value_and_grad(jax.grad(per_bit)))(P)
    assert abs(slope) < REFERENCE
    assert curvature < 0
    assert 7 < P < 8


def test_more_than_four_times_the_parameters_at_four_bits():
    """Kumar et al. 2024: 4 bits take over 4 times the compute-optimal parameters of 16 bits."""
    theta = constants("low_precision", "kumar2024")

    def best_size(P, C=1e21):
        N = jnp.geomspace(1e8, 1e12, 40_001)
        return N[jnp.argmin(laws.low_precision(N, C * 16 / (6 * P) / N, P, P, P, **theta))]

    np.testing.assert_allclose(best_size(4.0) / best_size(16.0), 4.562, rtol=1e-3)


@jax.jit
def _kaplan_elasticities(log_N, log_S):
    """Derivatives of Kaplan's loss in log size and log steps."""
    theta = constants("kaplan_steps", "kaplan2020")

    def loss(log_N, log_S):
        return laws.kaplan_steps(jnp.exp(log_N), jnp.exp(log_S), **theta)

    return jax.grad(loss, (0, 1))(log_N, log_S)


@pytest.mark.parametrize("N", [1e6, 1e9, 1e12])
def test_best_stop_is_ten_percent_above_convergence(N):
    """Kaplan et al. 2020, appendix B: the cheapest run to a loss stops 10% above convergence.

    The share is ``alpha_N / alpha_S``.
    """
    theta = constants("kaplan_steps", "kaplan2020")
    # Compute is N * S: on the way to a given loss the two elasticities are equal where it is
    # smallest.
    low, high = jnp.log(1.0), jnp.log(1e9)
    for _ in range(100):
        middle = 0.5 * (low + high)
        of_size, of_steps = _kaplan_elasticities(jnp.log(N), middle)
        low, high = (low, middle) if of_steps > of_size else (middle, high)
    loss = laws.kaplan_steps(N, jnp.exp(low), **theta)
    converged = laws.kaplan_size(N, **constants("kaplan_size", "kaplan2020"))
    np.testing.assert_allclose(loss / converged, 1.10, rtol=1e-9)


def test_excess_over_the_floor_shrinks_by_a_fixed_ratio():
    theta = {"L_inf": 1.5, "A": 0.8, "alpha": 0.05}
    for law in (laws.power_size, laws.power_data, laws.power_compute):
        excess = law(1e21, **theta) - 1.5, law(1e20, **theta) - 1.5
        np.testing.assert_allclose(excess[0] / excess[1], 0.8912509381, rtol=REFERENCE)
