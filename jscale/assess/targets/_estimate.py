"""A number at the end of a fit: its value, its standard error, and whether there is such a number."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.status import Status
from jscale.assess.targets._quantity import Quantity
from jscale.fit.optimum import of_number

Estimator = Callable[[Mapping[str, float], np.ndarray], tuple[float, float, Status]]
"""Parameters by name and their covariance (k, k) → value, standard error by the delta method,
status."""


def estimator(wanted: Quantity) -> Estimator:
    """The function that estimates a number, compiled once."""

    def with_status(params: Mapping[str, Any]) -> tuple[Any, Any]:
        value, status = wanted.with_status(params)
        return jnp.asarray(value), status

    compiled = jax.jit(jax.value_and_grad(with_status, has_aux=True))

    def estimate(
        params: Mapping[str, float], covariance: np.ndarray
    ) -> tuple[float, float, Status]:
        (value, status), gradient = compiled(
            {name: jnp.asarray(number) for name, number in params.items()}
        )
        slope = np.array([float(gradient[name]) for name in params])
        stderr = float(np.sqrt(of_number(slope, covariance))) if np.isfinite(value) else np.nan
        return float(value), stderr, Status(int(status))

    return estimate
