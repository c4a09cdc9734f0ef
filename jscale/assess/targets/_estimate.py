"""A target at the end of a fit: its value, its standard error, and how its plan ended."""

from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from jscale._core.status import Status
from jscale.assess.targets._quantity import Quantity
from jscale.fit.uncertainty import delta_method

Estimator = Callable[[Mapping[str, float], np.ndarray], tuple[float, float, Status]]
"""Parameters by name and their covariance (k, k) → value, standard error and status.

The standard error is that of the delta method.
"""


def estimator(target: Quantity) -> Estimator:
    """The function that estimates a target, compiled once."""

    def with_status(params: Mapping[str, Any]) -> tuple[Any, Any]:
        value, status = target.with_status(params)
        return jnp.asarray(value), status

    def estimate(
        params: Mapping[str, float], covariance: np.ndarray
    ) -> tuple[float, float, Status]:
        value, stderr, status = delta_method(with_status, params, covariance, has_aux=True)
        return value, stderr if np.isfinite(value) else np.nan, Status(int(status))

    return estimate
