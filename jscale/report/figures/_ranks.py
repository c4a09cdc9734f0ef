"""Rank histograms of simulation-based calibration."""

import os

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jscale.assess import PosteriorCalibration, RankCheck
from jscale.report.figures import _style as style
from jscale.report.figures._save import write_figure

_COLUMNS = 5
"""Panels beside each other, at most."""
_LIMITS = 0.99
"""Probability within the limits of a bin."""


def write_ranks(path: str | os.PathLike[str], result: PosteriorCalibration) -> None:
    """Write rank histograms to a .png, .pdf or .svg file; the write is atomic.

    Args:
        path: path of the file.
        result: of :func:`jscale.assess.calibrate_posterior`.

    Raises:
        JscaleError: another kind of file, or a path that cannot be written.

    Example:
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from jscale import assess, report
        >>> rows = (assess.RankCheck("alpha", np.arange(60), 0.5, {0.5: 0.5}),)
        >>> counts = {"simulations": 60, "unusable": 0, "not_converged": 0, "draws": 1000}
        >>> texts = {"law": "chinchilla", "errors": "student", "table_digest": ""}
        >>> others = {"priors": {}, "samplers": {"importance": 60}, "seconds": 1.0, "notes": ()}
        >>> result = assess.PosteriorCalibration(rows=rows, **counts, **texts, **others)
        >>> report.write_ranks("ranks.svg", result)
        >>> Path("ranks.svg").read_text(encoding="utf-8")[:5]
        '<?xml'
    """
    write_figure(path, lambda: ranks(result))


@style.in_style
def ranks(result: PosteriorCalibration) -> Figure:
    """Ranks of the truth among posterior draws, a panel for each parameter.

    The band holds a bin of uniform ranks with a probability of 99%.

    Args:
        result: of :func:`jscale.assess.calibrate_posterior`.

    Example:
        >>> import numpy as np
        >>> from jscale import assess, report
        >>> rows = (assess.RankCheck("alpha", np.arange(60), 0.5, {0.5: 0.5}),)
        >>> counts = {"simulations": 60, "unusable": 0, "not_converged": 0, "draws": 1000}
        >>> texts = {"law": "chinchilla", "errors": "student", "table_digest": ""}
        >>> others = {"priors": {}, "samplers": {"importance": 60}, "seconds": 1.0, "notes": ()}
        >>> result = assess.PosteriorCalibration(rows=rows, **counts, **texts, **others)
        >>> [axes.get_title(loc="left") for axes in report.ranks_figure(result).axes]
        ['alpha']
    """
    columns = min(len(result.rows), _COLUMNS)
    lines = -(-len(result.rows) // columns)
    figure, panels = style.canvas(
        (max(1.9 * columns, 3.6), 1.5 * lines + 0.6),
        rows=lines,
        columns=columns,
        sharex=True,
        squeeze=False,
    )
    for axes, row in zip(panels.ravel(), result.rows, strict=False):
        draw_ranks(axes, row)
    for axes in panels.ravel()[len(result.rows) :]:
        axes.remove()
    counted = result.simulations - result.unusable
    title = (
        f"Ranks of the truth in {counted:,} posteriors of {result.law}: p = {result.p_value:.2g}"
    )
    figure.suptitle(title, fontsize=9.5, fontweight="bold", x=0.01, ha="left")
    return figure


def draw_ranks(axes: Axes, row: RankCheck, palette: style.Palette = style.LIGHT) -> None:
    """Draw the ranks of one parameter on axes; see :func:`ranks`."""
    from scipy.stats import binom

    counts = row.counts
    low, high = binom.interval(_LIMITS, counts.sum(), 1 / len(counts))
    outside = (counts < low) | (counts > high)
    middles = (np.arange(len(counts)) + 0.5) / len(counts)
    colours = np.where(outside, palette.red, palette.sequence[0])
    axes.axhspan(low, high, color=palette.grey, alpha=0.2, lw=0)
    axes.bar(middles, counts, width=0.9 / len(counts), color=colours.tolist())
    axes.set_title(row.target, fontsize=9.0)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, None)
    axes.set_xlabel("Rank")
