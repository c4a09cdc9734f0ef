"""What a curve makes of valleys that follow a law exactly, at the very sizes of the table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.solve import argmin
from jscale._core.status import Status
from jscale.fit.approaches._budgets import Group
from jscale.fit.approaches._valleys import prepare
from jscale.laws import LawFunction, describe
from jscale.runs import Runs, select

_REACH = 15.0
"""Half the range of ln N in which the law's own optimum is sought: a factor 3e6 to both sides of
the runs."""


@dataclass(frozen=True)
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


def require_slices(law: LawFunction) -> None:
    """Check that a law has valleys.

    Raises:
        JscaleError: it is no law of N and D.
    """
    record = describe(law)
    if not {"N", "D"} <= set(record.input_names):
        raise JscaleError(
            f"the bias needs a law of N and D, and {record.name!r} is one of {', '.join(record.input_names)}"
        )


def optima(
    law: LawFunction, params: Mapping[str, float], table: Runs, groups: Sequence[Group]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """The law's own ln N* (budgets,) along each budget's line ln N + ln D, and its losses (n,) at
    the
    runs.

    Inputs other than N and D stand at their mean over the budget for the optimum.
    """
    data = select(table, law)
    place = {int(row): i for i, row in enumerate(data.rows)}
    at = [np.array([place[int(row)] for row in group.rows]) for group in groups]
    theta = {name: float(value) for name, value in params.items()}
    others = {
        name: jnp.asarray([column[rows].mean() for rows in at])
        for name, column in data.inputs.items()
        if name not in ("N", "D")
    }

    @jax.jit
    @jax.vmap
    def lowest(centre: jax.Array, log_product: jax.Array, rest: Mapping[str, jax.Array]):
        def loss(x: jax.Array) -> jax.Array:
            log_N = centre + x[0]
            return law(N=jnp.exp(log_N), D=jnp.exp(log_product - log_N), **rest, **theta)

        return argmin(loss, jnp.full(1, -_REACH), jnp.full(1, _REACH), points=128)

    centres = np.array([group.centre for group in groups])
    found = lowest(
        jnp.asarray(centres), jnp.asarray([group.log_product for group in groups]), others
    )
    settled = np.asarray(found.status) == int(Status.converged)
    log_N = np.where(settled, centres + np.asarray(found.x)[:, 0], np.nan)
    losses = np.asarray(
        law(**{name: jnp.asarray(column) for name, column in data.inputs.items()}, **theta)
    )
    return log_N, [np.broadcast_to(losses, len(data))[rows] for rows in at]


def minima(
    law: LawFunction, params: Mapping[str, float], kind: str, table: Runs, groups: Sequence[Group]
) -> tuple[np.ndarray, np.ndarray]:
    """Ln N* (budgets,) by the law, and by the curve ``kind`` through the law's noise-free losses."""
    truth, losses = optima(law, params, table, groups)
    fitter = prepare(kind, groups, losses)
    seen = [
        float(fitter.minima(group, loss)) if fitter.enough(group) else np.nan
        for group, loss in zip(groups, losses, strict=True)
    ]
    return truth, np.array(seen)
