"""What an isoFLOP analysis returns."""

from dataclasses import dataclass

import numpy as np

from jscale._core.status import Status
from jscale.fit.approaches._powerlaw import PowerLaw


@dataclass(frozen=True)
class Budget:
    """The valley of one budget.

    Attributes:
        C: FLOP.
        n_runs: number of runs.
        N_range: smallest and largest size.
        N_opt: size of least loss, parameters; extrapolated where the status is
            ``no_interior_optimum``, NaN where the curve has no minimum at all.
        D_opt: tokens at the same compute.
        loss: least loss on the curve, nats per token.
        log_stderr: standard error of ln N_opt, and of ln D_opt; infinite where the runs leave it
            open.
        curvature: second derivative of the loss by ln N at the minimum; NaN for Akima's curve.
        curvature_stderr: its standard error.
        flags: of few_points, unbracketed, off_centre, weak_curvature those that apply.
        status: ``converged`` for a minimum between sampled sizes.
        rows: (n_runs,) where the runs stand in the table, counted from 0.
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


@dataclass(frozen=True)
class Lines:
    """``N* = G C**a`` and ``D* = H C**b`` over the same budgets; None where there are fewer than
    two.
    """

    N: PowerLaw | None
    D: PowerLaw | None
