"""Scores of clusters of questions from compute, and of many answers from size, data and samples.

Questions of similar difficulty follow one curve from guessing to a ceiling, since their loss is a
power law of compute (Xu et al. 2026). Where any of k answers may be right, samples are a third
resource beside size and data, which a small model buys cheaply (Roberts et al. 2026).
"""

from typing import Annotated

import jax.numpy as jnp

from jscale._core.arrays import as_float, inexact, term
from jscale.laws.declaration import law
from jscale.laws.roles import (
    Anchor,
    Coefficient,
    Count,
    DataCoefficient,
    Exponent,
    Flops,
    Irreducible,
    Loss,
    Score,
    ShareParameter,
    SizeCoefficient,
    Tokens,
    adjust,
    lognormal,
)
from jscale.laws.tasks._scores import Samples

_XU = "Xu et al. 2026 (arXiv 2502.17262)"
_ROBERTS = "Roberts et al. 2026 (arXiv 2604.01411)"


@law(
    formula="g + (1 - g) * exp(-a * C**-b - c)",
    source=f"{_XU}, eq. 4",
    increasing=("C",),
    limits={"C = inf": "g + (1 - g) * exp(-c)", "C = 0": "g"},
    ridges=(
        "a with b: quote the curve at the runs' own compute.",
        "c with b until the curve flattens; g with a unless some runs only guess.",
    ),
    traps=(
        "For questions of similar difficulty: the mean of exp(-loss) over mixed ones follows "
        "another curve.",
        "The authors extrapolate only clusters with a > 1, b > 0.1 and c < 1, in their unit of "
        "compute.",
    ),
)
def cluster_accuracy(
    C: Flops,
    *,
    g: Annotated[
        ShareParameter, adjust(name="guessing", meaning="score by guessing", start=(0.02, 0.4))
    ],
    a: Annotated[
        Coefficient,
        adjust(
            meaning="scale of the answer's loss",
            prior=lognormal(0.7, 1.0),
            start=(0.1, 3.0),
            anchor=Anchor("C**-b"),
        ),
    ],
    b: Annotated[
        Exponent, adjust(meaning="power of compute", prior=lognormal(0.2, 0.7), start=(0.05, 0.6))
    ],
    c: Annotated[
        Coefficient,
        adjust(
            unit="nats",
            meaning="loss of the answer that no compute removes",
            prior=lognormal(0.15, 1.0),
            start=(0.01, 0.8),
        ),
    ],
) -> Score:
    """Score on a cluster of questions of similar difficulty, from compute.

    ``y = g + (1 - g) exp(-a C**-b - c)``: guessing, or an answer whose loss is ``a C**-b + c``
    nats (Xu et al. 2026, eq. 4).

    Example:
        >>> from jscale import laws
        >>> theta = {"g": 0.25, "a": 3e4, "b": 0.2, "c": 0.1}
        >>> [round(float(laws.cluster_accuracy(C, **theta)), 2) for C in (1e21, 1e23, 1e25)]
        [0.35, 0.57, 0.75]
    """
    return g + (1 - jnp.asarray(as_float(g))) * jnp.exp(-term(a, inexact(C), b) - c)


@law(
    formula="E + A / N**alpha + B / D**beta + G / k**gamma",
    source=f"{_ROBERTS}, Section 3.1",
    decreasing=("N", "D", "k"),
    limits={
        "N = inf, D = inf, k = inf": "E",
        "k = inf": "E + A / N**alpha + B / D**beta",
        "k = 1": "E + A / N**alpha + B / D**beta + G",
    },
    ridges=(
        "E with G unless k spans decades: at one k they are one constant.",
        "A with alpha and B with beta, as in Chinchilla's law.",
    ),
    traps=(
        "A mean over questions of -log pass@k; minus the logarithm of the mean pass@k is lower.",
        "The constants belong to a task: the authors' are not published.",
        "On an inference budget of 2 N k FLOP per token k is not free: a smaller model draws more.",
    ),
)
def train_to_test(
    N: Count,
    D: Tokens,
    k: Samples,
    *,
    E: Irreducible,
    A: SizeCoefficient,
    B: DataCoefficient,
    alpha: Exponent,
    beta: Exponent,
    G: Annotated[
        Coefficient,
        adjust(
            unit="nats at one sample",
            meaning="scale of the sample term",
            prior=lognormal(0.3, 1.2),
            start=(0.03, 1.5),
            anchor=Anchor("k**-gamma"),
        ),
    ],
    gamma: Annotated[Exponent, adjust(meaning="power of the samples")],
) -> Annotated[Loss, adjust(unit="nats", meaning="-log pass@k", column="nll_pass")]:
    """Mean of -log pass@k of an N-parameter model trained on D tokens, nats.

    ``E + A / N**alpha + B / D**beta + G / k**gamma`` for k answers drawn, one of which must be
    right (Roberts et al. 2026, Section 3.1).

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.chinchilla) | {"G": 1.0, "gamma": 0.3}
        >>> [round(float(laws.train_to_test(4e8, 2e11, k, **theta)), 2) for k in (1, 10, 100)]
        [3.43, 2.93, 2.68]
    """
    return E + term(A, N, alpha) + term(B, D, beta) + term(G, k, gamma)
