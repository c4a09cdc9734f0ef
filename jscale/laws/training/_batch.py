"""Batch size: the trade-off of steps against examples, and the critical batch.

A given loss can be reached in few steps of large batches or with few examples in many steps. The
two lie on a hyperbola, and at the critical batch both are twice their minimum. The critical batch
grows as the loss falls (Kaplan et al. 2020) or, which later work finds more robust, with the
training tokens and hardly at all with the size of the model.
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
_ONE_LOSS = "For one target loss: S_min and E_min differ for every loss."
_RIDGES = (
    "S_min or E_min is not identified if all batches lie on one side of the critical batch.",
)


def _minimum(name: str, unit_: str, meaning: str) -> adjust:
    # As a fraction of the smallest value observed, which it can exceed by the noise alone.
    return adjust(
        name=name,
        unit=unit_,
        meaning=meaning,
        support=unit,
        prior=Prior("uniform", (0.0, 1.0)),
        start=(0.1, 0.95),
        anchor=Anchor("1 / floor_max"),
    )


def _scaled(name: str, unit_: str, meaning: str, multiplies: str) -> adjust:
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
_MinimumSteps = Annotated[Coefficient, _minimum(*_STEPS)]
_MinimumTokens = Annotated[Coefficient, _minimum(*_TOKENS)]
_StepsPerExample = Annotated[Coefficient, _scaled(*_STEPS, "batch_tokens")]
_TokensPerStep = Annotated[Coefficient, _scaled(*_TOKENS, "1 / batch_tokens")]
_BatchAtLoss = Annotated[Coefficient, _scaled(*_SCALE, "L**(-1 / alpha_B)")]
_BatchAtTokens = Annotated[Coefficient, _scaled(*_SCALE, "D**p")]


@law(
    formula="S_min + E_min / batch_tokens",
    source=_MCCANDLISH,
    decreasing=("batch_tokens",),
    limits={"batch_tokens = inf": "S_min"},
    ridges=_RIDGES,
    traps=(
        _ONE_LOSS,
        "The learning rate must be tuned at every batch size, or the curve shows the tuning.",
    ),
)
def training_steps(
    batch_tokens: BatchTokens, *, S_min: _MinimumSteps, E_min: _TokensPerStep
) -> Steps:
    """Optimiser steps to a given loss at a given batch size.

    ``S = S_min * (1 + B_crit / B)`` with ``B_crit = E_min / S_min``, from
    ``(S / S_min - 1) * (E / E_min - 1) = 1`` (McCandlish et al. 2018).

    Example:
        >>> from jscale import laws
        >>> for batch in (5e5, 1e6, 4e6):
        ...     steps = laws.training_steps(batch, S_min=10_000, E_min=1e10)
        ...     print(f"{batch:.0e} tokens per batch: {steps:.0f} steps")
        5e+05 tokens per batch: 30000 steps
        1e+06 tokens per batch: 20000 steps
        4e+06 tokens per batch: 12500 steps
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
    batch_tokens: BatchTokens, *, S_min: _StepsPerExample, E_min: _MinimumTokens
) -> Tokens:
    """Training tokens to a given loss at a given batch size, in tokens.

    ``E = E_min * (1 + B / B_crit)`` with ``B_crit = E_min / S_min`` (McCandlish et al. 2018).

    Example:
        >>> from jscale import laws
        >>> for batch in (5e5, 1e6, 4e6):
        ...     tokens = laws.training_examples(batch, S_min=10_000, E_min=1e10)
        ...     print(f"{batch:.0e} tokens per batch: {tokens / 1e9:.0f}B tokens")
        5e+05 tokens per batch: 15B tokens
        1e+06 tokens per batch: 20B tokens
        4e+06 tokens per batch: 50B tokens
    """
    return E_min + S_min * as_float(batch_tokens)


@law(
    formula="B_star * L**(-1 / alpha_B)",
    source=f"{_KAPLAN}, eq. 1.4",
    published={"kaplan2020": constants(f"{_KAPLAN}, eq. 1.4", "S2", B_star=2e8, alpha_B=0.21)},
    decreasing=("L",),
    limits={"L = inf": "0"},
    ridges=(
        "B_star and alpha_B are almost perfectly correlated unless quoted at the loss of the runs.",
    ),
    traps=(
        "The loss depends on text and tokenizer: the constants do not carry over.",
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
    """Critical batch at a loss L, independent of the size of the model, in tokens.

    ``B_crit = B_star / L**(1 / alpha_B)`` (Kaplan et al. 2020, eq. 1.4).

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.kaplan_critical_batch)
        >>> print(f"{laws.kaplan_critical_batch(L=2.5, **theta) / 1e6:.2f}M tokens at 2.5 nats")
        2.55M tokens at 2.5 nats
    """
    return term(B_star, L, 1 / as_float(alpha_B))


@law(
    formula="k * D**p",
    source="Zhang et al. 2024 (arXiv 2410.21676); Bergsma et al. 2025 (arXiv 2505.13738)",
    increasing=("D",),
    limits={"D = inf": "inf"},
    ridges=(
        "k and p are almost perfectly correlated unless k is quoted at the scale of the runs.",
    ),
    traps=(
        "Both papers print an exponent of 0.46 to 0.47; their coefficients could not be confirmed "
        "and are omitted.",
        "The dependence on N is weak: a law in C or in the loss confounds size and data.",
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
    """Critical batch of a run on D tokens, in tokens.

    ``B_crit = k * D**p`` (Zhang et al. 2024; Bergsma et al. 2025 find the same form).

    Example:
        >>> from jscale import laws
        >>> print(f"{laws.critical_batch(D=1e11, k=10.0, p=0.47) / 1e6:.2f}M tokens")
        1.48M tokens
    """
    return term(k, D, -as_float(p))


def minimum_steps(steps: ArrayLike, batch_tokens: ArrayLike, critical: ArrayLike) -> jax.Array:
    """Steps that an infinite batch would have taken.

    ``S / (1 + B_crit / B)`` (Kaplan et al. 2020, eq. 5.4).

    Args:
        steps: steps taken, any shape.
        batch_tokens: tokens per batch.
        critical: critical batch at the loss reached, tokens.

    Example:
        >>> from jscale import laws
        >>> print(f"{laws.minimum_steps(20_000, batch_tokens=1e6, critical=1e6):.0f} steps")
        10000 steps
    """
    return jnp.asarray(as_float(steps) / (1 + as_float(critical) / as_float(batch_tokens)))


def minimum_compute(C: ArrayLike, batch_tokens: ArrayLike, critical: ArrayLike) -> jax.Array:
    """Compute that a vanishing batch would have taken, in FLOP.

    ``C / (1 + B / B_crit)`` (Kaplan et al. 2020, eq. 5.5).

    Args:
        C: compute spent, FLOP, any shape.
        batch_tokens: tokens per batch.
        critical: critical batch at the loss reached, tokens.

    Example:
        >>> from jscale import laws
        >>> print(f"{laws.minimum_compute(3e21, batch_tokens=5e5, critical=1e6):.1e} FLOP")
        2.0e+21 FLOP
    """
    return jnp.asarray(as_float(C) / (1 + as_float(batch_tokens) / as_float(critical)))


class AllocationExponents(NamedTuple):
    """Exponents of the minimum compute C.

    The loss falls as ``C**-alpha_C``; size, batch, steps and tokens grow as C to the power of the
    other fields.
    """

    alpha_C: jax.Array
    N: jax.Array
    batch: jax.Array
    S: jax.Array
    D: jax.Array


def kaplan_allocation(
    *, alpha_N: ArrayLike, alpha_B: ArrayLike, alpha_S: ArrayLike
) -> AllocationExponents:
    """Exponents of the minimum compute for loss, size, batch, steps and tokens.

    Dimensionless. ``alpha_C = 1 / (1 / alpha_S + 1 / alpha_B + 1 / alpha_N)``,
    ``N ~ C**(alpha_C / alpha_N)``, batch and steps likewise; the exponents of size, batch and steps
    sum to 1 (Kaplan et al. 2020, eq. 1.7 and 1.8). With the printed exponents N grows as C**0.68;
    the paper's own fit to the frontier is C**0.73, and later work disagrees with both.

    Args:
        alpha_N: exponent of size in L(N, S).
        alpha_B: inverse exponent of loss in the critical batch.
        alpha_S: exponent of steps in L(N, S).

    Example:
        >>> from jscale import laws
        >>> exponents = laws.kaplan_allocation(alpha_N=0.077, alpha_B=0.21, alpha_S=0.76)
        >>> print(f"N ~ C^{exponents.N:.2f}, D ~ C^{exponents.D:.2f}")
        N ~ C^0.68, D ~ C^0.32
    """
    alpha_N, alpha_B, alpha_S = (jnp.asarray(as_float(a)) for a in (alpha_N, alpha_B, alpha_S))

    alpha_C = 1 / (1 / alpha_S + 1 / alpha_B + 1 / alpha_N)
    batch, S = alpha_C / alpha_B, alpha_C / alpha_S
    return AllocationExponents(alpha_C, alpha_C / alpha_N, batch, S, batch + S)
