"""Quantiles of Student's t, for intervals whose errors are themselves estimated."""

import functools
import math
from statistics import NormalDist


@functools.cache  # every budget of every table asks for the same few
def student_quantile(level: float, df: float) -> float:
    """Half width, in standard errors, of the central interval with the probability ``level``.

    The distribution is Student's t with ``df`` degrees of freedom: infinite width for none, the
    normal quantile for infinitely many.
    """
    if df <= 0:
        return math.inf
    if math.isinf(df):
        return NormalDist().inv_cdf(0.5 + level / 2)
    from scipy.special import stdtrit  # takes a third of a second to import

    return float(stdtrit(df, 0.5 + level / 2))
