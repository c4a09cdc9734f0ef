"""What a fit minimises: losses, weights, clusters, coordinates, and the problem made of them."""

from jscale.fit.objective._clusters import column_of, company, few, labels_of
from jscale.fit.objective._coordinates import Coordinates, at_runs
from jscale.fit.objective._losses import (
    AsymmetricHuber,
    Huber,
    HuberLikelihood,
    Objective,
    Squares,
    StudentLikelihood,
    residuals,
    resolve,
)
from jscale.fit.objective._problem import (
    Local,
    Problem,
    Tableau,
    examine,
    first_guess,
    floored,
    longest_steps,
    next_stage,
    params_at,
    slopes,
)
from jscale.fit.objective._start_ranges import elsewhere, longest, ranges, spread
from jscale.fit.objective._tabulate import AS_THEY_ARE, require_enough, require_logarithms, tabulate
from jscale.fit.objective._weights import Weights, called, weigh

__all__ = [
    "AS_THEY_ARE",
    "AsymmetricHuber",
    "Coordinates",
    "Huber",
    "HuberLikelihood",
    "Local",
    "Objective",
    "Problem",
    "Squares",
    "StudentLikelihood",
    "Tableau",
    "Weights",
    "at_runs",
    "called",
    "column_of",
    "company",
    "elsewhere",
    "examine",
    "few",
    "first_guess",
    "floored",
    "labels_of",
    "longest",
    "longest_steps",
    "next_stage",
    "params_at",
    "ranges",
    "require_enough",
    "require_logarithms",
    "residuals",
    "resolve",
    "slopes",
    "spread",
    "tabulate",
    "weigh",
]
