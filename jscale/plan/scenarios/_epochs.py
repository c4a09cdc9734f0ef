"""How often to repeat the data: the number of epochs with the least loss."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jscale._core.errors import JscaleError
from jscale._core.scope import in_default_settings
from jscale._core.status import Status
from jscale.laws import LawFunction, as_law, describe
from jscale.plan.budget import critical_tokens, optimal
from jscale.plan.costs import Cost
from jscale.plan.gridsearch import over_draws
from jscale.plan.problem import bind, check_inputs, check_params, check_status, to_arrays

_MORE = 1.001
"""A little more than one epoch: where the loss is higher there already, one epoch is the best."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class OptimalEpochs:
    """The best number of epochs; arrays of the shape of the draws.

    Attributes:
        epochs: tokens trained on over unique tokens; infinite where another epoch never hurts.
        N: parameters.
        D: tokens trained on, repeats included.
        loss: of the model.
        status: :class:`~jscale._core.status.Status` codes; ``no_interior_optimum`` with infinitely
            many epochs, ``kink`` where a second reading would hurt at once.
    """

    epochs: jax.Array
    N: jax.Array
    D: jax.Array
    loss: jax.Array
    status: jax.Array


@in_default_settings
def optimal_epochs(
    law: LawFunction | str,
    params: Mapping[str, ArrayLike],
    U: ArrayLike,
    *,
    N: ArrayLike | None = None,
    budget: ArrayLike | None = None,
    cost: Cost | None = None,
    throw: bool = False,
    **fixed: ArrayLike,
) -> OptimalEpochs:
    """The number of epochs on U unique tokens with the least loss.

    For a model of a given size, where ``dL/dD = 0`` (:func:`~jscale.plan.critical_tokens`), or on
    a budget, together with the size (:func:`~jscale.plan.optimal`). Where repetition hurts
    (``overfitting_penalty``) both are finite. Where it only loses its value (``data_constrained``)
    or harms through the size alone (``bounded_multi_epoch``), only a budget limits the epochs.

    Args:
        law: a law of N, D and U, or the name of one.
        params: parameter → scalar or draws.
        U: unique tokens.
        N: parameters, for a given size.
        budget: FLOP, for a size to be chosen. Exactly one of the two is given.
        cost: of training on a budget, ``6 N D`` unless given (see :mod:`jscale.plan.costs`).
        throw: raise where a solve did not converge, infinitely many epochs included.
        **fixed: other inputs by name.

    Raises:
        JscaleError: a law without U, both or neither of ``N`` and ``budget``, a cost without a
            budget, an unknown name, a number out of range, or, with ``throw``, a solve that did not
            converge.

    Example:
        >>> from jscale import laws, plan
        >>> theta = laws.params(laws.chinchilla) | {"P": 0.02, "delta": 1.0, "kappa": 0.5}
        >>> for N in (4e8, 4e9):
        ...     best = plan.optimal_epochs(laws.overfitting_penalty, theta, U=1e9, N=N)
        ...     print(f"{N:.0e} parameters: {best.epochs:.1f} epochs, loss {best.loss:.3f}")
        4e+08 parameters: 12.3 epochs, loss 2.876
        4e+09 parameters: 5.0 epochs, loss 2.787
    """
    law = as_law(law)
    if "U" not in describe(law).input_names:
        raise JscaleError(
            f"{describe(law).name!r} has no input U for unique tokens", argument="law"
        )
    if (N is None) == (budget is None):
        raise JscaleError("or budget: expected exactly one of the two", argument="N")
    if cost is not None and budget is None:
        raise JscaleError("applies to a budget, not to a model of a given size", argument="cost")
    if budget is not None:
        others: dict[str, Any] = {"U": U, **fixed}
        best = optimal(law, params, budget, cost=cost, **others)
        result = OptimalEpochs(
            best.D_opt / jnp.asarray(U, best.D_opt.dtype),
            best.N_opt,
            best.D_opt,
            best.loss,
            best.status,
        )
    else:
        result = _of_size(law, params, {"N": N, "U": U, **fixed})
    if throw:
        check_status(result.status, f"epochs of {describe(law).name!r}")
    return result


def _of_size(
    law: LawFunction, params: Mapping[str, ArrayLike], inputs: Mapping[str, Any]
) -> OptimalEpochs:
    turning = critical_tokens(law, params, **inputs)
    bound = bind(law, inputs, ("D",))
    arrays = to_arrays(check_params(law, params), check_inputs(law, inputs))

    def one(theta: Any, values: Any, D: jax.Array, status: jax.Array) -> OptimalEpochs:
        def loss(D: jax.Array) -> jax.Array:
            return bound.loss({**values, "D": D}, theta)

        # No slope is zero where the loss turns with a jump of its slope, at the second reading.
        U = values["U"]
        at_once = (status == int(Status.not_converged)) & (loss(U) < loss(_MORE * U))
        D = jnp.where(at_once, U, D)
        status = jnp.where(at_once, int(Status.kink), status)
        return OptimalEpochs(D / U, values["N"], D, loss(D), status)

    return over_draws(one, *arrays, turning.D_crit, turning.status)
