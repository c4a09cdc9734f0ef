"""``jscale laws`` and ``jscale data``."""

import json
import math
from pathlib import Path

import pytest

from jscale import laws, runs
from jscale.cli.data import largest_run

HOFFMANN = laws.params(laws.chinchilla, "hoffmann2022")


def test_laws_lists_the_catalogue(answer):
    printed = answer("laws")["laws"]
    assert [law["name"] for law in printed] == [laws.describe(law).name for law in laws.catalogue]
    for entry, law in zip(printed, laws.catalogue, strict=True):
        record = laws.describe(law)
        assert {"name", "subject", "inputs", "parameters", "published", "formula", "source"} <= set(
            entry
        )
        assert list(entry["inputs"]) == list(record.input_names)
        assert list(entry["parameters"]) == list(record.parameter_names)
        assert {k: v["values"] for k, v in entry["published"].items()} == {
            k: dict(v.values) for k, v in record.published.items()
        }


def test_laws_for_people(jscale):
    listed = jscale("laws").stdout
    assert all(laws.describe(law).name in listed for law in laws.catalogue)
    card = jscale("laws", "precision").stdout
    record = laws.describe(laws.precision)
    assert all(
        text in card
        for text in (record.formula, record.source, *record.parameter_names, *record.traps)
    )
    assert all(text in card for text in (*record.ridges, *record.limits, *record.limits.values()))
    assert "[confidence P: primary text or the authors' own code was read]" in card


def test_card_of_one_law(answer, tmp_path: Path):
    printed = answer("laws", "chinchilla", "--out", tmp_path / "card.json")
    assert printed["name"] == "chinchilla"
    assert printed["published"]["besiroglu2024"]["stderr"]["A"] == 124.58
    assert printed["parameters"]["A"]["coordinate"] == "A * N**-alpha"
    assert json.loads((tmp_path / "card.json").read_text()) == printed


def test_value_and_gradient(answer):
    printed = answer("laws", "chinchilla", "--params", "hoffmann2022", "--at", "N=70B,D=1.4e12")
    N, D, p = 7e10, 1.4e12, HOFFMANN
    size, data = N ** -p["alpha"], D ** -p["beta"]
    assert printed["value"] == pytest.approx(p["E"] + p["A"] * size + p["B"] * data, rel=1e-14)
    expected = {
        "N": -p["alpha"] * p["A"] * size / N,
        "D": -p["beta"] * p["B"] * data / D,
        "E": 1.0,
        "A": size,
        "B": data,
        "alpha": -p["A"] * size * math.log(N),
        "beta": -p["B"] * data * math.log(D),
    }
    assert printed["gradient"] == pytest.approx(expected, rel=1e-13)


def test_value_from_typed_parameters(answer):
    typed = ",".join(f"{name}={value!r}" for name, value in HOFFMANN.items())
    point = ("--at", "N=1e9", "--at", "D=2e10")
    assert answer("laws", "chinchilla", "--params", typed, *point) == answer(
        "laws", "chinchilla", *point
    )


def test_outside_the_domain_is_no_number(answer):
    printed = answer("laws", "precision", "--params", "kumar2024", "--at", "N=1e9,D=1e10,P_w=0.5")
    assert printed["value"] is None
    assert printed["status"] == "outside the domain of the law"


def test_bits_left_out_are_full_precision(answer):
    left_out = answer("laws", "precision", "--at", "N=1e9,D=1e10")
    assert left_out == answer("laws", "precision", "--at", "N=1e9,D=1e10,P_w=inf,P_post=inf")
    assert left_out["status"] == "finite"


def test_latex(jscale, answer):
    lines = jscale("laws", "qat", "--latex").stdout.splitlines()
    assert lines[0].startswith("L = E + ")
    assert r"\alpha" in lines[0]
    assert lines[1].startswith("f_{w} = ")
    assert r"\infty" in lines[1]
    assert answer("laws", "qat", "--latex")["latex"] == lines


def test_latex_of_every_law_reads(answer):
    for law in laws.catalogue:
        record = laws.describe(law)
        lines = answer("laws", record.name, "--latex")["latex"]
        assert len(lines) == 1 + len(record.definitions)


def test_data_lists_the_data_sets(answer, jscale):
    assert [d["name"] for d in answer("data")["data"]] == [d.name for d in runs.datasets()]
    assert all(d.name in jscale("data").stdout for d in runs.datasets())


def test_data_summarises_a_table(answer, jscale, table: Path):
    printed = answer("data", table)
    assert (printed["rows"], printed["kept"], printed["name"]) == (32, 30, "runs.csv")
    assert printed["columns"]["N"] == {
        "kind": "number",
        "distinct": 32,
        "min": 3e7,
        "max": pytest.approx(3e9),
    }
    assert printed["columns"]["exclude"]["kind"] == "flag"
    assert printed["digest"] == runs.read(table).digest
    screen = jscale("data", table).stdout
    assert "32 runs, 2 of them excluded" in screen
    assert "30M" in screen


@pytest.mark.parametrize(
    ("D", "verdict"), [(3e9, "undertrained"), (3e11, "overtrained"), (None, "close to compute-")]
)
def test_the_largest_run_by_the_published_law(answer, jscale, tmp_path: Path, D, verdict):
    """The optimal tokens are those of Hoffmann et al. 2022, equation 4, by the refit."""
    theta, N = laws.params("chinchilla", "besiroglu2024"), 4e9
    tokens, size = (theta[name] * theta[power] for name, power in (("B", "beta"), ("A", "alpha")))
    total = theta["alpha"] + theta["beta"]
    D = D or (tokens / size * N ** theta["alpha"]) ** (1 / theta["beta"])
    best = (N * D) ** (theta["alpha"] / total) * (tokens / size) ** (1 / total)

    source = tmp_path / "runs.csv"
    source.write_text(f"N,D,loss\n1e8,2e9,3.5\n2e8,4e9,3.3\n{N:.9g},{D:.9g},2.6\n")
    found = answer("data", source)["largest_run"]
    assert (found["row"], found["law"], found["params"]) == (3, "chinchilla", "besiroglu2024")
    assert found["tokens_over_optimal"] == pytest.approx(D / best, rel=1e-6)
    screen = " ".join(jscale("data", source).stdout.split())
    assert verdict in screen
    assert "By chinchilla as published (besiroglu2024; not a fit of this table) the run" in screen


@pytest.mark.parametrize(
    "text",
    [
        "N,loss\n1e8,3.5\n2e8,3.3\n",
        "N,D,loss [bits per byte]\n1e8,2e9,1.1\n2e8,4e9,1.0\n",
        "N,D,P_w,loss\n1e8,2e9,16,3.5\n2e8,4e9,4,3.3\n",
        "N,D,U,loss\n1e8,2e9,2e9,3.5\n2e8,4e9,1e9,3.3\n",
        "N,D,E_experts,loss\n1e8,2e9,1,3.5\n2e8,4e9,8,3.3\n",
    ],
    ids=["no tokens", "bits per byte", "few bits", "repeated", "experts"],
)
def test_no_verdict_that_the_published_law_cannot_give(tmp_path: Path, text: str):
    source = tmp_path / "runs.csv"
    source.write_text(text)
    assert largest_run(runs.read(source)) is None


def test_options_say_how_a_table_is_read(answer, jscale, tmp_path: Path):
    source = tmp_path / "runs.csv"
    source.write_text(
        "variant,params,macro_bpb,status\nbase,7e7,1.07,done\n2x,1e8,1.01,done\n2x,4e8,,crashed\n"
    )
    loss = ("--column", "loss=macro_bpb")
    assert answer("data", source, *loss)["loss_unit"] == "bits per byte"
    assert answer("data", source, *loss, "--where", "variant=2x")["rows"] == 2
    converted = answer("data", source, "--loss", "macro_bpb", "--bytes-per-token", "4")
    assert converted["columns"]["loss"]["max"] == pytest.approx(4 * math.log(2) * 1.07)
    assert "no loss" in jscale("data", source, *loss).stdout
    for words, message in (
        ((*loss, "--strict"), "the cell is empty"),
        (("--column", "loss"), "--column: expected text like loss=macro_loss, not 'loss'"),
        ((*loss, "--where", "variant=3x"), "no row of runs.csv has '3x'"),
        ((*loss, "--loss", "x"), "--loss: --column names the loss already"),
    ):
        refused = jscale("data", source, *words)
        assert refused.exit_code == 2
        assert message in refused.stderr
    kept = tmp_path / "kept.csv"
    jscale("data", source, *loss, "--out", kept)
    assert runs.read(kept).loss_unit == "bits per byte"


def test_data_writes_a_table_that_reads_back_the_same(jscale, tmp_path: Path):
    source = tmp_path / "odd.csv"
    source.write_text(
        "name,N,D,loss,w bits,drop,lr\n"
        '"a, ""b""\nü",0.1M,1.1B,3.3333333333333335,4,yes,\n'
        "[x],2e6,1e9,3,,no,0.3\n"
    )
    written = tmp_path / "tidy.csv"
    assert jscale("data", source, "--out", written).exit_code == 0
    read_back = runs.read(written)
    assert read_back.digest == runs.read(source).digest
    assert list(read_back) == list(runs.read(source))


def test_markup_in_a_table_is_printed_literally(jscale, tmp_path: Path):
    source = tmp_path / "m.csv"
    source.write_text("N,D,loss,[bold]x[/bold]\n1e7,1e9,3,1\n2e7,1e9,2.9,2\n")
    assert "[bold]x[/bold]" in jscale("data", source).stdout


def test_laws_for_a_table(answer, jscale, tmp_path: Path):
    lines = ["N,D,loss", *(f"{n:.6g},2e10,{4 - 0.1 * i}" for i, n in enumerate((1e8, 2e8, 4e8)))]
    (tmp_path / "runs.csv").write_text("\n".join(lines) + "\n")
    found = answer("laws", "--for", tmp_path / "runs.csv")
    names = [law["name"] for law in found["laws"]]
    assert {"power_size", "power_compute"} <= set(names)
    assert found["others"]["chinchilla"] == "3 runs for 5 parameters"
    assert "needs column" in found["others"]["vocabulary"]
    assert len(names) + len(found["others"]) == len(laws.catalogue)
    text = jscale("laws", "--for", tmp_path / "runs.csv").stdout
    assert "power_size" in text
    assert "chinchilla" not in text
    assert jscale("laws", "chinchilla", "--for", tmp_path / "runs.csv").exit_code == 2
