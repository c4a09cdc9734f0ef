"""What stands around the rows of a table: titles, Markdown rules, comments, footers."""

import re
from collections.abc import Collection, Sequence

from jscale.runs.tables._cells import is_empty, undecorated
from jscale.runs.tables._columns import KNOWN, Kind, fold
from jscale.runs.tables._headers import meaning

LINES_OF_TITLES = 30
"""Rows at the start of a file among which the column names are looked for."""
COMMENT = "#"

_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?,*\s*', re.IGNORECASE)
_RULE = re.compile(r":?-+:?")
_FOOTERS = frozenset(
    (
        *("total", "totals", "grand total", "sum", "mean", "average", "avg", "median"),
        *("std", "sd", "stdev", "min", "max", "count", "source", "note", "notes", "exported"),
        *("gesamt", "summe", "mittelwert"),
    )
)
"""First words of rows below a table."""
_LEAST_KNOWN = 2
_MOST_CELLS = 1_000
"""Cells at the start of a row that are looked at: a line of a million commas is no header."""


def separator_line(line: str) -> str | None:
    """The separator of Excel's first line ``sep=;``; None for any other line."""
    found = _SEPARATOR_LINE.fullmatch(line.strip().lstrip("\ufeff"))
    return found[1] if found else None


def is_rule(row: Sequence[str]) -> bool:
    """Whether a row is the line under the header of a Markdown table."""
    cells = [cell.strip() for cell in row if cell.strip()]
    # A row of single hyphens is one of empty cells.
    return all(_RULE.fullmatch(cell) for cell in cells) and any(len(cell) > 1 for cell in cells)


def markdown_row(row: Sequence[str]) -> list[str]:
    """The cells of a line of a Markdown table, without the bars at its ends and without marks."""
    cells = list(row)
    if cells and not cells[0].strip():
        cells = cells[1:]
    if cells and not cells[-1].strip():
        cells = cells[:-1]
    return [undecorated(cell) for cell in cells]


def header_row(rows: Sequence[Sequence[str]], named: Collection[str] = ()) -> int:
    """Which of the first rows of a file holds the column names.

    It is the first, unless a later and fuller one has at least two names that jscale knows and
    more than the first has.

    Args:
        rows: without blank ones.
        named: headers that the caller gave a meaning.
    """
    known = [_known(row, named) for row in rows[:LINES_OF_TITLES]]
    filled = [sum(bool(cell.strip()) for cell in row) for row in rows[:LINES_OF_TITLES]]
    for at in range(1, len(known)):
        fuller = filled[at] > filled[0] or _is_comment(rows[0])
        if known[at] >= _LEAST_KNOWN and known[at] > known[0] and fuller:
            return at
    return 0


def known_names(row: Sequence[str]) -> int:
    """How many known numbers the cells of a header name."""
    return _known(row, ())


def _known(row: Sequence[str], named: Collection[str]) -> int:
    row = row[:_MOST_CELLS]
    found = {meaning(cell) for cell in row if cell.strip()}
    numbers = [n for n in found if n and KNOWN[n].kind not in (Kind.LABEL, Kind.FLAG)]
    folded = {fold(cell) for cell in row}
    return len(numbers) + sum(fold(name) in folded for name in named)


def _is_comment(row: Sequence[str]) -> bool:
    return bool(row) and row[0].lstrip().startswith(COMMENT)


def is_comment_row(row: Sequence[str], headers: Sequence[str]) -> bool:
    """Whether a row of a file is a comment: ``# 70M model``, or a run that was commented out.

    A full row whose first cell is a label such as ``#12`` is a run.
    """
    if not _is_comment(row):
        return False
    known = meaning(headers[0])
    is_number = known is not None and KNOWN[known].kind not in (Kind.LABEL, Kind.FLAG)
    return is_number or len(row) != len(headers) or not any(cell.strip() for cell in row[1:])


def is_footer(row: Sequence[object], numbers: Sequence[object]) -> bool:
    """Whether a last row is a total, a mean or a remark and not a run.

    Args:
        row: all its cells.
        numbers: those of the columns that should hold numbers.
    """
    texts = [cell.strip().casefold().rstrip(":") for cell in row if isinstance(cell, str)]
    first = next((text for text in texts if text), "")
    has_word = (
        any(text in _FOOTERS for text in texts) or first.split(" ")[0].rstrip(":") in _FOOTERS
    )
    incomplete = [
        cell
        for cell in numbers
        if is_empty(cell) or (isinstance(cell, str) and cell.strip()[:1].isalpha())
    ]
    return has_word and bool(incomplete)
