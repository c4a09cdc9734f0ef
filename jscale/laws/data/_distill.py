"""Distillation: a student trained on the probabilities of a teacher.

The student's loss depends on the teacher through the teacher's own loss alone. A better teacher
helps until it is out of the student's reach; beyond that it hurts (the capacity gap), which makes
the law a broken power law in the ratio of the teacher's loss to the loss that the student would
reach by itself.
"""

from typing import Annotated

import jax
import jax.numpy as jnp

from jscale._core.arrays import as_float, log
from jscale.laws.declaration import law
from jscale.laws.roles import (
    Anchor,
    Coefficient,
    Count,
    DataCoefficient,
    Exponent,
    Loss,
    SizeCoefficient,
    Tokens,
    adjust,
    lognormal,
)

_BUSBRIDGE = "Busbridge et al. 2025 (arXiv 2502.08606)"
_BENT = "exp(-c1 * f1 * (maximum(reach, 0) + log1p(exp(minimum(reach, -reach)))))"
"""``(1 + exp(reach))**(-c1 * f1)``, which overflows as it stands."""


@law(
    formula=f"L_teacher + L_teacher**-c0 * {_BENT} * (A / N**alpha + B / D**beta)**gamma",
    where={"reach": "log(L_teacher / (L_student * d1)) / f1"},
    source=f"{_BUSBRIDGE}, eq. 8",
    decreasing=("N", "D"),
    increasing=("L_student",),
    limits={
        "N = inf, D = inf": "L_teacher",
        "N = inf": f"L_teacher + L_teacher**-c0 * {_BENT} * (B / D**beta)**gamma",
        "D = inf": f"L_teacher + L_teacher**-c0 * {_BENT} * (A / N**alpha)**gamma",
        "L_student = inf": "L_teacher + L_teacher**-c0 * (A / N**alpha + B / D**beta)**gamma",
        "L_teacher = 0": "inf",
    },
    ridges=(
        "c0 with A and gamma: teachers of one loss cannot tell a weak pull from a small excess.",
        "c1 with f1, and both with d1, unless teachers lie on both sides of the break.",
        "A with alpha, B with beta and gamma with all four.",
    ),
    traps=(
        "No constants are given: fit the law to runs.",
        "L_student is what the student of N parameters would reach on D tokens without a teacher: it comes from a "
        "supervised law and moves with N and D.",
        "A teacher that is too good for the student makes it worse: the law is not monotone in L_teacher.",
    ),
)
def distilled(
    N: Annotated[Count, adjust(meaning="size of the student")],
    D: Annotated[Tokens, adjust(meaning="tokens of the distillation")],
    L_teacher: Annotated[Loss, adjust(meaning="loss of the teacher", column="L_teacher")],
    L_student: Annotated[
        Loss, adjust(meaning="loss of the student trained without a teacher", column="L_student")
    ],
    *,
    c0: Annotated[
        Exponent,
        adjust(meaning="power of the teacher's loss", prior=lognormal(1.5, 0.7), start=(0.5, 4.0)),
    ],
    c1: Annotated[
        Exponent,
        adjust(meaning="power gained past the break", prior=lognormal(2.0, 1.0), start=(0.3, 6.0)),
    ],
    d1: Annotated[
        Coefficient,
        adjust(
            name="break",
            meaning="teacher's loss over the student's at the break",
            prior=lognormal(1.3, 0.2),
            start=(0.9, 1.8),
        ),
    ],
    f1: Annotated[
        Coefficient,
        adjust(
            name="width",
            meaning="width of the break in the logarithm",
            prior=lognormal(0.1, 0.7),
            start=(0.04, 0.4),
        ),
    ],
    A: Annotated[
        SizeCoefficient,
        adjust(
            unit="1",
            prior=lognormal(0.5, 0.8),
            start=(0.1, 1.5),
            anchor=Anchor("N**-alpha", power="gamma"),
        ),
    ],
    B: Annotated[
        DataCoefficient,
        adjust(
            unit="1",
            prior=lognormal(0.5, 0.8),
            start=(0.1, 1.5),
            anchor=Anchor("D**-beta", power="gamma"),
        ),
    ],
    alpha: Exponent,
    beta: Exponent,
    gamma: Annotated[
        Exponent, adjust(meaning="power of the sum", prior=lognormal(0.7, 0.4), start=(0.4, 1.4))
    ],
) -> Loss:
    """Loss of a student distilled from a teacher, nats per token.

    ``L_teacher + L_teacher**-c0 * (1 + (L_teacher / (L_student * d1))**(1 / f1))**(-c1 * f1) * (A /
    N**alpha + B / D**beta)**gamma`` (Busbridge et al. 2025, eq. 8), worked out in logarithms: the
    inner power alone overflows.
    """
    log_teacher = log(L_teacher)
    bend = jax.nn.softplus((log_teacher - log(L_student) - jnp.log(d1)) / f1)
    student = jnp.logaddexp(jnp.log(A) - alpha * log(N), jnp.log(B) - beta * log(D))
    return as_float(L_teacher) + jnp.exp(gamma * student - c0 * log_teacher - c1 * f1 * bend)
