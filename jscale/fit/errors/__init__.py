"""Error models: how the losses of runs are distributed about a law."""

from typing import TYPE_CHECKING

from jscale._core.lazy import lazy_names
from jscale.fit.errors._arrays import (
    ErrorArrays,
    Placement,
    error_arrays,
    padded_placement,
    place,
    scale_reference,
)
from jscale.fit.errors._default import MIN_SPARE_RUNS, default_errors, smooth_errors
from jscale.fit.errors._error_model import DEFAULT_ERRORS, ErrorModel, as_error_model
from jscale.fit.errors._names import (
    SIGMA_SITE,
    effect_scale_site,
    effect_site,
    group_sites,
    noise_ranges,
    power_site,
    ratio_site,
    weight_counts,
)
from jscale.fit.errors._rows import (
    FittedRows,
    columns_needed,
    fitted_rows,
    group_labels,
    labels_of,
)
from jscale.fit.errors._text import FREE

if TYPE_CHECKING:
    from jscale.fit.errors._conditional import (
        Conditional,
        block_log_likelihoods,
        conditional,
        left_out,
        misfit_path,
    )
    from jscale.fit.errors._families import Scale, family_distribution, independent_errors
    from jscale.fit.errors._likelihood import error_sites, row_scale, shared_errors, weight_sites
    from jscale.fit.errors._priors import GROUP_WIDTH, noise_priors

__all__ = [
    "DEFAULT_ERRORS",
    "FREE",
    "GROUP_WIDTH",
    "MIN_SPARE_RUNS",
    "SIGMA_SITE",
    "Conditional",
    "ErrorArrays",
    "ErrorModel",
    "FittedRows",
    "Placement",
    "Scale",
    "as_error_model",
    "block_log_likelihoods",
    "columns_needed",
    "conditional",
    "default_errors",
    "effect_scale_site",
    "effect_site",
    "error_arrays",
    "error_sites",
    "family_distribution",
    "fitted_rows",
    "group_labels",
    "group_sites",
    "independent_errors",
    "labels_of",
    "left_out",
    "misfit_path",
    "noise_priors",
    "noise_ranges",
    "padded_placement",
    "place",
    "power_site",
    "ratio_site",
    "row_scale",
    "scale_reference",
    "shared_errors",
    "smooth_errors",
    "weight_counts",
    "weight_sites",
]

_MODULES = {
    "_conditional": (
        "Conditional",
        "block_log_likelihoods",
        "conditional",
        "left_out",
        "misfit_path",
    ),
    "_families": ("Scale", "family_distribution", "independent_errors"),
    "_likelihood": ("error_sites", "row_scale", "shared_errors", "weight_sites"),
    "_priors": ("GROUP_WIDTH", "noise_priors"),
}

# NumPyro takes a second to import, and a point fit does not need it.
__getattr__ = lazy_names(
    __name__,
    {name: f"{__name__}.{module}" for module, names in _MODULES.items() for name in names},
)
