"""Scores from compute directly: families of models, repeated sampling, reinforcement learning.

Capabilities are principal components of many benchmarks' scores; within a family of models they
grow with the logarithm of compute, and one sigmoid maps them to the score on a task for all
families. The sigmoid transfers between families, the rate of growth does not. Repeated sampling and
reinforcement learning each saturate at a plateau. The tokens of a compute-optimal model are the
first step of Llama 3's forecast of its scores.
"""

import math
from collections.abc import Mapping
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jscale._core.arrays import as_float, log, term
from jscale._core.checks import is_whole_number
from jscale._core.errors import JscaleError
from jscale._core.supports import real, unit
from jscale._core.text import shown
from jscale.laws.declaration import LawFunction, constants, family, law, member
from jscale.laws.roles import (
    Anchor,
    Coefficient,
    Exponent,
    Flops,
    Prior,
    Role,
    Score,
    ShareParameter,
    Slope,
    Tokens,
    adjust,
    lognormal,
)

_RUAN = "Ruan et al. 2024 (arXiv 2405.10938)"
_ROTATION = (
    "Principal components are fixed up to sign, and up to rotation and scale once they are "
    "refitted: compute them on one table of scores, orient them so that more is better, and keep "
    "the loadings."
)
Component = Annotated[
    ArrayLike,
    Role("capability", "1", "principal component of scores", real, ends=(-3.0, 3.0), typical=0.5),
]
Capability = Annotated[
    Any, Role("capability", "1", "principal component of scores", real, column="S")
]


@law(
    formula="theta * log(C) + nu",
    source=f"{_RUAN}, eq. 4",
    increasing=("C",),
    limits={"C = 1": "nu"},
    ridges=("theta with nu: compute spans little within a family.",),
    traps=(
        _ROTATION,
        "theta and nu belong to one family of models: its efficiency in turning compute into "
        "capability.",
    ),
)
def capability(
    C: Flops,
    *,
    theta: Annotated[
        Coefficient,
        adjust(
            meaning="capability gained per e-fold of C", prior=lognormal(0.5, 0.7), start=(0.2, 1.0)
        ),
    ],
    nu: Annotated[
        Slope,
        adjust(
            name="offset",
            meaning="capability at 1 FLOP",
            prior=Prior("normal", (-20.0, 20.0)),
            start=(-40.0, -10.0),
        ),
    ],
) -> Capability:
    """A capability of a model of one family that was trained with C FLOP.

    ``S = theta * ln(C) + nu`` (Ruan et al. 2024, eq. 4).

    Example:
        >>> from jscale import laws
        >>> round(float(laws.capability(1e23, theta=0.4, nu=-20.0)), 2)
        1.18
    """
    return theta * log(C) + nu


@family
def observational(components: int = 1) -> LawFunction:
    """The law of a score in principal components of other scores.

    ``logit(E) = alpha + sum_i beta_i * S_i`` (Ruan et al. 2024, eq. 3).

    Args:
        components: number of principal components, 1 or more.

    Raises:
        JscaleError: ``components`` is not a whole number above 0.

    Example:
        >>> from jscale import laws
        >>> law = laws.observational(2)
        >>> round(float(law(1.0, 0.5, alpha=-1.0, beta_1=1.5, beta_2=0.4)), 3)
        0.668
    """
    if not is_whole_number(components, 1):
        raise JscaleError(
            f"observational needs a whole number of components, 1 or more, not {shown(components)}"
        )
    numbers = range(1, components + 1)

    def evaluate(values: Mapping[str, Any]) -> Any:
        terms = (values[f"beta_{i}"] * as_float(values[f"S_{i}"]) for i in numbers)
        return jax.nn.sigmoid(values["alpha"] + sum(terms))

    linear = " + ".join(["alpha", *(f"beta_{i} * S_{i}" for i in numbers)])
    return member(
        evaluate,
        name=f"observational({components})",
        subject="scores",
        doc="""Score on a task of a model with the given capabilities.

        ``logit(E) = alpha + sum_i beta_i * S_i``, the capabilities S_i being principal components
        of scores on standard benchmarks (Ruan et al. 2024, eq. 3; three explain 97% of the variance
        over 77 models).
        """,
        inputs={f"S_{i}": Component for i in numbers},
        parameters={
            "alpha": Annotated[Slope, adjust(name="offset", meaning="logit where every S is 0")],
            **{f"beta_{i}": Annotated[Slope, adjust(start=(-2.0, 2.0))] for i in numbers},
        },
        output=Score,
        formula=f"1 / (1 + exp(-({linear})))",
        source=f"{_RUAN}, eq. 3",
        limits={", ".join(f"S_{i} = 0" for i in numbers): "1 / (1 + exp(-alpha))"},
        ridges=("The beta_i with one another unless the components are uncorrelated in the runs.",),
        traps=(
            _ROTATION,
            "Scores by guessing lie above 0: subtract chance first, or the logit is not linear.",
        ),
    )


Samples = Annotated[
    ArrayLike,
    Role(
        "samples",
        "samples",
        "answers drawn",
        ends=(1.0, 1e4),
        typical=100.0,
        limits=(1.0, math.inf),
    ),
]


@law(
    formula="exp(-a * k**-b)",
    source="Brown et al. 2024 (arXiv 2407.21787), Section 3",
    increasing=("k",),
    limits={"k = inf": "1", "k = 1": "exp(-a)"},
    ridges=("a with b unless the numbers of samples span decades.",),
    traps=(
        "The share of problems with a right answer among the k; choosing it is another problem.",
        "A mean over problems: for each problem alone the failures fall exponentially.",
    ),
)
def coverage(
    k: Samples,
    *,
    a: Annotated[
        Coefficient, adjust(prior=lognormal(0.3, 0.8), start=(0.03, 1.5), anchor=Anchor("k**-b"))
    ],
    b: Annotated[Exponent, adjust(start=(0.1, 0.6))],
) -> Score:
    """Score that counts a problem as solved when any of k answers is right: coverage.

    ``c = exp(-a * k**-b)`` (Brown et al. 2024, who write ``exp(a * k**b)`` with a and b negative).

    Example:
        >>> from jscale import laws
        >>> [round(float(laws.coverage(k, a=1.5, b=0.4)), 2) for k in (1, 100, 10_000)]
        [0.22, 0.79, 0.96]
    """
    return jnp.exp(-term(a, k, b))


@law(
    formula="R_0 + (A - R_0) / (1 + (C_mid / C)**B)",
    source="Khatri et al. 2025 (arXiv 2510.13786), eq. 1",
    increasing=("C",),
    limits={"C = inf": "A", "C = 0": "R_0"},
    ridges=(
        "A with C_mid and B until the curve saturates: runs that still follow a power law do not "
        "identify the plateau.",
    ),
    traps=(
        "Any unit of compute works, the paper's GPU hours too: C_mid has the same unit.",
        "The first runs do not follow the curve; the authors exclude them from the fit.",
        "A is above R_0 wherever training helps; the law does not enforce it.",
    ),
)
def rl_score(
    C: Flops,
    *,
    R_0: Annotated[
        ShareParameter, adjust(name="start", meaning="score before training", start=(0.05, 0.4))
    ],
    A: Annotated[
        ShareParameter, adjust(name="plateau", meaning="score at the end", start=(0.5, 0.95))
    ],
    C_mid: Annotated[
        Coefficient,
        adjust(
            name="middle",
            unit="FLOP",
            meaning="compute of half the gain",
            anchor=Anchor("1 / C"),
            prior=lognormal(1.0, 1.5),
            start=(0.1, 10.0),
        ),
    ],
    B: Annotated[Exponent, adjust(prior=lognormal(1.0, 0.5), start=(0.3, 2.0))],
) -> Score:
    """Score after C FLOP of reinforcement learning.

    ``R = R_0 + (A - R_0) / (1 + (C_mid / C)**B)`` (Khatri et al. 2025, eq. 1).

    Example:
        >>> from jscale import laws
        >>> theta = {"R_0": 0.2, "A": 0.6, "C_mid": 1e21, "B": 1.0}
        >>> [round(float(laws.rl_score(C, **theta)), 2) for C in (0.0, 1e21, 1e23)]
        [0.2, 0.4, 0.6]
    """
    return R_0 + (as_float(A) - R_0) * jax.nn.sigmoid(B * log(as_float(C) / C_mid))


@law(
    formula="A * C**alpha",
    source="Grattafiori et al. 2024 (arXiv 2407.21783), Section 3.2.1",
    published={
        "llama3": constants(
            "Grattafiori et al. 2024 (arXiv 2407.21783), Section 3.2.1",
            "P",
            A=0.29,
            alpha=0.53,
            note="rounded; see the pitfalls",
        )
    },
    increasing=("C",),
    limits={"C = 0": "0"},
    ridges=("A with alpha: quote the tokens at the runs' own compute.",),
    traps=(
        "The published alpha has two digits: half a unit of the last changes the tokens at 4e25 "
        "FLOP by a third.",
    ),
)
def optimal_tokens(
    C: Flops,
    *,
    A: Annotated[
        Coefficient,
        adjust(
            unit="tokens at 1 FLOP",
            prior=lognormal(1.5, 1.0),
            start=(0.2, 10.0),
            anchor=Anchor("C**(alpha - 0.5)"),
        ),
    ],
    alpha: Annotated[
        Exponent, adjust(support=unit, prior=Prior("beta", (10.0, 10.0)), start=(0.3, 0.7))
    ],
) -> Annotated[Tokens, adjust(column="D_opt")]:
    """Tokens on which a compute-optimal model of C FLOP is trained.

    ``D = A * C**alpha`` (Grattafiori et al. 2024, Section 3.2.1).

    Example:
        >>> from jscale import laws
        >>> D = laws.optimal_tokens(3.8e25, **laws.params(laws.optimal_tokens))
        >>> f"{float(D) / 1e12:.1f} trillion tokens"  # the budget of Llama 3 405B
        '10.5 trillion tokens'
    """
    return A * as_float(C) ** alpha


FAMILIES = {"observational": observational}
