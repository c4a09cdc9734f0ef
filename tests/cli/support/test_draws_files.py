"""Draws in files by suffix."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from jscale._core.errors import JscaleError
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
    assert list(table) == ["E", "A", "sigma", "effects[0]", "effects[1]", "effects[2]"]
    assert table["A"].tolist() == [400.0, 410.0]


def test_every_parameter_of_a_pooled_posterior_has_its_columns(tmp_path: Path):
    pooled = SimpleNamespace(
        groups=("C4", "Pile"),
        modes={"E": "partial", "A": "separate", "alpha": "shared", "mix": "shared"},
        draws={
            "E": np.array([[1.7, 1.8], [1.6, 1.9]]),
            "A": np.array([[400.0, 410.0], [420.0, 430.0]]),
            "alpha": np.array([0.3, 0.4]),
            "mix": np.arange(8.0).reshape(2, 2, 2),
        },
        typical={"E": np.array([1.75, 1.76])},
        between={"E": np.array([0.1, 0.2])},
        noise={"sigma": np.array([0.01, 0.02])},
    )
    draws_files.write(pooled, "d.csv", tmp_path / "d.csv")
    table = pd.read_csv(tmp_path / "d.csv")
    by_group = ["E", "E_sd", "E[C4]", "E[Pile]", "A[C4]", "A[Pile]"]
    mix = ["mix[0,0]", "mix[0,1]", "mix[1,0]", "mix[1,1]"]
    assert list(table) == [*by_group, "alpha", *mix, "sigma"]
    assert table["E"].tolist() == [1.75, 1.76]
    assert table["E[Pile]"].tolist() == [1.8, 1.9]
    assert table["mix[1,0]"].tolist() == [2.0, 6.0]


def test_json_and_netcdf(tmp_path: Path):
    draws_files.write(DRAWS, "d.JSON", tmp_path / "d.json")
    assert json.loads((tmp_path / "d.json").read_text())["E"] == [1.7, 1.8]
    draws_files.write(DRAWS, "draws", tmp_path / "draws")
    assert (tmp_path / "draws").read_bytes() == b"netCDF"


def test_parquet_without_its_library_is_refused_before_anything_is_sampled(monkeypatch):
    draws_files.check_format("draws.parquet")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    draws_files.check_format("draws.csv")
    with pytest.raises(JscaleError, match=r"Parquet needs jscale\[parquet\]"):
        draws_files.check_format("draws.PARQUET")


@pytest.mark.parametrize("out", ["draws.txt", "draws.xlsx"])
def test_another_format_is_refused_before_anything_is_sampled(out: str):
    with pytest.raises(JscaleError, match=r"draws are written as \.csv, \.json, \.parquet or"):
        draws_files.check_format(out)


@pytest.mark.parametrize("out", ["draws.nc", "DRAWS.NC", "draws"])
def test_netcdf_is_the_format_that_is_read_again(out: str):
    draws_files.check_format(out)
