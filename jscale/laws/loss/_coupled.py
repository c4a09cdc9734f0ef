"""Coupled terms of size and data: one form with Kaplan's law and Chinchilla's as special cases.

In Chinchilla's law the two terms add; in Kaplan's the larger of the two dominates. A single
exponent q interpolates between them, and the compute-optimal allocation of both has the same
closed form.
"""

from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jscale._core.arrays import as_float, log, power_sum, term
from jscale.laws.declaration import constants, law
from jscale.laws.roles import (
    Coefficient,
    Count,
    DataCoefficient,
    Exponent,
    Irreducible,
    Loss,
    SizeCoefficient,
    Tokens,
    adjust,
    lognormal,
)

_VIDEAU = "Videau et al. 2026 (arXiv 2608.07222)"

Coupling = Annotated[
    Coefficient,
    adjust(
        name="coupling",
        meaning="1 where the terms add, 0 where the larger counts",
        prior=lognormal(0.5, 0.7),
        start=(0.1, 1.5),
    ),
]


@law(
    formula="E + exp(q * (maximum(u, v) + log1p(exp(minimum(u, v) - maximum(u, v)))))",
    where={"u": "(log(A) - alpha * log(N)) / q", "v": "(log(B) - beta * log(D)) / q"},
    source="Kaplan et al. 2020 (arXiv 2001.08361), eq. 1.5, with a floor; "
    "Hoffmann et al. 2022, eq. 2; Videau et al. 2026 (arXiv 2608.07222)",
    published={
        "videau2026": constants(
            f"{_VIDEAU}, authors' notebook",
            "P",
            E=1.03,
            A=23430.0**0.4105,
            B=4630.0**0.4105,
            alpha=0.491 * 0.4105,
            beta=0.3496 * 0.4105,
            q=0.4105,
            note="printed as A 23430, alpha .491, B 4630, beta .3496 and k .4105 inside the power; "
            "each is a mean over bootstrap fits, so that together they are no single fit",
        )
    },
    decreasing=("N", "D"),
    limits={"N = inf": "E + B * D**-beta", "D = inf": "E + A * N**-alpha"},
    ridges=(
        "A with alpha and B with beta are almost perfectly correlated unless quoted at the runs' "
        "own scale.",
        "q needs runs off the compute-optimal line: along it, q only scales A and B.",
        "E falls as alpha falls: on losses that span less than a nat it can run to 0.",
    ),
    traps=(
        "Skaling is written E + (A / N**a + B / D**b)**k: q is its k, A and B here are its own to "
        "the power k, alpha and beta k times its exponents.",
    ),
)
def coupled(
    N: Count,
    D: Tokens,
    *,
    E: Irreducible,
    A: SizeCoefficient,
    B: DataCoefficient,
    alpha: Exponent,
    beta: Exponent,
    q: Coupling,
) -> Loss:
    """Loss of a dense N-parameter model trained on D tokens, with coupled terms, nats per token.

    ``L(N, D) = E + [(A * N**-alpha)**(1 / q) + (B * D**-beta)**(1 / q)]**q``. At ``q = 1`` it is
    Chinchilla's law (Hoffmann et al. 2022, eq. 2); at ``q = beta``, ``E = 0``, ``A = N_c**alpha``
    and ``B = D_c**beta`` Kaplan's (Kaplan et al. 2020, eq. 1.5). Videau et al. 2026 name it
    Skaling, and :func:`jscale.laws.get` knows it by that name too.

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.chinchilla, "hoffmann2022")
        >>> [round(float(laws.coupled(70e9, 1.4e12, q=q, **theta)), 3) for q in (1.0, 0.5)]
        [1.921, 1.859]
    """
    return E + power_sum(term(A, N, alpha), term(B, D, beta), q)


class Allocation(NamedTuple):
    """Parameters ``N_opt``, tokens ``D_opt`` and their ``loss``, the lowest on a budget."""

    N_opt: jax.Array
    D_opt: jax.Array
    loss: jax.Array


def coupled_optimum(
    C: ArrayLike,
    *,
    E: ArrayLike,
    A: ArrayLike,
    B: ArrayLike,
    alpha: ArrayLike,
    beta: ArrayLike,
    q: ArrayLike = 1.0,
) -> Allocation:
    """The compute-optimal parameters and tokens for C = 6ND FLOP under the coupled law.

    By default the law is Chinchilla's. ``N = G * (C / 6)**(beta / (alpha + beta))``, ``D = (C /
    6)**(alpha / (alpha + beta)) / G`` with ``G = (alpha * A**(1 / q) / (beta * B**(1 / q)))**(q /
    (alpha + beta))``; for ``q = 1`` Hoffmann et al. 2022, eq. 4. The powers of C do not depend on
    q. Tokens per parameter increase with C where ``alpha > beta``. ``plan.optimal`` solves the same
    problem for any law and cost.

    Args:
        C: budget, FLOP, any shape; the parameters broadcast against it.
        E: floor, nats per token.
        A: size coefficient.
        B: data coefficient.
        alpha: size exponent.
        beta: data exponent.
        q: coupling; 1 for Chinchilla's law.

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.chinchilla, "besiroglu2024")
        >>> best = laws.coupled_optimum(5.76e23, **theta)  # the compute of Gopher and Chinchilla
        >>> f"{float(best.N_opt) / 1e9:.0f}B parameters, {float(best.D_opt) / 1e12:.1f}T tokens"
        '72B parameters, 1.3T tokens'
    """
    log_G = (q * jnp.log(as_float(alpha) / as_float(beta)) + log(A) - log(B)) / (alpha + beta)
    log_ND = jnp.log(as_float(C) / 6)
    log_N = log_G + log_ND * beta / (alpha + beta)
    log_D = log_ND - log_N
    joint = jnp.logaddexp((log(A) - alpha * log_N) / q, (log(B) - beta * log_D) / q)
    return Allocation(jnp.exp(log_N), jnp.exp(log_D), jnp.asarray(E + jnp.exp(q * joint)))
