"""Figures of the forecast: loss, size and data along the compute-optimal path."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jscale.report.analysis import Band, SizeProfile
from jscale.report.figures import _style as style
from jscale.report.figures._marks import (
    DASHED,
    REFERENCE_LABEL,
    REFERENCE_RATIO,
    draw_band,
    draw_runs,
    shade_extrapolation,
)
from jscale.report.notation import fixed, power_of_ten
from jscale.runs.tables import NATS_PER_TOKEN

_FLOOR_MARGIN = 0.5
"""The irreducible loss is drawn when it lengthens the axis by less than this share."""
_LABEL_SPACING = 0.35
"""Decades between budgets below which only the first is labelled with its loss."""
COMPUTE_LABEL = "Training compute C (FLOP)"


@style.in_style
def loss_by_compute(
    compute: np.ndarray,
    loss: Band,
    runs: tuple[np.ndarray, np.ndarray],
    *,
    new_run: Band | None = None,
    marks: tuple[np.ndarray, Band] | None = None,
    floor: float | None = None,
    label: str = COMPUTE_LABEL,
    path: str = "compute-optimal",
    compute_axis: bool = True,
    unit: str = NATS_PER_TOKEN,
    size: tuple[float, float] = style.WIDE,
) -> Figure:
    """Loss along the optimal path, with the runs, from the smallest of them to past the largest.

    Args:
        compute: FLOP along the path, shape (points,).
        loss: along it, shape (points,).
        runs: compute and loss of the runs, shape (rows,) each.
        new_run: loss of a new run along the path, whose 90% band is drawn as two lines.
        marks: budgets to mark, with the loss there.
        floor: irreducible loss.
        label: label of the horizontal axis.
        path: name of the line.
        compute_axis: whether the horizontal axis is FLOP rather than a count.
        unit: unit of the losses.
        size: of the figure in inches.
    """
    figure, axes = style.canvas(size)
    low, high = loss.ends()
    low, high = min(low, runs[1].min()), max(high, runs[1].max())
    if new_run is not None:
        ends = new_run.ends()
        low, high = np.nanmin([low, ends[0]]), np.nanmax([high, ends[1]])
    floor_line = floor if _floor_fits(floor, low, high) else None

    ticks = style.power_ticks if compute_axis else style.count_ticks
    style.log_axis(axes, "x", ticks, (compute[0], compute[-1]))
    bottom = low if floor_line is None else floor_line
    style.log_axis(axes, "y", style.number_ticks, style.pad_log(bottom, high, 0.05))

    shade_extrapolation(axes, runs[0].max())
    line = f"{path}, 50% and 90% bands of the law" if loss.has_width else path
    draw_band(axes, compute, loss, style.BLUE, line)
    if new_run is not None:
        for values, words in ((new_run.q05, "a new run, 90%"), (new_run.q95, "_a new run")):
            axes.plot(compute, values, color=style.BLUE, lw=1.0, ls=DASHED, label=words)
    draw_runs(axes, *runs)
    if floor_line is not None:
        text = f"irreducible loss, {floor_line:.3g}"
        axes.axhline(floor_line, color=style.GREEN, lw=1.1, ls=(0, (1, 2)), label=text, zorder=2)
    if marks is not None:
        _mark_budgets(axes, *marks)

    axes.set(xlabel=label, ylabel=f"Loss ({unit})")
    if size[0] >= style.WIDE[0]:
        axes.legend(loc="upper right", bbox_to_anchor=(1.0, 0.94), borderaxespad=0.2)
    else:
        style.legend_above(figure, axes)
    return figure


def _floor_fits(floor: float | None, low: float, high: float) -> bool:
    """Whether a line at the irreducible loss leaves enough of the axis to the curves."""
    if floor is None or not 0 < floor < low:
        return False
    return bool(np.log(low / floor) < _FLOOR_MARGIN * np.log(high / low))


def _mark_budgets(axes: Axes, budgets: np.ndarray, loss: Band) -> None:
    """The loss at each budget with its 90% interval, in figures where there is room."""
    axes.errorbar(
        budgets,
        loss.q50,
        yerr=(loss.q50 - loss.q05, loss.q95 - loss.q50),
        fmt="o",
        ms=4.5,
        color=style.RED,
        ecolor=style.RED,
        elinewidth=1.2,
        capsize=2.5,
        zorder=4,
        label="budgets",
    )
    labelled: list[float] = []
    bottom, top = axes.get_ylim()
    marks = sorted(zip(budgets, loss.q50, loss.q05, loss.q95, strict=True))
    for budget, median, low, high in marks:
        crowded = any(abs(np.log10(budget / other)) < _LABEL_SPACING for other in labelled)
        if crowded or not np.isfinite(median):
            continue
        labelled.append(budget)
        # There is no room above a bar that reaches the top.
        below = np.log(high / bottom) > 0.85 * np.log(top / bottom)
        axes.annotate(
            fixed(median, 3),
            (budget, low if below else high),
            xytext=(0, -12 if below else 5),
            textcoords="offset points",
            ha="center",
            fontsize=8,
            color=style.RED,
        )


_PATH_LABELS = {
    "N": "Optimal parameters N*",
    "D": "Optimal tokens D*",
    "D/N": "Tokens per parameter D*/N*",
}


@style.in_style
def optimal_path(
    compute: np.ndarray,
    band: Band,
    name: str,
    *,
    runs: tuple[np.ndarray, np.ndarray],
    other: tuple[str, np.ndarray] | None = None,
    label: str = COMPUTE_LABEL,
) -> Figure:
    """The optimal size, data or their ratio against compute, with the runs and the 20:1 line.

    Args:
        compute: FLOP along the path, shape (points,).
        band: of ``name`` along it.
        name: "N", "D" or "D/N".
        runs: compute of the runs and the same quantity, shape (rows,) each.
        other: name and values (points,) of a second path, drawn as a dashed line.
        label: label of the horizontal axis.
    """
    figure, axes = style.canvas()
    reference = _reference_path(compute, name)
    second = () if other is None else other[1]
    values = np.concatenate([band.ends(), (reference.min(), reference.max()), runs[1], second])
    values = values[np.isfinite(values)]
    style.log_axis(axes, "x", style.power_ticks, (compute[0], compute[-1]))
    ticks = style.number_ticks if name == "D/N" else style.count_ticks
    style.log_axis(axes, "y", ticks, style.pad_log(values.min(), values.max(), 0.06))

    shade_extrapolation(axes, runs[0].max())
    line = "optimum, 50% and 90% bands" if band.has_width else "optimum"
    draw_band(axes, compute, band, style.BLUE, line)
    draw_runs(axes, *runs)
    axes.plot(
        compute, reference, color=style.GREY, lw=1.1, ls=DASHED, label=REFERENCE_LABEL, zorder=2
    )
    if other is not None:
        dashes = (0, (6, 2))
        axes.plot(compute, other[1], color=style.RED, lw=1.4, ls=dashes, label=other[0], zorder=3)
    axes.set(xlabel=label, ylabel=_PATH_LABELS[name])
    style.legend_above(figure, axes)
    return figure


def _reference_path(compute: np.ndarray, name: str) -> np.ndarray:
    """N, D or D/N at 20 tokens per parameter: with 6ND = C and D = 20 N, N is sqrt(C / 120)."""
    size = np.sqrt(compute / (6 * REFERENCE_RATIO))
    paths = {
        "N": size,
        "D": REFERENCE_RATIO * size,
        "D/N": np.full_like(size, REFERENCE_RATIO),
    }
    return paths[name]


@style.in_style
def size_profiles(profiles: Sequence[SizeProfile], unit: str = NATS_PER_TOKEN) -> Figure:
    """Loss against size at given budgets, with the best size and its 90% interval.

    Args:
        profiles: one for each budget, at least one.
        unit: unit of the losses.
    """
    figure, axes = style.canvas()
    sizes = np.concatenate([profile.N for profile in profiles])
    losses = np.array([profile.loss.ends() for profile in profiles])
    style.log_axis(axes, "x", style.count_ticks, (sizes.min(), sizes.max()))
    style.log_axis(axes, "y", style.number_ticks, style.pad_log(losses.min(), losses.max(), 0.05))

    for profile, colour in zip(profiles, style.SEQUENCE, strict=False):
        label = f"{power_of_ten(profile.budget)} FLOP"
        draw_band(axes, profile.N, profile.loss, colour, label)
        size = profile.optimal_size
        best, low, high = (float(q[0]) for q in (size.q50, size.q05, size.q95))
        axes.errorbar(
            best,
            profile.optimal_loss.q50[0],
            xerr=[[best - low], [high - best]],
            fmt="o",
            ms=4.5,
            color=colour,
            mec="white",
            mew=0.6,
            elinewidth=1.2,
            capsize=2.5,
            zorder=4,
        )
    axes.set(xlabel="Parameters N", ylabel=f"Loss ({unit})")
    style.legend_above(figure, axes, columns=4)
    return figure
