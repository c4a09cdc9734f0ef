"""Lack of fit: trends of residuals."""

import numpy as np
import pytest

from jscale import JscaleError, assess, laws, runs
from jscale.assess.auditing.misfit._trends import LackOfFit, Trend, holm
from tests.assess.auditing.simulated_tables import (
    ERRORS,
    LAW,
    THETA,
    D,
    N,
    at_truth,
    bowl,
    table_with,
)
from tests.report.stand_ins import point_of, posterior_of


def trend(*inputs: str, **changes) -> Trend:
    values = dict(
        shape="curved",
        ends="above",
        p_value=0.0005,
        p_adjusted=0.0025,
        share=0.3,
        removable=0.5,
        size=0.04,
    )
    return Trend(inputs=inputs, **{**values, **changes})


def with_misfit(size: float = 0.1, seed: int = 0) -> runs.Runs:
    return table_with(bowl(size) + 0.005 * ERRORS["normal"](np.random.default_rng(seed)))


def test_a_planted_misfit_is_found_along_the_input_that_has_it():
    table = with_misfit()
    result = assess.lack_of_fit(at_truth(table), table)
    found = {each.label: each for each in result.trends}
    assert set(found) == {"N", "D", "C", "D/N", "N and D"}
    assert found["D/N"].p_adjusted < 0.005
    assert found["D/N"].shape == "curved"
    assert found["D/N"].ends == "above"
    assert found["D/N"].share > 0.5
    assert 0.02 < found["D/N"].size < 0.1
    (note,) = result.notes
    assert (note.code, note.severity) == ("lack-of-fit", "warning")
    assert "curved along D/N" in note.message
    assert "above the law at the ends" in note.message
    assert "% of the loss" in note.message
    assert note.evidence["D/N"]["share"] == found["D/N"].share


def test_a_clean_table_has_no_note():
    """At a level of 1%, five tables of each kind of errors have none."""
    for seed in range(5):
        for draw in ERRORS.values():
            errors = 0.01 * draw(np.random.default_rng(seed))
            table = table_with(errors, trunk=np.unique(N, return_inverse=True)[1])
            assert assess.lack_of_fit(at_truth(table), table).notes == ()


def test_the_answer_is_the_same_every_time():
    table = with_misfit()
    first, second = (assess.lack_of_fit(at_truth(table), table).trends for _ in range(2))
    assert first == second


def test_a_trend_that_the_parameters_can_follow_is_no_misfit():
    """A point far from the optimum: what a refit removes does not count."""
    table = table_with(0.005 * ERRORS["normal"](np.random.default_rng(1)))
    wrong = point_of(laws.chinchilla, table, {**THETA, "alpha": 1.05 * THETA["alpha"]})
    assert assess.lack_of_fit(wrong, table).notes == ()


def test_a_posterior_is_tested_like_a_point():
    table = with_misfit()
    point = at_truth(table)
    by_point = assess.lack_of_fit(point, table)
    by_posterior = assess.lack_of_fit(posterior_of(point, table), table)
    assert by_posterior.notes[0].code == "lack-of-fit"
    for a, b in zip(by_point.trends, by_posterior.trends, strict=True):
        np.testing.assert_allclose(a.share, b.share, rtol=1e-3)


@pytest.mark.parametrize(("slope", "shape"), [(0.05, "rising"), (-0.05, "falling")])
def test_a_law_without_the_input_has_a_trend_only_along_its_own(slope: float, shape: str):
    """A power of D with an exponent that is fixed too high or too low."""
    table = table_with(0.002 * ERRORS["normal"](np.random.default_rng(4)))
    loss = 5 * (D / 1e9) ** (slope - 0.1) * table["loss"] / np.asarray(LAW(N, D, **THETA))
    table = runs.read({"D": D, "loss": loss})
    law = laws.fix(laws.power_data, L_inf=0.0, alpha=0.1)
    result = assess.lack_of_fit(point_of(law, table, {"A": 5 * 1e9**0.1}), table)
    (found,) = result.trends
    assert (found.inputs, found.shape) == (("D",), shape)
    assert found.share > 0.9


def test_weights_and_clusters_are_those_of_the_fit():
    table = table_with(
        0.01 * ERRORS["normal"](np.random.default_rng(2)), trunk=np.arange(len(N)) // 2
    )
    result = assess.lack_of_fit(at_truth(table), table)
    assert (result.clusters, result.n_clusters) == ("trunk", 16)
    assert assess.lack_of_fit(at_truth(table), table, by="N").n_clusters == 8


def test_exact_and_small_tables_have_no_test():
    exact = table_with(np.zeros(len(N)))
    assert assess.lack_of_fit(at_truth(exact), exact).trends == ()
    few = runs.read({"N": N[:9], "D": D[:9], "loss": 3 - 0.1 * np.arange(9)})
    assert assess.lack_of_fit(at_truth(few), few).trends == ()


def test_another_table_and_another_type_are_rejected():
    table, other = with_misfit(), with_misfit(seed=1)
    with pytest.raises(JscaleError, match="fitted to other runs"):
        assess.lack_of_fit(at_truth(table), other)
    with pytest.raises(JscaleError, match="expected a Point or a Posterior"):
        assess.lack_of_fit(laws.chinchilla, table)  # pyright: ignore[reportArgumentType]
    with pytest.raises(JscaleError, match="no column 'shape'"):
        assess.lack_of_fit(at_truth(table), table, by="shape")


def test_note_names_the_largest_trend_first():
    result = LackOfFit(
        trends=(
            trend("N", "D", share=0.34, removable=0.61),
            trend("D/N", share=0.1),
            trend("C", share=0.2, shape="falling"),
            trend("N", p_adjusted=0.02),
            trend("P_w", share=0.0, removable=0.04),
        ),
        n_runs=100,
        on_log=True,
        clusters=None,
        n_clusters=100,
    )
    (note,) = result.notes
    assert note.message.startswith(
        "the residuals have a trend: falling along C, by 4.1% of the loss (p ≤ 0.003); also along "
        "D/N; a smooth function of N and D explains 34% of their variance: "
    )
    assert result.share == 0.34


def test_a_trend_that_only_a_refit_shows_states_what_it_would_remove():
    hidden = LackOfFit((trend("D", share=0.0, removable=0.2),), 100, True, None, 100)
    (note,) = hidden.notes
    assert "a refit with a smooth function of D would remove 20% of their variance" in note.message
    assert LackOfFit((trend("D", share=0.01, removable=0.04),), 100, True, None, 100).notes == ()


def test_holm():
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx(
        {"a": 0.03, "c": 0.06, "b": 0.06}
    )
    assert holm({}) == {}
