"""Derivatives one coordinate at a time against JAX's dense ones."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import laws
from jscale._core.jaxprs import value_and_columns
from jscale._core.scope import float64

ROWS = 6


@pytest.fixture(autouse=True)
def _in_float64():
    with float64():
        yield


def law_of(name):
    """A law of the catalogue as a function of its parameters, and their published values."""
    law = laws.get(name)
    record = laws.describe(law)
    rng = np.random.default_rng(0)
    inputs = {
        i.name: jnp.asarray(i.role.typical * rng.uniform(0.5, 1.0, ROWS)) for i in record.inputs
    }
    names, theta = record.parameter_names, laws.params(law)

    def predict(*values):
        return law(**inputs, **dict(zip(names, values, strict=True)))

    return predict, [jnp.asarray(theta[n]) for n in names]


@jax.jit
def inner(a, b):
    return jnp.exp(a) * jnp.arange(1.0, ROWS + 1) + 0.0 * b


def nested(a, b, c, d):
    # Two arguments of an inner program, one of them times zero; one that is added; one unused.
    return inner(a, b) + c


def stepped(a, b):
    return jax.lax.scan(
        lambda carry, x: (carry * a + x, None), b * jnp.ones(ROWS), jnp.arange(3.0)
    )[0]


LAWS = ("chinchilla", "precision", "data_constrained", "kaplan", "farseer", "routed")


@pytest.mark.parametrize("name", [*LAWS, "nested", "stepped"])
def test_columns_are_those_of_jacfwd(name):
    if name in LAWS:
        function, point = law_of(name)
    else:
        function = {"nested": nested, "stepped": stepped}[name]
        point = [jnp.asarray(v) for v in (0.3, 1.2, -0.7, 2.0)[: 2 if name == "stepped" else 4]]
    value, columns = jax.jit(lambda p: value_and_columns(function, p))(point)
    dense = jax.jit(jax.jacfwd(lambda p: function(*p)))(point)
    np.testing.assert_allclose(value, jax.jit(function)(*point), rtol=1e-13)
    for column, expected in zip(columns, dense, strict=True):
        np.testing.assert_allclose(column, expected, rtol=1e-10, atol=1e-300)


def test_columns_under_vmap_are_those_of_each_lane():
    function, point = law_of("chinchilla")
    lanes = [jnp.stack([x, 1.1 * x]) for x in point]
    _, columns = jax.vmap(lambda *p: value_and_columns(function, p))(*lanes)
    for lane in range(2):
        _, one_lane = value_and_columns(function, [x[lane] for x in lanes])
        for column, expected in zip(columns, one_lane, strict=True):
            np.testing.assert_allclose(column[lane], expected, rtol=1e-12)
