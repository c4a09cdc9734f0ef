"""Figures of precision: bits, critical tokens, and pairs of runs that differ in bits alone."""

from collections.abc import Iterator

from jscale.report import figures
from jscale.report.analysis import FULL_BITS, Analysis
from jscale.report.notation import human, listing
from jscale.report.page._page_figure import PageFigure

_PARTS = {"P_w": "Weights", "P_a": "Activations", "P_kv": "KV cache"}


def loss_by_bits(analysis: Analysis) -> Iterator[PageFigure]:
    """Loss against bits in training, at one size and amount of data."""
    if analysis.precision is None or analysis.precision.bit_curves is None:
        return
    curves = analysis.precision.bit_curves
    place = f"{human(curves.N)} parameters and {human(curves.D)} tokens"
    yield PageFigure(
        figures.loss_by_bits(curves.bits, curves.curves, curves.runs, analysis.study.loss_unit),
        title="Loss against bits",
        alt=f"Loss against the bits of {listing(list(curves.curves))} at {place}.",
        caption=f"At {place}, where the runs cover the most settings of bits. Parts that are not "
        f"named are in {FULL_BITS:g} bits. Dots: observed runs.",
    )


def optimal_bits(analysis: Analysis) -> Iterator[PageFigure]:
    """Best training precision against compute."""
    forecast, precision = analysis.forecast, analysis.precision
    if forecast is None or precision is None or forecast.curve.P is None:
        return
    assert analysis.study.compute is not None
    last, path = float(analysis.study.compute.max()), forecast.curve
    yield PageFigure(
        figures.optimal_bits(path.compute, forecast.curve.P, precision.at_size, last),
        title="Best training precision",
        alt="Best bits against compute, at the optimal size and at given sizes.",
        caption="One precision for all parts, at a cost proportional to its bits. At a given size, "
        "longer training favours more bits.",
    )


def critical_tokens(analysis: Analysis) -> Iterator[PageFigure]:
    """Tokens past which more training makes the quantised model worse."""
    if analysis.precision is None or analysis.precision.critical is None:
        return
    critical, inputs = analysis.precision.critical, analysis.study.data.inputs
    bits = listing([f"{bits:g}" for bits in critical.curves])
    yield PageFigure(
        figures.critical_tokens(critical.N, critical.curves, (inputs["N"], inputs["D"])),
        title="Critical tokens",
        alt=f"Critical tokens against parameters for {bits} bits.",
        caption="Above a line, more data increases the loss of a model that is trained in full "
        "precision and then quantised.",
    )


def degradations(analysis: Analysis) -> Iterator[PageFigure]:
    """Loss added by quantising after training, run by run."""
    sizes = analysis.degradations
    if not sizes:
        return
    unit = analysis.study.loss_unit
    names = listing([human(each.N) for each in sizes])
    bits = listing([f"{P:g}" for P in sizes[0].curves])
    yield PageFigure(
        figures.degradations(sizes, unit=unit),
        title="Degradation after training",
        alt=f"Loss added by quantising after training against tokens, for models of {names} "
        f"parameters and {bits} bits, with the law's curves.",
        caption=f"Runs trained in {FULL_BITS:g} bits: loss of the quantised copy minus that of the "
        "original. Lines: the law. Dots below the axis are not shown.",
        narrow=figures.degradations(sizes, narrow=True, unit=unit),
        span="row",
    )


def kept_shares(analysis: Analysis) -> Iterator[PageFigure]:
    """Share of parameters kept with one part in few bits, run by run."""
    if not analysis.kept_shares:
        return
    parts = {_PARTS.get(name, name): share for name, share in analysis.kept_shares.items()}
    names = listing([name.lower() for name in parts])
    yield PageFigure(
        figures.kept_shares(parts),
        title="Effective parameters",
        alt=f"Share of parameters kept against the bits of {names} in training.",
        caption="Each dot compares a run with one part in few bits with the same run in full "
        "precision: the share of parameters at which the full-precision run would have this loss, "
        "by the fitted size term. Where dots scatter above the axis, that term is flat and the "
        "share is uncertain.",
        narrow=figures.kept_shares(parts, narrow=True),
        span="row",
    )
