"""The public figures: what they draw, read back from their artists."""

import functools
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from jscale import JscaleError, assess, fit, laws, runs
from jscale.report import plots
from jscale.report.plots._source import as_source
from tests.report.stand_ins import backtest_of, bits_table, dense_table, point_of, posterior_of

PRECISION = (laws.precision, laws.params(laws.precision))
PROGRAM = jax.jit(laws.precision)  # one program compiles faster than its operations
DENSE = (laws.chinchilla, laws.params(laws.chinchilla, "besiroglu2024"))
ROBUST = (
    laws.precision_robust,
    laws.params(laws.precision) | {"C_w": 1.0, "C_a": 1.0, "C_kv": 1.0},
)


def line(ax: Axes, label: str) -> np.ndarray:
    """Points (points, 2) of the first line whose label begins so."""
    return np.asarray(
        next(li for li in ax.lines if str(li.get_label()).startswith(label)).get_xydata()
    )


def dots(ax: Axes, label: str) -> np.ndarray:
    (match,) = [c for c in ax.collections if str(c.get_label()).startswith(label)]
    return np.asarray(match.get_offsets())


@functools.cache
def in_few_bits() -> runs.Runs:
    """Two sizes, each in 16 bits, with one part in 4 bits, and with two or all of them; exact."""
    settings = [(16, 16, 16), (4, 16, 16), (16, 4, 16), (16, 16, 4), (4, 4, 16), (4, 4, 4)]
    rows = [(N, 5e9, *bits) for N in (1e8, 4e8) for bits in settings]
    columns = dict(zip(("N", "D", "P_w", "P_a", "P_kv"), np.array(rows).T, strict=True))
    columns["loss"] = np.asarray(PROGRAM(**columns, P_post=16.0, **PRECISION[1]))
    return runs.read(columns)


def test_degradation_has_a_diamond_at_the_critical_tokens():
    ax = plots.degradation(PRECISION, N=1e9, post_bits=[4], ratios=(1, 1e4))
    ratio, added = line(ax, "4 bits").T
    theta = PRECISION[1]
    # Trained in 16 bits: the size that counts is the effective one.
    size = float(
        laws.effective_parameters(
            1e9, 16, 16, 16, **_of(theta, "gamma_w n_w gamma_a n_a gamma_kv n_kv")
        )
    )
    post = _of(theta, "C_T gamma_D gamma_N gamma_post")
    expected = laws.ptq_degradation(D=ratio * 1e9, N=size, P_post=4, **post)
    expected = expected - np.asarray(laws.ptq_degradation(D=ratio * 1e9, N=size, P_post=16, **post))
    np.testing.assert_allclose(added, expected, rtol=1e-5)
    (at,) = line(ax, "_critical")
    assert at[0] == pytest.approx(294, rel=0.01)
    assert at[1] == pytest.approx(np.interp(at[0], ratio, added), rel=2e-3)
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")


def _of(theta: dict[str, float], names: str) -> dict[str, float]:
    return {name: theta[name] for name in names.split()}


def test_degradation_draws_the_quantised_runs_of_the_nearest_size():
    table = bits_table()
    ax = plots.degradation(PRECISION, N=5e7, post_bits=[3, 4], table=table)
    drawn = np.concatenate([np.asarray(c.get_offsets()) for c in ax.collections])
    assert sorted({float(x) for x in drawn[:, 0]}) == pytest.approx([3e9 / 6e7, 1.3e10 / 6e7])
    kept = table["N"] == 6e7
    post, D, loss = (np.asarray(table[name])[kept] for name in ("P_post", "D", "loss"))
    full = (table["P_w"][kept] == 16) & (post == 16)
    added = loss[(post == 3) & (D == 3e9)] - loss[full & (D == 3e9)]
    assert added in drawn[:, 1]


def test_critical_tokens_against_the_closed_form():
    ax = plots.critical_tokens(PRECISION, (1e8, 1e10), post_bits=[4], table=bits_table())
    N, tokens = line(ax, "4 bits").T
    theta = PRECISION[1]
    post = _of(theta, "B beta C_T gamma_D gamma_N gamma_post")
    expected = laws.ptq_critical_tokens(N, 4, **post)
    np.testing.assert_allclose(tokens, expected, rtol=1e-4)
    assert len(dots(ax, "runs")) == len(bits_table())


def test_equal_compute_has_its_least_loss_at_the_optimal_bits():
    ax = plots.loss_by_bits(PRECISION, 1e20, bits=[4, 6, 7, 8, 12, 16])
    bits, loss = line(ax, "10²⁰").T
    ((best, least),) = line(ax, "_optimum")
    assert best == pytest.approx(7.00211, rel=1e-4)
    assert bits[np.argmin(loss)] == 7
    assert least <= loss.min()
    assert loss[2] == pytest.approx(3.026329, abs=1e-5)


def test_optimal_bits_grow_with_compute_at_a_given_size_alone():
    ax = plots.optimal_bits(PRECISION, [1e18, 1e20, 1e22], sizes=[1e9])
    np.testing.assert_allclose(line(ax, "optimal size")[:, 1], 7.00211, rtol=1e-4)
    assert (np.diff(line(ax, "1B")[:, 1]) > 1).all()
    with pytest.raises(JscaleError, match="save no training compute"):
        plots.optimal_bits((laws.qat, laws.params(laws.qat)), [1e18, 1e20])


def test_isoloss_lines_are_lines_of_equal_loss():
    ax = plots.isoloss(PRECISION, D=2e10, sizes=(1e8, 1e10))
    (contours,) = [c for c in ax.collections if hasattr(c, "levels")]
    path, level = contours.get_paths()[3], contours.levels[3]
    N, bits = path.vertices.T
    loss = PROGRAM(N=N, D=2e10, P_w=bits, P_a=16.0, P_kv=16.0, P_post=16.0, **PRECISION[1])
    np.testing.assert_allclose(loss, level, rtol=2e-3)


def test_heat_map_leaves_out_more_bits_after_training_than_in_it():
    ax = plots.train_post(ROBUST, N=1e9, D=2e10, bits=[4, 8, 12])
    cells = np.ma.filled(ax.images[0].get_array(), np.nan)
    np.testing.assert_array_equal(np.isnan(cells), [[0, 0, 0], [1, 0, 0], [1, 1, 0]])
    assert cells[0, 1] == pytest.approx(
        float(laws.precision_robust(1e9, 2e10, 8.0, 8.0, 8.0, 4.0, **ROBUST[1])), rel=1e-6
    )
    rings = line(ax, "best in training")
    np.testing.assert_array_equal(rings[:, 1], [4, 8, 12])
    assert rings[0, 0] == [4, 8, 12][int(np.argmin(cells[0]))]


def test_shares_of_exact_runs_are_those_of_the_law():
    theta = PRECISION[1]
    ax = plots.kept_share(PRECISION, in_few_bits(), part="P_a")
    f = 1 - np.exp(-4 / theta["gamma_a"] + theta["n_a"])
    full = 1 - np.exp(-16 / theta["gamma_a"] + theta["n_a"])
    for size in ("100M", "400M"):
        assert dots(ax, size)[0, 1] == pytest.approx(f / full, rel=0.01)
    curve = line(ax, "law")
    assert np.interp(4, *curve.T) == pytest.approx(f / full, rel=0.01)


def test_joint_shares_of_exact_runs_lie_on_the_diagonal():
    ax = plots.joint_shares(PRECISION, in_few_bits())
    for label in ("2 parts", "3 parts"):
        product, joint = dots(ax, label).T
        assert len(joint) == 2
        np.testing.assert_allclose(joint, product, rtol=0.02)
    alone = runs.read({"N": [1e8], "D": [2e9], "P_w": [4], "P_a": [4], "loss": [3.0]})
    with pytest.raises(JscaleError, match="one at a time"):
        plots.joint_shares(PRECISION, alone)


def test_predicted_losses_and_their_r2():
    table = dense_table()
    point = point_of(*DENSE[:1], table, DENSE[1])
    ax = plots.predicted(point)
    np.testing.assert_allclose(
        dots(ax, "_runs"), np.stack([point.predicted, table["loss"]], axis=1)
    )
    residual = table["loss"] - point.predicted
    r2 = 1 - np.sum(residual**2) / np.sum((table["loss"] - table["loss"].mean()) ** 2)
    assert ax.get_title(loc="left") == f"R² = {r2:.3f} over 32 runs"
    np.testing.assert_allclose(
        dots(plots.predicted(DENSE, table), "_runs"), dots(ax, "_runs"), rtol=1e-6
    )
    with pytest.raises(JscaleError, match="give the runs"):
        plots.predicted(DENSE)


def test_residuals_say_how_many_runs_stand_behind_a_median():
    table = dense_table()
    point = point_of(laws.chinchilla, table, DENSE[1])
    ax = plots.residuals(point, along="D", table=table)
    np.testing.assert_allclose(dots(ax, "_runs")[:, 1], 100 * np.expm1(point.residuals))
    assert [text.get_text() for text in ax.texts] == ["8", "8", "8", "8"]
    assert line(ax, "medians")[:, 0] == pytest.approx(np.unique(table["D"]))
    few = plots.residuals(point, along="N", table=table)  # four runs of each of eight sizes
    assert [text.get_text() for text in few.texts] == ["8", "8", "8", "8"]
    with pytest.raises(JscaleError, match="no column 'lr'"):
        plots.residuals(point, along="lr", table=table)
    with pytest.raises(JscaleError, match="not of the logarithm"):
        plots.residuals(replace(point, residuals_of="value"))


def test_contours_carry_the_frontier_runs_and_equal_compute():
    table = dense_table()
    ax = plots.loss_contours(DENSE, sizes=(1e8, 1e11), tokens=(1e9, 1e13), table=table)
    N, D = line(ax, "compute-optimal").T
    theta = DENSE[1]
    balance = theta["alpha"] * theta["A"] * N ** -theta["alpha"]
    np.testing.assert_allclose(balance, theta["beta"] * theta["B"] * D ** -theta["beta"], rtol=1e-5)
    np.testing.assert_allclose(dots(ax, "runs"), np.stack([table["N"], table["D"]], axis=1))
    for each in (li for li in ax.lines if str(li.get_label()).endswith("equal compute")):
        x, y = np.asarray(each.get_xydata()).T
        assert 6 * x[0] * y[0] == pytest.approx(6 * x[1] * y[1])


@pytest.mark.parametrize("of", ["N", "D", "D/N"])
def test_allocation_of_a_posterior_has_bands(of: str):
    table = dense_table()
    point = point_of(laws.chinchilla, table, DENSE[1])
    posterior = posterior_of(point, table, draws=20, spread=0.005)
    budgets = [1e20, 1e22, 1e24]
    ax = plots.allocation(posterior, budgets, of=of, table=table)
    assert [c.get_label() for c in ax.collections] == ["runs", "_90%", "_50%"]
    median = line(ax, "compute-optimal")[:, 1]
    N = line(plots.allocation(DENSE, budgets, of=of), "compute-optimal")[:, 1]
    np.testing.assert_allclose(median, N, rtol=0.2)
    reference = line(ax, "20 tokens")[:, 1]
    size = np.sqrt(np.array(budgets) / 120)
    np.testing.assert_allclose(reference, {"N": size, "D": 20 * size, "D/N": [20] * 3}[of])


def isoflop_table() -> runs.Runs:
    C = np.repeat([1e19, 1e20, 1e21], 7)
    N = 0.1 * C**0.5 * np.tile(np.geomspace(0.25, 4, 7), 3)
    loss = laws.chinchilla(N, C / (6 * N), **laws.params(laws.chinchilla))
    return runs.read({"N": N, "D": C / (6 * N), "loss": loss})


def test_valleys_have_a_mark_at_every_minimum():
    table = isoflop_table()
    result = fit.isoflop(table, law=None)
    ax = plots.valleys(result, table)
    for budget, label in zip(result.budgets, ("10¹⁹", "10²⁰", "10²¹"), strict=True):
        N, loss = line(ax, label).T
        lowest = np.argmin(loss)
        assert N[lowest] == pytest.approx(budget.N_opt, rel=0.05)
        assert loss[lowest] == pytest.approx(budget.loss, rel=1e-4)
    marks = [li.get_xydata()[0, 0] for li in ax.lines if li.get_marker() == "v"]
    assert marks == pytest.approx([budget.N_opt for budget in result.budgets])


def test_approaches_stand_side_by_side():
    """With a stand-in for the fitted law, which needs no fit."""
    table = isoflop_table()
    valleys = fit.isoflop(table, law=None)
    assert valleys.N is not None
    from jscale.fit.approaches._three import Exponents

    status = valleys.status
    exponents = (
        Exponents(
            1, "training curves", np.nan, (-np.inf, np.inf), np.nan, (-np.inf, np.inf), status, "-"
        ),
        Exponents(2, "isoflop", valleys.N.exponent, valleys.N.interval, 0.5, (0.4, 0.6), status),
        Exponents(3, "law", 0.51, (0.49, 0.53), 0.49, (0.47, 0.51), status),
    )
    law = point_of(laws.chinchilla, table, DENSE[1])
    result = fit.ThreeApproaches(exponents, None, valleys, law, ())
    ax = plots.approaches(result, (1e18, 1e23))
    assert [text.split(":")[0] for text in ax.get_legend_handles_labels()[1][:2]] == [
        "2 isoflop",
        "3 law",
    ]
    C, N = line(ax, "2 isoflop").T
    np.testing.assert_allclose(N, valleys.N.at(C))
    assert np.polyfit(np.log(C), np.log(line(ax, "3 law")[:, 1]), 1)[0] == pytest.approx(
        0.5126, abs=1e-3
    )
    with pytest.raises(JscaleError, match="no approach"):
        plots.approaches(replace(result, exponents=(exponents[0],) * 3), (1e18, 1e23))


@pytest.fixture(scope="module")
def held_out() -> assess.Backtest:
    return backtest_of(dense_table(), 0.002)


def test_losses_are_labelled_with_the_unit_of_the_table():
    """With a fit that keeps its table, a table, a backtest, constants alone, and none of them."""
    table = replace(isoflop_table(), loss_unit="bits per byte")
    ends = {"sizes": (1e8, 1e11), "tokens": (1e9, 1e13)}
    assert plots.predicted(DENSE, table).get_xlabel() == "Predicted loss (bits per byte)"
    assert plots.loss_contours(DENSE, table=table, **ends).get_title(loc="left") == (
        "Loss (bits per byte)"
    )
    assert plots.loss_contours(DENSE, **ends).get_title(loc="left") == "Loss (nats per token)"
    isoflop = fit.isoflop(table, law=None)
    assert plots.valleys(isoflop, table).get_ylabel() == "Loss (bits per byte)"

    def forecast(training: runs.Runs, new: runs.Runs, key: jax.Array) -> np.ndarray:
        return np.tile(training["loss"][:3, None], len(new))

    result = assess.backtest(
        assess.Forecaster("the first", forecast), table, key=jax.random.key(0), cuts=[0.6]
    )
    assert plots.backtest(result).get_ylabel() == "Observed loss (bits per byte)"

    point = point_of(laws.chinchilla, table, DENSE[1])
    assert plots.predicted(point).get_xlabel() == "Predicted loss"
    kept = SimpleNamespace(table=table)
    object.__setattr__(point, "_context", kept)
    assert plots.predicted(point).get_xlabel() == "Predicted loss (bits per byte)"
    assert plots.residuals(point).get_xlabel() == "Predicted loss (bits per byte)"


def test_the_output_of_a_law_that_is_not_of_losses_has_its_own_name_and_unit():
    theta = laws.params(laws.transferred_data)
    source = as_source((laws.transferred_data, theta))
    assert source.loss_label("predicted {}") == "Predicted transferred tokens (tokens)"


def test_every_curve_is_drawn_and_has_its_own_colour():
    bits = [3, 3.5, 4, 4.5, 5, 5.5, 6, 7]
    ax = plots.critical_tokens(PRECISION, (1e8, 1e10), post_bits=bits)
    curves = [li for li in ax.lines if str(li.get_label()).endswith("after training")]
    assert len(curves) == len({to_hex(li.get_color()) for li in curves}) == len(bits)


def test_bits_that_cannot_be_drawn_are_refused():
    with pytest.raises(JscaleError, match="two numbers of bits or more"):
        plots.train_post(ROBUST, N=1e9, D=2e10, bits=[4])
    with pytest.raises(JscaleError, match=r"bits in training \(P_w, P_a, P_kv\), not 'P_post'"):
        plots.kept_share(PRECISION, in_few_bits(), part="P_post")


def test_backtest_marks_the_runs_outside(held_out):
    ax = plots.backtest(held_out, level=0.8)
    inside = sum(row.q10 <= row.loss <= row.q90 for row in held_out.rows)
    outside = len(held_out.rows) - inside
    assert 0 < outside < len(held_out.rows)
    labels = ax.get_legend_handles_labels()[1]
    assert labels == ["equal", f"in the band ({inside})", f"outside ({outside})"]
    assert (
        ax.get_title(loc="left") == f"chinchilla: 80% bands held {inside} of {len(held_out.rows)}"
    )
    with pytest.raises(JscaleError, match=r"0\.5, 0\.8, 0\.95"):
        plots.backtest(held_out, level=0.9)


def test_coverage_by_distance_shows_counts_and_nominal_levels(held_out):
    ax = plots.coverage_by_distance(held_out)
    groups = held_out.laws[0].distances
    drawn = [li for li in ax.lines if li.get_marker() == "o"]
    for i, each in enumerate(drawn):
        np.testing.assert_allclose(each.get_ydata(), [g.bands[i].coverage for g in groups])
    nominal = [li.get_ydata()[0] for li in ax.lines if li.get_label() == "_nominal"]
    assert nominal == [0.5, 0.8, 0.95]
    assert [t.get_text() for t in ax.get_xticklabels()] == [
        f"{g.label}\n{g.count} forecasts" for g in groups
    ]


def test_prior_and_posterior_are_densities_of_all_draws():
    rng = np.random.default_rng(1)
    groups = {
        "prior": {"a": rng.uniform(0, 10, 4000)},
        "posterior": {"a": rng.normal(5, 0.1, 4000)},
    }
    ax = plots.prior_posterior(groups, "a")
    low, high = ax.get_xlim()
    areas = {
        str(patch.get_label()): float(
            np.sum(patch.get_data().values * np.diff(patch.get_data().edges))
        )
        for patch in ax.patches
        if patch.get_label() != "_edge"
    }
    assert areas["posterior"] == pytest.approx(1.0, abs=0.01)
    assert areas["prior"] == pytest.approx((high - low) / 10, abs=0.02)
    with pytest.raises(JscaleError, match="no prior draws of 'b'"):
        plots.prior_posterior(groups, "b")


def test_forest_has_a_row_for_every_fit():
    table = dense_table()
    point = point_of(laws.chinchilla, table, DENSE[1])
    posterior = posterior_of(point, table)
    results = {"point": point, "posterior": posterior, "draws": [0.3, 0.35, 0.4]}
    ax = plots.forest(results, "alpha", reference=0.34)
    middles = [li.get_xdata()[0] for li in ax.lines if li.get_label() == "_median"]
    expected = [point.params["alpha"], np.median(posterior.draws["alpha"]), 0.35]
    assert middles == pytest.approx(expected)
    low, high = next(li for li in ax.lines if li.get_label() == "_90%").get_xdata()
    assert (high - low) / 2 == pytest.approx(1.645 * point.stderr["alpha"], rel=1e-3)
    with pytest.raises(JscaleError, match="no parameter 'gamma'"):
        plots.forest({"point": point}, "gamma")


DRAWN: dict[str, Callable[[Axes | None], Axes]] = {
    "isoloss": lambda ax: plots.isoloss(PRECISION, D=2e10, sizes=(1e8, 1e10), ax=ax),
    "train_post": lambda ax: plots.train_post(ROBUST, N=1e9, D=2e10, bits=[4, 8, 12], ax=ax),
    "shares": lambda ax: plots.joint_shares(PRECISION, in_few_bits(), ax=ax),
}


@pytest.mark.parametrize(
    ("name", "kind"), [("isoloss", "svg"), ("train_post", "pdf"), ("shares", "png")]
)
def test_files_are_the_same_every_time_light_and_dark(name, kind, tmp_path):
    files = []
    for dark in (False, False, True):
        files.append(tmp_path / f"{len(files)}.{kind}")
        plots.save(DRAWN[name](plots.axes(dark=dark)), files[-1])
    first, again, dark_one = (path.read_bytes() for path in files)
    assert first == again != dark_one


def test_a_figure_is_drawn_on_axes_of_the_caller_and_changes_no_setting():
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    own = Figure().subplots()
    assert DRAWN["isoloss"](own) is own
    assert dict(mpl.rcParams) == before
    with pytest.raises(JscaleError, match="must be matplotlib axes, not Figure") as raised:
        DRAWN["isoloss"](own.figure)  # pyright: ignore[reportArgumentType]
    assert raised.value.argument == "ax"


@pytest.mark.parametrize(
    ("fitted", "message"),
    [
        (3.0, "must be a fit, a posterior, a bootstrap"),
        ((laws.chinchilla, {"E": 1.0}), "chinchilla"),
        (DENSE, "has no input P_post"),
    ],
)
def test_what_cannot_be_drawn_is_said_in_one_line(fitted, message):
    with pytest.raises(JscaleError, match=message):
        plots.degradation(fitted, N=1e9)


def test_dark_axes_take_light_ink():
    ax = DRAWN["shares"](plots.axes(dark=True))
    assert ax.xaxis.label.get_color() == "#e6e9ed"
