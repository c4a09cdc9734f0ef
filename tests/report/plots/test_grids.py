"""The figures of a grid search, and those of a paper that the documentation draws with them."""

import re
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from matplotlib.collections import QuadMesh

from jscale import JscaleError, laws, plan
from jscale._core.scope import float64
from jscale.plan.reductions import Best, Front, Marginal, Reduced
from jscale.report import plots
from tests.plan.cases import KUMAR

PAGE = Path(__file__).parents[3] / "docs" / "grids.md"


@pytest.fixture(scope="module")
def cells() -> plan.GridResult:
    """Sizes and tokens of a law, with infeasible cells."""
    return plan.grid(
        {"loss": lambda N, D: N**-0.3 + D**-0.2, "flops": "6 * N * D"},
        {"N": np.geomspace(1e8, 1e10, 5), "D": np.geomspace(1e9, 1e11, 4)},
        where="flops <= 6e20",
        reduce=[
            Best(),
            Marginal(("N",), "valley"),
            Marginal(("N", "D"), "map"),
            Front(("flops", "loss")),
        ],
    )


def ring(ax) -> np.ndarray:
    (mark,) = [line for line in ax.lines if line.get_label() == "_smallest"]
    return np.asarray(mark.get_xydata())[0]


@pytest.mark.parametrize("dark", [False, True])
def test_a_valley(cells, dark):
    ax = plots.grid_valley(cells, label="Loss", ax=plots.axes(dark=dark))
    (line,) = [line for line in ax.lines if line.get_label() == "_valley"]
    np.testing.assert_array_equal(line.get_ydata(), cells["valley"]["value"])
    assert ring(ax).tolist() == [cells["best"]["N"], cells["best"]["value"]]
    assert (ax.get_xscale(), ax.get_xlabel(), ax.get_ylabel()) == ("log", "Parameters N", "Loss")
    assert "at N = " in ax.get_title(loc="left")


@pytest.mark.parametrize("x", ["N", "D"])
def test_a_heat_map(cells, x):
    ax = plots.grid_heat_map(cells, x=x, lines=True)
    (mesh,) = [each for each in ax.collections if isinstance(each, QuadMesh)]
    drawn = np.ma.filled(np.ma.asarray(mesh.get_array()), np.nan).reshape(
        (4, 5) if x == "N" else (5, 4)
    )
    expected = cells["map"]["value"]
    np.testing.assert_array_equal(drawn, expected.T if x == "N" else expected)
    assert np.isnan(drawn).any()
    best = cells["best"]
    assert ring(ax).tolist() == [best[x], best["D" if x == "N" else "N"]]
    # The edges of logarithmic cells lie halfway between their logarithms.
    edges = np.asarray(mesh.get_coordinates())[0, :, 0]
    places = np.asarray(cells["map"].coords[x][1])
    np.testing.assert_allclose(np.sqrt(edges[1:] * edges[:-1]), places, rtol=1e-12)


def test_a_front(cells):
    ax = plots.grid_front(cells, colour="N")
    (dots,) = [each for each in ax.collections if each.get_label() == "_points"]
    front = cells["front"]
    expected = np.stack([front["flops"], front["loss"]], axis=1)
    np.testing.assert_array_equal(np.asarray(dots.get_offsets()), expected)
    np.testing.assert_array_equal(np.asarray(dots.get_array()), np.log10(front["N"]))
    assert any(line.get_drawstyle() == "steps-post" for line in ax.lines)


def test_labels_of_entries_that_carry_several_values():
    models = [{"name": "small", "N": 1e9}, {"name": "large", "N": 7e10}]
    cells = plan.grid(
        lambda N, bits: bits / N,
        {"model": models, "bits": [4, 16]},
        reduce=[Marginal(("model",))],
    )
    ax = plots.grid_valley(cells)
    assert [text.get_text() for text in ax.get_xticklabels()] == ["small", "large"]
    assert ax.get_title(loc="left") == "smallest 5.7143×10⁻¹¹ at model = large"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda cells: plots.grid_valley(cast(Any, 3)), "cells must be a result of plan.grid"),
        (
            lambda cells: plots.grid_valley(cells["front"]),
            "must have a Marginal with one kept axis",
        ),
        (lambda cells: plots.grid_heat_map(cells["valley"]), "must have a Marginal with two kept"),
        (lambda cells: plots.grid_heat_map(cells, x="P"), "x must be one of N, D, not 'P'"),
        (lambda cells: plots.grid_front(cells["map"]), "must have a front"),
        (lambda cells: plots.grid_front(cells, colour="P"), "front has no variable 'P'"),
        (
            lambda cells: plots.grid_valley(
                Reduced("m", ("N",), {"value": np.full(2, np.nan)}, {"N": ("N", np.arange(2))})
            ),
            "has no finite value",
        ),
    ],
)
def test_bad_input(cells, call, words):
    with pytest.raises(JscaleError) as error:
        call(cells)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_figures_3_7_and_9_of_scaling_laws_for_precision():
    """The code of the page, as printed there."""
    text = PAGE.read_text(encoding="utf-8")
    section = text[text.index("## Figures of the paper") :]
    code = re.search(r"^```python\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert code is not None
    scope: dict = {}
    exec(compile(code[1], "grids.md", "exec"), scope)

    three = scope["figure_3"]["marginal"]
    N, P_w = (np.asarray(three.coords[name][1]) for name in ("N", "P_w"))
    with float64():
        expected = laws.precision(N[:, None], 13e9, P_w, **KUMAR)
    np.testing.assert_allclose(three["value"], expected, rtol=1e-12)

    seven = scope["figure_7"]["marginal"]["value"]
    assert (np.diag(seven) == 0).all()  # nothing is added where training and serving agree
    assert (np.diff(seven, axis=1)[np.isfinite(np.diff(seven, axis=1))] < 0).all()
    assert np.isnan(seven[0, 1:]).all()

    nine = scope["figure_9"]["marginal"]  # equation 29, first-order conditions solved
    expected = [3.92192, 5.03382, 6.09294, 7.12114, 8.12878]
    np.testing.assert_allclose(nine["P"], expected, rtol=0, atol=0.005)
    assert nine["D"][1] == pytest.approx(9.68789e11, rel=np.log(1e6) / 600)
