"""Solvers of a fit: multistart descents, batched refits, and a second optimiser."""

from jscale.fit.solve._batched import Batch, chunk_for, refit_batch
from jscale.fit.solve._multistart import AGREEMENT, distinct_minima, multistart
from jscale.fit.solve._second_method import second_method
from jscale.fit.solve._staged_descent import descend

__all__ = [
    "AGREEMENT",
    "Batch",
    "chunk_for",
    "descend",
    "distinct_minima",
    "multistart",
    "refit_batch",
    "second_method",
]
