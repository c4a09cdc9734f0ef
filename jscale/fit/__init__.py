"""Parameters from runs: certified points, bootstraps and posteriors."""

from typing import TYPE_CHECKING, Any

from jscale.fit._bootstrap import Bootstrap, bootstrap
from jscale.fit._certificate import Certificate
from jscale.fit._intervals import Interval, Intervals, intervals
from jscale.fit._intervals_covariance import Covariance, covariance
from jscale.fit._intervals_kinds import KINDS as INTERVAL_KINDS
from jscale.fit._objective import AsymmetricHuber, Huber, HuberLikelihood, Objective, Squares, StudentLikelihood
from jscale.fit._point import Point, point
from jscale.fit._posterior import Posterior, load, posterior, predict
from jscale.fit._profile import Profile, profile
from jscale.fit.approaches import (
    IsoFlop,
    PowerLaw,
    ThreeApproaches,
    TrainingCurves,
    isoflop,
    three_approaches,
    training_curves,
)

if TYPE_CHECKING:
    from jscale.fit._model import model

__all__ = [
    "INTERVAL_KINDS", "AsymmetricHuber", "Bootstrap", "Certificate", "Covariance", "Huber", "HuberLikelihood",
    "Interval", "Intervals", "IsoFlop", "Objective", "Point", "Posterior", "PowerLaw", "Profile", "Squares",
    "StudentLikelihood", "ThreeApproaches", "TrainingCurves", "bootstrap", "covariance", "intervals", "isoflop",
    "load", "model", "point", "posterior", "predict", "profile", "three_approaches", "training_curves",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    # NumPyro takes a second to import, and a point fit does not need it.
    if name == "model":
        from jscale.fit._model import model

        return model
    raise AttributeError(f"module 'jscale.fit' has no attribute {name!r}")
