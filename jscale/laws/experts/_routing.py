"""Routed models: every token goes to one of E experts, at a fixed number of tokens.

More experts act like more parameters, with two limits: their number saturates, and they help less
in a larger model, until at a cutoff size they do not help at all (Clark et al. 2022). The cutoff
belongs to the fixed number of tokens: where data grow with the model, the gain from experts depends
on both (:func:`jscale.laws.joint_moe`).
"""

import math
from collections.abc import Mapping
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jscale._core.arrays import inexact, log, term
from jscale.laws.declaration import constants, law
from jscale.laws.roles import (
    Anchor,
    Coefficient,
    Count,
    Experts,
    Exponent,
    Irreducible,
    Loss,
    Prior,
    SignedExponent,
    SizeCoefficient,
    adjust,
    lognormal,
)

FirstExperts = Annotated[
    Coefficient,
    adjust(
        name="first experts",
        unit="experts",
        meaning="effective number of one expert",
        prior=lognormal(2.0, 0.3),
        start=(1.2, 4.5),
    ),
]
MostExperts = Annotated[
    Coefficient,
    adjust(
        name="most experts",
        unit="experts",
        meaning="effective number of infinitely many experts",
        prior=lognormal(300.0, 0.5),
        start=(150.0, 800.0),
    ),
]

_CLARK = "Clark et al. 2022 (arXiv 2202.01169)"
SATURATING = "1 / (1 / (E_experts - 1 + 1 / (1 / E_start - 1 / E_max)) + 1 / E_max)"
SATURATION_RIDGE = (
    "E_start and E_max need runs with one expert and with hundreds; otherwise fix them."
)


def saturating_experts(E_experts: ArrayLike, *, E_start: ArrayLike, E_max: ArrayLike) -> jax.Array:
    """Effective number of experts: ``E_start`` at one expert, ``E_max`` at infinitely many.

    ``1 / E_hat = 1 / (E_experts - 1 + 1 / (1 / E_start - 1 / E_max)) + 1 / E_max`` (Clark et al.
    2022; Ludziejewski et al. 2025 keep it).

    Args:
        E_experts: (...) experts in a layer, at least 1.
        E_start: effective experts of one expert.
        E_max: effective experts of infinitely many, above ``E_start``.

    Example:
        >>> from jscale import laws
        >>> theta = {"E_start": 2.0, "E_max": 300.0}
        >>> [round(float(laws.saturating_experts(E, **theta)), 1) for E in (1, 64, 512)]
        [2.0, 53.4, 189.3]
    """
    first = 1 / (1 / E_start - 1 / E_max)
    return 1 / (1 / (inexact(E_experts) - 1 + first) + 1 / E_max)


@law(
    formula="10.0**(d + a * log10(N) + (b + c * log10(N)) * log10(E_hat))",
    where={"E_hat": SATURATING},
    source=f"{_CLARK}, Table 3",
    published={
        f"clark2022_{name}": constants(
            f"{_CLARK}, Table 3, {router}",
            "S2",
            a=a,
            b=b,
            c=c,
            d=d,
            E_start=E_start,
            E_max=E_max,
            note="130 billion tokens; N counts active parameters",
        )
        for name, router, a, b, c, d, E_start, E_max in (
            ("sbase", "S-BASE", -0.082, -0.108, 0.009, 1.104, 1.847, 314.478),
            ("rlr", "RL-R", -0.083, -0.126, 0.012, 1.111, 1.880, 469.982),
            ("hash", "HASH", -0.087, -0.136, 0.012, 1.157, 4.175, 477.741),
        )
    },
    decreasing=("N",),
    limits={
        "N = inf": "0",
        "E_experts = 1": "10.0**(d + a * log10(N) + (b + c * log10(N)) * log10(E_start))",
        "E_experts = inf": "10.0**(d + a * log10(N) + (b + c * log10(N)) * log10(E_max))",
    },
    ridges=(
        "b and c are correlated unless the sizes span decades: the runs identify b + c log10 N at "
        "their own size.",
        "d and a are correlated: quote the loss of the typical model.",
        SATURATION_RIDGE,
    ),
    traps=(
        "The logarithms are to base 10: natural ones give losses below 1.",
        "There is no term in D and no floor: every run saw 130 billion tokens.",
        "With three printed digits of b and c the cutoff size is known to a factor of 3: -b / c "
        "gives 1.0e12, 3.2e10 and 2.2e11, the paper prints 9.37e11, 8.5e10 and 8.3e10.",
    ),
)
def routed(
    N: Count,
    E_experts: Experts,
    *,
    a: Annotated[
        SignedExponent, adjust(prior=Prior("normal", (-0.08, 0.03)), start=(-0.12, -0.06))
    ],
    b: Annotated[
        SignedExponent,
        adjust(
            prior=Prior("normal", (-0.12, 0.05)),
            start=(-0.06, -0.01),
            anchor=Anchor(plus="c * log10(N)"),
        ),
    ],
    c: Annotated[
        SignedExponent, adjust(prior=Prior("normal", (0.01, 0.005)), start=(0.004, 0.014))
    ],
    d: Annotated[
        SignedExponent,
        adjust(
            name="log loss",
            meaning="log10 of the loss at one parameter",
            prior=Prior("normal", (1.1, 0.4)),
            start=(0.2, 0.6),
            anchor=Anchor(plus="a * log10(N)"),
        ),
    ],
    E_start: FirstExperts,
    E_max: MostExperts,
) -> Loss:
    """Loss of a model with N active parameters that routes to one of its experts, nats per token.

    ``log10 L = a log10 N + b log10 E_hat + c log10 N log10 E_hat + d`` with
    :func:`saturating_experts` (Clark et al. 2022, Table 3). Exponents carry their sign. Beyond
    :func:`routed_cutoff` more experts hurt.

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.routed, "clark2022_sbase")
        >>> [round(float(laws.routed(1.3e9, E, **theta)), 3) for E in (1, 64)]
        [2.237, 2.05]
    """
    log_E = jnp.log(saturating_experts(E_experts, E_start=E_start, E_max=E_max))
    ten = math.log(10)
    return jnp.exp(d * ten + b * log_E + (a + c * log_E / ten) * log(N))


def routed_cutoff(params: Mapping[str, Any]) -> Any:
    """Active size from which more experts no longer lower the loss of :func:`routed`, parameters.

    ``10**(-b / c)``: there the slope in the number of experts changes its sign (Clark et al. 2022).

    Args:
        params: constants of :func:`routed`, scalars or (draws,).

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.routed, "clark2022_sbase")
        >>> f"{float(laws.routed_cutoff(theta)):.1e}"
        '1.0e+12'
    """
    return 10.0 ** (-inexact(params["b"]) / params["c"])


def routed_dense_size(N: ArrayLike, E_experts: ArrayLike, params: Mapping[str, Any]) -> jax.Array:
    """Size of the model with one expert that has the loss of :func:`routed`, parameters.

    From ``L(N_dense, 1) = L(N, E_experts)``; the effective parameter count of Clark et al. 2022.

    Args:
        N: (...) active parameters.
        E_experts: (...) experts in a layer.
        params: constants of :func:`routed`.

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.routed, "clark2022_sbase")
        >>> N = laws.routed_dense_size(1.3e9, 64, theta)
        >>> f"{float(N) / 1e9:.1f}B parameters"
        '3.9B parameters'
    """
    a, b, c = params["a"], params["b"], params["c"]
    log_first = jnp.log(inexact(params["E_start"]))
    log_E = jnp.log(saturating_experts(E_experts, E_start=params["E_start"], E_max=params["E_max"]))
    ten = math.log(10)
    return jnp.exp(
        ((a + c * log_E / ten) * log(N) + b * (log_E - log_first)) / (a + c * log_first / ten)
    )


_FLOOR_NAMES = ("E", "A", "alpha", "gamma", "E_start", "E_max")
_SBASE = (0.0467, 5.19, 0.00859, 0.00948, 0.532, 107.0)
_RLR = (0.0724, 10.2, 0.0157, 0.00758, 0.329, 397.0)
_HASH = (0.0472, 6.05, 0.00908, 0.00763, 0.753, 160.0)


@law(
    formula="E + A * N**-alpha * E_hat**-gamma",
    where={"E_hat": SATURATING},
    source=f"this project; the effective number of experts is that of {_CLARK}",
    published={
        f"fit_{name}": constants(
            f"fit of this project to the runs of {_CLARK}, {router}",
            "D",
            E=E,
            A=A,
            alpha=alpha,
            gamma=gamma,
            E_start=E_start,
            E_max=E_max,
            stderr=dict(zip(_FLOOR_NAMES, errors, strict=True)),
            note="130 billion tokens; N counts active parameters",
        )
        for name, router, E, A, alpha, gamma, E_start, E_max, errors in (
            ("sbase", "S-BASE", 1.49086, 38.7856, 0.18221, 0.100164, 2.89124, 311.91, _SBASE),
            ("rlr", "RL-R", 1.59266, 44.6085, 0.196226, 0.0933522, 2.24403, 998.486, _RLR),
            ("hash", "HASH", 1.58474, 46.0645, 0.191901, 0.104669, 5.3017, 566.47, _HASH),
        )
    },
    decreasing=("N", "E_experts"),
    limits={
        "N = inf": "E",
        "E_experts = 1": "E + A * N**-alpha * E_start**-gamma",
        "E_experts = inf": "E + A * N**-alpha * E_max**-gamma",
    },
    ridges=(
        "E with alpha, as in any power law with a floor: sizes should span two decades.",
        "A with E_start and gamma unless some runs have one expert.",
        SATURATION_RIDGE,
    ),
    traps=(
        "There is no term in D: every run must have seen the same tokens.",
        "No cutoff size: experts help at every size, ever less as the loss nears the floor.",
        "Of this project: no paper has tested it. On the runs of Clark et al. it forecasts larger "
        "models better than theirs (docs/new-laws.md).",
    ),
)
def routed_floor(
    N: Count,
    E_experts: Experts,
    *,
    E: Irreducible,
    A: Annotated[SizeCoefficient, adjust(anchor=Anchor("N**-alpha * E_experts**-gamma"))],
    alpha: Exponent,
    gamma: Annotated[
        Exponent,
        adjust(
            meaning="power of the effective experts", prior=lognormal(0.1, 0.7), start=(0.03, 0.3)
        ),
    ],
    E_start: FirstExperts,
    E_max: MostExperts,
) -> Loss:
    """Loss of a routed model with N active parameters, above a floor, nats per token.

    ``L = E + A / (N**alpha * E_hat**gamma)`` with :func:`saturating_experts`: a floor in place of
    the interaction of size and experts in :func:`routed` (Clark et al. 2022), whose share of the
    gain that is left falls with size by itself.

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.routed_floor)
        >>> [round(float(laws.routed_floor(1.3e9, E, **theta)), 3) for E in (1, 64)]
        [2.253, 2.059]
    """
    E_hat = saturating_experts(E_experts, E_start=E_start, E_max=E_max)
    return E + term(A, N, alpha) * term(1.0, E_hat, gamma)
