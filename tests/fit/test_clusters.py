"""Clusters of runs that may share errors."""

import numpy as np
import pytest

from jscale import runs
from jscale._core.errors import JscaleError
from jscale.fit.objective import clusters

ROWS = 40
EACH = np.arange(ROWS)


def table(**columns) -> runs.Runs:
    N = np.geomspace(1e7, 1e9, ROWS)
    return runs.read({"N": N, "D": 20 * N, "loss": np.linspace(4.0, 3.0, ROWS), **columns})


def texts(number: int) -> np.ndarray:
    return np.array([f"x{i % number}" for i in range(ROWS)])


def name_and_count(source: runs.Runs, **options) -> tuple[str | None, int]:
    column = clusters(source, EACH, **options)
    return column.name, column.count


def test_the_first_that_runs_share():
    shared = {"group": texts(4)}
    assert name_and_count(table()) == (None, ROWS)
    assert name_and_count(table(**shared)) == ("group", 4)
    assert name_and_count(table(**shared, run_id=texts(10))) == ("run_id", 10)
    assert name_and_count(table(**shared, run_id=texts(10), trunk=texts(12))) == ("trunk", 12)
    # Runs hardly share what has 1.2 runs or fewer.
    assert name_and_count(table(**shared, run_id=texts(ROWS), trunk=texts(36))) == ("group", 4)


def test_least():
    sizes = {"N": np.repeat(np.geomspace(1e7, 1e9, 8), 5), "group": texts(4)}
    assert name_and_count(table(**sizes), least=4) == ("group", 4)
    assert name_and_count(table(**sizes), least=5) == ("N", 8)
    assert name_and_count(table(**sizes), least=5, least_sizes=10) == (None, ROWS)


def test_trained_models():
    """Models of one size, training precision and seed, quantised to four precisions each."""
    N = np.repeat(np.geomspace(1e7, 1e9, 10), 4)
    bits = np.tile([3.0, 4.0, 6.0, 8.0], 10)
    quantised = table(N=N, P_post=bits, group=texts(4))
    assert name_and_count(quantised) == ("trained model", 10)
    assert name_and_count(quantised, by="trained model") == ("trained model", 10)
    assert name_and_count(quantised, columns_only=True) == ("group", 4)
    seeds = table(N=N, P_post=bits, seed=np.repeat(np.arange(20), 2))
    assert name_and_count(seeds) == ("trained model", 20)
    with pytest.raises(JscaleError, match="no column 'trained model'"):
        clusters(table(N=N), EACH, by="trained model")


def test_empty_cells():
    """A run without a trunk was trained alone; a group may be missing by mistake."""
    trunk, group = texts(8).astype(object), texts(4).astype(object)
    trunk[:5], group[3] = "", ""
    both = table(trunk=trunk.astype(str), group=group.astype(str))
    for by in (None, "trunk"):
        assert name_and_count(both, by=by) == ("trunk", 13)
    assert name_and_count(table(group=group.astype(str))) == (None, ROWS)
    with pytest.raises(JscaleError, match="column 'group', row 4: the cell is empty"):
        clusters(both, EACH, by="group")
    only = clusters(both, EACH).only(EACH < 7)
    assert only.labels.tolist() == [2, 3, 4, 5, 6, 0, 1]


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (np.full(ROWS, 7.0), "has one value in all runs"),
        (np.arange(ROWS, dtype=float), "no two runs share a value"),
    ],
)
def test_columns_without_clusters(column, message):
    with pytest.raises(JscaleError, match=f"by: table: .*{message}"):
        clusters(table(own=column), EACH, by="own")
