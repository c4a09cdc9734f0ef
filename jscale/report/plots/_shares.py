"""Parameters that models keep in few bits, from pairs of runs that differ in bits alone."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator

from jscale._core.errors import JscaleError
from jscale._core.scope import float64
from jscale.laws import effective_fraction
from jscale.report.analysis import FULL_BITS, matched_pairs
from jscale.report.notation import human, plain
from jscale.report.plots._axes import draw_band, draw_dots, in_style, legend, palette, target
from jscale.report.plots._source import Fitted, Source, as_source, band_of
from jscale.runs import Data, Runs, TableLike, as_runs, select

_POINTS = 81
_MIN_BITS = 1.5


@in_style
def kept_share(
    fitted: Fitted, table: TableLike, *, part: str = "P_w", ax: Axes | None = None
) -> Axes:
    """The share of parameters that stays effective, measured on pairs of runs, against bits.

    A pair has the same size, data and seed, and all other parts in 16 bits. Its share is that of a
    16-bit model with the loss of the run in few bits (eq. 30 of *Scaling Laws for Precision*): it
    assumes the size term ``A N**-alpha``, and no form in the bits. The curve is the law.

    Args:
        fitted: a fit, a posterior, or (law, params), of a law with the parameters ``A`` and
            ``alpha``.
        table: runs with N, D and bits.
        part: the input that counts the bits.
        ax: axes to draw on; new ones if not given.

    Returns:
        The axes.

    Raises:
        JscaleError: no pair of runs, a part that is not of training, or a law without one of the
            inputs or parameters.

    Example:
        >>> from jscale import laws, runs
        >>> from jscale.report import plots
        >>> rows = {"N": [1e8] * 3, "D": [2e9] * 3, "P_w": [16, 8, 4], "loss": [3.6, 3.65, 3.9]}
        >>> theta = laws.params(laws.low_precision)
        >>> ax = plots.kept_share((laws.low_precision, theta), runs.read(rows))
        >>> ax.get_xlabel()
        'Bits in training, P_w'
    """
    ax = target(ax)
    source = as_source(fitted)
    source.require("N", "D", part)
    if part not in source.training_bits:
        parts = ", ".join(source.training_bits)
        raise JscaleError(f"must count bits in training ({parts}), not {part!r}", argument="part")
    runs = as_runs(table)
    data = select(runs, source.law)
    row, share = _shares(source, runs, data, part)
    if not len(row):
        raise JscaleError(
            f"no pair of runs of one size, data and seed that differ in {part} alone",
            argument="table",
        )
    bits, sizes = data.inputs[part][row], data.inputs["N"][row]
    distinct = np.unique(sizes)
    colours = palette(ax).map(np.linspace(0.05, 1.0, len(distinct)))
    for i, (N, colour) in enumerate(zip(distinct, colours, strict=True)):
        # Shifted a little, so that dots at whole bits do not hide each other.
        shift = 0.12 * (i - (len(distinct) - 1) / 2)
        at = sizes == N
        draw_dots(ax, bits[at] + shift, share[at], color=colour, label=f"{human(N)} parameters")

    grid = np.linspace(_MIN_BITS, FULL_BITS, _POINTS)
    N, D = (float(np.exp(np.log(data.inputs[name]).mean())) for name in ("N", "D"))
    gap = source.losses(N=N, D=D, **{part: grid}) - source.losses(N=N, D=D)
    draw_band(ax, grid, band_of(_fraction(source, N, gap)), palette(ax).red, "law")
    ax.axhline(1.0, color=palette(ax).grey, lw=0.9, ls=":", zorder=1, label="_full precision")
    ax.set(
        xlim=(_MIN_BITS - 0.2, bits.max() + 1.0),
        ylim=(0, 1.5),
        xlabel=f"Bits in training, {plain(part)}",
        ylabel="Share of parameters kept",
    )
    ax.xaxis.set_major_locator(FixedLocator([2, 3, 4, 5, 6, 8, 12, 16]))
    legend(ax, loc="lower right")
    return ax


@in_style
def joint_shares(fitted: Fitted, table: TableLike, *, ax: Axes | None = None) -> Axes:
    """The share kept with several parts in few bits, against the product of those of each part.

    On the diagonal the effects of the parts are independent, as the law of *Scaling Laws for
    Precision* (eq. 4) has it; above it low bits together cost less than the product. Everything is
    measured on pairs of runs of one size, data and seed (see :func:`kept_share`).

    Args:
        fitted: as for :func:`kept_share`.
        table: runs with N, D and bits of two parts or more.
        ax: axes to draw on; new ones if not given.

    Returns:
        The axes.

    Raises:
        JscaleError: no run with several parts in few bits whose parts were lowered alone, too.

    Example:
        >>> from jscale import laws, runs
        >>> from jscale.report import plots
        >>> bits = {"P_w": [16, 4, 16, 4], "P_a": [16, 16, 4, 4]}
        >>> rows = {"N": [1e8] * 4, "D": [2e9] * 4, "loss": [3.6, 3.7, 3.8, 3.95]} | bits
        >>> theta = laws.params(laws.low_precision)
        >>> ax = plots.joint_shares((laws.low_precision, theta), runs.read(rows))
        >>> ax.get_xlabel()
        'Product of the shares kept of each part alone'
    """
    ax = target(ax)
    source = as_source(fitted)
    source.require("N", "D")
    runs = as_runs(table)
    data = select(runs, source.law)
    product, joint, lowered = _joint_pairs(source, runs, data)
    if not len(joint):
        raise JscaleError(
            "no run with several parts in few bits whose parts were also lowered one at a time, at "
            "the same size, data and seed",
            argument="table",
        )
    top = 1.08 * max(1.0, float(joint.max()), float(product.max()))
    ax.plot([0, top], [0, top], color=palette(ax).grey, lw=1.0, label="independent parts")
    for count, colour in zip((2, 3), palette(ax).sequence, strict=False):
        at = lowered == count
        if at.any():
            label = f"{count} parts in few bits ({at.sum():,})"
            draw_dots(ax, product[at], joint[at], color=colour, label=label)
    ax.set(
        xlim=(0, top),
        ylim=(0, top),
        xlabel="Product of the shares kept of each part alone",
        ylabel="Share kept together",
    )
    legend(ax, loc="upper left")
    return ax


def _fraction(source: Source, N: float | np.ndarray, gap: np.ndarray) -> np.ndarray:
    """The share of its parameters that a model keeps, from the loss that it gains."""
    missing = {"A", "alpha"} - set(source.record.parameter_names)
    if missing:
        raise JscaleError(
            f"law {source.record.name!r} has no parameter {', '.join(sorted(missing))}: the share "
            "of parameters kept needs a size term A / N**alpha"
        )
    theta = source.thinned(len(gap))
    with float64():
        A, alpha = (theta[name][:, None] for name in ("A", "alpha"))
        return np.asarray(effective_fraction(N, gap, A=A, alpha=alpha))


def _settings(source: Source, data: Data) -> tuple[np.ndarray, np.ndarray]:
    """Bits in training (rows, parts), and whether a run was not quantised afterwards (rows,)."""
    bits = np.stack([data.inputs[name] for name in source.training_bits], axis=1)
    post = data.inputs.get("P_post", np.full(len(data), np.inf))
    return bits, post >= FULL_BITS


def _pairs(
    source: Source, runs: Runs, data: Data, lowered: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rows among ``lowered`` with a copy in 16 bits, and the share that they keep."""
    bits, unquantised = _settings(source, data)
    reference = unquantised & (bits >= FULL_BITS).all(axis=1)
    row, before = matched_pairs(runs, data, bits[:, :0], unquantised & lowered, reference)
    if not len(row):
        return row, before
    middle = Source(source.law, source.record, _medians(source))
    share = _fraction(middle, data.inputs["N"][row][None], (data.loss[row] - before)[None])
    return row, share[0]


def _medians(source: Source) -> dict[str, np.ndarray]:
    return {name: np.median(values)[None] for name, values in source.params.items()}


def _shares(source: Source, runs: Runs, data: Data, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows with the part alone in few bits, and the share that they keep."""
    bits, _ = _settings(source, data)
    low = bits < FULL_BITS
    place = source.training_bits.index(part)
    return _pairs(source, runs, data, low[:, place] & (low.sum(axis=1) == 1))


def _joint_pairs(
    source: Source, runs: Runs, data: Data
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Product of the shares of each part alone, the joint share, and the number of parts."""
    bits, _ = _settings(source, data)
    low = bits < FULL_BITS
    seed = np.asarray(runs["seed"])[data.rows] if "seed" in runs else np.zeros(len(data))
    place = list(zip(data.inputs["N"], data.inputs["D"], seed.tolist(), strict=True))

    alone: dict[tuple[object, ...], float] = {}
    for i, part in enumerate(source.training_bits):
        for row, share in zip(*_shares(source, runs, data, part), strict=True):
            alone[(i, bits[row, i], *place[row])] = float(share)

    products, joints, counts = [], [], []
    for row, share in zip(*_pairs(source, runs, data, low.sum(axis=1) > 1), strict=True):
        keys = [(i, bits[row, i], *place[row]) for i in np.flatnonzero(low[row])]
        if all(key in alone for key in keys):
            products.append(float(np.prod([alone[key] for key in keys])))
            joints.append(float(share))
            counts.append(len(keys))
    return np.array(products), np.array(joints), np.array(counts)
