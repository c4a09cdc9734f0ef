"""Error models: how the losses of runs are distributed about a law."""

from typing import TYPE_CHECKING

from jscale._core.lazy import lazy_names
from jscale.fit.errors._arrays import ErrorArrays, error_arrays
from jscale.fit.errors._error_model import DEFAULT_ERRORS, ErrorModel, as_error_model
from jscale.fit.errors._rows import FittedRows, fitted_rows

if TYPE_CHECKING:
    from jscale.fit.errors._likelihood import error_sites, weight_sites
    from jscale.fit.errors._priors import SIGMA_SITE, group_sites, noise_priors, ratio_site

__all__ = [
    "DEFAULT_ERRORS",
    "SIGMA_SITE",
    "ErrorArrays",
    "ErrorModel",
    "FittedRows",
    "as_error_model",
    "error_arrays",
    "error_sites",
    "fitted_rows",
    "group_sites",
    "noise_priors",
    "ratio_site",
    "weight_sites",
]

_PRIORS = ("SIGMA_SITE", "group_sites", "noise_priors", "ratio_site")
_LIKELIHOOD = ("error_sites", "weight_sites")

# NumPyro takes a second to import, and a point fit does not need it.
__getattr__ = lazy_names(
    __name__,
    {
        **dict.fromkeys(_PRIORS, "jscale.fit.errors._priors"),
        **dict.fromkeys(_LIKELIHOOD, "jscale.fit.errors._likelihood"),
    },
)
