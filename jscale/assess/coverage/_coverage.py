"""Measured coverage of intervals: the results of ``calibrate``."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.text import shown


@dataclass(frozen=True)
class Coverage:
    """Measured coverage of one kind of interval for one target.

    Attributes:
        target: name of the number.
        kind: of the interval, one of :data:`jscale.fit.INTERVAL_KINDS`.
        truth: the value for the law that the tables were simulated from.
        coverage: share of the simulations whose interval contains it; NaN if none has an interval.
        stderr: binomial standard error of that share, computed with one hit and one miss added.
        width: median width.
        simulations: number of simulations counted.
    """

    target: str
    kind: str
    truth: float
    coverage: float
    stderr: float
    width: float
    simulations: int


@dataclass(frozen=True)
class Calibration:
    """Measured coverage of every kind of interval.

    Attributes:
        rows: target by target, in the order of the kinds.
        law: its name.
        level: nominal coverage of the intervals.
        noise: the distribution of the simulated errors.
        scale: robust standard deviation of these errors, in log loss, for a run of relative error
            size 1.
        objective_name: what was minimised.
        weights: column that weighted the runs, "given" for an array, None for none.
        shared: share of the variance common to runs of one cluster; 0 without clusters.
        by: column of the clusters, or None.
        simulations: number of simulated tables.
        draws: refits of each bootstrap.
        seconds: kind → wall time, compilation included.
        notes: warnings and remarks.
        table_digest: hash of the table.
    """

    rows: tuple[Coverage, ...]
    law: str
    level: float
    noise: str
    scale: float
    objective_name: str
    weights: str | None
    shared: float
    by: str | None
    simulations: int
    draws: int
    seconds: Mapping[str, float]
    notes: tuple[Note, ...]
    table_digest: str

    def of(self, target: str, kind: str) -> Coverage:
        """The coverage of this target and kind.

        Raises:
            JscaleError: there is none.
        """
        for row in self.rows:
            if (row.target, row.kind) == (target, kind):
                return row
        raise JscaleError(f"there is no coverage of {shown(kind)} intervals of {shown(target)}")

    def __repr__(self) -> str:
        targets, kinds = ({getattr(row, name) for row in self.rows} for name in ("target", "kind"))
        size = f"{len(targets)} targets x {len(kinds)} kinds at {self.level:.4g}"
        return (
            f"<Calibration {self.law}: {size}, {self.noise} noise; {self.simulations} simulations>"
        )


def coverage_of(name: str, kind: str, truth: float, ends: np.ndarray) -> Coverage:
    """Coverage from the ends (simulations, 2) of intervals.

    A simulation without an interval (NaN) does not count.
    """
    lower, upper = ends[~np.isnan(ends).any(axis=1)].T
    count = len(lower)
    if not count:
        return Coverage(name, kind, truth, np.nan, np.nan, np.nan, 0)
    covered = int(((lower <= truth) & (truth <= upper)).sum())
    smoothed = (covered + 1) / (count + 2)
    return Coverage(
        target=name,
        kind=kind,
        truth=truth,
        coverage=covered / count,
        stderr=float(np.sqrt(smoothed * (1 - smoothed) / count)),
        width=float(np.median(upper - lower)),
        simulations=count,
    )
