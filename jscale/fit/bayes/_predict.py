"""Predictions of new runs from posterior draws."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.scope import in_float64
from jscale.fit.bayes._noise import NOISE, STUDENT_NU
from jscale.fit.bayes._posterior import Posterior
from jscale.laws import describe

if TYPE_CHECKING:
    pass


_PREDICT_CELLS = 4_000_000
"""Largest number of (draw, point) losses computed at once: 32 MB each for a handful of temporaries."""


@in_float64
def predict(
    posterior: Posterior, inputs: Mapping[str, Any], *, key: jax.Array | None = None
) -> np.ndarray:
    """Loss at new inputs, one row a draw.

    Args:
        posterior: draws.
        inputs: input name → array that broadcasts to (points,); inputs with a default may be left
            out.
        key: with a key, a new run's loss, noise included; without, the law's own value.

    Returns:
        (draws, points) losses in nats per token.

    Raises:
        JscaleError: an input is unknown or missing.
    """
    record = describe(posterior.law)
    missing = {i.name for i in record.inputs if i.default is None} - set(inputs)
    if missing or set(inputs) - set(record.input_names):
        raise JscaleError(
            f"law {record.name!r} takes {', '.join(record.input_names)}; got {', '.join(inputs) or 'nothing'}"
        )
    columns = dict(
        zip(
            inputs,
            np.broadcast_arrays(*(np.atleast_1d(np.asarray(v, float)) for v in inputs.values())),
            strict=True,
        )
    )
    points = len(next(iter(columns.values())))
    evaluate = jax.jit(jax.vmap(lambda theta: posterior.law(**columns, **theta)))
    size = max(1, _PREDICT_CELLS // points)
    total = len(posterior.diverging)
    parts = [
        np.asarray(evaluate({k: jnp.asarray(v[i : i + size]) for k, v in posterior.draws.items()}))
        for i in range(0, total, size)
    ]
    loss = np.concatenate(parts)
    if key is None:
        return loss
    noise = np.asarray(jax.random.t(key, STUDENT_NU, loss.shape))
    return loss * np.exp(posterior.noise[NOISE][:, None] * noise)
