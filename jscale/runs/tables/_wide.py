"""Wide tables, with several runs in a row: charts of a tracker, matrices of sizes by budgets."""

import re
from typing import NamedTuple

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.text import plural, quote
from jscale.runs.tables._cells import BadCell, is_empty, number
from jscale.runs.tables._columns import Kind, fold
from jscale.runs.tables._headers import meaning
from jscale.runs.tables._measures import like_losses
from jscale.runs.tables._raw import Cells, RawTable

_SERIES = re.compile(r"(.+) - ([^-]*\S)")
_BANDS = ("__MIN", "__MAX")
METRIC_NAMES = ("key", "metric", "metricname", "tag")
"""Folded names of the column that says what a value is."""
_LEAST_COLUMNS = 2
_LEAST_BUDGET = 1e15
"""FLOP; smaller numbers may be tokens or parameters."""
_LEAST_COUNT = 1e5
"""Tokens or parameters; smaller numbers may be steps, widths or seeds."""
_NOUNS = {"N": "size", "D": "number of tokens", "C": "budget"}


class _Wide(NamedTuple):
    """A wide table.

    Attributes:
        kind: what it is, for messages.
        cells: header → run, budget or other number whose losses it holds.
        kept: headers of the columns that describe the row.
        column: name of the new column of ``cells``' values.
    """

    kind: str
    cells: dict[str, str]
    kept: list[str]
    column: str


def wide_hint(raw: RawTable) -> str:
    """The end of a message about a missing loss, where a tracker wrote the table; else empty."""
    wide = _recognised(raw)
    if wide is None:
        return _metrics_hint(list(raw.columns))
    return f"; this is {wide.kind}: turn it into rows with long=True in Python or --long"


def _metrics_hint(headers: list[str]) -> str:
    """What to do with the scalars that TensorBoard or MLflow exports, one value a row."""
    own = {fold(header): header for header in headers}
    value, step = own.get("value"), own.get("step")
    metric = next((own[name] for name in METRIC_NAMES if name in own), None)
    if value is None or step is None:
        return ""
    if metric is not None:
        return (
            f"; this is a list of metrics, one value a row: keep those of the loss, as --where "
            f"\"{metric} == 'loss'\" --column loss={value}, and name N and D likewise"
        )
    return (
        f"; this is the chart of one metric, as TensorBoard exports it: say what {value} is, and N "
        f"and D, as columns={{'loss': {value!r}, 'N': '70M', 'D': '{step} * 512K'}} or --column "
        f"loss={value} --column N=70M --column 'D={step}*512K'"
    )


def to_long(raw: RawTable) -> RawTable:
    """A wide table with one row a run and step, or a size and budget; empty cells are left out.

    Raises:
        JscaleError: the table is no wide one that jscale knows.
    """
    wide = _recognised(raw)
    if wide is None:
        raise JscaleError(
            ": expected a chart with columns 'RUN - METRIC', or a matrix of losses whose column "
            "names are budgets in FLOP, or tokens beside a column of sizes; the table is neither",
            argument="long",
        )
    places = [
        (row, header)
        for row in range(raw.rows)
        for header in wide.cells
        if not is_empty(raw.columns[header][row])
    ]
    if not places:
        raise JscaleError(f"{wide.kind} without a value")
    columns: dict[str, Cells] = {
        header: [raw.columns[header][row] for row, _ in places] for header in wide.kept
    }
    columns[wide.column] = [wide.cells[header] for _, header in places]
    columns["loss"] = [raw.columns[header][row] for row, header in places]
    message = f"{wide.kind} was turned into {plural(len(places), 'row')}"
    note = Note("turned-long", "info", message, {"rows": len(places)})
    lines = None if raw.lines is None else [raw.lines[row] for row, _ in places]
    return RawTable(columns, len(places), lines, notes=[*raw.notes, note])


def _recognised(raw: RawTable) -> _Wide | None:
    """What kind of wide table it is; None for any other."""
    return _chart(list(raw.columns)) or _matrix(list(raw.columns))


def _chart(headers: list[str]) -> _Wide | None:
    """A chart of a tracker: a column of steps, and one a run, called ``RUN - METRIC``."""
    series = {header: found for header in headers if (found := _SERIES.fullmatch(header))}
    lines = {header: found[1] for header, found in series.items() if not header.endswith(_BANDS)}
    metrics = {series[header][2] for header in lines}
    if not lines or len(metrics) != 1 or not like_losses(list(metrics)):
        return None
    kept = [header for header in headers if header not in series]
    kind = f"a wide chart with one column a run ({quote(next(iter(lines)))} …)"
    return _Wide(kind, lines, kept, "run_id")


def _matrix(headers: list[str]) -> _Wide | None:
    """A matrix of losses: one of sizes, tokens and budgets down, another one across."""
    numbers = {}
    for header in headers:
        try:
            numbers[header] = number(header, Kind.COMPUTE)
        except BadCell:
            continue
    kept = [header for header in headers if header not in numbers]
    values = np.array(list(numbers.values()))
    if len(numbers) < _LEAST_COLUMNS or not kept or not np.isfinite(values).all():
        return None
    across = _across(meaning(kept[0]), values)
    if across is None:
        return None
    kind = f"a matrix with one column a {_NOUNS[across]} ({quote(next(iter(numbers)))} …)"
    return _Wide(kind, {header: header for header in numbers}, kept, across)


def _across(down: str | None, values: np.ndarray) -> str | None:
    """Which of N, D and C the columns of a matrix are, by what its rows are."""
    if down != "loss" and (values >= _LEAST_BUDGET).all():
        return "C"
    if (values >= _LEAST_COUNT).all():
        return {"N": "D", "D": "N"}.get(down or "")
    return None
