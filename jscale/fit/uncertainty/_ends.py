"""The two ends of an interval: from an estimate and its standard error, or from draws."""

import functools
import math
from collections.abc import Callable, Mapping
from statistics import NormalDist
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.notes import Note
from jscale._core.programs import program
from jscale.fit.optimum import delta_method_variance
from jscale.fit.uncertainty._targets import TargetTransform


class Estimate(NamedTuple):
    """A function of the parameters at the fit.

    Attributes:
        value: of the function.
        stderr: its standard error.
        auxiliary: what else the function returns; None for nothing.
    """

    value: float
    stderr: float
    auxiliary: Any = None


@program("function", "has_aux")
def _value_and_gradient(
    function: Callable[..., Any],
    params: Mapping[str, Any],
    arguments: tuple[Any, ...],
    has_aux: bool = False,
) -> Any:
    differentiated = jax.value_and_grad(lambda p: function(p, *arguments), has_aux=has_aux)
    return differentiated(dict(params))


@program("function")
def _map_draws(function: Any, draws: Mapping[str, Any], choice: Any) -> jax.Array:
    return jax.vmap(lambda p: function(p, choice))(dict(draws))


def _as_jax(values: Mapping[str, Any]) -> dict[str, jax.Array]:
    return {name: jnp.asarray(value) for name, value in values.items()}


def delta_method(
    function: Callable[..., Any],
    params: Mapping[str, float],
    covariance: np.ndarray,
    *arguments: Any,
    has_aux: bool = False,
) -> Estimate:
    """A function of the parameters with its standard error to first order.

    The variance is ``gradient @ covariance @ gradient``; it is infinite where the gradient has a
    part along a parameter of infinite variance.

    Args:
        function: from parameters by name (and ``arguments``) to a number, in JAX; compiled once
            for each function.
        params: at the fit, in the order of ``covariance``.
        covariance: (k, k) of the parameters.
        arguments: further arguments of the function.
        has_aux: whether the function returns a pair of the number and something else.
    """
    result, gradient = _value_and_gradient(function, _as_jax(params), arguments, has_aux)
    value, auxiliary = result if has_aux else (result, None)
    slope = np.array([float(gradient[name]) for name in params])
    stderr = float(np.sqrt(delta_method_variance(slope, covariance)))
    return Estimate(float(value), stderr, auxiliary)


def target_value(transform: TargetTransform, params: Mapping[str, float]) -> float:
    """The target at parameters by name."""
    level, _ = _value_and_gradient(transform.function, _as_jax(params), (transform.choice,))
    return float(transform.natural(level))


def wald_interval(
    transform: TargetTransform,
    params: Mapping[str, float],
    covariance: np.ndarray,
    level: float,
    df: float = np.inf,
) -> tuple[float, float]:
    """Both ends of estimate ± quantile x standard error, clipped to the range of the target.

    They are the whole range where the data do not identify the target.

    Args:
        transform: the target, on the scale on which its errors are taken as normal.
        params: at the best fit, in the order of the covariance.
        covariance: (k, k) of the parameters.
        level: coverage.
        df: degrees of freedom of the standard error.
    """
    centre, stderr, _ = delta_method(transform.function, params, covariance, transform.choice)
    half_width = student_quantile(level, df) * stderr
    if not (np.isfinite(half_width) and np.isfinite(centre)):
        return transform.lower, transform.upper

    low, high = (float(transform.natural(centre + sign * half_width)) for sign in (-1, 1))
    return max(low, transform.lower), min(high, transform.upper)


def push_forward(transform: TargetTransform, draws: Mapping[str, np.ndarray]) -> np.ndarray:
    """The target (draws,) at draws of the parameters, name → (draws,)."""
    levels = _map_draws(transform.function, _as_jax(draws), transform.choice)
    return transform.natural(np.asarray(levels))


def percentiles(
    values: np.ndarray, level: float, fallback: tuple[float, float] = (-np.inf, np.inf)
) -> tuple[float, float]:
    """Both ends of the percentile interval of values (draws,), without those that are NaN.

    ``fallback`` is the interval where all are NaN.
    """
    valid = values[~np.isnan(values)]
    if not len(valid):
        return fallback

    # No interpolation between a number and infinity.
    method = "linear" if np.isfinite(valid).all() else "nearest"
    low, high = np.quantile(valid, (0.5 - level / 2, 0.5 + level / 2), method=method)
    return float(low), float(high)


def nan_note(name: str, kind: str, values: np.ndarray) -> list[Note]:
    """A warning where a target has no value at some draws."""
    count = int(np.isnan(values).sum())
    if not count:
        return []

    message = (
        f"{name} has no value at {count} of {len(values)} draws of {kind}: they are left out of "
        "its interval"
    )
    evidence = {"target": name, "share": count / len(values)}
    return [Note("draws-without-value", "warning", message, evidence)]


@functools.cache  # every budget of every table asks for the same few
def student_quantile(level: float, df: float) -> float:
    """Half width, in standard errors, of the central interval with the probability ``level``.

    The distribution is Student's t with ``df`` degrees of freedom: infinite width for none, the
    normal quantile for infinitely many.
    """
    if df <= 0:
        return math.inf
    if math.isinf(df):
        return NormalDist().inv_cdf(0.5 + level / 2)
    from scipy.special import stdtrit  # takes a third of a second to import

    return float(stdtrit(df, 0.5 + level / 2))
