"""The record that the page and the figures read."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from jscale._core.scope import in_float64
from jscale.report.analysis._bands import Band
from jscale.report.analysis._doubts import (
    HeldOutForecasts,
    ResidualDoubts,
    correction_of,
    held_out_forecasts,
    residual_doubts,
)
from jscale.report.analysis._identification import Identification, identification
from jscale.report.analysis._paired_runs import Degradation, KeptShare, degradations, kept_shares
from jscale.report.analysis._precision import PrecisionAnalysis, precision_analysis
from jscale.report.analysis._ranges import (
    DrawRange,
    ResidualTrend,
    draw_ranges,
    residual_trends,
)
from jscale.report.analysis._study import FittedStudy
from jscale.report.analysis._summaries import (
    ColumnSummary,
    ResidualSummary,
    column_summaries,
    irreducible_loss,
    noise_summaries,
    residual_summary,
)
from jscale.report.analysis.forecast import (
    Forecast,
    ResourceCurve,
    SizeProfile,
    compute_forecast,
    resource_curve,
    size_profiles,
    widened,
    with_new_runs,
)


@dataclass(frozen=True, eq=False)
class Analysis:
    """Everything that a report shows, each thing computed once.

    Attributes:
        study: the runs, the fit and the posterior.
        columns: summaries of the columns of the fitted runs.
        residuals: size of the residuals.
        doubts: tests of the residuals.
        held_out: forecasts of held-out runs; None where they are not asked for.
        residual_trends: ``predicted`` and each input that varies → the residuals along it.
        identification: what the data identify.
        draw_ranges: parameter → ranges of its draws; empty without a posterior.
        irreducible: parameter of irreducible loss → its value, shape (1,).
        noise: noise parameter → summary of its posterior; empty without a posterior.
        forecast: the optimal path, plans and the next decade; None for a law that does not divide
            compute between size and data.
        resource: loss against the only input of the law; None for other laws.
        size_profiles: loss against size at up to four budgets.
        precision: loss against bits, best bits, critical tokens; None for a law without bits.
        degradations: loss added by quantising after training, one for each size.
        kept_shares: input of training bits → share of parameters kept.
    """

    study: FittedStudy
    columns: tuple[ColumnSummary, ...]
    residuals: ResidualSummary
    doubts: ResidualDoubts
    held_out: HeldOutForecasts | None
    residual_trends: dict[str, ResidualTrend]
    identification: Identification
    draw_ranges: dict[str, DrawRange]
    irreducible: dict[str, Band]
    noise: dict[str, Mapping[str, float]]
    forecast: Forecast | None
    resource: ResourceCurve | None
    size_profiles: tuple[SizeProfile, ...]
    precision: PrecisionAnalysis | None
    degradations: tuple[Degradation, ...]
    kept_shares: dict[str, KeptShare]


def analyse(study: FittedStudy) -> Analysis:
    """Compute everything that a report shows of a study."""
    # Fits of the smaller runs and plans by all runs compile different programs, side by side where
    # there are two cores. Only the fits use NumPyro, whose handlers are global.
    with ThreadPoolExecutor(1) as beside:
        fits = beside.submit(in_float64(held_out_forecasts), study)
        forecast = compute_forecast(study)
        precision, profiles = precision_analysis(study, forecast), size_profiles(study, forecast)
        doubts, trends = residual_doubts(study), residual_trends(study)
        held_out = fits.result()

    if forecast is not None:
        correction = correction_of(study, held_out)
        forecast = with_new_runs(widened(forecast, study, correction), study, correction)
    return Analysis(
        study=study,
        columns=column_summaries(study),
        residuals=residual_summary(study),
        doubts=doubts,
        held_out=held_out,
        residual_trends=trends,
        identification=identification(study),
        draw_ranges=draw_ranges(study.draws or {}),
        irreducible=irreducible_loss(study),
        noise=noise_summaries(study),
        forecast=forecast,
        resource=resource_curve(study),
        size_profiles=profiles,
        precision=precision,
        degradations=degradations(study, forecast),
        kept_shares=kept_shares(study, forecast),
    )
