"""Intervals side by side: what is asked for, as JSON, and for people."""

from typing import TYPE_CHECKING, Any

from jscale._core.errors import JscaleError
from jscale.cli import _output, _parse

if TYPE_CHECKING:
    from jscale.assess import Calibration
    from jscale.fit import Intervals
    from jscale.laws import LawFunction


def targets_of(law: "LawFunction", texts: list[str] | None) -> list[Any] | None:
    """Targets as they are typed: parameters by name, other numbers as functions; None for all parameters.

    Raises:
        JscaleError: the law has no such number.
    """
    if not texts:
        return None
    from jscale.assess import quantity
    from jscale.laws import describe

    names = describe(law).parameter_names
    return [text if text in names else quantity(law, text) for text in texts]


def settings(law: "LawFunction", texts: list[str] | None, kinds: list[str] | None, level: float, by: str | None) -> Any:
    """What ``fit.intervals`` and ``assess.calibrate`` take alike."""
    chosen = None if kinds is None else _parse.many(kinds)
    return {"targets": targets_of(law, texts), "kinds": chosen, "level": level, "by": by}


def key_of(seed: int) -> Any:
    """The random key of a seed.

    Raises:
        JscaleError: the seed is out of range.
    """
    if not 0 <= seed < 2**63:
        raise JscaleError(f"--seed: expected a whole number from 0 to 2**63 - 1, not {seed}")
    import jax

    return jax.random.key(seed)


def summary(found: "Intervals") -> dict[str, Any]:
    """Intervals as a JSON object."""
    from dataclasses import asdict

    return {
        "level": found.level,
        "by": found.by,
        "draws": found.draws,
        "rows": [{**asdict(row), "width": row.width} for row in found.rows],
        "seconds": found.seconds,
    }


def show(found: "Intervals") -> None:
    """Intervals for people, target by target."""
    rows, last = [], None
    for row in found.rows:
        first = row.target != last
        last = row.target
        name, value = (row.target, _output.figures(row.estimate)) if first else ("", "")
        rows.append((name, value, row.kind, *(_output.figures(x, 5) for x in (row.low, row.high)), f"{row.width:.3g}"))
    clusters = f", clusters by {found.by}" if found.by else ""
    title = f"intervals at level {found.level:g}: {found.draws:,} refits a bootstrap{clusters}"
    _output.show(_output.table(("target", "value", "kind", "low", "high", "width"), rows, title=title, right="lrlrrr"))


def show_coverage(found: "Calibration") -> None:
    """Coverage for people: a line a kind, a column a target."""
    targets = list(dict.fromkeys(row.target for row in found.rows))
    kinds = list(dict.fromkeys(row.kind for row in found.rows))
    shared = f", {found.shared:.0%} of the variance shared by {found.by}" if found.shared else ""
    _output.show(
        f"coverage of {found.level:.0%} intervals over {found.simulations:,} simulated tables of {found.law}, "
        f"{found.noise} noise of {found.scale:.2%}{shared}; beside each share its binomial standard error and the "
        "median width"
    )
    rows = []
    for kind in kinds:
        cells = [found.of(target, kind) for target in targets]
        rows.append((kind, *(f"{c.coverage:.3f}±{c.stderr:.3f} ({c.width:.3g})" for c in cells)))
    _output.show(_output.table(("kind", *targets), rows, right="l" + "r" * len(targets)))
