"""Which figures a report shows of a study, with their captions and the texts that stand in for
them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from matplotlib.axis import Axis
from matplotlib.figure import Figure

from jscale.laws import Input
from jscale.report.analysis import FULL_BITS, Curve, Forecast, Precision, Profile, Study
from jscale.report.figures import (
    NARROW,
    count_ticks,
    design,
    loss_by_bits,
    most_correlated,
    number_ticks,
    observed_predicted,
    optimal_bits,
    pairs,
    power_ticks,
    profiles,
    residuals,
    single,
)
from jscale.report.figures import (
    critical as figures_bits_critical,
)
from jscale.report.figures import (
    forecast as figures_plan_forecast,
)
from jscale.report.figures import (
    path as figures_plan_path,
)
from jscale.report.notation import human, listing, mathtext, plain, power_of_ten

_BITS = {
    "P_w": "bits of the weights",
    "P_a": "bits of the activations",
    "P_kv": "bits of the KV cache",
    "P_post": "bits after training",
}


@dataclass(frozen=True, eq=False)
class PageFigure:
    """A figure on the page.

    Attributes:
        figure: the figure.
        title: a few words above it.
        alt: what it shows, for those who do not see it.
        caption: what to look for.
        narrow: the same for a phone, where the first would be too small to read.
        span: "panel" (shares its row), "row" (has it alone) or "square" (a grid that scrolls on a
            phone).
    """

    figure: Figure
    title: str
    alt: str
    caption: str
    narrow: Figure | None = None
    span: str = "panel"


def of_runs(study: Study) -> Iterator[PageFigure]:
    """The runs as they were made."""
    N, D = study.column("N"), study.column("D")
    if N is not None and D is not None:
        kept = study.table.kept
        excluded = (study.table["N"][~kept], study.table["D"][~kept]) if not kept.all() else None
        yield PageFigure(
            design(N, D, study.loss, excluded),
            "Design",
            f"Scatter of {len(N)} runs: parameters from {human(N.min())} to {human(N.max())} against tokens from "
            f"{human(D.min())} to {human(D.max())}, coloured by loss.",
            "Size and data of every run. Thin lines join points of equal compute, labelled in FLOP.",
        )
        return
    name = study.record.input_names[0]
    x, unit = study.data.inputs[name], study.record.inputs[0].unit
    yield PageFigure(
        single(x, study.loss, _axis_label(study, name), compute=name == "C"),
        "Loss of the runs",
        f"Loss of {len(x)} runs against {name} in {unit}.",
        "The runs that were fitted.",
    )


def of_fit(study: Study) -> Iterator[PageFigure]:
    """Observed against predicted, and what is left over."""
    point = study.point
    yield PageFigure(
        observed_predicted(study.loss, point.predicted, point.scale),
        "Observed against predicted",
        "Observed loss against the loss that the law predicts, with the line where both are equal.",
        "Every dot is a run; on the line the law is exact.",
    )
    quantities: list[tuple[str, np.ndarray, str, Callable[[Axis], None] | None]] = [
        ("the prediction", point.predicted, "Predicted loss (nats per token)", number_ticks)
    ]
    for item in study.record.inputs:
        values = study.data.inputs[item.name]
        if values.min() < values.max():
            kind = item.role.name
            ticks = (
                None
                if kind == "bits" or values.min() <= 0
                else power_ticks
                if kind == "flops"
                else count_ticks
            )
            quantities.append((_words(item), values, _axis_label(study, item.name), ticks))
    for words, values, label, ticks in quantities:
        yield PageFigure(
            residuals(values, point.residuals, point.scale, label, ticks),
            f"Residuals against {words}",
            f"Residuals in percent against {words}, with medians of groups of runs.",
            "A trend of the medians away from zero would mean that the law misses something."
            if words == "the prediction"
            else "",
        )


def of_posterior(study: Study) -> Iterator[PageFigure]:
    """The pair plot."""
    if study.draws is None or len(study.draws) < 2:
        return
    names = most_correlated(study.draws)
    chosen = {name: study.draws[name] for name in names}
    which = (
        "every pair of parameters"
        if len(names) == len(study.draws)
        else f"the {len(names)} most correlated parameters"
    )
    yield PageFigure(
        pairs(chosen, study.point.params),
        "Parameters in pairs",
        f"Posterior densities of {which}: {listing([plain(n) for n in names])}.",
        f"Posterior of {which}: regions that hold 50% and 90% of the draws, correlations (of logarithms where "
        "positive) above the diagonal. The point estimate is red.",
        span="square",
    )


def of_forecast(
    study: Study, forecast: Forecast | None, curve: Curve | None, curves: Sequence[Profile]
) -> Iterator[PageFigure]:
    """Loss, size and data along the compute-optimal path."""
    if forecast is None:
        if curve is not None:
            yield _one_resource(study, curve)
        return
    yield _loss_by_compute(study, forecast)
    yield from _paths(study, forecast)
    if curves:
        yield PageFigure(
            profiles(curves),
            "What a wrong size costs",
            "Loss against parameters at "
            + listing([f"{power_of_ten(c.budget)} FLOP" for c in curves])
            + ".",
            "Each budget spent at another size, the rest going to tokens. Dots are the best sizes"
            + (", bars their 90% intervals." if forecast.plans.N.has_width else "."),
        )


def _loss_by_compute(study: Study, forecast: Forecast) -> PageFigure:
    assert study.compute is not None
    path, seen = forecast.curve, (study.compute, study.loss)
    marks = (forecast.plans.compute, forecast.plans.loss) if study.budgets else None
    draw = partial(
        figures_plan_forecast,
        path.compute,
        path.loss,
        seen,
        marks=marks,
        floor=_floor(study),
        label=compute_label(study),
    )
    or_bits = " or precision" * bool(study.training_bits)
    return PageFigure(
        draw(),
        "Loss against compute",
        f"Loss along the compute-optimal path from {power_of_ten(path.compute[0], 2)} to "
        f"{power_of_ten(path.compute[-1], 2)} FLOP, from {path.loss.q50[0]:.3g} down to "
        f"{path.loss.q50[-1]:.3g} nats per token, with the runs.",
        f"Runs above the line were made off the best size{or_bits} for their compute."
        + _band_words(study, forecast.curve_draws),
        narrow=draw(size=NARROW),
        span="row",
    )


def _band_words(study: Study, shown: int) -> str:
    count = _draws(study)
    if not count:
        return ""
    some = (
        f" The curves of this page show {shown:,} of the {count:,} draws; tables and budgets use them all."
        * (shown < count)
    )
    return f" The bands are those of the law's parameters; a single run scatters around them as the runs do.{some}"


def _paths(study: Study, forecast: Forecast) -> Iterator[PageFigure]:
    assert study.compute is not None
    N, D = study.data.inputs["N"], study.data.inputs["D"]
    path, full = forecast.curve, forecast.full
    for name, band, runs, title, other in (
        ("N", path.N, N, "Best size", full and full.N.point),
        ("D", path.D, D, "Best amount of data", full and full.D.point),
        ("D/N", path.ratio, D / N, "Tokens per parameter", full and full.ratio.point),
    ):
        yield PageFigure(
            figures_plan_path(
                path.compute,
                band,
                name,
                runs=(study.compute, runs),
                label=compute_label(study),
                other=None if other is None else (f"optimum in {FULL_BITS:g} bits", other),
            ),
            title,
            f"{title} against compute, from {human(band.q50[0])} to {human(band.q50[-1])}, with the runs and the line "
            "of 20 tokens per parameter.",
            "Dots are the runs as they were made.",
        )


def _one_resource(study: Study, curve: Curve) -> PageFigure:
    seen = (study.data.inputs[curve.resource], study.loss)
    marks = (np.array(study.budgets), curve.at_budgets) if curve.at_budgets is not None else None
    draw = partial(
        figures_plan_forecast,
        curve.x,
        curve.loss,
        seen,
        marks=marks,
        floor=_floor(study),
        label=_axis_label(study, curve.resource),
        path=study.law_name,
        compute_axis=curve.resource == "C",
    )
    return PageFigure(
        draw(),
        f"Loss against {curve.resource}",
        f"Loss by the law against {curve.resource}, with the runs and 2.5 decades beyond them.",
        "Dots are the runs." + _band_words(study, _draws(study)),
        narrow=draw(size=NARROW),
        span="row",
    )


def of_precision(
    study: Study, forecast: Forecast | None, precision: Precision | None
) -> Iterator[PageFigure]:
    """What bits cost, how many are best, and how many tokens are too many."""
    if precision is None or forecast is None:
        return
    assert study.compute is not None
    if (cell := precision.cell) is not None:
        place = f"{human(cell.N)} parameters and {human(cell.D)} tokens"
        yield PageFigure(
            loss_by_bits(cell.bits, cell.curves, cell.runs),
            "Loss against bits",
            f"Loss against the bits of {listing(list(cell.curves))} at {place}.",
            f"At {place}, where the runs have the most settings; what is not named is in {FULL_BITS:g} bits. "
            "Dots are runs.",
        )
    if forecast.curve.P is not None:
        yield PageFigure(
            optimal_bits(
                forecast.curve.compute, forecast.curve.P, precision.at_size, study.compute.max()
            ),
            "Best training precision",
            "Best bits against compute: with size free, and for given sizes.",
            "One precision for every part, at a cost proportional to it. A given size is worth more bits the longer it "
            "trains.",
        )
    if (critical := precision.critical) is not None:
        yield PageFigure(
            figures_bits_critical(
                critical.N, critical.curves, (study.data.inputs["N"], study.data.inputs["D"])
            ),
            "Critical tokens",
            f"Critical tokens against parameters for {listing([f'{b:g}' for b in critical.curves])} bits.",
            f"Above a line, more data makes a model that is trained in {FULL_BITS:g} bits and then quantised worse.",
        )


def compute_label(study: Study) -> str:
    """Label of an axis of compute, with the rule by which it is counted."""
    rule = f"6NDP/{FULL_BITS:g}" if study.training_bits else "6ND"
    return f"Training compute C = {rule} (FLOP)"


def _axis_label(study: Study, name: str) -> str:
    item = next(i for i in study.record.inputs if i.name == name)
    words = _words(item)
    unit = "" if item.role.name == "bits" else f" ({item.unit})"
    return f"{words[:1].upper()}{words[1:]} {mathtext(name)}{unit}"


def _words(item: Input) -> str:
    return _BITS.get(item.name, item.role.meaning)


def _floor(study: Study) -> float | None:
    for parameter in study.record.parameters:
        if parameter.role.name == "irreducible loss":
            if study.draws is not None:
                return float(np.median(study.draws[parameter.name]))
            return float(study.point.params[parameter.name])
    return None


def _draws(study: Study) -> int:
    return 0 if study.draws is None else len(next(iter(study.draws.values())))
