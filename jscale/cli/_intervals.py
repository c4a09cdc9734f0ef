"""Intervals side by side: what is asked for, as JSON, and for people."""

from typing import TYPE_CHECKING, Any

from jscale._core.errors import JscaleError
from jscale.cli import _output, _parse

if TYPE_CHECKING:
    from jscale.assess import Calibration
    from jscale.fit import Intervals
    from jscale.laws import LawFunction


def targets_of(law: "LawFunction", texts: list[str] | None) -> list[Any] | None:
    """Targets as they are typed: parameters by name, other numbers as functions; None for all
        parameters.

    Raises:
        JscaleError: the law has no such number.
    """
    if not texts:
        return None
    from jscale.assess import quantity
    from jscale.laws import describe

    names = describe(law).parameter_names
    for text in texts:
        head, *more = text.split(",")
        if any("@" in part or "=" not in part for part in more) or (more and "@" not in head):
            raise JscaleError(
                f"--target {text!r}: one target at a time, since commas separate the inputs of one; give --target "
                "several times"
            )
    stripped = [text.strip() for text in texts]
    return [text if text in names else quantity(law, text) for text in stripped]


def settings(
    law: "LawFunction",
    texts: list[str] | None,
    kinds: list[str] | None,
    level: float,
    by: str | None,
) -> Any:
    """What ``fit.intervals`` and ``assess.calibrate`` take alike."""
    chosen = None if kinds is None else _parse.many(kinds)
    return {"targets": targets_of(law, texts), "kinds": chosen, "level": level, "by": by}


def resampled(found: "Intervals | Calibration") -> bool:
    """Whether any of the intervals is a bootstrap's."""
    return any(row.kind.startswith("bootstrap") for row in found.rows)


def summary(found: "Intervals") -> dict[str, Any]:
    """Intervals as a JSON object."""
    from dataclasses import asdict

    return {
        "level": found.level,
        "by": found.by,
        "draws": found.draws if resampled(found) else None,
        "rows": [{**asdict(row), "width": row.width} for row in found.rows],
        "seconds": found.seconds,
    }


def show(found: "Intervals") -> None:
    """Intervals for people, target by target: a line with its name and value, and under it a line a
    kind.
    """
    rows, last = [], None
    for row in found.rows:
        if row.target != last:
            rows.append((row.target, _output.figures(row.estimate), "", "", ""))
            last = row.target
        ends = (_output.figures(x, 5) for x in (row.low, row.high))
        rows.append((f"  {row.kind}", "", *ends, f"{row.width:.3g}"))
    details = [f"{found.draws:,} refits a bootstrap"] if resampled(found) else []
    details += [f"clusters by {found.by}"] if found.by else []
    title = f"intervals at level {found.level:.10g}" + (
        f": {', '.join(details)}" if details else ""
    )
    headers = ("interval", "value", "low", "high", "width")
    _output.show(_output.table(headers, rows, title=title, right="lrrrr", whole=headers[1:]))


def show_coverage(found: "Calibration") -> None:
    """Coverage for people, target by target."""
    shared = f", {found.shared:.0%} of the variance shared by {found.by}" if found.shared else ""
    _output.show(
        f"coverage of {100 * found.level:.10g}% intervals over {found.simulations:,} simulated tables of {found.law} "
        f"by {found.objective_name}, {found.noise} noise of {found.scale:.2%}{shared}; beside each share its binomial "
        "standard error and the median width"
    )
    rows, last = [], None
    for row in found.rows:
        name, last = ("" if row.target == last else row.target), row.target
        rows.append(
            (name, row.kind, f"{row.coverage:.3f}", f"±{row.stderr:.3f}", f"{row.width:.3g}")
        )
    headers = ("target", "kind", "coverage", "s.e.", "width")
    _output.show(_output.table(headers, rows, right="llrrr", whole=headers[1:]))
