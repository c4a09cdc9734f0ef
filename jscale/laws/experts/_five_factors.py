"""Mixtures of experts in five factors: total and active size, data, active and shared experts.

The number of active experts and the share of them that every token uses have one optimum for all
sizes and data: it does not depend on the other three factors (Zhao et al. 2025).
"""

import math
from typing import Annotated

import jax.numpy as jnp
from jax.typing import ArrayLike

from jscale._core.arrays import as_float, inexact, term
from jscale.laws.declaration import constants, law
from jscale.laws.roles import (
    Anchor,
    Coefficient,
    Count,
    DataCoefficient,
    Exponent,
    Irreducible,
    Loss,
    Prior,
    Role,
    SizeCoefficient,
    Slope,
    Sparsity,
    Tokens,
    adjust,
    lognormal,
)

_ZHAO = "Zhao et al. 2025 (arXiv 2509.23678)"

ActiveExperts = Annotated[
    ArrayLike,
    Role(
        "active experts",
        "experts",
        "experts that a token uses",
        ends=(1.0, 64.0),
        typical=8.0,
        limits=(1.0, math.inf),
        column="active_experts",
    ),
]
SharedExperts = Annotated[
    Sparsity,
    adjust(
        name="shared share",
        meaning="share of the active experts that every token uses",
        ends=(0.0, 1.0),
        typical=0.25,
        column="shared_share",
    ),
]


def _of_bracket(meaning: str, multiplies: str) -> adjust:
    return adjust(
        meaning=meaning,
        prior=lognormal(0.008, 1.0),
        start=(0.002, 0.03),
        anchor=Anchor(f"{multiplies} * N**-alpha"),
        unit="nats/token at one parameter",
    )


@law(
    formula="(e * G + f / G + m * S**2 + n * S)"
    " * (1 / N**alpha + k / N_active**alpha + h * N_active / N)"
    " + a / N**alpha + b / D**beta + c / N_active**alpha + eps",
    where={"G": "active_experts", "S": "shared_share"},
    source=f"{_ZHAO}, as transcribed by two surveys",
    published={
        "zhao2025": constants(
            f"{_ZHAO}, fit to 446 runs",
            "S2",
            e=0.1577,
            f=7.2446,
            m=5.1395,
            n=-3.2363,
            k=0.0013,
            h=0.0450,
            a=38.051,
            alpha=0.2383,
            b=27129.05,
            beta=0.4694,
            c=31.096,
            eps=1.8182,
            note="G = 6.78 and S = .315 are optimal at every size: the abstract prints 7 and 0.31",
        )
    },
    decreasing=("N", "D"),
    limits={
        "D = inf": "(e * G + f / G + m * S**2 + n * S)"
        " * (1 / N**alpha + k / N_active**alpha + h * N_active / N)"
        " + a / N**alpha + c / N_active**alpha + eps",
        "N = inf, D = inf": "(e * G + f / G + m * S**2 + n * S) * k / N_active**alpha"
        " + c / N_active**alpha + eps",
    },
    ridges=(
        "e with f and m with n unless active experts and shared shares span their ranges.",
        "a, c and eps unless total and active size vary apart.",
        "k is hardly identified: its term is a thousandth of the others as published.",
    ),
    traps=(
        "At a given total size more active parameters beyond an optimum raise the loss: the term "
        "h N_active / N grows, and exceeds the gain for models that are nearly dense.",
        "The first factor must be positive: with other constants it can turn negative between its "
        "roots in S.",
        "N_active above N has no meaning and is not checked.",
    ),
)
def five_factor_moe(
    N: Annotated[
        Count, adjust(meaning="total parameters, idle experts included", typical=7e9, column="N")
    ],
    N_active: Annotated[
        Count,
        adjust(meaning="active parameters", ends=(1e6, 1e12), typical=1e9, column="N_active"),
    ],
    D: Tokens,
    active_experts: ActiveExperts,
    shared_share: SharedExperts,
    *,
    e: Annotated[Coefficient, _of_bracket("rise per active expert", "active_experts")],
    f: Annotated[Coefficient, _of_bracket("fall with active experts", "1 / active_experts")],
    m: Annotated[Coefficient, _of_bracket("curvature in the shared share", "1")],
    n: Annotated[
        Slope,
        adjust(
            unit="nats/token at one parameter",
            meaning="slope in the shared share",
            prior=Prior("normal", (-0.6, 0.5)),
            start=(-0.9, -0.1),
            anchor=Anchor("1 / m"),
        ),
    ],
    k: Annotated[
        Coefficient,
        adjust(
            meaning="weight of the active size",
            prior=lognormal(0.01, 1.5),
            start=(0.001, 0.1),
            anchor=Anchor("(N / N_active)**alpha"),
        ),
    ],
    h: Annotated[
        Coefficient,
        adjust(
            meaning="weight of the active share",
            prior=lognormal(1.0, 1.0),
            start=(0.1, 5.0),
            anchor=Anchor("N_active * N**(alpha - 1)"),
        ),
    ],
    a: SizeCoefficient,
    alpha: Exponent,
    b: DataCoefficient,
    beta: Exponent,
    c: Annotated[
        SizeCoefficient,
        adjust(meaning="scale of the term in active size", anchor=Anchor("N_active**-alpha")),
    ],
    eps: Irreducible,
) -> Loss:
    """Loss of a mixture of experts by its five factors, nats per token.

    ``L = (e G + f / G + m S**2 + n S) (1 / N**alpha + k / N_active**alpha + h N_active / N) +
    a / N**alpha + b / D**beta + c / N_active**alpha + eps`` for G active experts, a share S of them
    shared (Zhao et al. 2025). The best G is ``sqrt(f / e)``, the best S ``-n / (2 m)``.

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.five_factor_moe)
        >>> for G in (1, 7, 64):
        ...     loss = laws.five_factor_moe(30e9, 3e9, 1e12, G, 0.3, **theta)
        ...     print(f"{G} active experts: {loss:.3f} nats per token")
        1 active experts: 2.227 nats per token
        7 active experts: 2.187 nats per token
        64 active experts: 2.249 nats per token
    """
    G, S = inexact(active_experts), inexact(shared_share)
    shape = e * G + f / G + S * (m * S + n)

    crowding = h * (inexact(N_active) / inexact(N))
    sizes = term(1.0, N, alpha) + term(k, N_active, alpha) + crowding
    dense = term(a, N, alpha) + term(b, D, beta) + term(c, N_active, alpha)
    return shape * sizes + dense + jnp.asarray(as_float(eps))
