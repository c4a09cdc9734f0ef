"""How far requested forecasts lie beyond the runs."""

from collections.abc import Iterator

from jscale._core.notes import Note
from jscale.assess.auditing.checks._registry import check
from jscale.assess.auditing.checks._subject import Subject
from jscale.fit.predictions import decades, distance_notes, quantities
from jscale.laws import chinchilla


@check(
    beyond_runs="train a run part of the way there, and forecast it first (jscale backtest)",
    far_forecast="train a run one decade beyond the largest and forecast it first (jscale "
    "backtest): so far out nothing in the table checks the law",
)
def beyond(subject: Subject) -> Iterator[Note]:
    """Decades beyond the runs of every requested forecast."""
    ranges, points = subject.ranges, subject.at
    if not points or not ranges:
        return
    law = chinchilla if subject.law is None else subject.law
    yield from distance_notes(decades(ranges, law, points), ranges, quantities(law, points))
