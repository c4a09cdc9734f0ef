"""Profiles with their threshold, and measured coverage with its binomial errors."""

import os

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jscale._core.errors import JscaleError
from jscale.assess import Calibration
from jscale.fit import Profile
from jscale.report.figures import _style as style
from jscale.report.figures._save import write_figure
from jscale.report.notation import number

_HEIGHT = 1.6
"""Height of a profile's panel, in thresholds."""


def write_profile(path: str | os.PathLike[str], result: Profile) -> None:
    """Write a profile to a .png, .pdf or .svg file; the write is atomic.

    Args:
        path: path of the file.
        result: of :func:`jscale.fit.profile`.

    Raises:
        JscaleError: another kind of file, a path that cannot be written, or a profile without
            points.

    Example:
        >>> from pathlib import Path
        >>> import jax
        >>> from jscale import fit, laws, report, runs
        >>> N, D = [1e8, 3e8, 1e9, 3e9] * 4, [1e10] * 4 + [4e10] * 4 + [2e11] * 4 + [1e12] * 4
        >>> theta = laws.params(laws.chinchilla)
        >>> table = runs.simulate(
        ...     laws.chinchilla, theta, {"N": N, "D": D}, noise=0.005, key=jax.random.key(0)
        ... )
        >>> point = fit.point(laws.chinchilla, table, starts=8)
        >>> report.write_profile("profile.svg", fit.profile(point, "E"))
        >>> Path("profile.svg").read_text(encoding="utf-8")[:5]
        '<?xml'
    """
    write_figure(path, lambda: profile(result))


def write_coverage(path: str | os.PathLike[str], result: Calibration) -> None:
    """Write measured coverage to a .png, .pdf or .svg file; the write is atomic.

    Args:
        path: path of the file.
        result: of :func:`jscale.assess.calibrate`.

    Raises:
        JscaleError: another kind of file, or a path that cannot be written.

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
        >>> result = assess.calibrate(laws.kaplan_size, table, key=key, kinds=["fisher"], starts=8)
        >>> report.write_coverage("coverage.svg", result)
        >>> Path("coverage.svg").read_text(encoding="utf-8")[:5]
        '<?xml'
    """
    write_figure(path, lambda: coverage(result))


@style.in_style
def profile(result: Profile) -> Figure:
    """The profile of a target, with its threshold and the parabola of the standard error.

    The vertical axis is twice the rise of the best objective, divided by the profile's scale.

    Args:
        result: of :func:`jscale.fit.profile`.

    Raises:
        JscaleError: the profile has no points.

    Example:
        >>> import jax
        >>> from jscale import fit, laws, report, runs
        >>> N, D = [1e8, 3e8, 1e9, 3e9] * 4, [1e10] * 4 + [4e10] * 4 + [2e11] * 4 + [1e12] * 4
        >>> theta = laws.params(laws.chinchilla)
        >>> table = runs.simulate(
        ...     laws.chinchilla, theta, {"N": N, "D": D}, noise=0.005, key=jax.random.key(0)
        ... )
        >>> point = fit.point(laws.chinchilla, table, starts=8)
        >>> figure = report.profile_figure(fit.profile(point, "E"))
        >>> figure.axes[0].get_xlabel()
        'E'
    """
    figure, axes = style.canvas()
    draw_profile(axes, result)
    style.legend_above(figure, axes, columns=3)
    return figure


def draw_profile(axes: Axes, result: Profile, colours: style.Palette = style.LIGHT) -> None:
    """Draw the profile of a target on axes; see :func:`profile`.

    Raises:
        JscaleError: the profile has no points.
    """
    if len(result.levels) < 2:
        raise JscaleError(f"the profile of {result.target} has no points: there is nothing to draw")
    threshold = f"threshold, {result.level:.0%}"
    axes.axhline(result.threshold, color=colours.grey, lw=0.9, ls="--", label=threshold)
    if np.isfinite(result.stderr):
        axes.plot(*_parabola(result), color=colours.grey, alpha=0.5, label="by the standard error")

    visible = result.deviance <= _HEIGHT * result.threshold
    axes.plot(
        result.levels[visible],
        result.deviance[visible],
        color=colours.sequence[0],
        marker="o",
        ms=2.5,
        lw=1.4,
        label="profile",
    )
    for end in result.interval:
        if np.isfinite(end) and result.levels.min() <= end <= result.levels.max():
            axes.plot([end, end], [0, result.threshold], color=colours.red, lw=0.9, label="_end")

    axes.set(xlabel=result.target, ylabel=f"twice the rise, over the {result.scaling}'s scale")
    axes.set_ylim(0, _HEIGHT * result.threshold)
    low, high = (number(end, 4) for end in result.interval)
    axes.set_title(f"{result.target} = {number(result.estimate, 4)}: {low} to {high}", fontsize=9.0)


def _parabola(result: Profile) -> tuple[np.ndarray, np.ndarray]:
    """The profile of a target whose errors are normal with the reported standard error."""
    steps = np.linspace(-1, 1, 101) * (_HEIGHT * result.threshold) ** 0.5
    centre = np.log(result.estimate) if result.log else result.estimate
    levels = centre + steps * result.stderr
    return (np.exp(levels) if result.log else levels), steps**2


@style.in_style
def coverage(result: Calibration) -> Figure:
    """Measured coverage of every kind of interval, a panel for each target.

    Bars are two binomial errors; the dashed line is the nominal level.

    Args:
        result: of :func:`jscale.assess.calibrate`.

    Example:
        >>> import jax
        >>> import numpy as np
        >>> from jscale import assess, laws, report, runs
        >>> N = np.geomspace(1e8, 1e10, 16)
        >>> theta = laws.params(laws.kaplan_size)
        >>> design = {"N": N, "D": 20 * N}
        >>> key = jax.random.key(0)
        >>> table = runs.simulate(laws.kaplan_size, theta, design, noise=0.01, key=key)
        >>> result = assess.calibrate(laws.kaplan_size, table, key=key, kinds=["fisher"], starts=8)
        >>> figure = report.coverage_figure(result)
        >>> [axes.get_title(loc="left") for axes in figure.axes]
        ['N_c', 'alpha_N']
    """
    targets = list(dict.fromkeys(row.target for row in result.rows))
    kinds = list(dict.fromkeys(row.kind for row in result.rows))
    width, height = max(2.0 * len(targets) + 1.7, 3.6), 0.24 * len(kinds) + 1.3
    figure, panels = style.canvas(
        (width, height), columns=len(targets), sharex=True, sharey=True, squeeze=False
    )
    for axes, target in zip(panels[0], targets, strict=True):
        draw_coverage(axes, result, target, kinds)
    panels[0][0].set_yticks(range(len(kinds)), kinds)
    panels[0][0].set_ylim(len(kinds) - 0.5, -0.5)
    figure.suptitle(_coverage_title(result), fontsize=9.5, fontweight="bold", x=0.01, ha="left")
    return figure


def _coverage_title(result: Calibration) -> str:
    intervals = f"Coverage of {result.level:.0%} intervals, {result.simulations:,} tables"
    shared = f", {result.shared:.0%} of it shared by {result.by}" if result.shared else ""
    return f"{intervals}, {result.noise} noise{shared}"


def draw_coverage(
    axes: Axes,
    result: Calibration,
    target: str,
    kinds: list[str],
    palette: style.Palette = style.LIGHT,
) -> None:
    """Draw the coverage of intervals of one target on axes; see :func:`coverage`."""
    rows = [result.of(target, kind) for kind in kinds]
    shares = np.array([row.coverage for row in rows])
    errors = np.array([row.stderr for row in rows])
    too_low = shares + 2 * errors < result.level
    # A share lies between 0 and 1, and so do the ends of its bar.
    bars = np.minimum(2 * errors, [shares, 1 - shares])

    axes.axvline(result.level, color=palette.grey, lw=0.9, ls="--", label="nominal")
    colours = (("covers", ~too_low, palette.sequence[0]), ("too short", too_low, palette.red))
    for label, chosen, colour in colours:
        at = np.flatnonzero(chosen)
        if len(at):
            axes.errorbar(
                shares[at],
                at,
                xerr=bars[:, at],
                fmt="o",
                ms=4,
                color=colour,
                elinewidth=1.0,
                label=label,
                zorder=3,
            )
    axes.set_title(target, fontsize=9.0)
    axes.set_xlabel("Coverage")
    axes.tick_params(axis="y", length=0)
    axes.grid(False, axis="y")
