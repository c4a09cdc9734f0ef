"""What of a function is computed once for the entries of an axis, and its values in parts."""

import jax.numpy as jnp
import numpy as np
import pytest

from jscale import laws
from jscale.plan.gridsearch._factors import factors
from jscale.plan.gridsearch._program import _cut
from jscale.plan.reductions import divide
from tests.plan.cases import KUMAR

X, Y = np.linspace(1, 2, 8), np.linspace(3, 4, 6)


def function(x, y, scale):
    """A choice that is known, terms of x and of y, and their sum and product."""
    chosen = jnp.where(jnp.isposinf(jnp.inf), jnp.sin(x), jnp.exp(x * y))
    return {"sum": scale * chosen + jnp.log(y), "product": chosen * y, "constant": 2.0}


def test_only_sums_and_products_of_terms_are_left():
    cells = factors(function, (X, Y, np.ones(())), (0, 1, None), (8, 6))
    assert cells.length == 2
    assert sorted(cells.axes) == [(0,), (0,), (1,), (1,)]


def test_a_law_is_a_sum_of_two_terms():
    """Of the precision law without quantisation after training: the choice of none is made."""

    def loss(N, D, P):
        return laws.precision(N, D, P_w=P, P_a=P, P_kv=P, **KUMAR)

    cells = factors(loss, (X, Y, X), (0, 1, 2), (8, 6, 8))
    assert cells.length == 2
    assert sorted(cells.axes) == [(0, 2), (1,), (2,)]


def test_the_values_at_every_point():
    cells = factors(function, (X, Y, np.full((), 0.5)), (0, 1, None), (8, 6))
    found = cells.everywhere()
    x, y = X[:, None], Y[None, :]
    np.testing.assert_allclose(found["sum"], 0.5 * np.sin(x) + np.log(y), rtol=1e-6)
    np.testing.assert_allclose(found["product"], np.sin(x) * y, rtol=1e-6)
    assert found["constant"].shape == (8, 6)


@pytest.mark.parametrize(
    ("pieces", "counts"), [((2, 6), (4, 1)), ((1, 3), (2, 2)), ((1, 1), (1, 3)), ((8, 6), (1, 1))]
)
def test_parts_are_the_values(pieces, counts):
    """A part has the entries of one number of every piece."""
    cells = factors(function, (X, Y, np.full((), 0.5)), (0, 1, None), (8, 6))
    whole = np.asarray(cells.everywhere()["sum"])
    rows, columns = (
        np.arange(n).reshape(p, c, -1).swapaxes(0, 1).reshape(c, -1)
        for n, p, c in zip(whole.shape, pieces, counts, strict=True)
    )
    expected = [whole[np.ix_(some, others)] for some in rows for others in columns]
    for part, values in zip(cells.parts(pieces, counts), expected, strict=True):
        np.testing.assert_array_equal(part["sum"], values)


@pytest.mark.parametrize(
    ("sizes", "row", "counts"),
    [
        ({"x": 500, "y": 400}, (10, 400), (10, 1)),
        ({"x": 401, "y": 13}, (208, 13), (16, 1)),
        ({"x": 10**6}, (4096,), (16,)),
        ({"x": 100}, (100,), (1,)),
    ],
)
def test_rows_have_equal_parts(sizes, row, counts):
    """Longer rows than an even share, where few others have parts."""
    space = divide(sizes, (), 2**20, 4096)
    assert space.row == row
    assert _cut(space, 2) == counts
    assert set(_cut(space, 1000)) == {1}


def test_short_rows_are_compact():
    """Neighbours along all axes, of about the same share of each; tiles keep their limit."""
    sizes = {"N": 500, "D": 500, "P": 13}
    space = divide(sizes, (), 2**20, 64)
    assert space.row == (8, 8, 1)
    assert space.tile == (128, 504, 13)
    assert divide(sizes, (), 13, 13).tile == (4, 2, 1)
    assert divide({"a": 6, "b": 7, "c": 5}, (), 1000, 64).row == (2, 1, 1)
