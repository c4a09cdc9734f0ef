"""One number under every choice of objective, runs and law (a specification curve)."""

from jscale.assess.robustness._sensitivity import (
    OBJECTIVES,
    Sensitivity,
    Specification,
    sensitivity,
)

__all__ = [
    "OBJECTIVES",
    "Sensitivity",
    "Specification",
    "sensitivity",
]
