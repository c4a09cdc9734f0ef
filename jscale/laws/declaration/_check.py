"""Checks of a law's declaration, before anybody fits the law."""

from jscale._core import expressions
from jscale._core.errors import JscaleError
from jscale._core.text import enumerated, shown
from jscale.laws.declaration._record import Constants, Parameter, Record, edge


def check(record: Record) -> None:
    """Check that every name of a declaration has exactly one meaning.

    Raises:
        JscaleError: a name has two meanings or none, or a parameter lacks what a fit needs.
    """
    known = set(record.input_names) | set(record.parameter_names)
    if taken := known & {name for name, _ in record.definitions}:
        raise JscaleError(
            f"law {record.name!r}: where gives {enumerated(sorted(taken))} a second meaning"
        )

    for name, text in (*record.definitions, ("formula", record.formula)):
        if unknown := expressions.names(text) - known - set(record.functions):
            raise JscaleError(
                f"law {record.name!r}: {name} uses {enumerated(sorted(unknown))}, "
                "not in the signature"
            )
        known.add(name)

    _check_published(record)
    for kind, named in (("decreasing", record.decreasing), ("increasing", record.increasing)):
        if unknown := set(named) - set(record.input_names):
            raise JscaleError(f"law {record.name!r}: {kind} names {sorted(unknown)}, not inputs")
    _check_limits(record, known)
    check_parameters(record)


def _check_published(record: Record) -> None:
    """Check that every published set has a value for each parameter, and for nothing else."""
    parameters = set(record.parameter_names)
    for source, published in record.published.items():
        if not isinstance(published, Constants):
            raise JscaleError(
                f"law {record.name!r}: make the constants {shown(source)} with "
                "jscale.laws.constants"
            )
        values, errors = set(published.values), set(published.stderr)
        if values != parameters or not errors <= values:
            raise JscaleError(
                f"law {record.name!r}: constants {shown(source)} name {sorted(values | errors)}, "
                f"the signature {sorted(parameters)}"
            )


def _check_limits(record: Record, known: set[str]) -> None:
    """Check that limits name inputs, and that their formulas use known names."""
    for where, text in record.limits.items():
        pairs = edge(where)
        if unknown := {name for name, _ in pairs} - set(record.input_names):
            raise JscaleError(
                f"law {record.name!r}: the limit {shown(where)} names {sorted(unknown)}, not inputs"
            )

        used = expressions.names(text).union(*(expressions.names(at) for _, at in pairs))
        if unknown := used - known - set(record.functions):
            raise JscaleError(
                f"law {record.name!r}: the limit {shown(where)} uses {sorted(unknown)}, "
                "not in the signature"
            )


def check_parameters(record: Record) -> None:
    """Check that every parameter has a prior, a start range and an anchor that can be evaluated.

    Raises:
        JscaleError: a parameter lacks one of the three.
    """
    at_centre = {n + s for n in record.input_names for s in ("", "_low")}
    at_centre |= {"loss_min", "floor_max"}
    evaluated: set[str] = set()
    for parameter in record.in_order_of_anchors:
        if parameter.role.prior is None or parameter.role.start is None:
            raise JscaleError(
                f"law {record.name!r}: {parameter.name!r} needs a role with a prior and a start "
                "range"
            )
        anchor = parameter.role.anchor
        if anchor is not None and (unknown := anchor.names - at_centre - evaluated):
            raise JscaleError(_anchor_message(record, parameter, unknown))
        evaluated.add(parameter.name)


def _anchor_message(record: Record, parameter: Parameter, unknown: frozenset[str]) -> str:
    """The message about names in an anchor that cannot be evaluated."""
    names = enumerated(sorted(unknown))
    message = f"law {record.name!r}: the anchor of {parameter.name!r} uses {names}, "
    if unknown <= set(record.parameter_names):
        return message + "in a circle"
    return (
        f"{message}not in the signature: use that name, or give {parameter.name!r} another, "
        "adjust(anchor=Anchor('N**-a'))"
    )
