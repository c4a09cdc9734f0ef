"""Laws of loss curves under a learning-rate schedule: the loss after every step of one run.

The two laws have the same structure. The loss falls as a power of the area under the learning rate
so far; when the rate falls it drops further, with a delay. The laws differ in the delay: in the
momentum law the drop arrives at a fixed pace (Tissue et al. 2024), in the multi-power law at a pace
that depends on the remaining rate (Luo et al. 2025).

A law belongs to a schedule: ``multi_power(rates)`` is a law of the step ``t`` alone, and
``rates[i]`` is the learning rate of step i = 0, 1, 2 …, in absolute units. Equal rates give the
same law object. At a whole ``t`` the value is that of the sums over the steps 0 … t. In between the
area is linear and a fall of the rate at step k takes effect from ``t = k - 1``, so that the loss is
continuous; after the last step the last rate continues.

The warm-up counts in the area. Its rises do not count as falls: everything before the first fall of
the rate is left out of the second term, as in the authors' fits of the multi-power law, which start
after the warm-up.
"""

import functools
import hashlib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import jax
from jax.typing import ArrayLike

from jscale._core.arrays import inexact, term
from jscale._core.supports import negative, positive
from jscale.laws.declaration import Constants, LawFunction, family, member
from jscale.laws.roles import Anchor, Coefficient, Exponent, Loss, Prior, Role, adjust, lognormal
from jscale.laws.training._curves import momentum_curve, multi_power_curve
from jscale.laws.training._rates import Schedule, as_key, constant, cosine, linear, schedule, wsd
from jscale.laws.training._sums import annealing_area, area_until, common_dtype, loss_drop

__all__ = [
    "FAMILIES",
    "constant",
    "cosine",
    "linear",
    "momentum_curve",
    "momentum_law",
    "multi_power",
    "multi_power_curve",
    "wsd",
]

DEFAULT = as_key(cosine(1000, 3e-4, final=3e-5, warmup=100))
"""The schedule of the laws in the catalogue: short, so that they are fast."""

_HALF = lognormal(0.5, 0.3)
_TISSUE = "Tissue et al. 2024 (arXiv 2408.11029)"
_LUO = "Luo et al. 2025 (arXiv 2503.12811)"

LimitLoss = Annotated[
    ArrayLike,
    Role(
        "loss at constant rate",
        "nats/token",
        "loss after infinitely many steps at a constant rate",
        positive,
        lognormal(0.95, 0.15),
        (0.6, 1.1),
        Anchor("1 / loss_min"),
    ),
]
Memory = Annotated[
    ArrayLike,
    # The coordinate is lam - 1: in float32 a lam of 0.9995 gives the memory of 2,000 steps to three
    # digits only.
    Role(
        "memory",
        "1",
        "momentum kept from one step to the next",
        negative,
        Prior("normal", (0.99, 0.02)),
        (-0.1, -0.0005),
        Anchor(plus="-1"),
    ),
]

_AREA_TRAPS = (
    "Rates are absolute: A and the scale of the second term depend on the unit of the learning "
    "rate.",
    "The law is for one batch size and does not predict the effect of another.",
    "The area includes the warm-up; the second term leaves its rises out.",
)


def _limits(plan: Schedule, scale: str, total: str) -> dict[str, str]:
    """Limits before the first step and after infinitely many.

    ``total`` is the limit of the second term's sum.
    """
    # With a final rate of 0 the area stays finite.
    finite_area = plan.rates[-1] == 0
    area_term = f" + A * {float(plan.areas[-1])}**-alpha" if finite_area else ""
    first = float(plan.rates[0])
    return {
        "t = inf": f"L0{area_term} - {scale} * {total}",
        "t = 0": f"L0 + A * {first}**-alpha" if first else "inf",
    }


def _shared(plan: Schedule, name: str) -> dict[str, Any]:
    """Declaration that the two laws have in common."""
    lowest = max(1.0, plan.last // 20)
    step = Role(
        "step",
        "steps",
        "steps taken",
        ends=(lowest, float(plan.last)),
        # In the middle between two steps, since the slope changes at a step.
        typical=plan.last // 4 + 0.5,
        column="t",
    )

    mean_rate = float(plan.areas[-1]) / plan.last
    area_scale = adjust(
        unit="nats/token at area 1",
        meaning="scale of the area term",
        prior=lognormal(0.5, 0.8),
        start=(0.05, 2.0),
        anchor=Anchor(f"({mean_rate} * t)**-alpha"),
    )

    # A law of another schedule than the default one carries a hash of it in its name.
    digest = ""
    if plan is not schedule(DEFAULT):
        digest = f"({hashlib.sha256(plan.rates.tobytes()).hexdigest()[:8]})"

    return {
        "name": name + digest,
        "subject": "schedule",
        "inputs": {"t": Annotated[ArrayLike, step]},
        "output": Loss,
        "parameters": {
            "L0": LimitLoss,
            "A": Annotated[Coefficient, area_scale],
            "alpha": Annotated[Exponent, adjust(prior=_HALF)],
        },
        "decreasing": ("t",) if plan.monotone else (),
    }


def _decrease_scale(plan: Schedule, factor: float, median: float) -> Any:
    """A coefficient of the second term.

    Its coordinate is its product with the peak rate and ``factor``, a fraction of a nat.
    """
    scale = adjust(
        unit="nats/token",
        meaning="loss removed per unit of fall of the rate",
        prior=lognormal(median, 1.0),
        start=(0.2 * median, 3 * median),
        anchor=Anchor(f"{plan.peak * factor}"),
    )
    return Annotated[Coefficient, scale]


def momentum_law(rates: ArrayLike | None = None) -> LawFunction:
    """The momentum law of a schedule (a family).

    Args:
        rates: (T + 1,) learning rate of every step from 0 on; None for a short cosine.

    Returns:
        The law of the step ``t``, ``L0 + A * S1**-alpha - C * S2`` in nats per token; equal rates
            give the same object.

    Raises:
        JscaleError: ``rates`` is not such an array.

    Example:
        >>> from jscale import laws
        >>> law = laws.momentum_law(laws.schedule.cosine(100, 3e-4, final=3e-5, warmup=10))
        >>> loss = law(t=100, L0=2.6, A=0.1, alpha=0.5, C=5.0, lam=0.95)
        >>> print(f"{loss:.3f} nats per token at the end")
        3.359 nats per token at the end
    """
    return _momentum_law(DEFAULT if rates is None else as_key(rates))


@family
def _momentum_law(key: bytes) -> LawFunction:
    plan = schedule(key)
    shared = _shared(plan, "momentum_law")
    shared["parameters"] |= {"C": _decrease_scale(plan, 100.0, 0.02), "lam": Memory}
    names = ("t", *shared["parameters"])

    def evaluate(values: Mapping[str, Any]) -> jax.Array:
        t, L0, A, alpha, C, lam = common_dtype(*(values[name] for name in names))
        return L0 + term(A, area_until(plan, t), alpha) - C * annealing_area(plan, t, lam)

    total = f"{float(plan.decreases.sum())} / (1 - lam)"
    return member(
        evaluate,
        doc="""Loss after step t of a run under a learning-rate schedule, nats per token.

        ``L = L0 + A * S1**-alpha - C * S2`` with the area ``S1 = sum_{i <= t} rate_i`` and the
        annealing area ``S2 = sum_{i <= t} m_i``, ``m_i = lam * m_{i-1} + rate_{i-1} - rate_i``
        (Tissue et al. 2024, eq. 1).
        """,
        formula="L0 + A * area(t)**-alpha - C * annealing(t, lam)",
        functions={
            "area": lambda t: area_until(plan, inexact(t)),
            "annealing": functools.partial(annealing_area, plan),
        },
        source=f"{_TISSUE}, eq. 1",
        limits=_limits(plan, "C", total),
        ridges=(
            "C with lam: a longer memory makes S2 larger.",
            "L0, A and alpha, as in any power law with a floor.",
        ),
        traps=(
            "No constants were published: fit the law to one or two curves.",
            "If the rises of the warm-up counted, S2 would be lower by peak / (1 - lam) long "
            "after it, and a fitted L0 by C times that.",
            *_AREA_TRAPS,
        ),
        **shared,
    )


def multi_power(rates: ArrayLike | None = None) -> LawFunction:
    """The multi-power law of a schedule (a family).

    Args:
        rates: (T + 1,) learning rate of every step from 0 on; None for a short cosine.

    Returns:
        The law of the step ``t``, ``L0 + A * S1**-alpha - B * drop`` in nats per token; equal rates
            give the same object.

    Raises:
        JscaleError: ``rates`` is not such an array.

    Example:
        >>> from jscale import laws
        >>> rates = laws.schedule.wsd(24_000, 3e-4, final=3e-5, decay=4_000, warmup=500)
        >>> law = laws.multi_power(rates)
        >>> theta = laws.params(law, "luo2025_400M")
        >>> for step in (20_000, 24_000):
        ...     print(f"step {step}: {law(t=step, **theta):.3f} nats per token")
        step 20000: 2.680 nats per token
        step 24000: 2.539 nats per token
    """
    return _multi_power(DEFAULT if rates is None else as_key(rates))


_LUO_SETS = {
    "25M": (3.04045406, 0.52468604, 0.50786857, 363.78751622, 2.06560812, 0.58279013, 0.64142257),
    "100M": (2.6514477, 0.60115152, 0.45295811, 437.9464276, 2.13245612, 0.59785199, 0.65523644),
    "400M": (2.37474466, 0.65421216, 0.42878731, 523.42464371, 2.02462735, 0.59350493, 0.63472457),
}


def _luo_constants(names: Iterable[str]) -> dict[str, Constants]:
    published = {}
    for size, row in _LUO_SETS.items():
        values = dict(zip(names, row, strict=True))
        source = f"{_LUO}, authors' code, {size}"
        published[f"luo2025_{size}"] = Constants(values, source, "P", {}, "peak rate 3e-4")
    return published


@family
def _multi_power(key: bytes) -> LawFunction:
    plan = schedule(key)
    shared = _shared(plan, "multi_power")
    shared["parameters"] |= {
        "B": _decrease_scale(plan, 1.0, 0.1),
        "C": Annotated[
            Coefficient, adjust(meaning="pace", prior=lognormal(2.0, 0.5), start=(0.7, 5.0))
        ],
        "beta": Annotated[
            Exponent, adjust(meaning="power of the delay", prior=_HALF, start=(0.2, 1.2))
        ],
        "gamma": Annotated[
            Exponent, adjust(meaning="power of the remaining rate", prior=_HALF, start=(0.2, 1.0))
        ],
    }
    names = tuple(shared["parameters"])

    def evaluate(values: Mapping[str, Any]) -> jax.Array:
        theta = (values[name] for name in names)
        t, L0, A, alpha, B, C, beta, gamma = common_dtype(values["t"], *theta)
        return L0 + term(A, area_until(plan, t), alpha) - B * loss_drop(plan, t, C, beta, gamma)

    total = f"{float(plan.decreases.sum())}" if plan.rates[-1] > 0 else "drop(inf, C, beta, gamma)"
    return member(
        evaluate,
        doc="""Loss after step t of a run under a learning-rate schedule, nats per token.

        ``L = L0 + A * S1**-alpha - B * sum_k (rate_{k-1} - rate_k) * G(rate_k**-gamma * S_k)`` with
        ``G(x) = 1 - (1 + C x)**-beta``, ``S1 = sum_{i <= t} rate_i`` and
        ``S_k = sum_{k <= i <= t} rate_i`` (Luo et al. 2025). The sum runs over the steps after the
        warm-up.
        """,
        formula="L0 + A * area(t)**-alpha - B * drop(t, C, beta, gamma)",
        functions={
            "area": lambda t: area_until(plan, inexact(t)),
            "drop": functools.partial(loss_drop, plan),
        },
        source=f"{_LUO}, authors' code",
        published=_luo_constants(names),
        limits=_limits(plan, "B", total),
        ridges=(
            "B with C and beta: a slow fall is hard to distinguish from a smaller one.",
            "gamma is not identified unless the rate falls to several levels.",
            "L0, A and alpha, as in any power law with a floor.",
        ),
        traps=(
            "The authors' code adds B times a sum of rises; this law subtracts B times the falls.",
            *_AREA_TRAPS,
        ),
        **shared,
    )


FAMILIES = {"momentum_law": momentum_law, "multi_power": multi_power}
