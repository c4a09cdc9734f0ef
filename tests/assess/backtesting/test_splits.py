"""What is fitted and what is held out."""

import jax
import numpy as np
import pytest

from jscale import JscaleError, runs
from jscale.assess.backtesting._groups import leave_each_out, random_folds
from jscale.assess.backtesting._split import Needs, Split
from jscale.assess.backtesting._windows import expanding_windows, window_below

NEEDS = Needs(3, "a law needs at least 3")


def table_of(compute, **columns) -> runs.Runs:
    compute = np.asarray(compute, float)
    N = np.sqrt(compute / 120)
    return runs.read({"N": N, "D": 20 * N, "C": compute, "loss": 3 / compute**0.01, **columns})


TEN = table_of(np.geomspace(1e18, 1e20, 10), group=[f"g{i % 3}" for i in range(10)])


def rows(split: Split) -> tuple[list[int], list[int]]:
    return np.flatnonzero(split.training).tolist(), np.flatnonzero(split.held_out).tolist()


def test_cuts_are_spaced_from_40_to_80_per_cent():
    splits = expanding_windows(TEN, "compute", None, NEEDS)
    assert splits.how == "by compute"
    counts = [int(split.training.sum()) for split in splits.splits]
    assert counts == [4, 5, 6, 7, 8]
    for split in splits.splits:
        assert not (split.training & split.held_out).any()
        assert (split.training | split.held_out).all()
        assert TEN["C"][split.training].max() < TEN["C"][split.held_out].min()
    assert splits.splits[0].label == "C ≤ 4.64e18"


@pytest.mark.parametrize("share", [0.6, 0.8])
def test_a_cut_at_a_share_is_at_the_quantile(share: float):
    (split,) = expanding_windows(TEN, "compute", [share], NEEDS).splits
    assert (split.training == (TEN["C"] <= np.quantile(TEN["C"], share))).all()


def test_one_cut_is_at_60_per_cent():
    (split,) = expanding_windows(TEN, "compute", 1, NEEDS).splits
    assert split.training.sum() == 6


def test_runs_of_equal_compute_stay_together():
    compute = np.repeat([1e18, 3e18, 1e19, 3e19, 1e20], 4)
    # Rounding of 6 N D in the last digit is no difference.
    table = table_of(compute * (1 + 1e-15 * np.arange(20)))
    splits = expanding_windows(table, "compute", 3, NEEDS).splits
    assert [int(split.training.sum()) for split in splits] == [8, 12, 16]
    # Four cuts are all that there are; five by default become four.
    assert len(expanding_windows(table, "compute", None, NEEDS).splits) == 4
    with pytest.raises(JscaleError, match="fewer runs than 5 cuts need: 4 cuts by C would leave"):
        expanding_windows(table, "compute", 5, NEEDS)


def test_the_first_cut_leaves_enough_to_fit():
    splits = expanding_windows(TEN, "compute", 3, Needs(7, "")).splits
    assert [int(split.training.sum()) for split in splits] == [7, 8, 9]


def test_another_column_orders_the_runs():
    depth = np.array([4.0, 8.0] * 5)
    splits = expanding_windows(table_of(TEN["C"], depth=depth), "depth", 1, NEEDS)
    assert splits.how == "by depth"
    assert rows(splits.splits[0]) == ([0, 2, 4, 6, 8], [1, 3, 5, 7, 9])


def test_excluded_rows_stay_out():
    exclude = np.arange(10) == 2
    table = table_of(TEN["C"], exclude=exclude, group=TEN["group"])
    key = jax.random.key(0)
    for splits in (
        expanding_windows(table, "compute", None, NEEDS),
        window_below(table, {"C": 1e19}, NEEDS),
        leave_each_out(table, "group", NEEDS),
        random_folds(table, 3, key, NEEDS),
    ):
        for split in splits.splits:
            assert not split.training[2]
            assert not split.held_out[2]
            assert (split.training ^ split.held_out).sum() == 9


def test_below_limits():
    split = window_below(TEN, {"C": TEN["C"][5]}, NEEDS).splits[0]
    assert rows(split) == (list(range(5)), list(range(5, 10)))
    both = window_below(TEN, {"C": TEN["C"][5], "D": TEN["D"][4]}, NEEDS).splits[0]
    assert rows(both) == (list(range(4)), list(range(4, 10)))
    assert both.label.startswith("C < 1.29e19 and D < ")


def test_each_group_is_left_out():
    splits = leave_each_out(TEN, "group", NEEDS)
    assert [split.label for split in splits.splits] == ["group g0", "group g1", "group g2"]
    assert rows(splits.splits[1])[1] == [1, 4, 7]
    by_size = leave_each_out(table_of(TEN["C"], layers=[4.0, 8.0] * 5), "layers", NEEDS)
    assert [split.label for split in by_size.splits] == ["layers 4", "layers 8"]


def test_folds_hold_out_every_run_once_and_replicates_together():
    compute = np.repeat(np.geomspace(1e18, 1e20, 10), 2)
    table = table_of(compute)
    splits = random_folds(table, 4, jax.random.key(1), NEEDS).splits
    held_out = np.sum([split.held_out for split in splits], axis=0)
    assert held_out.tolist() == [1] * 20
    for split in splits:
        assert (split.held_out[::2] == split.held_out[1::2]).all()
        assert split.held_out.sum() in (4, 6)
    same = random_folds(table, 4, jax.random.key(1), NEEDS).splits
    other = random_folds(table, 4, jax.random.key(2), NEEDS).splits
    assert all((a.held_out == b.held_out).all() for a, b in zip(splits, same, strict=True))
    assert any((a.held_out != b.held_out).any() for a, b in zip(splits, other, strict=True))


def test_folds_without_compute():
    table = runs.read({"N": [1e8, 1e8, 2e8, 4e8, 8e8, 9e8], "loss": [3.0, 2.9, 2.8, 2.7, 2.6, 2.5]})
    splits = random_folds(table, 2, jax.random.key(0), NEEDS).splits
    assert [int(split.held_out.sum()) for split in splits] == [3, 3]


LABELS = ["a"] * 9 + [""]
BAD = (
    (lambda t: expanding_windows(t, "depth", None, NEEDS), "no column 'depth'"),
    (lambda t: expanding_windows(t, None, None, NEEDS), "no column 'None'"),
    (lambda t: expanding_windows(t, "group", None, NEEDS), "holds no numbers to order the runs by"),
    (lambda t: expanding_windows(t, "gaps", None, NEEDS), "column 'gaps', row 3: the cell is empt"),
    (lambda t: expanding_windows(t, "compute", 0, NEEDS), "cuts must be a whole number of at leas"),
    (lambda t: expanding_windows(t, "compute", 9, NEEDS), "fewer runs than 9 cuts need"),
    (lambda t: expanding_windows(t, "compute", [0.1], NEEDS), "cut at 0.1 of the runs by C leaves"),
    (lambda t: expanding_windows(t, "compute", [0.6, 0.61], NEEDS), "falls on another cut"),
    (lambda t: expanding_windows(t, "compute", [60], NEEDS), "shares of the runs between 0 and 1"),
    (lambda t: expanding_windows(t, "compute", [], NEEDS), "shares of the runs between 0 and 1"),
    (lambda t: expanding_windows(t, "compute", "0.6", NEEDS), "shares of the runs between 0 and 1"),
    (lambda t: expanding_windows(t, "one", None, NEEDS), "no cut by one leaves enough of its 10"),
    (lambda t: expanding_windows(t, "one", [0.6], NEEDS), "holds out no run: all 10 would be fit"),
    (lambda t: expanding_windows(t, "compute", None, Needs(10, "x needs 10")), "x needs 10"),
    (lambda t: window_below(t, {}, NEEDS), "expected a limit for at least one column"),
    (lambda t: window_below(t, {"group": 3}, NEEDS), "holds no numbers to order the runs by"),
    (lambda t: window_below(t, {"x": 3}, NEEDS), "no column 'x'"),
    (lambda t: window_below(t, {"N": "3"}, NEEDS), "'N': expected a number"),
    (lambda t: window_below(t, {"N": float("nan")}, NEEDS), "'N': expected a number"),
    (lambda t: window_below(t, {"C": 1e30}, NEEDS), "C < 1e30 holds out no run: all 10 would be "),
    (lambda t: window_below(t, {"C": 2e18}, NEEDS), "C < 2e18 leaves 2 runs to fit; a law needs "),
    (lambda t: leave_each_out(t, "nothing", NEEDS), "no column 'nothing'"),
    (lambda t: leave_each_out(t, "one", NEEDS), "has one value in all runs"),
    (lambda t: leave_each_out(t, "labels", NEEDS), "column 'labels', row 10: the cell is empty"),
    (lambda t: leave_each_out(t, "group", Needs(8, "x needs 8")), "leaves 6 runs to fit; x needs"),
    (lambda t: random_folds(t, 1, jax.random.key(0), NEEDS), "folds must be a whole number of at "),
    (lambda t: random_folds(t, 11, jax.random.key(0), NEEDS), "fewer runs than 11 folds: 10 runs"),
    (lambda t: random_folds(t, 2, jax.random.key(0), Needs(6, "x")), "leaves 5 runs to fit"),
)


@pytest.mark.parametrize(("split", "words"), BAD, ids=[words for _, words in BAD])
def test_bad_input(split, words: str):
    gaps = np.where(np.arange(10) == 2, np.nan, 1.0)
    columns = {"group": TEN["group"], "one": [1.0] * 10, "labels": LABELS, "gaps": gaps}
    with pytest.raises(JscaleError, match=words.replace("(", r"\(")):
        split(table_of(TEN["C"], **columns))


def test_a_table_without_compute():
    table = runs.read({"N": [1e8, 2e8, 4e8], "loss": [3.0, 2.9, 2.8]})
    with pytest.raises(JscaleError, match="by: table has no column 'C'"):
        expanding_windows(table, "compute", None, NEEDS)
