"""Grid search, and functions over many draws and points in chunks.

:func:`grid` searches a grid of any size on all devices. :func:`over_draws` and :func:`in_chunks`
evaluate a function at every draw and point: inside JAX, or in chunks outside of it.
:class:`GridProblem` and :func:`at_a_point` are for those who go on from a result, and
:class:`LostProcessError` is for those who run several processes.
"""

from jscale.plan.gridsearch._broadcast import in_padded_batches, over_draws
from jscale.plan.gridsearch._chunks import in_chunks
from jscale.plan.gridsearch._grid import grid
from jscale.plan.gridsearch._processes import LostProcessError
from jscale.plan.gridsearch._quantities import Quantity, at_a_point
from jscale.plan.gridsearch._result import GridProblem, GridResult

__all__ = [
    "GridProblem",
    "GridResult",
    "LostProcessError",
    "Quantity",
    "at_a_point",
    "grid",
    "in_chunks",
    "in_padded_batches",
    "over_draws",
]
