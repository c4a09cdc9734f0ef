"""The result of a backtest, and what it says in a sentence."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.text import did_you_mean, enumerated, plural, shown
from jscale.assess.backtesting._summary import ForecastScores, HeldOutRun
from jscale.runs.tables import NATS_PER_TOKEN

MIN_EFFECTIVE = 10
"""With fewer independent forecasts, the coverage of bands can hardly be judged."""
_DECISIVE = (1, 2)
"""Positions of the bands that decide whether a backtest failed: 80% and 95%."""


@dataclass(frozen=True)
class Cut:
    """One split of a backtest.

    Attributes:
        label: what was fitted, or what was held out.
        fitted: runs that were fitted.
        held_out: runs that were forecast.
        compute: largest compute of the fitted runs, FLOP; NaN where the table has none.
    """

    label: str
    fitted: int
    held_out: int
    compute: float


@dataclass(frozen=True, eq=False)
class BacktestedLaw:
    """How one law, or one other method, forecast the held-out runs.

    Attributes:
        law: its name.
        summary: scores of all its forecasts.
        cuts: scores of each cut, in order.
        distances: scores by decades beyond the fitted runs.
    """

    law: str
    summary: ForecastScores
    cuts: tuple[ForecastScores, ...]
    distances: tuple[ForecastScores, ...]

    @property
    def verdict(self) -> str:
        """One sentence on the coverage of the 80% bands."""
        band = self.summary.bands[1]
        forecasts = (
            plural(self.summary.count, "held-out run")
            if self.summary.runs == self.summary.count
            else f"{self.summary.count:,} forecasts of {plural(self.summary.runs, 'held-out run')}"
        )
        judgement = band.verdict or (
            "too few runs to judge" if band.effective < MIN_EFFECTIVE else "as they should"
        )
        return (
            f"80% bands held {band.held:,} of {forecasts} ({band.coverage:.0%}): {judgement} "
            f"(95% interval {band.low:.0%} to {band.high:.0%})"
        )

    @property
    def failed(self) -> bool:
        """Whether the 80% or the 95% bands are too narrow by more than chance."""
        return any(self.summary.bands[i].verdict == "too narrow" for i in _DECISIVE)


@dataclass(frozen=True, eq=False)
class Backtest:
    """Forecasts of held-out runs and how they did.

    Attributes:
        laws: the laws and other methods, in the order given.
        rows: every forecast: law by law, cut by cut, in the order of the table.
        cuts: the splits.
        how: the splits in words, such as "by compute".
        cluster: column whose equal values form a cluster, or None where every run is its own.
        errors: the error model of the laws; None without laws, or where their defaults differ.
        n_runs: runs of the table that were used.
        seconds: wall time, compilation included.
        notes: warnings and remarks.
        table_digest: hash of the table.
        clusters: (table rows,) cluster of every row of the table.
        loss_unit: unit of the losses of the table.
    """

    laws: tuple[BacktestedLaw, ...]
    rows: tuple[HeldOutRun, ...]
    cuts: tuple[Cut, ...]
    how: str
    cluster: str | None
    errors: str | None
    n_runs: int
    seconds: float
    notes: tuple[Note, ...]
    table_digest: str
    clusters: np.ndarray
    loss_unit: str = NATS_PER_TOKEN

    @property
    def summary(self) -> ForecastScores:
        """Scores of all forecasts of the first law."""
        return self.laws[0].summary

    def of(self, law: str) -> BacktestedLaw:
        """The scores of a law by its name.

        Raises:
            JscaleError: the backtest does not have it.
        """
        for each in self.laws:
            if each.law == law:
                return each
        names = [each.law for each in self.laws]
        hint = did_you_mean(str(law), names)
        raise JscaleError(
            f"the backtest has no law {shown(law)} (it has: {enumerated(names)}){hint}"
        )

    def __repr__(self) -> str:
        laws = "; ".join(f"{each.law}: {each.verdict}" for each in self.laws)
        return f"<Backtest {self.how}, {plural(len(self.cuts), 'cut')}: {laws}>"


def failure_notes(law: BacktestedLaw) -> list[Note]:
    """A warning where bands are too narrow, and remarks on those too wide or too few to judge."""
    bands = law.summary.bands
    evidence: Mapping[str, object] = {
        "law": law.law,
        **{f"coverage{round(100 * band.level)}": band.coverage for band in bands},
        "effective": bands[1].effective,
    }
    narrow = [bands[i] for i in _DECISIVE if bands[i].verdict == "too narrow"]
    if narrow:
        band = narrow[0]
        message = (
            f"{law.law}: its {band.level:.0%} bands held {band.coverage:.0%} of the held-out runs "
            f"(at most {band.high:.0%} by chance): forecasts beyond the runs are less certain than "
            "its bands say"
        )
        return [Note("backtest-failed", "warning", message, evidence)]
    if bands[1].verdict == "too wide":
        message = (
            f"{law.law}: its 80% bands held {bands[1].coverage:.0%} of the held-out runs (at least "
            f"{bands[1].low:.0%}): they are wider than needed"
        )
        return [Note("backtest-wide", "info", message, evidence)]
    if bands[1].effective < MIN_EFFECTIVE:
        message = (
            f"{law.law}: the held-out runs count as {bands[1].effective:.2g} independent ones, too "
            "few to judge its bands"
        )
        return [Note("backtest-few-runs", "info", message, evidence)]
    return []
