"""The ends of one interval: from an estimate and its error, or from draws."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.notes import Note
from jscale.fit.optimum import of_number
from jscale.fit.uncertainty._student import student_quantile
from jscale.fit.uncertainty._targets import TargetTransform


@partial(jax.jit, static_argnames="function")
def _graded(
    function: Any, params: Mapping[str, Any], choice: Any
) -> tuple[jax.Array, dict[str, jax.Array]]:
    return jax.value_and_grad(lambda p: function(p, choice))(dict(params))


@partial(jax.jit, static_argnames="function")
def _mapped(function: Any, draws: Mapping[str, Any], choice: Any) -> jax.Array:
    return jax.vmap(lambda p: function(p, choice))(dict(draws))


def estimate(aim: TargetTransform, params: Mapping[str, float]) -> float:
    """The target at parameters by name."""
    level, _ = _graded(aim.function, {n: jnp.asarray(v) for n, v in params.items()}, aim.choice)
    return float(aim.natural(level))


def wald(
    aim: TargetTransform,
    params: Mapping[str, float],
    covariance: np.ndarray,
    level: float,
    df: float = np.inf,
) -> tuple[float, float]:
    """The interval of an estimate and its standard error, within the range of the target.

    It is the whole range where the runs do not tell the target.

    Args:
        aim: the target, with the scale on which the errors are taken as normal.
        params: at the best fit, in the order of the covariance.
        covariance: (k, k) of the parameters.
        level: coverage.
        df: degrees of freedom of the standard error.
    """
    place, gradient = _graded(
        aim.function, {n: jnp.asarray(v) for n, v in params.items()}, aim.choice
    )
    slope = np.array([float(gradient[name]) for name in params])
    reach = student_quantile(level, df) * float(np.sqrt(of_number(slope, covariance)))
    if not (np.isfinite(reach) and np.isfinite(place)):
        return aim.lower, aim.upper
    low, high = (float(aim.natural(float(place) + side * reach)) for side in (-1, 1))
    return max(low, aim.lower), min(high, aim.upper)


def push_forward(aim: TargetTransform, draws: Mapping[str, np.ndarray]) -> np.ndarray:
    """The target (draws,) at draws of the parameters, name → (draws,)."""
    return aim.natural(
        np.asarray(_mapped(aim.function, {n: jnp.asarray(d) for n, d in draws.items()}, aim.choice))
    )


def percentiles(
    values: np.ndarray, level: float, unknown: tuple[float, float] = (-np.inf, np.inf)
) -> tuple[float, float]:
    """Both ends of the percentile interval of values (draws,), without those that are no numbers.

    ``unknown`` is the interval where none is a number.
    """
    sound = values[~np.isnan(values)]
    if not len(sound):
        return unknown
    # Between a number and infinity there is no middle.
    method = "linear" if np.isfinite(sound).all() else "nearest"
    low, high = np.quantile(sound, (0.5 - level / 2, 0.5 + level / 2), method=method)
    return float(low), float(high)


def nan_note(name: str, kind: str, values: np.ndarray) -> list[Note]:
    """A warning where a target has no value at some draws."""
    count = int(np.isnan(values).sum())
    if not count:
        return []
    message = f"{name} has no value at {count} of {len(values)} draws of {kind}: they are left out of its interval"
    return [
        Note(
            "draws-without-value",
            "warning",
            message,
            {"target": name, "share": count / len(values)},
        )
    ]
