"""The page: everything that a report shows, filled into its template."""

import base64
from collections.abc import Iterable
from importlib import resources
from typing import Any

import jinja2

from jscale.report.analysis import Analysis
from jscale.report.figures import svg
from jscale.report.notation import mathml_lines
from jscale.report.page import tables
from jscale.report.page._figures import PageFigure, page_figures
from jscale.report.page.findings import findings


def page(analysis: Analysis) -> str:
    """The report as HTML."""
    study = analysis.study
    excluded, more_excluded = tables.excluded_rows(study)
    sections = page_figures(analysis).items()
    template = _environment().get_template("page.html.j2")
    return template.render(
        study=study,
        style=_resource("page.css"),
        tiles=tables.tiles(analysis),
        findings=findings(analysis),
        plans=tables.plan_rows(analysis),
        formulas=mathml_lines(study.record),
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
        checklist=tables.checklist_rows(study),
        figures={section: rendered(figures) for section, figures in sections},
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


def data_uri(picture: str) -> str:
    """SVG text as a data address, so that identifiers of two pictures cannot collide."""
    return "data:image/svg+xml;base64," + base64.b64encode(picture.encode()).decode()


def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FunctionLoader(_resource),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _resource(name: str) -> str:
    return resources.files("jscale.report.page").joinpath(name).read_text(encoding="utf-8")
