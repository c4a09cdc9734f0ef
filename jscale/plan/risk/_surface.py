"""Plans on a surface of losses that is known inside the range of runs only."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.text import shown
from jscale.plan.risk._bands import Bands
from jscale.plan.risk._quantiles import quantiles_over_draws

_POINTS = 241
"""Sizes that are compared, 1 to 3% apart over one to three decades."""
_TOKENS_PER_FLOP = 6.0


class KnownSurface(Protocol):
    """Losses inside the range of runs, as :meth:`jscale.fit.Posterior.surface` returns them."""

    @property
    def ranges(self) -> Mapping[str, tuple[float, float]]:
        """Quantity → its smallest and largest value over the runs."""
        ...

    __call__: Callable[..., np.ndarray]


def on_surface(
    surface: KnownSurface,
    budget: float,
    *,
    quantiles: Sequence[float] = (0.05, 0.5, 0.95),
    **fixed: float,
) -> Bands:
    """The model of least loss for a budget, by the law and its discrepancy, inside the runs' range.

    Every draw of the surface has its best model among sizes 1 to 3% apart. Beyond the runs the
    discrepancy is unknown: plan there by the law's parameters, with :func:`jscale.plan.bands`.

    Args:
        surface: of :meth:`jscale.fit.Posterior.surface`, of a law of N and D.
        budget: training FLOP, 6 N D, within the range of the runs.
        quantiles: probabilities between 0 and 1.
        **fixed: other inputs of the law.

    Returns:
        Quantiles of ``N_opt``, ``D_opt`` and ``loss`` over the draws. ``converged`` is the share of
        draws whose best model lies between the ends of the range; the others count at the end.

    Raises:
        JscaleError: a budget outside the runs, at which no run's size and tokens are combined, or a
            law without N and D.

    Example:
        >>> import numpy as np
        >>> from jscale import laws, plan
        >>> class Known:
        ...     ranges = {"N": (1e8, 1e10), "D": (1e9, 1e12), "C": (1e18, 1e22)}
        ...     def __call__(self, inputs):
        ...         theta = laws.params(laws.chinchilla)
        ...         return np.asarray(laws.chinchilla(**inputs, **theta))[None]
        >>> best = plan.on_surface(Known(), 1e21)
        >>> [f"{size:.1e}" for size in best.values["N_opt"]], float(best.converged)
        (['2.2e+09', '2.2e+09', '2.2e+09'], 1.0)
    """
    N = _sizes(surface.ranges, budget)
    D = budget / (_TOKENS_PER_FLOP * N)
    losses = surface({"N": N, "D": D, **fixed})
    best = losses.argmin(axis=1)
    values = {"N_opt": N[best], "D_opt": D[best], "loss": losses.min(axis=1)}
    summaries: dict[str, Any] = {
        name: quantiles_over_draws(column, tuple(quantiles), xp=np)
        for name, column in values.items()
    }
    inside = (best > 0) & (best < len(N) - 1)
    return Bands(tuple(quantiles), summaries, np.mean(inside), len(losses))


def _sizes(ranges: Mapping[str, tuple[float, float]], budget: float) -> np.ndarray:
    """Numbers of parameters whose size, tokens and ratio lie within the runs (points,)."""
    if not {"N", "D"} <= set(ranges):
        raise JscaleError("on_surface: the surface has no N and D; expected that of a law of both")
    product = budget / _TOKENS_PER_FLOP
    low, high = ranges.get("C", (0.0, np.inf))
    if not low <= budget <= high:
        raise JscaleError(
            f"must lie within the compute of the runs, {low:.4g} to {high:.4g} FLOP, not be "
            f"{shown(budget)}; beyond them plan by the law's parameters (plan.bands)",
            argument="budget",
        )
    bounds = [ranges["N"], tuple(product / end for end in reversed(ranges["D"]))]
    if "D/N" in ranges:
        bounds.append(tuple((product / end) ** 0.5 for end in reversed(ranges["D/N"])))
    first, last = max(low for low, _ in bounds), min(high for _, high in bounds)
    if not first < last:
        raise JscaleError(
            f": at {budget:.4g} FLOP no size and tokens both lie within the runs; expected a "
            "budget at which some do",
            argument="budget",
        )
    return np.geomspace(first, last, _POINTS)
