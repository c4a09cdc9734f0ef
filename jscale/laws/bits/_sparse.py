"""Sparse models: loss against the fraction of zero weights (Frantar et al. 2023, arXiv 2309.08520).

The size is the number of *nonzero* weights. At a given number of them a sparser model is better,
since it was larger before pruning; it is equivalent to a dense model larger by a factor that
depends on the sparsity alone.
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

Nonzeros = Annotated[Count, adjust(meaning="nonzero weights", column="N_nonzero")]
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
    published = {}
    for name, (size_constants, note) in _SETS.items():
        values = dict(size_constants)
        for part in parts:
            values |= part[name]
        published[name] = Constants(values, _FRANTAR, "S1", {}, note)
    return published


def _density_power(sparsity: ArrayLike, b_S: ArrayLike) -> jax.Array:
    """``(1 - sparsity)**b_S``; 0 with zero gradient at a sparsity of 1."""
    density = 1 - jnp.asarray(as_float(sparsity))
    zero = density <= 0
    return jnp.where(zero, 0.0, jnp.where(zero, 1.0, density) ** b_S)


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
        "a_S with c_S unless some runs are very sparse; their scale with b_N, as A with alpha.",
        "a_D with b_D and c with b_N, as in Chinchilla's law.",
    ),
    traps=(
        "N_nonzero counts the weights that remain, not the size before pruning, which is "
        "N_nonzero / (1 - sparsity).",
        "D counts all training tokens, before and during pruning.",
    ),
)
def sparse(
    N_nonzero: Nonzeros,
    sparsity: Sparsity,
    D: Tokens,
    *,
    a_S: Annotated[
        Coefficient, adjust(meaning="part of the size term that sparsity reduces", **_IN_NATS)
    ],
    b_S: SparsityExponent,
    c_S: Annotated[
        Coefficient, adjust(meaning="part of the size term without sparsity", **_IN_NATS)
    ],
    b_N: Exponent,
    a_D: Annotated[
        DataScale,
        adjust(prior=lognormal(0.3, 0.8), start=(0.03, 1.5), anchor=Anchor("1 / D", power="b_D")),
    ],
    b_D: Exponent,
    # Not scaled by the smallest loss: the floor of the vision models exceeds all losses of text.
    c: Annotated[
        Irreducible,
        adjust(support=positive, anchor=None, prior=lognormal(1.5, 0.7), start=(0.3, 2.5)),
    ],
) -> Loss:
    """Loss of a model with a given fraction of its weights at zero, nats per token.

    ``L = (a_S * (1 - S)**b_S + c_S) * N**-b_N + (a_D / D)**b_D + c``, N the number of nonzero
    weights (Frantar et al. 2023, eq. 1).

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.sparse)
        >>> for sparsity in (0, 0.75):
        ...     loss = laws.sparse(N_nonzero=1e8, sparsity=sparsity, D=1e11, **theta)
        ...     print(f"sparsity {sparsity:.0%}: {loss:.3f} nats per token")
        sparsity 0%: 1.693 nats per token
        sparsity 75%: 1.576 nats per token
    """
    coefficient = a_S * _density_power(sparsity, b_S) + c_S
    size_term = coefficient * term(1.0, N_nonzero, b_N)
    data_term = term(1.0, as_float(D) / as_float(a_D), b_D)
    return size_term + data_term + c


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
        "The ratio is the same at any size and data: at 75% sparsity 2.16 for T5 and 2.17 for ViT.",
    ),
)
def dense_equivalent(
    N_nonzero: Nonzeros,
    sparsity: Sparsity,
    *,
    a_S: Annotated[Coefficient, adjust(meaning="part of the size term that sparsity reduces")],
    b_S: SparsityExponent,
    c_S: Annotated[Coefficient, adjust(meaning="part of the size term without sparsity")],
    b_N: Exponent,
) -> EffectiveCount:
    """Size of the dense model with the same loss on the same data as a sparse one, in parameters.

    ``N * ((a_S + c_S) / (a_S * (1 - S)**b_S + c_S))**(1 / b_N)`` for N nonzero weights, from equal
    size terms of ``sparse`` (Frantar et al. 2023, eq. 1).

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.dense_equivalent)
        >>> size = laws.dense_equivalent(N_nonzero=1e8, sparsity=0.75, **theta)
        >>> print(f"100M weights at 75% sparsity equal {size / 1e6:.0f}M dense ones")
        100M weights at 75% sparsity equal 216M dense ones
    """
    # The relative change of the size term, through log1p: accurate at low sparsity.
    change = a_S * (_density_power(sparsity, b_S) - 1) / (a_S + c_S)
    return as_float(N_nonzero) * jnp.exp(-jnp.log1p(change) / b_N)


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
    """Sparsity with the least loss for a given number of nonzero weights and a training budget.

    Training costs what the dense model that is pruned costs, ``C = 6 D N / (1 - S)``, so a higher
    sparsity leaves fewer tokens. ``S = 1 - (b_D * a_D**b_D * N**b_N / (a_S * b_S))**(1 / (b_D +
    b_S)) * (C / (6 N))**(-b_D / (b_D + b_S))``; 0 where that is negative, which is where a dense
    model is best (after Frantar et al. 2023, derived anew). The formula as it circulates has
    ``b_N * a_D * b_D`` in place of ``b_D * a_D**b_D``, and does not give the minimum.

    Args:
        N_nonzero: number of nonzero weights.
        C: FLOP.
        a_S: size coefficient that sparsity reduces, as in ``sparse``; c_S and c do not enter.
        b_S: power of density.
        b_N: power of size.
        a_D: data scale, tokens.
        b_D: power of data.

    Returns:
        Fraction of the weights, from 0 to below 1.

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.sparse)
        >>> names = ("a_S", "b_S", "b_N", "a_D", "b_D")
        >>> best = laws.optimal_sparsity(1e9, 1e23, **{name: theta[name] for name in names})
        >>> print(f"best sparsity {best:.0%}")
        best sparsity 68%
    """
    data = b_D * (log(a_D) - log(C) + jnp.log(6.0) + log(N_nonzero))
    density = jnp.exp((log(b_D) + data + b_N * log(N_nonzero) - log(a_S) - log(b_S)) / (b_D + b_S))
    return jnp.where(density < 1, 1 - density, 0.0)
