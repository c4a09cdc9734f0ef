"""The axes of a grid, from the text of an option or from a file."""

from pathlib import Path
from typing import Any

from jscale._core.errors import JscaleError
from jscale._core.text import number_with_suffix, quote, shown
from jscale.cli.support import parsing


def axis(text: str) -> tuple[str, Any]:
    """The name and the values of an axis.

    Raises:
        JscaleError: not ``NAME=VALUES``, or not a range or a list of numbers.
    """
    name, equals, values = (part.strip() for part in text.partition("="))
    if not (name and equals and values):
        raise JscaleError(f"--axis: expected NAME=VALUES such as P=4,8,16, not {shown(text)}")
    where = f"--axis: {name}"
    if ":" not in values:
        numbers = parsing.values(
            [f"{i}={v}" for i, v in enumerate(parsing.many([values]))], where, "4"
        )
        return name, list(numbers.values())

    low, high, count, *kind = values.split(":")
    first, last = (parsing.number(end, where) for end in (low, high))
    size = parsing.number(count, where) if count else 0
    if size != int(size) or size < 1 or kind not in ([], ["linear"]):
        raise JscaleError(
            f"{where}: expected LOW:HIGH:COUNT or LOW:HIGH:COUNT:linear, not {shown(values)}"
        )
    if not kind and not (first > 0 and last > 0):
        raise JscaleError(f"{where}: equal ratios need ends above 0; add ':linear'")

    import numpy as np

    return name, (np.linspace if kind else np.geomspace)(first, last, int(size))


def models(file: str | None) -> dict[str, Any]:
    """The axis of ``--models``: column → values.

    Raises:
        JscaleError: the file cannot be read, has no rows, or rows of different lengths.
    """
    if file is None:
        return {}

    import csv

    where = f"--models {quote(file)}"
    try:
        with Path(file).open(encoding="utf-8", newline="") as lines:
            names, *rows = [row for row in csv.reader(lines) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or "not a CSV file"
        raise JscaleError(f"{where}: {reason}") from None
    except ValueError:
        raise JscaleError(f"{where}: the file is empty") from None
    for number, row in enumerate(rows, 1):
        if len(row) != len(names):
            raise JscaleError(f"{where}: row {number} has {len(row)} cells; expected {len(names)}")
    columns: dict[str, list[Any]] = {}
    for name, cells in zip(names, zip(*rows, strict=True), strict=False):
        numbers = [number_with_suffix(cell.strip()) for cell in cells]
        columns[name.strip()] = list(cells) if None in numbers else numbers
    return {"model": columns}
