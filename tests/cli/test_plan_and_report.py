"""``jscale plan`` and ``jscale report``."""

import json
import math
from pathlib import Path

import jax
import numpy as np
import pytest

from jscale import fit, laws, plan, report, runs
from jscale.cli.support.planning import default_budgets
from tests.cli.tables import SHORT

KUMAR = ("--law", "precision", "--params", "kumar2024")
QUANTILES = ("q05", "q50", "q95")


def point(band: dict) -> float:
    """The value of a band whose ends are equal."""
    assert band["q05"] == band["q50"] == band["q95"]
    return band["q50"]


def test_plan_from_published_constants(answer):
    printed = answer("plan", *KUMAR, "--budget", "1e21", "--budget", "4e21,1e22")
    assert set(printed) >= {"law", "plans"}
    first, second, third = printed["plans"]
    assert (first["C"], second["C"], third["C"]) == (1e21, 4e21, 1e22)
    assert point(first["N_opt"]) == pytest.approx(5.34335e9, rel=1e-6)
    assert point(first["D_opt"]) == pytest.approx(7.12732e10, rel=1e-6)
    assert point(first["P_opt"]) == pytest.approx(7.00211, rel=1e-6)
    assert point(first["loss"]) == pytest.approx(2.912462, rel=1e-6)
    assert point(first["D_over_N"]) == pytest.approx(7.12732e10 / 5.34335e9, rel=1e-6)
    assert (first["status"], first["converged"]) == ("converged", 1.0)
    # alpha = beta: the optimal size grows as the square root of compute.
    assert point(second["N_opt"]) == pytest.approx(2 * 5.34335e9, rel=1e-6)


def test_precision_may_be_fixed(answer):
    printed = answer("plan", *KUMAR, "--budget", "1e21", "--bits", "16")["plans"][0]
    assert point(printed["P_opt"]) == 16
    assert 6 * point(printed["N_opt"]) * point(printed["D_opt"]) == pytest.approx(1e21, rel=1e-9)
    assert answer("plan", *KUMAR, "--budget", "1e21", "--P", "16")["plans"] == [printed]


def test_a_law_without_bits_has_no_optimal_bits(answer):
    (printed,) = answer("plan", "--params", "hoffmann2022", "--budget", "5.76e23")["plans"]
    assert "P_opt" not in printed
    p = laws.params(laws.chinchilla, "hoffmann2022")
    G = (p["alpha"] * p["A"] / (p["beta"] * p["B"])) ** (1 / (p["alpha"] + p["beta"]))
    expected = G * (5.76e23 / 6) ** (p["beta"] / (p["alpha"] + p["beta"]))
    assert point(printed["N_opt"]) == pytest.approx(expected, rel=1e-9)


def test_critical_tokens(answer):
    """Eq. 13 in closed form: for a size in full precision, and for the planned model."""
    p = laws.params(laws.precision, "kumar2024")

    def closed(N: float, bits: float) -> float:
        top = p["beta"] * p["B"] * N ** p["gamma_N"] * math.exp(bits / p["gamma_post"])
        return (top / (p["gamma_D"] * p["C_T"])) ** (1 / (p["gamma_D"] + p["beta"]))

    printed = answer("plan", *KUMAR, "--N", "30M", "--post-bits", "3,4")
    assert printed["plans"] == []
    (size,) = printed["critical"]
    assert size["N"] == 3e7
    assert {bits: point(band) for bits, band in size["D_crit"].items()} == pytest.approx(
        {"3": 1.63845e10, "4": 8.85596e10}, rel=1e-5
    )
    assert point(size["D_crit"]["4"]) == pytest.approx(closed(3e7, 4), rel=1e-8)
    (planned,) = answer("plan", *KUMAR, "--budget", "1e21", "--post-bits", "4")["plans"]
    N, P = point(planned["N_opt"]), point(planned["P_opt"])
    kept = math.prod(1 - math.exp(p[f"n_{x}"] - P / p[f"gamma_{x}"]) for x in ("w", "a", "kv"))
    assert point(planned["D_crit"]["4"]) == pytest.approx(closed(N, 4), rel=1e-8)
    assert planned["D_crit"]["4"]["P_train"] is None
    best = planned["D_crit_at_P_opt"]["4"]
    assert point(best) == pytest.approx(closed(N * kept, 4), rel=1e-8)
    assert best["P_train"] == P
    (fixed,) = answer("plan", *KUMAR, "--budget", "1e21", "--post-bits", "4", "--bits", "8")[
        "plans"
    ]
    assert fixed["D_crit"]["4"]["P_train"] == 8
    assert "D_crit_at_P_opt" not in fixed


def test_without_critical_tokens_the_value_is_null_with_a_status(answer, jscale):
    (printed,) = answer("plan", *KUMAR, "--budget", "1e21", "--post-bits", "16")["plans"]
    assert printed["D_crit_at_P_opt"]["16"] == dict.fromkeys(QUANTILES) | {
        "status": "no_interior_optimum",
        "converged": 0.0,
        "lost": 1,
        "P_train": point(printed["P_opt"]),
    }
    assert (
        "more tokens never hurt"
        in jscale("plan", *KUMAR, "--budget", "1e21", "--post-bits", "16").stdout
    )


def test_a_plan_that_fails_is_null_with_a_status(answer, jscale):
    (printed,) = answer("plan", *KUMAR, "--budget", "1e21", "--bits", "3")["plans"]
    assert [printed[name]["q50"] for name in ("N_opt", "D_opt", "loss")] == [None] * 3
    assert (printed["status"], printed["converged"]) == ("no_interior_optimum", 0.0)
    assert "no interior optimum" in jscale("plan", *KUMAR, "--budget", "1e21", "--bits", "3").stdout


def test_plan_from_draws(answer, sampled, tmp_path: Path):
    options = ("--posterior", sampled.file, "--budget", "1e23", "--out", tmp_path / "plan.json")
    printed = answer("plan", *options)
    best = plan.optimal(laws.chinchilla, fit.load(sampled.file).draws, 1e23)
    expected = np.quantile(np.asarray(best.N_opt, dtype=float), (0.05, 0.5, 0.95))
    # The library plans in the caller's float32 here, the command in float64.
    N_opt = printed["plans"][0]["N_opt"]
    assert [N_opt[q] for q in QUANTILES] == pytest.approx(expected.tolist(), rel=1e-4)
    assert N_opt["q05"] < N_opt["q95"]
    assert printed["draws"] == 200
    assert json.loads((tmp_path / "plan.json").read_text()) == printed


def test_plan_samples_with_the_settings_of_the_verb_sample(
    answer, sampled, table: Path, monkeypatch
):
    """The same call of the sampler, so that the same seed gives the same draws."""
    calls = []

    def posterior(law, runs_table, **settings):
        key = jax.random.key_data(settings.pop("key")).tolist()
        calls.append((law, runs_table.digest, key, settings))
        return fit.load(sampled.file)

    monkeypatch.setattr(fit, "posterior", posterior)
    options = (*SHORT, "--seed", 3)
    planned = answer("plan", table, "--budget", "1e23", *options)
    answer("sample", table, *options)
    assert calls[0] == calls[1]
    from_file = answer("plan", "--posterior", sampled.file, "--budget", "1e23")
    assert planned["plans"] == from_file["plans"]


def test_plan_from_the_json_of_a_fit(answer, jscale, tied):
    printed = answer("plan", "--params", tied.file, "--tie", "beta=alpha", "--budget", "1e22")
    assert printed["params"] == tied.printed["params"]
    assert point(printed["plans"][0]["N_opt"]) > 1e8
    refused = jscale("plan", "--params", tied.file, "--budget", "1e22")
    assert refused.exit_code == 2
    assert "fitted for law 'chinchilla[beta=alpha]', not 'chinchilla'" in refused.stderr


def test_plan_for_people(jscale):
    screen = jscale("plan", *KUMAR, "--budget", "1e21").stdout
    assert all(text in screen for text in ("10²¹", "5.34B", "71.3B", "7.00", "2.9125"))


def test_report(answer, table: Path, sampled, tmp_path: Path):
    page = tmp_path / "report.html"
    printed = answer(
        "report", table, "--posterior", sampled.file, "--out", page, "--title", "A & <b>B</b>"
    )
    html = page.read_text(encoding="utf-8")
    assert len(html) > 10_000
    assert html.lstrip().lower().startswith("<!doctype html")
    assert "A &amp; &lt;b&gt;B&lt;/b&gt;" in html
    assert "<script>alert" not in html
    assert "80% bands held" in html
    assert "Held-out runs against their forecasts" in html
    assert (printed["out"], printed["bytes"]) == (str(page), page.stat().st_size)
    assert printed["fit"]["n_runs"] == 30
    assert printed["posterior"]["params"] == sampled.printed["params"]
    # The largest run took 1.8e21 FLOP or so: plans look one, two and three decades further.
    largest = max(float(c) for c in runs.read(table)["C"])
    assert [p["C"] for p in printed["plans"]] == [
        float(f"1e{round(math.log10(largest)) + k}") for k in (1, 2, 3)
    ]


def test_report_for_people(jscale, table: Path, sampled, tmp_path: Path, monkeypatch):
    calls: list[dict] = []

    def write(path, *_, **settings) -> None:
        calls.append(settings)
        path.write_text("page")

    monkeypatch.setattr(report, "write", write)
    page = tmp_path / "page.html"
    options = ("--posterior", sampled.file, "--budget", "5.76e23", "--out", page)
    result = jscale("report", table, *options)
    assert (result.exit_code, result.stderr) == (0, "")
    jscale("report", table, *options, "--no-backtest")
    common = {
        "budgets": (5.76e23,),
        "P_post": [],
        "title": None,
        "correct": True,
        "ensemble": False,
        "grid": None,
    }
    commands = [call.pop("command") for call in calls]
    assert calls == [{**common, "backtest": True}, {**common, "backtest": False}]
    assert commands[0].startswith(f"jscale report {table} --posterior")
    assert commands[0].endswith("--budget 5.76e23")  # --out makes no difference to the page
    assert commands[1] == f"{commands[0]} --no-backtest"
    assert "5.76×10²³" in result.stdout
    assert f"report: {page} (0.0 MB)" in result.stdout


def test_default_budgets_exceed_the_compute_of_the_runs():
    assert default_budgets(np.array([1e18, 1.3e22])) == [1e23, 1e24, 1e25]
    assert default_budgets(np.array([9e22])) == [1e24, 1e25, 1e26]


def test_bits_of_weights_alone_are_charged_6nd(answer):
    """The plan is in full precision, and a note says why."""
    printed = answer("plan", "--law", "qat", "--params", "kumar2024", "--budget", "1e21")
    (planned,) = printed["plans"]
    assert "P_opt" not in planned
    spent = 6 * planned["N_opt"]["q50"] * planned["D_opt"]["q50"]
    assert spent == pytest.approx(1e21, rel=1e-5)
    assert planned["lost"] == 0
    assert [note["code"] for note in printed["notes"]] == ["compute-of-bits"]
