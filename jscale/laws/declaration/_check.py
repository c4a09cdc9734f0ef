"""What a declaration of a law must be right about, seen before anybody fits it."""

from jscale._core import expressions
from jscale._core.errors import JscaleError
from jscale.laws.declaration._record import Constants, Record, edge


def check(record: Record) -> None:
    """Check that all names of a declaration are explained in it.

    Raises:
        JscaleError: a name has two meanings or none, or a parameter says too little to be fitted.
    """
    known = set(record.input_names) | set(record.parameter_names)
    if taken := known & {name for name, _ in record.definitions}:
        raise JscaleError(
            f"law {record.name!r}: where gives {', '.join(sorted(taken))} a second meaning"
        )
    for name, text in (*record.definitions, ("formula", record.formula)):
        if unknown := expressions.names(text) - known - set(record.functions):
            raise JscaleError(
                f"law {record.name!r}: {name} uses {', '.join(sorted(unknown))}, not in the signature"
            )
        known.add(name)
    for short, given in record.published.items():
        if not isinstance(given, Constants):
            raise JscaleError(
                f"law {record.name!r}: make the constants {short!r} with jscale.laws.constants"
            )
        if set(given.values) != set(record.parameter_names) or not set(given.stderr) <= set(
            given.values
        ):
            raise JscaleError(
                f"law {record.name!r}: constants {short!r} name {sorted({*given.values, *given.stderr})}, "
                f"the signature {sorted(record.parameter_names)}"
            )
    for kind, named in (("decreasing", record.decreasing), ("increasing", record.increasing)):
        if unknown := set(named) - set(record.input_names):
            raise JscaleError(f"law {record.name!r}: {kind} names {sorted(unknown)}, not inputs")
    _check_limits(record, known)
    check_parameters(record)


def _check_limits(record: Record, known: set[str]) -> None:
    for where, text in record.limits.items():
        pairs = edge(where)
        if unknown := {name for name, _ in pairs} - set(record.input_names):
            raise JscaleError(
                f"law {record.name!r}: the limit {where!r} names {sorted(unknown)}, not inputs"
            )
        used = frozenset().union(
            expressions.names(text), *(expressions.names(at) for _, at in pairs)
        )
        if unknown := used - known - set(record.functions):
            raise JscaleError(
                f"law {record.name!r}: the limit {where!r} uses {sorted(unknown)}, not in the signature"
            )


def check_parameters(record: Record) -> None:
    """Raise JscaleError unless every parameter has a prior, a start range and an anchor that can be
    evaluated.
    """
    at_centre = {n + s for n in record.input_names for s in ("", "_low")} | {"loss_min"}
    before: set[str] = set()
    for p in record.in_order_of_anchors:
        anchor = p.role.anchor
        if p.role.prior is None or p.role.start is None:
            raise JscaleError(
                f"law {record.name!r}: {p.name!r} needs a role with a prior and a start range"
            )
        if anchor is None:
            before.add(p.name)
            continue
        if unknown := anchor.names - at_centre - before:
            why = (
                "in a circle"
                if unknown <= set(record.parameter_names)
                else f"not in the signature: use that name, or give {p.name!r} another, adjust(anchor=Anchor('N**-a'))"
            )
            names = ", ".join(sorted(unknown))
            raise JscaleError(f"law {record.name!r}: the anchor of {p.name!r} uses {names}, {why}")
        before.add(p.name)
