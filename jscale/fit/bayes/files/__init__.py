"""Files of posteriors: a checksum behind the HDF5 data, and one check of everything read."""

from jscale.fit.bayes.files._check import (
    MAX_DRAWS,
    MIN_DRAWS,
    Content,
    check_draws,
    check_path,
    checked,
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
    "read",
    "seal",
]
