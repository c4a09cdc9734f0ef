"""Uncertainty of a plan: quantiles of its values over draws of the parameters."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jscale._core.arrays import inexact
from jscale._core.errors import JscaleError
from jscale._core.scope import in_default_settings
from jscale._core.status import Status, is_optimum
from jscale.laws import LawFunction, as_law
from jscale.plan.problem import check_params
from jscale.plan.risk._quantiles import check_probabilities, quantiles_over_draws


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=["values", "converged"],
    meta_fields=["quantiles", "draws"],
)
@dataclass(frozen=True)
class Bands:
    """Quantiles of a plan over draws.

    Attributes:
        quantiles: the probabilities, in the order of the leading axis of ``values``.
        values: what the plan function returns, every number with a leading axis of quantiles; a
            ``status`` is the highest code among the draws without an optimum, or where all have one
            among all, without that axis.
        converged: share of the draws that have an optimum; the quantiles are those of the draws
            that have a number.
        draws: number of draws.
    """

    quantiles: tuple[float, ...]
    values: Any
    converged: jax.Array
    draws: int = 1

    @property
    def lost(self) -> jax.Array:
        """Number of draws without an optimum, in the shape of ``converged``."""
        return jnp.round((1 - self.converged) * self.draws).astype(jnp.int32)


@in_default_settings
def bands(
    plan_function: Callable[..., Any],
    law: LawFunction | str,
    draws: Mapping[str, ArrayLike],
    *args: Any,
    quantiles: Sequence[float] = (0.05, 0.5, 0.95),
    **kwargs: Any,
) -> Bands:
    """Quantiles of ``plan_function(law, params, *args, **kwargs)`` over draws of the parameters.

    ``plan_function`` may be any function of a law and its parameters, so ask for the quantity of
    interest: the band of the tokens per parameter, ``best.D_opt / best.N_opt`` of a plan, is not
    the band of ``D_opt`` divided by that of ``N_opt``.

    A draw without a number (NaN: its plan did not converge) is left out of the quantiles and lowers
    ``converged``; check that share before you use the band. An infinite value (``D_crit`` where
    more data never hurts) is a valid result: it stays in the quantiles as the largest number,
    although its status counts as not converged. Where no draw has a number the band is NaN.
    Quantiles interpolate linearly between draws.

    Args:
        plan_function: for example :func:`~jscale.plan.optimal`; called once, under ``vmap``.
        law: a declared law, or the name of one of the catalogue.
        draws: parameter → (draws,) or scalar; scalars alone are a single draw.
        *args: passed on: a budget of any shape adds its axes after that of the quantiles.
        quantiles: probabilities between 0 and 1.
        **kwargs: passed on.

    Raises:
        JscaleError: a probability out of range, draws of unequal length or with more than one axis,
            or an error of the plan function.

    Example:
        The loss of a model of 70e9 parameters on 1.4e12 tokens, over five draws:

        >>> from jscale import laws, plan
        >>> draws = laws.params(laws.chinchilla) | {"E": [1.78, 1.80, 1.82, 1.84, 1.86]}
        >>> def loss(law, params):
        ...     return law(N=70e9, D=1.4e12, **params)
        >>> band = plan.bands(loss, laws.chinchilla, draws, quantiles=(0.25, 0.5, 0.75))
        >>> [round(float(value), 3) for value in band.values]
        [2.027, 2.047, 2.067]
    """
    law = as_law(law)
    probabilities = check_probabilities(quantiles)
    params = check_params(law, draws)
    count = count_draws(params)
    batch = {k: v if jnp.ndim(v) else jnp.full(count, v) for k, v in params.items()}
    results = jax.vmap(lambda theta: plan_function(law, theta, *args, **kwargs))(batch)

    return bands_of(results, count, probabilities)


def bands_of(
    results: Any, count: int, probabilities: tuple[float, ...] = (0.05, 0.5, 0.95)
) -> Bands:
    """Quantiles of what a plan function returned for every draw.

    Args:
        results: with a leading axis of draws in every number, see :class:`Bands` for a ``status``.
        count: number of draws.
        probabilities: of the quantiles.
    """
    leaves, structure = jax.tree.flatten_with_path(results)
    summaries, statuses = [], []
    for path, leaf in leaves:
        if _is_status(path):
            statuses.append(is_optimum(leaf))
            summaries.append(_worst(leaf))
        else:
            summaries.append(_quantiles(leaf, probabilities))

    # Without a status, a draw counts as converged where all its numbers are numbers.
    converged = statuses or [~jnp.isnan(leaf) for _, leaf in leaves]
    every = functools.reduce(jnp.logical_and, converged)
    share = jnp.mean(every, axis=0, dtype=jnp.result_type(float))
    # XLA divides by multiplying with the reciprocal: all of 501 draws would be 1 - 1e-16 of them.
    exact_share = jnp.round(share * count) / count
    return Bands(probabilities, structure.unflatten(summaries), exact_share, count)


def _worst(status: jax.Array) -> jax.Array:
    """The highest code, those without an optimum first: (draws, …) → (…)."""
    codes = len(Status)
    return jnp.max(jnp.where(is_optimum(status), status, status + codes), axis=0) % codes


def _is_status(path: tuple[Any, ...]) -> bool:
    """Whether a leaf is the attribute or the entry ``status``."""
    if not path:
        return False
    return getattr(path[-1], "name", getattr(path[-1], "key", None)) == "status"


@functools.partial(jax.jit, static_argnums=1)
def _quantiles(values: jax.Array, probabilities: tuple[float, ...]) -> jax.Array:
    return quantiles_over_draws(inexact(values), probabilities)


def count_draws(params: Mapping[str, Any]) -> int:
    """Number of draws; 1 where all parameters are scalars.

    Raises:
        JscaleError: none, draws of unequal length or with more than one axis.
    """
    lengths = {}
    for name, value in params.items():
        if jnp.ndim(value) > 1:
            raise JscaleError(
                f"of {name} must have one axis, not shape {jnp.shape(value)}: join chains first",
                argument="draws",
            )
        if jnp.ndim(value):
            lengths.setdefault(np.shape(value)[0], name)

    if len(lengths) > 1:
        counts = ", ".join(f"{name} has {n}" for n, name in lengths.items())
        raise JscaleError(f"differ in length: {counts}", argument="draws")
    count = next(iter(lengths), 1)
    if count == 0:
        raise JscaleError("there are no draws")
    return count
