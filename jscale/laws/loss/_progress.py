"""Better algorithms: the same loss with less compute every year.

Progress is the growth of effective resources: a model of today has the loss of a larger one of some
years ago. The rate is an average over a decade of architectures and training recipes, estimated
from published evaluations, with a wide interval.
"""

from typing import Annotated

import jax.numpy as jnp

from jscale._core.arrays import as_float
from jscale.laws.declaration import constants, law
from jscale.laws.roles import Coefficient, Count, Days, EffectiveCount, Fraction, adjust, lognormal

_HO = "Ho et al. 2024 (arXiv 2403.05812)"
_MONTH = 30.4375
"""Days: a twelfth of 365.25."""

Growth = Annotated[
    Coefficient,
    adjust(
        name="growth",
        unit="1/days",
        meaning="rate of growth of the effective resource",
        prior=lognormal(0.002, 0.8),
        start=(0.0005, 0.006),
    ),
]
Gain = Annotated[
    Fraction, adjust(name="gain", meaning="effective compute over compute", column="gain")
]
DoublingTime = Annotated[
    Coefficient,
    adjust(
        name="doubling time",
        unit="months",
        meaning="time in which effective compute doubles",
        prior=lognormal(10.0, 0.5),
        start=(3.0, 30.0),
    ),
]
Origin = "Zero of t is the date of the models to which today's are compared."


@law(
    formula="N * exp(g * t_days)",
    source=f"{_HO}, eq. 2",
    increasing=("N", "t_days"),
    limits={"t_days = 0": "N"},
    traps=(
        Origin,
        "The paper has a rate for size and one for data, in years; only that of compute is given "
        "here.",
    ),
)
def algorithmic_progress(N: Count, t_days: Days, *, g: Growth) -> EffectiveCount:
    """Parameters of the model of time zero with the loss of an N-parameter model of time t.

    ``N_eff = N * exp(g * t)`` (Ho et al. 2024, eq. 2).

    Example:
        >>> from jscale import laws
        >>> N = laws.algorithmic_progress(7e9, 365.25, g=0.0019)
        >>> f"{float(N) / 1e9:.0f}B parameters"
        '14B parameters'
    """
    return as_float(N) * jnp.exp(g * as_float(t_days))


@law(
    formula="2**(t_days / (30.4375 * T_double))",
    source=f"{_HO}, Section 3.1",
    published={
        "ho2024": constants(
            f"{_HO}, Section 3.1", "P", T_double=8.4, note="95% interval 4.5 to 14.3 months"
        )
    },
    increasing=("t_days",),
    limits={"t_days = 0": "1"},
    traps=(Origin, "The interval of the doubling time spans a factor of three."),
)
def compute_gain(t_days: Days, *, T_double: DoublingTime) -> Gain:
    """Effective compute over compute after t days of better algorithms, the gain.

    ``2**(t / T_double)``, a month being 30.4375 days (Ho et al. 2024).

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.compute_gain)
        >>> round(float(laws.compute_gain(365.25, **theta)), 2)  # a year of better algorithms
        2.69
    """
    return jnp.exp(jnp.log(2.0) * as_float(t_days) / (_MONTH * as_float(T_double)))
