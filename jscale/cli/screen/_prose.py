"""``Prose``: paragraphs filled to the width of the screen, and code continued as Python does."""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_CODE = "    "
_PROMPT, _CONTINUED = ">>> ", "...     "
_ITEMS = ("- ", "* ")


@dataclass(frozen=True)
class Prose:
    """Text with paragraphs, list items and indented code, drawn for the width that there is.

    Attributes:
        text: paragraphs parted by blank lines; lines of four spaces are code.
        hang: spaces before all lines of a paragraph but its first.
    """

    text: str
    hang: int = 0

    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        """The lines for rich to print."""
        from rich.text import Text

        # Into a pipe without a width nothing is broken.
        width = None if options.no_wrap else max(options.max_width, 2 * len(_CODE + _CONTINUED))
        for line in self.text.splitlines() if width is None else self._lines(width):
            yield Text(line, no_wrap=True, overflow="ignore")

    def _lines(self, width: int) -> Iterator[str]:
        paragraph: list[str] = []
        for line in self.text.splitlines():
            is_code = line.startswith(_CODE)
            if paragraph and (is_code or line.startswith(_ITEMS) or not line.strip()):
                yield from _filled(paragraph, width, self.hang)
                paragraph = []
            if is_code:
                yield from _code(line, width)
            elif line.strip():
                paragraph.append(line.strip() if paragraph else line.rstrip())
            else:
                yield ""
        yield from _filled(paragraph, width, self.hang)


def _filled(paragraph: list[str], width: int, hang: int) -> list[str]:
    """The lines of a paragraph, broken anew between words."""
    return _wrapped(" ".join(paragraph), width, " " * hang)


def _code(line: str, width: int) -> list[str]:
    """A line of an example; a long one goes on after a space, as Python reads it."""
    if len(line) <= width:
        return [line]
    continued = _CODE + (_CONTINUED if line.startswith(_CODE + _PROMPT) else "")
    return _wrapped(line, width, continued)


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    return textwrap.wrap(
        text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
