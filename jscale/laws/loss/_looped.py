"""Looped models: a block of layers that every token passes several times.

A block that is run r times costs as much as r blocks and has the parameters of one. What it is
worth lies between: ``r**phi`` blocks (Schwethelm et al. 2026).
"""

import math
from typing import Annotated

import jax.numpy as jnp
from jax.typing import ArrayLike

from jscale._core.arrays import inexact, log, term
from jscale.laws.declaration import law
from jscale.laws.roles import (
    Anchor,
    Count,
    DataCoefficient,
    Exponent,
    Irreducible,
    Loss,
    Role,
    SizeCoefficient,
    Tokens,
    adjust,
    lognormal,
)

_SOURCE = "Schwethelm et al. 2026 (arXiv 2604.21106)"

Recurrences = Annotated[
    ArrayLike,
    Role(
        "recurrences",
        "passes",
        "passes of a token through the looped block",
        ends=(1.0, 64.0),
        typical=4.0,
        limits=(1.0, math.inf),
        column="recurrences",
    ),
]


@law(
    formula="E + A * (N_once + recurrences**phi * N_rec)**-alpha + B / D**beta",
    source=f"{_SOURCE}, abstract",
    decreasing=("N_once", "N_rec", "recurrences", "D"),
    limits={
        "N_once = inf, D = inf": "E",
        "D = inf": "E + A * (N_once + recurrences**phi * N_rec)**-alpha",
        "recurrences = 1": "E + A * (N_once + N_rec)**-alpha + B / D**beta",
    },
    ridges=(
        "A with alpha and B with beta, as in Chinchilla's law.",
        "phi needs runs with one pass and with many at similar sizes.",
    ),
    traps=(
        "phi belongs to a recipe: the authors find .46, .38 with truncated backpropagation and .65 "
        "with hyper-connections.",
        "At equal training compute a looped model is worse wherever phi is below 1: r passes cost "
        "r blocks.",
        "The other constants could not be confirmed and are omitted.",
    ),
)
def looped(
    N_once: Annotated[
        Count,
        adjust(
            meaning="parameters outside the looped block",
            ends=(1e6, 1e12),
            typical=3e8,
            column="N_once",
        ),
    ],
    N_rec: Annotated[
        Count,
        adjust(
            meaning="parameters of the looped block",
            ends=(1e6, 1e12),
            typical=3e8,
            column="N_rec",
        ),
    ],
    recurrences: Recurrences,
    D: Tokens,
    *,
    E: Irreducible,
    A: Annotated[SizeCoefficient, adjust(anchor=Anchor("(N_once + N_rec)**-alpha"))],
    B: DataCoefficient,
    alpha: Exponent,
    beta: Exponent,
    phi: Annotated[
        Exponent,
        adjust(
            name="recurrence equivalence",
            meaning="power of the passes in effective parameters",
            prior=lognormal(0.45, 0.5),
            start=(0.15, 1.0),
        ),
    ],
) -> Loss:
    """Loss of a model with a looped block, trained on D tokens, nats per token.

    ``L = E + A * (N_once + r**phi * N_rec)**-alpha + B / D**beta``: of the parameters, N_rec are
    used r times (Schwethelm et al. 2026, abstract). ``phi = 1`` would make a pass worth as much as
    a block of its own, ``phi = 0`` nothing.

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.chinchilla) | {"phi": 0.46}
        >>> for passes in (1, 2, 8):
        ...     loss = laws.looped(1e8, 3e8, passes, 8e9, **theta)
        ...     print(f"{passes} passes: {loss:.3f} nats per token")
        1 passes: 2.804 nats per token
        2 passes: 2.764 nats per token
        8 passes: 2.689 nats per token
    """
    passes = jnp.exp(phi * log(recurrences))
    size = inexact(N_once) + passes * inexact(N_rec)
    return E + term(A, size, alpha) + term(B, D, beta)
