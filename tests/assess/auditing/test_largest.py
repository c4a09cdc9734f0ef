"""The runs with the largest compute against the law fitted to the others."""

import numpy as np
import pytest

from jscale import assess
from tests.assess.auditing.simulated_tables import ERRORS, D, N, at_truth, table_with

TOP = np.argsort(-(N * D))[:4]


def shifted(by: float, seed: int = 0, noise: str = "normal") -> np.ndarray:
    """Errors (rows,) of 0.5%, with the four largest runs shifted."""
    errors = 0.005 * ERRORS[noise](np.random.default_rng(seed))
    errors[TOP] += by
    return errors


@pytest.mark.parametrize("side", [-1, 1])
def test_runs_off_the_law_are_found(side: int):
    table = table_with(shifted(0.06 * side))
    result = assess.largest_runs(at_truth(table), table, by=None)
    assert sorted(result.rows) == sorted(TOP)
    assert result.on_side == 4
    assert result.n_others == 28
    assert 0.04 < side * result.offset < 0.08
    assert side * result.z > 3
    (note,) = result.notes
    assert (note.code, note.severity) == ("largest-runs-off", "warning")
    assert f"% of the loss {'above' if side > 0 else 'below'} the law fitted" in note.message
    assert "4 of 4 on that side (z = " in note.message


def test_clean_tables_have_no_note():
    for seed in range(5):
        for noise in ERRORS:
            table = table_with(shifted(0.0, seed, noise), trunk=np.log(N).round(2))
            assert assess.largest_runs(at_truth(table), table).notes == ()


def test_shared_errors_make_the_same_offset_less_certain():
    """An error of one trained model counts once, however many runs branch off it."""
    rng = np.random.default_rng(5)
    trunks = np.argsort(np.argsort(-(N * D))) // 4
    errors = 0.03 * rng.normal(size=8)[trunks] + 0.002 * rng.normal(size=len(N))
    errors[TOP] += 0.06 - errors[TOP].mean()
    table = table_with(errors, trunk=trunks, single=np.arange(len(N)) // 2)
    shared = assess.largest_runs(at_truth(table), table)
    alone = assess.largest_runs(at_truth(table), table, by="single")
    assert shared.clusters == "trunk"
    assert abs(shared.z) < abs(alone.z)


def test_runs_of_one_budget_stay_together_and_half_a_table_is_not_compared():
    table = table_with(shifted(0.0))
    assert len(assess.largest_runs(at_truth(table), table).rows) == 4
    assert assess.doubts(at_truth(table), table) == ()
    errors = shifted(0.06)
    table = table_with(errors)
    assert assess.doubts(at_truth(table), table)[0].code == "largest-runs-off"


def test_exact_tables_are_not_compared():
    table = table_with(np.zeros(len(N)))
    result = assess.largest_runs(at_truth(table), table)
    assert len(result.rows) == 0
    assert np.isnan(result.z)
    assert result.notes == ()
