"""Newton's method on the optimality conditions, with an active set of bounds and constraints."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jscale.plan.optimiser._linear import reflected_solve
from jscale.plan.optimiser._problem import Scaled

STEPS = 60
_LARGEST_STEP = 4.0
"""Of a coordinate: a factor of 55 in a variable."""
_WEIGHT = 10.0
"""Weight of the constraints' squares in the Hessian, relative to its largest entry."""


class Active(NamedTuple):
    """Which conditions hold with equality.

    Attributes:
        side: (n,) -1 at the lower bound, 1 at the upper one, 0 inside.
        constraints: (m,) whether each constraint holds with equality.
    """

    side: jax.Array
    constraints: jax.Array


class State(NamedTuple):
    """A point with its multipliers, and how the method goes on."""

    x: jax.Array
    multipliers: jax.Array
    moved: jax.Array
    radius: jax.Array
    count: jax.Array
    convex: jax.Array
    """Smallest pivot of the reduced Hessian at the point before this one."""


class Derivatives(NamedTuple):
    """Objective (scalar), constraints (m,), and their first and second derivatives."""

    value: jax.Array
    gradient: jax.Array
    constraints: jax.Array
    jacobian: jax.Array
    hessians: jax.Array
    """(1 + m, n, n), the objective first."""


def derivatives(scaled: Scaled, x: jax.Array) -> Derivatives:
    """All that a step needs, in forward mode: there are few variables."""

    def first(x: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        def twice(x: jax.Array) -> tuple[jax.Array, jax.Array]:
            rows = scaled.residuals(x)
            return rows, rows

        slopes, rows = jax.jacfwd(twice, has_aux=True)(x)
        return slopes, (slopes, rows)

    hessians, (slopes, rows) = jax.jacfwd(first, has_aux=True)(x)
    return Derivatives(rows[0], slopes[0], rows[1:], slopes[1:], hessians)


def active_set(
    x: jax.Array,
    multipliers: jax.Array,
    box: tuple[jax.Array, jax.Array],
    at: Derivatives,
    equalities: jax.Array,
) -> Active:
    """The bounds that the Lagrangian pushes against, and the constraints that bind."""
    lower, upper = box
    push = at.gradient + multipliers @ at.jacobian
    side = jnp.where((x <= lower) & (push > 0), -1, 0).astype(jnp.int32)
    side = jnp.where((x >= upper) & (push < 0), jnp.ones_like(side), side)
    return Active(side, equalities | (multipliers + at.constraints > 0))


def newton(scaled: Scaled, x: jax.Array, multipliers: jax.Array) -> State:
    """Steps until one is too small to matter, at most :data:`STEPS`."""
    dtype, box = x.dtype, scaled.box()
    eps = float(jnp.finfo(dtype).eps)
    small = eps**0.5
    equalities = jnp.asarray(scaled.problem.equalities, bool)
    lower, upper = box

    def merit(rows: jax.Array, weight: jax.Array) -> jax.Array:
        excess = jnp.where(equalities, jnp.abs(rows[1:]), jnp.maximum(rows[1:], 0.0))
        return rows[0] + weight * jnp.sum(excess)

    def unfinished(state: State) -> jax.Array:
        return (state.moved > small) & (state.radius > small) & (state.count < STEPS)

    def advance(state: State) -> State:
        at = derivatives(scaled, state.x)
        active = active_set(state.x, state.multipliers, box, at, equalities)

        def share_of(move: jax.Array) -> jax.Array:
            """The part of a step within the trust radius."""
            return jnp.minimum(1.0, state.radius / jnp.maximum(jnp.max(jnp.abs(move)), eps))

        # A bound or a constraint that the step would exceed holds in the second step.
        def step(_: int, carry: tuple[Any, ...]) -> tuple[Any, ...]:
            move, multipliers, pivot = _step(state, at, carry[0], box)
            part = share_of(move) * move
            outside = (state.x + part < lower) | (state.x + part > upper)
            side = jnp.where(outside, jnp.sign(move).astype(jnp.int32), active.side)
            reached = at.constraints + at.jacobian @ part
            return Active(side, active.constraints | (reached > small)), move, multipliers, pivot

        first = active, state.x, state.multipliers, state.convex
        _, move, multipliers, pivot = lax.fori_loop(0, 2, step, first)

        # Cut to the trust radius and to the box.
        length = jnp.max(jnp.abs(move))
        move = share_of(move) * move
        new = jnp.clip(state.x + move, lower, upper)

        # Accept what does not raise the exact penalty by more than rounding.
        weight = 2 * jnp.max(jnp.abs(multipliers), initial=0.0) + 1e-3
        rows = jnp.concatenate([at.value[None], at.constraints])
        before, after = merit(rows, weight), merit(scaled.residuals(new), weight)
        accept = (after <= before + 8 * eps * jnp.abs(before)) | (length <= small)
        accept &= jnp.isfinite(after) & jnp.all(jnp.isfinite(new))
        moved = jnp.where(accept, jnp.max(jnp.abs(new - state.x)), jnp.inf)
        # Without a constraint that pulls the wrong way the objective falls further.
        pulls = jnp.any(~equalities & (multipliers < -0.5 * small))
        moved = jnp.where((length > 2 * state.radius) | pulls, jnp.maximum(moved, 1.0), moved)
        return State(
            x=jnp.where(accept, new, state.x),
            multipliers=jnp.where(jnp.isfinite(multipliers), multipliers, state.multipliers),
            moved=moved,
            radius=jnp.where(
                accept, jnp.minimum(2 * state.radius, _LARGEST_STEP), 0.25 * state.radius
            ),
            count=state.count + 1,
            convex=pivot,
        )

    one = jnp.ones((), dtype)
    start = State(x, multipliers, one * jnp.inf, one, jnp.asarray(0, jnp.int32), one)
    return lax.while_loop(unfinished, advance, start)


def _step(
    state: State, at: Derivatives, active: Active, box: tuple[jax.Array, jax.Array]
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The Newton step, the multipliers there, and the smallest pivot of the Hessian.

    Variables that a bound holds go there. With ``K = H + w A'A`` on the others and A the rows of
    the active constraints: ``K d + A' l = -g`` and ``A d = -c``.
    """
    n, m = at.gradient.shape[0], at.constraints.shape[0]
    inside = active.side == 0
    binding = active.constraints
    to_bound = jnp.where(inside, 0.0, jnp.where(active.side < 0, *box) - state.x)
    A = jnp.where(binding[:, None] & inside[None, :], at.jacobian, 0.0)
    c = jnp.where(binding, at.constraints + at.jacobian @ to_bound, 0.0)

    hessian = at.hessians[0] + jnp.tensordot(state.multipliers, at.hessians[1:], 1)
    gradient = jnp.where(inside, at.gradient + hessian @ to_bound, 0.0)
    keep = inside[:, None] & inside[None, :]
    hessian = jnp.where(keep, hessian, jnp.eye(n, dtype=A.dtype))
    weight = _WEIGHT * jnp.max(jnp.abs(hessian)) + jnp.finfo(A.dtype).eps
    K = hessian + weight * (A.T @ A)

    solved, pivot = reflected_solve(K, jnp.concatenate([-gradient[:, None], A.T], axis=1))
    free, toward = solved[:, 0], solved[:, 1:]
    if not m:
        return free + to_bound, state.multipliers, pivot
    schur = jnp.where(binding[:, None] & binding[None, :], A @ toward, jnp.eye(m, dtype=A.dtype))
    multipliers = reflected_solve(schur, (c + A @ free)[:, None])[0][:, 0]
    multipliers = jnp.where(binding, multipliers, 0.0)
    move = free - toward @ multipliers + to_bound
    return move, jnp.where(binding, multipliers - weight * c, 0.0), pivot
