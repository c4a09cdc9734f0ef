"""Functions over many draws and points: broadcast inside JAX, or in chunks outside of it."""

from jscale.plan.gridsearch._broadcast import over_draws
from jscale.plan.gridsearch._chunks import in_chunks

__all__ = [
    "in_chunks",
    "over_draws",
]
