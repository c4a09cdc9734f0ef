"""The findings on runs simulated from known laws."""

import csv
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from benchmarks.precision_runs import (
    findings,
    findings_post,
    findings_text,
    findings_training,
    rows,
)
from benchmarks.precision_runs.forms import (
    FORMS,
    N_EFF_BIASED,
    additive_growing,
    degradation_by_levels,
    hardened_weights,
)
from benchmarks.precision_runs.rows import Rows
from benchmarks.precision_runs.table import COLUMNS, POST_COLUMNS, post_path
from jscale import laws, runs
from jscale.fit import Point
from jscale.laws import describe
from tests.report.stand_ins import certificate

DENSE = dict(E=1.2, A=25.0, B=220.0, alpha=0.3, beta=0.4)
BITS = dict(gamma_w=1.5, n_w=0.9, gamma_a=1.4, n_a=1.5, gamma_kv=1.2, n_kv=1.4)
POST = dict(C_T=0.01, gamma_D=0.6, gamma_N=0.1, gamma_post=0.6)
SINGLE = [(3, 16, 16), (5, 16, 16), (16, 3, 16), (16, 5, 16), (16, 16, 3), (16, 16, 5)]
JOINT = [(3, 3, 3), (4, 4, 4), (6, 6, 6), (4, 4, 16), (4, 16, 4), (3, 5, 6)]
CELLS = [(6e3, 1e5), (6e3, 2e6), (1e5, 1e5), (1e5, 2e6), (4e5, 8e6)]


def simulated(noise: float = 0.002) -> runs.Runs:
    """150 runs of the N_eff law.

    90 in full precision, 30 with one part low, 30 with several: the sets for the marginal fit, the
    joint fit and every split have 120 rows each, so that they share one compiled fit.
    """
    full = [
        (N, D, 16, 16, 16) for N in np.geomspace(6e3, 4e5, 10) for D in np.geomspace(1e5, 8e6, 9)
    ]
    low = [(*cell, *setting) for setting in (*SINGLE, *JOINT) for cell in CELLS]
    columns = dict(zip(("N", "D", "P_w", "P_a", "P_kv"), np.array(full + low).T, strict=True))
    names = [f"n{i}-s0-r20" for i in range(len(full + low))]
    return runs.simulate(
        laws.low_precision,
        DENSE | BITS,
        columns | {"run_id": names},
        noise=noise,
        key=jax.random.key(3),
    )


@pytest.fixture(scope="module")
def table() -> runs.Runs:
    return simulated()


@pytest.fixture(scope="module")
def points(table: runs.Runs) -> dict[str, list[Point]]:
    """The fits of the true law and of the additive form."""
    jobs = findings_training.jobs(Rows(table, table, {}))
    law, trains = jobs[f"form {N_EFF_BIASED}"]
    marginal, joint = jobs["marginal"][1], jobs["joint"][1]
    assert {len(part) for part in (*trains, *marginal, *joint)} == {120}
    fits = rows.fits(
        {"true": (law, [*marginal, *joint, *trains]), "additive": jobs["form additive power law"]}
    )
    first, second, *rest = fits["true"]
    return {
        "marginal": [first],
        "joint": [second],
        "all": [second],
        f"form {N_EFF_BIASED}": rest,
        "form additive power law": fits["additive"],
    }


def test_the_true_form_predicts_held_out_rows_best(
    table: runs.Runs, points: dict[str, list[Point]]
):
    compared = [form for form in FORMS if form.law in (laws.low_precision, laws.additive_precision)]
    results = findings_training.forms(Rows(table, table, {}), points, compared)
    assert results["best"] == results["best_beyond"] == N_EFF_BIASED
    by_name = {entry["form"]: entry for entry in results["forms"]}
    assert by_name[N_EFF_BIASED]["cv_r2"] > 0.999
    assert by_name[N_EFF_BIASED]["behind"] == 0
    assert by_name["additive power law"]["behind"] > 2
    assert by_name["additive power law"]["extra"] == 6


def test_marginal_and_joint_fits_agree_for_independent_parts(
    table: runs.Runs, points: dict[str, list[Point]]
):
    results = findings_training.independence(Rows(table, table, {}), points)
    marginal, joint = results["fits"]["marginal"], results["fits"]["joint"]
    assert results["runs"] == 30
    assert marginal["r2 joint"] > 0.995
    assert joint["r2 joint"] >= marginal["r2 joint"]
    assert abs(marginal["residual"]) < 0.01
    for name, true in BITS.items():
        if name.startswith("gamma"):
            assert joint["params"][name] == pytest.approx(true, rel=0.25)


def test_splits_cover_every_run_and_hold_out_the_largest_compute(table: runs.Runs):
    *folds, last = findings_training.splits(table)
    np.testing.assert_array_equal(sum(split.held.astype(int) for split in folds), 1)
    for split in (*folds, last):
        assert not (split.train & split.held).any()
        assert split.train.sum() == 120
    bits, compute = rows.bits(table), table["N"] * table["D"]
    for setting in np.unique(bits, axis=0):
        same = (bits == setting).all(axis=1)
        assert compute[same & last.held].min() > compute[same & ~last.held].max()


def test_clustered_errors_without_shared_trunks_equal_those_of_the_fit(table, points):
    part = table.where(findings_training.low(table) <= 1)
    (point,) = points["marginal"]
    errors = rows.clustered(point, part)
    assert errors.stderr == pytest.approx(dict(point.stderr), rel=1e-3)
    drawn = errors.draws(20_000, 1)
    assert np.log(drawn["A"]).std() == pytest.approx(
        errors.stderr["A"] / point.params["A"], rel=0.03
    )
    # A copy of every row adds no model, so the clustered errors stay the same.
    duplicated = runs.read(
        {
            name: np.tile(part[name], 2)
            for name in ("N", "D", "P_w", "P_a", "P_kv", "loss", "run_id")
        }
    )
    copied = dataclasses.replace(point, residuals=np.tile(point.residuals, 2))
    assert rows.clustered(copied, duplicated).stderr == pytest.approx(errors.stderr, rel=0.06)


def test_pairs_measure_the_gap_to_full_precision_and_its_growth():
    columns = dict(
        N=[1e4] * 8,
        D=[1e5, 1e5, 1e6, 1e6, 1e7, 1e7, 1e8, 1e8],
        P_w=[16, 4] * 4,
        P_a=[16] * 8,
        P_kv=[16] * 8,
        loss=[3.0, 3.1, 2.5, 2.7, 2.2, 2.5, 2.0, 2.4],
        run_id=["x-s0"] * 8,
    )
    small = runs.read(columns)
    paired = findings_training.pairs(small)
    np.testing.assert_array_equal(paired["row"], [1, 3, 5, 7])
    np.testing.assert_allclose(paired["gap"], [0.1, 0.2, 0.3, 0.4])
    growth = findings_training._growth(small, paired["row"], paired["gap"])
    assert growth is not None
    np.testing.assert_allclose(growth, [0.1, 0.0], atol=1e-12)


def write(path: Path, columns: tuple[str, ...], entries: list[dict]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="0", lineterminator="\n")
        writer.writeheader()
        writer.writerows(entries)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of runs and one of copies as the sweep writes them, from known laws."""
    out = tmp_path_factory.mktemp("tables") / "runs.csv"
    rng = np.random.default_rng(0)
    trained, copies = [], []
    for N in (6144, 24576):
        for ratio in (20, 80, 320, 1280):
            for bits in [(16, 16, 16), *SINGLE, *JOINT, (16, 2, 16)]:
                w, a, kv = bits
                name = f"n{N}-w{w}a{a}k{kv}-s0-r{ratio}"
                D = N * ratio
                loss = float(laws.low_precision(N, D, *bits, **DENSE, **BITS)) if a > 2 else 3.5
                loss *= float(np.exp(0.002 * rng.normal()))
                row = dict(
                    run_id=name,
                    purpose="design",
                    N=N,
                    D=D,
                    C=6 * N * D,
                    P_w=w,
                    P_a=a,
                    P_kv=kv,
                    loss=loss,
                    loss_se=0.01,
                    reason="",
                    trunk=name.rsplit("-r", 1)[0],
                )
                trained.append(row)
                for P in (2, 3, 4, 8):
                    for method, factor in (("rtn", 1.0), ("gptq", 0.5)):
                        delta = factor * float(laws.ptq_degradation(N, D, P, **POST)) * (w > P)
                        delta += 0.001 * (0.5 - rng.random()) * (P == 8)
                        copies.append(
                            row
                            | dict(
                                P_post=P,
                                method=method,
                                loss=loss + delta,
                                delta=delta,
                                delta_se=0.001,
                            )
                        )
    trained.append(trained[0] | dict(run_id="gone-s0-r1", exclude="1", reason="diverged", loss=""))
    write(out, COLUMNS, [{k: v for k, v in row.items() if k in COLUMNS} for row in trained])
    write(
        post_path(out),
        POST_COLUMNS,
        [{k: v for k, v in row.items() if k in POST_COLUMNS} for row in copies],
    )
    return out


def test_excluded_runs_are_left_out_with_their_copies(files: Path):
    loaded = rows.load(files)
    assert loaded.left_out == {"activations in 2 bits": 8, "diverged": 1}
    assert loaded.trained["P_a"].min() == loaded.post["P_a"].min() == 3
    assert set(loaded.post["run_id"]) == set(loaded.trained["run_id"])
    all_losses = rows.together(loaded.trained, loaded.post)
    assert len(all_losses) == len(loaded.trained) + int(
        ((loaded.post["method"] == "rtn") & (loaded.post["P_post"] < loaded.post["P_w"])).sum()
    )


def test_bits_whose_degradation_is_noise_are_not_fitted(files: Path):
    loaded = rows.load(files)
    np.testing.assert_array_equal(
        np.unique(loaded.post["P_post"][findings_post.measurable(loaded.post)]), [2, 3, 4]
    )
    for entry in findings_post._methods(loaded.post):
        assert entry["median"] == pytest.approx(0.5)
        assert entry["smaller"] == 1


VALUES = {
    **DENSE,
    **BITS,
    **POST,
    "C_w": 1.0,
    "C_a": 1.0,
    "C_kv": 1.0,
    "c_w": 1.0,
    "c_a": 1.0,
    "c_kv": 1.0,
    "a_w": 2.0,
    "a_a": 2.0,
    "a_kv": 2.0,
    "k": 2.0,
    "k_w": 1.0,
    "k_a": 1.0,
    "k_kv": 1.0,
    "tau_w": 1.0,
    "tau_a": 1.0,
    "tau_kv": 1.0,
}


def unfitted(jobs: findings_training.Jobs) -> dict[str, list[Point]]:
    """Points at the known constants, without a fit."""
    return {name: [at_truth(law, part) for part in parts] for name, (law, parts) in jobs.items()}


def at_truth(law: laws.LawFunction, table: runs.Runs) -> Point:
    params = {name: VALUES[name] for name in describe(law).parameter_names}
    empty = Point(
        law=law,
        params=params,
        stderr={},
        covariance=np.empty(0),
        objective=0.0,
        objective_name="",
        scale=0.0,
        predicted=table["loss"],
        residuals=table["loss"],
        residuals_of="log",
        rows=np.arange(len(table)),
        certificate=certificate(),
        notes=(),
        table_digest="",
    )
    with jax.enable_x64(True):
        predicted = np.asarray(jax.jit(law)(**runs.select(table, law).inputs, **params))
    return dataclasses.replace(
        empty, predicted=predicted, residuals=np.log(table["loss"] / predicted)
    )


def with_nans(value: Any) -> Any:
    """JSON with the nulls among its standard errors read back as NaN."""
    if isinstance(value, dict):
        return {
            name: {k: np.nan if v is None else v for k, v in entry.items()}
            if name == "stderr"
            else with_nans(entry)
            for name, entry in value.items()
        }
    return [with_nans(entry) for entry in value] if isinstance(value, list) else value


def test_the_document_answers_every_question(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(findings, "fits", unfitted)
    monkeypatch.setattr(sys, "argv", ["findings", "--table", str(files), "--json"])
    findings.main()
    numbers = json.loads(capsys.readouterr().out)
    assert numbers["rows"]["left_out"] == {"activations in 2 bits": 8, "diverged": 1}
    assert numbers["after_training"]["fits"]["rtn"]["r2_log"] == pytest.approx(1, abs=1e-6)
    assert numbers["after_training"]["fits"]["gptq"]["r2_log"] < 0.95
    assert numbers["unified"]["fits"]["unified"]["r2"] > 0.99
    truth = numbers["decisions"]
    assert truth["critical"][0]["point"] == pytest.approx(truth["critical"][0]["apart"])
    assert 3 < truth["P"]["point"] < 9
    text = findings_text.document(with_nans(numbers))
    assert [line[3] for line in text.splitlines() if line.startswith("## ")] == list("123456")
    assert "nan" not in text
    assert "fits better than the paper's 0.90" in text
    for line in (line for line in text.splitlines() if line.startswith("|")):
        assert line.count("|") >= 4


@pytest.mark.parametrize(
    ("residual", "words"), [(-0.001, "This agrees"), (-0.048, "This does not agree")]
)
def test_a_biased_product_does_not_agree(residual: float, words: str):
    def fitted(name: str, r2: float, mean_residual: float) -> dict:
        scores = {
            "r2 joint": r2,
            "rmse joint": 0.1,
            "residual": mean_residual,
            "residual se": 0.01,
            "r2 all": r2,
        }
        return {"fitted to": name, "rows": 100, "params": {"gamma_w": 2.0}, **scores}

    fits = {
        "marginal": fitted("one", 0.908, residual),
        "joint": fitted("many", 0.956, 0.0),
        "all": fitted("all", 0.95, 0.0),
    }
    results = {
        "fits": fits,
        "runs": 100,
        "paper": {"marginal": 0.8973, "joint": 0.9006},
        "settings": [],
    }
    assert words in findings_text._independence(results)


def test_unknown_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(sys, "argv", ["findings", "--table", "nowhere.csv"])
    with pytest.raises(SystemExit, match="2"):
        findings.main()
    assert "nowhere.csv: no such table" in capsys.readouterr().err


@pytest.mark.parametrize(
    "law", [additive_growing, hardened_weights, degradation_by_levels], ids=lambda f: f.__name__
)
def test_the_formulas_equal_the_functions(law):
    """For the forms outside the catalogue, which the contract test does not cover."""
    record = describe(law)
    at = {"N": 1e5, "D": 3e6, "P_w": 6.0, "P_a": 5.0, "P_kv": 4.0, "P_post": 3.0}
    at = {name: at[name] for name in record.input_names}
    theta = {name: VALUES[name] for name in record.parameter_names}
    assert float(law(**at, **theta)) == pytest.approx(float(record.evaluate(at | theta)), rel=1e-5)


def test_many_bits_of_hardened_weights_are_full_precision():
    theta = {name: VALUES[name] for name in describe(hardened_weights).parameter_names}
    full_bits = hardened_weights(1e5, 3e6, 60.0, 60.0, 60.0, 60.0, **theta)
    assert float(full_bits) == pytest.approx(float(laws.chinchilla(1e5, 3e6, **DENSE)), rel=1e-4)
