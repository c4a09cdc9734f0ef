"""Roots, minima and damped Newton methods, differentiable where callers need it."""

from jscale._core.solve._argmin import argmin
from jscale._core.solve._bfgs import QuasiNewton, bfgs
from jscale._core.solve._cholesky import inverse_cholesky
from jscale._core.solve._newton import Descent, newton
from jscale._core.solve._newton_batched import BatchedDescent, QuadraticModel, newton_batched
from jscale._core.solve._root import root

__all__ = [
    "BatchedDescent",
    "Descent",
    "QuadraticModel",
    "QuasiNewton",
    "argmin",
    "bfgs",
    "inverse_cholesky",
    "newton",
    "newton_batched",
    "root",
]
