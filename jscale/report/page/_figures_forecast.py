"""Figures of the forecast: loss, size and data along the compute-optimal path."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from jscale.report import figures
from jscale.report.analysis import FULL_BITS, Analysis
from jscale.report.notation import human, listing, power_of_ten
from jscale.report.page._page_figure import PageFigure, axis_label, band_caption, compute_label


def loss_by_compute(analysis: Analysis) -> Iterator[PageFigure]:
    """Loss along the compute-optimal path."""
    study, forecast = analysis.study, analysis.forecast
    if forecast is None:
        return
    assert study.compute is not None

    path, plans = forecast.curve, forecast.plans
    draw = partial(
        figures.loss_by_compute,
        path.compute,
        path.loss,
        (study.compute, study.loss),
        new_run=forecast.new_run,
        marks=(plans.compute, plans.loss) if study.budgets else None,
        floor=_irreducible_loss(analysis),
        label=compute_label(study),
        unit=study.loss_unit,
    )
    first, last = (power_of_ten(path.compute[i], 2) for i in (0, -1))
    start, end = path.loss.q50[0], path.loss.q50[-1]
    yield PageFigure(
        draw(),
        title="Loss against compute",
        alt=f"Loss along the compute-optimal path from {first} to {last} FLOP, from {start:.3g} "
        f"down to {end:.3g} {study.loss_unit}, with the runs.",
        caption="Runs above the line were not compute-optimal; runs below it contradict the law."
        + band_caption(study, forecast.curve_draws)
        + (" Dashed: 90% of new runs, with their scatter." if forecast.new_run else ""),
        narrow=draw(size=figures.NARROW),
        span="row",
    )


def optimal_paths(analysis: Analysis) -> Iterator[PageFigure]:
    """Optimal size, data and their ratio against compute."""
    study, forecast = analysis.study, analysis.forecast
    if forecast is None:
        return
    assert study.compute is not None

    N, D = study.data.inputs["N"], study.data.inputs["D"]
    path, full = forecast.curve, forecast.full
    for name, title, band, runs, in_full_bits in (
        ("N", "Best size", path.N, N, full and full.N),
        ("D", "Best amount of data", path.D, D, full and full.D),
        ("D/N", "Tokens per parameter", path.ratio, D / N, full and full.ratio),
    ):
        other = None
        if in_full_bits is not None:
            other = (f"optimum in {FULL_BITS:g} bits", in_full_bits.point)
        label, ends = compute_label(study), (human(band.q50[0]), human(band.q50[-1]))
        yield PageFigure(
            figures.optimal_path(
                path.compute, band, name, runs=(study.compute, runs), label=label, other=other
            ),
            title=title,
            alt=f"{title} against compute, from {ends[0]} to {ends[1]}, with the runs and the line "
            "of 20 tokens per parameter.",
            caption="Dots: observed runs.",
        )


def size_profiles(analysis: Analysis) -> Iterator[PageFigure]:
    """Loss against size at the budgets."""
    profiles = analysis.size_profiles
    if not profiles:
        return
    budgets = listing([f"{power_of_ten(profile.budget)} FLOP" for profile in profiles])
    has_width = any(profile.optimal_size.has_width for profile in profiles)
    bars = "; bars: 90% intervals." if has_width else "."
    yield PageFigure(
        figures.size_profiles(profiles, analysis.study.loss_unit),
        title="Cost of a wrong size",
        alt=f"Loss against parameters at {budgets}.",
        caption="Loss when a budget is spent at another size, with the remaining compute on tokens."
        f" Dots: best sizes{bars}",
    )


def loss_by_resource(analysis: Analysis) -> Iterator[PageFigure]:
    """Loss against the only input of a law."""
    study, curve = analysis.study, analysis.resource
    if analysis.forecast is not None or curve is None:
        return

    marks = None
    if curve.at_budgets is not None:
        marks = (np.array(study.budgets), curve.at_budgets)
    draw = partial(
        figures.loss_by_compute,
        curve.x,
        curve.loss,
        (study.data.inputs[curve.resource], study.loss),
        marks=marks,
        floor=_irreducible_loss(analysis),
        label=axis_label(study.record.inputs[0]),
        path=study.law_name,
        compute_axis=curve.resource == "C",
        unit=study.loss_unit,
    )
    yield PageFigure(
        draw(),
        title=f"Loss against {curve.resource}",
        alt=f"Loss by the law against {curve.resource}, with the runs and 2.5 decades past them.",
        caption="Dots: observed runs." + band_caption(study, study.draw_count),
        narrow=draw(size=figures.NARROW),
        span="row",
    )


def _irreducible_loss(analysis: Analysis) -> float | None:
    """Median of the law's irreducible loss; None for a law without one."""
    for band in analysis.irreducible.values():
        return float(band.q50[0])
    return None
