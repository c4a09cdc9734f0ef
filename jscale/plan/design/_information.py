"""What it would be worth to know a parameter exactly."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jax.typing import ArrayLike

from jscale._core.checks import check_number
from jscale._core.scope import in_float64
from jscale.laws import LawFunction, as_law, describe
from jscale.plan.costs import Cost
from jscale.plan.design._linear import knowledge_of, plan_regret
from jscale.plan.problem import check_params


@dataclass(frozen=True)
class PerfectInformation:
    """The value of perfect information for a plan.

    Attributes:
        regret: expected regret of the plan in nats: the value of knowing all parameters.
        nats: parameter → by how much the expected regret falls if it alone were known. Parameters
            that are correlated say much of the same: the values do not add up.
        flops: parameter → the compute that would lower the loss of the plan as much, FLOP.
    """

    regret: float
    nats: dict[str, float]
    flops: dict[str, float]


@in_float64
def perfect_information(
    law: LawFunction | str,
    params: Mapping[str, ArrayLike],
    plan_budget: float,
    *,
    covariance: ArrayLike | None = None,
    free: Iterable[str] = ("N", "D"),
    cost: Cost | None = None,
    **fixed: float,
) -> PerfectInformation:
    """What knowing each parameter would save the plan, by the Gaussian model of :func:`next_runs`.

    Args:
        law: a law of N and D, or the name of one.
        params: parameter → (draws,); or a point, with ``covariance``.
        plan_budget: FLOP of the model that is planned.
        covariance: (k, k) of the parameters in the order of the law, for a point.
        free: as in :func:`~jscale.plan.optimal`.
        cost: as in :func:`~jscale.plan.optimal`.
        **fixed: other inputs of the plan, scalars.

    Raises:
        JscaleError: as :func:`~jscale.plan.next_runs`.

    Source: Raiffa and Schlaifer 1961 (expected value of perfect information).

    Example:
        The irreducible loss is worth nothing to this plan: it moves no optimum.

        >>> from jscale import laws, plan
        >>> theta = laws.params(laws.chinchilla)
        >>> doubt = [[1e-3, 0, 0, 0, 0], [0, 1e3, 0, 0, 0], [0, 0, 1e4, 0, 0], [0, 0, 0, 1e-5, 0],
        ...     [0, 0, 0, 0, 1e-5]]
        >>> worth = plan.perfect_information(laws.chinchilla, theta, 1e24, covariance=doubt)
        >>> worth.nats["E"] < 1e-9 < worth.nats["alpha"]
        True
    """
    law = as_law(law)
    budget = float(check_number("plan_budget", plan_budget, above=0.0))
    known = knowledge_of(law, check_params(law, params), covariance)
    settings: dict[str, Any] = {"free": free, "cost": cost, "fixed": fixed}
    regret = plan_regret(law, known, budget, **settings)

    # The column of a parameter is what its value says of all of them.
    columns, variances = known.covariance, np.diag(known.covariance)
    reduced = np.einsum("ij,jk,ki->i", columns, regret.matrix, columns)
    # A parameter that is known already has nothing left to say.
    unknown = variances > np.finfo(float).eps * variances.max()
    reduced = np.divide(reduced, variances, out=np.zeros_like(reduced), where=unknown)
    nats = dict(zip(describe(law).parameter_names, map(float, reduced), strict=True))
    return PerfectInformation(
        regret=float(np.sum(regret.matrix * known.covariance)),
        nats=nats,
        flops={name: value / regret.per_flop for name, value in nats.items()},
    )
