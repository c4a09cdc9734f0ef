"""Training in floating point: exponent bits, mantissa bits and the block that shares a scale, each
for
    itself.

Capybara (Sun et al. 2025, arXiv 2501.02423) adds to Chinchilla's law a term that grows with the
data and shrinks with the size and the bits. Two things follow that effective parameters do not
have: beyond a critical number of tokens more data makes a model worse even without quantising it
afterwards, and the best precision grows with the budget, where Kumar et al. 2024 find one for all
budgets. One bit of the format is the sign: ``P = exp_bits + man_bits + 1``.

``block`` counts the numbers that share a scale. A scale for each channel acts like
``CHANNEL_BLOCK`` numbers, one for each tensor like ``tensor_block``, whose constants are not to be
had.
"""

from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jscale._core.arrays import as_float, log, term
from jscale.laws.declaration import constants, law
from jscale.laws.roles import (
    Anchor,
    Block,
    Count,
    DataCoefficient,
    Exponent,
    ExponentBits,
    Irreducible,
    Loss,
    MantissaBits,
    Role,
    SizeCoefficient,
    Tokens,
    lognormal,
)

_SUN = "Sun et al. 2025 (arXiv 2501.02423)"

CHANNEL_BLOCK = 2**13.1567
"""Numbers in a block that costs as much as one scale for each channel (Sun et al. 2025)."""

FormatExponent = Annotated[
    ArrayLike,
    Role(
        "format exponent",
        "1",
        "power of a field's bits",
        prior=lognormal(3.0, 0.3),
        start=(1.0, 5.0),
    ),
]
FormatScale = Annotated[
    ArrayLike,
    # The coordinate is the term of the typical run in the narrowest format, in nats.
    Role(
        "format scale",
        "1",
        "scale of what bits buy",
        prior=lognormal(0.1, 1.5),
        start=(0.005, 1.0),
        anchor=Anchor(
            "D**-beta * N**alpha * (exp_bits_low + 0.5)**delta * (man_bits_low + 0.5)**nu / log2(block)",
            power="-1",
        ),
    ),
]


@law(
    formula="E + A * N**-alpha + B * D**-beta"
    " + D**beta * N**-alpha * log2(block) / (gamma * (exp_bits + 0.5)**delta * (man_bits + 0.5)**nu)",
    source=f"{_SUN}, eq. 26",
    published={
        "sun2025": constants(
            f"{_SUN}, Table 2",
            "P",
            E=1.9061,
            A=69.2343,
            B=68973.0621,
            alpha=0.2368,
            beta=0.5162,
            gamma=11334.5197,
            delta=3.1926,
            nu=2.9543,
            note="366 runs, 41M to 679M parameters, 10B to 100B tokens",
        )
    },
    decreasing=("N", "exp_bits", "man_bits"),
    increasing=("block",),
    limits={"N = inf": "E + B * D**-beta", "block = 1": "E + A * N**-alpha + B * D**-beta"},
    ridges=(
        "A with alpha, B with beta and E with alpha, as in Chinchilla's law.",
        "gamma with delta and nu unless the runs have several formats of every width.",
        "gamma with B: both terms move with the same power of D.",
    ),
    traps=(
        "The loss has a minimum in D: float_critical_tokens.",
        "alpha and beta serve two terms each, so that an error in one moves the critical data size.",
        "The sign is not counted in exp_bits or man_bits: FP8 is 4 and 3.",
    ),
)
def capybara(
    N: Count,
    D: Tokens,
    exp_bits: ExponentBits,
    man_bits: MantissaBits,
    block: Block,
    *,
    E: Irreducible,
    A: SizeCoefficient,
    B: DataCoefficient,
    alpha: Exponent,
    beta: Exponent,
    gamma: FormatScale,
    delta: FormatExponent,
    nu: FormatExponent,
) -> Loss:
    """Loss of a model trained in floating point, nats per token.

    ``L = E + A / N**alpha + B / D**beta + (D**beta / N**alpha) * log2(block) / (gamma * (exp_bits +
    0.5)**delta * (man_bits + 0.5)**nu)`` (Sun et al. 2025, eq. 26, where E, A and B are written
    epsilon, n and d).
    """
    exponent, mantissa = as_float(exp_bits) + 0.5, as_float(man_bits) + 0.5
    width = jnp.log2(jnp.asarray(as_float(block)))
    noise = (
        as_float(D) ** beta * width * term(1.0, exponent, delta) * term(1.0, mantissa, nu) / gamma
    )
    return E + term(A, N, alpha) + term(B, D, beta) + noise * term(1.0, N, alpha)


def tensor_block(
    N: ArrayLike, D: ArrayLike, *, omega: ArrayLike, xi: ArrayLike, eta: ArrayLike
) -> jax.Array:
    """Numbers in a block that costs as much as one scale for each tensor: ``log2(block) = N**omega
    /
    (xi * D**eta)``.

    Args:
        N: parameters.
        D: training tokens.
        omega: power of the size.
        xi: scale.
        eta: power of the data.

    Source: Sun et al. 2025; its omega, xi and eta were not found in print, so there is no default.
    """
    return jnp.exp2(jnp.exp(omega * log(N) - eta * log(D)) / xi)


def float_critical_tokens(
    N: ArrayLike, exp_bits: ArrayLike, man_bits: ArrayLike, block: ArrayLike, **theta: ArrayLike
) -> jax.Array:
    """Training tokens beyond which more data makes a model worse.

    ``D_crit = (B * gamma * N**alpha * (exp_bits + 0.5)**delta * (man_bits + 0.5)**nu /
    log2(block))**(1 / (2 * beta))`` (Sun et al. 2025, eq. 21 and 41). gamma multiplies B; a widely
    read summary raises B to the power gamma, wrongly.

    Args:
        N: parameters.
        exp_bits: bits of the exponent.
        man_bits: bits of the mantissa.
        block: numbers that share a scale, above 1.
        **theta: constants of ``capybara``.
    """
    bits = theta["delta"] * jnp.log(as_float(exp_bits) + 0.5) + theta["nu"] * jnp.log(
        as_float(man_bits) + 0.5
    )
    inside = log(theta["B"]) + log(theta["gamma"]) + theta["alpha"] * log(N) + bits
    return jnp.exp(
        (inside - jnp.log(jnp.log2(jnp.asarray(as_float(block)))))
        / (2 * jnp.asarray(theta["beta"]))
    )


class Layout(NamedTuple):
    """Bits of a float's exponent and of its mantissa; with the sign they add up to P."""

    exp_bits: jax.Array
    man_bits: jax.Array


def float_layout(P: ArrayLike, *, delta: ArrayLike, nu: ArrayLike) -> Layout:
    """The best split of P bits, sign included, in fractions of a bit.

    ``exp_bits = delta * P / (delta + nu) - 0.5``, ``man_bits = nu * P / (delta + nu) - 0.5`` (Sun
    et al. 2025, eq. 31 and 32). Rounded at the published constants: E2M1 in 4 bits, E4M3 in 8 and
    E8M7 in 16.
    """
    P, delta, nu = (jnp.asarray(as_float(x)) for x in (P, delta, nu))
    return Layout(delta * P / (delta + nu) - 0.5, nu * P / (delta + nu) - 0.5)


def _bit_factor(**theta: ArrayLike) -> jax.Array:
    """``log(gamma_rho)``, where ``gamma (exp_bits + 0.5)**delta (man_bits + 0.5)**nu = gamma_rho
    P**(delta + nu)``.
    """
    delta, nu = jnp.asarray(theta["delta"]), jnp.asarray(theta["nu"])
    return log(theta["gamma"]) + delta * log(delta) + nu * log(nu) - (delta + nu) * log(delta + nu)


def float_bits(D: ArrayLike, block: ArrayLike, **theta: ArrayLike) -> jax.Array:
    """The best bits of a format at given data: the least loss at a given product of size and bits.

    ``P**(delta + nu) = (delta + nu - alpha) / (alpha * A * gamma_rho) * D**beta * log2(block)``,
    the split as in ``float_layout``, ``gamma_rho = gamma * delta**delta * nu**nu / (delta +
    nu)**(delta + nu)`` (Sun et al. 2025, eq. 47). It grows with the data.

    Args:
        D: training tokens.
        block: numbers that share a scale, above 1.
        **theta: constants of ``capybara``, ``delta + nu`` above alpha.
    """
    alpha, exponents = jnp.asarray(theta["alpha"]), jnp.asarray(theta["delta"] + theta["nu"])
    price = jnp.log(exponents - alpha) - jnp.log(alpha) - log(theta["A"]) - _bit_factor(**theta)
    return jnp.exp(
        (price + theta["beta"] * log(D) + jnp.log(jnp.log2(jnp.asarray(as_float(block)))))
        / exponents
    )


class FloatOptimum(NamedTuple):
    """The best size (parameters), data (tokens) and bits of a float for a budget."""

    N: jax.Array
    D: jax.Array
    P: jax.Array


def float_optimum(
    C: ArrayLike, block: ArrayLike, k: float = 6 / 16, **theta: ArrayLike
) -> FloatOptimum:
    """The size, the data and the bits with the least loss for ``C = k N D P``.

    ``P**((delta + nu) (alpha + beta) / beta + alpha) = (gamma_D log2(block))**((alpha + beta) /
    beta) * (delta + nu - alpha) / (delta + nu + beta) * beta B / (alpha A) * (C / k)**alpha`` with
    gamma_D as in ``float_bits`` (Sun et al. 2025, eq. 54); the data is what makes ``float_bits``
    equal to P, the size what is left of the budget. The bits grow as a small power of the budget.

    Args:
        C: FLOP.
        block: numbers that share a scale, above 1.
        k: FLOP per parameter, token and bit.
        **theta: constants of ``capybara``, ``delta + nu`` above alpha.
    """
    alpha, beta, exponents = (
        theta["alpha"],
        theta["beta"],
        jnp.asarray(theta["delta"] + theta["nu"]),
    )
    # log(gamma_D log2(block)), from the bits at one token.
    price = exponents * jnp.log(float_bits(1.0, block, **theta))
    shares = jnp.log(exponents - alpha) - jnp.log(exponents + beta)
    terms = log(beta) + log(theta["B"]) - log(alpha) - log(theta["A"])
    budget = log(C) - jnp.log(k)
    power = exponents * (alpha + beta) / beta + alpha
    log_P = (price * (alpha + beta) / beta + shares + terms + alpha * budget) / power
    log_D = (exponents * log_P - price) / beta
    return FloatOptimum(jnp.exp(budget - log_D - log_P), jnp.exp(log_D), jnp.exp(log_P))
