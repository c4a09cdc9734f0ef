"""What a fit minimises: a sum over runs of a function of the residual."""

import math
from dataclasses import dataclass
from numbers import Real
from typing import Literal, get_args

import jax
import jax.numpy as jnp
from jax.scipy.special import ndtr

from jscale._core.errors import JscaleError

_LADDER = 10**0.5
SMALLEST_DELTA = 1e-9
"""Below it the objective of usual runs drowns in its own rounding, and a certificate would mean
nothing."""


def _ladder(first: float, last: float) -> tuple[float, ...]:
    """From ``first`` down to ``last`` by factors of at most the square root of ten."""
    steps = max(0, math.ceil(math.log(first / last) / math.log(_LADDER) - 1e-9))
    return (*(last * (first / last) ** (1 - i / steps) for i in range(steps)), last)


def _huber(r: jax.Array, delta: jax.Array) -> jax.Array:
    size = jnp.abs(r)
    return jnp.where(size <= delta, 0.5 * r**2, delta * (size - 0.5 * delta))


def _raw(on: str) -> str:
    return "" if on == "log" else f", on={on}"


@dataclass(frozen=True)
class Huber:
    """Summed Huber loss of the log residuals (Hoffmann et al. 2022, eq. 3).

    Attributes:
        delta: residual at which the loss turns from quadratic to linear, in log loss, or with
            ``on="raw"`` in the loss's own unit; with standard errors, that of a run of the median
            one.
        on: "log" or "raw", the scale on which losses are compared.
    """

    delta: float = 1e-3
    on: Literal["log", "raw"] = "log"
    has_scale = False
    symmetric = True
    kinked = True

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
        return f"huber(delta={self.delta:g}{_raw(self.on)})"


@dataclass(frozen=True)
class AsymmetricHuber:
    """Summed Huber loss of the log residuals, in which runs above the law count less than runs
    below
    it.

    Tuning errors only raise a loss: where some runs are under-tuned, the law of well-tuned runs
    lies near the lower edge of the points. The fit is an M-quantile of the runs (Breckling and
    Chambers 1988); with a large delta, an expectile. ``above = 1`` is :class:`Huber`.

    Attributes:
        above: weight of a run whose loss is above the law's, relative to one below; 0.25 puts about
            20% of runs with symmetric noise below the law.
        delta: residual at which the loss turns from quadratic to linear, in log loss.
    """

    above: float = 0.25
    delta: float = 1e-3
    on: Literal["log", "raw"] = "log"
    has_scale = False
    symmetric = False
    kinked = True

    def stages(self) -> tuple[float, ...]:
        """Deltas of decreasing size to solve for in turn, the last being the objective's own."""
        return _ladder(max(self.delta, 1e-3), self.delta)

    def _side(self, residual: jax.Array) -> jax.Array:
        return jnp.where(residual > 0, self.above, 1.0)

    def rows(self, residual: jax.Array, log_scale: jax.Array, delta: jax.Array) -> jax.Array:
        """Contribution of each run."""
        return self._side(residual) * _huber(residual, delta)

    def slope(self, residual: jax.Array, log_scale: jax.Array, delta: jax.Array) -> jax.Array:
        """Derivative of a run's contribution by its residual."""
        return self._side(residual) * jnp.clip(residual, -delta, delta)

    def __str__(self) -> str:
        return f"asymmetric-huber(above={self.above:g}, delta={self.delta:g}{_raw(self.on)})"


@dataclass(frozen=True)
class HuberLikelihood:
    """Negative log-likelihood of Huber-distributed log residuals with a free scale (Besiroglu et
    al.
    2024, sec. 3).

    Attributes:
        delta: where the density's logarithm turns linear, in units of the scale.
    """

    delta: float = 1e-3
    on: Literal["log", "raw"] = "log"
    has_scale = True
    symmetric = True
    kinked = False

    def stages(self) -> tuple[float, ...]:
        """Deltas of decreasing size to solve for in turn, the last being the objective's own.

        At the default delta the density is all but Laplace's: its quadratic part is a
        hundred-thousandth of a residual wide, and Newton's method finds the minimum only by way of
        rounder densities.
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
        return f"huber-likelihood(delta={self.delta:g}{_raw(self.on)})"


@dataclass(frozen=True)
class StudentLikelihood:
    """Negative log-likelihood of Student-t distributed log residuals with a free scale (Lange et
    al.
    1989).

    Attributes:
        df: degrees of freedom, held fixed; the fewer, the less a far run matters.
    """

    df: float = 4.0
    on: Literal["log", "raw"] = "log"
    has_scale = True
    symmetric = True
    kinked = False

    def stages(self) -> tuple[float, ...]:
        """One stage; there is no delta."""
        return (1.0,)

    def rows(self, residual: jax.Array, log_scale: jax.Array, delta: jax.Array) -> jax.Array:
        """Contribution of each run, in nats."""
        normaliser = (
            math.lgamma(self.df / 2)
            - math.lgamma((self.df + 1) / 2)
            + 0.5 * math.log(math.pi * self.df)
        )
        z = residual * jnp.exp(-log_scale)
        return 0.5 * (self.df + 1) * jnp.log1p(z**2 / self.df) + log_scale + normaliser

    def slope(self, residual: jax.Array, log_scale: jax.Array, delta: jax.Array) -> jax.Array:
        """Derivative of a run's contribution by its residual."""
        z = residual * jnp.exp(-log_scale)
        return (self.df + 1) * z / (self.df + z**2) * jnp.exp(-log_scale)

    def __str__(self) -> str:
        return f"student-likelihood(df={self.df:g}{_raw(self.on)})"


@dataclass(frozen=True)
class Squares:
    """Half the sum of squared residuals of the log loss or of the loss itself."""

    on: Literal["log", "raw"] = "log"
    has_scale = False
    symmetric = True
    kinked = False

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


Objective = Huber | AsymmetricHuber | HuberLikelihood | StudentLikelihood | Squares

_BY_NAME: dict[str, Objective] = {
    "huber": Huber(),
    "asymmetric-huber": AsymmetricHuber(),
    "huber-likelihood": HuberLikelihood(),
    "student-likelihood": StudentLikelihood(),
    "log-squares": Squares("log"),
    "raw-squares": Squares("raw"),
}


def resolve(objective: str | Objective) -> Objective:
    """The objective of this name, or the objective itself.

    Raises:
        JscaleError: an unknown name, or a number of the objective that is not positive.
    """
    if isinstance(objective, str):
        if objective not in _BY_NAME:
            raise JscaleError(f"objective must be one of {', '.join(_BY_NAME)}, not {objective!r}")
        return _BY_NAME[objective]
    if not isinstance(objective, Objective):
        kinds = ", ".join(kind.__name__ for kind in get_args(Objective))
        raise JscaleError(f"objective must be a name or one of {kinds}, not {objective!r}")
    for name in ("delta", "above", "df"):
        value = getattr(objective, name, 1.0)
        if isinstance(value, bool) or not (
            isinstance(value, Real) and math.isfinite(value) and float(value) > 0
        ):
            raise JscaleError(f"{name} must be a positive number, not {value!r}")
    if getattr(objective, "delta", 1.0) < SMALLEST_DELTA:
        raise JscaleError(
            f"delta must be at least {SMALLEST_DELTA:g}, where a Huber loss is an absolute value already"
        )
    if objective.on not in ("log", "raw"):
        raise JscaleError(f"on must be 'log' or 'raw', not {objective.on!r}")
    return objective


def residuals(objective: Objective, observed: jax.Array, predicted: jax.Array) -> jax.Array:
    """Observed minus predicted, on the objective's scale."""
    return jnp.log(observed) - jnp.log(predicted) if objective.on == "log" else observed - predicted
