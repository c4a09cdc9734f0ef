"""Loss curves under a learning-rate schedule: the loss after every step of one run.

Two laws of the same make. The loss falls with the area under the learning rate so far, as a power;
and it falls once more where the rate is brought down, by an amount that takes some time to arrive.
They differ in how it arrives: the momentum law lets it come in at a fixed pace (Tissue et al.
2024), the multi-power law at a pace that depends on the rate that is left (Luo et al. 2025).

A law belongs to a schedule: ``multi_power(rates)`` is a law of the step ``t`` alone, and
``rates[i]`` the learning rate of step i = 0, 1, 2 …, in absolute units. The same rates give the
same law. At a whole ``t`` the value is that of the sums over the steps 0 … t. In between the area
grows in a straight line and a fall of the rate at step k starts to tell at ``t = k - 1``, so that
the loss is continuous; after the last step the last rate goes on.

The warm-up counts in the area. Its rises are no falls: what precedes the first fall of the rate is
left out of the second term, as in the authors' fits of the multi-power law, which start after the
warm-up.
"""

import functools
import hashlib
from collections.abc import Mapping
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike

from jscale._core.arrays import as_float, inexact, term
from jscale._core.supports import negative, positive
from jscale.laws.declaration import Constants, LawFunction, member
from jscale.laws.roles import Anchor, Coefficient, Exponent, Loss, Prior, Role, adjust, lognormal
from jscale.laws.training._curves import momentum_curve, multi_power_curve, saturated
from jscale.laws.training._rates import Schedule, as_key, constant, cosine, linear, schedule, wsd

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
"""Of the catalogue's members: short, so that they are quick."""

_BLOCK = 2048
"""Falls summed at once. More would not be faster and a curve of 1e5 steps would fill the memory."""

_HALF = lognormal(0.5, 0.3)
_TISSUE = "Tissue et al. 2024 (arXiv 2408.11029)"
_LUO = "Luo et al. 2025 (arXiv 2503.12811)"

LimitLoss = Annotated[
    ArrayLike,
    Role(
        "loss at constant rate",
        "nats/token",
        "loss of an endless run whose rate never falls",
        positive,
        lognormal(0.95, 0.15),
        (0.6, 1.1),
        Anchor("1 / loss_min"),
    ),
]
Memory = Annotated[
    ArrayLike,
    # The coordinate is measured from 1: a memory of 0.9995 in float32 is one of 2,000 steps to
    # three digits only.
    Role(
        "memory",
        "1",
        "share of the effect of a fall that is left after a step",
        negative,
        Prior("normal", (0.99, 0.02)),
        (-0.1, -0.0005),
        Anchor(plus="-1"),
    ),
]

_AREA_TRAPS = (
    "Rates are absolute: A, and the scale of the second term, change with the unit of the learning rate.",
    "One run's steps share a batch size: the law says nothing of another.",
    "The area includes the warm-up, the second term leaves its rises out.",
)


def _area(plan: Schedule, t: jax.Array) -> jax.Array:
    """Area under the learning rate up to ``t`` (...): the sum of the rates of the steps 0 … t,
    straight in between.
    """
    whole = jnp.clip(jnp.floor(t), 0, plan.last)
    at = lax.stop_gradient(whole).astype(jnp.int32)
    rate = jnp.asarray(plan.following, t.dtype)[at]
    # A rate of 0 that goes on for ever adds nothing, and not 0 * inf.
    beyond = jnp.where(jnp.isposinf(t) & (rate == 0), 0.0, t - whole)
    return jnp.asarray(plan.areas, t.dtype)[at] + rate * beyond


def _summed(term_of: Any, columns: tuple[np.ndarray, ...], like: jax.Array) -> jax.Array:
    """Sum of ``term_of(*columns)`` over the last axis, in blocks: columns (K,), terms (..., K), sum
    like ``like``.
    """
    count = len(columns[0])
    if count <= _BLOCK:
        return jnp.sum(term_of(*(jnp.asarray(c, like.dtype) for c in columns)), axis=-1)
    # Padded with falls of 0 at the last step: they add nothing.
    padded = (
        np.append(c, np.repeat(c[-1] * (i > 0), -count % _BLOCK)) for i, c in enumerate(columns)
    )
    blocks = tuple(jnp.asarray(c, like.dtype).reshape(-1, _BLOCK) for c in padded)

    @jax.checkpoint  # pyright: ignore[reportPrivateImportUsage]
    def add(total: jax.Array, block: tuple[jax.Array, ...]) -> tuple[jax.Array, None]:
        return total + jnp.sum(term_of(*block), axis=-1), None

    return lax.scan(add, like, blocks)[0]


def _common(*values: ArrayLike) -> tuple[jax.Array, ...]:
    """The values as arrays of one floating dtype."""
    arrays = [jnp.asarray(as_float(v)) for v in values]
    return tuple(a.astype(jnp.result_type(*arrays)) for a in arrays)


def _zeros(*values: jax.Array) -> jax.Array:
    """Of the shape that the values have together."""
    return jnp.zeros(jnp.broadcast_shapes(*(v.shape for v in values)), values[0].dtype)


def _arrived(falls: jax.Array, age: jax.Array, lam: jax.Array) -> jax.Array:
    """What falls (..., K) of an age (..., K) in steps add to S2; ``lam`` (..., 1)."""
    return falls * -jnp.expm1(jnp.maximum(age, 0) * jnp.log(lam)) / (1 - lam)


def _annealing(plan: Schedule, t: ArrayLike, lam: ArrayLike) -> jax.Array:
    """S2 of the momentum law: ``sum_k fall_k * (1 - lam**(t - k + 1)) / (1 - lam)``, the double sum
    summed once.
    """
    t, lam = _common(t, lam)
    columns = plan.falls, plan.steps
    return _summed(
        lambda f, k: _arrived(f, t[..., None] - k + 1, lam[..., None]), columns, _zeros(t, lam)
    )


def _drop(
    plan: Schedule, t: ArrayLike, C: ArrayLike, beta: ArrayLike, gamma: ArrayLike
) -> jax.Array:
    """``sum_k fall_k * G(rate_k**-gamma * S_k(t))`` of the multi-power law."""
    t, *theta = _common(t, C, beta, gamma)
    area = _area(plan, t)[..., None]
    wide = tuple(p[..., None] for p in theta)
    columns = plan.falls, plan.before, plan.rates[plan.steps.astype(int)]
    return _summed(lambda f, b, r: f * saturated(area - b, r, wide), columns, _zeros(t, *theta))


def _limits(plan: Schedule, scale: str, total: str) -> dict[str, str]:
    """Before the first step and after endless ones; ``total`` is the whole of the second term's
    sum.
    """
    end = (
        f"L0 - {scale} * {total}"
        if plan.rates[-1] > 0
        else f"L0 + A * {float(plan.areas[-1])}**-alpha - {scale} * {total}"
    )
    first = float(plan.rates[0])
    return {"t = inf": end, "t = 0": f"L0 + A * {first}**-alpha" if first else "inf"}


def _shared(plan: Schedule, name: str) -> dict[str, Any]:
    """What the two laws declare alike."""
    low = max(1.0, plan.last // 20)
    step = Annotated[
        ArrayLike,
        # In the middle between two steps: at a step the slope changes.
        Role(
            "step",
            "steps",
            "steps taken",
            ends=(low, float(plan.last)),
            typical=plan.last // 4 + 0.5,
            column="t",
        ),
    ]
    mean = float(plan.areas[-1]) / plan.last
    area = Annotated[
        Coefficient,
        adjust(
            unit="nats/token at area 1",
            meaning="scale of the area term",
            prior=lognormal(0.5, 0.8),
            start=(0.05, 2.0),
            anchor=Anchor(f"({mean} * t)**-alpha"),
        ),
    ]
    digest = (
        ""
        if plan is schedule(DEFAULT)
        else f"({hashlib.sha256(plan.rates.tobytes()).hexdigest()[:8]})"
    )
    return {
        "name": name + digest,
        "subject": "schedule",
        "inputs": {"t": step},
        "output": Loss,
        "parameters": {
            "L0": LimitLoss,
            "A": area,
            "alpha": Annotated[Exponent, adjust(prior=_HALF)],
        },
        "decreasing": ("t",) if plan.monotone else (),
    }


def _fall_scale(plan: Schedule, factor: float, median: float) -> Any:
    """A parameter whose coordinate is its product with the peak rate and ``factor``, a share of a
    nat.
    """
    meaning = "loss that a unit of fallen rate is worth"
    anchor, start = Anchor(f"{plan.peak * factor}"), (0.2 * median, 3 * median)
    return Annotated[
        Coefficient,
        adjust(
            unit="nats/token",
            meaning=meaning,
            prior=lognormal(median, 1.0),
            start=start,
            anchor=anchor,
        ),
    ]


def momentum_law(rates: ArrayLike | None = None) -> LawFunction:
    """The momentum law of a schedule.

    Args:
        rates: (T + 1,) learning rate of every step from 0 on; None for a short cosine.

    Returns:
        The law of the step ``t``: ``L0 + A * S1**-alpha - C * S2``; the same object for the same
        rates.

    Raises:
        JscaleError: ``rates`` is no such array.
    """
    return _momentum_law(DEFAULT if rates is None else as_key(rates))


@functools.cache
def _momentum_law(key: bytes) -> LawFunction:
    plan = schedule(key)
    shared = _shared(plan, "momentum_law")
    shared["parameters"] |= {"C": _fall_scale(plan, 100.0, 0.02), "lam": Memory}

    def evaluate(given: Mapping[str, Any]) -> jax.Array:
        t, L0, A, alpha, C, lam = _common(*(given[n] for n in ("t", *shared["parameters"])))
        return L0 + term(A, _area(plan, t), alpha) - C * _annealing(plan, t, lam)

    total = f"{float(plan.falls.sum())} / (1 - lam)"
    return member(
        evaluate,
        doc=(
            "Loss after step t of a run under a learning-rate schedule, nats per token.\n\n"
            "``L = L0 + A * S1**-alpha - C * S2`` with the area ``S1 = sum_{i <= t} rate_i`` and the annealing area\n"
            "``S2 = sum_{i <= t} m_i``, ``m_i = lam * m_{i-1} + rate_{i-1} - rate_i`` (Tissue et al. 2024, eq. 1)."
        ),
        formula="L0 + A * area(t)**-alpha - C * annealing(t, lam)",
        functions={
            "area": lambda t: _area(plan, inexact(t)),
            "annealing": functools.partial(_annealing, plan),
        },
        source=f"{_TISSUE}, eq. 1",
        limits=_limits(plan, "C", total),
        ridges=(
            "C and lam: a longer memory makes S2 larger.",
            "L0, A and alpha, as in any power law with a floor.",
        ),
        traps=(
            "No constants are given: fit the law to a curve or two.",
            "With the rises of the warm-up, S2 would be lower by peak / (1 - lam) once the warm-up is forgotten, and a "
            "fitted L0 by C times that.",
            *_AREA_TRAPS,
        ),
        **shared,
    )


def multi_power(rates: ArrayLike | None = None) -> LawFunction:
    """The multi-power law of a schedule.

    Args:
        rates: (T + 1,) learning rate of every step from 0 on; None for a short cosine.

    Returns:
        The law of the step ``t``: ``L0 + A * S1**-alpha - B * drop``; the same object for the same
        rates.

    Raises:
        JscaleError: ``rates`` is no such array.
    """
    return _multi_power(DEFAULT if rates is None else as_key(rates))


_LUO_SETS = {
    "25M": (3.04045406, 0.52468604, 0.50786857, 363.78751622, 2.06560812, 0.58279013, 0.64142257),
    "100M": (2.6514477, 0.60115152, 0.45295811, 437.9464276, 2.13245612, 0.59785199, 0.65523644),
    "400M": (2.37474466, 0.65421216, 0.42878731, 523.42464371, 2.02462735, 0.59350493, 0.63472457),
}


@functools.cache
def _multi_power(key: bytes) -> LawFunction:
    plan = schedule(key)
    shared = _shared(plan, "multi_power")
    shared["parameters"] |= {
        "B": _fall_scale(plan, 1.0, 0.1),
        "C": Annotated[
            Coefficient, adjust(meaning="pace", prior=lognormal(2.0, 0.5), start=(0.7, 5.0))
        ],
        "beta": Annotated[
            Exponent, adjust(meaning="power of the arrival", prior=_HALF, start=(0.2, 1.2))
        ],
        "gamma": Annotated[
            Exponent, adjust(meaning="power of the rate left", prior=_HALF, start=(0.2, 1.0))
        ],
    }
    names = tuple(shared["parameters"])

    def evaluate(given: Mapping[str, Any]) -> jax.Array:
        t, L0, A, alpha, B, C, beta, gamma = _common(*(given[n] for n in ("t", *names)))
        return L0 + term(A, _area(plan, t), alpha) - B * _drop(plan, t, C, beta, gamma)

    total = f"{float(plan.falls.sum())}" if plan.rates[-1] > 0 else "drop(inf, C, beta, gamma)"
    return member(
        evaluate,
        doc=(
            "Loss after step t of a run under a learning-rate schedule, nats per token.\n\n"
            "``L = L0 + A * S1**-alpha - B * sum_k (rate_{k-1} - rate_k) * G(rate_k**-gamma * S_k)`` with\n"
            "``G(x) = 1 - (1 + C x)**-beta``, ``S1 = sum_{i <= t} rate_i`` and ``S_k = sum_{k <= i <= t} rate_i``\n"
            "(Luo et al. 2025). The sum runs over the steps after the warm-up."
        ),
        formula="L0 + A * area(t)**-alpha - B * drop(t, C, beta, gamma)",
        functions={
            "area": lambda t: _area(plan, inexact(t)),
            "drop": functools.partial(_drop, plan),
        },
        source=f"{_LUO}, authors' code",
        published={
            f"luo2025_{size}": Constants(
                dict(zip(names, v, strict=True)),
                f"{_LUO}, authors' code, {size}",
                "P",
                {},
                "peak rate 3e-4",
            )
            for size, v in _LUO_SETS.items()
        },
        limits=_limits(plan, "B", total),
        ridges=(
            "B, C and beta: a fall that arrives slowly looks like a smaller one.",
            "gamma unless the rate falls to several levels.",
            "L0, A and alpha, as in any power law with a floor.",
        ),
        traps=(
            "The authors' code adds B times a sum of rises; here B times the falls is subtracted.",
            *_AREA_TRAPS,
        ),
        **shared,
    )


FAMILIES = {"momentum_law": momentum_law, "multi_power": multi_power}
