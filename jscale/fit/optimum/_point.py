"""The best parameters of a law for a table of runs, with a certificate."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from jscale._core import status
from jscale._core.checks import check_count
from jscale._core.notes import Note
from jscale._core.scope import in_float64
from jscale.fit.objective import (
    AS_THEY_ARE,
    Objective,
    Weights,
    called,
    require_enough,
    require_logarithms,
    resolve,
    tabulate,
    weigh,
)
from jscale.fit.optimum import _certificate as certify
from jscale.fit.optimum._certificate import Certificate
from jscale.fit.optimum._optimum import find_optimum
from jscale.fit.optimum._sandwich import mask_unidentified
from jscale.laws import LawFunction, describe
from jscale.runs import Runs, select


@dataclass(frozen=True)
class Point:
    """A certified fit; everything is float64.

    Attributes:
        law: the law that was fitted.
        params: parameter → value.
        stderr: parameter → standard error, from ``covariance``; infinite where the runs do not tell
            the parameter.
        covariance: (k, k) in the order of ``params``; a sandwich estimate that holds for robust
            objectives as well.
        objective: its value at the optimum.
        objective_name: what was minimised.
        scale: robust standard deviation of ``residuals``, not in units of errors (1.4826 times
            their median absolute value; about their median, where the objective lets the law pass
            below the runs).
        predicted: (rows,) loss by the law.
        residuals: (rows,) observed minus predicted.
        residuals_of: "log", of the logarithm of the loss; "value", of the values themselves where
            some have none.
        rows: (rows,) where the runs stand in the table, counted from 0.
        certificate: why to believe it.
        notes: doubts and remarks.
        table_digest: hash of the table that was fitted.
        weights: column that weighed the runs, "given" for an array, None for none.
    """

    law: LawFunction
    params: Mapping[str, float]
    stderr: Mapping[str, float]
    covariance: np.ndarray
    objective: float
    objective_name: str
    scale: float
    predicted: np.ndarray
    residuals: np.ndarray
    residuals_of: Literal["log", "value"]
    rows: np.ndarray
    certificate: Certificate
    notes: tuple[Note, ...]
    table_digest: str
    weights: str | None = None

    @property
    def n_runs(self) -> int:
        """Number of runs that were fitted."""
        return len(self.rows)

    def __repr__(self) -> str:
        shown = ", ".join(f"{k}={v:.6g}±{self.stderr[k]:.2g}" for k, v in self.params.items())
        return f"<Point {describe(self.law).name}: {shown}; {self.n_runs} runs; {self.certificate.status}>"


@in_float64
def point(
    law: LawFunction,
    table: Runs,
    *,
    objective: str | Objective = "huber",
    weights: Weights = None,
    starts: int = 64,
    throw: bool = False,
) -> Point:
    """The parameters of ``law`` that fit ``table`` best.

    Newton descents run from ``starts`` points spread over the declared ranges, in coordinates
    centred at the runs; a second method challenges the best of them.

    Args:
        law: a declared law.
        table: validated runs; rows marked ``exclude`` are left out.
        objective: "huber" (summed Huber loss of the log residuals, delta 1e-3), "huber-likelihood"
            (the same with a free scale, as a likelihood), "student-likelihood" (Student-t with 4
            degrees of freedom and a free scale), "asymmetric-huber" (runs above the law, which may
            be under-tuned, count a quarter), "log-squares", "raw-squares", or an instance of one of
            their classes.
        weights: how much each run counts: a column's name, or one number for every row of the
            table; a run of weight 0 is left out. "loss_se" divides every residual by its run's
            standard error over the median one (for squares a weight of the inverse variance; a
            Huber delta is that of a median run). Only ratios matter.
        starts: number of starting points.
        throw: raise when the fit is not certified.

    Returns:
        The fit with covariance and certificate. A failure is a status in the certificate, never a
        NaN called converged.

    Raises:
        JscaleError: a column that the law needs is missing, fewer runs than parameters, a loss
            below a fixed floor, or, with ``throw``, a fit that did not converge.
    """
    result, _ = optimum(law, table, resolve(objective), starts, weights)
    if throw:
        status.check(result.certificate.status, f"fit of {describe(law).name} to {table.name}")
    return result


def optimum(
    law: LawFunction, table: Runs, goal: Objective, starts: int, weights: Weights = None
) -> tuple[Point, np.ndarray]:
    """What :func:`point` gives, and the free vector of the optimum, with the log scale where the
    objective has one.
    """
    record = describe(law)
    check_count(starts)
    data = weigh(table, select(table, law), weights, goal.on)
    if goal.on == "log":
        require_logarithms(law, table, data, AS_THEY_ARE)
    require_enough(law, table, data)
    fit_data, stages = tabulate(law, data, goal)
    found = find_optimum(law, goal, fit_data, stages, starts=starts)
    certificate, residual = found.certificate, found.residuals
    covariance = mask_unidentified(
        found.covariance, record.parameter_names, certificate.unidentified
    )
    notes = (*data.notes, *certify.notes(certificate, record, data.inputs))
    if len(data) == len(record.parameters):
        notes = (*notes, _saturated(len(data)))
    centre = 0.0 if goal.symmetric else np.median(residual)
    result = Point(
        law=law,
        params=found.params,
        stderr=dict(
            zip(record.parameter_names, np.sqrt(np.diag(covariance)).tolist(), strict=True)
        ),
        covariance=covariance,
        objective=found.value,
        objective_name=str(goal),
        scale=float(1.4826 * np.median(np.abs(residual - centre))),
        predicted=found.predicted,
        residuals=residual,
        residuals_of="log" if data.loss.min() > 0 else "value",
        rows=data.rows,
        certificate=certificate,
        notes=notes,
        table_digest=table.digest,
        weights=called(table, weights),
    )
    return result, found.free


def _saturated(runs: int) -> Note:
    message = (
        f"{runs} runs, {runs} parameters: no degree of freedom is left to tell how far off they are"
    )
    return Note("saturated", "warning", message, {"runs": runs})
