"""Posteriors: what the runs add to the prior, and one parameter by several fits."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator
from numpy.typing import ArrayLike

from jscale._core.errors import JscaleError
from jscale.fit import Bootstrap, Interval, Point, Posterior
from jscale.report.notation import mathtext, number
from jscale.report.plots._axes import in_style, legend, palette, target

_BINS = 60
_NORMAL_90, _NORMAL_50 = 1.6448536269514722, 0.6744897501960817


@in_style
def prior_posterior(
    posterior: Posterior | Mapping[str, Mapping[str, ArrayLike]],
    parameter: str,
    *,
    ax: Axes | None = None,
) -> Axes:
    """Densities of a parameter before and after the runs.

    Where the two are alike the runs do not identify the parameter. The axis shows the central 99%
    of the posterior, with a margin on either side of 0.6 of its width, or of that of the central
    99% of the prior where that is narrower.

    Args:
        posterior: a posterior that holds its runs, or its ArviZ container: groups ``prior`` and
            ``posterior`` of draws by parameter.
        parameter: its name.
        ax: axes to draw on; new ones if not given.

    Returns:
        The axes.

    Raises:
        JscaleError: no such parameter, or no draws of its prior.

    Example:
        >>> import numpy as np
        >>> from jscale.report import plots
        >>> rng = np.random.default_rng(0)
        >>> groups = {
        ...     "prior": {"alpha": rng.lognormal(-1, 0.5, 1000)},
        ...     "posterior": {"alpha": rng.normal(0.34, 0.02, 1000)},
        ... }
        >>> ax = plots.prior_posterior(groups, "alpha")
        >>> ax.get_legend_handles_labels()[1]
        ['prior', 'posterior']
    """
    ax = target(ax)
    groups: Any = posterior.to_arviz() if isinstance(posterior, Posterior) else posterior
    before, after = (_draws(groups, group, parameter) for group in ("prior", "posterior"))
    sequence = palette(ax).sequence
    spans = np.array([np.quantile(values, [0.005, 0.995]) for values in (before, after)])
    widest = np.ptp(spans, axis=1)
    # The posterior with room about it; a prior as narrow as it is shown whole.
    pad = min(float(widest[1]), float(widest[0]))
    low, high = float(spans[1, 0] - 0.6 * pad), float(spans[1, 1] + 0.6 * pad)
    low = max(low, 0.0) if min(before.min(), after.min()) >= 0 else low
    for values, colour, label in (
        (before, palette(ax).grey, "prior"),
        (after, sequence[0], "posterior"),
    ):
        # Relative to all draws, so that the part of the prior off the axis counts.
        counts, edges = np.histogram(values, bins=_BINS, range=(low, high))
        density = counts / (len(values) * np.diff(edges))
        ax.stairs(density, edges, fill=True, color=colour, alpha=0.35, label=label)
        ax.stairs(density, edges, color=colour, lw=1.2, label="_edge")
    ax.set(xlabel=mathtext(parameter), ylabel="Density", xlim=(low, high))
    ax.set_ylim(bottom=0)
    ax.yaxis.set_major_locator(NullLocator())
    legend(ax)
    return ax


def _draws(groups: Any, group: str, parameter: str) -> np.ndarray:
    try:
        values = np.asarray(groups[group][parameter], dtype=np.float64).ravel()
    except KeyError:
        raise JscaleError(
            f"has no {group} draws of {parameter!r}: a posterior from the file of an earlier "
            "version has none of its prior",
            argument="posterior",
        ) from None
    finite = values[np.isfinite(values)]
    if not finite.size:
        raise JscaleError(f"the {group} of {parameter!r} has no proper draws", argument="posterior")
    return finite


@in_style
def forest(
    results: Mapping[str, Point | Posterior | Bootstrap | Interval | ArrayLike],
    parameter: str,
    *,
    reference: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """One parameter by several fits, with 50% (thick) and 90% (thin) intervals.

    The interval of a point fit is normal, from its sandwich standard error; that of an
    :class:`~jscale.fit.Interval` is its own, whatever its level.

    Args:
        results: label → a fit, a posterior, a bootstrap, an interval, or draws (draws,).
        parameter: its name.
        reference: a value to mark, such as a published one.
        ax: axes to draw on; new ones if not given.

    Returns:
        The axes.

    Raises:
        JscaleError: nothing to draw, or a fit without the parameter.

    Example:
        >>> import numpy as np
        >>> from jscale.report import plots
        >>> draws = np.random.default_rng(0).normal(size=(2, 500))
        >>> results = {"all runs": 0.35 + 0.01 * draws[0], "8-bit runs": 0.33 + 0.03 * draws[1]}
        >>> ax = plots.forest(results, "alpha", reference=0.3478)
        >>> [text.get_text() for text in ax.get_yticklabels()]
        ['all runs', '8-bit runs']
    """
    ax = target(ax)
    if not results:
        raise JscaleError("is empty: there is nothing to draw", argument="results")
    colours = palette(ax)
    if reference is not None:
        label = f"reference, {number(reference, 4)}"
        ax.axvline(reference, color=colours.red, lw=1.1, ls="--", label=label)
    for place, (label, result) in enumerate(results.items()):
        low, first, middle, third, high = _five_numbers(label, result, parameter)
        ink = colours.sequence[0]
        ax.plot([low, high], [place, place], color=ink, lw=1.3, label="_90%", zorder=2)
        ax.plot([first, third], [place, place], color=ink, lw=4.0, label="_50%", zorder=3)
        ax.plot(
            middle,
            place,
            marker="o",
            ms=5.5,
            color=ink,
            mec=colours.edge,
            ls="none",
            label="_median",
            zorder=4,
        )
    ax.set_yticks(range(len(results)), list(results))
    ax.set_ylim(len(results) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")
    ax.set_xlabel(mathtext(parameter))
    legend(ax)
    return ax


def _five_numbers(label: str, result: Any, parameter: str) -> tuple[float, ...]:
    """5%, 25%, 50%, 75% and 95% points."""
    if isinstance(result, Interval):
        middle = result.estimate
        return (result.low, middle, middle, middle, result.high)
    if isinstance(result, Point):
        _require(label, result.params, parameter)
        value, error = result.params[parameter], result.stderr[parameter]
        steps = (-_NORMAL_90, -_NORMAL_50, 0.0, _NORMAL_50, _NORMAL_90)
        return tuple(value + step * error if step else value for step in steps)
    draws = result
    if isinstance(result, Posterior | Bootstrap):
        _require(label, result.draws, parameter)
        draws = result.draws[parameter]
    values = np.asarray(draws, dtype=np.float64).ravel()
    return tuple(float(q) for q in np.nanquantile(values, (0.05, 0.25, 0.5, 0.75, 0.95)))


def _require(label: str, values: Mapping[str, Any], parameter: str) -> None:
    if parameter not in values:
        names = ", ".join(values)
        raise JscaleError(
            f"{label!r} has no parameter {parameter!r}; it has {names}", argument="results"
        )
