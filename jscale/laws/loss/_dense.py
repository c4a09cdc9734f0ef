"""Dense transformers in model size and data: Kaplan's laws and Chinchilla's.

In Kaplan's laws, without a floor, the larger of the two terms dominates; Chinchilla's adds the two
to a floor. Both describe their own runs well and disagree on the best allocation, mostly because of
how parameters were counted and learning rates set. The form transfers to other texts; the floor and
the coefficients do not, and the exponents only roughly.
"""

import math
from typing import Annotated

from jscale._core.arrays import as_float, power_sum, term
from jscale.laws.declaration import constants, law
from jscale.laws.roles import (
    Anchor,
    Coefficient,
    ComputeScale,
    Count,
    DataCoefficient,
    DataScale,
    Exponent,
    Flops,
    Irreducible,
    Loss,
    SizeCoefficient,
    SizeScale,
    SlowExponent,
    Steps,
    StepScale,
    Tokens,
    adjust,
    lognormal,
)

_KAPLAN = "Kaplan et al. 2020 (arXiv 2001.08361)"
_NO_FLOOR = "No floor: the exponents are not comparable with those of a law that has one."
_NON_EMBEDDING = "N counts non-embedding parameters."


@law(
    formula="(N_c / N)**alpha_N",
    source=f"{_KAPLAN}, eq. 1.1",
    published={"kaplan2020": constants(f"{_KAPLAN}, eq. 1.1", "S2", N_c=8.8e13, alpha_N=0.076)},
    decreasing=("N",),
    limits={"N = inf": "0"},
    ridges=(
        "N_c and alpha_N are almost perfectly correlated: "
        "N_c is an extrapolation far beyond any model.",
    ),
    traps=(_NO_FLOOR, _NON_EMBEDDING),
)
def kaplan_size(
    N: Count,
    *,
    N_c: Annotated[SizeScale, adjust(anchor=Anchor("1 / N", power="alpha_N"))],
    alpha_N: SlowExponent,
) -> Loss:
    """Loss of an N-parameter model trained to convergence on enough data, nats per token.

    ``L(N) = (N_c / N)**alpha_N``, N without embeddings (Kaplan et al. 2020, eq. 1.1).

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.kaplan_size)
        >>> round(float(laws.kaplan_size(1.5e9, **theta)), 2)
        2.3
    """
    return term(1.0, as_float(N) / as_float(N_c), alpha_N)


@law(
    formula="(D_c / D)**alpha_D",
    source=f"{_KAPLAN}, eq. 1.2",
    published={"kaplan2020": constants(f"{_KAPLAN}, eq. 1.2", "S2", D_c=5.4e13, alpha_D=0.095)},
    decreasing=("D",),
    limits={"D = inf": "0"},
    ridges=(
        "D_c and alpha_D are almost perfectly correlated: "
        "D_c is an extrapolation far beyond any text.",
    ),
    traps=(_NO_FLOOR,),
)
def kaplan_data(
    D: Tokens,
    *,
    D_c: Annotated[DataScale, adjust(anchor=Anchor("1 / D", power="alpha_D"))],
    alpha_D: SlowExponent,
) -> Loss:
    """Loss of a large model on D tokens with early stopping, nats per token.

    ``L(D) = (D_c / D)**alpha_D`` (Kaplan et al. 2020, eq. 1.2).

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.kaplan_data)
        >>> round(float(laws.kaplan_data(22e9, **theta)), 2)
        2.1
    """
    return term(1.0, as_float(D) / as_float(D_c), alpha_D)


@law(
    formula="(C_c / C)**alpha_C",
    source=f"{_KAPLAN}, eq. 1.3",
    published={
        "kaplan2020": constants(
            f"{_KAPLAN}, eq. 1.3",
            "S2",
            C_c=3.1e8 * 8.64e19,
            alpha_C=0.050,
            note="printed as 3.1e8 PF-days; one is 8.64e19 FLOP",
        )
    },
    decreasing=("C",),
    limits={"C = inf": "0"},
    ridges=(
        "C_c and alpha_C are almost perfectly correlated: "
        "C_c is an extrapolation far beyond any budget.",
    ),
    traps=(
        _NO_FLOOR,
        "C is C_min, the compute of a run at a batch far below the critical one, not the 6ND of a "
        "run.",
    ),
)
def kaplan_compute(
    C: Flops,
    *,
    C_c: Annotated[ComputeScale, adjust(anchor=Anchor("1 / C", power="alpha_C"))],
    alpha_C: SlowExponent,
) -> Loss:
    """Loss at the best allocation of C FLOP (C_min), nats per token.

    ``L(C) = (C_c / C)**alpha_C`` (Kaplan et al. 2020, eq. 1.3).

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.kaplan_compute)
        >>> round(float(laws.kaplan_compute(3.1e23, **theta)), 2)  # the compute of GPT-3
        1.77
    """
    return term(1.0, as_float(C) / as_float(C_c), alpha_C)


@law(
    formula="((N_c / N)**(alpha_N / alpha_D) + D_c / D)**alpha_D",
    source=f"{_KAPLAN}, eq. 1.5",
    published={
        "kaplan2020": constants(
            f"{_KAPLAN}, Table 2", "S2", N_c=6.4e13, D_c=1.8e13, alpha_N=0.076, alpha_D=0.103
        )
    },
    decreasing=("N", "D"),
    limits={
        "N = inf, D = inf": "0",
        "N = inf": "(D_c / D)**alpha_D",
        "D = inf": "(N_c / N)**alpha_N",
    },
    ridges=("N_c with alpha_N and D_c with alpha_D are almost perfectly correlated.",),
    traps=(_NO_FLOOR, _NON_EMBEDDING),
)
def kaplan(
    N: Count,
    D: Tokens,
    *,
    N_c: Annotated[SizeScale, adjust(anchor=Anchor("1 / N", power="alpha_N"))],
    D_c: Annotated[DataScale, adjust(anchor=Anchor("1 / D", power="alpha_D"))],
    alpha_N: SlowExponent,
    alpha_D: SlowExponent,
) -> Loss:
    """Loss of an N-parameter model on D tokens with early stopping, nats per token.

    ``L(N, D) = [(N_c / N)**(alpha_N / alpha_D) + D_c / D]**alpha_D`` (Kaplan et al. 2020, eq. 1.5,
    Table 2).

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.kaplan)
        >>> [round(float(laws.kaplan(1.5e9, D, **theta)), 2) for D in (1e9, 22e9)]
        [2.78, 2.31]
    """
    size = term(1.0, as_float(N) / as_float(N_c), alpha_N)
    data = term(1.0, as_float(D) / as_float(D_c), alpha_D)
    return power_sum(size, data, alpha_D)


@law(
    formula="(N_c / N)**alpha_N + (S_c / S)**alpha_S",
    source=f"{_KAPLAN}, eq. 1.6",
    published={
        "kaplan2020": constants(
            f"{_KAPLAN}, eq. 1.1 and 1.6",
            "S2",
            N_c=8.8e13,
            S_c=2.1e3,
            alpha_N=0.076,
            alpha_S=0.76,
            note="N_c and alpha_N of eq. 1.1; S_c and alpha_S of the learning-curve fit",
        )
    },
    decreasing=("N", "S"),
    limits={"N = inf, S = inf": "0", "S = inf": "(N_c / N)**alpha_N"},
    ridges=("N_c with alpha_N and S_c with alpha_S are almost perfectly correlated.",),
    traps=(
        _NO_FLOOR,
        _NON_EMBEDDING,
        "S is the minimum number of steps, S_min, as at an infinite batch.",
    ),
)
def kaplan_steps(
    N: Count,
    S: Steps,
    *,
    N_c: Annotated[SizeScale, adjust(anchor=Anchor("1 / N", power="alpha_N"))],
    S_c: Annotated[
        StepScale,
        adjust(
            anchor=Anchor("1 / S", power="alpha_S"), prior=lognormal(0.3, 0.8), start=(0.03, 1.5)
        ),
    ],
    alpha_N: SlowExponent,
    alpha_S: Annotated[Exponent, adjust(prior=lognormal(0.7, 0.8), start=(0.2, 1.5))],
) -> Loss:
    """Loss of an N-parameter model after S optimiser steps, nats per token.

    ``L(N, S) = (N_c / N)**alpha_N + (S_c / S)**alpha_S`` (Kaplan et al. 2020, eq. 1.6).

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.kaplan_steps)
        >>> [round(float(laws.kaplan_steps(1.5e9, S, **theta)), 2) for S in (1e4, 1e6)]
        [2.61, 2.31]
    """
    return term(1.0, as_float(N) / as_float(N_c), alpha_N) + term(
        1.0, as_float(S) / as_float(S_c), alpha_S
    )


_EnoughData = Annotated[
    Coefficient,
    adjust(
        unit="tokens",
        meaning="tokens for a model of one parameter",
        prior=lognormal(2.0, 0.8),
        start=(0.5, 10.0),
        anchor=Anchor("N**p / loss_min"),
    ),
]


@law(
    formula="k * N**p",
    source=f"{_KAPLAN}, eq. 4.4",
    published={"kaplan2020": constants(f"{_KAPLAN}, eq. 4.4", "S2", k=5e3, p=0.74)},
    increasing=("N",),
    limits={"N = inf": "inf"},
    ridges=("k and p are almost perfectly correlated unless k is quoted at the runs' own scale.",),
    traps=(
        _NON_EMBEDDING,
        "Enough against overfitting over many epochs, not the best use of compute.",
    ),
)
def kaplan_enough_data(
    N: Count,
    *,
    k: _EnoughData,
    p: Annotated[Exponent, adjust(meaning="power of size", prior=lognormal(0.7, 0.8))],
) -> Annotated[Tokens, adjust(column="D_enough")]:
    """Tokens above which an N-parameter model overfits by less than the noise between seeds.

    ``D = k * N**p`` (Kaplan et al. 2020, eq. 4.4).

    Example:
        >>> from jscale import laws
        >>> D = laws.kaplan_enough_data(1e9, **laws.params(laws.kaplan_enough_data))
        >>> f"{D / 1e9:.0f} billion tokens"
        '23 billion tokens'
    """
    return term(k, N, -as_float(p))


_BESIROGLU = "Besiroglu et al. 2024 (arXiv 2404.10102)"
_SARDANA = "Sardana et al. 2023 (arXiv 2401.00448), Table 1"


@law(
    formula="E + A / N**alpha + B / D**beta",
    source="Hoffmann et al. 2022 (arXiv 2203.15556), eq. 2 and 10",
    published={
        "hoffmann2022": constants(
            "Hoffmann et al. 2022 (arXiv 2203.15556), eq. 10, digits of the TeX source",
            "S2",
            E=1.6934,
            A=406.4,
            B=410.7,
            alpha=0.3392,
            beta=0.2849,
        ),
        "hoffmann2022_rounded": constants(
            "Hoffmann et al. 2022 (arXiv 2203.15556), eq. 10 as printed",
            "S2",
            E=1.69,
            A=406.4,
            B=410.7,
            alpha=0.34,
            beta=0.28,
            note="rounding beta moves the data term 13% at 1e11 tokens",
        ),
        "besiroglu2024": constants(
            _BESIROGLU,
            "R",
            E=1.8172,
            A=482.01,
            B=2085.43,
            alpha=0.3478,
            beta=0.3658,
            stderr={"E": 0.03, "A": 124.58, "B": 1293.23, "alpha": 0.02, "beta": 0.02},
        ),
        "besiroglu2024_all": constants(
            f"{_BESIROGLU}, Table 3 (five outliers kept)",
            "S2",
            E=1.89,
            A=463.3,
            B=12530.0,
            alpha=0.345,
            beta=0.452,
            stderr={"E": 0.044, "A": 145.0, "B": 61650.0, "alpha": 0.018, "beta": 0.054},
        ),
        "muennighoff2023": constants(
            "Muennighoff et al. 2023 (arXiv 2305.16264), authors' notebook, C4",
            "P",
            E=math.exp(0.6254804),
            A=math.exp(6.255414),
            B=math.exp(7.3049974),
            alpha=0.3526596,
            beta=0.3526596,
            note="printed as logarithms, fitted with beta = alpha",
        ),
        "sardana2023": constants(
            f"{_SARDANA}, all data", "S2", E=1.45, A=33.66, B=138.9, alpha=0.18, beta=0.24
        ),
        "sardana2023_500": constants(
            f"{_SARDANA}, D/N up to 500", "S2", E=0.95, A=17.07, B=35.80, alpha=0.13, beta=0.16
        ),
        "sardana2023_250": constants(
            f"{_SARDANA}, D/N up to 250", "S2", E=0.98, A=14.23, B=39.54, alpha=0.13, beta=0.16
        ),
        "sardana2023_100": constants(
            f"{_SARDANA}, D/N up to 100", "S2", E=0.17, A=7.199, B=25.97, alpha=0.08, beta=0.13
        ),
        "krajewski2024_dense": constants(
            "Krajewski et al. 2024 (arXiv 2402.07871), Table 1, dense",
            "P",
            E=0.47,
            A=16.3,
            B=26.7,
            alpha=0.126,
            beta=0.127,
        ),
    },
    decreasing=("N", "D"),
    limits={"N = inf, D = inf": "E", "N = inf": "E + B * D**-beta", "D = inf": "E + A * N**-alpha"},
    ridges=(
        "A with alpha and B with beta are almost perfectly correlated unless quoted at the runs' "
        "own scale.",
        "E falls as alpha falls: on losses that span less than a nat it can run to 0.",
        "Runs on the compute-optimal line alone identify three of the five constants.",
    ),
    traps=(
        "Averaging the Huber loss instead of summing it stops L-BFGS early, as the original did.",
        "Fits at D/N below 100 overestimate the gain from data at D/N above 1,000.",
        "N with and without embeddings are different laws.",
        "MiniCPM (Hu et al. 2024) prints only the mean exponents 0.29 and 0.23, no complete set.",
    ),
)
def chinchilla(
    N: Count,
    D: Tokens,
    *,
    E: Irreducible,
    A: SizeCoefficient,
    B: DataCoefficient,
    alpha: Exponent,
    beta: Exponent,
) -> Loss:
    """Loss of a dense N-parameter model trained on D tokens, nats per token.

    ``L(N, D) = E + A / N**alpha + B / D**beta`` (Hoffmann et al. 2022, eq. 2 and 10).

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.chinchilla, "hoffmann2022")
        >>> round(float(laws.chinchilla(70e9, 1.4e12, **theta)), 3)  # Chinchilla 70B
        1.921
        >>> round(float(laws.chinchilla(280e9, 300e9, **theta)), 3)  # Gopher 280B
        1.967
    """
    return E + term(A, N, alpha) + term(B, D, beta)
