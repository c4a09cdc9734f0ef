"""Predictions of new runs from posterior draws."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.scope import in_float64
from jscale._core.text import enumerated
from jscale.fit.bayes._noise import NOISE
from jscale.fit.bayes._posterior import Posterior
from jscale.fit.objective import STUDENT_NU
from jscale.laws import describe

_CHUNK_LOSSES = 4_000_000
"""Losses (draws times points) computed at once: 32 MB for each of a few temporaries."""


@in_float64
def predict(
    posterior: Posterior, inputs: Mapping[str, Any], *, key: jax.Array | None = None
) -> np.ndarray:
    """Predicted loss at new inputs, one row per draw, in the unit of the data.

    Args:
        posterior: draws.
        inputs: input name → array that broadcasts to (points,); inputs with a default may be left
            out.
        key: a JAX random key for the loss of a new run, noise included; None for the law's value.

    Returns:
        (draws, points) losses.

    Raises:
        JscaleError: an input is unknown or missing.

    Example:
        >>> import jax
        >>> from jscale import fit, laws, runs
        >>> D = [1e10] * 4 + [4e10] * 4 + [2e11] * 4 + [1e12] * 4
        >>> design = {"N": [1e8, 3e8, 1e9, 3e9] * 4, "D": D}
        >>> theta = laws.params(laws.chinchilla)
        >>> key = jax.random.key(0)
        >>> table = runs.simulate(laws.chinchilla, theta, design, noise=0.005, key=key)
        >>> settings = {"chains": 2, "warmup": 100, "draws": 100}
        >>> posterior = fit.posterior(laws.chinchilla, table, key=key, **settings)
        >>> loss = fit.predict(posterior, {"N": [1e10, 7e10], "D": [2e11, 1.4e12]})
        >>> loss.shape
        (200, 2)
        >>> [round(value, 1) for value in loss.mean(axis=0).tolist()]
        [2.1, 1.9]
    """
    record = describe(posterior.law)
    required = {i.name for i in record.inputs if i.default is None}
    if required - set(inputs) or set(inputs) - set(record.input_names):
        names = enumerated(inputs)
        expected = enumerated(record.input_names)
        raise JscaleError(f"law {record.name!r} takes {expected}; got {names}")

    arrays = np.broadcast_arrays(*(np.atleast_1d(np.asarray(v, float)) for v in inputs.values()))
    columns = dict(zip(inputs, arrays, strict=True))
    points = len(arrays[0])

    # Chunks of draws, so that many points do not exhaust the memory.
    evaluate = jax.jit(jax.vmap(lambda theta: posterior.law(**columns, **theta)))
    size = max(1, _CHUNK_LOSSES // points)
    parts = []
    for first in range(0, len(posterior.diverging), size):
        draws = {k: jnp.asarray(v[first : first + size]) for k, v in posterior.draws.items()}
        parts.append(np.asarray(evaluate(draws)))
    loss = np.concatenate(parts)
    if key is None:
        return loss

    noise = np.asarray(jax.random.t(key, STUDENT_NU, loss.shape))
    return loss * np.exp(posterior.noise[NOISE][:, None] * noise)
