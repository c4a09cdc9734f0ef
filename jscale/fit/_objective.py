"""What a fit minimises: a sum over runs of a function of the residual."""

import math
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
from jax.scipy.special import ndtr

from jscale._core.errors import JscaleError

_LADDER = 10**0.5


def _ladder(first: float, last: float) -> tuple[float, ...]:
    """From ``first`` down to ``last`` by factors of at most the square root of ten."""
    steps = max(0, math.ceil(math.log(first / last) / math.log(_LADDER) - 1e-9))
    return (*(last * (first / last) ** (1 - i / steps) for i in range(steps)), last)


def _huber(r: jax.Array, delta: jax.Array) -> jax.Array:
    size = jnp.abs(r)
    return jnp.where(size <= delta, 0.5 * r**2, delta * (size - 0.5 * delta))


@dataclass(frozen=True)
class Huber:
    """Summed Huber loss of the log residuals (Hoffmann et al. 2022, eq. 3).

    Attributes:
        delta: residual at which the loss turns from quadratic to linear, in log loss.
    """

    delta: float = 1e-3
    on: Literal["log", "raw"] = "log"
    has_scale = False

    def stages(self) -> tuple[float, ...]:
        """Deltas of decreasing size to solve for in turn, the last being the objective's own."""
        return _ladder(max(self.delta, 1e-3), self.delta)

    def rows(self, residual: jax.Array, log_scale: jax.Array, delta: jax.Array) -> jax.Array:
        """Contribution of each run."""
        return _huber(residual, delta)

    def slope(self, residual: jax.Array, log_scale: jax.Array, delta: jax.Array) -> jax.Array:
        """Derivative of a run's contribution by its residual."""
        return jnp.clip(residual, -delta, delta)

    def __str__(self) -> str:
        return f"huber(delta={self.delta:g})"


@dataclass(frozen=True)
class HuberLikelihood:
    """Negative log-likelihood of Huber-distributed log residuals with a free scale (Besiroglu et al. 2024, sec. 3).

    Attributes:
        delta: where the density's logarithm turns linear, in units of the scale.
    """

    delta: float = 1e-3
    on: Literal["log", "raw"] = "log"
    has_scale = True

    def stages(self) -> tuple[float, ...]:
        """Deltas of decreasing size to solve for in turn, the last being the objective's own.

        At the default delta the density is all but Laplace's: its quadratic part is a hundred-thousandth of a residual
        wide, and Newton's method finds the minimum only by way of rounder densities.
        """
        return _ladder(max(self.delta, 1.0), self.delta)

    def rows(self, residual: jax.Array, log_scale: jax.Array, delta: jax.Array) -> jax.Array:
        """Contribution of each run, in nats."""
        tail = 2 * jnp.exp(-0.5 * delta**2) / delta
        normaliser = math.sqrt(2 * math.pi) * (2 * ndtr(delta) - 1) + tail
        return _huber(residual * jnp.exp(-log_scale), delta) + log_scale + jnp.log(normaliser)

    def slope(self, residual: jax.Array, log_scale: jax.Array, delta: jax.Array) -> jax.Array:
        """Derivative of a run's contribution by its residual."""
        return jnp.clip(residual * jnp.exp(-log_scale), -delta, delta) * jnp.exp(-log_scale)

    def __str__(self) -> str:
        return f"huber-likelihood(delta={self.delta:g})"


@dataclass(frozen=True)
class Squares:
    """Half the sum of squared residuals of the log loss or of the loss itself."""

    on: Literal["log", "raw"] = "log"
    has_scale = False

    def stages(self) -> tuple[float, ...]:
        """One stage; there is no delta."""
        return (1.0,)

    def rows(self, residual: jax.Array, log_scale: jax.Array, delta: jax.Array) -> jax.Array:
        """Contribution of each run."""
        return 0.5 * residual**2

    def slope(self, residual: jax.Array, log_scale: jax.Array, delta: jax.Array) -> jax.Array:
        """Derivative of a run's contribution by its residual."""
        return residual

    def __str__(self) -> str:
        return f"{self.on}-squares"


Objective = Huber | HuberLikelihood | Squares

_BY_NAME: dict[str, Objective] = {
    "huber": Huber(),
    "huber-likelihood": HuberLikelihood(),
    "log-squares": Squares("log"),
    "raw-squares": Squares("raw"),
}


def resolve(objective: str | Objective) -> Objective:
    """The objective of this name, or the objective itself.

    Raises:
        JscaleError: an unknown name, or a delta that is not positive.
    """
    if isinstance(objective, str):
        if objective not in _BY_NAME:
            raise JscaleError(f"objective must be one of {', '.join(_BY_NAME)}, not {objective!r}")
        return _BY_NAME[objective]
    if not isinstance(objective, Objective):
        raise JscaleError(f"objective must be a name or one of Huber, HuberLikelihood, Squares, not {objective!r}")
    if not isinstance(objective, Squares) and not (math.isfinite(objective.delta) and objective.delta > 0):
        raise JscaleError(f"delta must be a positive number, not {objective.delta!r}")
    return objective


def residuals(objective: Objective, observed: jax.Array, predicted: jax.Array) -> jax.Array:
    """Observed minus predicted, on the objective's scale."""
    return jnp.log(observed) - jnp.log(predicted) if objective.on == "log" else observed - predicted
