"""Training in floating point: exponent bits, mantissa bits and block size as separate inputs.

Capybara (Sun et al. 2025, arXiv 2501.02423) adds to Chinchilla's law a term that grows with the
data and falls with the size and the bits. Two predictions differ from laws of effective parameters:
beyond a critical number of tokens more data raises the loss even without quantisation after
training, and the best precision grows with the budget, where Kumar et al. 2024 find one for all
budgets. One bit of the format is the sign: ``P = exp_bits + man_bits + 1``.

``block`` counts the numbers that share a scale. A scale for each channel acts like
``CHANNEL_BLOCK`` numbers, one for each tensor like ``tensor_block``, whose constants are not
published.
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
"""Block size equivalent to one scale for each channel (Sun et al. 2025)."""

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
    # The coordinate is the term of a typical run in the narrowest format, in nats.
    Role(
        "format scale",
        "1",
        "scale of the loss that bits remove",
        prior=lognormal(0.1, 1.5),
        start=(0.005, 1.0),
        anchor=Anchor(
            "D**-beta * N**alpha * (exp_bits_low + 0.5)**delta * (man_bits_low + 0.5)**nu"
            " / log2(block)",
            power="-1",
        ),
    ),
]


@law(
    formula="E + A * N**-alpha + B * D**-beta"
    " + D**beta * N**-alpha * log2(block)"
    " / (gamma * (exp_bits + 0.5)**delta * (man_bits + 0.5)**nu)",
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
        "gamma with delta and nu unless the runs have several formats of every bit width.",
        "gamma with B: both terms depend on the same power of D.",
    ),
    traps=(
        "The loss has a minimum in D: float_critical_tokens.",
        "alpha and beta enter two terms each, so an error in one shifts the critical token count.",
        "exp_bits and man_bits leave out the sign: FP8 is 4 and 3.",
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

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.capybara)
        >>> for e, m in ((4, 3), (2, 1)):
        ...     loss = laws.capybara(N=1e9, D=1e11, exp_bits=e, man_bits=m, block=128, **theta)
        ...     print(f"E{e}M{m}: {loss:.3f} nats per token")
        E4M3: 2.563 nats per token
        E2M1: 2.598 nats per token
    """
    # The precision term without its power of N.
    exponent = term(1.0, as_float(exp_bits) + 0.5, delta)
    mantissa = term(1.0, as_float(man_bits) + 0.5, nu)
    width = jnp.log2(jnp.asarray(as_float(block)))
    noise = as_float(D) ** beta * width * exponent * mantissa / gamma

    return E + term(A, N, alpha) + term(B, D, beta) + noise * term(1.0, N, alpha)


def tensor_block(
    N: ArrayLike, D: ArrayLike, *, omega: ArrayLike, xi: ArrayLike, eta: ArrayLike
) -> jax.Array:
    """Block size equivalent to one scale for each tensor.

    ``log2(block) = N**omega / (xi * D**eta)`` (Sun et al. 2025). No published values of its
    omega, xi and eta were found, so there are no defaults.

    Args:
        N: parameters.
        D: training tokens.
        omega: power of the size.
        xi: scale.
        eta: power of the data.

    Returns:
        Numbers in a block.

    Example:
        >>> from jscale import laws
        >>> block = laws.tensor_block(N=1e9, D=1e11, omega=0.2, xi=2.0, eta=0.06)
        >>> print(f"{block:.0f} numbers to a block")
        120 numbers to a block
    """
    return jnp.exp2(jnp.exp(omega * log(N) - eta * log(D)) / xi)


def float_critical_tokens(
    N: ArrayLike, exp_bits: ArrayLike, man_bits: ArrayLike, block: ArrayLike, **theta: ArrayLike
) -> jax.Array:
    """Critical token count: training tokens beyond which more data raises the loss.

    ``D_crit = (B * gamma * N**alpha * (exp_bits + 0.5)**delta * (man_bits + 0.5)**nu /
    log2(block))**(1 / (2 * beta))`` (Sun et al. 2025, eq. 21 and 41). gamma multiplies B; a widely
    read summary wrongly raises B to the power gamma.

    Args:
        N: parameters.
        exp_bits: bits of the exponent.
        man_bits: bits of the mantissa.
        block: numbers that share a scale, above 1.
        **theta: constants of ``capybara``.

    Returns:
        Tokens.

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.capybara)
        >>> tokens = laws.float_critical_tokens(N=1e9, exp_bits=2, man_bits=1, block=128, **theta)
        >>> print(f"a 1B model in FP4 gets worse beyond {tokens:.2g} tokens")
        a 1B model in FP4 gets worse beyond 3.9e+11 tokens
    """
    exponent = theta["delta"] * jnp.log(as_float(exp_bits) + 0.5)
    mantissa = theta["nu"] * jnp.log(as_float(man_bits) + 0.5)
    bits = exponent + mantissa
    width = jnp.log2(jnp.asarray(as_float(block)))

    numerator = log(theta["B"]) + log(theta["gamma"]) + theta["alpha"] * log(N) + bits
    return jnp.exp((numerator - jnp.log(width)) / (2 * jnp.asarray(theta["beta"])))


class Layout(NamedTuple):
    """Bits of a float's exponent and of its mantissa; with the sign bit they add up to P."""

    exp_bits: jax.Array
    man_bits: jax.Array


def float_layout(P: ArrayLike, *, delta: ArrayLike, nu: ArrayLike) -> Layout:
    """Best split of P bits, sign included, into exponent and mantissa, in fractions of a bit.

    ``exp_bits = delta * P / (delta + nu) - 0.5``, ``man_bits = nu * P / (delta + nu) - 0.5`` (Sun
    et al. 2025, eq. 31 and 32). Rounded at the published constants: E2M1 in 4 bits, E4M3 in 8 and
    E8M7 in 16.

    Args:
        P: bits of the format, sign included.
        delta: power of the exponent's bits in ``capybara``.
        nu: power of the mantissa's bits in ``capybara``.

    Returns:
        Bits of the exponent and of the mantissa.

    Example:
        >>> from jscale import laws
        >>> layout = laws.float_layout(8, delta=3.1926, nu=2.9543)
        >>> print(f"exponent {layout.exp_bits:.2f} bits, mantissa {layout.man_bits:.2f} bits")
        exponent 3.66 bits, mantissa 3.34 bits
    """
    P, delta, nu = (jnp.asarray(as_float(x)) for x in (P, delta, nu))
    return Layout(delta * P / (delta + nu) - 0.5, nu * P / (delta + nu) - 0.5)


def _bit_factor(**theta: ArrayLike) -> jax.Array:
    """``log(gamma_rho)`` of the best split of the bits.

    ``gamma (exp_bits + 0.5)**delta (man_bits + 0.5)**nu = gamma_rho P**(delta + nu)``.
    """
    delta, nu = jnp.asarray(theta["delta"]), jnp.asarray(theta["nu"])
    return log(theta["gamma"]) + delta * log(delta) + nu * log(nu) - (delta + nu) * log(delta + nu)


def float_bits(D: ArrayLike, block: ArrayLike, **theta: ArrayLike) -> jax.Array:
    """Best bits of a float at given data: least loss at a given product of size and bits.

    ``P**(delta + nu) = (delta + nu - alpha) / (alpha * A * gamma_rho) * D**beta * log2(block)``,
    with the bits split as in ``float_layout`` and
    ``gamma_rho = gamma * delta**delta * nu**nu / (delta + nu)**(delta + nu)`` (Sun et al. 2025, eq.
    47). It grows with the data.

    Args:
        D: training tokens.
        block: numbers that share a scale, above 1.
        **theta: constants of ``capybara``, ``delta + nu`` above alpha.

    Returns:
        Bits, sign included.

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.capybara)
        >>> print(f"{laws.float_bits(D=1e11, block=128, **theta):.2f} bits at 100B tokens")
        4.27 bits at 100B tokens
        >>> print(f"{laws.float_bits(D=1e13, block=128, **theta):.2f} bits at 10T tokens")
        6.28 bits at 10T tokens
    """
    alpha, exponents = jnp.asarray(theta["alpha"]), jnp.asarray(theta["delta"] + theta["nu"])
    width = jnp.log2(jnp.asarray(as_float(block)))

    constant = jnp.log(exponents - alpha) - jnp.log(alpha) - log(theta["A"]) - _bit_factor(**theta)
    return jnp.exp((constant + theta["beta"] * log(D) + jnp.log(width)) / exponents)


class FloatOptimum(NamedTuple):
    """Best size (parameters), data (tokens) and bits of a float for a budget."""

    N: jax.Array
    D: jax.Array
    P: jax.Array


def float_optimum(
    C: ArrayLike, block: ArrayLike, k: float = 6 / 16, **theta: ArrayLike
) -> FloatOptimum:
    """Size, data and bits with the least loss at the budget ``C = k N D P``.

    ``P**((delta + nu) (alpha + beta) / beta + alpha) = (gamma_D log2(block))**((alpha + beta) /
    beta) * (delta + nu - alpha) / (delta + nu + beta) * beta B / (alpha A) * (C / k)**alpha`` with
    gamma_D as in ``float_bits`` (Sun et al. 2025, eq. 54). The data follow from ``float_bits`` at
    that P, the size from the rest of the budget. The bits grow as a small power of the budget.

    Args:
        C: FLOP.
        block: numbers that share a scale, above 1.
        k: FLOP per parameter, token and bit.
        **theta: constants of ``capybara``, ``delta + nu`` above alpha.

    Returns:
        Parameters, tokens and bits.

    Example:
        >>> from jscale import laws
        >>> best = laws.float_optimum(C=1e22, block=128, **laws.params(laws.capybara))
        >>> print(f"{best.P:.2f} bits, {best.N:.2g} parameters, {best.D:.2g} tokens")
        4.45 bits, 3.7e+10 parameters, 1.6e+11 tokens
    """
    alpha, beta = theta["alpha"], theta["beta"]
    exponents = jnp.asarray(theta["delta"] + theta["nu"])
    budget = log(C) - jnp.log(k)

    # log(gamma_D log2(block)), from the bits at one token.
    noise = exponents * jnp.log(float_bits(1.0, block, **theta))

    # Equation 54 in logarithms, each factor of its right side in turn.
    ratio = jnp.log(exponents - alpha) - jnp.log(exponents + beta)
    terms = log(beta) + log(theta["B"]) - log(alpha) - log(theta["A"])
    power = exponents * (alpha + beta) / beta + alpha
    log_P = (noise * (alpha + beta) / beta + ratio + terms + alpha * budget) / power

    # The data at which float_bits equals P; the size is the rest of the budget.
    log_D = (exponents * log_P - noise) / beta
    return FloatOptimum(jnp.exp(budget - log_D - log_P), jnp.exp(log_D), jnp.exp(log_P))
