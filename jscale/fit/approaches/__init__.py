"""Hoffmann's approaches to the compute-optimal model: training curves, isoFLOP valleys, a law."""

from jscale.fit.approaches._bias import Bias
from jscale.fit.approaches._budgets import Budget
from jscale.fit.approaches._isoflop import IsoFlop, isoflop
from jscale.fit.approaches._powerlaw import Lines, PowerLaw
from jscale.fit.approaches._three import Exponents, ThreeApproaches, three_approaches
from jscale.fit.approaches._training import TrainingCurves, training_curves

__all__ = [
    "Bias",
    "Budget",
    "Exponents",
    "IsoFlop",
    "Lines",
    "PowerLaw",
    "ThreeApproaches",
    "TrainingCurves",
    "isoflop",
    "three_approaches",
    "training_curves",
]
