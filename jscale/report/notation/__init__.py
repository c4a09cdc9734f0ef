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
    with_powers,
)

if TYPE_CHECKING:
    from jscale.report.notation._latex import latex_lines
    from jscale.report.notation._mathml import mathml_lines
    from jscale.report.notation._names import markup, mathtext, plain
    from jscale.report.notation.cards import Card, card

__all__ = [
    "MINUS",
    "MISSING",
    "Card",
    "card",
    "decimals",
    "fixed",
    "human",
    "latex_lines",
    "listing",
    "markup",
    "mathml_lines",
    "mathtext",
    "number",
    "percent",
    "plain",
    "plural",
    "power_of_ten",
    "significant",
    "with_powers",
]

# Formulas and cards need the laws, and so JAX; numbers as text need nothing.
__getattr__ = lazy_names(
    __name__,
    {
        "Card": "jscale.report.notation.cards",
        "card": "jscale.report.notation.cards",
        "latex_lines": "jscale.report.notation._latex",
        "markup": "jscale.report.notation._names",
        "mathml_lines": "jscale.report.notation._mathml",
        "mathtext": "jscale.report.notation._names",
        "plain": "jscale.report.notation._names",
    },
)
