"""Symmetric integer quantisation by the largest magnitude, with straight-through gradients."""

import jax
import jax.numpy as jnp
import numpy as np

OFF = 16.0
"""Bits from which on a tensor is not quantised."""


def fake_quantise(x: jax.Array, bits: jax.Array, axis: int | None = None) -> jax.Array:
    """``x`` rounded to ``2**bits - 1`` evenly spaced values, with the gradient of the identity.

    The integers run from ``-L`` to ``L`` with ``L = 2**(bits - 1) - 1``; the step is the largest
    magnitude over ``L``, so nothing is clipped.

    Args:
        x: any shape.
        bits: a scalar; traced, so that one compiled program serves every setting. 16 or more: ``x``
            itself.
        axis: the axis that shares one step; None: the whole tensor shares one.

    Returns:
        An array of the shape of ``x``.
    """
    step = jnp.max(jnp.abs(x), axis=axis, keepdims=True) / (2.0 ** (bits - 1.0) - 1.0)
    step = jnp.where(step > 0, step, 1.0)
    rounded = jnp.round(x / step) * step
    return jnp.where(bits >= OFF, x, x + jax.lax.stop_gradient(rounded - x))


def steps(weights: np.ndarray, bits: int) -> np.ndarray:
    """The step of each output channel, shape (1, outputs); a channel of zeros has step 1."""
    step = np.max(np.abs(weights), axis=0, keepdims=True) / (2 ** (bits - 1) - 1)
    return np.where(step > 0, step, 1.0)


def round_to_nearest(weights: np.ndarray, bits: int) -> np.ndarray:
    """Weights (inputs, outputs), rounded to the ``2**bits - 1`` values of their output channel."""
    if bits >= OFF:
        return weights
    step = steps(weights, bits)
    return (np.round(weights / step) * step).astype(weights.dtype)


def gptq(weights: np.ndarray, gram: np.ndarray, bits: int, damping: float = 0.01) -> np.ndarray:
    """Weights rounded one input at a time, with each error compensated by the remaining inputs.

    Minimises ``trace((W - Q)^T G (W - Q))`` greedily (Frantar et al. 2022, arXiv 2210.17323,
    algorithm 1, without
    blocks: the matrices are small).

    Args:
        weights: (inputs, outputs).
        gram: (inputs, inputs), the sum of ``x x^T`` over calibration inputs.
        bits: of the result; the steps are those of `round_to_nearest`.
        damping: this part of the mean of the diagonal is added to the diagonal.

    Returns:
        Weights on the same grid as `round_to_nearest`, clipped to its ends.
    """
    size = len(gram)
    mean = float(np.mean(np.diag(gram)))
    damped = gram.astype(np.float64) + np.eye(size) * (damping * mean if mean > 0 else 1.0)
    # Row i of the upper factor of the inverse: how inputs i+1 ... compensate an error in input i.
    factor = np.linalg.cholesky(np.linalg.inv(damped)).T
    step, top = steps(weights, bits), 2 ** (bits - 1) - 1
    free = weights.astype(np.float64).copy()
    for i in range(size):
        rounded = np.clip(np.round(free[i] / step[0]), -top, top) * step[0]
        error = (free[i] - rounded) / factor[i, i]
        free[i] = rounded
        free[i + 1 :] -= np.outer(factor[i, i + 1 :], error)
    return free.astype(weights.dtype)
