"""One resource: a power law that levels off at a floor.

The paper writes the excess over the floor as ``(x_0 / x)**alpha``; here ``A = x_0**alpha``. The
excess shrinks by ``r**-alpha`` when the resource grows ``r``-fold. The slope of the *total* loss in
a log-log plot is only ``-alpha * (L - L_inf) / L``, so exponents fitted with and without a floor
are not comparable.

The form transfers from one family of models to the next. Floors and coefficients belong to one text
and one tokenizer; exponents are closer to each other, but those of compute are not those of size or
data.
"""

from typing import Annotated

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jscale._core.arrays import as_float, log, term
from jscale.laws.declaration import constants, law
from jscale.laws.roles import (
    Anchor,
    Coefficient,
    ComputeCoefficient,
    Count,
    DataCoefficient,
    DataScale,
    Exponent,
    Flops,
    Irreducible,
    Loss,
    Resource,
    SizeCoefficient,
    SlowExponent,
    Tokens,
    adjust,
    lognormal,
)

ContextLength = Annotated[
    Tokens,
    adjust(
        name="context",
        meaning="tokens that the model sees before the one it predicts",
        ends=(16.0, 1e6),
        typical=8192.0,
        column="context",
    ),
]

_RIDGES = (
    "A and alpha are almost perfectly correlated unless A is quoted at the runs' own scale.",
    "A higher floor goes with a steeper power: give both, with their covariance.",
)
_TRAPS = ("The slope of the total loss in a log-log plot is alpha * (L - L_inf) / L, not alpha.",)
_SOURCE = "Henighan et al. 2020 (arXiv 2010.14701), eq. 1.1"


@law(
    formula="L_inf + A * N**-alpha",
    source=_SOURCE,
    decreasing=("N",),
    limits={"N = inf": "L_inf"},
    ridges=_RIDGES,
    traps=_TRAPS,
)
def power_size(N: Count, *, L_inf: Irreducible, A: SizeCoefficient, alpha: Exponent) -> Loss:
    """Loss of an N-parameter model that is limited by its size alone, nats per token.

    ``L(N) = L_inf + A * N**-alpha`` (Henighan et al. 2020, eq. 1.1).

    Example:
        >>> from jscale import laws
        >>> theta = {"L_inf": 1.69, "A": 406.4, "alpha": 0.34}  # Chinchilla's size term and floor
        >>> [round(float(laws.power_size(N, **theta)), 2) for N in (1e9, 70e9, float("inf"))]
        [2.04, 1.77, 1.69]
    """
    return L_inf + term(A, N, alpha)


@law(
    formula="L_inf + A * D**-alpha",
    source=_SOURCE,
    decreasing=("D",),
    limits={"D = inf": "L_inf"},
    ridges=_RIDGES,
    traps=_TRAPS,
)
def power_data(
    D: Tokens,
    *,
    L_inf: Irreducible,
    A: Annotated[DataCoefficient, adjust(anchor=Anchor("D**-alpha"))],
    alpha: Exponent,
) -> Loss:
    """Loss of a large model that is limited by its D training tokens alone, nats per token.

    ``L(D) = L_inf + A * D**-alpha`` (Henighan et al. 2020, eq. 1.1).

    Example:
        >>> from jscale import laws
        >>> theta = {"L_inf": 1.69, "A": 410.7, "alpha": 0.28}  # Chinchilla's data term and floor
        >>> [round(float(laws.power_data(D, **theta)), 2) for D in (20e9, 1.4e12, float("inf"))]
        [2.23, 1.85, 1.69]
    """
    return L_inf + term(A, D, alpha)


@law(
    formula="L_inf + A * C**-alpha",
    source=_SOURCE,
    decreasing=("C",),
    limits={"C = inf": "L_inf"},
    ridges=_RIDGES,
    traps=_TRAPS,
)
def power_compute(
    C: Flops, *, L_inf: Irreducible, A: ComputeCoefficient, alpha: SlowExponent
) -> Loss:
    """Loss of compute-optimal models trained with C FLOP, nats per token.

    ``L(C) = L_inf + A * C**-alpha`` (Henighan et al. 2020, eq. 1.1).

    Example:
        >>> from jscale import laws
        >>> theta = {"L_inf": 1.69, "A": 1064.0, "alpha": 0.154}  # near Chinchilla's optimum
        >>> [round(float(laws.power_compute(C, **theta)), 2) for C in (1e20, 1e22, 1e24)]
        [2.57, 2.13, 1.9]
    """
    return L_inf + term(A, C, alpha)


@law(
    formula="A * x**-alpha",
    source="Kaplan et al. 2020 (arXiv 2001.08361), eq. 1.1 to 1.3, "
    "as a coefficient instead of a scale",
    decreasing=("x",),
    limits={"x = inf": "0"},
    ridges=(
        "A and alpha are almost perfectly correlated unless A is quoted at the runs' own scale.",
    ),
    traps=(
        "No floor: alpha is smaller than in a law that has one, and depends on the range of the "
        "runs.",
        "No floor: the loss tends to 0, below the entropy of text. Do not extrapolate by decades.",
    ),
)
def power_law(
    x: Resource,
    *,
    A: Annotated[
        Coefficient,
        adjust(
            unit="nats/token at resource 1",
            meaning="scale of the loss",
            prior=lognormal(3.0, 0.5),
            start=(1.0, 6.0),
            anchor=Anchor("x**-alpha"),
        ),
    ],
    alpha: SlowExponent,
) -> Loss:
    """Loss of a model that is limited by one resource alone, without a floor, nats per token.

    ``L(x) = A * x**-alpha``; x counts parameters, tokens, FLOP, steps or anything else (Kaplan et
    al. 2020, eq. 1.1 to 1.3, which write ``(x_c / x)**alpha``).

    Example:
        >>> from jscale import laws
        >>> theta = {"A": 11.5, "alpha": 0.076}  # Kaplan et al. 2020: (8.8e13 / N)**0.076
        >>> round(float(laws.power_law(1.5e9, **theta)), 2)
        2.31
    """
    return term(A, x, alpha)


_XIONG = "Xiong et al. 2023 (arXiv 2309.16039), Fig. 1"


@law(
    formula="(alpha / c)**beta + gamma",
    source=_XIONG,
    published={
        "xiong2023_7b": constants(f"{_XIONG}, 7B", "S2", alpha=25.4, beta=0.45, gamma=1.56),
        "xiong2023_70b": constants(f"{_XIONG}, 70B", "S2", alpha=17.9, beta=0.51, gamma=1.35),
    },
    decreasing=("c",),
    limits={"c = inf": "gamma"},
    ridges=(
        "alpha and beta are almost perfectly correlated; a higher floor goes with a steeper power.",
    ),
    traps=("Of one model on long texts: alpha, beta and gamma all change with its size.",),
)
def power_context(
    c: ContextLength,
    *,
    alpha: Annotated[
        DataScale,
        adjust(
            name="context scale",
            meaning="context at which the context term is 1 nat",
            prior=lognormal(0.3, 0.8),
            start=(0.03, 1.5),
            anchor=Anchor("1 / c", power="beta"),
        ),
    ],
    beta: Exponent,
    gamma: Irreducible,
) -> Loss:
    """Loss of a long-context model that sees c tokens before the one it predicts, nats per token.

    ``L(c) = (alpha / c)**beta + gamma`` (Xiong et al. 2023, Fig. 1).

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.power_context, "xiong2023_70b")
        >>> [round(float(laws.power_context(c, **theta)), 2) for c in (1024, 32768)]
        [1.48, 1.37]
    """
    return term(1.0, as_float(c) / as_float(alpha), beta) + gamma


def resource_needed(
    loss: ArrayLike, *, A: ArrayLike, alpha: ArrayLike, L_inf: ArrayLike = 0.0
) -> jax.Array:
    """Resource at which a power law reaches a loss, in the resource's own unit.

    ``(A / (loss - L_inf))**(1 / alpha)``, the inverse of :func:`power_size`, :func:`power_data`,
    :func:`power_compute` and, with ``L_inf = 0``, of :func:`power_law` (Henighan et al. 2020, eq.
    1.1). Differentiable; infinite, with zero gradients, where the loss does not lie above the
    floor.

    Args:
        loss: target, nats per token, any shape.
        A: coefficient, broadcast against ``loss``.
        alpha: exponent, above 0.
        L_inf: floor, nats per token.

    Example:
        >>> from jscale import laws
        >>> N = laws.resource_needed(2.0, A=406.4, alpha=0.34, L_inf=1.69)
        >>> f"{float(N):.1e} parameters"
        '1.5e+09 parameters'
        >>> float(laws.resource_needed(1.6, A=406.4, alpha=0.34, L_inf=1.69))  # below the floor
        inf
    """
    excess = jnp.asarray(as_float(loss) - as_float(L_inf))
    unreachable = excess <= 0
    excess = jnp.where(unreachable, 1.0, excess)
    needed = jnp.exp((log(A) - jnp.log(excess)) / alpha)
    return jnp.where(unreachable, jnp.inf, needed)


def total_slope(loss: ArrayLike, *, alpha: ArrayLike, L_inf: ArrayLike) -> jax.Array:
    """Slope of the total loss in a log-log plot, ``-alpha * (loss - L_inf) / loss``, dimensionless.

    The apparent exponent in a fit without a floor, where the loss has one (Henighan et al. 2020,
    eq. 1.1).

    Args:
        loss: nats per token, any shape.
        alpha: exponent of the excess.
        L_inf: floor, nats per token.

    Example:
        >>> from jscale import laws
        >>> round(float(laws.total_slope(2.0, alpha=0.34, L_inf=1.69)), 3)
        -0.053
    """
    loss = jnp.asarray(as_float(loss))
    return jnp.asarray(alpha * (L_inf - loss) / loss)
