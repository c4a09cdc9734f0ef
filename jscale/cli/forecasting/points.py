"""The points of a forecast, from the options ``--at`` and ``--from``."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jscale._core.errors import JscaleError
from jscale._core.text import quote
from jscale.cli.support import flags, parsing

if TYPE_CHECKING:
    import numpy as np

    from jscale._core.notes import Note
    from jscale.fit import ErrorModel
    from jscale.laws import LawFunction


@dataclass(frozen=True)
class Points:
    """The points of a forecast.

    Attributes:
        columns: input → (points,).
        others: other column of the error model → (points,) numbers or labels.
        rows: what each point was given.
        notes: on the file that they were read from.
        option: argument that errors about the points name.
    """

    columns: "dict[str, np.ndarray]"
    others: "dict[str, np.ndarray]"
    rows: list[dict[str, Any]]
    notes: "tuple[Note, ...]" = ()
    option: str = "at"


def error_columns(errors: "ErrorModel | str | None") -> dict[str, bool]:
    """The columns that an error model has besides the law's inputs: whether each holds numbers.

    Raises:
        JscaleError: the text of an error model is wrong.
    """
    from jscale.fit import ErrorModel
    from jscale.fit.errors import columns_needed

    if errors is None:
        return {}
    return columns_needed(ErrorModel.parse(errors) if isinstance(errors, str) else errors)


def at_example(law: "LawFunction") -> str:
    """An ``--at`` of a law, for messages: ``--at N=7e10,D=1.4e12``."""
    from jscale.fit.predictions import example
    from jscale.laws import describe

    return f"--at {example(describe(law))}"


def points_of(
    law: "LawFunction",
    at: list[str] | None,
    file: str | None,
    others: Mapping[str, bool] | None = None,
) -> Points:
    """The points of ``--at``, one each, and those of the file of ``--from``.

    Args:
        law: whose inputs they have.
        at: texts of ``--at``.
        file: of ``--from``.
        others: other column that a point may have → whether it holds numbers, else labels.

    Raises:
        JscaleError: there is none, or an input is missing, unknown or outside the law's domain.
    """
    from jscale.fit.predictions import all_inputs
    from jscale.laws import describe

    names = describe(law).input_names
    allowed = {name: number for name, number in (others or {}).items() if name not in names}
    rows: list[dict[str, Any]] = [_from_text(law, text, allowed) for text in at or ()]
    notes = ()
    if file is not None:
        from_file, notes = _from_file(law, file, allowed)
        rows += from_file
    if not rows:
        raise JscaleError(f"nothing to predict: give {at_example(law)}, or --from FILE with inputs")

    defaults = {name: float(column[0]) for name, column in all_inputs(law, {}).items()}
    columns = {
        name: _column(rows, name, defaults[name])
        for name in names
        if any(name in row for row in rows)
    }
    _check_numbers(law, rows, [name for name, number in allowed.items() if number])
    extra = {
        name: _column(rows, name, math.nan if number else "")
        for name, number in allowed.items()
        if any(name in row for row in rows)
    }
    return Points(columns, extra, rows, notes, "at" if at else "from_file")


def _check_numbers(
    law: "LawFunction", rows: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> None:
    """Check that every point has the numbers that the scale of the errors depends on."""
    from jscale.laws import describe

    has_compute = {"N", "D"} <= set(describe(law).input_names)
    for name in names:
        if name == "C" and has_compute:
            continue  # 6 N D
        if any(name not in row for row in rows):
            raise JscaleError(
                f"the errors depend on {quote(name)}, which a point does not have; expected it in "
                f"every point, as in {at_example(law)},{name}=1"
            )


def _column(rows: Sequence[Mapping[str, Any]], name: str, default: Any) -> "np.ndarray":
    """The values of a column (points,), those that were left out at the default."""
    import numpy as np

    values = [row.get(name, default) for row in rows]
    return np.array(values, dtype=str if isinstance(default, str) else np.float64)


def _from_text(law: "LawFunction", text: str, others: Mapping[str, bool]) -> dict[str, Any]:
    """The point of one ``--at``."""
    from jscale.fit.predictions import checked_inputs

    example = at_example(law).removeprefix("--at ")
    pairs = parsing.pairs([text], "--at", example)
    labels = {name: label for name, label in pairs.items() if others.get(name) is False}
    numbers = [f"{name}={value}" for name, value in pairs.items() if name not in labels]
    values = parsing.values(numbers, "--at", example)
    with flags.renamed(inputs="at"):
        checked_inputs(law, {name: x for name, x in values.items() if name not in others})
    return {name: values.get(name, labels.get(name)) for name in pairs}


def _from_file(
    law: "LawFunction", file: str, others: Mapping[str, bool]
) -> "tuple[list[dict[str, Any]], tuple[Note, ...]]":
    """The points in a file, with the notes of its reader."""
    from jscale import runs

    try:
        table = runs.read(file, losses=False)
        columns = runs.inputs(table, law)
    except JscaleError as error:
        raise JscaleError(f"--from {error}") from None
    columns |= {name: table[name][table.kept] for name in others if name in table}
    values = [column.tolist() for column in columns.values()]
    points = [dict(zip(columns, point, strict=True)) for point in zip(*values, strict=True)]
    return points, table.notes
