"""Predictions of new runs from posterior draws."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from jscale._core.checks import check_key
from jscale._core.scope import in_float64
from jscale.fit.errors import columns_needed
from jscale.fit.predictions import (
    Prediction,
    all_inputs,
    assemble,
    checked_columns,
    checked_inputs,
    law_values,
)

if TYPE_CHECKING:
    from jscale.fit.bayes._posterior import Posterior


@in_float64
def predict(
    posterior: "Posterior",
    inputs: Mapping[str, Any],
    *,
    key: jax.Array | None = None,
    columns: Mapping[str, np.ndarray] | None = None,
) -> np.ndarray:
    """Predicted loss at new inputs, one row per draw, in the unit of the data.

    :meth:`Posterior.predict` returns the same draws with where their band comes from, the distance
    from the runs and doubts.

    Args:
        posterior: draws.
        inputs: input name → array that broadcasts to (points,); inputs with a default may be left
            out.
        key: a JAX random key for the loss of a new run, noise included; None for the law's value.
        columns: other column of the error model → (points,): the groups or clusters of the new
            runs, and what the scale depends on. Without them a run is in a new group and in new
            clusters.

    Returns:
        (draws, points) losses.

    Raises:
        JscaleError: an input is unknown, missing or outside the domain of the law; a column of the
            scale that is missing, or columns that are not one value a point, or empty.

    Example:
        >>> import jax
        >>> from jscale import fit, laws, runs
        >>> D = [1e10] * 4 + [4e10] * 4 + [2e11] * 4 + [1e12] * 4
        >>> design = {"N": [1e8, 3e8, 1e9, 3e9] * 4, "D": D}
        >>> theta = laws.params(laws.chinchilla)
        >>> key = jax.random.key(0)
        >>> table = runs.simulate(laws.chinchilla, theta, design, noise=0.005, key=key)
        >>> settings = {"chains": 2, "warmup": 100, "draws": 100, "errors": "student"}
        >>> posterior = fit.posterior(laws.chinchilla, table, key=key, **settings)
        >>> loss = fit.predict(posterior, {"N": [1e10, 7e10], "D": [2e11, 1.4e12]})
        >>> loss.shape
        (200, 2)
        >>> [round(value, 1) for value in loss.mean(axis=0).tolist()]
        [2.1, 1.9]
    """
    if key is not None:
        return forecast(posterior, inputs, key=key, columns=columns).draws
    checked = checked_inputs(posterior.law, inputs)
    return law_values(posterior.law, posterior.draws, checked)


@in_float64
def forecast(
    posterior: "Posterior",
    inputs: Any,
    *,
    key: jax.Array,
    columns: Mapping[str, np.ndarray] | None = None,
) -> Prediction:
    """What :meth:`Posterior.predict` returns."""
    from jscale.fit.bayes._conditional import deviations

    check_key(key)
    checked = checked_inputs(posterior.law, inputs)
    every_input = all_inputs(posterior.law, checked)
    points = len(next(iter(every_input.values())))
    known = () if posterior.known_rows is None else posterior.known_rows.columns
    used = checked_columns(columns, columns_needed(posterior.errors, known), points)
    values = law_values(posterior.law, posterior.draws, checked)
    return assemble(
        posterior.law,
        checked,
        values,
        deviations(posterior, every_input, key, used),
        ranges=posterior.ranges,
        notes=posterior.notes,
        additive=posterior.errors.additive,
    )
