"""Learning-rate schedules as arrays, and the sums over them that the laws of loss curves use."""

import functools
import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from jscale._core.checks import is_whole_number
from jscale._core.errors import JscaleError
from jscale._core.text import shown


def cosine(steps: int, peak: float, *, final: float, warmup: int = 0) -> np.ndarray:
    """Linear warm-up, then half a cosine down to ``final``: (steps + 1,) in the unit of ``peak``.

    ``rates[i]`` is the learning rate of step i: 0 at step 0 if there is a warm-up, ``peak`` at step
    ``warmup``, ``final`` at step ``steps``.

    Args:
        steps: number of the last step.
        peak: highest learning rate.
        final: learning rate of the last step, from 0 to ``peak``.
        warmup: steps of the warm-up, fewer than ``steps``.

    Raises:
        JscaleError: a number outside these ranges.

    Example:
        >>> from jscale.laws import schedule
        >>> rates = schedule.cosine(1000, 3e-4, final=3e-5, warmup=100)
        >>> print(", ".join(f"{rates[step]:.2e}" for step in (50, 100, 550, 1000)))
        1.50e-04, 3.00e-04, 1.65e-04, 3.00e-05
    """
    _check(steps, peak, final, warmup)
    progress = np.linspace(0.0, 1.0, steps - warmup + 1)
    return _warmed(peak, warmup, final + (peak - final) * 0.5 * (1 + np.cos(math.pi * progress)))


def linear(steps: int, peak: float, *, final: float = 0.0, warmup: int = 0) -> np.ndarray:
    """Linear warm-up, then a straight line down to ``final``: (steps + 1,) in the unit of ``peak``.

    Args:
        steps: number of the last step.
        peak: highest learning rate.
        final: learning rate of the last step, from 0 to ``peak``.
        warmup: steps of the warm-up, fewer than ``steps``.

    Raises:
        JscaleError: a number outside these ranges.

    Example:
        >>> from jscale.laws import schedule
        >>> rates = schedule.linear(1000, 3e-4, warmup=100)
        >>> print(", ".join(f"{rates[step]:.2e}" for step in (50, 100, 550, 1000)))
        1.50e-04, 3.00e-04, 1.50e-04, 0.00e+00
    """
    _check(steps, peak, final, warmup)
    return _warmed(peak, warmup, np.linspace(peak, final, steps - warmup + 1))


def constant(steps: int, peak: float, *, warmup: int = 0) -> np.ndarray:
    """Linear warm-up, then ``peak`` to the end: (steps + 1,) in the unit of ``peak``.

    Args:
        steps: number of the last step.
        peak: highest learning rate.
        warmup: steps of the warm-up, fewer than ``steps``.

    Raises:
        JscaleError: a number outside these ranges.

    Example:
        >>> from jscale.laws import schedule
        >>> rates = schedule.constant(1000, 3e-4, warmup=100)
        >>> print(", ".join(f"{rates[step]:.2e}" for step in (50, 100, 1000)))
        1.50e-04, 3.00e-04, 3.00e-04
    """
    _check(steps, peak, peak, warmup)
    return _warmed(peak, warmup, np.full(steps - warmup + 1, float(peak)))


def wsd(
    steps: int,
    peak: float,
    *,
    final: float,
    decay: int,
    warmup: int = 0,
    shape: Literal["linear", "exponential"] = "linear",
) -> np.ndarray:
    """Warm-up, stable stretch at ``peak``, decay to ``final``: (steps + 1,) learning rates.

    Args:
        steps: number of the last step.
        peak: highest learning rate.
        final: learning rate of the last step, from 0 (above 0 if exponential) to ``peak``.
        decay: steps of the decay, at least 1; warm-up and decay together take at most ``steps``.
        warmup: steps of the warm-up.
        shape: shape of the decay.

    Raises:
        JscaleError: a number outside these ranges.

    Example:
        >>> from jscale.laws import schedule
        >>> rates = schedule.wsd(1000, 3e-4, final=3e-5, decay=200, warmup=100)
        >>> print(", ".join(f"{rates[step]:.2e}" for step in (50, 800, 900, 1000)))
        1.50e-04, 3.00e-04, 1.65e-04, 3.00e-05
    """
    _check(steps, peak, final, warmup)
    if not 1 <= decay <= steps - warmup:
        raise JscaleError(f"decay is {shown(decay)}; expected steps from 1 to {steps - warmup}")
    if shape not in ("linear", "exponential") or (shape == "exponential" and final <= 0):
        raise JscaleError(
            f"shape is {shown(shape)} and final {shown(final)}; expected 'linear', or "
            "'exponential' with a final rate above 0"
        )
    line = np.linspace if shape == "linear" else np.geomspace
    stable = np.full(steps - warmup - decay, float(peak))
    return _warmed(peak, warmup, np.concatenate([stable, line(peak, final, decay + 1)]))


def _check(steps: Any, peak: Any, final: Any, warmup: Any) -> None:
    for name, value in (("steps", steps), ("warmup", warmup)):
        if not is_whole_number(value):
            raise JscaleError(f"{name} is {shown(value)}; expected a whole number of steps")
    if not 0 <= warmup < steps:
        raise JscaleError(
            f"warmup is {warmup} of {steps} steps; expected at least 0 and fewer than all steps"
        )
    if not (0 < peak < math.inf and 0 <= final <= peak):
        raise JscaleError(
            f"peak is {shown(peak)} and final {shown(final)}; expected a peak above 0 and 0 <= "
            "final <= peak"
        )


def _warmed(peak: float, warmup: int, rest: np.ndarray) -> np.ndarray:
    """A linear warm-up to ``peak`` followed by ``rest``."""
    return np.concatenate([peak * np.arange(warmup) / max(warmup, 1), rest])


@dataclass(frozen=True, eq=False)
class Schedule:
    """A schedule with the sums that the laws use; all arrays are float64 and read-only.

    Attributes:
        rates: (T + 1,) learning rate of every step, 0 to T.
        areas: (T + 1,) sum of the rates up to and including each step.
        following: (T + 1,) rate of the next step; the last rate continues forever.
        steps: (K,) steps at which the rate changes after the warm-up.
        falls: (K,) size of the fall at each of them; negative where the rate rises again.
        before: (K,) sum of the rates before each of these steps.
    """

    rates: np.ndarray
    areas: np.ndarray
    following: np.ndarray
    steps: np.ndarray
    decreases: np.ndarray
    before: np.ndarray

    @property
    def last(self) -> int:
        """Number of the last step."""
        return len(self.rates) - 1

    @property
    def peak(self) -> float:
        """Highest rate."""
        return float(self.rates.max())

    @property
    def monotone(self) -> bool:
        """Whether the rate never rises after the warm-up."""
        return bool((self.decreases > 0).all())


def as_key(rates: Any) -> bytes:
    """The schedule as bytes, the key by which laws are cached.

    Args:
        rates: (T + 1,) learning rates, finite, at least 0 and not all 0.

    Raises:
        JscaleError: not such an array.
    """
    array = np.asarray(rates, dtype=np.float64) if np.ndim(rates) == 1 else np.zeros(0)
    if len(array) < 2:
        raise JscaleError(
            f"schedule: rates is {shown(rates)}; expected a one-dimensional array of the learning "
            "rates of steps 0, 1, 2 ..."
        )
    invalid = np.flatnonzero(~(np.isfinite(array) & (array >= 0)))
    if len(invalid):
        step = invalid[0]
        raise JscaleError(
            f"schedule: the rate of step {step} is {array[step]:g}; expected a finite number of at "
            "least 0"
        )
    if not array.any():
        raise JscaleError("schedule: all rates are 0; expected at least one above 0")
    return array.tobytes()


@functools.lru_cache(maxsize=64)
def schedule(key: bytes) -> Schedule:
    """The schedule of a key.

    The warm-up is everything before the first fall; its rises do not count as changes.
    """
    rates = np.frombuffer(key)
    areas = np.cumsum(rates)
    decreases = -np.diff(rates)

    # Rises count only after the first fall.
    after_warmup = np.cumsum(decreases > 0) > 0
    changes = np.flatnonzero((decreases != 0) & after_warmup)

    prepared = Schedule(
        rates=rates,
        areas=areas,
        following=np.append(rates[1:], rates[-1]),
        steps=(changes + 1).astype(np.float64),
        decreases=decreases[changes],
        before=areas[changes],
    )

    for array in vars(prepared).values():
        array.flags.writeable = False
    return prepared
