"""Quantiles of Student's t against printed tables and limits."""

import math
from statistics import NormalDist

import pytest

from jscale.fit.uncertainty import student_quantile


@pytest.mark.parametrize(
    ("level", "df", "value"),
    [
        (0.95, 1, 12.7062),
        (0.95, 3, 3.18245),
        (0.95, 10, 2.22814),
        (0.9, 5, 2.01505),
        (0.95, 1000, 1.96234),
    ],
)
def test_quantiles_of_the_printed_tables(level: float, df: int, value: float):
    assert student_quantile(level, df) == pytest.approx(value, rel=1e-5)


def test_without_and_with_infinite_degrees_of_freedom():
    assert student_quantile(0.9, 0) == math.inf
    assert student_quantile(0.9, math.inf) == pytest.approx(NormalDist().inv_cdf(0.95))
    assert student_quantile(0.9, 1e8) == pytest.approx(student_quantile(0.9, math.inf), rel=1e-6)
