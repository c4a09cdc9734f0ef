"""Functions that a law's formula calls by name, computed by brute force in 40 digits."""

import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import mpmath

from jscale.laws.training import _schedule


def share(ratio: Any, alpha: Any) -> Any:
    """The t at which ``t / (1 - t)**alpha = ratio``, by halving in the logit of t."""
    low, high = mpmath.mpf(-200), mpmath.mpf(200)
    for _ in range(140):
        middle = (low + high) / 2
        t = 1 / (1 + mpmath.exp(-middle))
        # 1 - t from its own formula: near 1 the difference has no digits left.
        below = mpmath.log(t) + alpha * mpmath.log1p(mpmath.exp(middle)) < mpmath.log(ratio)
        low, high = (middle, high) if below else (low, middle)
    return 1 / (1 + mpmath.exp(-low))


class Steps:
    """The sums of a learning-rate schedule, step by step."""

    def __init__(self, rates: Iterable[float]) -> None:
        self.rates = [mpmath.mpf(float(rate)) for rate in rates]
        decreases = [a - b for a, b in itertools.pairwise(self.rates)]
        first = next(k for k, decrease in enumerate(decreases) if decrease > 0)
        self.decreases = [
            (k + 1, decrease)
            for k, decrease in enumerate(decreases)
            if k >= first and decrease != 0
        ]

    def area(self, t: Any) -> Any:
        """Sum of the rates of the steps 0 … t; a step in progress counts in part."""
        return sum(self._part(i, t) for i in range(len(self.rates))) + self._after(t)

    def _part(self, step: int, t: Any) -> Any:
        return self.rates[step] * min(max(t - step + 1, 0), 1)

    def _after(self, t: Any) -> Any:
        return self.rates[-1] * max(t - len(self.rates) + 1, 0) if self.rates[-1] else 0

    def annealing(self, t: Any, lam: Any) -> Any:
        """Sum of ``m_i = lam * m_{i-1} + decrease_i``: a geometric series for every decrease."""
        return sum(
            decrease * (1 - lam ** max(t - k + 1, 0)) / (1 - lam) for k, decrease in self.decreases
        )

    def drop(self, t: Any, C: Any, beta: Any, gamma: Any) -> Any:
        """Sum of ``fall_k * (1 - (1 + C * rate_k**-gamma * S_k)**-beta)``."""
        since = [self._after(t)]
        for i in reversed(range(len(self.rates))):
            since.append(since[-1] + self._part(i, t))
        since.reverse()
        return sum(
            decrease * (1 - (1 + C * self.rates[k] ** -gamma * since[k]) ** -beta)
            for k, decrease in self.decreases
        )


_STEPS = Steps(_schedule.cosine(1000, 3e-4, final=3e-5, warmup=100))

EXACT_FUNCTIONS: Mapping[str, Mapping[str, Callable[..., Any]]] = {
    "m4": {"share": share},
    "momentum_law": {"area": _STEPS.area, "annealing": _STEPS.annealing},
    "multi_power": {"area": _STEPS.area, "drop": _STEPS.drop},
}
