"""Uncertainty of a plan: draws of the parameters pushed through it."""

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
from jscale._core.status import Status
from jscale.laws import LawFunction
from jscale.plan.problem import check_params


@functools.partial(
    jax.tree_util.register_dataclass, data_fields=["values", "converged"], meta_fields=["quantiles"]
)
@dataclass(frozen=True)
class Bands:
    """Quantiles of a plan over draws.

    Attributes:
        quantiles: the probabilities, in the order of the leading axis of ``values``.
        values: what the plan function returns, every number with a leading axis of quantiles; a
            ``status`` is the highest code among the draws, without that axis.
        converged: share of the draws that converged; the quantiles are those of the draws that have
            a number.
    """

    quantiles: tuple[float, ...]
    values: Any
    converged: jax.Array


def bands(
    plan_function: Callable[..., Any],
    law: LawFunction,
    draws: Mapping[str, ArrayLike],
    *args: Any,
    quantiles: Sequence[float] = (0.05, 0.5, 0.95),
    **kwargs: Any,
) -> Bands:
    """The quantiles of ``plan_function(law, params, *args, **kwargs)`` over draws of the
    parameters.

    Any function of a law and its parameters will do, so that a band is one of the quantity asked
    for. The tokens per parameter of a plan have another band than that of ``D_opt`` divided by that
    of ``N_opt``:

        def ratio(law, params, budget):
            best = plan.optimal(law, params, budget)
            return best.D_opt / best.N_opt

        plan.bands(ratio, laws.chinchilla, posterior.draws, 1e24)

    A draw without a number (NaN: its plan did not converge) is left out of the quantiles and lowers
    ``converged``; look at that share before trusting the band. An infinite value (``D_crit`` where
    more data never hurts) is an answer: it stays in the quantiles as the largest number, although
    its status counts as not converged. Where no draw has a number the band is NaN. Quantiles
    interpolate linearly between draws.

    Args:
        plan_function: for example :func:`~jscale.plan.optimal`; called once, under ``vmap``.
        law: the law.
        draws: parameter → (draws,) or scalar; scalars alone are a single draw.
        *args: passed on: a budget of any shape adds its axes after that of the quantiles.
        quantiles: probabilities between 0 and 1.
        **kwargs: passed on.

    Raises:
        JscaleError: a probability out of range, draws of unequal length or with more than one axis,
            or whatever the plan function objects to.
    """
    probabilities = tuple(float(q) for q in quantiles)
    if not probabilities or not all(0 <= q <= 1 for q in probabilities):
        raise JscaleError(f"quantiles must be probabilities between 0 and 1, not {quantiles!r}")
    params = check_params(law, draws)
    count = _count_draws(params)
    batch = {k: v if jnp.ndim(v) else jnp.full(count, v) for k, v in params.items()}
    results = jax.vmap(lambda theta: plan_function(law, theta, *args, **kwargs))(batch)
    leaves, structure = jax.tree.flatten_with_path(results)
    shown, statuses = [], []
    for path, leaf in leaves:
        if path and getattr(path[-1], "name", getattr(path[-1], "key", None)) == "status":
            statuses.append(leaf == int(Status.converged))
            shown.append(jnp.max(leaf, axis=0))
        else:
            shown.append(_quantiles(leaf, probabilities))
    good = statuses or [~jnp.isnan(leaf) for _, leaf in leaves]
    share = jnp.mean(functools.reduce(jnp.logical_and, good), axis=0, dtype=jnp.result_type(float))
    # XLA divides by multiplying with the reciprocal, and all of 501 draws would be 1 - 1e-16 of
    # them.
    converged = jnp.round(share * count) / count
    return Bands(probabilities, structure.unflatten(shown), converged)


def _count_draws(params: Mapping[str, Any]) -> int:
    lengths = {}
    for name, value in params.items():
        if jnp.ndim(value) > 1:
            raise JscaleError(
                f"draws of {name} must have one axis, not shape {jnp.shape(value)}: join chains first"
            )
        if jnp.ndim(value):
            lengths.setdefault(np.shape(value)[0], name)
    if len(lengths) > 1:
        raise JscaleError(
            "draws differ in length: " + ", ".join(f"{name} has {n}" for n, name in lengths.items())
        )
    count = next(iter(lengths), 1)
    if count == 0:
        raise JscaleError("there are no draws")
    return count


@functools.partial(jax.jit, static_argnums=1)
def _quantiles(values: jax.Array, probabilities: tuple[float, ...]) -> jax.Array:
    """(draws, …) → (quantiles, …), of the entries that are not NaN; infinite ones are ordered like
    the others.
    """
    values = inexact(values)
    ordered = jnp.sort(values, axis=0)  # NaN last
    last = jnp.sum(~jnp.isnan(values), axis=0) - 1
    rows = []
    for q in probabilities:
        position = q * last.astype(values.dtype)
        below = jnp.clip(jnp.floor(position).astype(last.dtype), 0, None)
        above = jnp.clip(below + 1, 0, jnp.maximum(last, 0))
        low = jnp.take_along_axis(ordered, below[None], axis=0)[0]
        high = jnp.take_along_axis(ordered, above[None], axis=0)[0]
        part = position - below.astype(values.dtype)
        between = (low != high) & (part > 0)  # else inf - inf
        rows.append(jnp.where(between, low + part * jnp.where(between, high - low, 0.0), low))
    return jnp.stack(rows)
