"""Coordinates about the conditional modes along a ridge, for every sampler.

The first coordinate moves along the ridge by the quantiles of a distribution that is known
roughly; the others are whitened about their conditional mode, given the first. A posterior that
bends along the ridge, or has a long tail there, is close to a standard normal in them.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.interpolate import PchipInterpolator

KNOTS, REACH = 41, 5.0
"""Knots of the interpolation, at equal distances from minus to plus so many standard normals."""
_SPACING = 2 * REACH / (KNOTS - 1)


class Transport(NamedTuple):
    """A map from standard coordinates to values of the sampler.

    Attributes:
        places: (size,) of each value of the sampler, the place of its coordinate: that along the
            ridge is the first.
        values: (knots, columns) at each knot of the first coordinate: the value along the ridge;
            the conditional mode of the others; the logs of the diagonal of the lower root of their
            conditional covariance; and its rows below the diagonal, over that diagonal.
        slopes: (knots, columns) derivatives of these.
    """

    places: jax.Array
    values: jax.Array
    slopes: jax.Array


def identity(size: int, index: int) -> Transport:
    """The transport whose coordinates are the values of the sampler, in another order.

    Args:
        size: number of values.
        index: of the value along the ridge.
    """
    columns = np.zeros((KNOTS, 2 * size - 1 + (size - 1) * (size - 2) // 2))
    slopes = columns.copy()
    columns[:, 0], slopes[:, 0] = knots(), 1.0
    return Transport(_places(size, index), jnp.asarray(columns), jnp.asarray(slopes))


def knots() -> np.ndarray:
    """Standard normals (KNOTS,) at which a transport is known."""
    return np.linspace(-REACH, REACH, KNOTS)


def transport_of(index: int, along: np.ndarray, modes: np.ndarray, roots: np.ndarray) -> Transport:
    """The transport through conditional modes.

    Args:
        index: of the value along the ridge among those of the sampler.
        along: (KNOTS,) that value at each knot.
        modes: (KNOTS, others) conditional modes of the other values, in their order.
        roots: (KNOTS, others, others) lower roots of their conditional covariances.
    """
    others = modes.shape[1]
    diagonal = np.diagonal(roots, axis1=1, axis2=2)
    rows, columns = np.tril_indices(others, -1)
    below = roots[:, rows, columns] / diagonal[:, rows]
    values = np.concatenate([along[:, None], modes, np.log(diagonal), below], axis=1)
    slopes = PchipInterpolator(knots(), values)(knots(), nu=1)
    return Transport(_places(others + 1, index), jnp.asarray(values), jnp.asarray(slopes))


def transported(transport: Transport, z: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Values of the sampler (size,) of coordinates (size,), and the log of the Jacobian."""
    size, first = len(z), z[0]
    inside = jnp.clip(first, -REACH, REACH)
    passed = (inside + REACH) / _SPACING
    whole = jnp.clip(jnp.floor(passed), 0, KNOTS - 2)
    share, knot = passed - whole, whole.astype(int)
    of_value, of_slope = _hermite(share)
    before, after = transport.values[knot], transport.values[knot + 1]
    slopes = _SPACING * transport.slopes[knot], _SPACING * transport.slopes[knot + 1]
    row = before + of_value * (after - before) + of_slope[0] * slopes[0] + of_slope[1] * slopes[1]

    # Beyond the last knots the first value moves on, and the conditional mode stays.
    steepness = _steepness(share, (after - before)[0], slopes[0][0], slopes[1][0]) / _SPACING
    along = row[0] + steepness * (first - inside)
    log_widths, below = row[size : 2 * size - 1], row[2 * size - 1 :]
    sheared = jnp.eye(size - 1).at[np.tril_indices(size - 1, -1)].set(below) @ z[1:]
    others = row[1:size] + jnp.exp(log_widths) * sheared
    values = jnp.concatenate([along[None], others])
    return values[transport.places], jnp.log(steepness) + log_widths.sum()


def _places(size: int, index: int) -> jax.Array:
    order = [index, *(i for i in range(size) if i != index)]
    return jnp.asarray(np.argsort(order))


def _hermite(share: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    """The factors of the rise between two knots and of both slopes, in a cubic between them."""
    rise = share**2 * (3 - 2 * share)
    return rise, (share * (1 - share) ** 2, share**2 * (share - 1))


def _steepness(share: jax.Array, rise: jax.Array, first: jax.Array, second: jax.Array) -> jax.Array:
    """The derivative of a cubic by the share of the way between two knots."""
    own = 6 * share * (1 - share) * rise
    return own + (1 - share) * (1 - 3 * share) * first + share * (3 * share - 2) * second
