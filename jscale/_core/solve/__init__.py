"""Roots, minima and damped Newton methods, differentiable where callers need it."""

from jscale._core.solve._approach import Approach, approach
from jscale._core.solve._argmin import Minimum, argmin
from jscale._core.solve._bfgs import QuasiNewton, bfgs
from jscale._core.solve._cholesky import inverse_cholesky
from jscale._core.solve._crossing import Bracket, Crossing, crossing
from jscale._core.solve._newton import Descent, newton
from jscale._core.solve._newton_batched import BatchedDescent, QuadraticModel, newton_batched
from jscale._core.solve._root import held_root, root

__all__ = [
    "Approach",
    "BatchedDescent",
    "Bracket",
    "Crossing",
    "Descent",
    "Minimum",
    "QuadraticModel",
    "QuasiNewton",
    "approach",
    "argmin",
    "bfgs",
    "crossing",
    "held_root",
    "inverse_cholesky",
    "newton",
    "newton_batched",
    "root",
]
