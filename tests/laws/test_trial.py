"""A law that JAX cannot compile is refused in one line that names it, the place and the remedy."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from jscale import fit, laws, runs
from jscale._core.errors import JscaleError
from jscale._core.scope import float64
from jscale.laws._trial import require_compilable
from jscale.laws.roles import Count, Exponent, Irreducible, Loss, SizeCoefficient

SIZES = np.geomspace(1e7, 1e10, 12)
HERE = r"test_trial\.py, line \d+"


def branching(N: Count, *, E: Irreducible, A: SizeCoefficient, alpha: Exponent) -> Loss:
    """Nothing."""
    return E + A * N**-alpha if alpha > 0 else E


def by_numpy(N: Count, *, E: Irreducible, A: SizeCoefficient, alpha: Exponent) -> Loss:
    """Nothing."""
    return E + A * np.exp(-alpha * np.log(N))


def by_math(N: Count, *, E: Irreducible, A: SizeCoefficient, alpha: Exponent) -> Loss:
    """Nothing."""
    return E + A * N ** -math.sqrt(alpha)


def summed(N: Count, *, E: Irreducible, A: SizeCoefficient, alpha: Exponent) -> Loss:
    """Nothing."""
    return jnp.sum(E + A * N**-alpha)


def forgetful(N: Count, *, E: Irreducible, A: SizeCoefficient, alpha: Exponent) -> Loss:
    """Nothing."""
    E + A * N**-alpha


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (branching, rf"law 'branching' cannot be compiled \({HERE}\): Python's if.*jax\.numpy\.where"),
        (by_numpy, rf"law 'by_numpy' cannot be compiled \({HERE}\): NumPy cannot.*use jax\.numpy"),
        (by_math, rf"law 'by_math' cannot be compiled \({HERE}\): float\(\).*module math.*use jax\.numpy"),
        (summed, r"law 'summed' returns an array of shape \(\) for 12 runs; expected shape \(12,\)"),
        (forgetful, r"law 'forgetful' returns NoneType for 12 runs"),
    ],
)
def test_what_cannot_be_compiled_is_told(function, message):
    law = laws.law(formula="E + A * N**-alpha", source="a test")(function)
    table = runs.read({"N": SIZES, "loss": 2 + 400 * SIZES**-0.3})
    with pytest.raises(JscaleError, match=message) as caught:
        fit.point(law, table)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("law", laws.catalogue, ids=[laws.describe(law).name for law in laws.catalogue])
def test_the_catalogue_is_compilable(law):
    with float64():
        require_compilable(law, {i.name: np.full(3, i.role.typical) for i in laws.describe(law).inputs})
