"""The best parameters of a law for a table of runs, with a certificate."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np

from jscale._core import status
from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.scope import in_float64, to_numpy
from jscale._core.status import Status
from jscale.fit import _certificate as certify
from jscale.fit._certificate import Certificate
from jscale.fit._coordinates import at_runs
from jscale.fit._covariance import sandwich
from jscale.fit._objective import Objective, resolve
from jscale.fit._problem import Local, Tableau, challenge, examine, slopes
from jscale.fit._search import distinct, search
from jscale.fit._solver import Descent
from jscale.fit._starts import check_count, spread
from jscale.fit._weights import Weights, weigh
from jscale.laws import LawFunction, describe
from jscale.runs import Data, Runs, select

_EXACT = 1.5e-8
"""Root mean square of residuals that are nothing but rounding, so that a gradient has no scale."""
_HARDLY = 0.02
"""Share of the objective by which a ridge may lie above the best end."""


@dataclass(frozen=True)
class Point:
    """A certified fit; everything is float64.

    Attributes:
        law: the law that was fitted.
        params: parameter → value.
        stderr: parameter → standard error, from ``covariance``.
        covariance: (k, k) in the order of ``params``; a sandwich estimate that holds for robust objectives as well.
        objective: its value at the optimum.
        objective_name: what was minimised.
        scale: robust standard deviation of the log residuals, not in units of errors (1.4826 times their median
            absolute value; about their median, where the objective lets the law pass below the runs).
        predicted: (rows,) loss by the law.
        residuals: (rows,) observed minus predicted, of the logarithm of the loss.
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

    Newton descents run from ``starts`` points spread over the declared ranges, in coordinates centred at the runs; a
    second method challenges the best of them.

    Args:
        law: a declared law.
        table: validated runs; rows marked ``exclude`` are left out.
        objective: "huber" (summed Huber loss of the log residuals, delta 1e-3), "huber-likelihood" (the same with a
            free scale, as a likelihood), "student-likelihood" (Student-t with 4 degrees of freedom and a free scale),
            "asymmetric-huber" (runs above the law, which may be under-tuned, count a quarter), "log-squares",
            "raw-squares", or an instance of one of their classes.
        weights: how much each run counts: a column's name, or one number for every row of the table; a run of weight 0
            is left out. "loss_se" divides every residual by its run's standard error over the median one (for squares
            a weight of the inverse variance; a Huber delta is that of a median run). Only ratios matter.
        starts: number of starting points.
        throw: raise when the fit is not certified.

    Returns:
        The fit with covariance and certificate. A failure is a status in the certificate, never a NaN called converged.

    Raises:
        JscaleError: a column that the law needs is missing, fewer runs than parameters, a loss below a fixed floor, or,
            with ``throw``, a fit that did not converge.
    """
    result, _ = optimum(law, table, resolve(objective), starts, weights)
    if throw:
        status.check(result.certificate.status, f"fit of {describe(law).name} to {table.name}")
    return result


def optimum(
    law: LawFunction, table: Runs, goal: Objective, starts: int, weights: Weights = None
) -> tuple[Point, np.ndarray]:
    """What :func:`point` gives, and the free vector of the optimum, with the log scale where the objective has one."""
    record = describe(law)
    check_count(starts)
    data = weigh(table, select(table, law), weights, goal.on)
    require_enough(law, table, data)
    tableau, stages = tabulate(law, data, goal)
    begin = spread(record, starts)
    descents = search(law, goal, tableau, stages, begin)
    best = int(np.nanargmin(np.where(np.isfinite(descents.value), descents.value, np.inf)))
    local = to_numpy(examine(law, goal, tableau, descents.free[best]))
    rival = float(challenge(law, goal, tableau, begin[0]))
    certificate = certified(law, local, descents, best, rival)
    if certificate.status == Status.not_converged:
        certificate = _on_a_ridge(certificate, law, goal, tableau, descents) or certificate
    covariance = sandwich(
        local.residuals, local.jacobian, local.params_jacobian,
        lambda r: np.asarray(slopes(law, goal, tableau, descents.free[best], jnp.asarray(r))), weights=data.weights,
    )  # fmt: skip
    notes = (*data.notes, *certify.notes(certificate, record, data.inputs))
    if len(data) == len(record.parameters):
        covariance = np.full_like(covariance, np.inf)
        notes = (*notes, _saturated(len(data)))
    residual = np.log(data.loss) - np.log(local.predicted)
    centre = 0.0 if goal.symmetric else np.median(residual)
    result = Point(
        law=law,
        params={name: float(local.params[name]) for name in record.parameter_names},
        stderr=dict(zip(record.parameter_names, np.sqrt(np.diag(covariance)).tolist(), strict=True)),
        covariance=covariance,
        objective=float(descents.value[best]),
        objective_name=str(goal),
        scale=float(1.4826 * np.median(np.abs(residual - centre))),
        predicted=local.predicted,
        residuals=residual,
        rows=data.rows,
        certificate=certificate,
        notes=notes,
        table_digest=table.digest,
        weights=weights if weights is None or isinstance(weights, str) else "given",
    )
    return result, np.asarray(descents.free[best])


def require_enough(law: LawFunction, table: Runs, data: Data) -> None:
    """Check that the runs can determine the law at all.

    Raises:
        JscaleError: fewer runs than parameters, no parameter left to fit, or a loss at or below a floor that was fixed.
    """
    record = describe(law)
    if not record.parameters:
        raise JscaleError(f"law {record.name!r} has no free parameter left to fit")
    if len(data) < len(record.parameters):
        raise JscaleError(
            f"{table.name}: {len(data)} run{'s' * (len(data) != 1)} cannot determine the {len(record.parameters)} "
            f"parameters of law {record.name!r} ({', '.join(record.parameter_names)})"
        )
    for parameter, floor in record.held:
        low = np.flatnonzero(data.loss <= floor)
        if parameter.role.name == "irreducible loss" and low.size:
            row = int(data.rows[low[0]]) + 1
            raise JscaleError(
                f"{table.name}: column 'loss', row {row}: {data.loss[low[0]]:g} is at or below the floor "
                f"{parameter.name} = {floor:g} that was fixed; expected more ({low.size} rows in all)"
            )


def tabulate(law: LawFunction, data: Data, objective: Objective) -> tuple[Tableau, jnp.ndarray]:
    """The arrays of a fit and the stages of its objective."""
    coordinates = at_runs(describe(law), data.inputs, data.loss)
    stages = jnp.asarray(objective.stages())
    inputs = {name: jnp.asarray(column) for name, column in data.inputs.items()}
    weights, errors = (None if column is None else jnp.asarray(column) for column in (data.weights, data.errors))
    return Tableau(inputs, jnp.asarray(data.loss), coordinates.centre, stages[-1], weights, errors), stages


def _saturated(runs: int) -> Note:
    message = f"{runs} runs, {runs} parameters: no degree of freedom is left to tell how far off they are"
    return Note("saturated", "warning", message, {"runs": runs})


def _on_a_ridge(
    certificate: Certificate, law: LawFunction, goal: Objective, tableau: Tableau, descents: Descent
) -> Certificate | None:
    """The certificate as it reads where most starts end, if that is a ridge and hardly higher than the best end.

    Of a design that cannot tell parameters apart one start in many falls into a corner below the ridge, and there the
    design does not look poor.
    """
    values = np.asarray(descents.value)
    common = int(max(distinct(values), key=len)[0])
    if not np.isfinite(values[common]) or values[common] - values.min() > _HARDLY * abs(values.min()):
        return None
    usual = certified(law, to_numpy(examine(law, goal, tableau, descents.free[common])), descents, common, np.inf)
    if usual.status != Status.collinear_design:
        return None
    return replace(certificate, status=usual.status, condition=usual.condition, unidentified=usual.unidentified)


def certified(law: LawFunction, local: Local, descents: Descent, best: int, rival: float) -> Certificate:
    """The certificate of the best of some descents; ``rival`` is the objective that a second method reached."""
    record = describe(law)
    values, jacobian = np.asarray(descents.value), local.jacobian
    root = np.sqrt(local.weights)[:, None]
    value = float(values[best])
    slack = certify.AGREEMENT * max(abs(value), 1e-12 * len(jacobian))
    agreement = float(np.mean(values <= value + slack))
    # A parameter at its edge pulls against the edge and says nothing about the others.
    bounds = certify.at_bound(record, np.asarray(descents.free[best]))
    inner = np.array([name not in bounds for name in record.parameter_names])
    gradient = certify.slant(jacobian[:, inner], local.slopes)
    condition, shares = certify.conditioning((root * jacobian)[:, inner])
    condition_raw, _ = certify.conditioning((root * local.raw_jacobian)[:, inner])
    exact = float(np.sqrt(np.mean(np.square(local.residuals)))) <= _EXACT
    beaten = rival < value - slack
    settled = bool(descents.settled[best]) and np.isfinite(value) and (gradient < certify.GRADIENT or exact)
    # One start of several that ends lower than all others may be luck, however many a tenth of them is.
    alone = len(values) > 1 and np.sum(values <= value + slack) < 2
    sound = settled and agreement >= certify.AGREEING_STARTS and not alone and not beaten
    collinear = not condition <= certify.COLLINEAR
    # On a ridge descents crawl and starts end in different places: the design is the cause, so it is named first.
    ended = (
        Status.collinear_design if collinear and np.isfinite(value)
        else Status.not_converged if not sound
        else Status.at_bound if bounds
        else Status.converged
    )  # fmt: skip
    return Certificate(
        status=ended,
        agreement=agreement,
        gradient_norm=gradient,
        condition=condition,
        condition_raw=condition_raw,
        starts=len(values),
        second_method=bool(abs(rival - value) <= certify.CHALLENGE * abs(value) + slack),
        unidentified=certify.unidentified([n for n, k in zip(record.parameter_names, inner, strict=True) if k], shares),
        at_bound=bounds,
    )
