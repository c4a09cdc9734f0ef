"""Ensembles: forecasts that average over laws and error models."""

from jscale.assess.ensembles._candidates import candidates_of
from jscale.assess.ensembles._correction import BandCorrection
from jscale.assess.ensembles._ensemble import Ensemble, Member, ensemble
from jscale.assess.ensembles._forecaster import ensemble_forecaster

__all__ = [
    "BandCorrection",
    "Ensemble",
    "Member",
    "candidates_of",
    "ensemble",
    "ensemble_forecaster",
]
