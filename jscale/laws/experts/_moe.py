"""Mixtures of experts: models in which every token uses a part of the parameters.

Three laws for three meanings of more experts. Krajewski et al. cut 64 experts into finer ones;
Ludziejewski et al. let the number of experts change both powers of Chinchilla's law; Abnar et al.
use the share of the experts that a token leaves idle. The oldest law, at a fixed number of tokens,
is :func:`jscale.laws.routed`.

The form in size and data transfers, and more experts help most where data abound. The constants do
not, nor does the meaning of ``N``: the active size in one law and the total size in the other two.
Read each law's pitfalls before comparing them.
"""

import math
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jscale._core.arrays import inexact, log, term
from jscale.laws.declaration import constants, law
from jscale.laws.experts._routing import (
    SATURATING,
    SATURATION_RIDGE,
    FirstExperts,
    MostExperts,
    saturating_experts,
)
from jscale.laws.roles import (
    Anchor,
    Coefficient,
    Count,
    DataCoefficient,
    Experts,
    Exponent,
    Granularity,
    Irreducible,
    Loss,
    Prior,
    SignedExponent,
    SizeCoefficient,
    Sparsity,
    Tokens,
    adjust,
    lognormal,
)

_KRAJEWSKI = "Krajewski et al. 2024 (arXiv 2402.07871)"
_JOINT = "Ludziejewski et al. 2025 (arXiv 2502.05172)"
_ABNAR = "Abnar et al. 2025 (arXiv 2501.12370)"


@law(
    formula="c + (g / G_granularity**gamma + a) / N**alpha + b / D**beta",
    source=f"{_KRAJEWSKI}, Table 1",
    published={
        "krajewski2024": constants(
            f"{_KRAJEWSKI}, Table 1, MoE",
            "P",
            c=0.47,
            a=18.1,
            alpha=0.115,
            b=30.8,
            beta=0.147,
            g=2.1,
            gamma=0.58,
            note="64 experts; three digits: the 64 x 1B model at 28.94B tokens and G = 16 comes "
            "out at 2.471, the paper prints 2.491",
        )
    },
    decreasing=("N", "D", "G_granularity"),
    limits={
        "N = inf, D = inf": "c",
        "N = inf": "c + b / D**beta",
        "D = inf": "c + (g / G_granularity**gamma + a) / N**alpha",
        "G_granularity = inf": "c + a / N**alpha + b / D**beta",
    },
    ridges=(
        "a with alpha, b with beta and c with alpha, as in Chinchilla's law.",
        "g with gamma unless the granularity spans a decade.",
    ),
    traps=(
        "N is the total of the non-embedding parameters, idle experts included: "
        "width**2 * (8 E + 4) * layers.",
        "The constants hold for 64 experts.",
        "The loss alone always favours finer experts: the router's FLOPs, which grow with E * G, "
        "set the limit.",
    ),
)
def granular(
    N: Annotated[Count, adjust(meaning="total non-embedding parameters, idle experts included")],
    D: Tokens,
    G_granularity: Granularity,
    *,
    c: Irreducible,
    a: SizeCoefficient,
    alpha: Exponent,
    b: DataCoefficient,
    beta: Exponent,
    g: Annotated[
        Coefficient,
        adjust(
            name="granularity coefficient",
            unit="nats/token at resource 1",
            prior=lognormal(0.05, 1.0),
            start=(0.005, 0.5),
            anchor=Anchor("G_granularity**-gamma * N**-alpha"),
        ),
    ],
    gamma: Annotated[
        Exponent,
        adjust(meaning="power of the granularity", prior=lognormal(0.5, 0.4), start=(0.2, 1.2)),
    ],
) -> Loss:
    """Loss of a mixture of 64 experts, each cut into G finer ones, nats per token.

    ``L = c + (g / G**gamma + a) / N**alpha + b / D**beta`` (Krajewski et al. 2024, Table 1). At
    infinite granularity it is Chinchilla's law with ``E = c, A = a, B = b``.

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.granular)
        >>> round(float(laws.granular(43e9, 28.94e9, 16, **theta)), 3)  # 64 x 1B, G = 16
        2.471
    """
    return c + term(a + term(g, G_granularity, gamma), N, alpha) + term(b, D, beta)


@law(
    formula="a * E_hat**delta * N**(alpha + gamma * log(E_hat))"
    " + b * E_hat**omega * D**(beta + zeta * log(E_hat)) + c",
    where={"E_hat": SATURATING},
    source=f"{_JOINT}, Table 3",
    published={
        "ludziejewski2025": constants(
            f"{_JOINT}, Table 3",
            "P",
            c=1.3637,
            a=35.91,
            alpha=-0.1889,
            gamma=0.0098,
            delta=-0.2285,
            b=35.98,
            beta=-0.1775,
            zeta=-0.0259,
            omega=0.5529,
            E_start=2.0732,
            E_max=290.4521,
            note="N counts active parameters, embeddings included",
        )
    },
    decreasing=("N", "D"),
    limits={
        "N = inf, D = inf": "c",
        "N = inf": "b * E_hat**omega * D**(beta + zeta * log(E_hat)) + c",
        "D = inf": "a * E_hat**delta * N**(alpha + gamma * log(E_hat)) + c",
        "E_experts = 1": "a * E_start**delta * N**(alpha + gamma * log(E_start))"
        " + b * E_start**omega * D**(beta + zeta * log(E_start)) + c",
        "E_experts = inf": "a * E_max**delta * N**(alpha + gamma * log(E_max))"
        " + b * E_max**omega * D**(beta + zeta * log(E_max)) + c",
    },
    ridges=(
        "gamma with delta and zeta with omega: both move a term along log E_hat.",
        "E_max with zeta unless some runs have hundreds of experts.",
        SATURATION_RIDGE,
    ),
    traps=(
        "Exponents carry their sign, as in the paper; a survey that writes -(alpha + gamma ln E) "
        "flips them all.",
        "N counts active parameters, embeddings included.",
        "The printed optimum G = (mu m / (nu n))**(1 / (mu + nu)) is inverted for these negative "
        "mu and nu: it takes their absolute values (see joint_moe_optimal).",
        "Table 4 of the paper differs from what Table 3 gives by 0.1 to 0.3%.",
    ),
)
def joint_moe(
    N: Annotated[Count, adjust(meaning="active parameters, embeddings included")],
    D: Tokens,
    E_experts: Experts,
    *,
    c: Irreducible,
    a: Annotated[
        SizeCoefficient,
        adjust(anchor=Anchor("E_experts**delta * N**(alpha + gamma * log(E_experts))")),
    ],
    alpha: Annotated[
        SignedExponent, adjust(prior=Prior("normal", (-0.2, 0.1)), start=(-0.3, -0.12))
    ],
    gamma: Annotated[
        SignedExponent, adjust(prior=Prior("normal", (0.0, 0.02)), start=(0.002, 0.015))
    ],
    delta: Annotated[
        SignedExponent, adjust(prior=Prior("normal", (0.0, 0.4)), start=(-0.4, -0.05))
    ],
    b: Annotated[
        DataCoefficient,
        adjust(anchor=Anchor("E_experts**omega * D**(beta + zeta * log(E_experts))")),
    ],
    beta: Annotated[SignedExponent, adjust(prior=Prior("normal", (-0.2, 0.1)), start=(-0.3, -0.1))],
    zeta: Annotated[
        SignedExponent, adjust(prior=Prior("normal", (0.0, 0.04)), start=(-0.04, -0.005))
    ],
    omega: Annotated[SignedExponent, adjust(prior=Prior("normal", (0.0, 0.6)), start=(0.1, 0.8))],
    E_start: FirstExperts,
    E_max: MostExperts,
) -> Loss:
    """Loss of a mixture of experts with N active parameters trained on D tokens, nats per token.

    ``L = a E_hat**delta N**(alpha + gamma ln E_hat) + b E_hat**omega D**(beta + zeta ln E_hat) +
    c`` with :func:`saturating_experts` (Ludziejewski et al. 2025, Table 3). Exponents carry their
    sign; both powers must come out negative.

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.joint_moe)
        >>> [round(float(laws.joint_moe(1.7e9, 9.7e9, E, **theta)), 3) for E in (1, 32)]
        [2.591, 2.494]
    """
    log_E = jnp.log(saturating_experts(E_experts, E_start=E_start, E_max=E_max))
    size = a * jnp.exp(delta * log_E + (alpha + gamma * log_E) * log(N))
    data = b * jnp.exp(omega * log_E + (beta + zeta * log_E) * log(D))
    return size + data + c


class Allocation(NamedTuple):
    """Active parameters and tokens of the model with the lowest loss on a budget."""

    N: jax.Array
    D: jax.Array


def joint_moe_optimal(C: ArrayLike, E_experts: ArrayLike, params: Mapping[str, Any]) -> Allocation:
    """Active parameters and tokens that minimise :func:`joint_moe` on a budget of FLOP.

    The budget is ``C = 6 N D`` and the number of experts is given. With ``m = a E_hat**delta``,
    ``n = b E_hat**omega`` and the powers ``-mu = alpha + gamma ln E_hat``, ``-nu = beta + zeta ln
    E_hat``: ``N = (mu m / (nu n))**(1 / (mu + nu)) * (C / 6)**(nu / (mu + nu))`` and ``D = C / (6
    N)`` (Ludziejewski et al. 2025). The paper's formula is written with its negative powers, which
    inverts the ratio; here ``mu`` and ``nu`` are positive. This reproduces Table 1: 1.7B and 9.7B
    at one expert and 1e20 FLOP.

    Args:
        C: (...) training FLOP.
        E_experts: (...) experts in a layer.
        params: constants of :func:`joint_moe`, scalars or (draws,).

    Returns:
        ``N`` in parameters, ``D`` in tokens; NaN where one of the powers is not negative, since
        there is no optimum then.

    Example:
        >>> from jscale import laws
        >>> best = laws.joint_moe_optimal(1e20, 1, laws.params(laws.joint_moe))
        >>> f"{float(best.N) / 1e9:.1f}B parameters, {float(best.D) / 1e9:.1f}B tokens"
        '1.7B parameters, 9.7B tokens'
    """
    log_E = jnp.log(saturating_experts(E_experts, E_start=params["E_start"], E_max=params["E_max"]))
    mu, nu = (-(params[p] + params[q] * log_E) for p, q in (("alpha", "gamma"), ("beta", "zeta")))
    ratio = log(params["a"]) - log(params["b"]) + (params["delta"] - params["omega"]) * log_E

    # Both terms must decrease; elsewhere the powers are replaced, so that gradients stay finite.
    decreasing = (mu > 0) & (nu > 0)
    mu, nu = jnp.where(decreasing, mu, 1.0), jnp.where(decreasing, nu, 1.0)

    log_ND = log(C) - math.log(6)
    log_N = (ratio + jnp.log(mu / nu) + nu * log_ND) / (mu + nu)
    N, D = jnp.exp(log_N), jnp.exp(log_ND - log_N)
    return Allocation(jnp.where(decreasing, N, jnp.nan), jnp.where(decreasing, D, jnp.nan))


@law(
    formula="e + a / N**alpha + b / D**beta + c / (1 - sparsity)**lam"
    " + d / ((1 - sparsity)**delta * N**gamma)",
    source=f"{_ABNAR}, eq. 6",
    published={
        "abnar2025": constants(
            f"{_ABNAR}, Table 3",
            "S2",
            e=0.94,
            a=16612.50,
            alpha=0.5962,
            b=5455.67,
            beta=0.3954,
            c=0.4598,
            lam=-0.1666,
            d=17.26,
            delta=0.1603,
            gamma=0.1595,
        )
    },
    decreasing=("N", "D"),
    limits={
        "N = inf, D = inf": "e + c / (1 - sparsity)**lam",
        "sparsity = 0": "e + a / N**alpha + b / D**beta + c + d / N**gamma",
    },
    ridges=(
        "e with c unless some runs are very sparse; d with gamma, a with alpha, b with beta.",
        "When all runs are equally sparse, only the difference of their powers separates a from d.",
    ),
    traps=(
        "N counts all parameters, idle ones included: at a given N a sparser model is worse, and "
        "cheaper.",
        "lam is negative: the floor falls as sparsity grows.",
        "R2 is 0.99 on the runs of the fit and 0.68 on the held-out runs at 98% sparsity.",
    ),
)
def sparse_moe(
    N: Annotated[Count, adjust(meaning="total parameters, idle experts included")],
    D: Tokens,
    sparsity: Annotated[Sparsity, adjust(meaning="share of the experts that a token leaves idle")],
    *,
    e: Irreducible,
    a: SizeCoefficient,
    alpha: Annotated[Exponent, adjust(prior=lognormal(0.5, 0.8), start=(0.3, 1.0))],
    b: DataCoefficient,
    beta: Exponent,
    c: Annotated[
        Coefficient,
        adjust(
            unit="nats/token",
            meaning="part of the floor that sparsity moves",
            prior=lognormal(0.4, 0.8),
            start=(0.05, 1.5),
            anchor=Anchor("(1 - sparsity)**-lam"),
        ),
    ],
    lam: Annotated[
        SignedExponent,
        adjust(
            meaning="power of the active share in the floor",
            prior=Prior("normal", (-0.2, 0.2)),
            start=(-0.4, -0.05),
        ),
    ],
    d: Annotated[
        Coefficient,
        adjust(
            unit="nats/token at resource 1",
            prior=lognormal(0.3, 0.8),
            start=(0.03, 1.5),
            anchor=Anchor("(1 - sparsity)**-delta * N**-gamma"),
        ),
    ],
    delta: Annotated[
        Exponent,
        adjust(meaning="power of the active share", prior=lognormal(0.2, 0.5), start=(0.05, 0.5)),
    ],
    gamma: Annotated[Exponent, adjust(prior=lognormal(0.2, 0.5), start=(0.05, 0.3))],
) -> Loss:
    """Loss of a mixture of experts that leaves a share of its N parameters idle, nats per token.

    ``L = e + a / N**alpha + b / D**beta + c / (1 - S)**lam + d / ((1 - S)**delta * N**gamma)`` for
    a sparsity ``S`` in [0, 1) (Abnar et al. 2025, eq. 6).

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.sparse_moe)
        >>> [round(float(laws.sparse_moe(7e9, 100e9, S, **theta)), 3) for S in (0.0, 0.9)]
        [2.131, 2.191]
    """
    log_active = jnp.log1p(-inexact(sparsity))
    interaction = jnp.exp(-(delta * log_active + gamma * log(N)))
    return (
        e
        + term(a, N, alpha)
        + term(b, D, beta)
        + c * jnp.exp(-(lam * log_active))
        + d * interaction
    )
