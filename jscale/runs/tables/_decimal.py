"""Decimal commas, as spreadsheets of half the world write them beside semicolons."""

import re
from collections.abc import Sequence

_COMMA = re.compile(r"[+-]?(?:[0-9]{1,3}(?:\.[0-9]{3})+|[0-9]+),[0-9]+(?:[eE][+-]?[0-9]+)?")
_GROUPED = re.compile(r"[+-]?[0-9]{1,3}(?:\.[0-9]{3})+")
_THOUSANDS = re.compile(r"[0-9]{1,3},[0-9]{3}")
_POINT = re.compile(r"[+-]?[0-9]*\.[0-9]+(?:[eE][+-]?[0-9]+)?\s*[kmbtKMBT]?")


def with_decimal_points(
    counts: Sequence[Sequence[str]], losses: Sequence[Sequence[str]]
) -> tuple[list[list[str]], list[list[str]]] | None:
    """Cells with decimal points; None for a table that is not surely written with commas.

    Sure is: a loss has a comma and digits behind it, no number has a point other than between
    groups of three digits (``70.000.000``), and no count may be in thousands (``1,400``).

    Args:
        counts: cells of the columns of parameters, tokens and compute.
        losses: cells of the other columns that should hold numbers.
    """
    cells = [cell.strip() for column in (*counts, *losses) for cell in column]
    if not any(_COMMA.fullmatch(cell.strip()) for column in losses for cell in column):
        return None
    if any(_POINT.fullmatch(cell) and not _GROUPED.fullmatch(cell) for cell in cells):
        return None
    if any(_THOUSANDS.fullmatch(cell.strip()) for column in counts for cell in column):
        return None
    return (
        [[_converted(cell.strip()) for cell in column] for column in counts],
        [[_converted(cell.strip()) for cell in column] for column in losses],
    )


def _converted(cell: str) -> str:
    if _COMMA.fullmatch(cell):
        return cell.replace(".", "").replace(",", ".")
    return cell.replace(".", "") if _GROUPED.fullmatch(cell) else cell
