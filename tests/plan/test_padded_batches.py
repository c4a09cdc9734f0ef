"""Few draws and budgets, padded so that other numbers of them share a compiled program."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale._core.errors import JscaleError
from jscale.plan.gridsearch import in_padded_batches, over_draws

SHAPES = [((2,),), ((3, 1), (4,)), ((8,),), ((9,),), ((64,), ()), ((65,),), ((0,),), ((), ())]


def summed(a, b):
    """One number and one vector of an entry."""
    return over_draws(lambda a, b: {"sum": a + b, "pair": jnp.stack([a, a * b])}, a, b)


@pytest.mark.parametrize("shapes", SHAPES)
def test_entries_are_as_without_padding(shapes):
    first, second = (*shapes, ())[:2]
    a = jnp.arange(np.prod(first), dtype=jnp.float32).reshape(first)
    b = 0.5 + jnp.arange(np.prod(second), dtype=jnp.float32).reshape(second)
    expected, found = summed(a, b), in_padded_batches(summed, a, b)
    for name, values in expected.items():
        assert found[name].dtype == values.dtype
        np.testing.assert_array_equal(found[name], values)


def test_small_numbers_share_two_programs():
    traces = []

    @jax.jit
    def traced(a):
        traces.append(a.shape)
        return over_draws(lambda a: a + 1.0, a)

    for count in (*range(2, 12), 40, 64):
        assert in_padded_batches(traced, jnp.zeros(count)).shape == (count,)
    assert traces == [(8,), (64,)]


def test_shapes_that_do_not_broadcast_are_named():
    with pytest.raises(JscaleError, match=r"shapes \(2,\) and \(3,\) do not broadcast"):
        in_padded_batches(summed, jnp.zeros(2), jnp.zeros(3))
