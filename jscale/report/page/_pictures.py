"""Pictures as data addresses: SVG text in the fewest bytes that draw the same."""

import re
from collections.abc import Iterator
from urllib.parse import quote

_HUNDREDTHS = 100
"""Coordinates are kept to a hundredth of a point."""
_TOKEN = re.compile(r"[MLQCz]|-?\d+(?:\.\d+)?(?:e-?\d+)?")
_POINTS = {"M": 1, "L": 1, "Q": 2, "C": 3}
"""Command of a path, as Matplotlib writes them, → points that it takes."""
_POSITION = re.compile(r' (x|y|width|height)="(-?\d+\.\d+)"')
_SHIFT = re.compile(r"translate\((-?[\d.]+) (-?[\d.]+)\)")
_UNSEEN = re.compile(r"<metadata>.*?</metadata>|<!--.*?-->", re.DOTALL)
_REFERENCE = re.compile(r'(href="#|url\(#)([A-Za-z][\w.-]*)')
_STYLE = re.compile(r'style\*?="[^"]*"')
_AROUND_ONE = re.compile(r"<g>(<[^/][^>]*/>)</g>")
_EMPTY = re.compile(r"<g></g>|<g/>")
_PLAIN = "!$'(*)+,-./:;=?@[]^_`{|}~"
"""Characters that stand for themselves in the address, besides letters and digits."""


def data_uri(picture: str) -> str:
    """SVG text as a data address, so that identifiers of two pictures cannot collide.

    Args:
        picture: as Matplotlib writes it.
    """
    text = compact(picture)
    # Quotes of the other kind need no escape in the page.
    text = text if "'" in text else text.replace('"', "'")
    return "data:image/svg+xml," + quote(text, safe=_PLAIN)


def compact(picture: str) -> str:
    """The same picture with shorter text.

    Paths have relative coordinates in hundredths of a point, identifiers are short, and what is not
    drawn is left out: metadata, comments, names of groups and space between elements.

    Args:
        picture: SVG text as Matplotlib writes it, its texts drawn as paths.
    """
    text = _UNSEEN.sub("", picture)
    names: dict[str, str] = {}
    for found in _REFERENCE.finditer(text):
        names.setdefault(found[2], f"i{len(names)}")
    text = _REFERENCE.sub(lambda found: found[1] + names[found[2]], text)
    text = re.sub(r'\sid="([^"]*)"', lambda found: _identifier(found[1], names), text)

    text = re.sub(r'\sd="([^"]*)"', lambda found: f' d="{_path(found[1])}"', text)
    text = _POSITION.sub(lambda found: f' {found[1]}="{_decimal(_rounded(found[2]))}"', text)
    text = _SHIFT.sub(
        lambda found: f"translate({','.join(_decimal(_rounded(part)) for part in found.groups())})",
        text,
    )
    text = _STYLE.sub(lambda found: found[0].replace("; ", ";").replace(": ", ":"), text)

    text = re.sub(r">\s+<", "><", text).strip()
    before = ""
    while before != text:
        before, text = text, _EMPTY.sub("", _AROUND_ONE.sub(r"\1", text))
    return text


def _identifier(name: str, names: dict[str, str]) -> str:
    return f' id="{names[name]}"' if name in names else ""


def _path(commands: str) -> str:
    """A path with relative coordinates; a command that repeats the last one is left out."""
    text, last = "", ""
    for command, values in _relative(_TOKEN.findall(commands)):
        # After "M" without a letter a line would follow.
        is_named = command != last or command == "M"
        text += command if is_named else ""
        for i, value in enumerate(values):
            word = _decimal(value)
            text += word if (is_named and i == 0) or word.startswith("-") else f",{word}"
        last = command
    return text


def _relative(tokens: list[str]) -> Iterator[tuple[str, list[int]]]:
    """The commands of a path, with coordinates in hundredths relative to where each begins."""
    x = y = first_x = first_y = 0
    command, at = "", 0
    while at < len(tokens):
        if tokens[at] in _POINTS or tokens[at] == "z":
            command = tokens[at]
            at += 1
        if command == "z":
            yield "z", []
            x, y = first_x, first_y
            continue
        values = [_rounded(token) for token in tokens[at : at + 2 * _POINTS[command]]]
        at += len(values)
        if command == "M":
            yield "M", values
            first_x, first_y = values
        else:
            steps = [value - (y if i % 2 else x) for i, value in enumerate(values)]
            if command == "L" and steps[1] == 0:
                yield "h", steps[:1]
            elif command == "L" and steps[0] == 0:
                yield "v", steps[1:]
            else:
                yield command.lower(), steps
        x, y = values[-2:]


def _rounded(text: str) -> int:
    return round(float(text) * _HUNDREDTHS)


def _decimal(hundredths: int) -> str:
    """``-1.5``, ``.25`` or ``3``: a number of hundredths in the fewest characters."""
    whole, rest = divmod(abs(hundredths), _HUNDREDTHS)
    decimals = f"{rest:02d}".rstrip("0")
    text = f"{whole or ''}.{decimals}" if decimals else str(whole)
    return f"-{text}" if hundredths < 0 else text
