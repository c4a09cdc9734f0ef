"""Optima of the precision laws in closed form, or as the root of one equation: no budget is
searched
here.

All are differentiable. The printed equations have errors (Kumar et al. 2024, eq. 7, 12, 23 and 28);
each function says which, and the corrected one is what it computes.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jscale._core.arrays import inexact, log
from jscale._core.errors import JscaleError
from jscale._core.solve import root

_FEWEST, _MOST = 1.0, 1024.0
"""Bits between which the best ones for serving are looked for. Below about 0.2 bits the loss falls
without end."""


def tied_bits(gamma: ArrayLike, k: float = 3.0) -> jax.Array:
    """The bits of the joint optimum in size, data and bits for k equal factors ``1 - exp(-P /
    gamma)``.

    ``P = gamma * x`` with ``exp(x) = 1 + k * x``: the maximum of ``(1 - exp(-P / gamma))**k / P``,
    whatever the budget and the other constants. (Kumar et al. 2024, eq. 7 has a factor alpha too
    many, eq. 28 a factor u.)

    Args:
        gamma: bit scale.
        k: number of factors, above 1: with one factor fewer bits are always better.

    Raises:
        JscaleError: ``k`` is not a number above 1.
    """
    if not k > 1:
        raise JscaleError(
            f"k equal factors have a best number of bits for k above 1 only, not for {k!r}"
        )
    at = inexact(k)
    # The equation's other root is 0; what lies beyond the minimum of x - log(1 + k x) has one root.
    x = root(lambda x: x - jnp.log1p(at * x), 1 - 1 / at, 3 + 2 * jnp.log(at)).x
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
    """Training tokens beyond which more data makes a model worse once its weights are in P_post
    bits.

    ``D_crit = (beta * B * N**gamma_N * exp(P_post / gamma_post) / (gamma_D * C_T))**(1 / (gamma_D +
    beta))`` (Kumar et al. 2024, eq. 13; eq. 12 lacks the factor beta).

    Args:
        N: parameters, the effective ones where training was in few bits.
        P_post: bits after training.
        B: as in ``precision``, and so for the rest.
        beta: power of data.
        C_T: scale of the degradation.
        gamma_D: power of data in it.
        gamma_N: power of size in it.
        gamma_post: bit scale of it.
    """
    ratio = log(beta) + log(B) - log(gamma_D) - log(C_T)
    return jnp.exp(
        (ratio + gamma_N * log(N) + inexact(P_post) / gamma_post) / (gamma_D + inexact(beta))
    )


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
    """The best training bits of a model of given size as the budget ``C = (6 / 16) N D P`` grows
    without end.

    ``P = gamma * (beta * log(16 C / 6) + (1 - beta) * log(beta * gamma * log(C)) - log(beta * gamma
    * B * N**(alpha + beta) / (k * alpha * A)))`` for k equal factors (Kumar et al. 2024, after eq.
    23, which leaves out the second term). The leading term ``beta * gamma * log(C)`` alone is twice
    too large at 1e30 FLOP; with the others it is 3% too large there and 0.3% at 1e60.

    Args:
        N: parameters.
        C: FLOP.
        A: as in ``qat``, and so for the rest.
        B: data coefficient.
        alpha: power of size.
        beta: power of data.
        gamma: bit scale of the factors.
        k: number of equal factors.
    """
    growth = inexact(beta) * (log(C) + jnp.log(16 / 6)) + (1 - inexact(beta)) * jnp.log(
        beta * gamma * log(C)
    )
    balance = (
        jnp.log(beta * gamma / (k * alpha)) + log(B) - log(A) + (alpha + inexact(beta)) * log(N)
    )
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
    """The size, the data and the bits after training with the least loss where serving costs ``C =
    N
    P``.

    Training is in full precision and costs nothing. At the optimum ``beta B D**-beta = gamma_D
    delta`` and ``alpha A N**-alpha = (P / gamma_post - gamma_N) delta`` with the degradation delta
    (Kumar et al. 2024, eq. 29). It is a local
    minimum, among bits from 1 up: below ``gamma_post * gamma_N`` bits, 0.2 at the paper's
    constants, the loss falls towards E as P goes to 0 and the size to infinity.

    Args:
        C: bits of weights, scalar.
        A: as in ``precision``, scalar, and so for the rest.
        B: data coefficient.
        alpha: power of size.
        beta: power of data.
        C_T: scale of the degradation.
        gamma_D: power of data in it.
        gamma_N: power of size in it.
        gamma_post: bit scale of it.

    Returns:
        The optimum; NaN where there is none from 1 bit up.
    """
    log_C = log(C)

    def tokens(log_P: jax.Array) -> jax.Array:
        size, bits = jnp.exp(log_C - log_P), jnp.exp(log_P)
        post = {"C_T": C_T, "gamma_D": gamma_D, "gamma_N": gamma_N, "gamma_post": gamma_post}
        return jnp.log(ptq_critical_tokens(size, bits, B=B, beta=beta, **post))

    def slope(log_P: jax.Array) -> jax.Array:
        # Logarithms of both sides of the second condition; the degradation is taken from the first.
        delta = log(beta) + log(B) - log(gamma_D) - beta * tokens(log_P)
        gain = jnp.log(jnp.exp(log_P) / gamma_post - gamma_N) + delta
        return log(alpha) + log(A) - alpha * (log_C - log_P) - gain

    log_P = root(slope, jnp.log(inexact(_FEWEST)), jnp.log(inexact(_MOST))).x
    return Served(jnp.exp(log_C - log_P), jnp.exp(tokens(log_P)), jnp.exp(log_P))
