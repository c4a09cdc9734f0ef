"""``jscale fit`` and ``jscale sample``."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import assess, fit, laws, runs
from jscale._core.status import Status
from jscale.cli.support import inputs
from jscale.cli.support.inputs import objective_of
from tests.cli.tables import chinchilla_rows, write_table

NOTE = {"code", "severity", "message"}


@pytest.fixture(scope="module")
def point(table: Path) -> fit.Point:
    """The library's fit of the table."""
    return fit.point(laws.chinchilla, runs.read(table))


def test_fit_prints_the_point_of_the_library(fitted, point: fit.Point):
    printed = fitted.printed
    assert {"law", "n_runs", "params", "stderr", "objective", "certificate", "notes"} <= set(
        printed
    )
    assert (printed["law"], printed["n_runs"]) == ("chinchilla", 30)
    assert printed["params"] == point.params
    assert printed["stderr"] == point.stderr
    assert printed["objective"] == point.objective

    certificate = printed["certificate"]
    assert {"converged", "agreement", "gradient_norm", "condition", "starts"} <= set(certificate)
    assert certificate["converged"] is True
    assert certificate["starts"] == 64
    assert [set(note) for note in printed["notes"]] == [NOTE] * len(printed["notes"])
    assert "rows-excluded" in {note["code"] for note in printed["notes"]}
    assert json.loads(fitted.file.read_text()) == printed


def test_fit_for_people(jscale, table: Path, point: fit.Point):
    result = jscale("fit", table)
    assert (result.exit_code, result.stderr) == (0, "")
    assert all(f"{value:#.6g}".rstrip(".") in result.stdout for value in point.params.values())
    assert "converged: " in result.stdout


def test_fit_states_lack_of_fit_and_both_scales(answer, jscale, tmp_path: Path):
    """Thirty runs with a misfit that is quadratic in the tokens per parameter."""
    columns = chinchilla_rows((5.0, 20.0, 80.0, 320.0), rows=30)
    u = np.log(columns["D"] / columns["N"])
    columns["loss"] *= np.exp(0.02 * (u - u.mean()) ** 2)
    file = write_table(tmp_path / "misfit.csv", columns)

    printed = answer("fit", file, "--starts", 8)
    residuals = fit.point(laws.chinchilla, runs.read(file), starts=8).residuals
    assert printed["rms"] == float(np.sqrt(np.mean(residuals**2)))
    (note,) = [note for note in printed["notes"] if note["code"] == "lack-of-fit"]
    assert note["severity"] == "warning"
    assert "% of their variance" in note["message"]

    result = jscale("fit", file, "--starts", 8)
    assert f"(root mean square {printed['rms']:.2%})" in result.stdout
    text = " ".join(result.stdout.split())
    assert "warning: the residuals have a trend: " in text


def test_bootstrap_by_a_column(answer, table: Path):
    options = ("--bootstrap", 30, "--bootstrap-kind", "cluster", "--by", "corpus", "--seed", 5)
    printed = answer("fit", table, *options)
    settings = {"draws": 30, "key": jax.random.key(5), "kind": "cluster", "by": "corpus"}
    expected = fit.bootstrap(laws.chinchilla, runs.read(table), **settings)
    assert printed["bootstrap"]["stderr"] == expected.stderr


def test_bootstrap(answer, jscale, table: Path, point: fit.Point):
    printed = answer("fit", table, "--bootstrap", 30, "--seed", 5)
    expected = fit.bootstrap(laws.chinchilla, runs.read(table), draws=30, key=jax.random.key(5))
    bootstrap = printed["bootstrap"]
    assert {"draws", "stderr", "seconds"} <= set(bootstrap)
    assert (bootstrap["draws"], bootstrap["kind"]) == (30, "rows")
    assert bootstrap["stderr"] == expected.stderr
    assert bootstrap["seconds"] > 0
    assert printed["params"] == point.params

    text = jscale("fit", table, "--bootstrap", 30, "--bootstrap-kind", "parametric")
    assert (text.exit_code, text.stderr) == (0, "")
    assert "by parametric" in text.stdout
    assert "30 refits" in text.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--bootstrap", 0), "error: --bootstrap must be a whole number of at least 2, not 0"),
        (
            ("--bootstrap", 9, "--bootstrap-kind", "cluster"),
            "expected --by with the name of a column",
        ),
        (("--bootstrap", 99999999999), "error: --bootstrap must be at most 10,000,000"),
        (
            ("--objective", "huber:0.01", "--delta", 0.1),
            "the objective 'huber:0.01' has a delta already",
        ),
        (("--delta", 1e-20), "error: --delta must be at least 1e-09"),
        (("--bootstrap", 9, "--seed", -1), "--seed: expected a whole number"),
    ],
)
def test_bad_bootstrap(jscale, table: Path, options, message):
    result = jscale("fit", table, *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_tied_parameters_and_other_settings(tied):
    printed = tied.printed
    assert list(printed["params"]) == ["E", "A", "B", "alpha"]
    assert printed["law"] == laws.describe(laws.tie(laws.chinchilla, beta="alpha")).name
    assert printed["certificate"]["starts"] == 8
    assert printed["objective_name"] == "raw-squares"


def test_fixed_and_tied_together():
    record = laws.describe(inputs.law_of("chinchilla", ["E=1.7,A=400"], ["beta=alpha"]))
    assert record.parameter_names == ("B", "alpha")
    assert record.evaluate({"N": 1e9, "D": 2e10, "B": 500.0, "alpha": 0.3}) == pytest.approx(
        1.7 + 400 * 1e9**-0.3 + 500 * 2e10**-0.3, rel=1e-6
    )


def test_objectives():
    assert objective_of("log-squares", None) == "log-squares"
    assert objective_of("huber", 0.01) == fit.Huber(delta=0.01)
    assert str(objective_of("asymmetric-huber:0.1")) == "asymmetric-huber(above=0.25, delta=0.1)"
    assert objective_of("huber-likelihood", 0.5) == fit.HuberLikelihood(delta=0.5)


def test_excluded_rows_can_be_included(answer, table: Path):
    options = ("--law", "power_size", "--starts", 4)
    printed = answer("fit", table, "--include-excluded", *options)
    assert printed["n_runs"] == 32
    assert "rows-excluded" not in {note["code"] for note in printed["notes"]}


def test_a_collinear_design_is_a_status_not_an_error(answer, jscale, ray: Path):
    printed = answer("fit", ray)
    assert printed["certificate"]["status"] == "collinear_design"
    assert printed["certificate"]["converged"] is False
    # A value that the data do not identify is null, never a number that looks like one.
    assert answer("fit", ray, "--require-converged", code=1) == printed

    text = jscale("fit", ray)
    assert text.exit_code == 0
    assert "collinear_design" in text.stdout


def test_required_convergence_is_met(answer, fitted, table: Path):
    assert answer("fit", table, "--require-converged") == fitted.printed


@pytest.mark.data
def test_fit_of_the_chinchilla_runs(answer, jscale):
    printed = answer("fit", "chinchilla", "--law", "chinchilla")
    assert printed["n_runs"] == 240
    assert printed["objective"] == pytest.approx(1.018274e-3, rel=1e-6)
    golden = {"E": 1.81722, "A": 477.84, "B": 2143.9, "alpha": 0.347313, "beta": 0.367183}
    assert printed["params"] == pytest.approx(golden, rel=3e-4)
    assert "1.81722" in jscale("fit", "chinchilla").stdout


def test_sample_prints_and_writes_the_posterior(sampled, jscale):
    printed, written = sampled.printed, fit.load(sampled.file)
    assert {"law", "params", "divergences", "seconds"} <= set(printed)
    for row in printed["params"].values():
        assert set(row) == {
            *("mean", "sd", "q05", "q50", "q95"),
            *("ess_bulk", "ess_tail", "rhat", "prior_overlap"),
        }
        assert row["q05"] < row["q50"] < row["q95"]
    assert printed["draws"] == 200
    assert (
        set(written.draws)
        == set(laws.describe(laws.chinchilla).parameter_names)
        <= set(printed["params"])
    )
    assert printed["params"]["E"]["mean"] == pytest.approx(np.mean(written.draws["E"]), rel=1e-12)
    assert [set(note) for note in printed["notes"]] == [NOTE] * len(printed["notes"])


def test_a_posterior_holds_no_time(sampled, tmp_path: Path):
    """The same draws give the same bytes, however long they took and whenever they are written."""
    replace(fit.load(sampled.file), seconds=5.0).save(tmp_path / "again.nc")
    assert (tmp_path / "again.nc").read_bytes() == sampled.file.read_bytes()


@pytest.fixture
def call(sampled, monkeypatch) -> dict[str, Any]:
    """Arguments of the sampler, which is replaced and returns draws that have not converged."""
    arguments: dict[str, Any] = {}

    def posterior(law, table, **settings):
        arguments.update(settings, law=law, table=table)
        return replace(fit.load(sampled.file), status=Status.not_converged)

    monkeypatch.setattr(fit, "posterior", posterior)
    # The draws are of other runs than the table.
    monkeypatch.setattr(assess, "doubts", lambda *_: ())
    return arguments


def test_sampling_options_reach_the_sampler(jscale, table: Path, call: dict[str, Any]):
    options = ("--chains", 3, "--warmup", 20, "--draws", 30, "--seed", 12, "--include-excluded")
    result = jscale("sample", table, *options, "--tie", "beta=alpha")
    assert (result.exit_code, result.stderr) == (0, "")
    assert (call["chains"], call["warmup"], call["draws"], call["progress"]) == (
        3,
        20,
        30,
        True,  # in lines, one every ten seconds, where there is no terminal
    )
    assert jnp.array_equal(
        jax.random.key_data(call["key"]), jax.random.key_data(jax.random.key(12))
    )
    assert call["table"].kept.sum() == 32
    assert laws.describe(call["law"]).parameter_names == ("E", "A", "B", "alpha")
    assert call["sampler"] == "auto"
    lines = jscale("sample", table, "--sampler", "importance").stdout.splitlines()
    assert [line for line in lines if len(line) > 80 and line[:5] not in ("warni", "info:")] == []
    assert "parameter median 5% 95%" in " ".join(" ".join(lines).split())
    assert call["sampler"] == "importance"
    jscale("sample", table)
    assert (call["chains"], call["warmup"], call["draws"]) == (4, 1000, 1000)
    assert jnp.array_equal(jax.random.key_data(call["key"]), jax.random.key_data(jax.random.key(0)))


def test_required_convergence_of_the_posterior(jscale, table: Path, call: dict[str, Any]):
    assert jscale("sample", table, "--require-converged").exit_code == 1
    result = jscale("sample", table)
    assert result.exit_code == 0
    assert "not_converged" in result.stdout


def test_an_interrupt_is_one_line(jscale, table: Path, tmp_path: Path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(fit, "posterior", interrupted)
    result = jscale("sample", table, "--out", tmp_path / "draws.nc")
    assert (result.exit_code, result.stdout, result.stderr) == (130, "", "jscale: interrupted\n")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_does_not_change_the_file(
    jscale, table: Path, call: dict[str, Any], tmp_path: Path, monkeypatch
):
    def save(self, path):
        Path(path).write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fit.Posterior, "save", save)
    (tmp_path / "draws.nc").write_text("old")
    result = jscale("sample", table, "--out", tmp_path / "draws.nc")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.endswith("No space left on device\n")
    assert result.stderr.count("\n") == 1
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"draws.nc": "old"}


def test_weights_name_a_column(answer, jscale, fitted, table: Path):
    weighted = answer("fit", table, "--weights", "D")
    assert weighted["weights"] == "D"
    assert weighted["params"] != fitted.printed["params"]

    rejected = jscale("fit", table, "--weights", "trust")
    assert rejected.exit_code == 2
    assert "error: --weights: " in rejected.stderr


@pytest.mark.parametrize(
    "verb", [("fit",), ("sensitivity", "--target", "a")], ids=lambda verb: verb[0]
)
def test_results_are_not_written_over_the_runs(jscale, table: Path, verb):
    before = table.read_bytes()
    result = jscale(verb[0], table, *verb[1:], "--out", table)
    assert result.exit_code == 2
    assert "expected another file" in result.stderr
    assert table.read_bytes() == before


def test_the_objective_and_its_certificate_are_printed_in_one_style(jscale, table: Path):
    lines = jscale("fit", table, "--starts", 8).stdout.splitlines()
    (objective,) = [line for line in lines if line.startswith("objective")]
    assert re.search(r"= \d\.\d{1,7}×10⁻[⁴⁵]; log residuals", objective)
    (line,) = [line for line in lines if line.startswith("certificate")]
    assert "all 8 starts and a second optimiser reach the same minimum" in line
    assert re.search("; first-order optimality (0|\\d×10⁻.+|10⁻.+), condition", line)
    assert re.search(r"condition number [\d,]+ \(raw [\d,]+\)$", line)
