"""Scores and losses made comparable: contamination, density envelopes, sizes of a reference."""

from jscale.assess.evaluations._decontaminated import Decontaminated, decontaminated
from jscale.assess.evaluations._envelope import Envelope, envelope
from jscale.assess.evaluations._reference import reference_parameters

__all__ = ["Decontaminated", "Envelope", "decontaminated", "envelope", "reference_parameters"]
