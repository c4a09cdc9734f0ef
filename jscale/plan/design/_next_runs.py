"""The next runs: the batch that most reduces a plan's regret, a forecast's variance or doubt."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jscale._core.checks import check_number, check_whole_number
from jscale._core.errors import JscaleError
from jscale._core.scope import in_float64
from jscale._core.text import enumerated, shown
from jscale.laws import LawFunction, as_law, describe
from jscale.plan.costs import Cost, precision_scaled_flops, training_flops
from jscale.plan.design._greedy import Batch, Criterion, Runs, exchanged, greedy
from jscale.plan.design._linear import (
    Knowledge,
    PlanRegret,
    knowledge_of,
    log_slopes,
    plan_regret,
)
from jscale.plan.problem import bind, check_params

Target = Literal["plan", "forecast", "parameters"]


@dataclass(frozen=True)
class NextRuns:
    """Runs in the order in which to do them.

    Attributes:
        index: (runs,) positions among the candidates.
        inputs: input → (runs,).
        cost: (runs,).
        regret: (1 + runs,) expected regret of the plan in nats, before the first run and after
            each; NaN without a budget to plan for.
        forecast_sd: (1 + runs,) standard deviation of the logarithm of the forecast loss; NaN
            without one.
        information: (1 + runs,) nats learnt about the parameters, half the fall of the log
            determinant of their covariance: 0 before.
        saved: (runs,) FLOP of the plan that each run saves, by the compute that would lower the
            loss as much; NaN without a budget to plan for.
        stop: why there are no more: ``"budget"`` (none of the others can be paid), ``"saving"``
            (the next run costs more than it can save), ``"runs"`` or ``"candidates"``.
        lost: number of draws without an optimal plan, which are left out.
    """

    index: np.ndarray
    inputs: dict[str, np.ndarray]
    cost: np.ndarray
    regret: np.ndarray
    forecast_sd: np.ndarray
    information: np.ndarray
    saved: np.ndarray
    stop: str
    lost: int


@in_float64
def next_runs(
    law: LawFunction | str,
    params: Mapping[str, ArrayLike],
    candidates: Mapping[str, ArrayLike],
    *,
    noise: ArrayLike,
    budget: float,
    covariance: ArrayLike | None = None,
    target: Target = "plan",
    plan_budget: float | None = None,
    forecast: Mapping[str, float] | None = None,
    free: Iterable[str] = ("N", "D"),
    cost: Cost | ArrayLike | None = None,
    price: float = 1.0,
    most: int = 8,
    stop_at_saving: bool = True,
    **fixed: float,
) -> NextRuns:
    """The runs, of some candidates, that most improve a plan, a forecast or the parameters.

    What is known of the parameters is taken as Gaussian and every quantity as linear in them (by
    regression over the draws), so that a run is a rank-one update of the covariance. The regret of
    a plan is quadratic in the error of its size and bits. Runs are added one after another, each
    scored together with the best run after it, once by reduction and once by reduction a cost; then
    single runs are exchanged for better ones, and the better batch is returned.

    Args:
        law: a declared law, or the name of one of the catalogue.
        params: parameter → (draws,); or a point, with ``covariance``.
        candidates: input of the law (P for all training bits) → (candidates,) or scalar.
        noise: standard deviation of the logarithm of a run's loss, scalar or (candidates,).
        budget: of all runs together, FLOP or the unit of an array of costs.
        covariance: (k, k) of the parameters in the order of the law, for a point.
        target: ``"plan"``, the expected regret of the plan for ``plan_budget``; ``"forecast"``, the
            variance of the loss at ``forecast``; ``"parameters"``, the determinant of the
            covariance (D-optimal).
        plan_budget: FLOP of the model that is planned.
        forecast: inputs of the law at which a loss is forecast.
        free: what the plan may choose, as in :func:`~jscale.plan.optimal`.
        cost: of a candidate: a cost, or an array (candidates,) in FLOP or in any unit that
            ``price`` converts. A cost also divides the plan's budget. None for that of
            :func:`~jscale.plan.optimal`.
        price: of one FLOP of the planned model, in the unit of an array of costs: 1 in FLOP.
        most: number of runs, at least 1.
        stop_at_saving: with ``target="plan"``, stop where the next run costs more than the compute
            that its better plan saves, at its ``price``.
        **fixed: other inputs of the plan, scalars.

    Raises:
        JscaleError: an unknown name or target, a number out of range, no candidate, a target
            without its budget or inputs, too few draws, or a covariance that is none.

    Source: Chaloner and Verdinelli 1995 (Bayesian design, linear criteria); Fedorov 1972
        (D-optimality).

    Example:
        Two runs that tell size from data, after runs at 20 tokens a parameter only:

        >>> from jscale import laws, plan
        >>> theta = laws.params(laws.chinchilla)
        >>> doubt = [[0.01, 0, 0, 0, 0], [0, 1e4, 0, 0, 0], [0, 0, 1e4, 0, 0], [0, 0, 0, 1e-3, 0],
        ...     [0, 0, 0, 0, 1e-3]]
        >>> grid = plan.run_grid([1e8, 1e9], [2e9, 2e10, 2e11], most=1e21)
        >>> best = plan.next_runs(laws.chinchilla, theta, grid, covariance=doubt, noise=0.01,
        ...     budget=2e21, target="parameters", most=2)
        >>> len(best.index), best.stop
        (2, 'runs')
    """
    law = as_law(law)
    if target not in get_args(Target):
        raise JscaleError(
            f"must be plan, forecast or parameters, not {shown(target)}", argument="target"
        )
    inputs, count = _check_candidates(law, candidates)
    bound = bind(law, inputs, ())
    own_cost = cost if hasattr(cost, "flops") else None
    arrays = {name: jnp.asarray(value) for name, value in inputs.items()}
    costs = _costs(cost, inputs, bound.bits(arrays), count)
    spread = np.broadcast_to(np.asarray(check_number("noise", noise, above=0.0), float), (count,))
    budget = float(check_number("budget", budget, above=0.0))
    price = float(check_number("price", price, above=0.0))
    check_whole_number("most", most, 1)
    known = knowledge_of(law, check_params(law, params), covariance)

    regret, forecasting = None, None
    if plan_budget is not None:
        amount = float(check_number("plan_budget", plan_budget, above=0.0))
        settings: dict[str, Any] = {"free": free, "cost": own_cost, "fixed": fixed}
        regret = plan_regret(law, known, amount, **settings)
    if forecast is not None:
        forecasting = _forecast_slopes(law, known, forecast)
    criterion = _criterion(target, regret, forecasting, price if stop_at_saving else 0.0)

    slopes = log_slopes(bound, known, inputs)
    if not np.isfinite(slopes).all():
        raise JscaleError("the law has no loss, or none above 0, at some of the candidates")
    runs = Runs(slopes, spread**2, costs)
    limits = {"budget": budget, "most": most}
    batches = []
    for per_cost in (True, False):
        batch = greedy(known.covariance, runs, criterion, per_cost=per_cost, **limits)
        batches.append(exchanged(batch, runs, criterion, budget=budget))
    best = min(batches, key=lambda batch: _left_by(batch, criterion, runs))
    return _result(best, inputs, runs, regret, forecasting)


def _check_candidates(
    law: LawFunction, candidates: Mapping[str, ArrayLike]
) -> tuple[dict[str, np.ndarray], int]:
    """The inputs of the candidates, (candidates,) each.

    Raises:
        JscaleError: no mapping, an unknown input, unequal lengths, or numbers not above 0.
    """
    if not isinstance(candidates, Mapping) or not candidates:
        raise JscaleError("must map inputs of the law to numbers", argument="candidates")
    record = describe(law)
    known = {*record.input_names, "P"}
    if unknown := sorted(set(candidates) - known):
        raise JscaleError(
            f"have {enumerated(unknown)}, which law {record.name!r} lacks (it has: "
            f"{enumerated(record.input_names)})",
            argument="candidates",
        )
    arrays = {
        name: np.asarray(check_number(name, value, above=0.0, infinite=True), np.float64)
        for name, value in candidates.items()
    }
    lengths = {value.size for value in arrays.values() if value.ndim}
    if len(lengths) > 1:
        raise JscaleError("differ in length", argument="candidates")
    count = lengths.pop() if lengths else 1
    if not count:
        raise JscaleError("are empty: expected at least one run", argument="candidates")
    return {name: np.broadcast_to(value, (count,)) for name, value in arrays.items()}, count


def _costs(cost: Any, inputs: Mapping[str, np.ndarray], bits: Any, count: int) -> np.ndarray:
    """Of each candidate."""
    if cost is not None and not hasattr(cost, "flops"):
        costs = np.asarray(check_number("cost", cost, above=0.0), float)
        return np.broadcast_to(costs, (count,))
    if not {"N", "D"} <= set(inputs):
        raise JscaleError(
            "is missing: candidates without N or D have no cost of their own", argument="cost"
        )
    default = training_flops if bits is None else precision_scaled_flops
    spent = (cost or default).flops(inputs["N"], inputs["D"], bits)
    return np.broadcast_to(np.asarray(spent, float), (count,))


def _forecast_slopes(
    law: LawFunction, known: Knowledge, forecast: Mapping[str, float]
) -> np.ndarray:
    """Of the logarithm of the forecast loss, (k,)."""
    bound = bind(law, forecast, ())
    point = {
        name: np.atleast_1d(np.asarray(check_number(name, value, above=0.0, infinite=True), float))
        for name, value in forecast.items()
    }
    return log_slopes(bound, known, point)[0]


def _criterion(
    target: Target,
    regret: PlanRegret | None,
    forecasting: np.ndarray | None,
    price: float,
) -> Criterion:
    """What the runs reduce; with a price of a FLOP above 0, what that is worth.

    Raises:
        JscaleError: the target lacks its budget or its inputs.
    """
    if target == "parameters":
        return Criterion(None)
    if target == "forecast":
        if forecasting is None:
            raise JscaleError("is missing: the inputs of the law to forecast", argument="forecast")
        return Criterion(np.outer(forecasting, forecasting))
    if regret is None:
        raise JscaleError("is missing: the FLOP of the model to plan", argument="plan_budget")
    worth = price / regret.per_flop if regret.per_flop > 0 else 0.0
    return Criterion(regret.matrix, worth)


def _left_by(batch: Batch, criterion: Criterion, runs: Runs) -> float:
    """What is left after a batch, with its cost where the criterion has a price."""
    if criterion.matrix is None:
        return -float(batch.information(runs)[-1])
    left = criterion.value(batch.covariances[-1])
    if criterion.worth:
        left += float(np.sum(runs.cost[batch.chosen])) / criterion.worth
    return left


def _result(
    batch: Batch,
    inputs: Mapping[str, np.ndarray],
    runs: Runs,
    regret: PlanRegret | None,
    forecasting: np.ndarray | None,
) -> NextRuns:
    matrices = batch.covariances
    nothing = np.full(len(matrices), np.nan)
    regrets, saved = nothing, nothing[1:]
    if regret is not None:
        regrets = np.array([Criterion(regret.matrix).value(matrix) for matrix in matrices])
        saved = -np.diff(regrets) / regret.per_flop
    spread = nothing
    if forecasting is not None:
        spread = np.sqrt([forecasting @ matrix @ forecasting for matrix in matrices])
    index = np.array(batch.chosen, int)
    return NextRuns(
        index=index,
        inputs={name: value[index] for name, value in inputs.items()},
        cost=runs.cost[index],
        regret=regrets,
        forecast_sd=spread,
        information=batch.information(runs),
        saved=saved,
        stop=batch.stop,
        lost=0 if regret is None else regret.lost,
    )
