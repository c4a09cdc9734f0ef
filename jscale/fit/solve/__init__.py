"""How the minimum is found: multistart descents, batched refits, and a second optimiser."""

from jscale.fit.solve._batched import Batch, chunk_for, refit
from jscale.fit.solve._multistart import AGREEMENT, distinct, search
from jscale.fit.solve._second_method import challenge
from jscale.fit.solve._staged_descent import descend

__all__ = [
    "AGREEMENT",
    "Batch",
    "challenge",
    "chunk_for",
    "descend",
    "distinct",
    "refit",
    "search",
]
