"""Parameters that the data do not identify, in intervals and bootstraps."""

from collections.abc import Mapping

from jscale._core.notes import Note
from jscale.fit.optimum import Point
from jscale.fit.uncertainty._targets import Quantity


def unidentified(best: Point) -> frozenset[str]:
    """The parameters that the runs do not tell, or not how well: all of them where no degree of
    freedom is left.
    """
    return frozenset(
        best.params if best.n_runs == len(best.params) else best.certificate.unidentified
    )


def unidentified_note(best: Point) -> tuple[Note, ...]:
    """A note where parameters have their whole range for an interval, unless the fit itself has
    said why.
    """
    names = unidentified(best)
    if not names or best.n_runs == len(best.params):
        return ()
    message = f"these runs cannot separate {', '.join(sorted(names))}: every interval of them is their whole range"
    return (Note("unidentified", "warning", message, {"parameters": sorted(names)}),)


def unbounded_targets(best: Point, wanted: Mapping[str, str | Quantity]) -> frozenset[str]:
    """The targets of which every interval is the whole range: the runs do not tell them, or nothing
    at all.
    """
    saturated = best.n_runs == len(best.params)
    return frozenset(
        n
        for n, t in wanted.items()
        if saturated or (isinstance(t, str) and t in unidentified(best))
    )
