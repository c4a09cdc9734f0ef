"""Numbers, formulas and law cards as text."""

from typing import TYPE_CHECKING

from jscale._core.lazy import lazy_names
from jscale.report.notation.numbers import (
    MINUS,
    MISSING,
    decimals,
    fixed,
    human,
    listing,
    number,
    percent,
    plural,
    power_of_ten,
    significant,
)

if TYPE_CHECKING:
    from jscale.report.notation._latex import latex_lines
    from jscale.report.notation._mathml import markup, mathml, mathtext, plain
    from jscale.report.notation.cards import details, returns

__all__ = [
    "MINUS",
    "MISSING",
    "decimals",
    "details",
    "fixed",
    "human",
    "latex_lines",
    "listing",
    "markup",
    "mathml",
    "mathtext",
    "number",
    "percent",
    "plain",
    "plural",
    "power_of_ten",
    "returns",
    "significant",
]

# Formulas and cards need the laws, and so JAX; numbers as text need nothing.
__getattr__ = lazy_names(
    __name__,
    {
        "details": "jscale.report.notation.cards",
        "latex_lines": "jscale.report.notation._latex",
        "markup": "jscale.report.notation._mathml",
        "mathml": "jscale.report.notation._mathml",
        "mathtext": "jscale.report.notation._mathml",
        "plain": "jscale.report.notation._mathml",
        "returns": "jscale.report.notation.cards",
    },
)
