"""Runs grouped by compute."""

from dataclasses import dataclass

import numpy as np

from jscale._core.errors import JscaleError
from jscale.runs import Runs

COLUMNS = ("N", "D", "C", "loss")


@dataclass(frozen=True)
class Group:
    """The runs of one budget, in order of their size.

    Attributes:
        C: geometric mean of their compute, FLOP.
        rows: (n,) where they stand in the table, counted from 0.
        N: (n,) parameters.
        D: (n,) tokens.
        loss: (n,) nats per token.
        loss_se: (n,) standard errors of the losses, or None.
    """

    C: float
    rows: np.ndarray
    N: np.ndarray
    D: np.ndarray
    loss: np.ndarray
    loss_se: np.ndarray | None

    @property
    def x(self) -> np.ndarray:
        """Ln N (n,) from its middle."""
        return np.log(self.N) - self.centre

    @property
    def centre(self) -> float:
        """Middle of the range of ln N."""
        return 0.5 * float(np.log(self.N).min() + np.log(self.N).max())

    @property
    def half_width(self) -> float:
        """Half the range of ln N."""
        return 0.5 * float(np.log(self.N.max() / self.N.min()))

    @property
    def log_product(self) -> float:
        """Mean ln (N D): at this budget, ln D = log_product - ln N."""
        return float(np.mean(np.log(self.N) + np.log(self.D)))


def columns(table: Runs, names: tuple[str, ...] = COLUMNS) -> np.ndarray:
    """The rows that take part; checks that the table has the columns ``names``, filled.

    Raises:
        JscaleError: a column is missing or has an empty cell, or every row is excluded.
    """
    if not isinstance(table, Runs):
        raise JscaleError(
            f"expected a table of runs, as jscale.runs.read returns it, not a {type(table).__name__}"
        )
    rows = np.flatnonzero(table.kept)
    if not rows.size:
        raise JscaleError(f"{table.name}: all {len(table)} rows are excluded")
    for name in names:
        values = table[name]
        if values.dtype.kind != "f":
            raise JscaleError(f"{table.name}: column {name!r} holds text; expected numbers above 0")
        bad = rows[~(np.isfinite(values[rows]) & (values[rows] > 0))]
        if bad.size:
            raise JscaleError(
                f"{table.name}: column {name!r}, row {bad[0] + 1}: {values[bad[0]]:g}; expected a number above 0"
            )
    return rows


def group(table: Runs, by: str | None, tolerance: float) -> tuple[Group, ...]:
    """The budgets of a table, in order of compute.

    Args:
        table: runs with N, D, C and loss.
        by: column whose equal values make a budget; None for compute that is equal within
            ``tolerance``.
        tolerance: share by which the compute of one budget may spread.

    Raises:
        JscaleError: as :func:`columns`; a negative tolerance.
    """
    rows = columns(table)
    if not (np.isfinite(tolerance) and tolerance >= 0):
        raise JscaleError(f"tolerance must be a share of 0 or more, not {tolerance!r}")
    if by is not None:
        _, labels = np.unique(table[by][rows], return_inverse=True)
    else:
        labels = _nearly_equal(table["C"][rows], tolerance)
    groups = [_gather(table, rows[labels == label]) for label in range(int(labels.max()) + 1)]
    return tuple(sorted(groups, key=lambda g: g.C))


def _nearly_equal(C: np.ndarray, tolerance: float) -> np.ndarray:
    order = np.argsort(C, kind="stable")
    labels = np.zeros(len(C), int)
    # From the first of each budget, not from neighbour to neighbour: a continuum would otherwise be
    # one budget.
    first, label = C[order[0]], 0
    for i in order:
        if C[i] > first * (1 + tolerance) * (1 + 1e-12):
            first, label = C[i], label + 1
        labels[i] = label
    return labels


def _gather(table: Runs, rows: np.ndarray) -> Group:
    rows = rows[np.argsort(table["N"][rows], kind="stable")]
    N, D, C, loss = (table[name][rows] for name in COLUMNS)
    error = table["loss_se"][rows] if "loss_se" in table else None
    return Group(float(np.exp(np.mean(np.log(C)))), rows, N, D, loss, error)
