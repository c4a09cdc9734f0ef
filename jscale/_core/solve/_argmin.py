"""A minimum in a box that is differentiable by the implicit function theorem.

Derivatives of any order come from the condition that the gradient vanishes (``lax.custom_root``),
as those of :mod:`._root`.

Why it is not one of the other Newton methods: it needs no start (a scan of the box finds the
basin), its step is limited by a trust radius in units of the grid, and it ends at the smallest step
that the floating-point precision allows, in float32 as well. The other two (:mod:`._newton`,
:mod:`._newton_batched`) minimise without bounds from a given start, end on the predicted decrease,
and are not differentiable.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike

from jscale._core.solve._box_newton import descend_in_box
from jscale._core.solve._evaluation import scan_box
from jscale._core.solve._pieces import KINK_STEP, optimality
from jscale._core.status import Status

_PATTERN = {1: 9, 2: 5, 3: 3}
"""Points along each dimension of the search for a kink."""
_PATTERN_STEPS = 150
_PLATEAU = {"float32": 0.01, "float64": 0.002}
"""Distance, in grid spacings, over which a plateau is constant."""


@functools.partial(
    jax.tree_util.register_dataclass, data_fields=["x", "status"], meta_fields=["smooth"]
)
@dataclass(frozen=True)
class Minimum:
    """A minimum in a box.

    Attributes:
        x: (d,) the best point of the box.
        status: whether it is inside and smooth.
        smooth: whether it is known, when code is compiled, that the minimum is not at a kink.
    """

    x: jax.Array
    status: jax.Array
    smooth: bool = False


def argmin(
    function: Callable[[jax.Array], jax.Array],
    lower: ArrayLike,
    upper: ArrayLike,
    points: int | Sequence[int] = 64,
    known: Minimum | None = None,
    *,
    held: bool = False,
    kinks: bool = True,
) -> Minimum:
    """The minimum of ``function`` over a box of one to three dimensions.

    A scan of ``points`` per dimension finds the deepest basin, so that no start is needed; Newton's
    method with reflected negative curvature then converges to floating-point precision.
    ``function`` may be ``inf`` on a part of the box (outside its domain). Values that it closes
    over are differentiated through; entries whose Hessian is singular or not finite contribute
    nothing to a derivative.

    Args:
        function: (d,) → scalar, twice differentiable where finite.
        lower: (d,) lower corner.
        upper: (d,) upper corner.
        points: grid points of the scan, at least 2, per dimension or the same for all. The first
            dimension is evaluated as one array, the others one point after another: give the first
            the most points.
        known: the minimum, where an earlier call with the same numbers found it: only its
            derivatives are computed.
        held: whether the minimum is held when values change: it has no derivatives, and the code
            for them is not traced.
        kinks: whether to search for a kink or a plateau where Newton's method does not converge:
            a quarter of the time to compile, needed only where the status is ``not_converged``.

    Returns:
        The minimum, and ``Status.no_interior_optimum`` where the function decreases up to the edge
        of the box, ``Status.kink`` where a slope jumps at the minimum, ``Status.flat`` where it
        is one point of a plateau, and ``Status.not_converged`` where there is no minimum near the
        best point of the scan, or where the derivatives of ``function`` disagree with each other
        (underflow in float32). A jump of the second derivative alone is ``converged``. A kink
        moves with the pieces that meet there; at a jump of the function and on a plateau ``x`` is
        held: its derivatives are 0, which is exact where the place of the jump is given.
    """
    lower, upper = jnp.asarray(lower), jnp.asarray(upper)
    counts = (points,) * lower.shape[0] if isinstance(points, int) else tuple(points)
    spacing = (upper - lower) / (jnp.asarray(counts, lower.dtype) - 1)
    function = jax.jit(function)  # traced once, not once for each of its copies and loops

    def search() -> tuple[jax.Array, jax.Array]:
        box = lower, upper
        start = scan_box(function, *box, counts)[1]
        end = descend_in_box(function, start, spacing, box)
        return end if not kinks else _or_kink(function, start, end, spacing, box)

    if held:
        x, status = (known.x, known.status) if known is not None else search()
        return Minimum(*lax.stop_gradient((x, status.astype(jnp.int32))))

    size = lower.shape[0]
    # The status travels with x, because the conditions depend on it.
    start = Minimum(lower, jnp.asarray(0)) if known is None else lax.stop_gradient(known)
    initial = jnp.append(start.x, start.status.astype(lower.dtype))

    def solve(conditions: Callable, initial: jax.Array) -> jax.Array:
        if known is not None:
            return initial
        x, status = search()
        return jnp.concatenate([x, status[None]])

    def conditions(x_and_status: jax.Array) -> jax.Array:
        x, status = x_and_status[:size], x_and_status[size:]
        held = lax.stop_gradient(status)
        if start.smooth:
            slopes = jax.jacfwd(function)(x)
        else:
            slopes = optimality(function, x, held[0] == int(Status.kink), spacing)
        return jnp.concatenate([slopes, status - held])

    def tangent_solve(linear: Callable, y: jax.Array) -> jax.Array:
        unit = jnp.eye(size, size + 1, dtype=y.dtype)
        hessian = jax.vmap(lambda e: linear(e)[:size], out_axes=1)(unit)
        usable = jnp.all(jnp.isfinite(hessian)) & (jnp.linalg.det(hessian) != 0)
        hessian = jnp.where(usable, hessian, jnp.eye(size, dtype=y.dtype))
        x = y[:size] / hessian[0] if size == 1 else jnp.linalg.solve(hessian, y[:size])
        return jnp.concatenate([x, y[size:]])

    solved = lax.custom_root(conditions, initial, solve, tangent_solve)
    x, status = solved[:size], lax.stop_gradient(solved[size]).astype(jnp.int32)
    return Minimum(jnp.where(status == int(Status.flat), lax.stop_gradient(x), x), status)


def _or_kink(
    function: Callable,
    start: jax.Array,
    end: tuple[jax.Array, jax.Array],
    spacing: jax.Array,
    box: tuple[jax.Array, jax.Array],
) -> tuple[jax.Array, jax.Array]:
    """The end of Newton's method, or where it did not converge the result of :func:`_at_kink`.

    A loop of at most one step: where all entries converged, nothing else is evaluated.
    """
    needed = end[1] == int(Status.not_converged)

    def unfinished(state: tuple[jax.Array, ...]) -> jax.Array:
        return state[0]

    def search(state: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        _, x, status = state
        return jnp.asarray(False), *_at_kink(function, start, (x, status), spacing, box)

    _, x, status = lax.while_loop(unfinished, search, (needed, *end))
    return x, status


def _at_kink(
    function: Callable,
    start: jax.Array,
    end: tuple[jax.Array, jax.Array],
    spacing: jax.Array,
    box: tuple[jax.Array, jax.Array],
) -> tuple[jax.Array, jax.Array]:
    """The minimum by a search without derivatives, where Newton's method did not converge.

    It is accepted at a kink or on a plateau.

    A pattern of points about the best one so far, which shrinks whenever none of them is better;
    entries that converged take no step.
    """
    (x, status), (lower, upper) = end, box
    dtype, size = x.dtype, x.shape[0]
    eps = float(jnp.finfo(dtype).eps)
    failed = status == int(Status.not_converged)
    axes = [jnp.linspace(-1, 1, _PATTERN[size], dtype=dtype)] * size
    pattern = jnp.stack([a.ravel() for a in jnp.meshgrid(*axes, indexing="ij")], axis=1) * spacing

    def values_at(points: jax.Array) -> jax.Array:
        values = jax.vmap(function)(points)
        return jnp.where(jnp.isnan(values), jnp.inf, values)

    def unfinished(state: tuple[jax.Array, ...]) -> jax.Array:
        return failed & (state[2] > 8 * eps) & (state[3] < _PATTERN_STEPS)

    def advance(state: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        point, value, width, count = state
        points = jnp.clip(point + width * pattern, lower, upper)
        values = values_at(points)
        least = jnp.argmin(values)
        better = values[least] < value
        point = jnp.where(better, points[least], point)
        return point, jnp.where(better, values[least], value), width * 0.6, count + 1

    one = jnp.ones((), dtype)
    first = start, jnp.inf * one, one, jnp.asarray(0, jnp.int32)
    lowest, value, _, _ = lax.while_loop(unfinished, advance, first)

    # As one array: XLA compiles every copy of the function.
    steps, part = KINK_STEP * jnp.diag(spacing), _PLATEAU[dtype.name] * jnp.diag(spacing)
    whole = jnp.eye(size, dtype=bool)
    moves = jnp.concatenate([steps, -steps, 2 * steps, -2 * steps])
    sides = jnp.clip(jnp.concatenate([lowest + part, lowest - part]), lower, upper)
    ends = jnp.concatenate([jnp.where(whole, upper, lowest), jnp.where(whole, lower, lowest)])
    rises = values_at(jnp.concatenate([lowest + moves, sides, ends])) - value
    near, far, beside, at_ends = jnp.split(rises, 4)

    # A kink: the value rises in proportion to the distance on both sides of some axis.
    linear = (near > 0) & (near > 0.4 * far) & jnp.isfinite(far)
    kinked = jnp.any(linear[:size] & linear[size:]) & jnp.all(near > -8 * eps * jnp.abs(value))

    # A plateau: constant to rounding over a part of a grid spacing, with higher values at both ends
    # of the box.
    tolerance = 8 * eps * jnp.abs(value)
    is_level, is_enclosed = jnp.any(beside <= tolerance), jnp.all(at_ends > tolerance)

    inside = jnp.all((lowest > lower + 1e-3 * spacing) & (lowest < upper - 1e-3 * spacing))
    usable = failed & inside & jnp.isfinite(value) & (kinked | is_level)
    without_kink = jnp.where(is_enclosed, int(Status.flat), int(Status.no_interior_optimum))
    outcome = jnp.where(kinked, int(Status.kink), without_kink).astype(status.dtype)
    return jnp.where(usable, lowest, x), jnp.where(usable, outcome, status)
