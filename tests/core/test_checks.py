"""Checks of arguments: valid ones pass, any other is a message that begins with the argument."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale._core import checks
from jscale._core.errors import JscaleError

KEY = jax.random.key(0)


@pytest.mark.parametrize("key", [KEY, jax.random.PRNGKey(0)])
def test_valid_keys(key):
    checks.check_key(key)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (0, "key must be a JAX random key such as jax.random.key(0), not 0"),
        (None, "key must be a JAX random key"),
        (jnp.zeros(3), "key must be one JAX random key"),
        (jax.random.split(KEY, 2), "not an array of shape (2,)"),
    ],
)
def test_invalid_keys(key, expected):
    with pytest.raises(JscaleError) as caught:
        checks.check_key(key)
    assert expected in str(caught.value)
    assert caught.value.argument == "key"


def test_whole_numbers():
    assert all(checks.is_whole_number(value, 1) for value in (1, np.int32(7)))
    invalid = (0, True, 2.0, "2", None, np.float64(2))
    assert not any(checks.is_whole_number(value, 1) for value in invalid)
    assert checks.is_whole_number(-3)
    checks.check_whole_number("draws", 2, at_least=2)
    with pytest.raises(JscaleError, match=r"^draws must be a whole number of at least 2, not 1$"):
        checks.check_whole_number("draws", 1, at_least=2)


@pytest.mark.parametrize("level", [0, 1, True, "0.9", np.nan, None])
def test_invalid_levels(level):
    checks.check_level(np.float32(0.9))
    with pytest.raises(JscaleError, match=r"^level must lie between 0 and 1, not "):
        checks.check_level(level)


def test_numbers_become_floats():
    assert type(checks.check_number("C", 10**30)) is float
    assert checks.check_number("C", [1, 2]).dtype == np.float64
    assert checks.check_number("C", jnp.float32(2)).dtype == "float32"
    assert checks.check_number("C", np.inf, infinite=True) == np.inf
    assert jax.jit(lambda x: checks.check_number("C", x, above=0))(-1.0) == -1.0


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("many", "C must be a number, not 'many'"),
        (True, "C must be a number, not True"),
        (2j, "C must be a number, not 2j"),
        ([[1, 2], [3]], "C must be a number or an array of numbers, not lists of different le"),
        (
            [1.5, 10**400],
            "C must be a number or an array of numbers, not an integer beyond 1.8e308",
        ),
        (0, "C must be a finite number above 0, not 0"),
        ([[1.0, 2.0], [np.nan, -1.0]], "C[1, 0] must be a finite number above 0, not nan"),
        (np.inf, "C must be a finite number above 0, not inf"),
    ],
)
def test_invalid_numbers(value, expected):
    with pytest.raises(JscaleError) as caught:
        checks.check_number("C", value, above=0)
    assert str(caught.value).startswith(expected)
    assert caught.value.argument == "C"
