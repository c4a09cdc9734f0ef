"""Exponents that change with size: the Farseer surface.

Floor, coefficient and exponent of the data term are each a stretched exponential of the size N: a
larger model learns from data at a different rate than a small one. Nine parameters fit a dense grid
of runs more closely than Chinchilla's five; without such a grid they are not identified.
"""

from typing import Annotated

import jax.numpy as jnp

from jscale._core.arrays import as_float, log
from jscale.laws.declaration import constants, law
from jscale.laws.roles import (
    Anchor,
    Count,
    Exponent,
    Loss,
    Prior,
    SignedExponent,
    Slope,
    Tokens,
    adjust,
    lognormal,
)

_FARSEER = "Li et al. 2025 (arXiv 2506.10972)"


def _slope(name: str, power: str, prior: tuple[float, float], start: tuple[float, float]) -> adjust:
    # As a size at the typical model: the slope itself spans decades.
    return adjust(
        meaning=f"change of the logarithm of the {name} with size",
        prior=Prior("normal", prior),
        start=start,
        anchor=Anchor(power),
    )


def _intercept(name: str, plus: str, start: tuple[float, float]) -> adjust:
    # Started as the logarithm at the typical model.
    return adjust(
        name="intercept",
        meaning=f"logarithm of the {name}, size aside",
        prior=Prior("normal", (0.0, 4.0)),
        start=start,
        anchor=Anchor(plus=plus),
    )


_SizePower = Annotated[
    Exponent, adjust(meaning="power of size", prior=lognormal(0.15, 0.4), start=(0.06, 0.3))
]
_SignedPower = Annotated[
    SignedExponent,
    adjust(meaning="power of size", prior=Prior("normal", (0.0, 0.2)), start=(-0.2, -0.02)),
]
# Starts are surfaces that decrease with size: with other starts among them, two descents in three
# converged to the same optimum, instead of 96%.
_ExponentSlope = Annotated[
    Slope, _slope("data exponent", "alpha * N**alpha", (-0.2, 0.5), (-0.4, -0.02))
]
_ExponentLevel = Annotated[Slope, _intercept("data exponent", "a_1 * N**alpha", (-1.8, -0.4))]
_CoefficientSlope = Annotated[Slope, _slope("data coefficient", "N**beta", (5.0, 4.0), (2.0, 12.0))]
_CoefficientLevel = Annotated[
    Slope,
    _intercept(
        "data coefficient", "a_2 * N**beta - exp(a_1 * N**alpha + b_1) * log(D)", (-3.5, 0.4)
    ),
]
_FloorSlope = Annotated[Slope, _slope("floor", "gamma * N**gamma", (-0.1, 0.5), (-0.4, -0.02))]
_FloorLevel = Annotated[Slope, _intercept("floor", "a_3 * N**gamma - log(loss_min)", (-2.3, -0.05))]


@law(
    formula="exp(a_3 * N**gamma + b_3)"
    " + exp(a_2 * N**beta + b_2 - exp(a_1 * N**alpha + b_1) * log(D))",
    source=f"{_FARSEER}, eq. 3",
    published={
        "li2025": constants(
            f"{_FARSEER}, eq. 15",
            "P",
            note="bits per character on the authors' own text, N without embeddings",
            a_1=-0.124,
            alpha=0.123,
            b_1=0.424,
            a_2=88.01,
            beta=-0.1,
            b_2=-6.287,
            a_3=-0.021,
            gamma=0.169,
            b_3=-0.091,
        )
    },
    decreasing=("D",),
    limits={"D = inf": "exp(a_3 * N**gamma + b_3)"},
    ridges=(
        "Each slope a trades with its intercept b and with its power of N.",
        "Runs of few sizes N do not identify the three powers alpha, beta and gamma.",
    ),
    traps=(
        "With the published constants the loss is in bits per character, not nats per token, and "
        "its floor tends to 0.",
        "The printed powers have one to three digits: with them there is no optimal D/N above some "
        "1e21 FLOP, where the paper's figure has one that grows. Do not plan with them.",
        "The authors fit in stages, differences along D first; a joint fit has many optima.",
        "Monotone in N only where a_1, a_3 and a_2 * beta are below 0.",
    ),
)
def farseer(
    N: Count,
    D: Tokens,
    *,
    a_1: _ExponentSlope,
    alpha: _SizePower,
    b_1: _ExponentLevel,
    a_2: _CoefficientSlope,
    beta: _SignedPower,
    b_2: _CoefficientLevel,
    a_3: _FloorSlope,
    gamma: _SizePower,
    b_3: _FloorLevel,
) -> Loss:
    """Loss of a dense N-parameter model trained on D tokens, every term in N, nats per token.

    ``L(N, D) = exp(a_3 * N**gamma + b_3) + exp(a_2 * N**beta + b_2) * D**-exp(a_1 * N**alpha +
    b_1)`` (Li et al. 2025, eq. 3), the second term as one exponential.

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.farseer)
        >>> round(float(laws.farseer(3e9, 100e9, **theta)), 3)  # bits per character
        0.465
    """
    N = as_float(N)
    exponent = jnp.exp(a_1 * N**alpha + b_1)
    return jnp.exp(a_3 * N**gamma + b_3) + jnp.exp(a_2 * N**beta + b_2 - exponent * log(D))
