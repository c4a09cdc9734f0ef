"""Origin of the published fits of Gemstones: every start of their authors' script.

    python -m benchmarks.gemstones

SciPy's L-BFGS-B with numerical gradients and default tolerances, as the authors ran it, from 4,500
starts: five minutes per fit. Needs the data set in the folder given by JSCALE_DATA.
"""

import itertools
from collections.abc import Iterator

import jax
import numpy as np

from jscale import fit, laws, runs
from jscale.assess.published._gemstones import DATASET, PUBLISHED, descents

_EXPONENTS, _COEFFICIENTS, _FLOORS = (
    np.arange(0, 2.5, 0.5),
    np.arange(0, 30, 5.0),
    np.arange(-1, 1.5, 0.5),
)


def lines() -> Iterator[str]:
    """One line for each fit."""
    table = runs.dataset(DATASET)
    starts = list(itertools.product(*[_EXPONENTS] * 2, *[_COEFFICIENTS] * 2, _FLOORS))
    for (subset, delta), (constants, objective) in PUBLISHED.items():
        part = table.where(table["subset"] == subset)
        with jax.enable_x64(True):
            minimum = fit.point(laws.chinchilla, part, objective=fit.Huber(delta)).objective
        ends = descents(part["N"], part["D"], part["loss"], delta, starts)
        deviation = np.array(
            [np.abs(end.x / np.array(list(constants.values())) - 1).max() for end in ends]
        )
        ratio = np.array([end.fun for end in ends]) / minimum
        yield (
            f"{subset} {delta:g}: {np.sum(deviation < 0.01)} of {len(ends)} within 1% of the "
            f"published constants; lowest {ratio.min() - 1:.2%} above the minimum, the published "
            f"one {objective / minimum - 1:.2%}, the median {np.median(ratio):.1f} times it"
        )


if __name__ == "__main__":
    for line in lines():
        print(line, flush=True)
