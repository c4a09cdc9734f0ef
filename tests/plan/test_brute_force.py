"""Random problems: a grid never beats a plan, and never finds an optimum where there is none."""

import pytest

from benchmarks.plan_problems import disagreements
from jscale import laws
from jscale._core.scope import float64


@pytest.mark.parametrize(
    ("law", "count"),
    [(laws.data_constrained, 60), (laws.overfitting_penalty, 60), (laws.coupled, 20)],
    ids=["reuse", "two minima", "coupled"],
)
def test_no_grid_beats_a_plan(law, count):
    """Benchmarks/plan_problems.py does the same with 1,000 problems of every law of N and D."""
    with float64():
        report = disagreements(law, count, points=1501, seed=3)
    assert report.optima == count
    assert report.beaten == report.lost == 0
