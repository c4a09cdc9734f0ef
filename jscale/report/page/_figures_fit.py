"""Figures of the runs, the fit and the posterior."""

from collections.abc import Callable, Iterator

import numpy as np
from matplotlib.axis import Axis

from jscale.laws import Input
from jscale.report import figures
from jscale.report.analysis import Analysis
from jscale.report.notation import human, listing, plain, plural
from jscale.report.page._page_figure import PageFigure, axis_label, input_words


def design(analysis: Analysis) -> Iterator[PageFigure]:
    """Size and data of every run, where the table has both."""
    study = analysis.study
    N, D = study.column("N"), study.column("D")
    if N is None or D is None:
        return

    kept = study.table.kept
    excluded = None if kept.all() else (study.table["N"][~kept], study.table["D"][~kept])
    sizes = f"parameters from {human(N.min())} to {human(N.max())}"
    tokens = f"tokens from {human(D.min())} to {human(D.max())}"
    yield PageFigure(
        figures.design(N, D, study.loss, excluded, study.loss_unit),
        title="Design",
        alt=f"Scatter of {len(N)} runs: {sizes} against {tokens}, coloured by loss.",
        caption="Size and data of every run. Thin lines: equal compute, labelled in FLOP."
        + ("" if excluded is None else " Crosses: excluded runs, where none was fitted."),
    )


def loss_of_runs(analysis: Analysis) -> Iterator[PageFigure]:
    """Loss against the law's first input, for a table without size and data."""
    study = analysis.study
    if study.column("N") is not None and study.column("D") is not None:
        return

    item = study.record.inputs[0]
    x = study.data.inputs[item.name]
    yield PageFigure(
        figures.loss_by_resource(
            x, study.loss, axis_label(item), item.name == "C", study.loss_unit
        ),
        title="Loss of the runs",
        alt=f"Loss of {len(x)} runs against {item.name} in {item.unit}.",
        caption="The fitted runs.",
    )


def observed_predicted(analysis: Analysis) -> Iterator[PageFigure]:
    """Observed against predicted loss."""
    study, point = analysis.study, analysis.study.point
    yield PageFigure(
        figures.observed_predicted(study.loss, point.predicted, point.scale, study.loss_unit),
        title="Observed against predicted",
        alt="Observed loss against the loss that the law predicts, with the line of equality.",
        caption="Dots: runs. On the line, the law predicts the observed loss.",
    )


def held_out(analysis: Analysis) -> Iterator[PageFigure]:
    """Observed against forecast loss of held-out runs; none without a backtest."""
    forecasts = analysis.held_out
    if forecasts is None or forecasts.result is None:
        return

    rows = forecasts.result.rows
    observed, predicted = (
        np.array([getattr(row, name) for row in rows]) for name in ("loss", "predicted")
    )
    bands = np.array([[getattr(row, name) for row in rows] for name in ("q10", "q90")])
    held = plural(len(rows), "forecast")
    yield PageFigure(
        figures.held_out(observed, predicted, bands, analysis.study.loss_unit),
        title="Held-out runs against their forecasts",
        alt=f"Observed loss against forecast loss of held-out runs, {held} with 80% bands, with "
        "the line of equality.",
        caption="Dots: runs that were not fitted, forecast from those of less compute. Lines: 80% "
        "bands of a new run; where one misses the diagonal, the run is outside its band.",
    )


def residuals(analysis: Analysis) -> Iterator[PageFigure]:
    """Residuals against the prediction and against every input that varies."""
    study, point = analysis.study, analysis.study.point

    def panel(name: str, words: str, label: str, ticks, caption: str = "") -> PageFigure:
        trend = analysis.residual_trends[name]
        grouped = len(trend.centres) > 0
        return PageFigure(
            figures.residuals(trend, point.scale, label, ticks),
            title=f"Residuals against {words}",
            alt=f"Residuals in percent against {words}"
            + (", with medians of groups of runs." if grouped else "."),
            caption=caption if grouped else "",
        )

    yield panel(
        "predicted",
        "the prediction",
        f"Predicted loss ({study.loss_unit})",
        figures.number_ticks,
        "Medians of groups of at least 8 runs: a trend in them indicates a misspecified law.",
    )
    for item in study.record.inputs:
        if item.name in analysis.residual_trends:
            ticks = _ticks(item, float(study.data.inputs[item.name].min()))
            yield panel(item.name, input_words(item), axis_label(item), ticks)


def _ticks(item: Input, minimum: float) -> Callable[[Axis], None] | None:
    """Ticks of a logarithmic axis for an input; None for a linear axis."""
    if item.role.name == "bits" or minimum <= 0:
        return None
    return figures.power_ticks if item.role.name == "flops" else figures.count_ticks


def parameter_pairs(analysis: Analysis) -> Iterator[PageFigure]:
    """The pair plot of the posterior."""
    study, identification = analysis.study, analysis.identification
    if study.draws is None or len(study.draws) < 2:
        return

    names = identification.paired
    draws = {name: study.draws[name] for name in names}
    if len(names) == len(study.draws):
        which = "every pair of parameters"
    else:
        which = f"the {len(names)} most correlated parameters"
    correlations = identification.paired_correlations(study.record.parameter_names)
    yield PageFigure(
        figures.pairs(draws, analysis.draw_ranges, study.point.params, correlations),
        title="Parameters in pairs",
        alt=f"Posterior densities of {which}: {listing([plain(name) for name in names])}.",
        caption=f"Posterior of {which}. Regions hold 50% and 90% of the draws; above the diagonal "
        "are correlations (of logarithms where positive). Crosses, upright lines: point estimate.",
        span="square",
    )
