"""The bias of a curve on valleys that follow a law exactly, at the sizes of the table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.programs import program
from jscale._core.solve import argmin
from jscale._core.status import Status
from jscale._core.text import enumerated
from jscale.fit.approaches._budgets import BudgetRuns
from jscale.fit.approaches._valleys import valley_fitter
from jscale.laws import LawFunction, describe
from jscale.runs import Runs, select

_HALF_RANGE = 15.0
"""Half the range of ln N in which the law's own optimum is sought: a factor 3e6 to both sides of
the runs."""


@dataclass(frozen=True, eq=False)
class Bias:
    """How far a curve's minima lie from those of a law, without any noise.

    Attributes:
        law: the law that is taken for the truth.
        params: its parameters.
        log_N_true: (budgets,) ln N at the law's optimum; NaN where it has none.
        log_N: (budgets,) by how much the curve's minimum exceeds it; NaN where the curve has none.
        exponent: what this adds to the exponent of N*(C), over the budgets of the headline; NaN for
            fewer than two.
        log_coefficient: what it adds to the logarithm of the coefficient.
    """

    law: LawFunction
    params: Mapping[str, float]
    log_N_true: np.ndarray
    log_N: np.ndarray
    exponent: float
    log_coefficient: float


def require_valleys(law: LawFunction) -> None:
    """Check that a law has valleys.

    Raises:
        JscaleError: the law's inputs are not N and D.
    """
    record = describe(law)
    if not {"N", "D"} <= set(record.input_names):
        raise JscaleError(
            f"the bias needs a law of N and D, and {record.name!r} is one of "
            f"{enumerated(record.input_names)}"
        )


def law_optima(
    law: LawFunction, params: Mapping[str, float], table: Runs, groups: Sequence[BudgetRuns]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """The law's own optima along the budgets, and its losses at the runs.

    A budget is the line ln N + ln D = const. Inputs other than N and D have their mean over the
    budget at the optimum.

    Returns:
        ln N* (budgets,), NaN where the law has none, and the losses (n,) of each budget.
    """
    data = select(table, law)
    position = {int(row): i for i, row in enumerate(data.rows)}
    members = [np.array([position[int(row)] for row in group.rows]) for group in groups]
    theta = {name: float(value) for name, value in params.items()}
    others = {
        name: jnp.asarray([column[rows].mean() for rows in members])
        for name, column in data.inputs.items()
        if name not in ("N", "D")
    }

    centres = np.array([group.centre for group in groups])
    log_products = jnp.asarray([group.log_product for group in groups])
    log_N = np.asarray(_minimise(law, jnp.asarray(centres), log_products, others, theta))

    inputs = {name: jnp.asarray(column) for name, column in data.inputs.items()}
    losses = np.broadcast_to(np.asarray(law(**inputs, **theta)), len(data))
    return log_N, [losses[rows] for rows in members]


@program("law")
def _minimise(
    law: LawFunction,
    centres: jax.Array,
    log_products: jax.Array,
    others: Mapping[str, jax.Array],
    theta: Mapping[str, Any],
) -> jax.Array:
    """Ln N (budgets,) of the least loss along ln N + ln D = const; NaN where there is none."""

    def minimise(centre: jax.Array, log_product: jax.Array, rest: Mapping[str, jax.Array]):
        def loss(x: jax.Array) -> jax.Array:
            log_N = centre + x[0]
            return law(N=jnp.exp(log_N), D=jnp.exp(log_product - log_N), **rest, **theta)

        half_range = jnp.full(1, _HALF_RANGE)
        optimum = argmin(loss, -half_range, half_range, points=128)
        converged = optimum.status == int(Status.converged)
        return jnp.where(converged, centre + optimum.x[0], jnp.nan)

    return jax.vmap(minimise)(centres, log_products, others)


def biased_minima(
    law: LawFunction,
    params: Mapping[str, float],
    kind: str,
    table: Runs,
    groups: Sequence[BudgetRuns],
) -> tuple[np.ndarray, np.ndarray]:
    """Ln N* (budgets,) by the law, and by the curve ``kind`` through its noise-free losses."""
    truth, losses = law_optima(law, params, table, groups)
    fitter = valley_fitter(kind, groups, losses)
    minima = [
        float(fitter.minima(group, loss)) if fitter.has_enough_runs(group) else np.nan
        for group, loss in zip(groups, losses, strict=True)
    ]
    return truth, np.array(minima)
