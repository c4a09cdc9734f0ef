"""How a design divides its compute, against the optimum of the same cost."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jscale._core.checks import check_number
from jscale._core.scope import in_default_settings
from jscale.laws import LawFunction, as_law
from jscale.plan.budget import Plan, build_problem, optimal
from jscale.plan.costs import Cost
from jscale.plan.problem import check_inputs, check_params, to_arrays


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Allocation:
    """A design against the optimum of its cost; arrays of the shape of the draws.

    Attributes:
        loss: of the design.
        excess: nats above the optimum of the same cost; what the imbalance costs.
        tokens: tokens over those of the optimum: below 1 undertrained, above 1 overtrained; NaN
            without an optimum.
        best: the optimum.
    """

    loss: jax.Array
    excess: jax.Array
    tokens: jax.Array
    best: Plan

    @property
    def share_overtrained(self) -> jax.Array:
        """The share of the draws with an optimum in which the design has more tokens than it.

        NaN where no draw has an optimum.
        """
        over, dtype = self.tokens > 1, self.tokens.dtype
        solved = ~jnp.isnan(self.tokens)
        return jnp.sum(over.astype(dtype)) / jnp.sum(solved.astype(dtype))

    @property
    def lost(self) -> jax.Array:
        """The number of draws without an optimum."""
        return jnp.sum(jnp.isnan(self.tokens))


@in_default_settings
def allocation(
    law: LawFunction | str,
    params: Mapping[str, ArrayLike],
    N: ArrayLike,
    D: ArrayLike,
    *,
    free: Iterable[str] = ("N", "D"),
    cost: Cost | None = None,
    **fixed: ArrayLike,
) -> Allocation:
    """Whether a model is undertrained or overtrained, and the loss that it costs.

    A ratio of tokens to parameters says neither: the optimal ratio depends on the law, on the
    budget and on what the model is for (with ``cost=costs.LifetimeCost(T)`` a model that is
    overtrained for its training compute may be right for its life).

    Args:
        law: a law of N and D, or the name of one.
        params: parameter → scalar or draws.
        N: parameters.
        D: tokens.
        free: what the optimum may choose, as in :func:`~jscale.plan.optimal`.
        cost: as in :func:`~jscale.plan.optimal`.
        **fixed: other inputs by name.

    Raises:
        JscaleError: as :func:`~jscale.plan.optimal`.

    Example:
        >>> from jscale import laws, plan
        >>> theta = laws.params(laws.chinchilla)
        >>> gopher = plan.allocation(laws.chinchilla, theta, N=280e9, D=0.3e12)
        >>> print(f"{gopher.tokens:.2f} of the tokens: {gopher.excess:.3f} nats too much")
        0.14 of the tokens: 0.044 nats too much
    """
    law = as_law(law)
    counts = {"N": check_number("N", N, above=0.0), "D": check_number("D", D, above=0.0)}
    problem, cost_values = build_problem(law, free, fixed, cost)
    arrays = to_arrays(check_params(law, params), check_inputs(law, fixed), cost_values, counts)
    theta, inputs, numbers, design = arrays
    values = {**inputs, **design}
    spent = problem.build_cost(numbers).flops(values["N"], values["D"], problem.bound.bits(values))
    settings: dict[str, Any] = {"free": free, "cost": cost, **fixed}
    best = optimal(law, params, spent, **settings)
    loss = problem.bound.loss(values, theta)
    return Allocation(loss, loss - best.loss, values["D"] / best.D_opt, best)
