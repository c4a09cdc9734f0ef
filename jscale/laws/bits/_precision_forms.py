"""Alternative forms of the dependence on bits, to compare with effective parameters.

``generalised_precision`` has an exponent on each factor in place of a bias. The others are the
alternatives of Kumar et al. 2024, Appendix C: the paper prints their scores, not their equations,
so the parametrisations are ours. All reduce to Chinchilla's law at many bits and have separate
parameters for weights, activations and KV cache. The first of the paper's forms, the exponential in
the effective parameters, is ``low_precision``.
"""

from typing import Annotated

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jscale._core.arrays import as_float, term
from jscale.laws.bits._effective import POWERED, FactorExponent, powered
from jscale.laws.bits._shared import DENSE_RIDGE, FULL_BITS, INF, KUMAR, retained
from jscale.laws.declaration import law
from jscale.laws.roles import (
    Anchor,
    Bits,
    BitScale,
    Count,
    DataCoefficient,
    Exponent,
    Irreducible,
    Loss,
    Role,
    SizeCoefficient,
    Tokens,
    lognormal,
)

_SOURCE = f"{KUMAR}, Appendix C, in our parametrisation"
_NO_CONSTANTS = "No equation and no constants are published."
_FULL = {FULL_BITS: "E + A * N**-alpha + B * D**-beta"}
_EVERYTHING = ("N", "D", "P_w", "P_a", "P_kv")
_PARTS = ("w", "a", "kv")
_SHARES = {f"f_{x}": f"where(P_{x} < inf, 1 - exp(-P_{x} / gamma_{x}), 1)" for x in _PARTS}
_TOKEN_SHARES = {f"h_{x}": f"where(P_{x} < inf, 1 - exp(-P_{x} / tau_{x}), 1)" for x in _PARTS}

BitExponent = Annotated[
    ArrayLike,
    Role("bit exponent", "1", "power of bits", prior=lognormal(2.0, 0.7), start=(0.5, 6.0)),
]


def _bit_cost(part: str, unit: str, meaning: str) -> Role:
    # The coordinate is the cost of the lowest bits in the runs, whose order of magnitude is known
    # whatever the exponent.
    return Role(
        "bit coefficient",
        unit,
        meaning,
        prior=lognormal(0.1, 1.5),
        start=(0.01, 1.0),
        anchor=Anchor(f"P_{part}_low**-a_{part}"),
    )


_ADDED = ("nats/token at 1 bit", "loss added by low precision")
_FACTOR = ("1 at 1 bit", "fraction of the size term added by low precision")
WeightCost = Annotated[ArrayLike, _bit_cost("w", *_ADDED)]
ActivationCost = Annotated[ArrayLike, _bit_cost("a", *_ADDED)]
CacheCost = Annotated[ArrayLike, _bit_cost("kv", *_ADDED)]
WeightRise = Annotated[ArrayLike, _bit_cost("w", *_FACTOR)]
ActivationRise = Annotated[ArrayLike, _bit_cost("a", *_FACTOR)]
CacheRise = Annotated[ArrayLike, _bit_cost("kv", *_FACTOR)]


def _cost(c: ArrayLike, P: ArrayLike, a: ArrayLike) -> jax.Array:
    """``c * P**-a``; 0 at ``P = inf``, infinite where ``P <= 0``."""
    P = jnp.asarray(as_float(P))
    full = jnp.isposinf(P)
    return jnp.where(full, 0.0, term(c, jnp.where(full, 1.0, P), a))


@law(
    formula="E + A * (N * g_w * g_a * g_kv)**-alpha + B * D**-beta",
    where=POWERED,
    source=f"an exponent on each factor of {KUMAR}, eq. 4",
    decreasing=_EVERYTHING,
    limits={"N = inf, D = inf": "E", **_FULL},
    ridges=(
        DENSE_RIDGE,
        "gamma and k of a part trade off: many bits identify only k * exp(-P / gamma).",
    ),
    traps=(
        "k is not the bias n: at many bits k = exp(n). No constants are published.",
        "It differs from the biased law only at few bits: many bits cannot distinguish them.",
    ),
)
def generalised_precision(
    N: Count,
    D: Tokens,
    P_w: Bits = INF,
    P_a: Bits = INF,
    P_kv: Bits = INF,
    *,
    E: Irreducible,
    A: SizeCoefficient,
    B: DataCoefficient,
    alpha: Exponent,
    beta: Exponent,
    gamma_w: BitScale,
    k_w: FactorExponent,
    gamma_a: BitScale,
    k_a: FactorExponent,
    gamma_kv: BitScale,
    k_kv: FactorExponent,
) -> Loss:
    """Loss of a model trained at low precision, with an exponent on each factor, nats per token.

    ``L = E + A * N_eff**-alpha + B * D**-beta``,
    ``N_eff = N * prod_x (1 - exp(-P_x / gamma_x))**k_x``: the law of Kumar et al. 2024, eq. 4, with
    an exponent k in place of the bias n of Appendix K. They agree at many bits, where
    ``k = exp(n)``; ``k = 1`` gives the printed equation. The biased loss is infinite at
    ``n * gamma`` bits and below, this one is finite at any bits above 0. On QuEST's 70 runs in
    integers and BF16, down to 1 bit, R2 is 0.9975 with exponents and 0.9946 with biases.

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.chinchilla) | {"gamma_w": 2.7, "k_w": 1.4}
        >>> theta |= {"gamma_a": 2.2, "k_a": 4.1, "gamma_kv": 1.0, "k_kv": 11.0}
        >>> for bits in (16, 4, 1):
        ...     loss = laws.generalised_precision(N=1e9, D=1e11, P_w=bits, **theta)
        ...     print(f"weights in {bits} bits: {loss:.3f} nats per token")
        weights in 16 bits: 2.355 nats per token
        weights in 4 bits: 2.402 nats per token
        weights in 1 bits: 2.623 nats per token
    """
    factor = powered(P_w, gamma_w, k_w) * powered(P_a, gamma_a, k_a) * powered(P_kv, gamma_kv, k_kv)
    return E + term(A, as_float(N) * factor, alpha) + term(B, D, beta)


@law(
    formula="E + A * N**-alpha + B * D**-beta"
    " + c_w * P_w**-a_w + c_a * P_a**-a_a + c_kv * P_kv**-a_kv",
    source=_SOURCE,
    decreasing=_EVERYTHING,
    limits={"N = inf, D = inf, P_w = inf, P_a = inf, P_kv = inf": "E", **_FULL},
    ridges=(DENSE_RIDGE, "c and a of a part trade off unless the runs span many bits."),
    traps=(
        _NO_CONSTANTS,
        "Held-out R2 in Table 1: 0.71, the lowest; low precision costs large and small models the "
        "same.",
    ),
)
def additive_precision(
    N: Count,
    D: Tokens,
    P_w: Bits = INF,
    P_a: Bits = INF,
    P_kv: Bits = INF,
    *,
    E: Irreducible,
    A: SizeCoefficient,
    B: DataCoefficient,
    alpha: Exponent,
    beta: Exponent,
    c_w: WeightCost,
    a_w: BitExponent,
    c_a: ActivationCost,
    a_a: BitExponent,
    c_kv: CacheCost,
    a_kv: BitExponent,
) -> Loss:
    """Loss with a power law in the bits of every part added, whatever N and D, nats per token.

    ``L = E + A * N**-alpha + B * D**-beta + sum_x c_x * P_x**-a_x``: the additive power law of
    Kumar et al. 2024, Appendix C; the parametrisation is our choice.

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.chinchilla) | {"c_w": 0.5, "a_w": 2.0}
        >>> theta |= {"c_a": 0.5, "a_a": 2.0, "c_kv": 0.2, "a_kv": 2.0}
        >>> for bits in (16, 4):
        ...     loss = laws.additive_precision(N=1e9, D=1e11, P_w=bits, **theta)
        ...     print(f"weights in {bits} bits: {loss:.3f} nats per token")
        weights in 16 bits: 2.357 nats per token
        weights in 4 bits: 2.386 nats per token
    """
    cost = _cost(c_w, P_w, a_w) + _cost(c_a, P_a, a_a) + _cost(c_kv, P_kv, a_kv)
    return E + term(A, N, alpha) + term(B, D, beta) + cost


@law(
    formula="E + A * N**-alpha"
    " * (1 + c_w * P_w**-a_w) * (1 + c_a * P_a**-a_a) * (1 + c_kv * P_kv**-a_kv)"
    " + B * D**-beta",
    source=_SOURCE,
    decreasing=_EVERYTHING,
    limits={"N = inf, D = inf": "E", **_FULL},
    ridges=(DENSE_RIDGE, "c and a of a part trade off unless the runs span many bits."),
    traps=(_NO_CONSTANTS, "Held-out R2 in Table 1: 0.75."),
)
def multiplicative_precision(
    N: Count,
    D: Tokens,
    P_w: Bits = INF,
    P_a: Bits = INF,
    P_kv: Bits = INF,
    *,
    E: Irreducible,
    A: SizeCoefficient,
    B: DataCoefficient,
    alpha: Exponent,
    beta: Exponent,
    c_w: WeightRise,
    a_w: BitExponent,
    c_a: ActivationRise,
    a_a: BitExponent,
    c_kv: CacheRise,
    a_kv: BitExponent,
) -> Loss:
    """Loss with the size term multiplied by power laws in the bits, nats per token.

    ``L = E + A * N**-alpha * prod_x (1 + c_x * P_x**-a_x) + B * D**-beta``: the multiplicative
    power law in N and P of Kumar et al. 2024, Appendix C; the parametrisation is our choice.

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.chinchilla) | {"c_w": 2.0, "a_w": 2.0}
        >>> theta |= {"c_a": 2.0, "a_a": 2.0, "c_kv": 1.0, "a_kv": 2.0}
        >>> for bits in (16, 4):
        ...     loss = laws.multiplicative_precision(N=1e9, D=1e11, P_w=bits, **theta)
        ...     print(f"weights in {bits} bits: {loss:.3f} nats per token")
        weights in 16 bits: 2.358 nats per token
        weights in 4 bits: 2.400 nats per token
    """
    factor = (1 + _cost(c_w, P_w, a_w)) * (1 + _cost(c_a, P_a, a_a)) * (1 + _cost(c_kv, P_kv, a_kv))
    return E + term(A, N, alpha) * factor + term(B, D, beta)


@law(
    formula="E + A * N**-alpha + B * (D * h_w * h_a * h_kv)**-beta",
    where=_TOKEN_SHARES,
    source=_SOURCE,
    decreasing=_EVERYTHING,
    limits={"N = inf, D = inf": "E", **_FULL},
    ridges=(
        DENSE_RIDGE,
        "The tau of parts that always have the same bits are not identified separately.",
    ),
    traps=(_NO_CONSTANTS, "Held-out R2 in Table 1: 0.74."),
)
def data_precision(
    N: Count,
    D: Tokens,
    P_w: Bits = INF,
    P_a: Bits = INF,
    P_kv: Bits = INF,
    *,
    E: Irreducible,
    A: SizeCoefficient,
    B: DataCoefficient,
    alpha: Exponent,
    beta: Exponent,
    tau_w: BitScale,
    tau_a: BitScale,
    tau_kv: BitScale,
) -> Loss:
    """Loss where low precision acts like fewer training tokens, nats per token.

    ``L = E + A * N**-alpha + B * D_eff**-beta``, ``D_eff = D * prod_x (1 - exp(-P_x / tau_x))``:
    effective data in place of effective parameters (Kumar et al. 2024, Appendix C); the
    parametrisation is our choice.

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.chinchilla) | {"tau_w": 2.7, "tau_a": 2.2, "tau_kv": 1.0}
        >>> for bits in (16, 4):
        ...     loss = laws.data_precision(N=1e9, D=1e11, P_w=bits, **theta)
        ...     print(f"weights in {bits} bits: {loss:.3f} nats per token")
        weights in 16 bits: 2.355 nats per token
        weights in 4 bits: 2.378 nats per token
    """
    factor = retained(P_w, tau_w, 0.0) * retained(P_a, tau_a, 0.0) * retained(P_kv, tau_kv, 0.0)
    return E + term(A, N, alpha) + term(B, as_float(D) * factor, beta)


@law(
    formula="E + A * (N * f_w * f_a * f_kv)**-alpha + B * (D * f_w * f_a * f_kv)**-beta",
    where=_SHARES,
    source=_SOURCE,
    decreasing=_EVERYTHING,
    limits={"N = inf, D = inf": "E", **_FULL},
    ridges=(
        DENSE_RIDGE,
        "The gamma of parts that always have the same bits are not identified separately.",
    ),
    traps=(_NO_CONSTANTS, "Held-out R2 in Table 1: 0.79."),
)
def tied_precision(
    N: Count,
    D: Tokens,
    P_w: Bits = INF,
    P_a: Bits = INF,
    P_kv: Bits = INF,
    *,
    E: Irreducible,
    A: SizeCoefficient,
    B: DataCoefficient,
    alpha: Exponent,
    beta: Exponent,
    gamma_w: BitScale,
    gamma_a: BitScale,
    gamma_kv: BitScale,
) -> Loss:
    """Loss where low precision scales parameters and tokens by the same factor, nats per token.

    ``L = E + A * (N f)**-alpha + B * (D f)**-beta``, ``f = prod_x (1 - exp(-P_x / gamma_x))``:
    effective parameters and effective data, tied (Kumar et al. 2024, Appendix C); the
    parametrisation is our choice.

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.chinchilla) | {"gamma_w": 2.7, "gamma_a": 2.2, "gamma_kv": 1.0}
        >>> for bits in (16, 4):
        ...     loss = laws.tied_precision(N=1e9, D=1e11, P_w=bits, **theta)
        ...     print(f"weights in {bits} bits: {loss:.3f} nats per token")
        weights in 16 bits: 2.356 nats per token
        weights in 4 bits: 2.411 nats per token
    """
    factor = (
        retained(P_w, gamma_w, 0.0) * retained(P_a, gamma_a, 0.0) * retained(P_kv, gamma_kv, 0.0)
    )
    return E + term(A, as_float(N) * factor, alpha) + term(B, as_float(D) * factor, beta)


@law(
    formula="E + A * (N * f_w * f_a * f_kv)**-alpha + B * (D * h_w * h_a * h_kv)**-beta",
    where={**_SHARES, **_TOKEN_SHARES},
    source=_SOURCE,
    decreasing=_EVERYTHING,
    limits={"N = inf, D = inf": "E", **_FULL},
    ridges=(
        DENSE_RIDGE,
        "gamma with tau of a part, unless the runs vary N, D and bits independently.",
    ),
    traps=(
        _NO_CONSTANTS,
        "Held-out R2 in Table 1: 0.84, against 0.82 of effective parameters alone.",
    ),
)
def untied_precision(
    N: Count,
    D: Tokens,
    P_w: Bits = INF,
    P_a: Bits = INF,
    P_kv: Bits = INF,
    *,
    E: Irreducible,
    A: SizeCoefficient,
    B: DataCoefficient,
    alpha: Exponent,
    beta: Exponent,
    gamma_w: BitScale,
    gamma_a: BitScale,
    gamma_kv: BitScale,
    tau_w: BitScale,
    tau_a: BitScale,
    tau_kv: BitScale,
) -> Loss:
    """Loss where low precision scales parameters and tokens by different factors, nats per token.

    ``L = E + A * (N prod_x (1 - exp(-P_x / gamma_x)))**-alpha + B * (D prod_x (1 - exp(-P_x /
    tau_x)))**-beta``: effective parameters and effective data, untied (Kumar et al. 2024, Appendix
    C); the parametrisation is our choice.

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.chinchilla) | {"gamma_w": 2.7, "gamma_a": 2.2, "gamma_kv": 1.0}
        >>> theta |= {"tau_w": 1.5, "tau_a": 1.2, "tau_kv": 0.6}
        >>> for bits in (16, 4):
        ...     loss = laws.untied_precision(N=1e9, D=1e11, P_w=bits, **theta)
        ...     print(f"weights in {bits} bits: {loss:.3f} nats per token")
        weights in 16 bits: 2.355 nats per token
        weights in 4 bits: 2.394 nats per token
    """
    size_factor = (
        retained(P_w, gamma_w, 0.0) * retained(P_a, gamma_a, 0.0) * retained(P_kv, gamma_kv, 0.0)
    )
    data_factor = (
        retained(P_w, tau_w, 0.0) * retained(P_a, tau_a, 0.0) * retained(P_kv, tau_kv, 0.0)
    )
    size_term = term(A, as_float(N) * size_factor, alpha)
    data_term = term(B, as_float(D) * data_factor, beta)
    return E + size_term + data_term
