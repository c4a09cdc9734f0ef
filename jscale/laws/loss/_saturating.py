"""Learning curves that saturate at both ends: the function classes M1 to M4.

M1 is a power law, M2 adds a floor, M3 lets the resource saturate, and M4 tends to the error of
guessing where there are few data. Each contains the one before it, except that M3 replaces M2's
floor by a saturation. Alabdulmohsin et al. 2022 compare them by how well they extrapolate, and find
M4 the best of the four on most tasks. The paper writes its exponents with their sign, ``c < 0``;
here ``c > 0`` and the sign stands in the formula.

The form transfers between tasks, the constants do not: none were published.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jscale._core.arrays import as_float, log, term
from jscale._core.solve import root
from jscale.laws.declaration import law, member
from jscale.laws.roles import (
    Anchor,
    Coefficient,
    Error,
    Exponent,
    Irreducible,
    Prior,
    Resource,
    adjust,
    lognormal,
)

_SOURCE = "Alabdulmohsin et al. 2022 (arXiv 2209.06640)"
_UNPUBLISHED = "Constants belong to one task each; none are given."
_RIDGE = "beta and c are almost perfectly correlated unless beta is quoted at the runs' own scale."
_FLOOR_RIDGE = "A higher floor goes with a steeper power."

ErrorFloor = Annotated[
    Irreducible,
    adjust(name="irreducible error", unit="1", meaning="irreducible error"),
]
# M4 lies between its floor and the error of guessing, which starts above the smallest error.
_FloorBelowErrors = Annotated[ErrorFloor, adjust(anchor=Anchor("1 / loss_min"))]
ErrorCoefficient = Annotated[
    Coefficient,
    adjust(
        meaning="scale of the excess error",
        prior=lognormal(0.3, 0.8),
        start=(0.03, 1.5),
        anchor=Anchor("x**-c"),
    ),
]
Saturation = Annotated[
    Coefficient,
    adjust(
        name="saturation",
        unit="1/resource",
        meaning="inverse of the resource beyond which more does not help",
        prior=lognormal(0.1, 1.5),
        start=(0.005, 2.0),
        anchor=Anchor("x"),
    ),
]
Guessing = Annotated[
    Coefficient,
    adjust(
        name="guessing error",
        meaning="error without any resource",
        prior=lognormal(2.0, 0.7),
        start=(1.05, 6.0),
        anchor=Anchor("1 / loss_min"),
    ),
]
GuessingExponent = Annotated[
    Coefficient,
    adjust(
        name="bend",
        meaning="how the error leaves that of guessing",
        prior=Prior("halfnormal", (1.0,)),
        start=(0.1, 2.0),
    ),
]


@law(
    formula="beta * x**-c",
    source=f"{_SOURCE}, the authors' code, M1",
    decreasing=("x",),
    limits={"x = inf": "0"},
    ridges=(_RIDGE,),
    traps=(_UNPUBLISHED, "No floor: c depends on the range of the runs."),
)
def m1(x: Resource, *, beta: ErrorCoefficient, c: Exponent) -> Error:
    """Error of a model that is limited by one resource alone, without a floor.

    ``eps = beta * x**-c`` (Alabdulmohsin et al. 2022, M1).

    Example:
        >>> from jscale import laws
        >>> [round(float(laws.m1(x, beta=2.0, c=0.3)), 3) for x in (1e3, 1e6)]
        [0.252, 0.032]
    """
    return term(beta, x, c)


@law(
    formula="eps_inf + beta * x**-c",
    source=f"{_SOURCE}, the authors' code, M2",
    decreasing=("x",),
    limits={"x = inf": "eps_inf"},
    ridges=(_RIDGE, _FLOOR_RIDGE),
    traps=(_UNPUBLISHED,),
)
def m2(x: Resource, *, eps_inf: ErrorFloor, beta: ErrorCoefficient, c: Exponent) -> Error:
    """Error of a model that is limited by one resource alone, above a floor.

    ``eps - eps_inf = beta * x**-c`` (Alabdulmohsin et al. 2022, M2).

    Example:
        >>> from jscale import laws
        >>> [round(float(laws.m2(x, eps_inf=0.1, beta=2.0, c=0.3)), 3) for x in (1e3, 1e6)]
        [0.352, 0.132]
    """
    return eps_inf + term(beta, x, c)


@law(
    formula="beta * (1 / x + gamma)**c",
    source=f"{_SOURCE}, the authors' code, M3",
    decreasing=("x",),
    limits={"x = inf": "beta * gamma**c"},
    ridges=(_RIDGE, "gamma needs runs beyond x = 1 / gamma; runs below only bound it from above."),
    traps=(_UNPUBLISHED, "The floor is beta * gamma**c: it moves with the exponent."),
)
def m3(x: Resource, *, beta: ErrorCoefficient, gamma: Saturation, c: Exponent) -> Error:
    """Error of a model that is limited by one resource which saturates at 1 / gamma.

    ``eps = beta * (1 / x + gamma)**c`` (Alabdulmohsin et al. 2022, M3).

    Example:
        >>> from jscale import laws
        >>> [round(float(laws.m3(x, beta=2.0, gamma=1e-5, c=0.3)), 3) for x in (1e3, 1e6)]
        [0.253, 0.065]
    """
    return beta * (1 / as_float(x) + gamma) ** c


_MAX_LOGIT = 100.0
"""A logit beyond which a share is 1 in either precision."""


def _excess_logit(level: jax.Array, alpha: jax.Array) -> jax.Array:
    """The logit z of the solution t of ``log(t) - alpha * log(1 - t) = level``, scalars."""
    lower = jnp.minimum(level, 0.0) - alpha - 1.0
    return root(
        lambda z: alpha * jax.nn.softplus(z) - jax.nn.softplus(-z) - level,
        lower,
        jnp.full_like(level, _MAX_LOGIT),
    ).x


@jax.jit  # outside another jit, every call would compile the loop again
def _excess_logits(level: jax.Array, alpha: jax.Array) -> jax.Array:
    return jax.vmap(_excess_logit)(level.ravel(), alpha.ravel()).reshape(level.shape)


def _share(level: ArrayLike, alpha: ArrayLike) -> jax.Array:
    """The t between 0 and 1 with ``log(t) - alpha * log(1 - t) = level``, any shapes.

    1 where there is none. In the logit of t both ends have full relative precision, and the
    equation is monotone and nearly linear.
    """
    dtype = jnp.result_type(level, alpha)
    level, alpha = (
        jnp.asarray(a, dtype) for a in jnp.broadcast_arrays(jnp.asarray(level), jnp.asarray(alpha))
    )
    zero, one = jnp.isneginf(level), level >= alpha * _MAX_LOGIT

    # An entry at an end of the range solves an equation that has a root: a NaN would spread through
    # the gradients.
    inside = jnp.where(zero | one, -1.0, level)
    share = jax.nn.sigmoid(_excess_logits(inside, alpha))
    return jnp.where(zero, 0.0, jnp.where(one, 1.0, share))


def _m4(values: Mapping[str, Any]) -> jax.Array:
    span = as_float(values["eps_0"]) - as_float(values["eps_inf"])
    outside = span <= 0
    span = jnp.where(outside, 1.0, span)
    level = (
        log(values["beta"]) - values["c"] * log(values["x"]) - (1 - values["alpha"]) * jnp.log(span)
    )
    return jnp.where(outside, jnp.inf, values["eps_inf"] + span * _share(level, values["alpha"]))


m4 = member(
    _m4,
    name="m4",
    doc="""Error of a model that is limited by one resource, from guessing down to a floor.

    The solution of ``(eps - eps_inf) / (eps_0 - eps)**alpha = beta * x**-c`` between the floor
    ``eps_inf`` and the error of guessing ``eps_0`` (Alabdulmohsin et al. 2022, M4), differentiated
    through the equation. The closed inverse is :func:`m4_resource`. ``alpha = 0`` gives M2 where
    that lies below ``eps_0``, and ``eps_0`` elsewhere.

    Infinite where ``eps_0 <= eps_inf``.

    Example:
        >>> from jscale import laws
        >>> theta = {"eps_inf": 0.1, "eps_0": 0.75, "alpha": 0.5, "beta": 20.0, "c": 0.5}
        >>> [round(float(laws.m4(x, **theta)), 3) for x in (1, 1e4, 1e8)]
        [0.749, 0.242, 0.102]
    """,
    subject="saturating",
    inputs={"x": Resource},
    parameters={
        "eps_inf": _FloorBelowErrors,
        "eps_0": Guessing,
        "alpha": GuessingExponent,
        "beta": ErrorCoefficient,
        "c": Exponent,
    },
    output=Error,
    formula="eps_inf + (eps_0 - eps_inf)"
    " * share(beta * x**-c * (eps_0 - eps_inf)**(alpha - 1), alpha)",
    functions={"share": lambda ratio, alpha: _share(jnp.log(ratio), alpha)},
    source=f"{_SOURCE}, the authors' code, M4",
    decreasing=("x",),
    limits={"x = inf": "eps_inf"},
    ridges=(
        _RIDGE,
        _FLOOR_RIDGE,
        "alpha needs runs near guessing; without them it is collinear with beta and c.",
    ),
    traps=(
        _UNPUBLISHED,
        "share(r, alpha) is the t between 0 and 1 at which t / (1 - t)**alpha = r.",
        "eps_0 is known for a task of multiple choice, 1 - 1 / choices: fix it.",
    ),
)
"""Error of a model that is limited by one resource, from guessing down to a floor (M4)."""
m4.__module__ = __name__  # the catalogue takes the laws that a chapter declares itself


def m4_resource(
    error: ArrayLike,
    *,
    eps_inf: ArrayLike,
    eps_0: ArrayLike,
    alpha: ArrayLike,
    beta: ArrayLike,
    c: ArrayLike,
) -> jax.Array:
    """Resource at which M4 reaches an error, in the resource's own unit.

    ``x = ((eps - eps_inf) / (beta * (eps_0 - eps)**alpha))**(-1 / c)`` (Alabdulmohsin et al. 2022,
    M4, solved for x). Differentiable; infinite at the floor and below it, 0 at the error of
    guessing and above it.

    Args:
        error: target, any shape; the parameters broadcast against it.
        eps_inf: floor.
        eps_0: error of guessing.
        alpha: bend, 0 or above.
        beta: coefficient.
        c: exponent, above 0.

    Example:
        >>> from jscale import laws
        >>> theta = {"eps_inf": 0.1, "eps_0": 0.75, "alpha": 0.5, "beta": 20.0, "c": 0.5}
        >>> error = laws.m4(1e4, **theta)
        >>> round(float(laws.m4_resource(error, **theta)), -2)
        10000.0
    """
    above, below = jnp.asarray(as_float(error) - eps_inf), jnp.asarray(eps_0 - as_float(error))
    unreachable, guessing = above <= 0, below <= 0

    log_above = jnp.log(jnp.where(unreachable, 1.0, above))
    log_below = jnp.log(jnp.where(guessing, 1.0, below))
    ratio = log_above - alpha * log_below - log(beta)
    return jnp.where(unreachable, jnp.inf, jnp.where(guessing, 0.0, jnp.exp(-ratio / c)))
