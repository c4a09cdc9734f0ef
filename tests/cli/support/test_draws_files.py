"""Draws in files by suffix."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from jscale.cli.forecasting import draws_files

DRAWS = SimpleNamespace(
    draws={"E": np.array([1.7, 1.8]), "A": np.array([400.0, 410.0])},
    noise={"sigma": np.array([0.01, 0.02]), "effects": np.zeros((2, 3))},
    save=lambda path: path.write_bytes(b"netCDF"),
)


@pytest.mark.parametrize(("name", "read"), [("d.csv", pd.read_csv), ("d.parquet", pd.read_parquet)])
def test_a_table_of_draws_by_suffix(name: str, read, tmp_path: Path):
    draws_files.write(DRAWS, name, tmp_path / name)
    table = read(tmp_path / name)
    assert list(table) == ["E", "A", "sigma"]
    assert table["A"].tolist() == [400.0, 410.0]


def test_json_and_netcdf(tmp_path: Path):
    draws_files.write(DRAWS, "d.JSON", tmp_path / "d.json")
    assert json.loads((tmp_path / "d.json").read_text())["E"] == [1.7, 1.8]
    draws_files.write(DRAWS, "draws", tmp_path / "draws")
    assert (tmp_path / "draws").read_bytes() == b"netCDF"
