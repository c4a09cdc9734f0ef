"""Numbers that a fit is asked for, by name: parameters, exponents, plans."""

from jscale.assess.targets._estimate import Estimator, estimator
from jscale.assess.targets._names import EXPONENT
from jscale.assess.targets._quantity import Quantity, quantity

__all__ = [
    "EXPONENT",
    "Estimator",
    "Quantity",
    "estimator",
    "quantity",
]
