"""Optima of the precision laws in closed form or as the root of one equation, without a search.

All are differentiable. The printed equations have errors (Kumar et al. 2024, eq. 7, 12, 23 and 28);
each function names the error and computes the corrected equation.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jscale._core.arrays import inexact, log
from jscale._core.errors import JscaleError
from jscale._core.solve import root
from jscale._core.text import shown

_MIN_BITS, _MAX_BITS = 1.0, 1024.0
"""Search range for the best bits for serving. Below about 0.2 bits the loss falls without bound."""


def tied_bits(gamma: ArrayLike, k: float = 3.0) -> jax.Array:
    """Bits at the joint optimum of size, data and bits for k equal precision factors.

    For factors ``1 - exp(-P / gamma)``: ``P = gamma * x`` with ``exp(x) = 1 + k * x``, the maximum
    of ``(1 - exp(-P / gamma))**k / P``, whatever the budget and the other constants. (Kumar et al.
    2024, eq. 7 has a factor alpha too many, eq. 28 a factor u.)

    Args:
        gamma: bit scale.
        k: number of factors, above 1: with one factor fewer bits are always better.

    Returns:
        Bits.

    Raises:
        JscaleError: ``k`` is not a number above 1.

    Example:
        >>> from jscale import laws
        >>> print(f"{laws.tied_bits(gamma=1.9475, k=3):.2f} bits")
        3.71 bits
    """
    if not k > 1:
        raise JscaleError(
            f"tied_bits: k is {shown(k)}; expected a number above 1, since with one factor fewer "
            "bits are always better"
        )
    factors = inexact(k)

    # The other root is 0; above the minimum of x - log(1 + k x) there is exactly one.
    lower, upper = 1 - 1 / factors, 3 + 2 * jnp.log(factors)
    x = root(lambda x: x - jnp.log1p(factors * x), lower, upper).x
    return inexact(gamma) * x


def ptq_critical_tokens(
    N: ArrayLike,
    P_post: ArrayLike,
    *,
    B: ArrayLike,
    beta: ArrayLike,
    C_T: ArrayLike,
    gamma_D: ArrayLike,
    gamma_N: ArrayLike,
    gamma_post: ArrayLike,
) -> jax.Array:
    """Training tokens beyond which more data hurts a model that is quantised to P_post bits.

    The critical token count ``D_crit = (beta * B * N**gamma_N * exp(P_post / gamma_post) / (gamma_D
    * C_T))**(1 / (gamma_D + beta))`` (Kumar et al. 2024, eq. 13; eq. 12 omits the factor beta).

    Args:
        N: parameters; the effective ones if training was at low precision.
        P_post: bits after training.
        B: data coefficient, as in ``precision``.
        beta: power of data.
        C_T: scale of the degradation.
        gamma_D: power of data in it.
        gamma_N: power of size in it.
        gamma_post: bit scale of it.

    Returns:
        Tokens.

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.precision)
        >>> names = ("B", "beta", "C_T", "gamma_D", "gamma_N", "gamma_post")
        >>> tokens = laws.ptq_critical_tokens(1e9, 4, **{name: theta[name] for name in names})
        >>> print(f"a 1B model in 4 bits gets worse beyond {tokens:.2g} tokens")
        a 1B model in 4 bits gets worse beyond 2.9e+11 tokens
    """
    ratio = log(beta) + log(B) - log(gamma_D) - log(C_T)
    numerator = ratio + gamma_N * log(N) + inexact(P_post) / gamma_post
    return jnp.exp(numerator / (gamma_D + inexact(beta)))


def large_budget_bits(
    N: ArrayLike,
    C: ArrayLike,
    *,
    A: ArrayLike,
    B: ArrayLike,
    alpha: ArrayLike,
    beta: ArrayLike,
    gamma: ArrayLike,
    k: float = 3.0,
) -> jax.Array:
    """Best training bits for a model of fixed size in the limit of a large budget.

    As the budget ``C = (6 / 16) N D P`` goes to infinity, ``P = gamma * (beta * log(16 C / 6) + (1
    - beta) * log(beta * gamma * log(C)) - log(beta * gamma * B * N**(alpha + beta) / (k * alpha *
    A)))`` for k equal factors (Kumar et al. 2024, after eq. 23, which omits the second term). The
    leading term ``beta * gamma * log(C)`` alone is twice too large at 1e30 FLOP. With the others it
    is too large by 2 to 4% there for 1e8 to 8e9 parameters, 6% for 7e10 and 10% for 1e12, and by
    0.3 to 0.6% at 1e60: the paper's constants with gamma = 1.9475.

    Args:
        N: parameters.
        C: FLOP.
        A: size coefficient, as in ``qat``.
        B: data coefficient.
        alpha: power of size.
        beta: power of data.
        gamma: bit scale of the factors.
        k: number of equal factors.

    Returns:
        Bits.

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.qat)
        >>> dense = {name: theta[name] for name in ("A", "B", "alpha", "beta")}
        >>> print(f"{laws.large_budget_bits(1e9, 1e30, gamma=2.0, **dense):.1f} bits")
        30.6 bits
    """
    leading = inexact(beta) * (log(C) + jnp.log(16 / 6))
    second = (1 - inexact(beta)) * jnp.log(beta * gamma * log(C))
    growth = leading + second

    factor = jnp.log(beta * gamma / (k * alpha))
    balance = factor + log(B) - log(A) + (alpha + inexact(beta)) * log(N)
    return inexact(gamma) * (growth - balance)


class Served(NamedTuple):
    """Size (parameters), training data (tokens) and bits after training."""

    N: jax.Array
    D: jax.Array
    P: jax.Array


def serving_optimum(
    C: ArrayLike,
    *,
    A: ArrayLike,
    B: ArrayLike,
    alpha: ArrayLike,
    beta: ArrayLike,
    C_T: ArrayLike,
    gamma_D: ArrayLike,
    gamma_N: ArrayLike,
    gamma_post: ArrayLike,
) -> Served:
    """Size, data and bits after training with the least loss where serving costs ``C = N P``.

    Training is in full precision and its cost is ignored. At the optimum
    ``beta B D**-beta = gamma_D delta`` and ``alpha A N**-alpha = (P / gamma_post - gamma_N) delta``
    with the degradation delta (Kumar et al. 2024, eq. 29). It is a local minimum, among bits from 1
    up: below ``gamma_post * gamma_N`` bits, 0.2 at the paper's constants, the loss falls towards E
    as P goes to 0 and the size to infinity.

    Args:
        C: bits of weights, scalar.
        A: size coefficient, as in ``precision``, scalar like all others.
        B: data coefficient.
        alpha: power of size.
        beta: power of data.
        C_T: scale of the degradation.
        gamma_D: power of data in it.
        gamma_N: power of size in it.
        gamma_post: bit scale of it.

    Returns:
        Parameters, tokens and bits; NaN if there is no optimum from 1 bit up.

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.precision)
        >>> names = ("A", "B", "alpha", "beta", "C_T", "gamma_D", "gamma_N", "gamma_post")
        >>> best = laws.serving_optimum(1e10, **{name: theta[name] for name in names})
        >>> print(f"{best.N:.3g} parameters in {best.P:.2f} bits, {best.D:.2g} tokens")
        1.64e+09 parameters in 6.09 bits, 1.2e+13 tokens
    """
    log_C = log(C)

    def tokens(log_P: jax.Array) -> jax.Array:
        size, bits = jnp.exp(log_C - log_P), jnp.exp(log_P)
        post = {"C_T": C_T, "gamma_D": gamma_D, "gamma_N": gamma_N, "gamma_post": gamma_post}
        return jnp.log(ptq_critical_tokens(size, bits, B=B, beta=beta, **post))

    def slope(log_P: jax.Array) -> jax.Array:
        # Difference of the logarithms of both sides of the second condition, with the degradation
        # from the first.
        delta = log(beta) + log(B) - log(gamma_D) - beta * tokens(log_P)
        gain = jnp.log(jnp.exp(log_P) / gamma_post - gamma_N) + delta
        return log(alpha) + log(A) - alpha * (log_C - log_P) - gain

    log_P = root(slope, jnp.log(inexact(_MIN_BITS)), jnp.log(inexact(_MAX_BITS))).x
    return Served(jnp.exp(log_C - log_P), jnp.exp(tokens(log_P)), jnp.exp(log_P))
