"""Numbers that follow from a fit, by name: parameters, exponents, plans, losses."""

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
