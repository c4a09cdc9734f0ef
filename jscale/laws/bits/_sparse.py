"""Sparse models: what a share of weights at zero costs (Frantar et al. 2023, arXiv 2309.08520).

The size is the number of weights that are *not* zero. At a given number of them a sparser model is
better, since it was larger before it was pruned, and it is worth a dense model larger by a factor
that depends on the sparsity alone.
"""

from typing import Annotated

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jscale._core.arrays import as_float, log, term
from jscale._core.supports import positive
from jscale.laws.declaration import Constants, law
from jscale.laws.roles import (
    Anchor,
    Coefficient,
    Count,
    DataScale,
    EffectiveCount,
    Exponent,
    Irreducible,
    Loss,
    Sparsity,
    Tokens,
    adjust,
    lognormal,
)

_FRANTAR = "Frantar et al. 2023 (arXiv 2309.08520)"
_SETS = {
    "frantar2023_t5": ({"a_S": 16.8, "b_S": 0.722, "c_S": 45.0, "b_N": 0.245}, "T5 on C4"),
    "frantar2023_vit": (
        {"a_S": 294.0, "b_S": 0.821, "c_S": 468.0, "b_N": 0.392},
        "ViT on JFT-4B, loss per image",
    ),
}
_DATA = {
    "frantar2023_t5": {"a_D": 6.90e8, "b_D": 0.203, "c": 0.651},
    "frantar2023_vit": {"a_D": 2.37e8, "b_D": 0.890, "c": 4.517},
}

Nonzeros = Annotated[Count, adjust(meaning="weights that are not zero", column="N_nonzero")]
SparsityExponent = Annotated[
    Exponent, adjust(prior=lognormal(0.8, 0.3), start=(0.2, 2.0), meaning="power of density")
]
_IN_NATS = {
    "unit": "nats/token at 1 parameter",
    "prior": lognormal(0.3, 0.8),
    "start": (0.03, 1.5),
    "anchor": Anchor("N_nonzero**-b_N"),
}


def _published(*parts: dict[str, dict[str, float]]) -> dict[str, Constants]:
    values = {name: dict(own) for name, (own, _) in _SETS.items()}
    for part in parts:
        for name, more in part.items():
            values[name] |= more
    return {
        name: Constants(given, _FRANTAR, "S1", {}, _SETS[name][1]) for name, given in values.items()
    }


@law(
    formula="(a_S * (1 - sparsity)**b_S + c_S) * N_nonzero**-b_N + (a_D / D)**b_D + c",
    source=f"{_FRANTAR}, eq. 1",
    published=_published(_DATA),
    decreasing=("N_nonzero", "sparsity", "D"),
    limits={
        "N_nonzero = inf, D = inf": "c",
        "sparsity = 1": "c_S * N_nonzero**-b_N + (a_D / D)**b_D + c",
        "sparsity = 0": "(a_S + c_S) * N_nonzero**-b_N + (a_D / D)**b_D + c",
    },
    ridges=(
        "a_S with c_S unless the runs reach high sparsity; their scale with b_N, as A with alpha.",
        "a_D with b_D and c with b_N, as in Chinchilla's law.",
    ),
    traps=(
        "N_nonzero counts the weights that are left, not the size before pruning, which is N_nonzero / (1 - sparsity).",
        "D counts what the model was trained on before and while it was pruned.",
    ),
)
def sparse(
    N_nonzero: Nonzeros,
    sparsity: Sparsity,
    D: Tokens,
    *,
    a_S: Annotated[Coefficient, adjust(meaning="size term that sparsity removes", **_IN_NATS)],
    b_S: SparsityExponent,
    c_S: Annotated[Coefficient, adjust(meaning="size term that sparsity leaves", **_IN_NATS)],
    b_N: Exponent,
    a_D: Annotated[
        DataScale,
        adjust(prior=lognormal(0.3, 0.8), start=(0.03, 1.5), anchor=Anchor("1 / D", power="b_D")),
    ],
    b_D: Exponent,
    # No share of the smallest loss: the floor of the vision models is above the losses of any text.
    c: Annotated[
        Irreducible,
        adjust(support=positive, anchor=None, prior=lognormal(1.5, 0.7), start=(0.3, 2.5)),
    ],
) -> Loss:
    """Loss of a model with a share of its weights at zero, nats per token.

    ``L = (a_S * (1 - S)**b_S + c_S) * N**-b_N + (a_D / D)**b_D + c``, N the weights that are not
    zero (Frantar et al. 2023, eq. 1).
    """
    dense = 1 - jnp.asarray(as_float(sparsity))
    none = dense <= 0
    size = a_S * jnp.where(none, 0.0, jnp.where(none, 1.0, dense) ** b_S) + c_S
    return size * term(1.0, N_nonzero, b_N) + term(1.0, as_float(D) / as_float(a_D), b_D) + c


@law(
    formula="N_nonzero * ((a_S + c_S) / (a_S * (1 - sparsity)**b_S + c_S))**(1 / b_N)",
    source=f"{_FRANTAR}, from eq. 1",
    published=_published(),
    increasing=("N_nonzero", "sparsity"),
    limits={
        "sparsity = 0": "N_nonzero",
        "sparsity = 1": "N_nonzero * ((a_S + c_S) / c_S)**(1 / b_N)",
    },
    ridges=("Only the ratio of a_S to c_S enters: fix one.",),
    traps=(
        "It holds at any size and data: 2.16 times the parameters at 75% sparsity for T5, 2.17 for ViT.",
    ),
)
def dense_equivalent(
    N_nonzero: Nonzeros,
    sparsity: Sparsity,
    *,
    a_S: Annotated[Coefficient, adjust(meaning="size term that sparsity removes")],
    b_S: SparsityExponent,
    c_S: Annotated[Coefficient, adjust(meaning="size term that sparsity leaves")],
    b_N: Exponent,
) -> EffectiveCount:
    """Parameters of the dense model with the same loss on the same data as N nonzero ones at some
    sparsity.

    ``N * ((a_S + c_S) / (a_S * (1 - S)**b_S + c_S))**(1 / b_N)``, from equal size terms of
    ``sparse`` (Frantar et al. 2023, eq. 1).
    """
    dense = 1 - jnp.asarray(as_float(sparsity))
    none = dense <= 0
    left = jnp.where(none, 0.0, jnp.where(none, 1.0, dense) ** b_S)
    # One minus the ratio of the size terms: exact where little sparsity changes little.
    return as_float(N_nonzero) * jnp.exp(-jnp.log1p(a_S * (left - 1) / (a_S + c_S)) / b_N)


def optimal_sparsity(
    N_nonzero: ArrayLike,
    C: ArrayLike,
    *,
    a_S: ArrayLike,
    b_S: ArrayLike,
    b_N: ArrayLike,
    a_D: ArrayLike,
    b_D: ArrayLike,
) -> jax.Array:
    """The sparsity with the least loss at a given number of nonzero weights and a training budget.

    Training costs what the dense model that is pruned costs, ``C = 6 D N / (1 - S)``, so that
    sparsity is paid for with data. ``S = 1 - (b_D * a_D**b_D * N**b_N / (a_S * b_S))**(1 / (b_D +
    b_S)) * (C / (6 N))**(-b_D / (b_D + b_S))``; 0 where that is negative, which is where a dense
    model is best (after Frantar et al. 2023, derived anew). The formula as it circulates has ``b_N
    * a_D * b_D`` in place of ``b_D * a_D**b_D``, and does not give the minimum.

    Args:
        N_nonzero: weights that are not zero.
        C: FLOP.
        a_S: as in ``sparse``, and so for the rest; c_S and c do not matter.
        b_S: power of density.
        b_N: power of size.
        a_D: data scale, tokens.
        b_D: power of data.

    Returns:
        A share of the weights, from 0 to below 1.
    """
    data = b_D * (log(a_D) - log(C) + jnp.log(6.0) + log(N_nonzero))
    density = jnp.exp((log(b_D) + data + b_N * log(N_nonzero) - log(a_S) - log(b_S)) / (b_D + b_S))
    return jnp.where(density < 1, 1 - density, 0.0)
