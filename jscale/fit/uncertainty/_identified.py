"""Parameters that the data do not identify, in intervals and bootstraps."""

from collections.abc import Mapping

from jscale._core.notes import Note
from jscale.fit.optimum import Point
from jscale.fit.uncertainty._targets import TargetFunction


def _is_saturated(best: Point) -> bool:
    """Whether there are as many parameters as runs."""
    return best.n_runs == len(best.params)


def unidentified(best: Point) -> frozenset[str]:
    """The parameters without a finite interval: unidentified ones, or all of a saturated fit."""
    return frozenset(best.params if _is_saturated(best) else best.certificate.unidentified)


def unidentified_note(best: Point) -> tuple[Note, ...]:
    """A warning that intervals of unidentified parameters are their whole range.

    A saturated fit has a note of its own.
    """
    names = sorted(unidentified(best))
    if not names or _is_saturated(best):
        return ()

    message = (
        f"the data do not identify {', '.join(names)}: every interval of them is their whole range"
    )
    return (Note("unidentified", "warning", message, {"parameters": names}),)


def unbounded_targets(best: Point, requested: Mapping[str, str | TargetFunction]) -> frozenset[str]:
    """The targets of which every interval is the whole range.

    These are unidentified parameters, or all targets of a saturated fit.
    """
    if _is_saturated(best):
        return frozenset(requested)
    names = unidentified(best)
    return frozenset(
        name for name, target in requested.items() if isinstance(target, str) and target in names
    )
