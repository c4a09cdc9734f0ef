"""Pooled posteriors: parameters of groups of runs that are shared, partial or separate."""

from typing import TYPE_CHECKING

from jscale._core.lazy import lazy_names
from jscale.fit.bayes.pooling._modes import (
    BETWEEN,
    BY_GROUP,
    PARTIAL,
    SEPARATE,
    SHARED,
    Mode,
    Pool,
    check_errors,
    checked_pool,
    group_column,
    parsed_pool,
)

if TYPE_CHECKING:
    from jscale.fit.bayes.pooling._pooled import PooledPosterior
    from jscale.fit.bayes.pooling._sample import load_pooled, pooled_posterior

__all__ = [
    "BETWEEN",
    "BY_GROUP",
    "PARTIAL",
    "SEPARATE",
    "SHARED",
    "Mode",
    "Pool",
    "PooledPosterior",
    "check_errors",
    "checked_pool",
    "group_column",
    "load_pooled",
    "parsed_pool",
    "pooled_posterior",
]

# They need the model, which needs the modes.
__getattr__ = lazy_names(
    __name__,
    {
        "PooledPosterior": "jscale.fit.bayes.pooling._pooled",
        **dict.fromkeys(("load_pooled", "pooled_posterior"), "jscale.fit.bayes.pooling._sample"),
    },
)
