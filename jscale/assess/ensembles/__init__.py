"""Ensembles: forecasts that average over laws and error models."""

from jscale.assess.ensembles._candidates import candidates_of
from jscale.assess.ensembles._correction import BandCorrection, UncorrectableError
from jscale.assess.ensembles._ensemble import Ensemble, Member, ensemble
from jscale.assess.ensembles._forecaster import ensemble_forecaster
from jscale.assess.ensembles._single import (
    CorrectedPosterior,
    band_correction,
    correct_bands,
    corrected_forecaster,
    runs_of,
)

__all__ = [
    "BandCorrection",
    "CorrectedPosterior",
    "Ensemble",
    "Member",
    "UncorrectableError",
    "band_correction",
    "candidates_of",
    "correct_bands",
    "corrected_forecaster",
    "ensemble",
    "ensemble_forecaster",
    "runs_of",
]
