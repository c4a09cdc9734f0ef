"""Checks of a table and of a fit, one module a family; a new one registers itself."""

from jscale.assess.auditing.checks import (
    _bits,
    _compute,
    _design,
    _errors,
    _forecast,
    _isoflop,
    _protocol,
    _rows,
)
from jscale.assess.auditing.checks._registry import CHECKS, Check, check
from jscale.assess.auditing.checks._subject import Subject

__all__ = ["CHECKS", "FAMILIES", "Check", "Subject", "check"]

FAMILIES = (_design, _compute, _rows, _bits, _protocol, _isoflop, _errors, _forecast)
"""The modules of checks; each registers its own when it is imported."""
