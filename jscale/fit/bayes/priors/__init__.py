"""Priors: as texts, about published constants, and as NumPyro distributions."""

from typing import TYPE_CHECKING

from jscale._core.lazy import lazy_names
from jscale.fit.bayes.priors._text import parsed_prior, parsed_priors

if TYPE_CHECKING:
    from jscale.fit.bayes.priors._published import CENTRED
    from jscale.fit.bayes.priors._resolved import (
        Priors,
        as_distribution,
        recorded,
        resolved_priors,
        support_of,
        written,
    )

__all__ = [
    "CENTRED",
    "Priors",
    "as_distribution",
    "parsed_prior",
    "parsed_priors",
    "recorded",
    "resolved_priors",
    "support_of",
    "written",
]

_RESOLVED = ("Priors", "as_distribution", "recorded", "resolved_priors", "support_of", "written")

# NumPyro takes a second to import, and texts of priors are parsed without it.
__getattr__ = lazy_names(
    __name__,
    {
        "CENTRED": "jscale.fit.bayes.priors._published",
        **dict.fromkeys(_RESOLVED, "jscale.fit.bayes.priors._resolved"),
    },
)
