"""The specification curve: a number under every way of fitting it, and the choices behind each."""

import os
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jscale._core.errors import JscaleError
from jscale.assess import Sensitivity, Specification
from jscale.report.figures import _style as style
from jscale.report.figures._save import write_figure
from jscale.report.notation import number

_FIELDS = ("law", "inputs", "runs", "objective")
"""Choices in which specifications can differ, in the order of the lower panel."""
_NORMAL_95 = 1.959963984540054


def write_sensitivity(path: str | os.PathLike[str], result: Sensitivity) -> None:
    """Write the specification curve to a .png, .pdf or .svg file; the write is atomic.

    Args:
        path: path of the file.
        result: of :func:`jscale.assess.sensitivity`.

    Raises:
        JscaleError: another kind of file, a path that cannot be written, or no specification has a
            value.

    Example:
        >>> from pathlib import Path
        >>> import jax
        >>> import numpy as np
        >>> from jscale import assess, laws, report, runs
        >>> N = np.geomspace(1e8, 1e10, 16)
        >>> theta = laws.params(laws.kaplan_size)
        >>> design = {"N": N, "D": 20 * N}
        >>> key = jax.random.key(0)
        >>> table = runs.simulate(laws.kaplan_size, theta, design, noise=0.01, key=key)
        >>> curve = assess.sensitivity(
        ...     laws.kaplan_size,
        ...     table,
        ...     target="alpha_N",
        ...     objectives=["huber", "log-squares"],
        ...     exclusions=["compute"],
        ...     starts=8,
        ... )
        >>> report.write_sensitivity("sensitivity.svg", curve)
        >>> Path("sensitivity.svg").read_text(encoding="utf-8")[:5]
        '<?xml'
    """
    write_figure(path, lambda: sensitivity(result))


@style.in_style
def sensitivity(result: Sensitivity) -> Figure:
    """The values in ascending order with 95% intervals, above a dot for each choice behind them.

    Args:
        result: of :func:`jscale.assess.sensitivity`.

    Raises:
        JscaleError: no specification has a value to draw.

    Example:
        >>> import jax
        >>> import numpy as np
        >>> from jscale import assess, laws, report, runs
        >>> N = np.geomspace(1e8, 1e10, 16)
        >>> theta = laws.params(laws.kaplan_size)
        >>> design = {"N": N, "D": 20 * N}
        >>> key = jax.random.key(0)
        >>> table = runs.simulate(laws.kaplan_size, theta, design, noise=0.01, key=key)
        >>> curve = assess.sensitivity(
        ...     laws.kaplan_size,
        ...     table,
        ...     target="alpha_N",
        ...     objectives=["huber", "log-squares"],
        ...     exclusions=["compute"],
        ...     starts=8,
        ... )
        >>> figure = report.sensitivity_figure(curve)
        >>> print(figure.axes[0].get_ylabel(), "over", len(curve.rows), "specifications")
        alpha_N, with 95% interval over 4 specifications
    """
    rows = _by_value(result)
    choices = _choices(rows)
    height = 0.19 * len(choices) + 0.2
    figure, (curve, dots) = style.canvas(
        (9.6, 3.3 + height), rows=2, sharex=True, gridspec_kw={"height_ratios": (2.7, height)}
    )
    draw_specifications(curve, result)
    _draw_choices(dots, rows, choices)
    figure.suptitle(_title(result), fontsize=9.5, fontweight="bold", x=0.01, ha="left")
    return figure


def _title(result: Sensitivity) -> str:
    if result.span is None:
        return f"{result.target}: no certified fit"
    low, high = (number(end, 4) for end in result.span)
    fits = f"{len(result.certified)} certified fits of {len(result.rows)}"
    return f"{result.target}: {low} to {high} over {fits}"


def _choices(rows: Sequence[Specification]) -> list[tuple[str, str]]:
    """The lines of the lower panel: (field, choice) for the fields in which the rows differ."""
    lines = []
    for field in _FIELDS:
        choices = sorted({str(getattr(row, field)) for row in rows})
        if len(choices) > 1:
            lines += [(field, choice) for choice in choices]
    return lines


def _by_value(result: Sensitivity) -> list[Specification]:
    """The specifications that have a value, by it.

    Raises:
        JscaleError: there is none.
    """
    rows = sorted((row for row in result.rows if np.isfinite(row.value)), key=lambda row: row.value)
    if not rows:
        raise JscaleError(
            f"no specification gives {result.target} a value: there is nothing to draw"
        )
    return rows


def draw_specifications(
    axes: Axes, result: Sensitivity, palette: style.Palette = style.LIGHT
) -> None:
    """Draw the values with their intervals on axes; see :func:`sensitivity`.

    Raises:
        JscaleError: no specification has a value to draw.
    """
    rows, first = _by_value(result), result.rows[0]
    if result.turns_at is not None:
        axes.axhline(result.turns_at, color=palette.grey, lw=0.9, ls="--")
    if first.certified:
        axes.axhline(first.value, color=palette.red, lw=0.9, alpha=0.5, zorder=1)

    kinds = {
        "certified": (palette.sequence[0], [row.certified and row is not first for row in rows]),
        "not certified": (palette.grey, [not row.certified for row in rows]),
        "first specification": (palette.red, [row is first and row.certified for row in rows]),
    }
    values = np.array([row.value for row in rows])
    errors = np.array([row.stderr for row in rows])
    errors = np.where(np.isfinite(errors), errors, 0.0)
    for label, (colour, chosen) in kinds.items():
        at = np.flatnonzero(chosen)
        if len(at):
            axes.errorbar(
                at,
                values[at],
                _NORMAL_95 * errors[at],
                fmt="o",
                ms=4,
                color=colour,
                elinewidth=1.0,
                label=label,
                zorder=3,
            )

    axes.set(ylabel=f"{result.target}, with 95% interval")
    if values.min() > 0 and values.max() > 20 * values.min():
        axes.set_yscale("log")
    axes.tick_params(axis="x", length=0)
    axes.grid(False, axis="x")
    axes.legend(loc="upper left", ncols=3)


def _draw_choices(
    axes: Axes, rows: Sequence[Specification], choices: Sequence[tuple[str, str]]
) -> None:
    at = np.arange(len(rows))
    for i, (field, choice) in enumerate(choices):
        line = np.full(len(rows), i)
        chosen = np.array([str(getattr(row, field)) == choice for row in rows])
        axes.scatter(at, line, s=7, lw=0, color=style.PALE, label="_off", zorder=2)
        axes.scatter(at[chosen], line[chosen], s=16, lw=0, color=style.INK, label=choice, zorder=3)
        if i and choices[i - 1][0] != field:
            axes.axhline(i - 0.5, color=style.LIGHT_GREY, lw=0.7)
    axes.set_yticks(range(len(choices)), [choice for _, choice in choices])
    axes.set_ylim(len(choices) - 0.5, -0.5)
    axes.set_xlim(-0.8, len(rows) - 0.2)
    axes.set_xlabel("Specifications, by value")
    axes.tick_params(axis="both", length=0)
    axes.set_xticks([])
    axes.grid(False)
