"""Quantiles of Student's t, for intervals whose errors are themselves estimated."""

import functools
import math
from statistics import NormalDist


@functools.cache  # a flag for every valley of every table asks for the same few
def student_quantile(level: float, df: float) -> float:
    """How many standard errors hold the share ``level`` of Student's t with ``df`` degrees of
    freedom.

    Infinite without degrees of freedom, the normal quantile with infinitely many.
    """
    if df <= 0:
        return math.inf
    if math.isinf(df):
        return NormalDist().inv_cdf(0.5 + level / 2)
    from scipy.special import stdtrit  # takes a third of a second to import

    return float(stdtrit(df, 0.5 + level / 2))
