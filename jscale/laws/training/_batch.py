"""How many tokens to a batch: steps against examples, and the critical batch.

A loss can be reached in few steps of large batches or with few examples in many steps. A hyperbola
holds the two together, and the critical batch is where both cost twice their minimum. It grows as
the loss falls (Kaplan et al. 2020) or, what later work finds steadier, with the training tokens and
hardly at all with the size of the model.
"""

from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jscale._core.arrays import as_float, term
from jscale._core.supports import unit
from jscale.laws.declaration import constants, law
from jscale.laws.roles import (
    Anchor,
    BatchTokens,
    Coefficient,
    Exponent,
    Loss,
    Prior,
    Steps,
    Tokens,
    adjust,
    lognormal,
)

_MCCANDLISH = "McCandlish et al. 2018 (arXiv 1812.06162)"
_KAPLAN = "Kaplan et al. 2020 (arXiv 2001.08361)"
_ONE_LOSS = "Of one loss: S_min and E_min are other numbers for every loss to be reached."
_RIDGES = ("Batches all above or all below the critical one leave one of S_min and E_min open.",)


def _least(name: str, unit_: str, meaning: str) -> adjust:
    # As a share of the smallest number observed, which it cannot exceed.
    return adjust(
        name=name,
        unit=unit_,
        meaning=meaning,
        support=unit,
        prior=Prior("uniform", (0.0, 1.0)),
        start=(0.1, 0.95),
        anchor=Anchor("1 / loss_min"),
    )


def _other(name: str, unit_: str, meaning: str, multiplies: str) -> adjust:
    return adjust(
        name=name,
        unit=unit_,
        meaning=meaning,
        prior=lognormal(1.0, 1.5),
        start=(0.05, 20.0),
        anchor=Anchor(f"{multiplies} / loss_min"),
    )


_STEPS = ("least steps", "steps", "steps at an infinite batch")
_TOKENS = ("least examples", "tokens", "tokens at a vanishing batch")
_SCALE = ("batch scale", "tokens", "critical batch where the input is 1")
_LeastSteps = Annotated[Coefficient, _least(*_STEPS)]
_LeastTokens = Annotated[Coefficient, _least(*_TOKENS)]
_StepsBeside = Annotated[Coefficient, _other(*_STEPS, "batch_tokens")]
_TokensBeside = Annotated[Coefficient, _other(*_TOKENS, "1 / batch_tokens")]
_BatchAtLoss = Annotated[Coefficient, _other(*_SCALE, "L**(-1 / alpha_B)")]
_BatchAtTokens = Annotated[Coefficient, _other(*_SCALE, "D**p")]


@law(
    formula="S_min + E_min / batch_tokens",
    source=_MCCANDLISH,
    decreasing=("batch_tokens",),
    limits={"batch_tokens = inf": "S_min"},
    ridges=_RIDGES,
    traps=(
        _ONE_LOSS,
        "The learning rate must be tuned at every batch, or the curve is that of bad tuning.",
    ),
)
def training_steps(batch_tokens: BatchTokens, *, S_min: _LeastSteps, E_min: _TokensBeside) -> Steps:
    """Optimiser steps to a given loss with batches of so many tokens, steps.

    ``S = S_min * (1 + B_crit / B)`` with ``B_crit = E_min / S_min``, from ``(S / S_min - 1) * (E /
    E_min - 1) = 1`` (McCandlish et al. 2018).
    """
    return S_min + as_float(E_min) / as_float(batch_tokens)


@law(
    formula="E_min + S_min * batch_tokens",
    source=_MCCANDLISH,
    increasing=("batch_tokens",),
    limits={"batch_tokens = 0": "E_min"},
    ridges=_RIDGES,
    traps=(_ONE_LOSS,),
)
def training_examples(
    batch_tokens: BatchTokens, *, S_min: _StepsBeside, E_min: _LeastTokens
) -> Tokens:
    """Training tokens to a given loss with batches of so many tokens, tokens.

    ``E = E_min * (1 + B / B_crit)`` with ``B_crit = E_min / S_min`` (McCandlish et al. 2018).
    """
    return E_min + S_min * as_float(batch_tokens)


@law(
    formula="B_star * L**(-1 / alpha_B)",
    source=f"{_KAPLAN}, eq. 1.4",
    published={"kaplan2020": constants(f"{_KAPLAN}, eq. 1.4", "S2", B_star=2e8, alpha_B=0.21)},
    decreasing=("L",),
    limits={"L = inf": "0"},
    ridges=(
        "B_star and alpha_B are almost perfectly correlated unless quoted at the runs' own loss.",
    ),
    traps=(
        "The loss is that of one text and tokenizer: the constants do not carry over.",
        "Later work finds a power of the training tokens instead: see critical_batch.",
    ),
)
def kaplan_critical_batch(
    L: Loss,
    *,
    B_star: _BatchAtLoss,
    alpha_B: Annotated[
        Exponent,
        adjust(meaning="inverse power of loss", prior=lognormal(0.2, 0.4), start=(0.05, 0.6)),
    ],
) -> BatchTokens:
    """Critical batch at a loss L, whatever the size of the model, tokens.

    ``B_crit = B_star / L**(1 / alpha_B)`` (Kaplan et al. 2020, eq. 1.4).
    """
    return term(B_star, L, 1 / as_float(alpha_B))


@law(
    formula="k * D**p",
    source="Zhang et al. 2024 (arXiv 2410.21676); Bergsma et al. 2025 (arXiv 2505.13738)",
    increasing=("D",),
    limits={"D = inf": "inf"},
    ridges=("k and p are almost perfectly correlated unless k is quoted at the runs' own scale.",),
    traps=(
        "Both papers print an exponent of 0.46 to 0.47; their coefficients could not be confirmed and are not given.",
        "Hardly any dependence on N was found: a law in C or in the loss mixes size and data.",
    ),
)
def critical_batch(
    D: Tokens,
    *,
    k: _BatchAtTokens,
    p: Annotated[
        Exponent, adjust(meaning="power of data", prior=lognormal(0.47, 0.25), start=(0.1, 1.0))
    ],
) -> BatchTokens:
    """Critical batch of a run on D tokens, tokens.

    ``B_crit = k * D**p`` (Zhang et al. 2024; Bergsma et al. 2025 find the same form).
    """
    return term(k, D, -as_float(p))


def minimum_steps(steps: ArrayLike, batch_tokens: ArrayLike, critical: ArrayLike) -> jax.Array:
    """Steps that an infinite batch would have taken, ``S / (1 + B_crit / B)`` (Kaplan et al. 2020,
    eq.
    5.4), steps.

    Args:
        steps: taken, any shape.
        batch_tokens: tokens in a batch.
        critical: critical batch at the loss reached, tokens.
    """
    return jnp.asarray(as_float(steps) / (1 + as_float(critical) / as_float(batch_tokens)))


def minimum_compute(C: ArrayLike, batch_tokens: ArrayLike, critical: ArrayLike) -> jax.Array:
    """Compute that a vanishing batch would have taken, ``C / (1 + B / B_crit)`` (Kaplan et al.
    2020,
    eq. 5.5), FLOP.

    Args:
        C: spent, FLOP, any shape.
        batch_tokens: tokens in a batch.
        critical: critical batch at the loss reached, tokens.
    """
    return jnp.asarray(as_float(C) / (1 + as_float(batch_tokens) / as_float(critical)))


class AllocationExponents(NamedTuple):
    """Powers of the least compute: loss falls as ``C**-alpha_C``; size, batch, steps and tokens
    grow as ``C**…``.
    """

    alpha_C: jax.Array
    N: jax.Array
    batch: jax.Array
    S: jax.Array
    D: jax.Array


def kaplan_allocation(
    *, alpha_N: ArrayLike, alpha_B: ArrayLike, alpha_S: ArrayLike
) -> AllocationExponents:
    """How size, batch and steps grow with the least compute, as powers of it (dimensionless).

    ``alpha_C = 1 / (1 / alpha_S + 1 / alpha_B + 1 / alpha_N)``, ``N ~ C**(alpha_C / alpha_N)`` and
    so on; together they make up all of C (Kaplan et al. 2020, eq. 1.7 and 1.8). With the printed
    exponents N grows as C**0.68; the paper's own fit to the frontier is C**0.73, and later work
    disagrees with both.

    Args:
        alpha_N: exponent of size in L(N, S).
        alpha_B: inverse exponent of loss in the critical batch.
        alpha_S: exponent of steps in L(N, S).
    """
    alpha_N, alpha_B, alpha_S = (jnp.asarray(as_float(a)) for a in (alpha_N, alpha_B, alpha_S))
    alpha_C = 1 / (1 / alpha_S + 1 / alpha_B + 1 / alpha_N)
    batch, S = alpha_C / alpha_B, alpha_C / alpha_S
    return AllocationExponents(alpha_C, alpha_C / alpha_N, batch, S, batch + S)
