"""Tables of runs: access, rows, digest and summary."""

import numpy as np
import pytest

from jscale import runs
from jscale._core.errors import JscaleError
from tests.runs.tables import COLUMNS


def test_access_rows_and_summary():
    table = runs.read({**COLUMNS, "exclude": ["no", "yes", ""], "reason": ["", "diverged", ""]})
    assert len(table) == 3
    assert "P_w" in table
    assert "P" not in table
    assert table.kept.tolist() == [True, False, True]
    assert repr(table).startswith("<Runs 'table': 3 runs, 2 kept; N 70M..1B, D 1.4B..20B, C ")
    part = table.where(table.kept)
    assert part["run_id"].tolist() == ["a", "c"]
    assert part.kept.all()
    assert "rows-excluded" in {n.code for n in table.notes}
    assert "rows-excluded" not in {n.code for n in part.notes}
    assert part.digest != table.digest
    second = table.where(~table.kept)
    assert second.digest == runs.read(second.to_pandas()).digest
    with pytest.raises(
        JscaleError, match=r"has no column 'E_experts' \(it has: 'N' \(read from 'params'\), 'D'"
    ):
        table["E_experts"]
    with pytest.raises(JscaleError, match=r"has no column 'los'.*; did you mean 'loss'"):
        table["los"]
    for mask in (np.array([1, 0, 1]), np.array([True]), np.zeros(3, dtype=bool)):
        with pytest.raises(JscaleError, match=r"^where: "):
            table.where(mask)
    with pytest.raises(JscaleError, match="one common length"):
        runs.Runs({"N": np.ones(2), "loss": np.ones(3)})


def test_the_digest_depends_on_the_content_only():
    first = runs.read(COLUMNS)
    assert first.digest == runs.read(dict(reversed(COLUMNS.items())), name="other").digest
    for column, cell in (("val_loss", 3.4999), ("host", "x3"), ("w_bits", 5)):
        changed = {**COLUMNS, column: [cell, *COLUMNS[column][1:]]}
        assert runs.read(changed).digest != first.digest


def test_a_table_copies_writable_arrays():
    loss = np.array([3.0, 2.5])
    table = runs.Runs({"loss": loss})
    with pytest.raises(ValueError, match="read-only"):
        table["loss"][0] = 1.0
    loss[0] = 1.0
    assert table["loss"][0] == 3.0


def test_a_column_is_found_by_its_name_in_the_source():
    table = runs.read({**COLUMNS, "is excluded": [0, 0, 1]}, name="runs.csv")
    assert table["params"] is table["N"]
    assert "val_loss" in table
    assert table.find("tokens") == "D"
    assert table.find("N") == "N"
    assert (table.find("Params"), table.find(None), table.find("nothing")) == (None, None, None)
    with pytest.raises(
        JscaleError,
        match=r"runs.csv has no column 'size' \(it has: 'N' \(read from 'params'\), 'D' \(",
    ):
        table["size"]
    part = table.where(table.kept)
    assert part["params"].tolist() == [7e7, 2e8]
    assert part.digest == runs.read(part.to_pandas()).digest


def test_one_column_of_bits_serves_weights_activations_and_cache():
    table = runs.read({"N": [1e8, 2e8], "bits": [4, 8], "loss": [3.0, 2.5]})
    assert table["bits"].tolist() == table["P_a"].tolist() == [4, 8]
