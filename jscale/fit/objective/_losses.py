"""What a fit minimises: a sum over runs of a function of the residual."""

import math
from dataclasses import dataclass
from numbers import Real
from typing import Literal, get_args

import jax
import jax.numpy as jnp
from jax.scipy.special import ndtr

from jscale._core.errors import JscaleError
from jscale._core.text import shown

_STAGE_FACTOR = 10**0.5
SMALLEST_DELTA = 1e-9
"""With a smaller delta the objective of typical runs is below its own rounding, and a certificate
would mean nothing."""
STUDENT_NU = 4.0
"""Degrees of freedom of Student-t noise wherever none are given: of the likelihood, of posteriors,
and of the parametric bootstrap."""


def _decreasing(first: float, last: float) -> tuple[float, ...]:
    """From ``first`` down to ``last`` by factors of at most the square root of ten."""
    steps = max(0, math.ceil(math.log(first / last) / math.log(_STAGE_FACTOR) - 1e-9))
    return (*(last * (first / last) ** (1 - i / steps) for i in range(steps)), last)


def _huber(r: jax.Array, delta: jax.Array) -> jax.Array:
    size = jnp.abs(r)
    return jnp.where(size <= delta, 0.5 * r**2, delta * (size - 0.5 * delta))


def _raw_suffix(on: str) -> str:
    return "" if on == "log" else f", on={on}"


@dataclass(frozen=True)
class Huber:
    """Summed Huber loss of the log residuals (Hoffmann et al. 2022, eq. 3).

    Attributes:
        delta: residual at which the loss turns from quadratic to linear, in log loss, or with
            ``on="raw"`` in the unit of the loss; with standard errors, for a run of the median
            standard error.
        on: "log" or "raw", the scale on which losses are compared.

    Example:
        >>> from jscale import fit
        >>> print(fit.Huber(delta=0.01))
        huber(delta=0.01)
    """

    delta: float = 1e-3
    on: Literal["log", "raw"] = "log"
    has_scale = False
    symmetric = True
    kinked = True

    def stages(self) -> tuple[float, ...]:
        """Decreasing deltas to solve for in turn, the last being the objective's own."""
        return _decreasing(max(self.delta, 1e-3), self.delta)

    def rows(self, residual: jax.Array, log_scale: jax.Array, delta: jax.Array) -> jax.Array:
        """Contribution of each run (rows,)."""
        return _huber(residual, delta)

    def score(self, residual: jax.Array, log_scale: jax.Array, delta: jax.Array) -> jax.Array:
        """Derivative of each run's contribution by its residual (rows,)."""
        return jnp.clip(residual, -delta, delta)

    def __str__(self) -> str:
        return f"huber(delta={self.delta:g}{_raw_suffix(self.on)})"


@dataclass(frozen=True)
class AsymmetricHuber:
    """Summed Huber loss that gives runs above the law a smaller weight than runs below it.

    Tuning errors only raise a loss: where some runs are under-tuned, the law of well-tuned runs
    lies near the lower edge of the points. The fit is an M-quantile of the runs (Breckling and
    Chambers 1988); with a large delta, an expectile. ``above = 1`` is :class:`Huber`.

    Attributes:
        above: weight of a run whose loss is above the law's, relative to one below; 0.25 puts about
            20% of runs with symmetric noise below the law.
        delta: residual at which the loss turns from quadratic to linear, in log loss.
        on: "log" or "raw", the scale on which losses are compared.

    Example:
        >>> from jscale import fit
        >>> print(fit.AsymmetricHuber(above=0.1))
        asymmetric-huber(above=0.1, delta=0.001)
    """

    above: float = 0.25
    delta: float = 1e-3
    on: Literal["log", "raw"] = "log"
    has_scale = False
    symmetric = False
    kinked = True

    def stages(self) -> tuple[float, ...]:
        """Decreasing deltas to solve for in turn, the last being the objective's own."""
        return _decreasing(max(self.delta, 1e-3), self.delta)

    def _run_weight(self, residual: jax.Array) -> jax.Array:
        return jnp.where(residual > 0, self.above, 1.0)

    def rows(self, residual: jax.Array, log_scale: jax.Array, delta: jax.Array) -> jax.Array:
        """Contribution of each run (rows,)."""
        return self._run_weight(residual) * _huber(residual, delta)

    def score(self, residual: jax.Array, log_scale: jax.Array, delta: jax.Array) -> jax.Array:
        """Derivative of each run's contribution by its residual (rows,)."""
        return self._run_weight(residual) * jnp.clip(residual, -delta, delta)

    def __str__(self) -> str:
        return f"asymmetric-huber(above={self.above:g}, delta={self.delta:g}{_raw_suffix(self.on)})"


@dataclass(frozen=True)
class HuberLikelihood:
    """Negative log-likelihood of Huber-distributed log residuals with a free scale.

    Source: Besiroglu et al. 2024, sec. 3.

    Attributes:
        delta: where the density's logarithm turns linear, in units of the scale.
        on: "log" or "raw", the scale on which losses are compared.

    Example:
        >>> from jscale import fit
        >>> print(fit.HuberLikelihood(delta=0.5))
        huber-likelihood(delta=0.5)
    """

    delta: float = 1e-3
    on: Literal["log", "raw"] = "log"
    has_scale = True
    symmetric = True
    kinked = False

    def stages(self) -> tuple[float, ...]:
        """Decreasing deltas to solve for in turn, the last being the objective's own.

        At the default delta the density is nearly Laplace's: its quadratic part is a
        hundred-thousandth of a residual wide, and Newton's method finds the minimum only through
        densities with wider quadratic parts.
        """
        return _decreasing(max(self.delta, 1.0), self.delta)

    def rows(self, residual: jax.Array, log_scale: jax.Array, delta: jax.Array) -> jax.Array:
        """Contribution of each run (rows,), in nats."""
        linear_part = 2 * jnp.exp(-0.5 * delta**2) / delta
        normaliser = math.sqrt(2 * math.pi) * (2 * ndtr(delta) - 1) + linear_part
        return _huber(residual * jnp.exp(-log_scale), delta) + log_scale + jnp.log(normaliser)

    def score(self, residual: jax.Array, log_scale: jax.Array, delta: jax.Array) -> jax.Array:
        """Derivative of each run's contribution by its residual (rows,)."""
        return jnp.clip(residual * jnp.exp(-log_scale), -delta, delta) * jnp.exp(-log_scale)

    def __str__(self) -> str:
        return f"huber-likelihood(delta={self.delta:g}{_raw_suffix(self.on)})"


@dataclass(frozen=True)
class StudentLikelihood:
    """Negative log-likelihood of Student-t distributed log residuals with a free scale.

    Source: Lange et al. 1989.

    Attributes:
        df: degrees of freedom, held fixed; the fewer, the less an outlier matters.
        on: "log" or "raw", the scale on which losses are compared.

    Example:
        >>> from jscale import fit
        >>> print(fit.StudentLikelihood(df=3))
        student-likelihood(df=3)
    """

    df: float = STUDENT_NU
    on: Literal["log", "raw"] = "log"
    has_scale = True
    symmetric = True
    kinked = False

    def stages(self) -> tuple[float, ...]:
        """One stage; there is no delta."""
        return (1.0,)

    def rows(self, residual: jax.Array, log_scale: jax.Array, delta: jax.Array) -> jax.Array:
        """Contribution of each run (rows,), in nats."""
        normaliser = (
            math.lgamma(self.df / 2)
            - math.lgamma((self.df + 1) / 2)
            + 0.5 * math.log(math.pi * self.df)
        )
        z = residual * jnp.exp(-log_scale)
        return 0.5 * (self.df + 1) * jnp.log1p(z**2 / self.df) + log_scale + normaliser

    def score(self, residual: jax.Array, log_scale: jax.Array, delta: jax.Array) -> jax.Array:
        """Derivative of each run's contribution by its residual (rows,)."""
        z = residual * jnp.exp(-log_scale)
        return (self.df + 1) * z / (self.df + z**2) * jnp.exp(-log_scale)

    def __str__(self) -> str:
        return f"student-likelihood(df={self.df:g}{_raw_suffix(self.on)})"


@dataclass(frozen=True)
class Squares:
    """Half the sum of squared residuals of the log loss or of the loss itself.

    Attributes:
        on: "log" or "raw", the scale on which losses are compared.

    Example:
        >>> from jscale import fit
        >>> print(fit.Squares(on="raw"))
        raw-squares
    """

    on: Literal["log", "raw"] = "log"
    has_scale = False
    symmetric = True
    kinked = False

    def stages(self) -> tuple[float, ...]:
        """One stage; there is no delta."""
        return (1.0,)

    def rows(self, residual: jax.Array, log_scale: jax.Array, delta: jax.Array) -> jax.Array:
        """Contribution of each run (rows,)."""
        return 0.5 * residual**2

    def score(self, residual: jax.Array, log_scale: jax.Array, delta: jax.Array) -> jax.Array:
        """Derivative of each run's contribution by its residual (rows,)."""
        return residual

    def __str__(self) -> str:
        return f"{self.on}-squares"


Objective = Huber | AsymmetricHuber | HuberLikelihood | StudentLikelihood | Squares
"""What a fit minimises, as ``objective=`` takes it besides its name."""

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
            raise JscaleError(
                f"must be one of {', '.join(_BY_NAME)}, not {shown(objective)}",
                argument="objective",
            )
        return _BY_NAME[objective]

    if not isinstance(objective, Objective):
        kinds = ", ".join(kind.__name__ for kind in get_args(Objective))
        raise JscaleError(
            f"must be a name or one of {kinds}, not {shown(objective)}", argument="objective"
        )

    for name in ("delta", "above", "df"):
        value = getattr(objective, name, 1.0)
        if not _is_positive_number(value):
            raise JscaleError(f"must be a positive number, not {shown(value)}", argument=name)
    if getattr(objective, "delta", 1.0) < SMALLEST_DELTA:
        raise JscaleError(
            f"must be at least {SMALLEST_DELTA:g}; with that a Huber loss is already an "
            "absolute value",
            argument="delta",
        )
    if objective.on not in ("log", "raw"):
        raise JscaleError(f"must be 'log' or 'raw', not {shown(objective.on)}", argument="on")
    return objective


def _is_positive_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    return math.isfinite(value) and float(value) > 0


def residuals(objective: Objective, observed: jax.Array, predicted: jax.Array) -> jax.Array:
    """Observed minus predicted (rows,), on the objective's scale."""
    if objective.on == "log":
        return jnp.log(observed) - jnp.log(predicted)
    return observed - predicted


def score_and_derivative(
    objective: Objective, residual: jax.Array, log_scale: jax.Array, delta: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """First and second derivative of each run's contribution by its residual (rows,)."""
    return jax.jvp(
        lambda r: objective.score(r, log_scale, delta), (residual,), (jnp.ones_like(residual),)
    )
