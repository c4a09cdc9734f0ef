"""The page: everything that a report shows, filled into its template."""

import re
from collections.abc import Iterable
from importlib import resources
from typing import Any

import jinja2

from jscale.report.analysis import Analysis
from jscale.report.figures import svg
from jscale.report.notation import mathml_lines
from jscale.report.page import tables
from jscale.report.page._data import data
from jscale.report.page._figures import PageFigure, page_figures
from jscale.report.page._figures_grid import Grid, grid_figures
from jscale.report.page._pictures import data_uri
from jscale.report.page.findings import decision, findings

_SPECIAL = re.compile(r"[\\`*_{}\[\]<>|#~$&]")
"""Characters that Markdown, or HTML inside it, takes for more than themselves."""


def page(analysis: Analysis, grid: Grid = None) -> str:
    """The report as HTML, with the figures of a grid search if there was one."""
    study = analysis.study
    sections = {**page_figures(analysis), "grid": grid_figures(grid)}.items()
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            style=_resource("page.css"),
            formulas=mathml_lines(study.record),
            figures={section: rendered(figures) for section, figures in sections},
            **content(analysis),
        )
    )


def markdown(analysis: Analysis) -> str:
    """The report as Markdown, without figures."""
    environment = _environment(escapes=False)
    environment.filters["md"] = _as_text
    return environment.get_template("page.md.j2").render(**content(analysis))


def _as_text(value: object) -> str:
    """A text that Markdown leaves as it is, in one line."""
    return _SPECIAL.sub(r"\\\g<0>", " ".join(str(value).split()))


def content(analysis: Analysis) -> dict[str, Any]:
    """Sentences and tables of the page, by the names that the templates know them by."""
    study = analysis.study
    excluded, more_excluded = tables.excluded_rows(study)
    checklist = tables.checklist_rows(study)
    results = findings(analysis)
    decided = decision(analysis, results)
    return dict(
        study=study,
        decision=decided,
        data=data(analysis, decided.sentence, results),
        tiles=tables.tiles(analysis),
        findings=results,
        plans=tables.plan_rows(analysis),
        stops=tables.stops(analysis),
        critical=tables.critical_rows(analysis),
        laws=tables.law_rows(analysis),
        weighed=0 if analysis.held_out is None else analysis.held_out.held_out,
        columns=tables.column_rows(analysis),
        excluded=excluded,
        more_excluded=more_excluded,
        notes=tables.notes(study),
        parameters=tables.parameter_rows(study),
        noise=tables.noise_rows(analysis),
        backtest=tables.backtest_rows(analysis),
        backtest_caption=tables.backtest_caption(analysis),
        ensemble=tables.ensemble_rows(analysis),
        ensemble_caption=tables.ensemble_caption(analysis),
        badges=tables.badges(study),
        provenance=tables.provenance(analysis),
        checklist=checklist,
        unanswered=[each for each in checklist if each.is_missing],
    )


def rendered(figures: Iterable[PageFigure]) -> list[dict[str, Any]]:
    """Figures as the template takes them: pictures as data, with size, title, caption and text."""
    results = []
    for each in figures:
        width, height = each.figure.get_size_inches() * 96
        results.append(
            {
                "source": data_uri(svg(each.figure)),
                "narrow": "" if each.narrow is None else data_uri(svg(each.narrow)),
                "width": round(width),
                "height": round(height),
                "title": each.title,
                "alt": each.alt,
                "caption": each.caption,
                "span": each.span,
            }
        )
    return results


def _environment(*, escapes: bool = True) -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FunctionLoader(_resource),
        autoescape=escapes,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _resource(name: str) -> str:
    return resources.files("jscale.report.page").joinpath(name).read_text(encoding="utf-8")
