"""Merged models: the loss of an average of fine-tuned experts, by their size and number.

The loss falls to a floor as experts are added: the variance of an average of k experts falls as
1 / k, and the floor as well as the gain are powers of the size of the base model.
"""

import math
from typing import Annotated

from jax.typing import ArrayLike

from jscale._core.arrays import as_float, term
from jscale.laws.declaration import law
from jscale.laws.roles import (
    Anchor,
    Coefficient,
    Count,
    Exponent,
    Irreducible,
    Loss,
    Role,
    SizeCoefficient,
    adjust,
    lognormal,
)

_SOURCE = "Wang et al. 2025 (arXiv 2509.24244)"

MergedExperts = Annotated[
    ArrayLike,
    Role(
        "merged experts",
        "experts",
        "experts that are merged",
        ends=(1.0, 64.0),
        typical=6.0,
        limits=(1.0, math.inf),
        column="experts",
    ),
]


@law(
    formula="L_inf + B / N**beta + A / (N**gamma * (experts + b))",
    source=f"{_SOURCE}, as transcribed by two surveys",
    decreasing=("N", "experts"),
    limits={"N = inf": "L_inf", "experts = inf": "L_inf + B / N**beta"},
    ridges=(
        "b with A unless one or two experts are among the runs.",
        "L_inf with beta: seven sizes of one family hardly identify both.",
    ),
    traps=(
        "A mean over the subsets of experts: one merge scatters about it, by about 1 / k.",
        "For experts of equal weight; learned weights change the approach to the floor.",
        "The constants belong to a set of domains: more of them raise the gain of an expert.",
    ),
)
def merged(
    N: Count,
    experts: MergedExperts,
    *,
    L_inf: Irreducible,
    B: Annotated[SizeCoefficient, adjust(anchor=Anchor("N**-beta"))],
    beta: Exponent,
    A: Annotated[
        Coefficient,
        adjust(
            unit="nats/token at one parameter",
            meaning="scale of the gain from merging",
            prior=lognormal(0.1, 1.2),
            start=(0.01, 0.6),
            anchor=Anchor("N**-gamma / experts"),
        ),
    ],
    gamma: Annotated[Exponent, adjust(meaning="power of size in the gain from merging")],
    b: Annotated[
        Coefficient,
        adjust(
            name="offset",
            unit="experts",
            meaning="shift of the number of experts",
            prior=lognormal(0.7, 0.8),
            start=(0.1, 3.0),
        ),
    ],
) -> Loss:
    """Loss of a model merged from fine-tuned experts of N parameters, nats per token.

    ``L = L_inf + B / N**beta + A / (N**gamma * (k + b))`` for k experts (Wang et al. 2025).

    Example:
        >>> from jscale import laws
        >>> theta = {"L_inf": 0.3, "B": 150.0, "beta": 0.3, "A": 60.0, "gamma": 0.3, "b": 0.5}
        >>> [round(float(laws.merged(7e9, experts, **theta)), 3) for experts in (1, 2, 9)]
        [0.511, 0.494, 0.474]
    """
    return L_inf + term(B, N, beta) + term(A, N, gamma) / (as_float(experts) + b)
