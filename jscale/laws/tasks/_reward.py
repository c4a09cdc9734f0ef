"""Reward over-optimisation: the true reward of a policy that was optimised against a model of it.

The reward model's own score keeps rising; the true reward rises, turns and falls. The distance d is
the square root of the divergence of the policy from where it started, in nats (Gao et al. 2022).
"""

from typing import Annotated, Any

import jax.numpy as jnp
from jax.typing import ArrayLike

from jscale._core.arrays import inexact
from jscale._core.supports import real
from jscale.laws.declaration import law
from jscale.laws.roles import Anchor, Coefficient, Role, adjust, lognormal

_GAO = "Gao et al. 2022 (arXiv 2210.10760)"
_TRAPS = (
    "The reward is relative to the policy before optimisation: 0 at no divergence.",
    "Divergences of best-of-n and of reinforcement learning are not comparable.",
    "The constants depend on the size and the data of the reward model; a penalty on the "
    "divergence does not move the curve.",
)
_RIDGES = ("alpha with beta unless the reward turns within the runs.",)

Divergence = Annotated[
    ArrayLike,
    Role(
        "divergence",
        "nats",
        "divergence of the policy from its start",
        ends=(0.01, 400.0),
        typical=10.0,
        limits=(0.0, float("inf")),
        column="KL",
    ),
]
Reward = Annotated[Any, Role("reward", "1", "true reward above the start", real, column="reward")]


def _gain(meaning: str) -> adjust:
    return adjust(meaning=meaning, prior=lognormal(0.5, 1.2), start=(0.05, 3.0))


_Fall = Annotated[
    Coefficient,
    adjust(
        meaning="fall of the reward per unit of distance",
        prior=lognormal(0.3, 1.2),
        start=(0.03, 2.0),
        anchor=Anchor("sqrt(KL)"),
    ),
]
_LogFall = Annotated[
    Coefficient,
    adjust(
        meaning="fall of the reward per e-fold of distance",
        prior=lognormal(0.3, 0.8),
        start=(0.06, 1.2),
        anchor=Anchor("1 / alpha"),
    ),
]


@law(
    formula="sqrt(KL) * (alpha - beta * sqrt(KL))",
    source=f"{_GAO}, eq. 1",
    limits={"KL = 0": "0"},
    ridges=_RIDGES,
    traps=(
        *_TRAPS,
        "The best of n samples has a divergence of log(n) - (n - 1) / n nats.",
    ),
)
def best_of_n_reward(
    KL: Divergence,
    *,
    alpha: Annotated[Coefficient, _gain("reward gained per unit of distance")],
    beta: _Fall,
) -> Reward:
    """True reward of the best of n samples by a reward model.

    ``R = d (alpha - beta d)`` with ``d = sqrt(KL)`` (Gao et al. 2022, eq. 1): greatest at
    ``d = alpha / (2 beta)``, where it is ``alpha**2 / (4 beta)``.

    Example:
        >>> from jscale import laws
        >>> theta = {"alpha": 0.8, "beta": 0.2}
        >>> [round(float(laws.best_of_n_reward(KL, **theta)), 2) for KL in (0, 1, 4, 16)]
        [0.0, 0.6, 0.8, 0.0]
    """
    KL = inexact(KL)
    distance = jnp.sqrt(jnp.where(KL > 0, KL, 1.0))
    return jnp.where(KL > 0, distance * (alpha - beta * distance), 0.0)


@law(
    formula="sqrt(KL) * (alpha - beta * log(KL) / 2)",
    source=f"{_GAO}, eq. 2",
    limits={"KL = 0": "0"},
    ridges=_RIDGES,
    traps=(
        *_TRAPS,
        "The slope is infinite at no divergence: the form does not hold there.",
    ),
)
def rl_reward(
    KL: Divergence,
    *,
    alpha: Annotated[Coefficient, _gain("reward gained at a distance of 1")],
    beta: _LogFall,
) -> Reward:
    """True reward of a policy after reinforcement learning against a reward model.

    ``R = d (alpha - beta ln d)`` with ``d = sqrt(KL)`` (Gao et al. 2022, eq. 2): greatest at
    ``ln d = alpha / beta - 1``, where it is ``beta d``.

    Example:
        >>> from jscale import laws
        >>> theta = {"alpha": 0.8, "beta": 0.3}
        >>> [round(float(laws.rl_reward(KL, **theta)), 2) for KL in (0, 1, 25, 400)]
        [0.0, 0.8, 1.59, -1.97]
    """
    KL = inexact(KL)
    safe = jnp.where(KL > 0, KL, 1.0)
    reward = jnp.sqrt(safe) * (alpha - beta * jnp.log(safe) / 2)
    return jnp.where(KL > 0, reward, 0.0)
