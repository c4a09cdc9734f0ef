"""Pairs of runs that differ in bits alone: matching, the law's curves, figures."""

import numpy as np
import pytest
from matplotlib.axes import Axes

from jscale import laws, runs
from jscale._core.scope import float64
from jscale.report.analysis import Analysis, FittedStudy, Forecast, fitted_study
from jscale.report.analysis._paired_runs import degradations, kept_shares
from jscale.report.analysis.forecast import compute_forecast
from jscale.report.figures import _paired_runs as figures
from jscale.report.figures import _style as style
from jscale.report.page import _figures_precision as page
from tests.report.stand_ins import bits_table, dense_table, point_of

SIZES, TOKENS = (6e7, 2e8), (3e9, 1.3e10)
THETA = laws.params(laws.precision)
POST = laws.params(laws.ptq_degradation)


def study_of(table: runs.Runs) -> FittedStudy:
    point = point_of(laws.precision, table, THETA)
    return fitted_study(table, point, None, budgets=(1e20,), post_bits=())


@pytest.fixture(scope="module")
def exact() -> tuple[FittedStudy, Forecast]:
    """Runs without noise: two sizes by two amounts of data by eight settings of bits."""
    settings = [
        (16, 16, 16, 16),
        (4, 16, 16, 16),
        (6, 16, 16, 16),
        (16, 5, 16, 16),
        (4, 4, 4, 16),
        (4, 16, 16, 3),
        (16, 16, 16, 4),
        (16, 16, 16, 3),
    ]
    rows = np.array([(N, D, *bits) for N in SIZES for D in TOKENS for bits in settings])
    design = dict(zip(("N", "D", "P_w", "P_a", "P_kv", "P_post"), rows.T, strict=True))
    with float64():
        loss = np.asarray(laws.precision(**design, **THETA))
    study = study_of(runs.read({**design, "loss": loss, "seed": np.zeros(len(rows))}))
    forecast = compute_forecast(study)
    assert forecast is not None
    return study, forecast


def line(axes: Axes, label: str) -> np.ndarray:
    (match,) = [drawn for drawn in axes.lines if drawn.get_label() == label]
    return np.asarray(match.get_xydata())


def test_added_loss_is_that_of_models_trained_in_full_precision(exact):
    small, large = degradations(*exact)
    assert (small.N, large.N) == SIZES
    for each in (small, large):
        assert list(each.runs) == list(each.curves) == [3.0, 4.0]
        for P, (D, added) in each.runs.items():
            np.testing.assert_array_equal(D, TOKENS)
            # Training in 16 bits leaves 99.4% of the parameters, which the law of degradation alone
            # does not include.
            expected = [float(laws.ptq_degradation(each.N, d, P, **POST)) for d in D]
            np.testing.assert_allclose(added, expected, rtol=5e-3)
            curve = np.interp(np.log(D), np.log(each.D), np.log(each.curves[P].q50))
            np.testing.assert_allclose(curve, np.log(added), atol=1e-3)


def test_kept_shares_are_the_laws_factors(exact):
    shares = kept_shares(*exact)
    assert list(shares) == ["P_w", "P_a"]
    for name, bits in (("P_w", {4.0, 6.0}), ("P_a", {5.0})):
        share = shares[name]
        gamma, n = (THETA[f"{kind}_{name[2:]}"] for kind in ("gamma", "n"))
        factor = (1 - np.exp(n - share.bits / gamma)) / (1 - np.exp(n - 16 / gamma))
        # The run in 16 bits is itself worth a little less than N, which the size term of eq. 30
        # ignores.
        np.testing.assert_allclose(share.curve.q50, np.maximum(factor, 0), atol=0.01)
        assert list(share.runs) == list(SIZES)
        for at, values in share.runs.values():
            assert set(at) == bits
            np.testing.assert_allclose(
                values, np.interp(at, share.bits, share.curve.q50), atol=5e-3
            )


def test_figures_draw_every_pair(exact):
    sizes, shares = degradations(*exact), kept_shares(*exact)
    figure = figures.degradations(sizes)
    assert [axes.get_title("left") for axes in figure.axes] == ["60M parameters", "200M parameters"]
    for axes, each in zip(figure.axes, sizes, strict=True):
        np.testing.assert_allclose(line(axes, "3 bits after training")[:, 1], each.curves[3.0].q50)
        dots = [c.get_offsets() for c in axes.collections if c.get_label() == "_runs"]
        assert len(np.concatenate(dots)) == 4
        assert axes.get_yscale() == "log"

    figure = figures.kept_shares(shares)
    for axes, share in zip(figure.axes, shares.values(), strict=True):
        dots = np.concatenate([np.asarray(c.get_offsets()) for c in axes.collections])
        assert len(dots) == sum(len(at) for at, _ in share.runs.values())
        np.testing.assert_allclose(line(axes, "law")[:, 1], share.curve.q50)

    for narrow in (
        figures.degradations(sizes, narrow=True),
        figures.kept_shares(shares, narrow=True),
    ):
        assert narrow.get_size_inches()[0] == style.PANEL[0]
        assert style.svg(narrow).endswith("</svg>\n")


def test_runs_of_different_seeds_are_not_paired(exact):
    study, forecast = exact
    table = study.table
    seeds = (table["P_post"] < 16).astype(float)
    columns = {name: table[name] for name in table if name not in ("seed", "C")}
    changed = study_of(runs.read({**columns, "seed": seeds}))
    assert degradations(changed, forecast) == ()
    assert list(kept_shares(changed, forecast)) == list(kept_shares(study, forecast))


def test_without_bits_or_pairs_there_is_no_figure(
    without_posterior, bits: Analysis, bits_forecast: Forecast
):
    dense = without_posterior(laws.chinchilla, dense_table())
    table = bits_table()
    unpaired = study_of(table.where(table["P_post"] < 16))
    for study, forecast in ((dense, bits_forecast), (bits.study, None), (unpaired, bits_forecast)):
        assert degradations(study, forecast) == ()
        assert kept_shares(study, forecast) == {}

    pages = [*page.degradations(bits), *page.kept_shares(bits)]
    assert [each.title for each in pages] == ["Degradation after training", "Effective parameters"]
