"""Runs grouped by compute, and the result for each budget."""

from dataclasses import dataclass

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.status import Status
from jscale._core.text import shown
from jscale.runs import Runs

COLUMNS = ("N", "D", "C", "loss")


@dataclass(frozen=True, eq=False)
class BudgetRuns:
    """The runs of one budget, in order of their size.

    Attributes:
        C: geometric mean of their compute, FLOP.
        rows: (n,) positions in the table, counted from 0.
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
        """Distance (n,) of ln N from the centre."""
        return np.log(self.N) - self.centre

    @property
    def centre(self) -> float:
        """Centre of the range of ln N."""
        return 0.5 * float(np.log(self.N).min() + np.log(self.N).max())

    @property
    def half_width(self) -> float:
        """Half the range of ln N."""
        return 0.5 * float(np.log(self.N.max() / self.N.min()))

    @property
    def log_product(self) -> float:
        """Mean ln (N D): at this budget, ln D = log_product - ln N."""
        return float(np.mean(np.log(self.N) + np.log(self.D)))

    @property
    def sizes(self) -> int:
        """Number of different sizes."""
        return len(np.unique(self.N))


@dataclass(frozen=True, eq=False)
class Budget:
    """The valley of one budget.

    Attributes:
        C: FLOP.
        n_runs: number of runs.
        N_range: smallest and largest size.
        N_opt: size of least loss, parameters; extrapolated where the status is
            ``no_interior_optimum``, NaN where the curve has no interior minimum.
        D_opt: tokens at the same compute.
        loss: least loss on the curve, nats per token.
        log_stderr: standard error of ln N_opt, and of ln D_opt; infinite where the runs do not
            determine it.
        curvature: second derivative of the loss by ln N at the minimum; NaN for Akima's curve.
        curvature_stderr: its standard error.
        flags: of few_points, unbracketed, off_centre, weak_curvature those that apply.
        status: ``converged`` for a minimum between sampled sizes.
        rows: (n_runs,) positions of the runs in the table, counted from 0.
    """

    C: float
    n_runs: int
    N_range: tuple[float, float]
    N_opt: float
    D_opt: float
    loss: float
    log_stderr: float
    curvature: float
    curvature_stderr: float
    flags: tuple[str, ...]
    status: Status
    rows: np.ndarray


def usable_rows(table: Runs, names: tuple[str, ...] = COLUMNS) -> np.ndarray:
    """The rows that are not excluded; validates that the columns ``names`` are complete in them.

    Raises:
        JscaleError: a column is missing or has an empty cell, or every row is excluded.
    """
    rows = np.flatnonzero(table.kept)
    if not rows.size:
        raise JscaleError(f"{table.name}: all {len(table)} rows are excluded")

    for name in names:
        values = table[name]
        if values.dtype.kind != "f":
            raise JscaleError(
                f"{table.name}: column {shown(name)} holds text; expected numbers above 0"
            )
        invalid = rows[~(np.isfinite(values[rows]) & (values[rows] > 0))]
        if invalid.size:
            first = invalid[0]
            raise JscaleError(
                f"{table.name}: column {shown(name)}, row {first + 1}: {values[first]:g}; "
                "expected a number above 0"
            )
    return rows


def group_by_budget(table: Runs, by: str | None, tolerance: float) -> tuple[BudgetRuns, ...]:
    """The budgets of a table, in order of compute.

    Args:
        table: runs with N, D, C and loss.
        by: column whose equal values make a budget; None for compute that is equal within
            ``tolerance``.
        tolerance: share by which the compute of one budget may spread.

    Raises:
        JscaleError: as :func:`usable_rows`; a negative tolerance.
    """
    rows = usable_rows(table)
    if not (np.isfinite(tolerance) and tolerance >= 0):
        message = f"must be a share of 0 or more, not {shown(tolerance)}"
        raise JscaleError(message, argument="tolerance")

    if by is not None:
        _, labels = np.unique(table[by][rows], return_inverse=True)
    else:
        labels = _label_nearly_equal(table["C"][rows], tolerance)
    count = int(labels.max()) + 1
    groups = [_budget_runs(table, rows[labels == label]) for label in range(count)]
    return tuple(sorted(groups, key=lambda g: g.C))


def _label_nearly_equal(C: np.ndarray, tolerance: float) -> np.ndarray:
    """A label (n,) for each group of compute (n,) within ``tolerance`` of the group's least."""
    order = np.argsort(C, kind="stable")
    labels = np.zeros(len(C), int)

    # Compared with the least of each budget, not with the neighbour, which would make a continuum
    # one budget.
    least, label = C[order[0]], 0
    for i in order:
        if C[i] > least * (1 + tolerance) * (1 + 1e-12):
            least, label = C[i], label + 1
        labels[i] = label
    return labels


def _budget_runs(table: Runs, rows: np.ndarray) -> BudgetRuns:
    rows = rows[np.argsort(table["N"][rows], kind="stable")]
    N, D, C, loss = (table[name][rows] for name in COLUMNS)
    error = table["loss_se"][rows] if "loss_se" in table else None
    return BudgetRuns(float(np.exp(np.mean(np.log(C)))), rows, N, D, loss, error)
