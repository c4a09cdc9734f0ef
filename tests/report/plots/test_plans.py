"""The figures of plans: what they draw, read back from their artists."""

from typing import Any, cast

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from jscale import JscaleError, laws, plan, runs
from jscale._core.scope import float64
from jscale.plan import NextRuns, PerfectInformation
from jscale.report import plots
from tests.plan.cases import BESIROGLU, KUMAR

DRAWS = BESIROGLU | {"alpha": BESIROGLU["alpha"] * np.array([0.96, 1.0, 1.04])}
DENSE = (laws.chinchilla, DRAWS)
NEXT = NextRuns(
    index=np.array([3, 1]),
    inputs={"N": np.array([1e9, 2e9]), "D": np.array([1e11, 2e10])},
    cost=np.array([6e20, 2.4e20]),
    regret=np.array([4e-4, 3e-4, 1e-4]),
    forecast_sd=np.full(3, np.nan),
    information=np.zeros(3),
    saved=np.zeros(2),
    stop="runs",
    lost=0,
)
CASES = [
    {"data": "A", "budget": 1e22, "error": 0.001, "regret": {"point": 0.002, "mean": 1e-6}},
    {"data": "B", "budget": 1e21, "error": 0.004, "regret": {"point": 0.03}},
]


def line(ax: Axes, label: str) -> np.ndarray:
    (match,) = [each for each in ax.lines if str(each.get_label()) == label]
    return np.asarray(match.get_xydata())


def test_the_cost_of_a_wrong_size():
    """Medians over draws of the loss above each draw's own optimum."""
    ax = plots.wrong_size(DENSE, [1e22], factor=4)
    ratio, drawn = line(ax, "10²² FLOP").T
    assert (ratio[0], ratio[-1]) == pytest.approx((0.25, 4))
    with float64():
        best = plan.optimal(laws.chinchilla, DRAWS, 1e22)
        N = np.asarray(best.N_opt) * ratio[:, None]
        excess = laws.chinchilla(N, 1e22 / (6 * N), **DRAWS) - np.asarray(best.loss)
    np.testing.assert_allclose(drawn, np.median(excess, axis=1), rtol=1e-6, atol=1e-12)
    assert drawn[len(drawn) // 2] == pytest.approx(0, abs=1e-12)


def test_the_regret_of_every_size():
    ax = plots.expected_regret(DENSE, 1e22, sizes=(1e9, 2e10))
    N, drawn = line(ax, "mean over draws").T
    with float64():
        expected = plan.regret(laws.chinchilla, DRAWS, {"N": N, "D": 1e22 / (6 * N)})
    np.testing.assert_allclose(drawn, expected.nats, rtol=1e-6)
    ((size, least),) = line(ax, "least expected loss")
    assert (size, least) == (N[np.argmin(drawn)], drawn.min())


def test_what_one_percent_more_compute_saves():
    """The curves cross where the size is compute-optimal."""
    ax = plots.marginal_value((laws.chinchilla, BESIROGLU), N=7e10, tokens=(1e11, 1e14))
    D, by_size = line(ax, "spent on size").T
    by_tokens = line(ax, "spent on tokens")[:, 1]
    expected = 0.01 * BESIROGLU["alpha"] * BESIROGLU["A"] * 7e10 ** -BESIROGLU["alpha"]
    np.testing.assert_allclose(by_size, expected, rtol=1e-9)
    beta = BESIROGLU["beta"]
    np.testing.assert_allclose(by_tokens, 0.01 * beta * BESIROGLU["B"] * D**-beta, rtol=1e-9)
    crossing = line(ax, "_crossing")[0, 0]
    with float64():
        best = plan.optimal(laws.chinchilla, BESIROGLU, 6 * 7e10 * crossing)
    assert float(best.N_opt) == pytest.approx(7e10, rel=1e-4)


@pytest.mark.parametrize("dark", [False, True])
def test_the_value_of_information(dark):
    known = PerfectInformation(4e-4, {"E": 0.0, "A": 1e-4, "beta": 3e-4}, {})
    ax = plots.information_value(known, ax=plots.axes(dark=dark))
    widths = [bar.get_width() for bar in ax.patches if isinstance(bar, Rectangle)]
    assert widths == [3e-4, 1e-4, 0.0]
    assert [text.get_text() for text in ax.get_yticklabels()] == [r"$\beta$", "$A$", "$E$"]
    assert line(ax, "all: 4×10⁻⁴ nats")[0, 0] == 4e-4


@pytest.mark.parametrize("dark", [False, True])
def test_the_next_runs(dark):
    rows = {"N": [1e8, 1e9], "D": [1e10, 1e10], "loss": [3.0, 2.8]}
    ax = plots.next_runs(NEXT, table=runs.read(rows), ax=plots.axes(dark=dark))
    (dots,) = [each for each in ax.collections if each.get_label() == "_next"]
    np.testing.assert_array_equal(dots.get_offsets(), [[1e11, 1e9], [2e10, 2e9]])
    np.testing.assert_array_equal(dots.get_array(), [3e-4, 1e-4])
    assert [text.get_text() for text in ax.texts] == ["1", "2"]
    (there,) = [each for each in ax.collections if each.get_label() == "runs that are there"]
    np.testing.assert_array_equal(there.get_offsets(), [[1e10, 1e8], [1e10, 1e9]])
    assert ax.get_title(loc="left") == "2 runs, cost 8.4×10²⁰: 4×10⁻⁴ to 10⁻⁴ nats"


@pytest.mark.parametrize("dark", [False, True])
def test_regret_on_held_out_runs(dark):
    ax = plots.held_out_regret(CASES, ax=plots.axes(dark=dark))
    np.testing.assert_array_equal(line(ax, "point")[:, 0], [0.002, 0.03])
    assert line(ax, "mean")[:, 0] == [1e-4]  # drawn at the least place
    assert line(ax, "error")[:, 0].tolist() == [0.001, 0.004]
    labels = [text.get_text() for text in ax.get_yticklabels()]
    assert labels == ["A, 10²² FLOP", "B, 10²¹ FLOP"]


def test_bits_are_16():
    """Full precision stands for 16 bits, in the optimum as well as beside it."""
    ax = plots.wrong_size((laws.precision, KUMAR), [1e21], factor=2)
    ratio, drawn = line(ax, "10²¹ FLOP").T
    assert ratio[np.argmin(drawn)] == pytest.approx(1)
    assert drawn.min() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: plots.wrong_size(DENSE, []), "budgets is empty"),
        (lambda: plots.wrong_size(DENSE, [-1.0]), "budgets"),
        (lambda: plots.wrong_size(DENSE, [1e22], factor=1), "factor must be above 1"),
        (lambda: plots.expected_regret((laws.kaplan, laws.params(laws.kaplan)), 0), "budgets"),
        (
            lambda: plots.marginal_value(DENSE, N=-1, tokens=(1e9, 1e12)),
            "N must be a finite number above 0",
        ),
        (lambda: plots.information_value(cast(Any, 3)), "known must be the result of plan.perf"),
        (lambda: plots.next_runs(cast(Any, 3)), "chosen must be the result of plan.next_runs"),
        (lambda: plots.held_out_regret([]), "cases is empty"),
        (lambda: plots.held_out_regret([{"data": "A"}]), "cases[0] lacks budget, error, regret"),
        (
            lambda: plots.held_out_regret([CASES[0] | {"regret": {"point": np.nan}}]),
            "cases[0]: point is nan",
        ),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(JscaleError) as error:
        call()
    assert words in str(error.value)
    assert "\n" not in str(error.value)
