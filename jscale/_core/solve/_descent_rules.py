"""What :mod:`._newton` and :mod:`._newton_batched` share: when a descent ends, and its dampings."""

import jax
import jax.numpy as jnp

ROUNDING_SHARE = 1e-10
"""A step that predicts a decrease below this share of the objective, and then fails to decrease it,
ends a descent: it has reached floating-point precision."""
DAMPING_MIN, DAMPING_MAX = 1e-15, 1e12
"""In units of the scaled curvature. Above the largest damping no step is left to try."""


def is_negligible(
    predicted: jax.Array, value: jax.Array, resolution: jax.Array | float, share: jax.Array | float
) -> jax.Array:
    """Whether a predicted decrease no longer matters to an objective.

    Args:
        predicted: decrease of the objective that a step predicts.
        value: the objective.
        resolution: absolute decrease that does not matter.
        share: relative decrease that does not matter.
    """
    return predicted <= resolution + share * jnp.abs(value)


def decreased_damping(damping: jax.Array, factor: float) -> jax.Array:
    """The damping after a step that decreased the objective."""
    return jnp.maximum(damping * factor, DAMPING_MIN)
