"""Functions that a law's formula calls by name, computed by brute force in 40 digits."""

import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import mpmath
import numpy as np

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


class Directions:
    """The sums of the noisy quadratic system over its directions, in extended precision.

    4,096 terms one by one, then the Euler-Maclaurin formula: an integral in the logarithm of the
    direction, by 4,096 nodes, and the ends.
    """

    rate = np.longdouble("1.999")
    whole = np.arange(1, 4097, dtype=np.longdouble)
    nodes, weights = map(np.longdouble, np.polynomial.legendre.leggauss(32))
    panels = 128

    @staticmethod
    def number(x: Any) -> Any:
        return np.longdouble(mpmath.nstr(x, 25))

    def total(self, term: Callable[[Any], Any], N: Any) -> Any:
        low, high = np.log(self.whole[-1]), np.log(N)
        width = (high - low) / self.panels
        starts = low + width * np.arange(self.panels)[:, None]
        n = np.exp(starts + width * (self.nodes + 1) / 2)
        integral = np.sum(term(n) * n * self.weights) * width / 2

        last = self.whole[-3:]
        slope = np.array([1, -4, 3], np.longdouble) @ term(last) / 2
        ends = term(N) / 2 - term(last[-1]) / 2 - slope / 12
        return np.sum(term(self.whole)) + integral + ends

    def kept(self, n: Any, steps: Any, Q: Any, q: Any) -> Any:
        x = self.rate * Q * n**-q
        small = np.log1p(-np.minimum(x, np.longdouble(0.5)))
        return x, np.exp(2 * steps * np.where(x < 0.5, small, np.log(np.abs(1 - x))))

    def unlearned(self, *values: Any) -> Any:
        N, steps, P, p, Q, q = map(self.number, values)
        beyond = N ** (1 - p) / (p - 1) - N**-p / 2 + p * N ** (-p - 1) / 12
        learning = self.total(lambda n: n**-p * self.kept(n, steps, Q, q)[1], N)
        return mpmath.mpf(str(P / 2 * (learning + beyond)))

    def noise(self, *values: Any) -> Any:
        N, steps, Q, q, R, r = map(self.number, values)

        def term(n: Any) -> Any:
            x, kept = self.kept(n, steps, Q, q)
            small = np.log1p(-np.minimum(x, np.longdouble(0.5)))
            fresh = np.where(x < 0.5, -np.expm1(2 * steps * small), 1 - kept)
            return fresh * n**-r / (2 - x)

        return mpmath.mpf(str(self.rate * R / 2 * self.total(term, N)))


_DIRECTIONS = Directions()

EXACT_FUNCTIONS: Mapping[str, Mapping[str, Callable[..., Any]]] = {
    "m4": {"share": share},
    "noisy_quadratic": {"unlearned": _DIRECTIONS.unlearned, "noise": _DIRECTIONS.noise},
    "momentum_law": {"area": _STEPS.area, "annealing": _STEPS.annealing},
    "multi_power": {"area": _STEPS.area, "drop": _STEPS.drop},
}
