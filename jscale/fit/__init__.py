"""Parameters from runs: certified fits, intervals, bootstraps, posteriors and isoFLOP analyses."""

from typing import TYPE_CHECKING

from jscale._core.lazy import lazy_names
from jscale.fit.approaches import (
    IsoFlop,
    PowerLaw,
    ThreeApproaches,
    TrainingCurves,
    isoflop,
    three_approaches,
    training_curves,
)
from jscale.fit.bayes import Posterior, load, posterior, predict
from jscale.fit.curves import RunEnds, run_ends
from jscale.fit.errors import ErrorModel
from jscale.fit.objective import (
    AsymmetricHuber,
    Huber,
    HuberLikelihood,
    Objective,
    Squares,
    StudentLikelihood,
)
from jscale.fit.optimum import Certificate, Point, point
from jscale.fit.predictions import Prediction
from jscale.fit.uncertainty import (
    INTERVAL_KINDS,
    Bootstrap,
    Covariance,
    Interval,
    Intervals,
    Profile,
    bootstrap,
    covariance,
    intervals,
    profile,
)

if TYPE_CHECKING:
    from jscale.fit.bayes import PooledPosterior, load_pooled, model, pooled_posterior

__all__ = [
    "INTERVAL_KINDS",
    "AsymmetricHuber",
    "Bootstrap",
    "Certificate",
    "Covariance",
    "ErrorModel",
    "Huber",
    "HuberLikelihood",
    "Interval",
    "Intervals",
    "IsoFlop",
    "Objective",
    "Point",
    "PooledPosterior",
    "Posterior",
    "PowerLaw",
    "Prediction",
    "Profile",
    "RunEnds",
    "Squares",
    "StudentLikelihood",
    "ThreeApproaches",
    "TrainingCurves",
    "bootstrap",
    "covariance",
    "intervals",
    "isoflop",
    "load",
    "load_pooled",
    "model",
    "point",
    "pooled_posterior",
    "posterior",
    "predict",
    "profile",
    "run_ends",
    "three_approaches",
    "training_curves",
]

# NumPyro takes a second to import, and a point fit does not need it.
__getattr__ = lazy_names(
    __name__,
    dict.fromkeys(
        ("PooledPosterior", "load_pooled", "model", "pooled_posterior"), "jscale.fit.bayes"
    ),
)
