"""Whether bands hold: forecasts of held-out runs, simulated tables, other ways to fit."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from jscale._core.errors import JscaleError
from jscale._core.text import enumerated, shown
from jscale.assess import Backtest, Calibration, PosteriorCalibration, Sensitivity
from jscale.fit import Profile
from jscale.report.figures import (
    draw_coverage,
    draw_profile,
    draw_ranks,
    draw_specifications,
    style,
)
from jscale.report.plots._axes import finite_ends, in_style, legend, palette, target
from jscale.report.plots._source import loss_label

_BANDS = {0.5: ("q25", "q75"), 0.8: ("q10", "q90"), 0.95: ("q025", "q975")}


@in_style
def backtest(
    result: Backtest, *, law: str | None = None, level: float = 0.8, ax: Axes | None = None
) -> Axes:
    """Observed against forecast losses of held-out runs, with their bands.

    Runs outside their band have another colour and mark; the title counts them.

    Args:
        result: of :func:`jscale.assess.backtest`.
        law: name of a law in it; the first if not given.
        level: of the bands: 0.5, 0.8 or 0.95.
        ax: axes to draw on; new ones if not given.

    Returns:
        The axes.

    Raises:
        JscaleError: no such law or level.

    Example:
        >>> import jax
        >>> from jscale import assess, runs
        >>> from jscale.report import plots
        >>> def forecast(training, new, key):
        ...     return jax.random.choice(key, training["loss"], (200, len(new)))
        >>> past = assess.Forecaster("the past", forecast)
        >>> N, loss = [1e8, 2e8, 4e8, 8e8, 2e9], [3.6, 3.4, 3.2, 3.1, 3.0]
        >>> table = runs.read({"N": N, "D": [1e10] * 5, "loss": loss})
        >>> result = assess.backtest(past, table, key=jax.random.key(0), cuts=[0.6])
        >>> plots.backtest(result).get_xlabel()
        'Forecast loss (nats per token)'
    """
    ax = target(ax)
    name = result.laws[0].law if law is None else result.of(law).law
    rows = [row for row in result.rows if row.law == name]
    low, high = (np.array([getattr(row, end) for row in rows]) for end in _ends(level))
    observed = np.array([row.loss for row in rows])
    forecast = np.array([row.predicted for row in rows])
    ends = style.pad_log(*finite_ends(observed, forecast, low, high))
    colours = palette(ax)
    ax.plot(ends, ends, color=colours.grey, lw=1.0, label="equal")

    held = (low <= observed) & (observed <= high)
    for chosen, colour, mark, words in (
        (held, colours.sequence[0], "o", "in the band"),
        (~held, colours.red, "D", "outside"),
    ):
        if chosen.any():
            ax.errorbar(
                forecast[chosen],
                observed[chosen],
                xerr=np.maximum([(forecast - low)[chosen], (high - forecast)[chosen]], 0.0),
                fmt=mark,
                ms=3.5,
                lw=0.8,
                alpha=0.85,
                color=colour,
                label=f"{words} ({chosen.sum():,})",
                zorder=3,
            )
    for which in ("x", "y"):
        style.log_axis(ax, which, style.number_ticks, ends)
    ax.set(
        xlabel=loss_label("forecast loss", result.loss_unit),
        ylabel=loss_label("observed loss", result.loss_unit),
        title=f"{name}: {level:.0%} bands held {held.sum():,} of {len(rows):,}",
    )
    legend(ax, loc="upper left")
    return ax


def _ends(level: float) -> tuple[str, str]:
    if level not in _BANDS:
        levels = ", ".join(f"{each:g}" for each in _BANDS)
        raise JscaleError(f"must be one of {levels}, not {shown(level)}", argument="level")
    return _BANDS[level]


@in_style
def coverage_by_distance(
    result: Backtest, *, law: str | None = None, ax: Axes | None = None
) -> Axes:
    """The share of held-out runs inside their bands, by decades beyond the fitted runs.

    Bars are 95% intervals of the shares, which count runs of one cluster as one where they agree;
    dashed lines are the nominal levels.

    Args:
        result: of :func:`jscale.assess.backtest`.
        law: name of a law in it; the first if not given.
        ax: axes to draw on; new ones if not given.

    Returns:
        The axes.

    Raises:
        JscaleError: no such law.

    Example:
        >>> import jax
        >>> from jscale import assess, runs
        >>> from jscale.report import plots
        >>> def forecast(training, new, key):
        ...     return jax.random.choice(key, training["loss"], (200, len(new)))
        >>> past = assess.Forecaster("the past", forecast)
        >>> N, loss = [1e8, 2e8, 4e8, 8e8, 2e9], [3.6, 3.4, 3.2, 3.1, 3.0]
        >>> table = runs.read({"N": N, "D": [1e10] * 5, "loss": loss})
        >>> result = assess.backtest(past, table, key=jax.random.key(0), cuts=[0.6])
        >>> plots.coverage_by_distance(result).get_ylabel()
        'Share of runs in their band'
    """
    ax = target(ax)
    scores = result.laws[0] if law is None else result.of(law)
    groups = scores.distances
    sequence = palette(ax).sequence
    for i, colour in zip(range(len(_BANDS)), sequence, strict=False):
        bands = [group.bands[i] for group in groups]
        x = np.arange(len(groups)) + 0.16 * (i - 1)
        share = np.array([band.coverage for band in bands])
        # A share of 0 or 1 lies at the end of its interval.
        bars = np.abs([share - [band.low for band in bands], [band.high for band in bands] - share])
        level = bands[0].level
        ax.errorbar(x, share, yerr=bars, fmt="o", ms=5, color=colour, lw=1.2, label=f"{level:.0%}")
        ax.axhline(level, color=colour, lw=0.9, ls="--", zorder=1, label="_nominal")
    labels = [f"{group.label}\n{group.count:,} forecasts" for group in groups]
    ax.set_xticks(range(len(groups)), labels)
    ax.set(
        xlim=(-0.6, len(groups) - 0.4),
        ylim=(-0.02, 1.02),
        xlabel="Decades beyond the fitted runs",
        ylabel="Share of runs in their band",
        title=scores.law,
    )
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))
    legend(ax, title="bands", loc="lower left")
    return ax


@in_style
def profile(result: Profile, *, ax: Axes | None = None) -> Axes:
    """The profile of a target, with its threshold and the parabola of the standard error.

    Args:
        result: of :func:`jscale.fit.profile`.
        ax: axes to draw on; new ones if not given.

    Returns:
        The axes.

    Raises:
        JscaleError: the profile has no points.

    Example:
        >>> import jax
        >>> from jscale import fit, laws, runs
        >>> from jscale.report import plots
        >>> N, D = [1e8, 3e8, 1e9, 3e9] * 4, [1e10] * 4 + [4e10] * 4 + [2e11] * 4 + [1e12] * 4
        >>> theta = laws.params(laws.chinchilla)
        >>> table = runs.simulate(
        ...     laws.chinchilla, theta, {"N": N, "D": D}, noise=0.005, key=jax.random.key(0)
        ... )
        >>> point = fit.point(laws.chinchilla, table, starts=8)
        >>> plots.profile(fit.profile(point, "E")).get_xlabel()
        'E'
    """
    ax = target(ax)
    draw_profile(ax, result, palette(ax))
    legend(ax)
    return ax


@in_style
def coverage(result: Calibration, *, of: str | None = None, ax: Axes | None = None) -> Axes:
    """Measured coverage of every kind of interval for one target; bars are two binomial errors.

    Args:
        result: of :func:`jscale.assess.calibrate`.
        of: the target; the first if not given.
        ax: axes to draw on; new ones if not given.

    Returns:
        The axes.

    Raises:
        JscaleError: no such target.

    Example:
        >>> import jax
        >>> import numpy as np
        >>> from jscale import assess, laws, runs
        >>> from jscale.report import plots
        >>> N = np.geomspace(1e8, 1e10, 16)
        >>> theta = laws.params(laws.kaplan_size)
        >>> design = {"N": N, "D": 20 * N}
        >>> key = jax.random.key(0)
        >>> table = runs.simulate(laws.kaplan_size, theta, design, noise=0.01, key=key)
        >>> result = assess.calibrate(laws.kaplan_size, table, key=key, kinds=["fisher"], starts=8)
        >>> plots.coverage(result, of="alpha_N").get_title(loc="left")
        'alpha_N'
    """
    ax = target(ax)
    targets = list(dict.fromkeys(row.target for row in result.rows))
    chosen = _one_of(targets, of)
    kinds = list(dict.fromkeys(row.kind for row in result.rows))
    draw_coverage(ax, result, chosen, kinds, palette(ax))
    ax.set_yticks(range(len(kinds)), kinds)
    ax.set_ylim(len(kinds) - 0.5, -0.5)
    legend(ax)
    return ax


@in_style
def rank_histogram(
    result: PosteriorCalibration, *, of: str | None = None, ax: Axes | None = None
) -> Axes:
    """Ranks of the truth among posterior draws; the band holds a bin of uniform ranks by 99%.

    Args:
        result: of :func:`jscale.assess.calibrate_posterior`.
        of: the parameter; the first if not given.
        ax: axes to draw on; new ones if not given.

    Returns:
        The axes.

    Raises:
        JscaleError: no such parameter.

    Example:
        >>> import numpy as np
        >>> from jscale import assess
        >>> from jscale.report import plots
        >>> rows = (assess.RankCheck("alpha", np.arange(60), 0.5, {0.5: 0.5}),)
        >>> counts = {"simulations": 60, "unusable": 0, "not_converged": 0, "draws": 1000}
        >>> texts = {"law": "chinchilla", "errors": "student", "table_digest": ""}
        >>> others = {"priors": {}, "samplers": {"importance": 60}, "seconds": 1.0, "notes": ()}
        >>> result = assess.PosteriorCalibration(rows=rows, **counts, **texts, **others)
        >>> plots.rank_histogram(result).get_title(loc="left")
        'alpha'
    """
    ax = target(ax)
    rows = {row.target: row for row in result.rows}
    draw_ranks(ax, rows[_one_of(list(rows), of)], palette(ax))
    ax.set_ylabel("Simulated tables")
    return ax


@in_style
def specification_curve(result: Sensitivity, *, ax: Axes | None = None) -> Axes:
    """One number under every way of fitting it, in ascending order with 95% intervals.

    :func:`jscale.report.sensitivity_figure` has the choices behind each below the curve.

    Args:
        result: of :func:`jscale.assess.sensitivity`.
        ax: axes to draw on; new ones if not given.

    Returns:
        The axes.

    Raises:
        JscaleError: no specification has a value to draw.

    Example:
        >>> import jax
        >>> import numpy as np
        >>> from jscale import assess, laws, runs
        >>> from jscale.report import plots
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
        >>> plots.specification_curve(curve).get_ylabel()
        'alpha_N, with 95% interval'
    """
    ax = target(ax)
    draw_specifications(ax, result, palette(ax))
    ax.set_xlabel("Specifications, by value")
    ax.set_xticks([])
    legend(ax)
    return ax


def _one_of(names: list[str], chosen: str | None) -> str:
    """The name that was chosen, or the first.

    Raises:
        JscaleError: there is no such name.
    """
    if chosen is None:
        return names[0]
    if chosen not in names:
        raise JscaleError(f"must be one of {enumerated(names)}, not {shown(chosen)}", argument="of")
    return chosen
