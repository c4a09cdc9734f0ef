"""Repetition that hurts: laws in which another epoch, or a larger model, can raise the loss.

:func:`jscale.laws.data_constrained` lets the value of a repeated token fall to zero, never below.
Two later laws let repetition do harm. Lovelace et al. (2026) add a penalty that grows with the
repetitions and with the parameters per unique token: at a given size there is a best number of
epochs. Bryant and Liu (2026) bound the loss by that of a model without information and let a large
model overfit few unique tokens: at a given size every epoch helps, and on a given budget there is a
best size, hence a best number of epochs. :func:`jscale.plan.optimal_epochs` finds both.
"""

import math
from typing import Annotated

import jax.numpy as jnp

from jscale._core.arrays import as_float, inexact, term
from jscale.laws.data._reuse import UniqueTokens
from jscale.laws.declaration import Constants, law
from jscale.laws.roles import (
    Anchor,
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

_INF = math.inf
_LOVELACE = "Lovelace et al. 2026 (arXiv 2605.01640)"
_BRYANT = "Bryant & Liu 2026 (arXiv 2605.09189)"


def _fit(**values: float) -> dict[str, Constants]:
    source = "fit of this project to 296 runs of Muennighoff et al. 2023 (arXiv 2305.16264)"
    note = "Student-t errors; C4, those runs included in which repetition hurts"
    return {"fit_datablations": Constants(values, source, "D", {}, note)}


def _share(meaning: str, multiplies: str) -> adjust:
    return adjust(
        meaning=meaning,
        prior=lognormal(0.05, 1.5),
        start=(0.005, 0.3),
        anchor=Anchor(multiplies),
    )


@law(
    formula="E + A / N**alpha + B / D**beta + P * R**delta * (N / U)**kappa",
    where={"R": "maximum(D / U - 1, 0)"},
    source=f"{_LOVELACE}, as transcribed by two surveys",
    published=_fit(
        E=2.13423,
        A=930.167,
        B=27265.3,
        alpha=0.379258,
        beta=0.478793,
        P=0.058091,
        delta=0.395669,
        kappa=0.816114,
    ),
    decreasing=("U",),
    limits={
        "U = inf": "E + A / N**alpha + B / D**beta",
        "N = inf, D = inf, U = inf": "E",
    },
    ridges=(
        "A with alpha, B with beta and E with alpha, as in Chinchilla's law.",
        "P with delta and kappa unless both the repetitions and N / U span a decade.",
    ),
    traps=(
        "The penalty has no bound: beyond the most repeated runs of a fit it can exceed any loss.",
        "P depends on the weight decay: the authors measure 70% less at a decay of 1.0.",
        "The authors' own constants could not be confirmed and are omitted.",
    ),
)
def overfitting_penalty(
    N: Count,
    D: Tokens,
    U: UniqueTokens = _INF,
    *,
    E: Irreducible,
    A: SizeCoefficient,
    B: DataCoefficient,
    alpha: Exponent,
    beta: Exponent,
    P: Annotated[
        Coefficient,
        _share(
            "scale of the overfitting penalty",
            "(D / minimum(U, D))**delta * (N / minimum(U, D))**kappa",
        ),
        adjust(unit="nats/token"),
    ],
    delta: Annotated[
        Exponent,
        adjust(meaning="power of the repetitions", prior=lognormal(1.0, 0.5), start=(0.3, 2.0)),
    ],
    kappa: Annotated[
        Exponent,
        adjust(
            meaning="power of parameters per unique token",
            prior=lognormal(0.6, 0.5),
            start=(0.2, 1.5),
        ),
    ],
) -> Loss:
    """Loss of an N-parameter model on D tokens, U of them unique, with overfitting, nats per token.

    ``L = E + A / N**alpha + B / D**beta + P * R**delta * (N / U)**kappa``, ``R = D / U - 1``
    repetitions (Lovelace et al. 2026, who write ``U (1 + R)`` for D). Chinchilla's law where no
    token is repeated.

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.chinchilla) | {"P": 0.02, "delta": 1.0, "kappa": 0.5}
        >>> for epochs in (1, 8, 64):
        ...     loss = laws.overfitting_penalty(N=4e8, D=epochs * 1e9, U=1e9, **theta)
        ...     print(f"{epochs} epochs: {loss:.3f} nats per token")
        1 epochs: 3.305 nats per token
        8 epochs: 2.893 nats per token
        64 epochs: 3.324 nats per token
    """
    D, U = inexact(D), inexact(U)
    repeated = D > U

    # Safe operands: powers of 0 repetitions and ratios of infinite counts stay out of gradients.
    unique = jnp.where(repeated, U, 1.0)
    repetitions = jnp.where(repeated, (D - unique) / unique, 1.0)
    ratio = jnp.where(repeated, as_float(N), 1.0) / unique
    penalty = jnp.where(repeated, P * repetitions**delta * ratio**kappa, 0.0)
    return E + term(A, N, alpha) + term(B, D, beta) + penalty


@law(
    formula="E + (L0 - E) * h / (1 + h)",
    where={
        "unique": "minimum(U, D)",
        "h": "a / N**alpha + b / D**beta + c * N**gamma / unique**delta",
    },
    source=f"{_BRYANT}, as transcribed by three surveys",
    published=_fit(
        E=2.02969,
        L0=8.97318,
        a=269.527,
        alpha=0.381912,
        b=7.88996e8,
        beta=1.0529,
        c=0.156692,
        gamma=0.807957,
        delta=0.849406,
    ),
    decreasing=("D", "U"),
    limits={
        "D = inf, U = inf": "E + (L0 - E) * (a / N**alpha) / (1 + a / N**alpha)",
        "N = inf": "L0",
    },
    ridges=(
        "L0 with a, b and c: where h is small only their products with L0 - E show. Fix L0 at the "
        "logarithm of the vocabulary.",
        "c with gamma and delta unless N and U vary apart.",
        "a with alpha and b with beta, as in Chinchilla's law.",
    ),
    traps=(
        "At a given size another epoch never hurts: overfitting depends on N and U alone.",
        "In one epoch U is D: the overfitting term stays, and at a given D a larger model comes "
        "to hurt.",
        "The authors' own constants could not be confirmed and are omitted.",
    ),
)
def bounded_multi_epoch(
    N: Count,
    D: Tokens,
    U: UniqueTokens = _INF,
    *,
    E: Irreducible,
    L0: Annotated[
        Coefficient,
        adjust(
            name="uninformed loss",
            unit="nats/token",
            meaning="loss without information",
            prior=lognormal(10.5, 0.15),
            start=(8.0, 13.0),
        ),
    ],
    a: Annotated[Coefficient, _share("scale of the size term", "N**-alpha")],
    alpha: Exponent,
    b: Annotated[Coefficient, _share("scale of the data term", "D**-beta")],
    beta: Exponent,
    c: Annotated[Coefficient, _share("scale of overfitting", "N**gamma * minimum(U, D)**-delta")],
    gamma: Annotated[
        Exponent,
        adjust(meaning="power of size in overfitting", prior=lognormal(0.5, 0.6), start=(0.2, 1.5)),
    ],
    delta: Annotated[
        Exponent,
        adjust(
            meaning="power of unique tokens in overfitting",
            prior=lognormal(0.7, 0.6),
            start=(0.25, 2.0),
        ),
    ],
) -> Loss:
    """Loss of an N-parameter model on D tokens, U of them unique, with bounds, nats per token.

    ``L = E + (L0 - E) h / (1 + h)``, ``h = a / N**alpha + b / D**beta + c N**gamma / U**delta``
    (Bryant & Liu 2026, who write T for D and D for U); U is at most D here. Near the floor it is
    Chinchilla's law with ``A = (L0 - E) a`` and ``B = (L0 - E) b``, and a term of overfitting.

    Example:
        >>> from jscale import laws
        >>> theta = {"E": 1.7, "L0": 10.8, "a": 50.0, "alpha": 0.34, "b": 200.0, "beta": 0.37}
        >>> theta |= {"c": 0.2, "gamma": 0.5, "delta": 0.6}
        >>> for N in (1e8, 1e9, 1e10):
        ...     loss = laws.bounded_multi_epoch(N, D=1e10, U=1e9, **theta)
        ...     print(f"{N:.0e} parameters: {loss:.3f} nats per token")
        1e+08 parameters: 2.839 nats per token
        1e+09 parameters: 2.592 nats per token
        1e+10 parameters: 2.814 nats per token
    """
    D = inexact(D)
    unique = jnp.minimum(inexact(U), D)

    overfitting = c * (inexact(N) ** gamma / unique**delta)
    h = term(a, N, alpha) + term(b, D, beta) + overfitting
    return L0 - (L0 - jnp.asarray(as_float(E))) / (1 + h)
