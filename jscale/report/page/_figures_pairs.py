"""The plates of pairs of runs that differ in bits alone."""

from collections.abc import Iterator

from jscale.report.analysis import FULL_BITS, Forecast, Study, degradations, kept_shares
from jscale.report.figures import degradation
from jscale.report.figures import kept_shares as figures_kept_shares
from jscale.report.notation import human, listing
from jscale.report.page._figures import PageFigure

_PARTS = {"P_w": "Weights", "P_a": "Activations", "P_kv": "KV cache"}


def of_pairs(study: Study, forecast: Forecast | None) -> Iterator[PageFigure]:
    """What quantising after training added, and what few bits in training left, run by run."""
    if forecast is None or not study.record.bit_inputs:
        return
    if lost := degradations(study, forecast):
        sizes = listing([human(one.N) for one in lost])
        yield PageFigure(
            degradation(lost),
            "Degradation after training",
            f"Loss added by quantising after training against tokens, for models of {sizes} parameters and "
            f"{listing([f'{P:g}' for P in lost[0].curves])} bits, with the law's curves.",
            f"Runs trained in {FULL_BITS:g} bits, quantised copy minus original; lines are the law. More data adds "
            "more. Dots below the axis are not shown.",
            narrow=degradation(lost, narrow=True),
            span="row",
        )
    if kept := kept_shares(study, forecast):
        named = {_PARTS.get(name, name): share for name, share in kept.items()}
        yield PageFigure(
            figures_kept_shares(named),
            "Effective parameters",
            f"Share of parameters kept against the bits of {listing([n.lower() for n in named])} in training.",
            "Each dot is a run with one part in few bits beside its twin in full precision: the share of parameters "
            "with which the twin's loss would be as high, by the fitted size term. Where dots spread above the axis, "
            "that term is flat and the share uncertain.",
            narrow=figures_kept_shares(named, narrow=True),
            span="row",
        )
