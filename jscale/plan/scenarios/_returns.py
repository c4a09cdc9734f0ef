"""What one more percent of each input saves, and what it costs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jscale._core.scope import in_default_settings
from jscale.laws import LawFunction, as_law
from jscale.plan.costs import Cost, precision_scaled_flops, training_flops
from jscale.plan.gridsearch import over_draws
from jscale.plan.problem import bind, check_inputs, check_params, to_arrays


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class MarginalReturns:
    """Returns of the inputs of a design; arrays of the shape of the draws.

    Attributes:
        loss: of the design.
        cost: FLOP, or the unit of the cost.
        by_log: input → nats saved by a rise of its logarithm by 1: a hundredth of it a percent.
        per_cost: input that the cost depends on → nats saved by one more unit of cost spent on it;
            equal for all inputs at an optimum.
    """

    loss: jax.Array
    cost: jax.Array
    by_log: dict[str, jax.Array]
    per_cost: dict[str, jax.Array]


@in_default_settings
def marginal_returns(
    law: LawFunction | str,
    params: Mapping[str, ArrayLike],
    at: Mapping[str, ArrayLike],
    *,
    cost: Cost | None = None,
) -> MarginalReturns:
    """What more of each input of a design saves: size, tokens, bits, unique tokens.

    Args:
        law: a law of N and D, or the name of one.
        params: parameter → scalar or draws.
        at: input → number, broadcast against the draws; ``P`` stands for all training bits.
        cost: as in :func:`~jscale.plan.optimal`.

    Raises:
        JscaleError: an unknown name or a number out of range.

    Example:
        A model on few tokens: data return more than size, per FLOP.

        >>> from jscale import laws, plan
        >>> theta = laws.params(laws.chinchilla)
        >>> returns = plan.marginal_returns(laws.chinchilla, theta, {"N": 70e9, "D": 0.3e12})
        >>> print(f"{returns.per_cost['D'] / returns.per_cost['N']:.1f}")
        2.2
    """
    law = as_law(law)
    bound = bind(law, at, ())
    arrays = to_arrays(check_params(law, params), check_inputs(law, at))
    charged = bound.tied or bound.charged
    price: Any = cost or (precision_scaled_flops if charged else training_flops)

    def one(theta: Any, inputs: Any) -> MarginalReturns:
        logs = {name: jnp.log(value) for name, value in inputs.items()}

        def loss(logs: Any) -> jax.Array:
            return bound.loss({name: jnp.exp(x) for name, x in logs.items()}, theta)

        def spent(logs: Any) -> jax.Array:
            values = {name: jnp.exp(x) for name, x in logs.items()}
            flops = price.flops(values["N"], values["D"], bound.bits(values))
            return jnp.asarray(flops, logs["N"].dtype)

        level, slopes = jax.value_and_grad(loss)(logs)
        total, prices = jax.value_and_grad(spent)(logs)
        by_log = {
            name: jnp.where(jnp.isinf(inputs[name]), 0.0, -slope) for name, slope in slopes.items()
        }
        charged_inputs = ("N", "D", *(name for name in inputs if name in ("P", *bound.charged)))
        per_cost = {
            name: by_log[name] / jnp.where(prices[name] > 0, prices[name], jnp.nan)
            for name in charged_inputs
            if name in prices
        }
        return MarginalReturns(level, total, by_log, per_cost)

    return over_draws(one, *arrays)
