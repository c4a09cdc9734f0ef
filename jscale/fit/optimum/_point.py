"""The best parameters of a law for a table of runs, with a convergence certificate."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

import jax
import numpy as np

from jscale._core import status
from jscale._core.checks import check_whole_number
from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.scope import in_float64
from jscale._core.text import shown
from jscale.fit.objective import (
    RAW_OBJECTIVE_HINT,
    Objective,
    Weights,
    apply_weights,
    require_enough_runs,
    require_positive_losses,
    resolve,
    tabulate,
    weights_name,
)
from jscale.fit.optimum import _certificate as certify
from jscale.fit.optimum._certificate import Certificate
from jscale.fit.optimum._forecast import forecast
from jscale.fit.optimum._optimum import find_optimum
from jscale.fit.optimum._sandwich import mask_unidentified
from jscale.fit.optimum._state import FitContext, FitState
from jscale.fit.predictions import Prediction
from jscale.laws import LawFunction, as_law, describe
from jscale.runs import Data, Runs, TableLike, as_runs, select

DEFAULT_OBJECTIVE, DEFAULT_STARTS = "huber", 64
_TO_STANDARD_DEVIATION = 1.4826
"""Median absolute value of normal residuals → their standard deviation."""


@dataclass(frozen=True, eq=False)
class Point:
    """A fit with its certificate; everything is float64.

    :func:`jscale.fit.covariance`, :func:`jscale.fit.profile`, :func:`jscale.fit.bootstrap` and
    :func:`jscale.fit.intervals` take a point in place of a law and a table, and then fit nothing
    again. For that a point keeps its table and the state of its optimum, and so do its copies by
    ``copy.copy`` and ``copy.deepcopy``. A point with attributes changed by ``replace`` and one read
    from a pickle have neither.

    Points are compared by identity. The arrays are read-only. ``params`` and ``stderr`` are plain
    dicts, since JAX takes those as arguments: a change to one does not change the fit.

    Attributes:
        law: the law that was fitted.
        params: parameter → value.
        stderr: parameter → standard error, from ``covariance``; infinite where the data do not
            identify the parameter.
        covariance: (k, k) in the order of ``params``; a sandwich estimate that holds for robust
            objectives as well.
        objective: its value at the optimum.
        objective_name: what was minimised.
        scale: robust standard deviation of ``residuals``, not in units of errors: 1.4826 times
            their median absolute value, about their median where the objective puts the law below
            the runs.
        predicted: (rows,) loss by the law.
        residuals: (rows,) observed minus predicted.
        residuals_of: "log" for residuals of the logarithm of the loss; "value" for those of the
            values, where some have no logarithm.
        rows: (rows,) positions of the runs in the table, counted from 0.
        certificate: the evidence that this is the optimum.
        notes: warnings and remarks.
        table_digest: hash of the table that was fitted.
        weights: column that weighted the runs, "given" for an array, None for none.
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
    # No argument of the constructor: ``copy.replace`` must not carry it to other parameters.
    _context: FitContext | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("covariance", "predicted", "residuals", "rows"):
            values = np.asarray(getattr(self, name)).view()
            values.setflags(write=False)
            object.__setattr__(self, name, values)

    def __copy__(self) -> "Point":
        """A point of the same fit, with its table and the state of its optimum."""
        copied = replace(self)
        object.__setattr__(copied, "_context", self._context)
        return copied

    def __deepcopy__(self, memo: dict[int, Any]) -> "Point":
        """A point with copies of the result; what cannot change is shared."""
        values = {
            each.name: copy.deepcopy(getattr(self, each.name), memo)
            for each in fields(self)
            if each.init
        }
        copied = Point(**values)
        object.__setattr__(copied, "_context", self._context)
        return copied

    @property
    def n_runs(self) -> int:
        """Number of runs that were fitted."""
        return len(self.rows)

    @property
    def loss_unit(self) -> str | None:
        """Unit of the losses of its table; None for a point that does not keep its table."""
        return None if self._context is None else self._context.table.loss_unit

    def predict(self, inputs: Any, *, key: jax.Array, draws: int = 4000) -> Prediction:
        """The forecast of new runs, with where its band comes from.

        The parameters are uncertain by the asymptotic covariance of the fit (a sandwich estimate of
        independent errors), carried over to the log of the law's value to first order. The noise is
        normal with the fit's robust ``scale``, times ``sqrt(n / (n - k))`` for the k fitted
        parameters. Misfit of the law is in neither: :func:`jscale.fit.posterior` has error models
        for it.

        Args:
            inputs: input name → number or (points,) numbers; inputs with a default may be left out.
            key: a JAX random key.
            draws: number of draws.

        Raises:
            JscaleError: an input is unknown, missing or outside the domain of the law, or the runs
                do not identify the forecast.
        """
        return forecast(self, inputs, key=key, draws=draws)

    def __repr__(self) -> str:
        values = ", ".join(f"{k}={v:.6g}±{self.stderr[k]:.2g}" for k, v in self.params.items())
        name, ending = describe(self.law).name, self.certificate.status
        return f"<Point {name}: {values}; {self.n_runs} runs; {ending}>"

    def __getstate__(self) -> dict[str, Any]:
        """A pickle holds the result alone, not the table and the compiled arrays behind it."""
        return {name: value for name, value in vars(self).items() if name != "_context"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """The result of a pickle, with read-only arrays."""
        vars(self).update(state)
        self.__post_init__()


@in_float64
def point(
    law: LawFunction | str,
    table: TableLike,
    *,
    objective: str | Objective = DEFAULT_OBJECTIVE,
    weights: Weights = None,
    starts: int = DEFAULT_STARTS,
    throw: bool = False,
) -> Point:
    """The parameters of ``law`` that fit ``table`` best.

    Newton descents run from ``starts`` points spread over the declared ranges, in coordinates
    centred at the runs; a second optimiser then starts from the first of these points and must
    reach the same minimum.

    Args:
        law: a declared law, or the name of one of the catalogue.
        table: validated runs, or what :func:`jscale.runs.read` takes; rows marked ``exclude`` are
            left out.
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
        NaN with the status ``converged``.

    Raises:
        JscaleError: a column that the law needs is missing, fewer runs than parameters, a loss
            below a fixed floor, or, with ``throw``, a fit that did not converge.

    Example:
        >>> import jax
        >>> from jscale import fit, laws, runs
        >>> N, D = [1e8, 3e8, 1e9, 3e9] * 4, [1e10] * 4 + [4e10] * 4 + [2e11] * 4 + [1e12] * 4
        >>> theta = laws.params(laws.chinchilla)
        >>> table = runs.simulate(
        ...     laws.chinchilla, theta, {"N": N, "D": D}, noise=0.005, key=jax.random.key(0)
        ... )
        >>> point = fit.point(laws.chinchilla, table, starts=8)
        >>> print(point.certificate.status, point.n_runs)
        converged 16
        >>> print(f"alpha {point.params['alpha']:.2f} ± {point.stderr['alpha']:.2f}")
        alpha 0.30 ± 0.08
    """
    result = fit_point(law, table, resolve(objective), starts, weights)
    if throw:
        subject = f"fit of {describe(result.law).name} to {as_runs(table).name}"
        status.check(result.certificate.status, subject)
    return result


def fit_point(
    law: LawFunction | str,
    table: TableLike,
    objective: Objective,
    starts: int,
    weights: Weights = None,
) -> Point:
    """What :func:`point` returns, for a resolved objective; in a float64 scope."""
    law, table = as_law(law), as_runs(table)
    record = describe(law)
    check_whole_number("starts", starts, at_least=1)
    data = apply_weights(table, select(table, law), weights, objective.on)
    if objective.on == "log":
        require_positive_losses(law, table, data, RAW_OBJECTIVE_HINT)
    require_enough_runs(law, table, data)

    fit_data, stages = tabulate(law, data, objective)
    optimum = find_optimum(law, objective, fit_data, stages, starts=starts)
    certificate, residual = optimum.certificate, optimum.residuals

    covariance = mask_unidentified(
        optimum.covariance, record.parameter_names, certificate.unidentified
    )
    errors = np.sqrt(np.diag(covariance)).tolist()
    centre = 0.0 if objective.symmetric else np.median(residual)
    result = Point(
        law=law,
        params=optimum.params,
        stderr=dict(zip(record.parameter_names, errors, strict=True)),
        covariance=covariance,
        objective=optimum.value,
        objective_name=str(objective),
        scale=float(_TO_STANDARD_DEVIATION * np.median(np.abs(residual - centre))),
        predicted=optimum.predicted,
        residuals=residual,
        residuals_of="log" if data.loss.min() > 0 else "value",
        rows=data.rows,
        certificate=certificate,
        notes=_notes(law, data, certificate),
        table_digest=table.digest,
        weights=weights_name(table, weights),
    )

    state = FitState(law, objective, fit_data, stages, optimum.free, optimum.linearization)
    object.__setattr__(result, "_context", FitContext(table, data, weights, state))
    return result


def _notes(law: LawFunction, data: Data, certificate: Certificate) -> tuple[Note, ...]:
    record = describe(law)
    notes = (*data.notes, *certify.notes(certificate, record, data.inputs))
    if len(data) > len(record.parameters):
        return notes

    runs = len(data)
    message = (
        f"{runs} runs, {runs} parameters: no degree of freedom is left to estimate the errors from"
    )
    return (*notes, Note("saturated", "warning", message, {"runs": runs}))


def resolve_point(
    law: LawFunction | str | Point,
    table: TableLike | None,
    *,
    objective: str | Objective | None = None,
    weights: Weights = None,
    starts: int | None = None,
    caller: str,
) -> tuple[Point, FitContext]:
    """A fitted point and what it was made from: ``law`` itself if it is a point, else a new fit.

    In a float64 scope.

    Args:
        law: a law, or a point.
        table: the runs for a law; None for a point.
        objective: what to minimise; None for a point's own, or "huber".
        weights: of the runs; None for a point's own, or none.
        starts: number of starting points; None for a point's own, or 64.
        caller: name of the public function, for messages.

    Raises:
        JscaleError: as :func:`point`; a law without a table; or a point without its context, or
            with arguments that contradict it.
    """
    if not isinstance(law, Point):
        if table is None:
            message = (
                f": none was given; expected {caller}(point, ...) or {caller}(law, table, ...)"
            )
            raise JscaleError(message, argument="table")
        goal = resolve(DEFAULT_OBJECTIVE if objective is None else objective)
        law = fit_point(law, table, goal, DEFAULT_STARTS if starts is None else starts, weights)
        return law, _context_of(law, caller)

    if table is not None:
        refused = "given" if isinstance(table, Runs) else f"{shown(table)} is given"
        message = (
            f": {refused} together with a point, which has its own; "
            f"expected {caller}(point, ...) or {caller}(law, table, ...)"
        )
        raise JscaleError(message, argument="table")
    context = _context_of(law, caller)
    _check_agreement(law, context, objective, weights, starts)
    return law, context


def _context_of(best: Point, caller: str) -> FitContext:
    context = best._context
    if context is None:
        raise JscaleError(
            f"{caller}: this point has no table and no optimum to start from, since it was "
            "unpickled, changed by replace or made by hand; expected the point that fit.point "
            f"returned, or {caller}(law, table, ...)"
        )
    return context


def _check_agreement(
    best: Point,
    context: FitContext,
    objective: str | Objective | None,
    weights: Weights,
    starts: int | None,
) -> None:
    """Check that arguments given together with a point say what its fit did.

    Raises:
        JscaleError: naming the argument, its value and that of the point.
    """
    advice = "; leave it out, or give the law and the table to fit again"
    if objective is not None and resolve(objective) != context.state.objective:
        message = f": {resolve(objective)} contradicts the point's {best.objective_name}{advice}"
        raise JscaleError(message, argument="objective")
    if weights is not None and not _same_weights(context, weights):
        if best.weights is None:
            message = f": the point was fitted without weights{advice}"
        else:
            message = f": they differ from the point's weights {best.weights!r}{advice}"
        raise JscaleError(message, argument="weights")
    if starts is not None and starts != best.certificate.starts:
        message = f": {shown(starts)} contradicts the point's {best.certificate.starts}{advice}"
        raise JscaleError(message, argument="starts")


def _same_weights(context: FitContext, weights: Weights) -> bool:
    own = context.weights
    if own is None:
        weighted = apply_weights(context.table, context.data, weights, context.state.objective.on)
        unequal = weighted.weights is not None or weighted.errors is not None
        return not unequal and len(weighted) == len(context.data)
    if isinstance(weights, str) or isinstance(own, str) or own is None:
        named = isinstance(weights, str) and isinstance(own, str)
        return named and weights_name(context.table, weights) == weights_name(context.table, own)
    return np.array_equal(np.asarray(weights), np.asarray(own))
