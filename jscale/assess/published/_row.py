"""One published number beside ours, and the papers that have them."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypedDict, Unpack

import jax

from jscale.runs import Runs


class Words(TypedDict, total=False):
    """What is said of a row: ``why`` where the numbers differ, ``remark`` elsewhere; whether it is
    identified.
    """

    why: str
    remark: str
    identified: bool


Unit = Literal["relative", "published errors", "our errors", "absolute"]


@dataclass(frozen=True)
class Row:
    """One published number beside what the same data give here.

    Attributes:
        dataset: name of the data set.
        fit: what was fitted, to what and how.
        quantity: what the number is.
        published: as published.
        ours: the same by this library.
        published_error: its published standard error; None where none was printed.
        published_interval: its published 95% interval; None where none was printed.
        our_interval: ours; None where there is none.
        difference: ours minus published, in ``unit``; with intervals, of the number or end that is
            furthest off.
        unit: "relative" to the published value, in "published errors" (standard errors) or "our
            errors", where none were published, or "absolute".
        within: the difference up to which the two agree.
        why: one sentence; where they differ, what makes them differ.
        identified: whether these runs determine the number; what they leave open cannot agree.
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
        """Whether the published number comes out."""
        return self.identified and abs(self.difference) <= self.within

    @property
    def verdict(self) -> str:
        """In a word: agrees, differs, or not identified."""
        return "not identified" if not self.identified else "agrees" if self.agrees else "differs"


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
        fit: what was fitted, to what and how.
    """

    dataset: str
    fit: str

    def relative(
        self, quantity: str, published: float, ours: float, *, within: float, **words: Unpack[Words]
    ) -> Row:
        """A row whose difference is relative to the published value."""
        difference = (ours - published) / abs(published)
        return self._row(
            quantity, published, ours, difference, unit="relative", within=within, **words
        )

    def absolute(
        self, quantity: str, published: float, ours: float, *, within: float, **words: Unpack[Words]
    ) -> Row:
        """A row whose difference is in the quantity's own unit."""
        return self._row(
            quantity, published, ours, ours - published, unit="absolute", within=within, **words
        )

    def in_errors(
        self,
        quantity: str,
        published: float,
        ours: float,
        *,
        error: float,
        within: float,
        **words: Unpack[Words],
    ) -> Row:
        """A row whose difference is in published standard errors."""
        difference = (ours - published) / error
        return self._row(
            quantity,
            published,
            ours,
            difference,
            unit="published errors",
            within=within,
            error=error,
            **words,
        )

    def in_our_errors(
        self,
        quantity: str,
        published: float,
        ours: float,
        *,
        error: float,
        within: float,
        **words: Unpack[Words],
    ) -> Row:
        """A row whose difference is in our standard errors, for numbers that were printed without
        any.
        """
        return self._row(
            quantity,
            published,
            ours,
            (ours - published) / error,
            unit="our errors",
            within=within,
            **words,
        )

    def interval(
        self,
        quantity: str,
        published: tuple[float, float, float],
        ours: tuple[float, float, float],
        *,
        within: float,
        error: float | None = None,
        **words: Unpack[Words],
    ) -> Row:
        """A row of (low, value, high) against (low, value, high): the one that is furthest off
            decides.

        In published standard errors with ``error``, else in the quantity's own unit.
        """
        scale = 1.0 if error is None else error
        differences = [
            (mine - theirs) / scale for mine, theirs in zip(ours, published, strict=True)
        ]
        furthest = max(differences, key=abs) if all(map(math.isfinite, differences)) else math.nan
        ends = (published[0], published[2]), (ours[0], ours[2])
        unit: Unit = "absolute" if error is None else "published errors"
        return self._row(
            quantity,
            published[1],
            ours[1],
            furthest,
            unit=unit,
            within=within,
            error=error,
            intervals=ends,
            **words,
        )

    def constants(
        self,
        published: Mapping[str, float],
        ours: Mapping[str, float],
        *,
        within: float,
        **words: Any,
    ) -> tuple[Row, ...]:
        """A relative row for every published constant; a word may be a function of its name."""
        return tuple(
            self.relative(
                name,
                value,
                ours[name],
                within=within,
                **{
                    kind: text(name) if isinstance(text, Callable) else text
                    for kind, text in words.items()
                },
            )
            for name, value in published.items()
        )

    def _row(
        self,
        quantity: str,
        published: float,
        ours: float,
        difference: float,
        *,
        unit: Unit,
        within: float,
        error: float | None = None,
        intervals: tuple[tuple[float, float] | None, tuple[float, float] | None] = (None, None),
        why: str = "",
        remark: str = "",
        identified: bool = True,
    ) -> Row:
        said = remark if not identified or abs(difference) <= within else why
        return Row(
            self.dataset,
            self.fit,
            quantity,
            float(published),
            float(ours),
            error,
            *intervals,
            difference=float(difference),
            unit=unit,
            within=within,
            why=said,
            identified=identified,
        )
