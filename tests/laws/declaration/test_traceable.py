"""A law that JAX cannot compile is refused in one line that names it, the place and the remedy."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from jscale import fit, laws, plan, runs
from jscale._core.errors import JscaleError
from jscale._core.scope import float64
from jscale.laws.declaration._traceable import require_compilable
from jscale.laws.roles import Count, Exponent, Irreducible, Loss, SizeCoefficient, Tokens

SIZES = np.geomspace(1e7, 1e10, 12)
HERE = r"test_traceable\.py, line \d+"


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


def branching_on_runs(N: Count, *, E: Irreducible, A: SizeCoefficient, alpha: Exponent) -> Loss:
    """Nothing."""
    return E + A * N**-alpha if N > 1e8 else E


def runs_by_math(N: Count, *, E: Irreducible, A: SizeCoefficient, alpha: Exponent) -> Loss:
    """Nothing."""
    return E + A * math.exp(-alpha * math.log(N))


def masking(N: Count, *, E: Irreducible, A: SizeCoefficient, alpha: Exponent) -> Loss:
    """Nothing."""
    return E + A * jnp.atleast_1d(N)[N > 1e8] ** -alpha


def comparing(N: Count, *, E: Irreducible, A: SizeCoefficient, alpha: Exponent) -> Loss:
    """Nothing."""
    return E + A * N**-alpha > 2


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            branching,
            rf"law 'branching' cannot be compiled \({HERE}\): Python's if.*jax\.numpy\.where",
        ),
        (by_numpy, rf"law 'by_numpy' cannot be compiled \({HERE}\): NumPy cannot.*use jax\.numpy"),
        (
            by_math,
            rf"law 'by_math' cannot be compiled \({HERE}\): float\(\).*module math.*use jax\.numpy",
        ),
        (branching_on_runs, rf"law 'branching_on_runs' cannot be compiled \({HERE}\): Python's if"),
        (runs_by_math, rf"law 'runs_by_math' cannot be compiled \({HERE}\): float\(\)"),
        (masking, rf"law 'masking' cannot be compiled \({HERE}\): a mask cannot pick values"),
        (
            comparing,
            "law 'comparing' returns values of type bool; expected real floating-point numbers",
        ),
        (
            summed,
            r"law 'summed' returns an array of shape \(\) for .* shape \(12,\); "
            r"expected .* add 0 times an input",
        ),
        (forgetful, r"law 'forgetful' returns NoneType for inputs of shape \(12,\)"),
    ],
)
def test_laws_that_cannot_be_compiled_are_refused(function, message):
    law = laws.law(formula="E + A * N**-alpha", source="a test")(function)
    table = runs.read({"N": SIZES, "loss": 2 + 400 * SIZES**-0.3})
    with pytest.raises(JscaleError, match=message) as caught:
        fit.point(law, table)
    assert "\n" not in str(caught.value)


def test_plans_check_laws_as_well():
    @laws.law(formula="E + 1 / N + 1 / D", source="a test")
    def spending(N: Count, D: Tokens, *, E: Irreducible) -> Loss:
        """Nothing."""
        return E + 1 / N + 1 / D if E > 1 else E

    with pytest.raises(
        JscaleError, match=rf"law 'spending' cannot be compiled \({HERE}\): Python's if"
    ):
        plan.optimal(spending, {"E": 1.7}, budget=1e21)


@pytest.mark.parametrize(
    "law",
    [
        laws.fix(laws.chinchilla, E=1.7),
        laws.tie(laws.chinchilla, beta="alpha"),
        laws.bnsl(3),
        laws.multi_power(),
    ],
    ids=["fixed", "tied", "bnsl(3)", "multi_power"],
)
def test_combined_laws_are_compilable(law):
    with float64():
        require_compilable(
            law, {i.name: np.full(3, i.role.typical) for i in laws.describe(law).inputs}
        )


@pytest.mark.parametrize(
    "law", laws.catalogue, ids=[laws.describe(law).name for law in laws.catalogue]
)
def test_the_catalogue_is_compilable(law):
    with float64():
        require_compilable(
            law, {i.name: np.full(3, i.role.typical) for i in laws.describe(law).inputs}
        )
