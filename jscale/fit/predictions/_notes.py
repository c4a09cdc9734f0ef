"""What a forecast itself gives reason to doubt: distance from the runs, and the law's domain."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.notes import Note, Severity
from jscale._core.text import general, human, plural
from jscale.fit.predictions._ranges import RATIO, RESOURCES, Ranges

FAR = 1.0
"""Decades beyond the runs from which a note on a forecast is a warning. Few tables of runs span
enough for a held-out part to test a forecast so far away."""
BEYOND_RUNS, FAR_FORECAST = "beyond-runs", "far-forecast"
"""Codes of notes on forecasts beyond the runs, by less and by more than that."""


def distance_notes(
    decades: Mapping[str, np.ndarray],
    ranges: Ranges,
    values: Mapping[str, np.ndarray],
    noun: str = "point",
) -> tuple[Note, ...]:
    """A note on points beyond the runs: a warning from one decade on, else a remark.

    Args:
        decades: quantity → (points,) signed decades beyond the runs.
        ranges: quantity → smallest and largest value over the runs; empty where not known.
        values: quantity → (points,) of the points.
        noun: what a point is called.
    """
    if not ranges:
        return (no_ranges_note(),)
    distance = np.stack([np.nan_to_num(np.abs(d), posinf=np.inf) for d in decades.values()])
    # Outside of a range without decades: a share, or days.
    outside = [name for name in decades if _is_outside(name, decades, ranges, values)]
    ratio = _is_outside(RATIO, {}, ranges, values)
    if not (distance > 0).any() and not outside and not ratio:
        return ()

    farthest = distance.max(axis=0)
    at, count = int(np.argmax(farthest)), len(farthest)
    parts = _listed(decades, ranges, values, at)
    parts += [_range_text(name, ranges, values) for name in outside]
    parts += [_range_text(RATIO, ranges, values)] if ratio else []

    lead = "beyond the runs"
    if count > 1:
        beyond = int((farthest > 0).sum())
        lead = f"{beyond:,} of {plural(count, noun)} beyond the runs"
        lead += f", {noun} {at + 1} the farthest" if beyond > 1 else ""
    statement = f"{lead}: {', '.join(parts)}"
    evidence = {name: [float(x) for x in d] for name, d in decades.items()}
    severity = "warning" if _leaves_a_constant(decades, ranges) else "info"
    return (beyond_runs_note(statement, float(farthest[at]), evidence, severity=severity),)


def beyond_runs_note(
    statement: str,
    decades: float,
    evidence: Mapping[str, Any],
    *,
    severity: Severity = "info",
) -> Note:
    """A note on a forecast beyond the runs: ``far-forecast``, a warning, from one decade on.

    Args:
        statement: what lies how far from the runs.
        decades: the largest distance.
        evidence: the numbers that support it.
        severity: of the note ``beyond-runs`` on a forecast that is nearer.
    """
    if decades < FAR:
        return Note(BEYOND_RUNS, severity, statement, evidence)
    reason = "so far out nothing in the table checks the law, and the band rests on its form"
    return Note(FAR_FORECAST, "warning", f"{statement}; {reason}", evidence)


def no_ranges_note() -> Note:
    """A remark that distances are not known."""
    return Note(
        "ranges-unknown",
        "info",
        "the ranges of the runs are not stored with this fit (a posterior of an earlier version, "
        "or a fit without its table): decades beyond them are unknown; sample or fit again",
    )


def _leaves_a_constant(decades: Mapping[str, np.ndarray], ranges: Ranges) -> bool:
    """Whether a point has another value of an input that all runs have in common."""
    constant = [n for n in decades if n not in RESOURCES and n in ranges and len({*ranges[n]}) == 1]
    return any((np.nan_to_num(decades[name]) != 0).any() for name in constant)


def _is_outside(
    name: str,
    decades: Mapping[str, np.ndarray],
    ranges: Ranges,
    values: Mapping[str, np.ndarray],
) -> bool:
    """Whether a quantity leaves the runs' range at some point at which it has no decades."""
    if name not in ranges or name not in values:
        return False
    low, high = ranges[name]
    x = values[name]
    slack = 1e-9 * max(abs(low), abs(high))
    beyond = (x > high + slack) | (x < low - slack)
    return bool((beyond & np.isnan(decades.get(name, np.full(len(x), np.nan)))).any())


def _listed(
    decades: Mapping[str, np.ndarray],
    ranges: Ranges,
    values: Mapping[str, np.ndarray],
    at: int,
) -> list[str]:
    """The quantities in which a point lies beyond the runs, the farthest first."""
    outside = [n for n in decades if np.abs(np.nan_to_num(decades[n][at], posinf=np.inf)) > 0]
    texts = []
    for name in sorted(outside, key=lambda name: -abs(decades[name][at])):
        distance, (low, high) = decades[name][at], ranges[name]
        if low == high and name not in RESOURCES:
            texts.append(_range_text(name, ranges, {name: values[name][at : at + 1]}))
            continue
        side = f"above {human(high)}" if distance > 0 else f"below {human(low)}"
        far = "infinitely far" if np.isinf(distance) else f"{general(abs(distance), 2)} decades"
        texts.append(f"{name} = {human(float(values[name][at]))} ({far} {side})")
    return texts


def _range_text(name: str, ranges: Ranges, values: Mapping[str, np.ndarray]) -> str:
    """``D/N from 0.29 to 5, where the runs have 20 to 400``."""
    low, high = ranges[name]
    x = values[name]
    least, most = human(float(np.min(x))), human(float(np.max(x)))
    span = least if least == most else f"{least} to {most}"
    if low == high:
        return f"{name} = {span}, where all runs have {human(low)}"
    return f"{name} = {span}, where the runs have {human(low)} to {human(high)}"


def domain_notes(law: str, losses: np.ndarray, at: Mapping[str, np.ndarray]) -> tuple[Note, ...]:
    """A warning about draws at which the law has no finite value.

    Args:
        law: its name.
        losses: (draws, points) values of the law.
        at: input → (points,).

    Raises:
        JscaleError: at some point there is no draw with one.
    """
    lost = 1 - np.isfinite(losses).mean(axis=0)
    if not lost.any():
        return ()

    worst = int(np.argmax(lost))
    point = ", ".join(f"{name}={human(float(column[worst]))}" for name, column in at.items())
    if lost[worst] == 1:
        raise JscaleError(
            f": {point}: law {law!r} has no finite value there; "
            "expected a point inside the domain of the law",
            argument="inputs",
        )
    message = (
        f"at {point} law {law!r} has no finite value in {lost[worst]:.1%} of the draws; "
        "they are left out"
    )
    return (Note("outside-domain", "warning", message, {"lost": [float(x) for x in lost]}),)


def without_repeats(notes: Sequence[Note]) -> tuple[Note, ...]:
    """The notes, each once."""
    kept: dict[tuple[str, str], Note] = {}
    for note in notes:
        kept.setdefault((note.code, note.message), note)
    return tuple(kept.values())
