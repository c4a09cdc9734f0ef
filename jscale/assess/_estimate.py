"""A number at the end of a fit: its value, its standard error, and whether there is such a number."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.status import Status
from jscale.assess._quantity import Quantity

Estimator = Callable[[Mapping[str, float], np.ndarray], tuple[float, float, Status]]
"""Parameters by name and their covariance (k, k) → value, standard error by the delta method, status."""


def estimator(wanted: Quantity) -> Estimator:
    """The function that estimates a number, compiled once."""

    def with_status(params: Mapping[str, Any]) -> tuple[Any, Any]:
        value, status = wanted.with_status(params)
        return jnp.asarray(value), status

    compiled = jax.jit(jax.value_and_grad(with_status, has_aux=True))

    def estimate(params: Mapping[str, float], covariance: np.ndarray) -> tuple[float, float, Status]:
        (value, status), gradient = compiled({name: jnp.asarray(number) for name, number in params.items()})
        slope = np.array([float(gradient[name]) for name in params])
        used = slope != 0
        inner = covariance[np.ix_(used, used)]
        variance = float(slope[used] @ inner @ slope[used]) if np.isfinite(inner).all() else np.inf
        stderr = float(np.sqrt(max(variance, 0.0))) if np.isfinite(value) else np.nan
        return float(value), stderr, Status(int(status))

    return estimate
