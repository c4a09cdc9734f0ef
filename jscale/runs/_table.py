"""``Runs``: a validated table of training runs."""

import functools
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.text import did_you_mean, human, listing, plural, quote, text_of
from jscale.runs._conditions import rows_where
from jscale.runs.tables import NATS_PER_TOKEN

if TYPE_CHECKING:
    import pandas as pd

_SUMMARY_COLUMNS = ("N", "D", "C", "loss", "P_w", "P_a", "P_kv", "P_post")
"""Columns whose range a table's ``repr`` shows."""
_NEEDED = ("N", "D", "C", "loss", "loss_se")
"""Columns that a row must have to be used."""
_OF_THE_PARTS = ("text-splits", "mixed-metrics", "checkpoints")
"""Codes of notes that other rows may make void."""
_LISTED_COLUMNS = 12


@dataclass(frozen=True, eq=False, repr=False)
class Runs:
    """A validated table of training runs, as :func:`jscale.runs.read` returns it.

    Units are fixed: ``N`` parameters, ``D`` tokens, ``C`` FLOP, ``loss`` and ``loss_se`` nats per
    token unless ``loss_unit`` says otherwise, ``P_w P_a P_kv P_post`` bits (16: not quantised).

    Attributes:
        columns: canonical name → read-only array of shape (rows,): float64 for numbers, bool for
            ``exclude``, numpy text for labels. Columns that jscale does not know keep the name that
            they came with.
        extras: names of the columns that jscale does not know.
        notes: findings about the table, such as duplicate rows or values that were filled in.
        name: of the table, short.
        source: where it came from.
        headers: canonical name → the name under which the column was read, where that was another;
            a column is found by either.
        loss_unit: unit of ``loss`` and ``loss_se``, such as "nats per token" or "bits per byte".

    Example:
        >>> from jscale import runs
        >>> table = runs.read({"params": [7e7, 1e9], "tokens": [1.4e9, 2e10], "loss": [3.5, 2.75]})
        >>> len(table), list(table), "params" in table
        (2, ['N', 'D', 'C', 'loss'], True)
        >>> table["N"].tolist()
        [70000000.0, 1000000000.0]
    """

    columns: Mapping[str, np.ndarray]
    extras: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    name: str = "table"
    source: str = "memory"
    headers: Mapping[str, str] = field(default_factory=dict)
    loss_unit: str = NATS_PER_TOKEN

    def __post_init__(self) -> None:
        columns = {name: _read_only(values) for name, values in self.columns.items()}
        shapes = {values.shape for values in columns.values()}
        if len(shapes) != 1 or len(next(iter(shapes))) != 1:
            raise JscaleError(
                f"{self.name}: the columns of a table need one common length, "
                f"got shapes {sorted(shapes)}"
            )
        object.__setattr__(self, "columns", MappingProxyType(columns))
        object.__setattr__(self, "headers", MappingProxyType(dict(self.headers)))

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __contains__(self, column: object) -> bool:
        return self.find(column) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __getitem__(self, column: str) -> np.ndarray:
        """A column, shape (rows,).

        Raises:
            JscaleError: the table does not have it.
        """
        name = self.find(column)
        if name is None:
            raise JscaleError(self.no_column(column))
        return self.columns[name]

    def no_column(self, column: Any) -> str:
        """The message that the table does not have a column, with the nearest name that it has."""
        known = [*self.columns, *self.headers.values()]
        hint = did_you_mean(text_of(column), known)
        return f"{self.name} has no column {quote(column)} (it has: {self.listing}){hint}"

    def find(self, column: Any) -> str | None:
        """The canonical name of a column; None where the table does not have it.

        Args:
            column: its canonical name, or the name under which it was read.
        """
        if not isinstance(column, str):
            return None
        if column in self.columns:
            return column
        for name, header in self.headers.items():
            if header == column and name in self.columns:
                return name
        return None

    @property
    def listing(self) -> str:
        """The columns for messages, with the names under which they were read where they differ."""
        texts = []
        for name in self.columns:
            header = f" (read from {quote(self.headers[name])})" if name in self.headers else ""
            texts.append(quote(name) + header)
        return listing(texts, _LISTED_COLUMNS, last=", ")

    @property
    def kept(self) -> np.ndarray:
        """Rows that are not excluded: booleans, shape (rows,)."""
        if "exclude" not in self.columns:
            return np.ones(len(self), dtype=bool)
        return ~self.columns["exclude"]

    def where(self, mask: np.ndarray | str) -> "Runs":
        """Some of the rows, in order.

        Notes about row numbers and about the parts of the table are dropped.

        Args:
            mask: booleans, shape (rows,), or a condition such as ``"variant == '2x'"`` or
                ``"N >= 1e8 and D < 1T"``.

        Raises:
            JscaleError: the mask is not a boolean array with one entry a row, is false everywhere,
                or is no condition on the columns of the table.
        """
        mask = rows_where(self, mask) if isinstance(mask, str) else np.asarray(mask)
        if mask.dtype != bool or mask.shape != (len(self),):
            raise JscaleError(
                f"where: expected a mask of {len(self)} booleans, "
                f"got {mask.dtype} of shape {mask.shape}"
            )
        if not mask.any():
            raise JscaleError(f"where: the mask leaves no row of {self.name}")
        return replace(
            self,
            columns={name: values[mask] for name, values in self.columns.items()},
            notes=tuple(
                note
                for note in self.notes
                if "rows" not in note.evidence and note.code not in _OF_THE_PARTS
            ),
        )

    def including_excluded(self) -> "Runs":
        """The table with its excluded rows, but for those without a number that a fit needs."""
        if "exclude" not in self.columns:
            return self
        needed = [name for name in _NEEDED if name in self.columns]
        complete = np.all([np.isfinite(self.columns[name]) for name in needed], axis=0)
        columns = {name: values for name, values in self.columns.items() if name != "exclude"}
        if not complete.all():
            columns["exclude"] = ~complete
        notes = tuple(note for note in self.notes if note.code != "rows-excluded")
        return replace(self, columns=columns, notes=notes)

    def to_pandas(self) -> "pd.DataFrame":
        """The table as a pandas data frame, one column each, in order."""
        import pandas as pd

        columns = {
            name: values.astype(object) if values.dtype.kind == "U" else values.copy()
            for name, values in self.columns.items()
        }
        return pd.DataFrame(columns)

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of the content, as 64 hexadecimal digits.

        Name, source, notes and the order of the columns do not count.
        """
        content = hashlib.sha256()
        for name in sorted(self.columns):
            values = self.columns[name]
            content.update(_utf8(f"{len(name)}:{name}:{values.dtype.kind}:{len(values)}:"))
            if values.dtype.kind == "U":
                # Text by text: the width of the padded array depends on the longest label of rows
                # that ``where`` may have removed.
                for text in values.tolist():
                    content.update(_utf8(f"{len(text)}:{text}"))
            else:
                content.update(values.astype(values.dtype.newbyteorder("<")).tobytes())
        if self.loss_unit != NATS_PER_TOKEN:
            content.update(_utf8(self.loss_unit))
        return content.hexdigest()

    def __repr__(self) -> str:
        kept = int(self.kept.sum())
        rows = plural(len(self), "run")
        if kept < len(self):
            rows += f", {kept:,} kept"
        ranges = [
            _range_text(name, self.columns[name])
            for name in _SUMMARY_COLUMNS
            if name in self.columns
        ]
        if self.loss_unit != NATS_PER_TOKEN:
            ranges = [f"{r} {self.loss_unit}" if r.startswith("loss ") else r for r in ranges]
        extras = f"; {plural(len(self.extras), 'extra column')}" if self.extras else ""
        notes = f"; {plural(len(self.notes), 'note')}" if self.notes else ""
        return f"<Runs {quote(self.name)}: {rows}; {', '.join(ranges)}{extras}{notes}>"


def _read_only(values: Any) -> np.ndarray:
    """The values as a read-only array; an array that is read-only already is not copied."""
    if isinstance(values, np.ndarray) and values.base is None and not values.flags.writeable:
        return values
    values = np.array(values)
    values.setflags(write=False)
    return values


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _range_text(name: str, values: np.ndarray) -> str:
    """``N 70M..1B``."""
    known = values[np.isfinite(values)]
    if not len(known):
        return f"{name} unknown"
    low, high = human(float(known.min())), human(float(known.max()))
    return f"{name} {low}" if low == high else f"{name} {low}..{high}"
