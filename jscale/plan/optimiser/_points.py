"""Points without derivatives of the objective: a lattice over the box, a pattern that shrinks."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jscale.plan.optimiser._problem import Scaled, lattice

SCAN_POINTS = 64
"""Points of the scan for every variable."""
_ROW = 16
"""Of them, that are evaluated together: memory stays small under ``vmap``."""
_SWEEPS = 3
"""Projections of a point onto each constraint in turn."""
_NEAR = 1e-3
"""Relative violation of a constraint that a start may have."""
_PATTERN_POINTS = 32
"""Points of the pattern for every variable."""
_SHRINKING, _STEPS = 0.7, 120
"""Of the pattern: from a spacing of the scan to rounding."""
_KINK_STEP = 1e-5
"""Distance, in spacings of the scan, over which a kink shows: at twice the distance a parabola
rises four times as much, a kink twice as much."""


class Point(NamedTuple):
    """A point on the constraints, the scaled objective there, and the largest violation."""

    x: jax.Array
    value: jax.Array
    violation: jax.Array


def scan(scaled: Scaled) -> Point:
    """The best point of a lattice, each point projected onto the constraints."""
    lower, upper = scaled.box()
    n, equalities = lower.shape[0], scaled.problem.equalities
    count = SCAN_POINTS * max(n - sum(equalities), 1)
    points = lower + lattice(count, n, lower.dtype) * (upper - lower)

    def row(best: Point, points: jax.Array) -> tuple[Point, None]:
        found = _best(_projected(scaled, points), _NEAR)
        both = jax.tree.map(lambda a, b: jnp.stack([a, b]), best, found)
        return _best(both, _NEAR), None

    infinite = jnp.asarray(jnp.inf, lower.dtype)
    nowhere = Point(points[0], infinite, infinite)
    return lax.scan(row, nowhere, points.reshape(-1, _ROW, n))[0]


def pattern_search(
    scaled: Scaled, start: jax.Array, needed: jax.Array, tolerance: float
) -> tuple[Point, jax.Array]:
    """The best point about a start without derivatives of the objective; and whether it is a kink.

    A pattern of points, each projected onto the constraints, shrinks about the best one so far.

    Args:
        scaled: the problem.
        start: (n,) the best point of the scan.
        needed: whether to take any step.
        tolerance: largest violation of a constraint.
    """
    (lower, upper), n, dtype = scaled.box(), start.shape[0], start.dtype
    eps = float(jnp.finfo(dtype).eps)
    spacing = (upper - lower) * (SCAN_POINTS * n) ** (-1 / max(n, 1))
    axes = jnp.eye(n, dtype=dtype)
    spread = 2 * lattice(_PATTERN_POINTS * n, n, dtype) - 1
    pattern = jnp.concatenate([0 * axes[:1], axes, -axes, spread]) * spacing

    def unfinished(state: tuple[Point, jax.Array]) -> jax.Array:
        return needed & (state[1] < _STEPS)

    def advance(state: tuple[Point, jax.Array]) -> tuple[Point, jax.Array]:
        best, count = state
        width = 2 * _SHRINKING ** count.astype(dtype)
        points = jnp.clip(best.x + width * pattern, lower, upper)
        return _best(_projected(scaled, points), tolerance), count + 1

    infinite = jnp.asarray(jnp.inf, dtype)
    first = Point(start, infinite, infinite), jnp.asarray(0, jnp.int32)
    lowest = lax.while_loop(unfinished, advance, first)[0]

    # A kink: the value rises in proportion to the distance on both sides of some axis.
    steps = _KINK_STEP * spacing * axes
    around = jnp.concatenate([steps, -steps, 2 * steps, -2 * steps])
    sides = _projected(scaled, jnp.clip(lowest.x + around, lower, upper))
    rises = jnp.where(sides.violation <= tolerance, sides.value - lowest.value, jnp.inf)
    near, far = rises[: 2 * n], rises[2 * n :]
    linear = (near > 0) & (near > 0.4 * far) & jnp.isfinite(far)
    kinked = jnp.any(linear[:n] & linear[n:]) & jnp.all(near > -8 * eps * jnp.abs(lowest.value))
    return lowest, kinked & (lowest.violation <= tolerance) & jnp.isfinite(lowest.value)


def _projected(scaled: Scaled, points: jax.Array) -> Point:
    """The points (k, n) projected onto the constraints; infinite outside of the domain.

    In scalars: of arrays of coordinates, XLA computes every entry again from the start.
    """
    lower, upper = scaled.box()
    equalities = scaled.problem.equalities
    axes = [tuple(axis) for axis in jnp.eye(len(lower), dtype=lower.dtype)]

    def project(x: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        for j, equality in enumerate(equalities, start=1):
            pairs = [jax.jvp(lambda *x, j=j: scaled.rows(jnp.stack(x))[j], x, e) for e in axes]
            c, slopes = pairs[0][0], [slope for _, slope in pairs]
            size = sum(slope**2 for slope in slopes)
            needed = jnp.isfinite(c) & jnp.isfinite(size) & (equality | (c > 0))
            share = jnp.where(needed, c / jnp.maximum(size, 1e-12), 0.0)
            moves = [jnp.where(needed, share * slope, 0.0) for slope in slopes]
            x = tuple(map(jnp.clip, map(jnp.subtract, x, moves), lower, upper))
        return x

    def at(x: jax.Array) -> Point:
        if equalities:
            x = jnp.stack(lax.fori_loop(0, _SWEEPS, lambda _, y: project(y), tuple(x)))
        rows = scaled.residuals(x)
        c = rows[1:]
        excess = jnp.where(jnp.asarray(equalities, bool), jnp.abs(c), jnp.maximum(c, 0.0))
        violation = jnp.max(excess, initial=0.0)
        bad = ~(jnp.isfinite(rows[0]) & jnp.isfinite(violation))
        return Point(x, jnp.where(bad, jnp.inf, rows[0]), jnp.where(bad, jnp.inf, violation))

    return jax.vmap(at)(points)


def _best(points: Point, tolerance: float) -> Point:
    """The least value of the points on the constraints; the least violation where none is."""
    feasible = points.violation <= tolerance
    rank = jnp.where(feasible, points.value, jnp.inf)
    rank = jnp.where(jnp.any(feasible), rank, points.violation)
    best = jnp.argmin(rank)
    return Point(points.x[best], points.value[best], points.violation[best])
