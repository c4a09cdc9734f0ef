"""The page: everything that a report says, filled into its template."""

import base64
from collections.abc import Iterable
from importlib import resources
from typing import Any

import jinja2

from jscale.report.analysis import Study, forecast, precision, profiles, single_resource
from jscale.report.figures import svg
from jscale.report.page import _figures as gallery
from jscale.report.page import _figures_pairs as gallery_pairs
from jscale.report.page import _tables as contents
from jscale.report.page._findings import findings


def page(study: Study) -> str:
    """The report as HTML."""
    ahead, curve = forecast(study), single_resource(study)
    bits, curves = precision(study, ahead), profiles(study, ahead)
    excluded, more_excluded = contents.excluded_rows(study)
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            study=study,
            style=_resource("page.css"),
            tiles=contents.tiles(study, ahead),
            findings=findings(study, ahead, curve, bits),
            plans=contents.plan_rows(study, ahead, bits),
            formulas=contents.formulas(study),
            columns=contents.column_rows(study),
            excluded=excluded,
            more_excluded=more_excluded,
            notes=contents.notes(study),
            parameters=contents.parameter_rows(study),
            noise=contents.noise_rows(study),
            badges=list(zip(contents.QUESTIONS, contents.badges(study), strict=True)),
            provenance=contents.provenance(study, ahead),
            plates={
                "runs": plates(gallery.of_runs(study)),
                "fit": plates(gallery.of_fit(study)),
                "posterior": plates(gallery.of_posterior(study)),
                "forecast": plates(gallery.of_forecast(study, ahead, curve, curves)),
                "precision": plates(
                    (
                        *gallery.of_precision(study, ahead, bits),
                        *gallery_pairs.of_pairs(study, ahead),
                    )
                ),
            },
        )
    )


def plates(found: Iterable[gallery.PageFigure]) -> list[dict[str, Any]]:
    """Figures as the template takes them: pictures as data, with their size, title, caption and
    alternative text.
    """
    made = []
    for plate in found:
        width, height = plate.figure.get_size_inches() * 96
        made.append(
            {
                "source": data_uri(svg(plate.figure)),
                "narrow": data_uri(svg(plate.narrow)) if plate.narrow is not None else "",
                "width": round(width),
                "height": round(height),
                "title": plate.title,
                "alt": plate.alt,
                "caption": plate.caption,
                "span": plate.span,
            }
        )
    return made


def data_uri(picture: str) -> str:
    """SVG text as the address of an image that needs no second file, and whose identifiers cannot
    meet another's.
    """
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
