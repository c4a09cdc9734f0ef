"""Names of the parameters of an error model, and their ranges."""

import math
from collections.abc import Iterable

import numpy as np

from jscale.fit.errors._error_model import ErrorModel
from jscale.fit.errors._rows import FittedRows, group_labels, labels_of
from jscale.fit.errors._text import FREE

SIGMA_SITE = "sigma"
MISFIT, MISFIT_SCALE_SITE, MISFIT_LENGTH_SITE = "misfit", "misfit_scale", "misfit_length"
_POSITIVE, _REAL, _SHARE = (0.0, math.inf), (-math.inf, math.inf), (0.0, 1.0)


def site_text(name: str) -> str:
    """A column in the name of a site; a slash would make a group of a file."""
    return name.replace("/", "_per_")


def power_site(term: str) -> str:
    """The site of the power of a term of the scale."""
    return f"scale_power_{site_text(term)}"


def effect_site(column: str) -> str:
    """The site of the random effects of a column."""
    return f"effect_{site_text(column)}"


def effect_scale_site(column: str) -> str:
    """The site of the standard deviation of the random effects of a column."""
    return f"effect_scale_{site_text(column)}"


def ratio_site(column: str) -> str:
    """The site of the log ratios of the scales of groups to ``sigma``."""
    return f"scale_ratio_{site_text(column)}"


def group_sites(labels: Iterable[str]) -> list[str]:
    """Names of the scales of groups, in the order of their labels; equal ones get an underscore."""
    names: list[str] = []
    for label in labels:
        name = f"{SIGMA_SITE}_{label.replace('/', '_')}"
        while name in names:
            name += "_"
        names.append(name)
    return names


def noise_ranges(
    errors: ErrorModel, rows: FittedRows | None = None
) -> dict[str, tuple[float, float]]:
    """Parameter of the error model → the ends of its range, in the order in which they are sampled.

    Args:
        errors: the error model, with its columns filled in.
        rows: the runs, for the scales of groups; None leaves them out.
    """
    ranges = {SIGMA_SITE: _POSITIVE}
    ranges |= {power_site(term): _REAL for term in errors.scale}
    if errors.nu == FREE:
        ranges["nu"] = _POSITIVE
    if errors.family == "outliers":
        ranges |= {"outlier_share": _SHARE, "outlier_scale": _POSITIVE}
    if errors.family == "one-sided":
        ranges["excess_scale"] = _POSITIVE
    ranges |= {effect_scale_site(column): _POSITIVE for column in errors.effects or ()}
    if errors.discrepancy is not None:
        ranges |= {MISFIT_SCALE_SITE: _POSITIVE, MISFIT_LENGTH_SITE: _POSITIVE}
    if rows is not None:
        ranges |= dict.fromkeys(group_sites(group_labels(errors, rows)), _POSITIVE)
    return ranges


def weight_counts(errors: ErrorModel, rows: FittedRows) -> dict[str, int]:
    """Site → number of standard normals of the errors that runs share, where they are sampled."""
    if errors.is_joint:
        return {}
    counts = {
        effect_site(column): len(np.unique(labels_of(rows.columns[column])))
        for column in errors.effects or ()
    }
    if errors.discrepancy is not None:
        assert rows.inducing is not None
        counts[MISFIT] = len(rows.inducing)
    return counts
