"""Figures: what they draw, read back from their artists."""

from collections.abc import Callable

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jscale.report.analysis._bands import Band, band
from jscale.report.analysis._identification import draw_correlations, pair_plot_parameters
from jscale.report.analysis._ranges import draw_ranges, residual_trend
from jscale.report.analysis.forecast import SizeProfile
from jscale.report.figures import _fit, _forecast, _posterior, _precision, _runs
from jscale.report.figures import _style as style

RNG = np.random.default_rng(0)
N = np.geomspace(7e7, 1.6e10, 40)
D = 20 * N * RNG.lognormal(size=40)
LOSS = 1.8 + 480 * N**-0.35 + 2000 * D**-0.366
COMPUTE = np.geomspace(1e18, 1e24, 30)


def a_band(middle: np.ndarray, spread: float = 0.05) -> Band:
    return band(np.vstack([middle, middle * np.exp(spread * RNG.normal(size=(200, 1)))]))


def labels(axes: Axes, axis: str) -> list[str]:
    axes.figure.draw_without_rendering()
    ends = sorted(getattr(axes, f"get_{axis}lim")())
    ticks = getattr(axes, f"{axis}axis").get_major_ticks()
    return [t.label1.get_text() for t in ticks if ends[0] <= t.get_loc() <= ends[1]]


def offsets(axes: Axes, label: str) -> np.ndarray:
    (match,) = [c for c in axes.collections if c.get_label() == label]
    return np.asarray(match.get_offsets())


def line(axes: Axes, label: str) -> np.ndarray:
    (match,) = [li for li in axes.lines if str(li.get_label()).startswith(label)]
    return np.asarray(match.get_xydata())


def test_design_draws_fitted_and_excluded_runs():
    figure = _runs.design(N, D, LOSS, (np.array([5e9]), np.array([2e8])))
    axes = figure.axes[0]
    np.testing.assert_allclose(offsets(axes, "_runs"), np.stack([N, D], axis=1))
    np.testing.assert_allclose(offsets(axes, "excluded"), [[5e9, 2e8]])
    np.testing.assert_allclose(axes.collections[0].get_array(), LOSS)
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert labels(axes, "x") == ["100M", "1B", "10B"]
    assert figure.axes[1].get_ylabel() == "Loss (nats per token)"
    low, high = axes.get_ylim()
    assert low < 2e8
    assert high > D.max()
    for isoline in (li for li in axes.lines if li.get_label() == "_equal compute"):
        x, y = np.asarray(isoline.get_xydata()).T
        assert np.log10(6 * x * y) == pytest.approx(round(np.log10(6 * x[0] * y[0])))


def test_observed_against_predicted():
    axes = _fit.observed_predicted(LOSS * 1.01, LOSS, 0.005).axes[0]
    np.testing.assert_allclose(offsets(axes, "_runs"), np.stack([LOSS, LOSS * 1.01], axis=1))
    x, y = line(axes, "equal").T
    np.testing.assert_array_equal(x, y)


def test_residuals_in_percent_with_room_for_the_legend():
    residual = 0.01 * RNG.normal(size=40)
    trend = residual_trend(N, residual)
    axes = _fit.residuals(trend, 0.01, "Parameters N", style.count_ticks).axes[0]
    np.testing.assert_allclose(offsets(axes, "_runs")[:, 1], 100 * np.expm1(residual))
    assert axes.get_xscale() == "log"
    assert any(text.startswith("+") and text.endswith("%") for text in labels(axes, "y"))
    assert axes.get_ylim()[1] > 1.3 * np.abs(100 * residual).max()
    by_bits = residual_trend(np.full(40, 8.0) + N % 7, residual)
    assert _fit.residuals(by_bits, 0.01, "Bits", None).axes[0].get_xscale() == "linear"


def test_residuals_of_a_perfect_fit_have_axes():
    trend = residual_trend(N, np.zeros(40))
    figure = _fit.residuals(trend, 0.0, "Parameters N", style.count_ticks)
    assert style.svg(figure).endswith("</svg>\n")


def test_pairs_show_densities_correlations_and_the_point():
    a = RNG.normal(size=3000)
    draws = {
        "A": 400 * np.exp(0.1 * a),
        "alpha": 0.34 + 0.01 * a,
        "gamma_w": RNG.normal(2.6, 0.1, 3000),
    }
    point = {"A": 410.0, "alpha": 0.345, "gamma_w": 2.7}
    figure = _posterior.pairs(draws, draw_ranges(draws), point, draw_correlations(draws))
    grid = np.array(figure.axes).reshape(3, 3)
    assert [t.get_text() for t in grid[0, 1].texts] == ["0.99"]
    assert grid[0, 1].texts[0].get_fontweight() == "bold"
    assert abs(float(grid[1, 2].texts[0].get_text().replace("−", "-"))) < 0.1
    np.testing.assert_allclose(np.asarray(grid[1, 0].lines[-1].get_xydata()), [[410.0, 0.345]])
    assert grid[2, 0].get_xlabel() == "$A$"
    assert grid[1, 0].get_ylabel() == r"$\alpha$"
    assert len(grid[1, 0].collections) == 2  # filled regions and their edges


def test_pairs_of_constant_and_of_large_draws():
    draws = {"A": np.full(50, 3e20), "B": 1e9 * np.exp(RNG.normal(size=50))}
    point = {"A": 3e20, "B": 1e9}
    figure = _posterior.pairs(draws, draw_ranges(draws), point, draw_correlations(draws))
    assert "10^{20}" in figure.axes[2].get_xlabel()
    assert style.svg(figure).endswith("</svg>\n")


def test_density_regions_contain_their_share():
    density = _posterior.smooth(np.histogram2d(*RNG.normal(size=(2, 20_000)), bins=48)[0])
    for share in (0.5, 0.9):
        level = _posterior.level_of(density, share)
        assert density[density >= level].sum() / density.sum() == pytest.approx(share, abs=0.02)


def test_the_pair_plot_has_the_most_correlated_parameters_in_order():
    z = RNG.normal(size=(8, 500))
    z[7] = z[2] + 0.01 * z[7]
    names = tuple("abcdefgh")
    correlations = draw_correlations(dict(zip(names, z, strict=True)))
    chosen = pair_plot_parameters(names, correlations)
    assert len(chosen) == 6
    assert {"c", "h"} <= set(chosen)
    assert list(chosen) == sorted(chosen)
    assert pair_plot_parameters(names[:2], correlations[:2, :2]) == ("a", "b")


def test_forecast_draws_the_band_the_runs_and_the_budgets():
    loss = a_band(1.8 + 1600 * COMPUTE**-0.165, 0.01)
    marks = (np.array([1e22, 1e23]), loss.at(slice(20, 22)))
    runs = (6 * N * D, LOSS)
    figure = _forecast.loss_by_compute(COMPUTE, loss, runs, marks=marks, floor=1.8)
    axes = figure.axes[0]
    np.testing.assert_allclose(line(axes, "compute-optimal"), np.stack([COMPUTE, loss.q50], axis=1))
    np.testing.assert_allclose(offsets(axes, "runs"), np.stack(runs, axis=1))
    outer = next(c for c in axes.collections if c.get_label() == "_90%").get_paths()[0].vertices
    assert outer[:, 1].min() == pytest.approx(loss.q05.min())
    assert outer[:, 1].max() == pytest.approx(loss.q95.max())
    (shaded,) = [p for p in axes.patches if p.get_label() == "_extrapolation"]
    assert shaded.get_x() == pytest.approx(runs[0].max())
    assert line(axes, "irreducible")[0, 1] == 1.8
    assert {f"{m:.3f}" for m in marks[1].q50} <= {t.get_text() for t in axes.texts}
    assert "10²²" in labels(axes, "x")
    np.testing.assert_allclose(axes.get_xlim(), (1e18, 1e24))


def test_forecast_without_draws_has_no_band():
    loss = band((1.8 + 1600 * COMPUTE**-0.165)[None, :])
    axes = _forecast.loss_by_compute(COMPUTE, loss, (6 * N * D, LOSS), size=style.NARROW).axes[0]
    assert not [c for c in axes.collections if c.get_label() in ("_90%", "_50%")]


@pytest.mark.parametrize(("name", "power"), [("N", 0.5), ("D", 0.5), ("D/N", 0.0)])
def test_paths_have_the_line_of_20_tokens_per_parameter(name: str, power: float):
    middle = {"N": 0.1 * COMPUTE**0.5, "D": 1.7 * COMPUTE**0.5, "D/N": np.full(30, 17.0)}[name]
    runs = (6 * N * D, {"N": N, "D": D, "D/N": D / N}[name])
    axes = _forecast.optimal_path(
        COMPUTE, a_band(middle), name, runs=runs, other=("in 16 bits", 0.8 * middle)
    ).axes[0]
    x, y = line(axes, "20 tokens").T
    expected = {"N": np.sqrt(x / 120), "D": np.sqrt(x / 120) * 20, "D/N": np.full_like(x, 20.0)}[
        name
    ]
    np.testing.assert_allclose(y, expected)
    np.testing.assert_allclose(line(axes, "in 16 bits")[:, 1], 0.8 * middle)
    low, high = axes.get_ylim()
    assert low < min(middle.min(), runs[1].min())
    assert high > max(middle.max(), runs[1].max())


def test_a_path_with_gaps_is_drawn_where_it_is_finite():
    middle = np.where(COMPUTE > 1e20, 0.1 * COMPUTE**0.5, np.nan)
    figure = _forecast.optimal_path(COMPUTE, a_band(middle), "N", runs=(6 * N * D, N))
    assert style.svg(figure).endswith("</svg>\n")


def test_size_profiles_mark_the_best_size():
    sizes = np.geomspace(1e9, 1e11, 9)
    curve = a_band(2 + 0.1 * np.log(sizes / 1e10) ** 2, 0.01)
    best = a_band(np.array([1e10]))
    profile = SizeProfile(1e23, sizes, curve, best, a_band(np.array([2.0]), 0.01))
    axes = _forecast.size_profiles([profile]).axes[0]
    np.testing.assert_allclose(line(axes, "10²³ FLOP")[:, 0], sizes)
    assert any(np.allclose(li.get_xdata(), best.q50) for li in axes.lines)


def test_loss_by_bits_ignores_infinite_losses():
    bits = np.arange(1.0, 17.0)
    loss = a_band(np.where(bits > 2, 2.5 + np.exp(-bits), np.inf), 0.01)
    axes = _precision.loss_by_bits(
        bits, {"weights": loss}, {"weights": (np.array([4.0]), np.array([2.52]))}
    ).axes[0]
    assert np.isfinite(axes.get_ylim()).all()
    assert axes.get_ylim()[1] < 3
    np.testing.assert_allclose(offsets(axes, "_runs"), [[4.0, 2.52]])
    assert labels(axes, "x") == ["2", "4", "6", "8", "10", "12", "14", "16"]
    assert style.svg(axes.figure).endswith("</svg>\n")


def test_critical_tokens_have_a_line_for_each_precision():
    curves = {3.0: a_band(100 * N**0.4 * 1e6), 6.0: a_band(np.full(40, np.inf))}
    axes = _precision.critical_tokens(N, curves, (N, D)).axes[0]
    np.testing.assert_allclose(line(axes, "3 bits")[:, 1], curves[3.0].q50)
    assert np.isfinite(axes.get_ylim()).all()
    assert style.svg(axes.figure).endswith("</svg>\n")


def test_optimal_bits():
    joint = a_band(np.full(30, 7.0), 0.01)
    some = np.where(COMPUTE > 1e20, 9.0, np.nan)
    axes = _precision.optimal_bits(COMPUTE, joint, {"1B parameters": a_band(some)}, 1e22).axes[0]
    assert line(axes, "optimal size")[0, 1] == pytest.approx(joint.q50[0])
    assert axes.get_ylim() == (0, 17)


@pytest.mark.parametrize(
    ("ticks", "ends", "expected"),
    [
        (style.count_ticks, (5e6, 2e10), ["10M", "100M", "1B", "10B"]),
        (style.count_ticks, (4e7, 3e8), ["50M", "100M", "200M"]),
        (style.count_ticks, (1.0e9, 1.02e9), ["1B", "1.005B", "1.01B", "1.015B", "1.02B"]),
        (
            style.power_ticks,
            (1e18, 1e24),
            [f"10{p}" for p in ("¹⁸", "¹⁹", "²⁰", "²¹", "²²", "²³", "²⁴")],
        ),
        (style.power_ticks, (1e3, 1e40), None),
        (style.number_ticks, (2.05, 3.6), ["2.5", "3", "3.5"]),
        (style.number_ticks, (1.0, 2000.0), ["1", "10", "100", "1,000"]),
    ],
)
def test_there_are_three_to_seven_round_ticks(
    ticks: Callable, ends: tuple[float, float], expected: list[str] | None
):
    axes = style.canvas()[1]
    style.log_axis(axes, "x", ticks, ends)
    tick_labels = labels(axes, "x")
    assert 3 <= len(tick_labels) <= 7
    assert expected is None or tick_labels == expected


def test_svg_is_deterministic():
    first, second = (style.svg(_runs.design(N, D, LOSS)) for _ in range(2))
    assert first == second
    assert first.startswith("<svg")


def test_more_than_400_runs_are_rasterised():
    many = RNG.lognormal(20, 1, size=20_000)
    text = style.svg(_runs.design(many, 20 * many, 2 + RNG.random(20_000)))
    assert "<image" in text
    assert len(text) < 600_000


def test_the_style_leaves_matplotlib_settings_unchanged():
    before = dict(matplotlib.rcParams)
    with matplotlib.rc_context({"font.size": 30, "text.usetex": True, "axes.grid": False}):
        axes = _runs.design(N, D, LOSS).axes[0]
        assert axes.xaxis.label.get_fontsize() == 9
        assert not axes.xaxis.label.get_usetex()
        assert matplotlib.rcParams["font.size"] == 30
    assert dict(matplotlib.rcParams) == before


def test_figures_are_not_registered_with_pyplot():
    from matplotlib import pyplot

    assert isinstance(_runs.design(N, D, LOSS), Figure)
    assert pyplot.get_fignums() == []


def test_held_out_runs_are_drawn_with_their_bands():
    """Every run once, its band as a horizontal line, and those outside with another mark."""
    predicted = np.array([2.0, 2.5, 3.0, 3.5])
    observed = np.array([2.01, 2.8, 2.99, 3.45])
    bands = np.stack([predicted * 0.97, predicted * 1.02])
    figure = _fit.held_out(observed, predicted, bands)
    (axes,) = figure.axes
    held, missed = axes.containers
    assert [each.get_label() for each in (held, missed)] == [
        "in the band (3)",
        "outside the band (1)",
    ]
    drawn = {}
    for container in (held, missed):
        points, _, (lines,) = container.lines
        for x, y, segment in zip(*points.get_data(), lines.get_segments(), strict=True):
            drawn[float(x)] = (float(y), *segment[:, 0], *segment[:, 1])
    for x, y, low, high in zip(predicted, observed, *bands, strict=True):
        assert drawn.pop(x) == pytest.approx((y, low, high, y, y))
    assert drawn == {}
    assert missed.lines[0].get_xdata() == [2.5]
    assert held.lines[0].get_color() != missed.lines[0].get_color()
    (equality,) = [line for line in axes.lines if line.get_label() == "equal"]
    np.testing.assert_array_equal(*equality.get_data())
    ends = axes.get_xlim()
    assert ends == axes.get_ylim()
    assert ends[0] < bands.min() < bands.max() < ends[1]


def test_held_out_runs_that_are_all_in_their_bands():
    predicted = np.array([2.0, 2.5])
    figure = _fit.held_out(predicted, predicted, np.stack([predicted - 0.1, predicted + 0.1]))
    (only,) = figure.axes[0].containers
    assert only.get_label() == "in the band (2)"


def test_pictures_follow_a_dark_page():
    picture = style.adaptive(f'<svg><path style="fill: {style.BLUE}; stroke: #ffffff"/></svg>')
    rules = picture[picture.index("{") : picture.index("</style>")]
    assert picture.startswith("<svg><style>@media (prefers-color-scheme:dark)")
    assert f'[style*="fill: {style.BLUE}"]{{fill:#56b4e9!important}}' in rules
    assert '[style*="stroke: #ffffff"]' in rules
    assert style.GREEN not in rules
