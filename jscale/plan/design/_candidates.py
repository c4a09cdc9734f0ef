"""Runs that could be done: a grid of sizes, tokens and bits up to a cost."""

import numpy as np
from jax.typing import ArrayLike

from jscale._core.checks import check_number
from jscale._core.errors import JscaleError
from jscale.plan.costs import Cost, training_flops


def run_grid(
    N: ArrayLike,
    D: ArrayLike,
    P: ArrayLike | None = None,
    *,
    most: float,
    cost: Cost | None = None,
) -> dict[str, np.ndarray]:
    """All combinations of sizes, tokens and bits that cost at most ``most``.

    Args:
        N: parameters, (sizes,).
        D: tokens, (lengths,).
        P: training bits, (formats,), or None.
        most: the largest cost of a run, FLOP or the unit of the cost.
        cost: of a run; None for ``6 N D``.

    Returns:
        N, D, and P if given → (runs,).

    Raises:
        JscaleError: a number that is not above 0, or no combination is cheap enough.

    Example:
        >>> from jscale import plan
        >>> grid = plan.run_grid([1e8, 1e9], [1e9, 1e10, 1e11], most=1e20)
        >>> [f"{size:.0e}" for size in grid["N"]]
        ['1e+08', '1e+08', '1e+08', '1e+09', '1e+09']
    """
    numbers = {"N": N, "D": D} | ({} if P is None else {"P": P})
    axes = {
        name: np.atleast_1d(np.asarray(check_number(name, value, above=0.0), np.float64))
        for name, value in numbers.items()
    }
    mesh = np.meshgrid(*axes.values(), indexing="ij")
    runs = {name: each.ravel() for name, each in zip(axes, mesh, strict=True)}
    spent = np.asarray((cost or training_flops).flops(runs["N"], runs["D"], runs.get("P")))
    cheap = spent <= check_number("most", most, above=0.0) * (1 + 1e-12)
    if not cheap.any():
        raise JscaleError(
            f"no run of the grid costs at most {most:g}: the cheapest costs {spent.min():g}",
            argument="most",
        )
    return {name: values[cheap] for name, values in runs.items()}
