"""The page as a whole."""

import dataclasses
import importlib.resources
import json
import re
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from matplotlib.text import Text

from jscale import fit, laws, plan, report, runs
from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.status import Status
from jscale.report.analysis import Analysis, FittedStudy, Forecast, HeldOutForecasts
from jscale.report.analysis._summaries import column_summaries
from jscale.report.page import _page
from jscale.report.page._figures import SECTIONS, page_figures
from jscale.report.page._figures_grid import grid_figures
from jscale.report.page.tables import provenance
from jscale.runs import Runs
from tests.report.page.parsed_page import Page
from tests.report.stand_ins import (
    DRAWS,
    backtest_of,
    certificate,
    dense_table,
    point_of,
    posterior_of,
)

LIMIT = 2 * 2**20


def written(path: Path, study: FittedStudy, **options: Any) -> Page:
    settings: dict[str, Any] = {"budgets": study.budgets, "P_post": study.post_bits}
    settings |= {"title": None, "backtest": study.backtest} | options
    report.write(path, study.table, study.point, study.posterior, **settings)
    page = Page(path.read_text(encoding="utf-8"))
    assert page.open == []
    return page


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("report")


@pytest.fixture(scope="module")
def dense_page(folder: Path, dense: Analysis) -> Page:
    return written(folder / "dense.html", dense.study)


@pytest.fixture(scope="module")
def bits_page(folder: Path, bits: Analysis) -> Page:
    # The page of ``dense`` has an analysis of its own; here the one of the session serves again.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jscale.report.page._write.analyse", lambda study: bits)
        return written(folder / "bits.html", bits.study)


@pytest.fixture
def text_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages whose figures are made but not rendered: rendering takes most of the time."""
    monkeypatch.setattr("jscale.report.page._page.svg", lambda figure: "<svg/>")


@pytest.mark.parametrize("which", ["dense_page", "bits_page"])
def test_a_page_is_self_contained(which: str, request: pytest.FixtureRequest, folder: Path):
    page = request.getfixturevalue(which)
    assert page.all("script") == [{"type": "application/json", "id": "report-data"}]
    assert page.all("link") == page.all("iframe") == []
    for tag, attributes in page.elements:
        for name in ("src", "srcset", "href"):
            assert str(attributes.get(name, "#")).startswith(("#", "data:image/svg+xml,")), (
                tag,
                attributes,
            )
        assert not any(name.startswith("on") for name in attributes)
    text = (folder / f"{which.removesuffix('_page')}.html").read_text()
    # Pictures refer to their own parts alone.
    assert "url(" not in text.replace("url(%23", "")
    assert "@import" not in text
    assert len(text) < LIMIT


@pytest.mark.parametrize("which", ["dense_page", "bits_page"])
def test_a_page_is_accessible(which: str, request: pytest.FixtureRequest):
    page = request.getfixturevalue(which)
    assert page.all("html") == [{"lang": "en"}]
    assert all(len(image["alt"]) > 20 for image in page.all("img"))
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert max(np.diff(levels)) <= 1
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    sections = [a["id"] for a in page.all("section")]
    assert {a["href"] for a in page.all("a")} == {f"#{name}" for name in sections}
    assert all("scope" in header for header in page.all("th"))
    assert all("FLOP" in each["aria-label"] for each in page.all("input"))


def test_sections_come_in_order(dense_page: Page, bits_page: Page):
    evidence = ["findings", "forecast", "precision", "runs", "fit", "posterior"]
    expected = ["decision", *evidence, "caveats", "methods"]
    assert [a["id"] for a in bits_page.all("section")] == expected
    expected.remove("precision")
    assert [a["id"] for a in dense_page.all("section")] == expected


def test_a_page_shows_the_fit_and_the_plans(
    dense: Analysis, dense_page: Page, dense_forecast: Forecast
):
    text = dense_page.text
    assert "The chinchilla law fitted to simulated chinchilla" in text
    assert "64 of 64" in text
    assert dense.study.posterior is not None
    for name, values in dense.study.posterior.summary.items():
        assert f"{values['q50']:.4g}" in text.replace(",", ""), name
    assert f"NUTS, 2 chains, {DRAWS:,} draws, 0 divergences; converged" in text
    plans = dense_forecast.plans
    for budget, N in zip(("10²²", "10²⁴"), plans.N.q50, strict=True):
        assert budget in text
        assert report.tables.human(N, 2) in text
    assert "1.9 decades in compute" in text
    assert "losses drawn from 'chinchilla'" in text  # a note of the table


def test_the_decision_comes_first(dense: Analysis, dense_page: Page, dense_forecast: Forecast):
    """One sentence, one table, and what speaks against it."""
    text = dense_page.text
    plans, new = dense_forecast.plans, dense_forecast.new_run_at_plans
    assert new is not None
    size, tokens = (report.tables.human(float(each.q50[0]), 2) for each in (plans.N, plans.D))
    sentence = f"With 10²² FLOP, train {size} parameters on {tokens} tokens"
    assert f"What to train {sentence}" in text
    assert f"such a run is forecast at {new.q50[0]:.3f} nats per token" in text
    assert text.index(sentence) < text.index("Read before you rely on this: Extrapolation")
    assert text.index("Read before") < text.index("Findings Runs")
    tables = [each for each in dense_page.all("table") if "plans" in each.get("class", "")]
    assert len(tables) == 1


def test_a_plan_at_any_budget_is_chosen_without_a_script(
    dense_page: Page, dense_forecast: Forecast
):
    stops = dense_forecast.stops
    radios = dense_page.all("input")
    assert [each["type"] for each in radios] == ["radio"] * len(stops.compute)
    (chosen,) = [each for each in radios if "checked" in each]
    assert chosen["title"] == "10²² FLOP"
    assert len([each for each in dense_page.all("dl") if each.get("class") == "stop"]) == len(
        radios
    )


def test_the_numbers_are_in_the_page_as_json(bits: Analysis, bits_page: Page):
    data = json.loads(bits_page.data)
    assert " ".join(data["decision"].split()) in bits_page.text
    assert data["params"] == bits.study.point.params
    assert bits.forecast is not None
    (plan,) = data["plans"]
    assert plan["C"] == 1e20
    assert plan["N_opt"]["q05"] == bits.forecast.plans.N.q05[0]
    assert plan["P_opt"]["q95"] == bits.forecast.plans.P.q95[0]  # pyright: ignore
    assert set(plan["D_crit"]) == set(plan["D_crit_at_P_opt"]) == {"3", "4"}
    assert plan["new_run"]["q95"] > plan["loss"]["q95"]
    assert [each["C"] for each in data["stops"]] == bits.forecast.stops.compute.tolist()


def test_a_report_in_markdown(tmp_path: Path, dense: Analysis, monkeypatch):
    study = dataclasses.replace(dense.study, command="jscale report <b>|x.csv")
    analysis = dataclasses.replace(dense, study=study)
    monkeypatch.setattr("jscale.report.page._write.analyse", lambda study: analysis)
    report.write(tmp_path / "report.md", study.table, study.point, study.posterior, budgets=())
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert text.startswith("# The chinchilla law fitted to simulated chinchilla\n")
    assert "**With 10²² FLOP, train" in text
    assert "| Budget (FLOP) | Parameters N\\* |" in text
    assert "<" not in text.replace("\\<", "")
    assert "jscale report \\<b\\>\\|x.csv" in text
    widths = {line.count(" | ") for line in text.splitlines() if line.startswith("| 10²")}
    assert len(widths) == 2  # of the decision and of the other budgets


def test_methods_name_command_likelihood_priors_and_versions(dense: Analysis):
    study = dataclasses.replace(dense.study, command="jscale report runs.csv --seed 0")
    methods = dict(provenance(dataclasses.replace(dense, study=study)))
    assert methods["Command"] == "jscale report runs.csv --seed 0"
    assert methods["Likelihood"] == "log losses scatter about the law with errors student"
    assert methods["Losses"] == "nats per token"
    assert "E ~ " in methods["Priors"]
    assert "(of E, A and B: of the coordinate at the centre of the runs)" in methods["Priors"]
    assert re.search(r"jscale [\d.]+, Python 3\.\d+\.\d+, jax \d", methods["Made with"])


def test_a_page_of_a_law_with_bits_shows_precision(bits_page: Page):
    text = bits_page.text
    assert "Bits P*" in text
    assert "crit" in text
    titles = {"Loss against bits", "Best training precision", "Critical tokens"}
    assert all(title in text for title in titles)


def test_without_a_posterior_there_are_no_intervals(text_only, tmp_path: Path, dense: Analysis):
    page = written(tmp_path / "point.html", dataclasses.replace(dense.study, posterior=None))
    assert "posterior" not in [a["id"] for a in page.all("section")]
    assert "90%" not in page.text.replace("95%", "")
    assert "credible" not in page.text


def test_a_law_without_a_plan_has_a_report(text_only, tmp_path: Path, without_posterior):
    page = written(tmp_path / "power.html", without_posterior(laws.power_size, dense_table()))
    sections = ["decision", "findings", "forecast", "runs", "fit", "caveats", "methods"]
    assert [a["id"] for a in page.all("section")] == sections
    assert "Loss against N" in page.text


def test_without_budgets_there_are_no_plans(text_only, tmp_path: Path, dense: Analysis):
    page = written(tmp_path / "none.html", dense.study, budgets=())
    assert "What to train" not in page.text
    assert "Decision Ten times the compute of the largest run" in page.text


HOSTILE = "<script>alert(1)</script>"


def test_text_of_the_table_is_escaped(text_only, tmp_path: Path):
    marked = np.full(32, False)
    marked[:3] = True
    table = dense_table(
        run_id=np.array([f"{HOSTILE}{i}" for i in range(32)]),
        exclude=marked,
        reason=np.full(32, "$\\frac{<b>"),
        group=np.full(32, "&lt;i>"),
    )
    notes = (Note("odd", "warning", HOSTILE),)
    table = Runs(table.columns, table.extras, notes, name=f"{HOSTILE} $x^{{ \u202e", source=HOSTILE)
    point = point_of(laws.chinchilla, table, laws.params(laws.chinchilla, "besiroglu2024"))
    path = tmp_path / "hostile.html"
    report.write(
        path,
        table,
        point,
        posterior_of(point, table),
        budgets=[1e23],
        title='"><img src=x onerror=alert(1)>',
        backtest=False,
    )
    page = Page(path.read_text(encoding="utf-8"))
    assert len(page.all("script")) == 1
    assert page.all("b") == []
    assert json.loads(page.data)["title"] == '"><img src=x onerror=alert(1)>'
    assert all("onerror" not in attributes for _, attributes in page.elements)
    assert page.text.count(f"{HOSTILE}0") == 1
    assert "onerror=alert(1)" in page.text  # as text, in the title
    assert "3 excluded" in page.text


def test_the_list_of_excluded_runs_is_limited(text_only, tmp_path: Path):
    N = np.geomspace(1e7, 1e10, 120)
    excluded = np.arange(120) < 60
    table = runs.simulate(
        laws.chinchilla,
        laws.params(laws.chinchilla),
        {"N": N, "D": 20 * N * np.tile([0.5, 2], 60), "exclude": excluded},
        noise=0.01,
        key=jax.random.key(0),
    )
    point = point_of(laws.chinchilla, table, laws.params(laws.chinchilla))
    path = tmp_path / "cut.html"
    report.write(path, table, point, budgets=[], backtest=False)
    assert "And 20 more." in Page(path.read_text()).text


def test_warnings_are_marked(text_only, tmp_path: Path, dense: Analysis):
    unreliable = certificate(
        status=Status.collinear_design,
        unidentified=("A", "B"),
        condition=1e9,
        agreement=0.02,
        second_method=False,
    )
    study = dense.study
    assert study.posterior is not None
    summary = {
        name: {**values, "ess_bulk": 12.0, "rhat": 1.3}
        for name, values in study.posterior.summary.items()
    }
    posterior = dataclasses.replace(study.posterior, summary=summary, status=Status.not_converged)
    point = dataclasses.replace(study.point, certificate=unreliable)
    page = written(
        tmp_path / "doubt.html", dataclasses.replace(study, point=point, posterior=posterior)
    )
    tones = [a.get("class") for tag, a in page.elements if tag == "li"]
    assert {"bad", "doubt"} <= set(tones)
    assert "collinear design" in page.text
    assert "The chains did not converge" in page.text
    assert len([a for a in page.all("td") if a.get("class") == "doubt"]) == 2 * len(summary)


def test_the_same_input_gives_the_same_bytes(
    tmp_path: Path, dense: Analysis, folder: Path, dense_page: Page
):
    written(tmp_path / "again.html", dense.study)
    assert (tmp_path / "again.html").read_bytes() == (folder / "dense.html").read_bytes()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (dict(budgets=[0.0]), "budgets: 0.0 is not a positive number of FLOP"),
        (dict(budgets=[float("nan")]), "budgets: nan"),
        (dict(budgets=[1e22], P_post=[-4]), "P_post: -4 is not a positive number of bits"),
    ],
)
def test_numbers_must_be_positive(tmp_path: Path, dense: Analysis, changes: dict, words: str):
    with pytest.raises(JscaleError, match=re.escape(words)):
        report.write(tmp_path / "no.html", dense.study.table, dense.study.point, **changes)
    assert list(tmp_path.iterdir()) == []


def test_fit_and_posterior_must_be_of_the_same_runs(
    tmp_path: Path, dense: Analysis, bits: Analysis
):
    study, path = dense.study, tmp_path / "no.html"
    assert study.posterior is not None
    other = study.table.where(np.arange(32) > 3)
    with pytest.raises(JscaleError, match="point: fitted to other runs than simulated"):
        report.write(path, other, study.point, budgets=[])
    with pytest.raises(JscaleError, match="posterior: sampled for the law 'precision'"):
        report.write(path, study.table, study.point, bits.study.posterior, budgets=[])
    moved = dataclasses.replace(study.posterior, table_digest=other.digest)
    with pytest.raises(JscaleError, match="posterior: sampled for other runs than simulated"):
        report.write(path, study.table, study.point, moved, budgets=[])


def test_the_path_is_checked_before_the_work(tmp_path: Path, dense: Analysis):
    start = time.perf_counter()
    study = dense.study
    for path in (tmp_path / "none" / "report.html", tmp_path):
        with pytest.raises(JscaleError) as error:
            report.write(path, study.table, study.point, study.posterior, budgets=[1e23])
        assert "\n" not in str(error.value)
    assert time.perf_counter() - start < 1.0
    assert list(tmp_path.iterdir()) == []


def test_the_write_is_atomic(tmp_path: Path, dense: Analysis, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("old")
    monkeypatch.setattr("jscale.report.page._write.analyse", lambda study: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        report.write(path, dense.study.table, dense.study.point, budgets=[])
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_is_readable_by_others(folder: Path, dense_page: Page):
    assert (folder / "dense.html").stat().st_mode & stat.S_IRGRP


def test_jax_settings_are_restored(text_only, tmp_path: Path, dense: Analysis):
    before = jax.config.jax_enable_x64  # pyright: ignore[reportAttributeAccessIssue]
    written(tmp_path / "x.html", dense.study, budgets=())
    assert jax.config.jax_enable_x64 == before  # pyright: ignore[reportAttributeAccessIssue]


def test_importing_report_loads_neither_jax_nor_matplotlib():
    code = (
        "import jscale.report, sys; "
        "print(jscale.report.tables.human(7e10), {'jax', 'matplotlib', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "70B set()", done.stderr
    assert dir(report) == [
        "coverage_figure",
        "plots",
        "profile_figure",
        "ranks_figure",
        "sensitivity_figure",
        "tables",
        "write",
        "write_coverage",
        "write_profile",
        "write_ranks",
        "write_sensitivity",
    ]
    with pytest.raises(AttributeError, match="nonsense"):
        _ = report.nonsense


def test_templates_are_part_of_the_package():
    files = {file.name for file in importlib.resources.files("jscale.report.page").iterdir()}
    assert {"page.html.j2", "page.md.j2", "parts.html.j2", "page.css"} <= files


def test_a_fit_from_table_to_page(text_only, tmp_path: Path):
    """The command line's tests write a page with a sampled posterior."""
    table = dense_table()
    point = fit.point(laws.power_size, table, starts=8)
    path = tmp_path / "real.html"
    report.write(path, table, point, budgets=[1e23])
    page = Page(path.read_text(encoding="utf-8"))
    assert "8 of 8" in page.text
    assert f"{point.params['alpha']:.5f}" in page.text
    assert "point fit, with bands as wide as the residuals of the fitted runs" in page.text
    assert "80% bands held" in page.text


def test_the_backtest_has_a_section(text_only, tmp_path: Path, dense: Analysis, monkeypatch):
    result = backtest_of(dense.study.table, spread=0.005)
    analysis = dataclasses.replace(dense, held_out=HeldOutForecasts(result))
    monkeypatch.setattr("jscale.report.page._write.analyse", lambda study: analysis)
    page = written(tmp_path / "backtest.html", dense.study)
    sections = [a["id"] for a in page.all("section")]
    assert sections[2:5] == ["forecast", "backtest", "runs"]
    assert {"href": "#backtest"} in page.all("a")
    assert "forecast by the law with the errors student, by importance sampling" in page.text
    for scores, cut in zip(result.laws[0].cuts, result.cuts, strict=True):
        assert f"{report.tables.with_powers(cut.label)} {cut.fitted} {scores.count} " in page.text
        assert f" {scores.bands[1].coverage:.0%} " in page.text
    assert f"all {result.summary.count} " in page.text
    assert any("held-out runs" in image["alt"] for image in page.all("img"))


def test_the_forecasts_of_an_ensemble_are_listed(
    text_only, tmp_path: Path, dense: Analysis, monkeypatch
):
    table = dense.study.table
    result = backtest_of(table, spread=0.005, cuts=(0.8,))
    held_out = HeldOutForecasts(result, ensemble=result, ensemble_table=table)
    analysis = dataclasses.replace(dense, held_out=held_out)
    monkeypatch.setattr("jscale.report.page._write.analyse", lambda study: analysis)
    page = written(tmp_path / "ensemble.html", dense.study)
    (law,), (cut,) = result.laws, result.cuts
    _, inner, outer = law.summary.bands
    assert f"forecast from the {cut.fitted} smaller runs by the chinchilla" in page.text
    assert f"{inner.held} of {inner.count} are in their 80% bands, {outer.held} in" in page.text
    assert "bands are not corrected" in page.text
    for row in sorted(result.rows, key=lambda row: -row.C)[:12]:
        band = f"{row.loss:.3f} {row.predicted:.3f} {row.q10:.3f} to {row.q90:.3f}"
        assert band in page.text


@pytest.mark.data
def test_chinchilla_runs(tmp_path: Path):
    table = runs.dataset("chinchilla")
    point = point_of(laws.chinchilla, table, laws.params(laws.chinchilla, "besiroglu2024"))
    path = tmp_path / "chinchilla.html"
    posterior = posterior_of(point, table, draws=4000)
    report.write(path, table, point, posterior, budgets=[1e22, 1e24], backtest=False)
    text = Page(path.read_text(encoding="utf-8")).text
    assert "240 of the 245 runs" in text
    assert "use 1,000 of the 4,000 draws" in text
    assert path.stat().st_size < LIMIT


def test_losses_in_another_unit_are_named_in_every_text(dense: Analysis, monkeypatch):
    table = dataclasses.replace(dense.study.table, loss_unit="bits per byte")
    point = dataclasses.replace(dense.study.point, table_digest=table.digest)
    study = dataclasses.replace(dense.study, table=table, point=point)
    analysis = dataclasses.replace(dense, study=study, columns=column_summaries(study))
    texts = [
        text.get_text()
        for figures in page_figures(analysis).values()
        for each in figures
        for figure in (each.figure, each.narrow)
        if figure is not None
        for text in figure.findobj(Text)
    ]
    assert not [text for text in texts if "nats per token" in text]
    assert "Observed loss (bits per byte)" in texts

    nothing = {section: [] for section in SECTIONS}
    monkeypatch.setattr("jscale.report.page._page.page_figures", lambda analysis: nothing)
    html = _page.page(analysis)
    assert "nats per token" not in html
    assert "nats/token" not in html
    assert "bits per byte" in html
    assert "bits/byte" in html


def test_a_grid_search_is_a_section(text_only, dense: Analysis):
    """Its results with a figure are drawn; one without any is an error."""
    axes = {"N": np.geomspace(1e8, 1e10, 3), "D": np.geomspace(1e9, 1e11, 3)}
    keep = [plan.reductions.Marginal(("N",)), plan.reductions.Marginal(("N", "D"), "map")]
    objective = {"value": lambda N, D: N**-0.3 + D**-0.3, "flops": "6 * N * D"}
    front = plan.reductions.Front(("flops", "value"))
    cells = plan.grid(objective, axes, reduce=[*keep, front, plan.reductions.Best()])
    figures = grid_figures(cells)
    titles = ["Smallest value by N", "Smallest value by N and D", "Trade-off of flops and value"]
    assert [figure.title for figure in figures] == titles
    assert grid_figures([cells["map"]])[0].title == titles[1]
    assert grid_figures(None) == []
    with pytest.raises(JscaleError, match=r"grid has no result with a figure \(it has: best\)"):
        grid_figures([cells["best"]])
    page = Page(_page.page(dense, cells))
    assert page.open == []
    assert {"href": "#grid"} in page.all("a")
    assert "Grid search" in page.text
    assert "Smallest value by N and D" in page.text
