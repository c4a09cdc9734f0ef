"""``jscale fit`` and ``jscale sample``."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest

from jscale import fit, laws, runs
from tests.cli.tables import SHORT

NOTE = {"code", "severity", "message"}


def test_fit_prints_the_point_of_the_library(answer, table: Path, tmp_path: Path):
    found = answer("fit", table, "--out", tmp_path / "fit.json")
    point = fit.point(laws.chinchilla, runs.read(table))
    assert {"law", "n_runs", "params", "stderr", "objective", "certificate", "notes"} <= set(found)
    assert (found["law"], found["n_runs"]) == ("chinchilla", 30)
    assert found["params"] == point.params
    assert found["stderr"] == point.stderr
    assert found["objective"] == point.objective
    assert {"converged", "agreement", "gradient_norm", "condition", "starts"} <= set(found["certificate"])
    assert found["certificate"]["converged"] is True
    assert found["certificate"]["starts"] == 64
    assert [set(note) for note in found["notes"]] == [NOTE] * len(found["notes"])
    assert "rows-excluded" in {note["code"] for note in found["notes"]}
    assert json.loads((tmp_path / "fit.json").read_text()) == found


def test_fit_for_people(jscale, table: Path):
    result = jscale("fit", table)
    assert (result.exit_code, result.stderr) == (0, "")
    point = fit.point(laws.chinchilla, runs.read(table))
    assert all(f"{value:#.6g}".rstrip(".") in result.stdout for value in point.params.values())
    assert "converged: " in result.stdout


def test_fixed_and_tied_parameters(answer, table: Path):
    found = answer("fit", table, "--fix", "E=1.7", "--tie", "beta=alpha", "--starts", 8)
    assert list(found["params"]) == ["A", "B", "alpha"]
    law = laws.fix(laws.tie(laws.chinchilla, beta="alpha"), E=1.7)
    assert found["law"] == laws.describe(law).name
    assert found["certificate"]["starts"] == 8


@pytest.mark.parametrize(
    ("arguments", "name"),
    [(("--delta", 0.01), "huber(delta=0.01)"), (("--objective", "raw-squares"), "raw-squares")],
    ids=["delta", "squares"],
)
def test_objectives(answer, table: Path, arguments, name: str):
    assert answer("fit", table, *arguments)["objective_name"] == name


def test_excluded_rows_count_when_asked(answer, table: Path):
    found = answer("fit", table, "--include-excluded", "--law", "power_size")
    assert found["n_runs"] == 32
    assert "rows-excluded" not in {note["code"] for note in found["notes"]}


def test_collinear_design_is_a_verdict_not_an_error(answer, jscale, ray: Path):
    found = answer("fit", ray)
    assert found["certificate"]["status"] == "collinear_design"
    assert found["certificate"]["converged"] is False
    # What the runs cannot tell is null, never a number that looks like one.
    assert answer("fit", ray, "--require-converged", code=1) == found
    shown = jscale("fit", ray)
    assert shown.exit_code == 0
    assert "collinear_design" in shown.stdout


def test_required_convergence_is_met(answer, table: Path):
    assert answer("fit", table, "--require-converged")["certificate"]["converged"] is True


@pytest.mark.data
def test_fit_of_the_chinchilla_runs(answer, jscale):
    found = answer("fit", "chinchilla", "--law", "chinchilla")
    assert found["n_runs"] == 240
    assert found["objective"] == pytest.approx(1.018274e-3, rel=1e-6)
    golden = {"E": 1.81722, "A": 477.84, "B": 2143.9, "alpha": 0.347313, "beta": 0.367183}
    assert found["params"] == pytest.approx(golden, rel=3e-4)
    assert "1.81722" in jscale("fit", "chinchilla").stdout


def test_sample_prints_and_writes_the_posterior(answer, table: Path, draws: Path, tmp_path: Path):
    found = answer("sample", table, *SHORT, "--seed", 3, "--out", tmp_path / "again.nc")
    assert {"law", "params", "divergences", "seconds"} <= set(found)
    for row in found["params"].values():
        assert set(row) == {"mean", "sd", "q05", "q50", "q95", "ess_bulk", "rhat"}
        assert row["q05"] < row["q50"] < row["q95"]
    assert found["draws"] == 200
    # The same seed gives the same draws, bit for bit; --out wrote them all.
    first, second = fit.load(draws), fit.load(tmp_path / "again.nc")
    assert {name: values.tolist() for name, values in first.draws.items()} == {
        name: values.tolist() for name, values in second.draws.items()
    }
    assert found["params"]["E"]["mean"] == pytest.approx(np.mean(second.draws["E"]), rel=1e-12)
    assert set(second.draws) == set(laws.describe(laws.chinchilla).parameter_names)


def test_another_seed_draws_otherwise(answer, table: Path, draws: Path, tmp_path: Path):
    answer("sample", table, *SHORT, "--seed", 4, "--out", tmp_path / "other.nc")
    assert not np.array_equal(fit.load(draws).draws["E"], fit.load(tmp_path / "other.nc").draws["E"])


def test_sampling_follows_the_library(draws: Path, table: Path):
    expected = fit.posterior(laws.chinchilla, runs.read(table), key=jax.random.key(3), chains=2, warmup=100, draws=100)
    assert np.array_equal(fit.load(draws).draws["alpha"], expected.draws["alpha"])


def test_the_ridge_is_sampled(jscale, ray: Path):
    result = jscale("sample", ray, *SHORT)
    assert result.exit_code == 0
    assert "alpha" in result.stdout
    assert jscale("sample", ray, "--chains", 1, "--warmup", 10, "--draws", 10, "--require-converged").exit_code == 1
