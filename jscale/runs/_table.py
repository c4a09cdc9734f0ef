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
from jscale._core.text import few, human, plural, quote

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class Runs:
    """A validated table of training runs, as :func:`jscale.runs.read` returns it.

    Units are fixed: ``N`` parameters, ``D`` tokens, ``C`` FLOP, ``loss`` and ``loss_se`` nats per
    token, ``P_w P_a P_kv P_post`` bits (16: not quantised).

    Attributes:
        columns: canonical name → read-only array of shape (rows,): float64 for numbers, bool for
            ``exclude``, numpy text for labels. Columns that jscale does not know keep the name that
            they came with.
        extras: names of the columns that jscale does not know.
        notes: what the reader should know of the table.
        name: of the table, short.
        source: where it came from.
        headers: canonical name → the name under which the column was read, where that was another;
            a column is found by either.
    """

    columns: Mapping[str, np.ndarray]
    extras: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    name: str = "table"
    source: str = "memory"
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        frozen = {}
        for name, values in self.columns.items():
            # An array of its own that is read-only already cannot change behind the table's back.
            if not (
                isinstance(values, np.ndarray)
                and values.base is None
                and not values.flags.writeable
            ):
                values = np.array(values)
                values.setflags(write=False)
            frozen[name] = values
        shapes = {values.shape for values in frozen.values()}
        if len(shapes) != 1 or len(next(iter(shapes))) != 1:
            raise JscaleError(
                f"{self.name}: the columns of a table need one common length, got shapes {sorted(shapes)}"
            )
        object.__setattr__(self, "columns", MappingProxyType(frozen))
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
        found = self.find(column)
        if found is None:
            raise JscaleError(f"{self.name} has no column {quote(column)} (it has: {self.listing})")
        return self.columns[found]

    def find(self, column: Any) -> str | None:
        """The canonical name of a column, from that or from the name under which it was read; None
        for no column.
        """
        if column in self.columns:
            return column
        return next(
            (
                name
                for name, header in self.headers.items()
                if header == column and name in self.columns
            ),
            None,
        )

    @property
    def listing(self) -> str:
        """The columns for messages, with the names under which they were read where those were
        others.
        """
        return few(
            [
                quote(n) + (f" (read from {quote(self.headers[n])})" if n in self.headers else "")
                for n in self.columns
            ]
        )

    @property
    def kept(self) -> np.ndarray:
        """Rows that are not excluded: booleans, shape (rows,)."""
        if "exclude" not in self.columns:
            return np.ones(len(self), dtype=bool)
        return ~self.columns["exclude"]

    def where(self, mask: np.ndarray) -> "Runs":
        """The rows where ``mask`` (booleans, shape (rows,)) is true, in order.

        Notes that point at rows stay behind, since the rows are numbered anew.

        Raises:
            JscaleError: the mask is no boolean array of one entry a row, or is false everywhere.
        """
        mask = np.asarray(mask)
        if mask.dtype != bool or mask.shape != (len(self),):
            raise JscaleError(
                f"where: expected a mask of {len(self)} booleans, got {mask.dtype} of shape {mask.shape}"
            )
        if not mask.any():
            raise JscaleError(f"where: the mask leaves no row of {self.name}")
        return replace(
            self,
            columns={name: values[mask] for name, values in self.columns.items()},
            notes=tuple(note for note in self.notes if "rows" not in note.evidence),
        )

    def to_pandas(self) -> "pd.DataFrame":
        """The table as a pandas data frame, one column each, in order."""
        import pandas as pd

        return pd.DataFrame(
            {
                name: v.astype(object) if v.dtype.kind == "U" else v.copy()
                for name, v in self.columns.items()
            }
        )

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of the content (not of name, source, notes or the order of columns), as 64
        hexadecimal digits.
        """
        content = hashlib.sha256()
        for name in sorted(self.columns):
            values = self.columns[name]
            content.update(
                f"{len(name)}:{name}:{values.dtype.kind}:{len(values)}:".encode(
                    "utf-8", "surrogatepass"
                )
            )
            if values.dtype.kind == "U":
                # Not the padded array: its width would follow the longest label of rows that are
                # cut away.
                for text in values.tolist():
                    content.update(f"{len(text)}:{text}".encode("utf-8", "surrogatepass"))
            else:
                content.update(values.astype(values.dtype.newbyteorder("<")).tobytes())
        return content.hexdigest()

    def __repr__(self) -> str:
        kept = int(self.kept.sum())
        rows = plural(len(self), "run") + (f", {kept:,} kept" if kept < len(self) else "")
        ranges = []
        for name in ("N", "D", "C", "loss", "P_w", "P_a", "P_kv", "P_post"):
            if name in self.columns:
                low, high = (
                    human(float(x)) for x in (self.columns[name].min(), self.columns[name].max())
                )
                ranges.append(f"{name} {low}" if low == high else f"{name} {low}..{high}")
        more = f"; {plural(len(self.extras), 'extra column')}" if self.extras else ""
        notes = f"; {plural(len(self.notes), 'note')}" if self.notes else ""
        return f"<Runs {quote(self.name)}: {rows}; {', '.join(ranges)}{more}{notes}>"
