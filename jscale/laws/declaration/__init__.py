"""Declaring a law in its own signature, and making laws from laws."""

from jscale.laws.declaration._combine import fix, substitute, tie
from jscale.laws.declaration._declare import LawFunction, describe, is_law, law, member, params
from jscale.laws.declaration._derived import Held, family, held_form
from jscale.laws.declaration._record import (
    CONFIDENCE,
    Constants,
    Input,
    Parameter,
    Record,
    constants,
)
from jscale.laws.declaration._shares import sum_label, sum_of_parts
from jscale.laws.declaration._traceable import require_compilable

__all__ = [
    "CONFIDENCE",
    "Constants",
    "Held",
    "Input",
    "LawFunction",
    "Parameter",
    "Record",
    "constants",
    "describe",
    "family",
    "fix",
    "held_form",
    "is_law",
    "law",
    "member",
    "params",
    "require_compilable",
    "substitute",
    "sum_label",
    "sum_of_parts",
    "tie",
]
