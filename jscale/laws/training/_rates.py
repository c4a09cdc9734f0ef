"""Learning-rate schedules as arrays, and what the laws of loss curves need to know of one."""

import functools
import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from jscale._core.errors import JscaleError


def cosine(steps: int, peak: float, *, final: float, warmup: int = 0) -> np.ndarray:
    """A linear warm-up and half a cosine down to ``final``, (steps + 1,) in the unit of ``peak``.

    ``rates[i]`` is the learning rate of step i: 0 at step 0 when there is a warm-up, ``peak`` at
    step ``warmup``, ``final`` at step ``steps``.

    Args:
        steps: number of the last step.
        peak: highest learning rate.
        final: learning rate of the last step, from 0 to ``peak``.
        warmup: steps of the warm-up, fewer than ``steps``.

    Raises:
        JscaleError: a number outside these ranges.
    """
    _check(steps, peak, final, warmup)
    down = np.linspace(0.0, 1.0, steps - warmup + 1)
    return _warmed(peak, warmup, final + (peak - final) * 0.5 * (1 + np.cos(math.pi * down)))


def linear(steps: int, peak: float, *, final: float = 0.0, warmup: int = 0) -> np.ndarray:
    """A linear warm-up and a straight line down to ``final``, (steps + 1,) in the unit of ``peak``.

    Args and Raises as for :func:`cosine`.
    """
    _check(steps, peak, final, warmup)
    return _warmed(peak, warmup, np.linspace(peak, final, steps - warmup + 1))


def constant(steps: int, peak: float, *, warmup: int = 0) -> np.ndarray:
    """A linear warm-up and ``peak`` from there on, (steps + 1,) in the unit of ``peak``.

    Args and Raises as for :func:`cosine`.
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
    """Warm-up, a stable stretch at ``peak`` and a decay to ``final``, (steps + 1,) in the unit of
    ``peak``.

    Args:
        steps: number of the last step.
        peak: highest learning rate.
        final: learning rate of the last step, from 0 (above 0 when exponential) to ``peak``.
        decay: steps of the decay, at least 1; warm-up and decay together take at most ``steps``.
        warmup: steps of the warm-up.
        shape: of the decay.

    Raises:
        JscaleError: a number outside these ranges.
    """
    _check(steps, peak, final, warmup)
    if not 1 <= decay <= steps - warmup:
        raise JscaleError(f"decay is {decay!r}; expected steps from 1 to {steps - warmup}")
    if shape not in ("linear", "exponential") or (shape == "exponential" and final <= 0):
        raise JscaleError(
            f"shape is {shape!r} and final {final!r}; expected 'linear', or 'exponential' to a final above 0"
        )
    line = np.linspace if shape == "linear" else np.geomspace
    stable = np.full(steps - warmup - decay, float(peak))
    return _warmed(peak, warmup, np.concatenate([stable, line(peak, final, decay + 1)]))


def _check(steps: Any, peak: Any, final: Any, warmup: Any) -> None:
    for name, value in (("steps", steps), ("warmup", warmup)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise JscaleError(f"{name} is {value!r}; expected a whole number of steps")
    if not 0 <= warmup < steps:
        raise JscaleError(
            f"warmup is {warmup} of {steps} steps; expected from 0 to fewer than all of them"
        )
    if not (0 < peak < math.inf and 0 <= final <= peak):
        raise JscaleError(
            f"peak is {peak!r} and final {final!r}; expected 0 <= final <= peak and a peak above 0"
        )


def _warmed(peak: float, warmup: int, rest: np.ndarray) -> np.ndarray:
    return np.concatenate([peak * np.arange(warmup) / max(warmup, 1), rest])


@dataclass(frozen=True, eq=False)
class Schedule:
    """A schedule, worked out for the laws; all arrays are float64 and read-only.

    Attributes:
        rates: (T + 1,) learning rate of every step, 0 to T.
        areas: (T + 1,) sum of the rates up to and including each step.
        following: (T + 1,) rate of the next step; the last rate goes on for ever.
        steps: (K,) steps at which the rate changes after the warm-up.
        falls: (K,) by how much it falls there; negative where it rises again.
        before: (K,) sum of the rates before each of these steps.
    """

    rates: np.ndarray
    areas: np.ndarray
    following: np.ndarray
    steps: np.ndarray
    falls: np.ndarray
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
        return bool((self.falls > 0).all())


def as_key(rates: Any) -> bytes:
    """The schedule as bytes, by which laws are cached.

    Raises:
        JscaleError: not an array (T + 1,) of learning rates, or none of them above 0.
    """
    array = np.asarray(rates, dtype=np.float64) if np.ndim(rates) == 1 else np.zeros(0)
    if len(array) < 2:
        raise JscaleError(
            f"a schedule is an array of the learning rates of steps 0, 1, 2 ..., not {rates!r}"
        )
    wrong = np.flatnonzero(~(np.isfinite(array) & (array >= 0)))
    if len(wrong):
        raise JscaleError(
            f"the schedule has the rate {array[wrong[0]]:g} at step {wrong[0]}; expected 0 or above"
        )
    if not array.any():
        raise JscaleError("the schedule has no rate above 0: nothing is trained")
    return array.tobytes()


@functools.cache
def schedule(key: bytes) -> Schedule:
    """The schedule of a key.

    The warm-up is what comes before the first fall: its rises are no change here.
    """
    rates = np.frombuffer(key)
    areas = np.cumsum(rates)
    falls = -np.diff(rates)
    changes = np.flatnonzero((falls != 0) & (np.cumsum(falls > 0) > 0))
    prepared = Schedule(
        rates=rates,
        areas=areas,
        following=np.append(rates[1:], rates[-1]),
        steps=(changes + 1).astype(np.float64),
        falls=falls[changes],
        before=areas[changes],
    )
    for array in vars(prepared).values():
        array.flags.writeable = False
    return prepared
