"""Roots, minima and damped Newton methods, differentiable where callers need it."""

from jscale._core.solve._newton import Descent, newton
from jscale._core.solve._newton_batched import BatchedDescent, QuadraticModel, newton_batched
from jscale._core.solve._root_and_argmin import argmin, root

__all__ = [
    "BatchedDescent",
    "Descent",
    "QuadraticModel",
    "argmin",
    "newton",
    "newton_batched",
    "root",
]
