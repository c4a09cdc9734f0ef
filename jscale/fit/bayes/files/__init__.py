"""Files of posteriors: a checksum behind the HDF5 data, and one check of everything read."""

from jscale.fit.bayes.files._check import (
    MAX_DRAWS,
    MIN_DRAWS,
    Content,
    check_draws,
    check_path,
    checked,
)
from jscale.fit.bayes.files._layout import (
    columns_text,
    draws_group,
    row_dimensions,
    row_groups,
)
from jscale.fit.bayes.files._read import read
from jscale.fit.bayes.files._seal import seal

__all__ = [
    "MAX_DRAWS",
    "MIN_DRAWS",
    "Content",
    "check_draws",
    "check_path",
    "checked",
    "columns_text",
    "draws_group",
    "read",
    "row_dimensions",
    "row_groups",
    "seal",
]
