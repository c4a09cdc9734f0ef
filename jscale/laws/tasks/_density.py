"""Density: effective over actual size of a model, and its growth (Xiao et al. 2024, densing law).

The density of a model is ``N_hat / N``: the size that a *reference* model needs for the same score,
over the actual size. The reference is a chain fitted to a family of small models: size and data to
a loss without a floor, loss to a score by a sigmoid. Its inverse maps a score to an effective size.
The largest density among the models of the day has grown exponentially: its logarithm increases by
A a day.

Densities compare models on one reference and one set of tasks; another reference multiplies all of
them by a factor. So the intercept B does not transfer, and was not printed; the slope does, and
``density_growth`` needs only the slope.
"""

import math
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jscale._core.arrays import as_float, inexact, term
from jscale._core.supports import positive, real
from jscale.laws.declaration import constants, law
from jscale.laws.roles import (
    Anchor,
    Coefficient,
    Count,
    DataCoefficient,
    Days,
    Exponent,
    Prior,
    Role,
    Score,
    ShareParameter,
    SizeCoefficient,
    Tokens,
    adjust,
    lognormal,
)

_SOURCE = "Xiao et al. 2024 (arXiv 2412.04315)"
_DAYS_PER_MONTH = 30.4375

Density = Annotated[Any, Role("density", "1", "effective over actual size", column="density")]
Growth = Annotated[Any, Role("growth", "1", "factor by which something grows", column="growth")]
GrowthRate = Annotated[
    ArrayLike,
    Role(
        "growth rate",
        "1/day",
        "rise of the log density a day",
        real,
        Prior("normal", (0.007, 0.003)),
        (0.003, 0.012),
    ),
]
LogDensity = Annotated[
    ArrayLike,
    Role(
        "log density",
        "1",
        "logarithm of the largest density on day 0",
        real,
        Prior("normal", (0.0, 5.0)),
        (-2.0, 2.0),
        anchor=Anchor(plus="A * t_days"),
    ),
]
_ENVELOPE_TRAP = (
    "The largest density is an upper envelope: it increases with the number of models; a fit "
    "through all models gives another line."
)


@law(
    formula="exp(A * t_days + B)",
    source=f"{_SOURCE}, eq. 5",
    increasing=("t_days",),
    limits={"t_days = 0": "exp(B)"},
    ridges=("A with B: centre the days.",),
    traps=(
        _ENVELOPE_TRAP,
        "B depends on the reference and on the day from which t counts, and was not published; for "
        "A alone see density_growth.",
    ),
)
def density_trend(t_days: Days, *, A: GrowthRate, B: LogDensity) -> Density:
    """Largest density among the models released by day t_days.

    ``ln rho_max = A * t + B`` (Xiao et al. 2024, eq. 5).

    Example:
        >>> from jscale import laws
        >>> round(float(laws.density_trend(365, A=0.007, B=-1.0)), 2)
        4.74
    """
    return jnp.exp(A * as_float(t_days) + B)


@law(
    formula="exp(A * t_days)",
    source=f"{_SOURCE}, eq. 5",
    published={
        "xiao2024": constants(
            _SOURCE, "P", A=0.007, note="first version: about 0.007; doubles every 99 days"
        ),
        "xiao2025": constants(
            "Xiao et al. 2025, Nature Machine Intelligence 7:1823",
            "D",
            A=math.log(2) / (3.5 * _DAYS_PER_MONTH),
            note="from the printed doubling time of 3.5 months",
        ),
    },
    increasing=("t_days",),
    limits={"t_days = 0": "1"},
    traps=(
        _ENVELOPE_TRAP,
        "The second version on arXiv prints 0.0073 a day, 95 days to double, where the first has "
        "0.007.",
    ),
)
def density_growth(t_days: Days, *, A: GrowthRate) -> Growth:
    """Growth of the largest density in t_days days, for any reference.

    ``rho_max(s + t) / rho_max(s) = exp(A * t)`` (Xiao et al. 2024, eq. 5).

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.density_growth, "xiao2024")
        >>> round(float(laws.density_growth(99, **theta)), 2)
        2.0
    """
    return jnp.exp(A * as_float(t_days))


def doubling_time(A: ArrayLike) -> Any:
    """Days in which the largest density doubles: ``ln(2) / A``.

    99.0 days (3.3 months) at 0.007 a day. Source: Xiao et al. 2024 (arXiv 2412.04315), eq. 5.

    Args:
        A: increase of the logarithm of the density a day, any shape.

    Example:
        >>> from jscale import laws
        >>> round(float(laws.doubling_time(0.007)), 1)
        99.0
    """
    return math.log(2) / as_float(A)


Scale = Annotated[
    Coefficient,
    adjust(
        name="slope",
        unit="tokens/nat",
        meaning="steepness of the score",
        prior=lognormal(3.0, 0.7),
        start=(1, 6),
    ),
]
Midpoint = Annotated[
    ArrayLike,
    Role(
        "midpoint", "nats/token", "loss of half the gain", positive, lognormal(1.0, 0.7), (0.3, 2.0)
    ),
]
Gain = Annotated[
    ShareParameter,
    adjust(
        name="gain",
        meaning="score gained on the way",
        prior=Prior("beta", (4.0, 2.0)),
        start=(0.3, 0.7),
    ),
]
Chance = Annotated[
    ShareParameter,
    adjust(
        name="chance",
        meaning="score by guessing",
        prior=Prior("beta", (2.0, 6.0)),
        start=(0.05, 0.3),
    ),
]


@law(
    formula="d + c / (1 + exp(gamma * (L - l)))",
    where={"L": "a * N**-alpha + b * D**-beta"},
    source=f"{_SOURCE}, eq. 2 and 3",
    increasing=("N", "D"),
    limits={
        "N = inf": "d + c / (1 + exp(gamma * (b * D**-beta - l)))",
        "N = inf, D = inf": "d + c / (1 + exp(-gamma * l))",
    },
    ridges=(
        "a, b and l together against gamma: scores alone do not identify the unit of the loss. Fit "
        "a, alpha, b, beta to losses first, then the sigmoid.",
        "c with gamma, and d with l, unless scores reach both plateaus.",
    ),
    traps=(
        "The loss of the chain has no floor: it is that of the answers, not of running text.",
        "The constants of the reference models were not published.",
        "Beyond its plateaus, d and that of an infinite model, a score has no effective size.",
    ),
)
def reference_score(
    N: Count,
    D: Tokens = 1e12,
    *,
    a: SizeCoefficient,
    alpha: Exponent,
    b: Annotated[DataCoefficient, adjust(start=(0.02, 0.3), prior=lognormal(0.1, 0.8))],
    beta: Exponent,
    c: Gain,
    gamma: Scale,
    l: Midpoint,  # noqa: E741 - the paper's letter
    d: Chance,
) -> Score:
    """Score of an N-parameter reference model trained on D tokens.

    ``S = d + c / (1 + exp(gamma * (L - l)))``, ``L = a * N**-alpha + b * D**-beta`` (Xiao et al.
    2024, eq. 2 and 3; their gamma is minus ours).

    Example:
        >>> from jscale import laws
        >>> theta = {"a": 60.0, "alpha": 0.25, "b": 35.0, "beta": 0.25}
        >>> theta |= {"c": 0.7, "gamma": 4.0, "l": 0.4, "d": 0.25}
        >>> [round(float(laws.reference_score(N, **theta)), 3) for N in (1e9, 70e9)]
        [0.619, 0.761]
    """
    loss = term(a, N, alpha) + term(b, D, beta)
    return d + c * jax.nn.sigmoid(gamma * (l - loss))


def reference_size(
    score: ArrayLike,
    D: ArrayLike = 1e12,
    *,
    a: Any,
    alpha: Any,
    b: Any,
    beta: Any,
    c: Any,
    gamma: Any,
    l: Any,  # noqa: E741
    d: Any,
) -> jax.Array:
    """Effective size of a model from its score, in parameters; inverse of :func:`reference_score`.

    ``N_hat = ((L_hat - b * D**-beta) / a)**(-1 / alpha)``, ``L_hat = l + ln(c / (S - d) - 1) /
    gamma``, for ``d < S < reference_score(inf, D)``. 0 at or below chance; infinite where no
    reference model trained on D tokens reaches the score; both with zero gradients. Source: Xiao
    et al. 2024 (arXiv 2412.04315), eq. 4.

    Args:
        score: share of right answers, any shape.
        D: tokens on which the reference models are trained; the paper's 1e12.
        a: size coefficient; this and the other constants as in :func:`reference_score`.
        alpha: power of size.
        b: data coefficient.
        beta: power of data.
        c: gain.
        gamma: steepness, positive.
        l: midpoint, nats/token.
        d: chance level.

    Example:
        >>> from jscale import laws
        >>> theta = {"a": 60.0, "alpha": 0.25, "b": 35.0, "beta": 0.25}
        >>> theta |= {"c": 0.7, "gamma": 4.0, "l": 0.4, "d": 0.25}
        >>> N = laws.reference_size(0.6, **theta)
        >>> f"{float(N) / 1e9:.1f}B parameters"
        '0.7B parameters'
    """
    above = inexact(score) - d
    chance, full = above <= 0, above >= c
    above = jnp.where(chance | full, 0.5 * c, above)
    size_term = l + (jnp.log(c - above) - jnp.log(above)) / gamma - term(b, inexact(D), beta)

    unreachable = full | (size_term <= 0)
    size = (jnp.where(unreachable, a, size_term) / a) ** (-1 / alpha)
    return jnp.where(chance, 0.0, jnp.where(unreachable, jnp.inf, size))


def capability_density(
    score: ArrayLike, N: ArrayLike, D: ArrayLike = 1e12, **reference: Any
) -> jax.Array:
    """Density of an N-parameter model that scores ``score``: effective over actual size.

    ``rho = N_hat / N`` (Xiao et al. 2024, eq. 1).

    Args:
        score: share of right answers, any shape.
        N: parameters of the model, any shape.
        D: as for :func:`reference_size`.
        **reference: constants of the chain, as for :func:`reference_size`.

    Example:
        >>> from jscale import laws
        >>> theta = {"a": 60.0, "alpha": 0.25, "b": 35.0, "beta": 0.25}
        >>> theta |= {"c": 0.7, "gamma": 4.0, "l": 0.4, "d": 0.25}
        >>> round(float(laws.capability_density(0.6, 2e9, **theta)), 2)
        0.37
    """
    return reference_size(score, D, **reference) / inexact(N)
