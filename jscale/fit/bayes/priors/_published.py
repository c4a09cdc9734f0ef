"""Priors about the published constants of a law, as wide as the sources differ."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from jscale._core.errors import JscaleError
from jscale.fit.objective import Coordinates
from jscale.laws import Parameter, Record, roles

CENTRED = "_centred"
"""Ends the name of the coordinate of an anchored parameter, as the model names its site."""
_MIN_WIDTH = 0.15
"""Least relative width: sources that agree better share their runs."""
_SINGLE_WIDTH = 0.5
"""Relative width where there is one source."""
_SAME = 0.01
"""Relative difference up to which two values are one, printed with more or fewer digits."""


def published_priors(record: Record, centre: Mapping[str, Any]) -> dict[str, roles.Prior]:
    """Priors about the published constants: parameter or coordinate → prior.

    A coefficient with an anchor has its prior in its coordinate, the term at the typical run, since
    the coefficients of two sources differ by decades where their terms differ by a tenth.

    Args:
        record: of the law.
        centre: of the coordinates.

    Raises:
        JscaleError: no source has all of the law's constants.
    """
    names = record.parameter_names
    sources = [dict(source.values) for source in record.published.values()]
    sources = [values for values in sources if set(names) <= set(values)]
    if not sources:
        raise JscaleError(
            f': law {record.name!r} has no published constants, which "published" takes; expected '
            "a mapping of parameters to priors",
            argument="priors",
        )
    priors = {}
    for p in record.parameters:
        in_coordinate = _has_natural_coordinate(p)
        key = f"{p.name}{CENTRED}" if in_coordinate else p.name
        scopes = [{**centre, **values} for values in sources]
        values = [
            float(Coordinates.coordinate(p, scope)) if in_coordinate else float(scope[p.name])
            for scope in scopes
        ]
        is_positive = (p.role.support if in_coordinate else p.support).lower == 0
        priors[key] = _about(np.array(values), is_positive=is_positive)
    return priors


def _has_natural_coordinate(parameter: Parameter) -> bool:
    """Whether the coordinate, rather than the parameter itself, is what sources agree on.

    It is not for a share of the losses of these runs, and not where the anchor is a shift alone.
    """
    anchor = parameter.role.anchor
    if anchor is None or not math.isinf(parameter.role.support.upper):
        return False
    return not (anchor.multiplies == "1" and anchor.power == "1")


def _about(values: np.ndarray, *, is_positive: bool) -> roles.Prior:
    """A lognormal or normal prior about the values of several sources."""
    logs = np.log(np.maximum(values, 1e-300)) if is_positive else values
    unit = 1.0 if is_positive else max(float(np.abs(values).mean()), 1e-3)
    ordered = np.sort(logs)
    different = ordered[np.append(True, np.diff(ordered) > _SAME * unit)]
    width = _SINGLE_WIDTH * unit
    if len(different) > 1:
        width = max(float(different.std(ddof=1)), _MIN_WIDTH * unit)
    return roles.Prior("lognormal" if is_positive else "normal", (float(different.mean()), width))
