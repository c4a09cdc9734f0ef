"""The discrepancy: its coordinates, its inducing points, and its Matérn-3/2 covariance."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.solve import inverse_cholesky

MAX_INDUCING = 40
"""Inducing points: with fewer different rows the process is exact."""
_DIGITS = 6
"""Decimals of a coordinate, in standard deviations, that make two rows different."""
_JITTER = 1e-8
"""Share of the variance that is added at inducing points, so that the Cholesky factor exists."""


def smooth_coordinates(
    names: Sequence[str], inputs: Mapping[str, Any], reference: Mapping[str, Any]
) -> np.ndarray:
    """Coordinates (points, dimensions) of a discrepancy.

    A coordinate is the log of an input, standardised by the runs, or the input itself where a run
    has none above zero. Bits are in logs too: more is lost from 4 to 3 bits than from 16 to 15. An
    infinite input counts as e times the largest finite one, or as one more where there is no log.

    Args:
        names: inputs of the law.
        inputs: input → (points,).
        reference: input → (rows,) of the runs.
    """
    return np.stack([_coordinate(inputs[name], reference[name]) for name in names], axis=1)


def _coordinate(values: Any, reference: Any) -> np.ndarray:
    values, reference = np.asarray(values, float), np.asarray(reference, float)
    is_log = bool((reference > 0).all())
    tiny = np.finfo(float).tiny  # the domain of the law excludes zero where the runs have logs
    transformed, base = (
        (np.log(np.maximum(x, tiny)) if is_log else x) for x in (values, reference)
    )
    finite = base[np.isfinite(base)]
    end = finite.max() + 1.0 if finite.size else 0.0
    transformed, base = (np.where(np.isposinf(x), end, x) for x in (transformed, base))
    return (transformed - base.mean()) / _spread(base)


def inducing_points(points: np.ndarray, limit: int = MAX_INDUCING) -> np.ndarray:
    """Different rows of ``points`` (rows, dimensions), at most ``limit``, far from each other.

    The first is the most central one, and each other the farthest from those before it.
    """
    different = np.unique(np.round(points, _DIGITS), axis=0)
    if len(different) <= limit:
        return different

    chosen = [int(np.argmin(((different - different.mean(axis=0)) ** 2).sum(axis=1)))]
    distance = ((different - different[chosen[0]]) ** 2).sum(axis=1)
    while len(chosen) < limit:
        farthest = int(np.argmax(distance))
        chosen.append(farthest)
        distance = np.minimum(distance, ((different - different[farthest]) ** 2).sum(axis=1))
    return different[chosen]


class LowRank(NamedTuple):
    """A covariance ``factor @ factor.T + diag(rest)``.

    Attributes:
        factor: (rows, points).
        rest: (rows,) variance that the inducing points do not explain (FITC).
    """

    factor: jax.Array
    rest: jax.Array


def correlation(distance: Any, length: Any) -> jax.Array:
    """Matérn-3/2 correlation at a distance."""
    scaled = jnp.sqrt(3.0) / length * distance
    return (1.0 + scaled) * jnp.exp(-scaled)


def low_rank(distances: Any, among: Any, scale: Any, length: Any) -> LowRank:
    """The covariance of the discrepancy at rows.

    The weights of the columns of ``factor`` are independent standard normals. At an inducing point
    the covariance is exact, and far from all of them ``rest`` is the whole variance.

    Args:
        distances: (rows, points) between rows and inducing points, in standard deviations of the
            inputs.
        among: (points, points) between inducing points.
        scale: standard deviation of the discrepancy.
        length: distance over which it varies.
    """
    identity = jnp.eye(among.shape[0])
    root = inverse_cholesky(correlation(among, length) + _JITTER * identity)
    factor = correlation(distances, length) @ root.T
    rest = jnp.maximum(1.0 - (factor**2).sum(axis=1), 0.0)
    return LowRank(scale * factor, scale**2 * rest)


def _spread(values: np.ndarray) -> float:
    """Standard deviation; 1 where all are equal."""
    deviation = float(values.std())
    return deviation if deviation > 0 else 1.0
