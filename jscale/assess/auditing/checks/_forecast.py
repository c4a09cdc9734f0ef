"""How far requested forecasts lie beyond the runs."""

from collections.abc import Iterator

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale.assess.auditing.checks._registry import check
from jscale.assess.auditing.checks._subject import Subject
from jscale.fit.predictions import decades, distance_notes, input_ranges, quantities
from jscale.laws import chinchilla
from jscale.runs import inputs


@check(
    beyond_runs="train a run part of the way there, and forecast it first (jscale backtest)",
    far_forecast="train a run one decade beyond the largest and forecast it first (jscale "
    "backtest): so far out nothing in the table checks the law",
)
def beyond(subject: Subject) -> Iterator[Note]:
    """Decades beyond the runs of every requested forecast."""
    if not subject.at:
        return
    law = chinchilla if subject.law is None else subject.law
    try:
        ranges = input_ranges(law, inputs(subject.table, law))
    except JscaleError:
        return
    points = {name: np.atleast_1d(np.asarray(x, float)) for name, x in subject.at.items()}
    yield from distance_notes(decades(ranges, law, points), ranges, quantities(law, points))
