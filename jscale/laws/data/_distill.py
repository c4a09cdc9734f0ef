"""Distillation: loss of a student trained on the probabilities of a teacher.

The student's loss depends on the teacher through the teacher's own loss alone. A better teacher
helps until it is too good for the student; beyond that point it hurts (the capacity gap). The law
is therefore a broken power law in the ratio of the teacher's loss to the loss that the student
would reach without it.
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
_BREAK = "exp(-c1 * f1 * (maximum(reach, 0) + log1p(exp(minimum(reach, -reach)))))"
"""``(1 + exp(reach))**(-c1 * f1)`` in a form that does not overflow."""


@law(
    formula=f"L_teacher + L_teacher**-c0 * {_BREAK} * (A / N**alpha + B / D**beta)**gamma",
    where={"reach": "log(L_teacher / (L_student * d1)) / f1"},
    source=f"{_BUSBRIDGE}, eq. 8",
    decreasing=("N", "D"),
    increasing=("L_student",),
    limits={
        "N = inf, D = inf": "L_teacher",
        "N = inf": f"L_teacher + L_teacher**-c0 * {_BREAK} * (B / D**beta)**gamma",
        "D = inf": f"L_teacher + L_teacher**-c0 * {_BREAK} * (A / N**alpha)**gamma",
        "L_student = inf": "L_teacher + L_teacher**-c0 * (A / N**alpha + B / D**beta)**gamma",
        "L_teacher = 0": "inf",
    },
    ridges=(
        "c0 with A and gamma if all teachers have the same loss.",
        "c1 with f1, and both with d1, unless there are teachers on both sides of the break.",
        "A with alpha, B with beta and gamma with all four.",
    ),
    traps=(
        "No constants were published: fit the law to runs.",
        "L_student is the loss that a student of N parameters would reach on D tokens without a "
        "teacher: it comes from a supervised law and depends on N and D.",
        "A teacher that is too good for the student makes it worse: the law is not monotone in "
        "L_teacher.",
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
    N**alpha + B / D**beta)**gamma`` (Busbridge et al. 2025, eq. 8), computed in logarithms because
    the inner power overflows.

    Example:
        >>> from jscale import laws
        >>> theta = {"c0": 2.5, "c1": 2.0, "d1": 1.3, "f1": 0.1}
        >>> theta |= {"A": 3000.0, "B": 30000.0, "alpha": 0.45, "beta": 0.45, "gamma": 0.7}
        >>> for teacher in (2.8, 2.4, 1.8):
        ...     loss = laws.distilled(N=5e8, D=2e10, L_teacher=teacher, L_student=2.7, **theta)
        ...     print(f"teacher {teacher}: student {loss:.3f} nats per token")
        teacher 2.8: student 2.878 nats per token
        teacher 2.4: student 2.516 nats per token
        teacher 1.8: student 2.040 nats per token
    """
    log_teacher = log(L_teacher)
    reach = (log_teacher - log(L_student) - jnp.log(d1)) / f1
    log_break = c1 * f1 * jax.nn.softplus(reach)
    student = jnp.logaddexp(jnp.log(A) - alpha * log(N), jnp.log(B) - beta * log(D))
    return as_float(L_teacher) + jnp.exp(gamma * student - c0 * log_teacher - log_break)
