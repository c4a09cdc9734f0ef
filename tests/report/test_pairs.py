"""Pairs of runs that differ in bits alone: what is matched, what the law says of it, what is drawn."""

import numpy as np
import pytest
from matplotlib.axes import Axes

from jscale import laws, runs
from jscale._core.scope import float64
from jscale.report.analysis._forecast import Forecast, forecast
from jscale.report.analysis._paired_runs import degradations, kept_shares
from jscale.report.analysis._study import Study, study
from jscale.report.figures import _pairs as figures
from jscale.report.figures import _style as style
from jscale.report.page._figures_pairs import of_pairs
from tests.report.stand_ins import bits_table, dense_table, point_of

SIZES, TOKENS = (6e7, 2e8), (3e9, 1.3e10)
THETA = laws.params(laws.precision)
POST = laws.params(laws.ptq_degradation)


@pytest.fixture(scope="module")
def exact() -> tuple[Study, Forecast]:
    """Runs without noise, two sizes by two amounts of data, with one part low, after and before
    quantisation.
    """
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
    table = runs.read({**design, "loss": loss, "seed": np.zeros(len(rows))})
    subject = study(
        table, point_of(laws.precision, table, THETA), None, budgets=(1e20,), post_bits=()
    )
    ahead = forecast(subject)
    assert ahead is not None
    return subject, ahead


def line(axes: Axes, label: str) -> np.ndarray:
    (found,) = [drawn for drawn in axes.lines if drawn.get_label() == label]
    return np.asarray(found.get_xydata())


def test_degradation_is_measured_on_fully_precise_models_and_drawn_as_the_law_has_it(exact):
    small, large = degradations(*exact)
    assert (small.N, large.N) == SIZES
    for one in (small, large):
        assert list(one.runs) == list(one.curves) == [3.0, 4.0]
        for P, (D, added) in one.runs.items():
            np.testing.assert_array_equal(D, TOKENS)
            # Training in 16 bits leaves 99.4% of the parameters, which the law of degradation alone
            # does not know.
            expected = [float(laws.ptq_degradation(one.N, d, P, **POST)) for d in D]
            np.testing.assert_allclose(added, expected, rtol=5e-3)
            np.testing.assert_allclose(
                np.interp(np.log(D), np.log(one.D), np.log(one.curves[P].q50)),
                np.log(added),
                atol=1e-3,
            )


def test_shares_are_the_laws_factors_where_one_part_is_low(exact):
    found = kept_shares(*exact)
    assert list(found) == ["P_w", "P_a"]
    for name, bits in (("P_w", {4.0, 6.0}), ("P_a", {5.0})):
        share = found[name]
        gamma, n = (THETA[f"{kind}_{name[2:]}"] for kind in ("gamma", "n"))
        factor = (1 - np.exp(n - share.bits / gamma)) / (1 - np.exp(n - 16 / gamma))
        # The twin in 16 bits is itself worth a little less than N, of which the size term of eq. 30
        # knows nothing.
        np.testing.assert_allclose(share.curve.q50, np.maximum(factor, 0), atol=0.01)
        assert list(share.runs) == list(SIZES)
        for at, seen in share.runs.values():
            assert set(at) == bits
            np.testing.assert_allclose(seen, np.interp(at, share.bits, share.curve.q50), atol=5e-3)


def test_figures_draw_every_pair(exact):
    lost, kept = degradations(*exact), kept_shares(*exact)
    figure = figures.degradation(lost)
    assert [axes.get_title("left") for axes in figure.axes] == ["60M parameters", "200M parameters"]
    for axes, one in zip(figure.axes, lost, strict=True):
        np.testing.assert_allclose(line(axes, "3 bits after training")[:, 1], one.curves[3.0].q50)
        dots = np.concatenate(
            [np.asarray(c.get_offsets()) for c in axes.collections if c.get_label() == "_runs"]
        )
        assert len(dots) == 4
        assert axes.get_yscale() == "log"
    figure = figures.kept_shares(kept)
    for axes, share in zip(figure.axes, kept.values(), strict=True):
        dots = np.concatenate([np.asarray(c.get_offsets()) for c in axes.collections])
        assert len(dots) == sum(len(at) for at, _ in share.runs.values())
        np.testing.assert_allclose(line(axes, "law")[:, 1], share.curve.q50)
    for narrow in (figures.degradation(lost, narrow=True), figures.kept_shares(kept, narrow=True)):
        assert narrow.get_size_inches()[0] == style.PANEL[0]
        assert style.svg(narrow).endswith("</svg>\n")


def test_pairs_of_other_seeds_are_no_pairs(exact):
    subject, ahead = exact
    table = subject.table
    seeds = (table["P_post"] < 16).astype(float)
    other = runs.read(
        {name: table[name] for name in table if name not in ("seed", "C")} | {"seed": seeds}
    )
    changed = study(
        other, point_of(laws.precision, other, THETA), None, budgets=(1e20,), post_bits=()
    )
    assert degradations(changed, ahead) == ()
    assert list(kept_shares(changed, ahead)) == list(kept_shares(subject, ahead))


def test_without_bits_or_pairs_there_is_no_plate(
    without_posterior, bits: Study, bits_ahead: Forecast
):
    dense = without_posterior(laws.chinchilla, dense_table())
    assert list(of_pairs(dense, forecast(dense))) == []
    assert list(of_pairs(bits, None)) == []
    table = bits_table()
    quantised = table.where(table["P_post"] < 16)
    alone = study(
        quantised, point_of(laws.precision, quantised, THETA), None, budgets=(1e20,), post_bits=()
    )
    assert list(of_pairs(alone, bits_ahead)) == []
    titles = [plate.title for plate in of_pairs(bits, bits_ahead)]
    assert titles == ["Degradation after training", "Effective parameters"]
