"""``Grid``: a table of text that is narrowed, wrapped between words or stacked to fit a screen."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

_WIDE, _NARROW = 3, 2
"""Spaces between columns."""
_EDGES = 2
"""Spaces on the left and the right of a table."""


@dataclass(frozen=True)
class Grid:
    """A table of plain text, drawn for the width that there is.

    Too wide a table loses a space between columns, then its texts wrap between words; what is
    still too wide is drawn in parts below one another, each with the first column. Numbers, which
    are right-aligned, and words are never broken, unless one alone is wider than the screen.

    Attributes:
        headers: of the columns.
        rows: cells as text, without markup.
        title: above the table, or None.
        right: one letter a column, "r" for right-aligned; may be shorter than the table.
        unbroken: headers of other columns whose cells are never wrapped.
        narrow: two spaces between columns instead of three.
    """

    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str | None = None
    right: str = ""
    unbroken: Sequence[str] = ()
    narrow: bool = False

    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        """The lines for rich to print."""
        from rich.text import Text

        if self.title:
            yield Text(self.title, style="bold")
        for columns, space in self._parts(options.max_width):
            widths = self._widths(columns, space, options.max_width)
            yield Text("")
            for line in self._lines(self.headers, columns, widths, space):
                yield Text(line, style="bold", no_wrap=True, overflow="ignore")
            yield Text(" " + "─" * (sum(widths) + space * (len(widths) - 1)), no_wrap=True)
            for row in self.rows:
                for line in self._lines(row, columns, widths, space):
                    yield Text(line, no_wrap=True, overflow="ignore")
        yield Text("")

    def _is_right(self, column: int) -> bool:
        return self.right[column : column + 1] == "r"

    def _cells(self, column: int) -> list[str]:
        return [row[column] for row in self.rows if column < len(row)]

    def _longest(self, column: int) -> int:
        """Characters of the longest cell or header."""
        return max(map(_length, [self.headers[column], *self._cells(column)]))

    def _least(self, column: int) -> int:
        """Characters that a column needs: its longest cell, or its longest word where it wraps."""
        cells = self._cells(column)
        if not (self._is_right(column) or self.headers[column] in self.unbroken):
            cells = [word for cell in cells for word in cell.split()]
        return max(map(_length, [*cells, *self.headers[column].split(), ""]))

    def _parts(self, width: int) -> list[tuple[list[int], int]]:
        """The columns of each part, the first column in all of them, and the spaces between."""
        every = list(range(len(self.headers)))
        for space in (_NARROW,) if self.narrow else (_WIDE, _NARROW):
            if self._total(every, space) <= width:
                return [(every, space)]
        parts = [every[:1]]
        for column in every[1:]:
            if len(parts[-1]) > 1 and self._total([*parts[-1], column], _NARROW) > width:
                parts.append(every[:1])
            parts[-1].append(column)
        return [(part, _NARROW) for part in parts]

    def _total(self, columns: Sequence[int], space: int) -> int:
        return _EDGES + sum(map(self._least, columns)) + space * (len(columns) - 1)

    def _widths(self, columns: Sequence[int], space: int, width: int) -> list[int]:
        """The width of each column: what its texts need, less where the table is too wide."""
        least = [self._least(column) for column in columns]
        widths = [self._longest(column) for column in columns]
        room = max(width - _EDGES - space * (len(columns) - 1), sum(least))
        while sum(widths) > room:
            spare = [max(w - low, 0) for w, low in zip(widths, least, strict=True)]
            widest = max(range(len(widths)), key=lambda i: (spare[i] > 0, widths[i]))
            widths[widest] -= min(spare[widest], sum(widths) - room, max(1, spare[widest] // 4))
        return widths

    def _lines(
        self, row: Sequence[str], columns: Sequence[int], widths: Sequence[int], space: int
    ) -> list[str]:
        """The lines of one row."""
        cells = [
            _wrapped(row[column] if column < len(row) else "", width)
            for column, width in zip(columns, widths, strict=True)
        ]
        lines = []
        for i in range(max(map(len, cells))):
            texts = []
            for column, cell, width in zip(columns, cells, widths, strict=True):
                text = cell[i] if i < len(cell) else ""
                padding = " " * (width - _length(text))
                texts.append(padding + text if self._is_right(column) else text + padding)
            lines.append((" " + (" " * space).join(texts)).rstrip())
        return lines


def _wrapped(text: str, width: int) -> list[str]:
    """A cell in lines, broken between words."""
    if _length(text) <= width:
        return [text]
    return textwrap.wrap(text, max(width, 1), break_on_hyphens=False) or [""]


def _length(text: str) -> int:
    """Columns of the screen that a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)
