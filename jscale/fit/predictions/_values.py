"""The law's value at points, for draws of its parameters, and its derivatives."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.programs import program
from jscale.fit.objective import pad, padded_size
from jscale.fit.predictions._inputs import all_inputs
from jscale.laws import LawFunction
from jscale.laws.declaration import held_form

_CHUNK_LOSSES = 4_000_000
"""Losses (draws times points) computed at once: 32 MB for each of a few temporaries."""


def law_values(
    law: LawFunction, draws: Mapping[str, np.ndarray], columns: Mapping[str, np.ndarray]
) -> np.ndarray:
    """The law at every point for every draw of its parameters, (draws, points); in float64.

    Args:
        law: a declared law.
        draws: parameter → (draws,).
        columns: input → (points,); one with a default may be left out.
    """
    form = held_form(law)
    inputs = all_inputs(law, columns)
    points = len(next(iter(inputs.values())))
    padded = {name: pad(column, padded_size(points)) for name, column in inputs.items()}

    # Chunks of draws, so that many points do not exhaust the memory.
    count = len(next(iter(draws.values())))
    size = max(1, _CHUNK_LOSSES // padded_size(points))
    values = np.empty((count, points))
    for first in range(0, count, size):
        chunk = {name: np.asarray(x[first : first + size]) for name, x in draws.items()}
        losses = np.asarray(_values(form.law, padded, form.values, chunk))
        values[first : first + size] = losses[:, :points]
    return values


@program("law")
def _values(
    law: LawFunction,
    inputs: Mapping[str, Any],
    held: Mapping[str, Any],
    draws: Mapping[str, Any],
) -> Any:
    shape = next(iter(inputs.values())).shape
    return jax.vmap(lambda theta: jnp.broadcast_to(law(**inputs, **held, **theta), shape))(draws)


def value_and_gradient(
    law: LawFunction, params: Mapping[str, float], columns: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """The law at every point (points,), and its derivative by every parameter (points, k)."""
    form = held_form(law)
    inputs = all_inputs(law, columns)
    points = len(next(iter(inputs.values())))
    padded = {name: pad(column, padded_size(points)) for name, column in inputs.items()}
    theta = {name: jnp.asarray(value) for name, value in params.items()}
    value, gradient = _value_and_gradient(form.law, padded, form.values, theta)
    columns_of_gradient = [np.asarray(gradient[name])[:points] for name in params]
    return np.asarray(value)[:points], np.stack(columns_of_gradient, axis=1)


@program("law")
def _value_and_gradient(
    law: LawFunction,
    inputs: Mapping[str, Any],
    held: Mapping[str, Any],
    params: Mapping[str, Any],
) -> Any:
    shape = next(iter(inputs.values())).shape

    def value(theta: Mapping[str, Any]) -> Any:
        return jnp.broadcast_to(law(**inputs, **held, **theta), shape)

    return value(params), jax.jacfwd(value)(params)
