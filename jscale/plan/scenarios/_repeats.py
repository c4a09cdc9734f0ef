"""What another epoch is worth, and what fresh tokens in its place."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
from jax.typing import ArrayLike

from jscale._core.scope import in_default_settings
from jscale.laws import LawFunction, as_law
from jscale.plan.gridsearch import over_draws
from jscale.plan.problem import bind, check_inputs, check_params, to_arrays


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class RepeatedData:
    """A training run on repeated tokens; arrays of the shape of the draws.

    Attributes:
        loss: of the run.
        epochs: tokens over unique tokens.
        epoch: nats that one more epoch saves, at the rate of the next token.
        fresh: nats that as many fresh tokens save, at the rate of the next one.
        fresh_token: nats that one more unique token saves at the same compute: times the FLOP per
            nat, or dollars per nat, what it may cost.
    """

    loss: jax.Array
    epochs: jax.Array
    epoch: jax.Array
    fresh: jax.Array
    fresh_token: jax.Array

    @property
    def worth(self) -> jax.Array:
        """What a repeated token is worth, as a share of a fresh one."""
        return self.epoch / self.fresh


@in_default_settings
def repeated_data(
    law: LawFunction | str,
    params: Mapping[str, ArrayLike],
    N: ArrayLike,
    D: ArrayLike,
    U: ArrayLike,
    **fixed: ArrayLike,
) -> RepeatedData:
    """The value of the next epoch and of fresh tokens, for a law with unique tokens U.

    Buy data where a fresh token saves more than its price buys in compute: ``fresh_token`` over the
    nats of one FLOP (``multipliers`` of :func:`~jscale.plan.solve`) is its worth in FLOP.

    Args:
        law: a law of N, D and U, or the name of one.
        params: parameter → scalar or draws.
        N: parameters.
        D: tokens trained on, repeats included.
        U: unique tokens.
        **fixed: other inputs by name.

    Raises:
        JscaleError: a law without U, an unknown name, or a number out of range.

    Example:
        What a repeated token is worth after 1, 4 and 16 epochs, beside a fresh one, which also
        makes more parameters useful:

        >>> from jscale import laws, plan
        >>> theta = laws.params(laws.data_constrained)
        >>> D = [1.001e11, 4e11, 16e11]
        >>> run = plan.repeated_data(laws.data_constrained, theta, N=7e9, D=D, U=1e11)
        >>> print([f"{float(worth):.2f}" for worth in run.worth])
        ['0.95', '0.52', '0.06']
    """
    law = as_law(law)
    inputs = {"N": N, "D": D, "U": U, **fixed}
    bound = bind(law, inputs, ())
    arrays = to_arrays(check_params(law, params), check_inputs(law, inputs))

    def one(theta: Any, values: Any) -> RepeatedData:
        def loss(by: Any) -> jax.Array:
            return bound.loss({**values, **by}, theta)

        level, slopes = jax.value_and_grad(loss)({"D": values["D"], "U": values["U"]})
        epoch, token = -slopes["D"] * values["U"], -slopes["U"]
        epochs = values["D"] / values["U"]
        return RepeatedData(level, epochs, epoch, epoch + token * values["U"], token)

    return over_draws(one, *arrays)
