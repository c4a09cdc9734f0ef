"""A forecast as text: a sentence, weights, one line a row, and notes."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jscale._core.text import enumerated
from jscale.cli.forecasting import ensembles
from jscale.cli.forecasting.forecasts import quantile_key
from jscale.cli.support import output

_WIDTH = 80


class Words(NamedTuple):
    """What the text of a forecast depends on besides the forecast.

    Attributes:
        unit: behind a number.
        corrected: whether bands may be corrected.
    """

    unit: str
    corrected: bool


def show(payload: dict[str, Any], origin: str | None, level: float, words: Words) -> None:
    """Print a forecast: a sentence, an ensemble's weights, one line a row, and notes."""
    rows = payload["rows"]
    low, high = (quantile_key(p) for p in ((1 - level) / 2, (1 + level) / 2))
    shown = [_ShownRow(row, low, high) for row in rows]
    with_bands = origin is not None
    law = (
        enumerated(payload["ensemble"]["laws"], last=" and ")
        if "ensemble" in payload
        else payload["law"]
    )
    of = f"{law} on {origin}" if with_bands else f"{law}, given parameters"
    output.show(_wrapped(f"{of}: {_headline(shown, level, with_bands, words.unit)}"))
    if "ensemble" in payload:
        ensembles.show(payload["ensemble"], payload["notes"], words.corrected)
    elif with_bands and (correction := _correction(payload, words)):
        output.show(_wrapped(correction))

    varying, sources = _varying(rows), _sources(rows)
    headers = ["median", f"{level:.0%} run", f"{level:.0%} law", "decades", "from %"]
    headers = headers if with_bands else ["value"]
    cells = [row.forecast(sources) for row in shown]
    if len(rows) > 1:
        inputs_of = [[str(i + 1), *row.inputs(varying)] for i, row in enumerate(shown)]
        names = ["#", *varying]
        both = [[*left, *right] for left, right in zip(inputs_of, cells, strict=True)]
        if _width_of([[*names, *headers], *both]) > _WIDTH:
            output.show(output.table(names, inputs_of, right="r" * len(names), narrow=True))
            names, both = names[:1], [[row[0], *row[len(names) :]] for row in both]
        headers, cells = [*names, *headers], both
    # What is left of the bands is numbers.
    right = "r" * (len(headers) - 4 * with_bands)
    output.show(output.table(headers, cells, right=right, narrow=True))
    if with_bands:
        output.show(_wrapped(_legend(sources)))
    output.show_notes(payload["notes"], least="info" if not with_bands else "warning")


def _correction(payload: Mapping[str, Any], words: Words) -> str:
    """By how much the bands of one law are corrected."""
    return ensembles.correction_text(payload["notes"], words.corrected)


def _headline(rows: "Sequence[_ShownRow]", level: float, with_bands: bool, unit: str) -> str:
    """What to expect, in a sentence."""
    lowest = min(range(len(rows)), key=lambda i: rows[i].median)
    row = rows[lowest]
    start = f"a new run at {row.point}"
    if len(rows) > 1:
        start = f"of {len(rows):,} rows, row {lowest + 1} ({row.point}) is the lowest: it"
    if not with_bands:
        return f"{start} has {row.value}{unit} by the law; without runs there is no band."
    band = f"{level:.0%} between {row.band[0]} and {row.band[1]}"
    return f"{start} is forecast at {row.value}{unit}, {band}; {row.distance}."


def _sources(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What bands come from: parameters and noise, and all else that has a share in some row."""
    always = ("parameters", "noise")
    names = rows[0]["shares"] or ()
    return [n for n in names if n in always or any(row["shares"][n] >= 0.005 for row in rows)]


def _legend(sources: Sequence[str]) -> str:
    """What the columns of the table say."""
    sources = ["form of the law" if name == "law" else name for name in sources]
    return (
        "run: a new run, with its noise; law: the law's value alone; decades: beyond the runs "
        f"(− below them); from %: shares of the band from {' / '.join(sources)}"
    )


def _varying(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The inputs that differ between rows."""
    names = dict.fromkeys(name for row in rows for name in row["at"])
    return [name for name in names if len({row["at"].get(name) for row in rows}) > 1]


def _width_of(rows: Sequence[Sequence[str]]) -> int:
    """Characters of a narrow table."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return sum(widths) + 2 * len(widths)


def _wrapped(text: str) -> str:
    return textwrap.fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False)


class _ShownRow:
    """A row as text, with as many decimal places as its band has."""

    def __init__(self, row: Mapping[str, Any], low: str, high: str) -> None:
        from jscale.report.notation import decimals

        self._row = row
        self.median: float = row["q50"]
        ends = (row[low], row[high]) if row.get(low) is not None else (row["q50"], row["q50"])
        law_ends = [row["parameter"].get(name, row["q50"]) for name in (low, high)]
        self._places = decimals((ends[1] - ends[0]) / 2, least=2) if ends[0] < ends[1] else 4
        self.band = [self._fixed(end) for end in ends]
        self.law_band = [self._fixed(end) for end in law_ends]

    @property
    def value(self) -> str:
        """The median."""
        return self._fixed(self.median)

    @property
    def point(self) -> str:
        """The inputs: ``N = 70B, D = 1.4T``."""
        from jscale.report.notation import human

        texts = {
            name: value if isinstance(value, str) else human(value)
            for name, value in self._row["at"].items()
        }
        return ", ".join(f"{name} = {text}" for name, text in texts.items())

    def inputs(self, names: Sequence[str]) -> list[str]:
        """Cells of inputs."""
        from jscale.report.notation import human

        values = [self._row["at"].get(name, "") for name in names]
        return [value if isinstance(value, str) else human(value) for value in values]

    def forecast(self, sources: Sequence[str]) -> list[str]:
        """Cells of the forecast; the value alone where nothing is known of a band."""
        if not sources:
            return [self.value]
        shares = "/".join(f"{100 * self._row['shares'][name]:.0f}" for name in sources)
        return [self.value, "–".join(self.band), "–".join(self.law_band), self._decades(), shares]

    @property
    def distance(self) -> str:
        """The farthest quantity, in words."""
        beyond = self._beyond()
        if beyond is None:
            return "its distance from the runs is not known"
        if not beyond:
            return "that is inside the runs"
        name = max(beyond, key=lambda name: abs(beyond[name]))
        side = "above" if beyond[name] > 0 else "below"
        return f"that is {abs(beyond[name]):.1f} decades {side} the runs in {name}"

    def _decades(self) -> str:
        """``N 1.4 C 1.6``, ``inside``, or ``unknown`` where the runs are not known."""
        beyond = self._beyond()
        if beyond is None:
            return "unknown"
        texts = [f"{name} {self._signed(value)}" for name, value in beyond.items()]
        return " ".join(texts) or "inside"

    def _beyond(self) -> dict[str, float] | None:
        """The quantities in which the row lies beyond the runs; None where none is known."""
        decades = self._row["decades"]
        known = {name: float(value) for name, value in decades.items() if not math.isnan(value)}
        return {name: value for name, value in known.items() if value} if known else None

    @staticmethod
    def _signed(value: float) -> str:
        return f"{value:.1f}".replace("-", "−").replace("inf", "∞")

    def _fixed(self, value: float) -> str:
        from jscale.report.notation import fixed

        return fixed(value, self._places)
