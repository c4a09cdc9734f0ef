"""The optimum between the points of a grid."""

import numpy as np
import pytest

from jscale import laws, plan
from jscale._core.errors import JscaleError
from jscale._core.status import Status
from jscale.plan import reductions
from tests.plan.cases import KUMAR

AXES = {
    "N": np.geomspace(1e9, 1e10, 21),
    "D": np.geomspace(1e10, 1e12, 21),
    "P": np.arange(4.0, 17.0),
}
QUANTITIES = {"loss": laws.precision, "flops": "6/16 * N * D * P"}
OPTIMUM = {"N": 5.34335e9, "D": 7.12732e10, "P": 7.00211}


def search(**options):
    settings = {"params": KUMAR, "where": "flops <= 1e21", "dtype": "float32"}
    return plan.grid(QUANTITIES, AXES, **settings | options)


def test_float32_then_polished():
    """The optimum of float64, its multiplier, and no worse than the grid."""
    cells = search()
    best = plan.polish(cells)
    values = {name: float(value) for name, value in best.values.items()}
    assert values == pytest.approx(OPTIMUM, rel=1e-6)
    assert best.objective.dtype == np.float64
    assert float(best.objective) == pytest.approx(2.91246235, abs=1e-8)
    assert float(best.objective) < float(cells["best"]["value"])
    # What one more FLOP saves is the slope of the optimal loss by the budget.
    direct = plan.optimal(laws.precision, KUMAR, 1e21, free=("N", "D", "P"))
    excess = float(direct.loss) - KUMAR["E"]
    slope = KUMAR["alpha"] * KUMAR["beta"] / (KUMAR["alpha"] + KUMAR["beta"]) * excess / 1e21
    assert float(best.multipliers[0]) == pytest.approx(slope, rel=1e-3)


def test_axes_that_stay():
    """Formats stay those of the best point; the rest is the optimum at 7 bits."""
    best = plan.polish(search(), free=["N", "D"])
    assert float(best.values["P"]) == 7
    direct = plan.optimal(laws.precision, KUMAR, 1e21, P=7.0)
    assert float(best.values["N"]) == pytest.approx(float(direct.N_opt), rel=1e-5)


def test_the_end_of_an_axis_and_a_product_on_both_sides():
    """A lower end holds the size; the budget is written with a variable on its right side."""
    axes = AXES | {"N": np.geomspace(6e9, 6e10, 21)}
    where = ["6 * N * D < 16e21 / P", "D >= 0"]
    cells = plan.grid(laws.precision, axes, params=KUMAR, where=where)
    best = plan.polish(cells)
    assert best.at_bounds() == ["N at its lower bound"]
    assert int(best.status) == int(Status.at_bound)
    N, D, P = (float(best.values[name]) for name in "NDP")
    budget = N * D * P * 6 / 16
    assert budget == pytest.approx(1e21, rel=1e-8)


def test_a_best_point_far_from_the_optimum():
    """A valley so narrow that the best point of the grid is many steps from its bottom."""

    def valley(x, y):
        return 1e4 * (y - 1.37 * x) ** 2 + (x - 20.3) ** 2

    axes = {"x": np.arange(1.0, 41.0), "y": np.arange(1.0, 61.0)}
    best = plan.polish(plan.grid(valley, axes))
    assert float(best.values["x"]) == pytest.approx(20.3, rel=1e-6)
    assert float(best.values["y"]) == pytest.approx(1.37 * 20.3, rel=1e-6)


def square(x, y):
    return (x - 2) ** 2 + y


SMALL = {"x": np.arange(1.0, 5.0), "y": np.arange(1.0, 3.0)}
MODELS = {"model": [{"name": "a", "x": 1.0, "y": 1.0}, {"name": "b", "x": 3.0, "y": 1.0}]}
BAD = {
    "no result": (lambda: plan.polish(3), "cells must be a result of plan.grid, not int"),  # pyright: ignore[reportArgumentType]
    "no best": (
        lambda: plan.polish(plan.grid(square, SMALL, reduce=[reductions.Count()])),
        "the grid has no result 'best'",
    ),
    "another result": (
        lambda: plan.polish(plan.grid(square, SMALL, reduce=[reductions.Top(2)]), name="top"),
        "'top' is not the result of Best()",
    ),
    "draws": (
        lambda: plan.polish(plan.grid(lambda x, a: x + a, {"x": [1, 2]}, params={"a": [1.0, 2.0]})),
        "the parameters are draws",
    ),
    "a function as a constraint": (
        lambda: plan.polish(plan.grid(square, SMALL, where=lambda x: x > 1)),
        "the constraint 'where[0]' is not a comparison",
    ),
    "an unknown axis": (
        lambda: plan.polish(plan.grid(square, SMALL), free=["z"]),
        "free must be a list of axes of positive numbers (x, y), not 'z'",
    ),
    "text instead of axes": (
        lambda: plan.polish(plan.grid(square, SMALL), free="xy"),
        "free must be a list of axes of positive numbers (x, y), not 'xy'",
    ),
    "a number instead of axes": (
        lambda: plan.polish(plan.grid(square, SMALL), free=3),  # pyright: ignore[reportArgumentType]
        "free must be a list of axes of positive numbers (x, y), not 3",
    ),
    "models alone": (lambda: plan.polish(plan.grid(square, MODELS)), "no axis of positive numbers"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    call, words = BAD[case]
    with pytest.raises(JscaleError) as error:
        call()
    assert words in str(error.value)
    assert "\n" not in str(error.value)
