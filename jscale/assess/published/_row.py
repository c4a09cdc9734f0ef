"""One published number beside the one computed here, and the papers that publish them."""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypedDict, Unpack

import jax

from jscale.runs import Runs


class RowOptions(TypedDict, total=False):
    """Texts of a row: ``reason`` is shown where the numbers differ, ``comment`` elsewhere.

    ``identified`` is whether the runs identify the number.
    """

    reason: str
    comment: str
    identified: bool


Unit = Literal["relative", "published errors", "our errors", "absolute"]


@dataclass(frozen=True)
class Row:
    """One published number beside the one computed from the same data.

    Attributes:
        dataset: name of the data set.
        fit: the law, the runs and the objective of the fit.
        quantity: the number.
        published: its published value.
        ours: its value computed by this library.
        published_error: its published standard error; None where none was printed.
        published_interval: its published 95% interval; None where none was printed.
        our_interval: the interval computed here; None where there is none.
        difference: ``ours - published``, in ``unit``; with intervals, that of the value or end with
            the largest difference.
        unit: "relative" to the published value, in "published errors" (standard errors) or "our
            errors", where none were published, or "absolute".
        within: largest difference at which the two agree.
        why: one sentence; where they differ, the reason.
        identified: whether these runs identify the number; one that is not identified cannot agree.
    """

    dataset: str
    fit: str
    quantity: str
    published: float
    ours: float
    published_error: float | None
    published_interval: tuple[float, float] | None
    our_interval: tuple[float, float] | None
    difference: float
    unit: Unit
    within: float
    why: str
    identified: bool = True

    @property
    def agrees(self) -> bool:
        """Whether the published number is reproduced."""
        return self.identified and abs(self.difference) <= self.within

    @property
    def verdict(self) -> str:
        """Agrees, differs, or not identified."""
        if not self.identified:
            return "not identified"
        return "agrees" if self.agrees else "differs"


def rows_to_json(rows: Iterable[Row]) -> str:
    """Rows as JSON with every digit, which :func:`rows_from_json` reads."""
    return json.dumps([asdict(row) for row in rows], default=lambda scalar: scalar.item())


def rows_from_json(text: str) -> list[Row]:
    """The rows that :func:`rows_to_json` has written."""
    rows = []
    for fields in json.loads(text):
        for name in ("published_interval", "our_interval"):
            fields[name] = None if fields[name] is None else tuple(fields[name])
        rows.append(Row(**fields))
    return rows


@dataclass(frozen=True)
class Paper:
    """The published results of one data set.

    Attributes:
        name: of the data set.
        source: citation.
        rows: tables by name and a random key → the rows.
        needs: names of the data sets that ``rows`` takes.
    """

    name: str
    source: str
    rows: Callable[[Mapping[str, Runs], jax.Array], tuple[Row, ...]]
    needs: tuple[str, ...]


@dataclass(frozen=True)
class Protocol:
    """Makes the rows of one fit.

    Attributes:
        dataset: name of the data set.
        fit: the law, the runs and the objective of the fit.
    """

    dataset: str
    fit: str

    def relative(
        self,
        quantity: str,
        published: float,
        computed: float,
        *,
        within: float,
        **options: Unpack[RowOptions],
    ) -> Row:
        """A row whose difference is relative to the published value."""
        difference = (computed - published) / abs(published)
        numbers = _Numbers(published, computed, difference, "relative", within)
        return self._row(quantity, numbers, **options)

    def absolute(
        self,
        quantity: str,
        published: float,
        computed: float,
        *,
        within: float,
        **options: Unpack[RowOptions],
    ) -> Row:
        """A row whose difference is in the quantity's own unit."""
        numbers = _Numbers(published, computed, computed - published, "absolute", within)
        return self._row(quantity, numbers, **options)

    def in_errors(
        self,
        quantity: str,
        published: float,
        computed: float,
        *,
        error: float,
        within: float,
        **options: Unpack[RowOptions],
    ) -> Row:
        """A row whose difference is in published standard errors."""
        difference = (computed - published) / error
        numbers = _Numbers(
            published, computed, difference, "published errors", within, published_error=error
        )
        return self._row(quantity, numbers, **options)

    def in_our_errors(
        self,
        quantity: str,
        published: float,
        computed: float,
        *,
        error: float,
        within: float,
        **options: Unpack[RowOptions],
    ) -> Row:
        """A row whose difference is in our standard errors, where none were published."""
        difference = (computed - published) / error
        numbers = _Numbers(published, computed, difference, "our errors", within)
        return self._row(quantity, numbers, **options)

    def interval(
        self,
        quantity: str,
        published: tuple[float, float, float],
        computed: tuple[float, float, float],
        *,
        within: float,
        error: float | None = None,
        **options: Unpack[RowOptions],
    ) -> Row:
        """A row of (low, value, high) against (low, value, high).

        Its difference is the largest of the three, in published standard errors with ``error``,
        else in the quantity's own unit.
        """
        scale = 1.0 if error is None else error
        differences = [(c - p) / scale for c, p in zip(computed, published, strict=True)]
        finite = all(map(math.isfinite, differences))
        numbers = _Numbers(
            published[1],
            computed[1],
            max(differences, key=abs) if finite else math.nan,
            "absolute" if error is None else "published errors",
            within,
            published_error=error,
            published_interval=(published[0], published[2]),
            computed_interval=(computed[0], computed[2]),
        )
        return self._row(quantity, numbers, **options)

    def constants(
        self,
        published: Mapping[str, float],
        computed: Mapping[str, float],
        *,
        within: float,
        **options: Any,
    ) -> tuple[Row, ...]:
        """A relative row for every published constant.

        An option may be a function of the constant's name.
        """

        def options_of(name: str) -> dict[str, Any]:
            return {k: v(name) if isinstance(v, Callable) else v for k, v in options.items()}

        return tuple(
            self.relative(name, value, computed[name], within=within, **options_of(name))
            for name, value in published.items()
        )

    def _row(
        self,
        quantity: str,
        numbers: "_Numbers",
        *,
        reason: str = "",
        comment: str = "",
        identified: bool = True,
    ) -> Row:
        agrees = abs(numbers.difference) <= numbers.within
        return Row(
            dataset=self.dataset,
            fit=self.fit,
            quantity=quantity,
            published=float(numbers.published),
            ours=float(numbers.computed),
            published_error=numbers.published_error,
            published_interval=numbers.published_interval,
            our_interval=numbers.computed_interval,
            difference=float(numbers.difference),
            unit=numbers.unit,
            within=numbers.within,
            why=comment if agrees or not identified else reason,
            identified=identified,
        )


@dataclass(frozen=True)
class _Numbers:
    """The numbers of a row, see :class:`Row`."""

    published: float
    computed: float
    difference: float
    unit: Unit
    within: float
    published_error: float | None = None
    published_interval: tuple[float, float] | None = None
    computed_interval: tuple[float, float] | None = None
