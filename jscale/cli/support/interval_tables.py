"""Intervals and their coverage: targets from text, JSON objects, tables for people."""

from typing import TYPE_CHECKING, Any

from jscale._core.errors import JscaleError
from jscale._core.text import shown
from jscale.cli.support import output, parsing

if TYPE_CHECKING:
    from jscale.assess import Calibration
    from jscale.fit import Intervals
    from jscale.laws import LawFunction


def targets_of(law: "LawFunction", texts: list[str] | None) -> list[Any] | None:
    """Targets from text: parameters by name, other quantities as functions; None for no text.

    Raises:
        JscaleError: the law has no such quantity, or one option holds several targets.
    """
    if not texts:
        return None

    from jscale.assess import quantity
    from jscale.laws import describe

    names = describe(law).parameter_names
    for text in texts:
        first, *rest = text.split(",")
        second_target = any("@" in part or "=" not in part for part in rest)
        if second_target or (rest and "@" not in first):
            raise JscaleError(
                f"--target {shown(text)}: one target at a time, since commas separate the inputs "
                "of one; give --target several times"
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
    """The arguments that ``fit.intervals`` and ``assess.calibrate`` share."""
    names = None if kinds is None else parsing.many(kinds)
    return {"targets": targets_of(law, texts), "kinds": names, "level": level, "by": by}


def may_refit(kinds: list[str] | None) -> bool:
    """Whether a bootstrap can be among the requested kinds; all that apply for None."""
    from jscale.fit import INTERVAL_KINDS

    without = {kind for kind in INTERVAL_KINDS if not kind.startswith("bootstrap")}
    return kinds is None or not set(parsing.many(kinds)) <= without


def uses_refits(result: "Intervals | Calibration") -> bool:
    """Whether any of the intervals comes from a bootstrap."""
    return any(row.kind.startswith("bootstrap") for row in result.rows)


def summary(intervals: "Intervals") -> dict[str, Any]:
    """Intervals as a JSON object."""
    from dataclasses import asdict

    return {
        "level": intervals.level,
        "by": intervals.by,
        "draws": intervals.draws if uses_refits(intervals) else None,
        "rows": [{**asdict(row), "width": row.width} for row in intervals.rows],
        "seconds": intervals.seconds,
    }


def show(intervals: "Intervals") -> None:
    """Print intervals: for each target a line with its value, then a line for each kind."""
    rows, target = [], None
    for row in intervals.rows:
        if row.target != target:
            rows.append((row.target, _end(row.estimate, 6), "", "", ""))
            target = row.target
        ends = (_end(row.low, 5), _end(row.high, 5))
        rows.append((f"  {row.kind}", "", *ends, output.with_power(f"{row.width:.3g}")))

    details = []
    if uses_refits(intervals):
        details.append(f"{intervals.draws:,} refits a bootstrap")
    if intervals.by:
        details.append(f"clusters by {intervals.by}")
    title = f"intervals at level {intervals.level:.10g}"
    if details:
        title += f": {', '.join(details)}"

    headers = ("interval", "value", "low", "high", "width")
    output.show(output.table(headers, rows, title=title, right="lrrrr", unbroken=headers[1:]))


def _end(value: float, digits: int) -> str:
    """A number with so many digits, one less where it has a power of ten."""
    text = output.figures(value, digits)
    return output.figures(value, digits - 1) if "×" in text else text


def show_coverage(calibration: "Calibration") -> None:
    """Print the coverage of each kind of interval, target by target."""
    noise = f"{calibration.noise} noise of {calibration.scale:.2%}"
    if calibration.shared:
        noise += f", {calibration.shared:.0%} of the variance shared by {calibration.by}"
    output.show(
        f"coverage of {100 * calibration.level:.10g}% intervals over "
        f"{calibration.simulations:,} simulated tables of {calibration.law} by "
        f"{calibration.objective_name}, {noise}; with the binomial standard error of each share "
        "and the median width"
    )

    rows, target = [], None
    for row in calibration.rows:
        name = "" if row.target == target else row.target
        target = row.target
        rows.append(
            (
                name,
                row.kind,
                f"{row.coverage:.3f}",
                f"±{row.stderr:.3f}",
                output.figures(row.width, 3),
            )
        )
    headers = ("target", "kind", "coverage", "s.e.", "width")
    output.show(output.table(headers, rows, right="llrrr", unbroken=headers[1:]))
