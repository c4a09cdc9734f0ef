"""One problem: scan, Newton's method, augmented Lagrangian where needed, derivatives, status."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jscale._core.status import Status, is_optimum
from jscale.plan.optimiser._lagrangian import augmented_lagrangian
from jscale.plan.optimiser._newton import Active, State, active_set, derivatives, newton
from jscale.plan.optimiser._problem import Data, Problem, Scaled, lattice

SCAN_POINTS = 64
"""Points of the scan for every variable."""
_SWEEPS = 3
"""Projections of a point of the scan onto each constraint in turn."""
_TOLERANCE = {"float32": 3e-4, "float64": 1e-8}
"""Largest first-order condition of an optimum, in units of the objective for a change of a variable
by its own size."""
_NEAR = 1e-3
"""Relative violation of a constraint that a start may have."""
_EDGE = 1e-6


class Optimum(NamedTuple):
    """A point of the search and what holds there.

    Attributes:
        x: (n,) coordinates.
        multipliers: (m,) of the scaled constraints.
        push: (n,) derivative of the scaled Lagrangian; not 0 at a bound.
        side: (n,) -1 at a lower bound, 1 at an upper one.
        residual: largest first-order condition.
        scale: unit of the objective.
        status: :class:`~jscale._core.status.Status` code.
    """

    x: jax.Array
    multipliers: jax.Array
    push: jax.Array
    side: jax.Array
    residual: jax.Array
    scale: jax.Array
    status: jax.Array


def minimise(problem: Problem, data: Data, dtype: jnp.dtype) -> tuple[Optimum, Scaled]:
    """The least objective, differentiable by the optimality conditions, and its problem."""
    fixed_data = lax.stop_gradient(data)
    unscaled = Scaled(problem, fixed_data, jnp.ones((), dtype))
    start, value = _scan(unscaled)
    size = jnp.abs(value)
    usable = jnp.isfinite(size) & (size > 0)
    scale = jnp.where(usable, size, 1.0).astype(dtype)
    solved = _solve(Scaled(problem, fixed_data, scale), start)
    scaled = Scaled(problem, data, scale)
    return _differentiable(scaled, solved), scaled


def _scan(scaled: Scaled) -> tuple[jax.Array, jax.Array]:
    """The best point of a lattice, each point projected onto the constraints; and its value."""
    lower, upper = scaled.box()
    n, equalities = lower.shape[0], scaled.problem.equalities
    count = SCAN_POINTS * max(n - sum(equalities), 1)

    def constraint(x: jax.Array, j: int) -> jax.Array:
        return scaled.residuals(x)[1 + j]

    def project(x: jax.Array) -> jax.Array:
        for j, equality in enumerate(equalities):
            c, slope = jax.value_and_grad(constraint)(x, j)
            needed = jnp.isfinite(c) & jnp.all(jnp.isfinite(slope)) & (equality | (c > 0))
            move = c * slope / jnp.maximum(slope @ slope, 1e-12)
            x = jnp.clip(x - jnp.where(needed, move, 0.0), lower, upper)
        return x

    def at(x: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        if equalities:
            x = lax.fori_loop(0, _SWEEPS, lambda _, y: project(y), x)
        rows = scaled.residuals(x)
        c = rows[1:]
        excess = jnp.where(jnp.asarray(equalities, bool), jnp.abs(c), jnp.maximum(c, 0.0))
        violation = jnp.max(excess, initial=0.0)
        bad = ~(jnp.isfinite(rows[0]) & jnp.isfinite(violation))
        return x, jnp.where(bad, jnp.inf, rows[0]), jnp.where(bad, jnp.inf, violation)

    points = lower + lattice(count, n, lower.dtype) * (upper - lower)
    points, values, violations = jax.vmap(at)(points)
    feasible = violations < _NEAR
    rank = jnp.where(feasible, values, jnp.inf)
    rank = jnp.where(jnp.any(feasible), rank, violations)
    best = jnp.argmin(rank)
    return points[best], values[best]


def _solve(scaled: Scaled, start: jax.Array) -> Optimum:
    """Newton's method from the best point of the scan, and from the augmented Lagrangian's."""
    zeros = jnp.zeros(len(scaled.problem.senses), start.dtype)

    def attempt(carry: tuple[jax.Array, Optimum]) -> tuple[jax.Array, Optimum]:
        count, before = carry
        again = count > 0
        # optax mixes whole numbers of 32 and 64 bits.
        with jax.numpy_dtype_promotion("standard"):
            x, multipliers = augmented_lagrangian(scaled, start, again)
        x, multipliers = jnp.where(again, x, start), jnp.where(again, multipliers, zeros)
        found = _judged(scaled, newton(scaled, x, multipliers))

        # A second attempt that fails too says less than the first.
        use = is_optimum(found.status) | ~again
        return count + 1, jax.tree.map(lambda a, b: jnp.where(use, a, b), found, before)

    def unsolved(carry: tuple[jax.Array, Optimum]) -> jax.Array:
        count, found = carry
        retry = (found.status == int(Status.not_converged)) | (
            found.status == int(Status.infeasible)
        )
        return (count == 0) | ((count < 2) & retry)

    n = start.shape[0]
    nowhere = Optimum(
        start,
        zeros,
        jnp.zeros(n, start.dtype),
        jnp.zeros(n, jnp.int32),
        jnp.asarray(jnp.inf, start.dtype),
        scaled.scale,
        jnp.asarray(int(Status.not_converged), jnp.int32),
    )
    return lax.while_loop(unsolved, attempt, (jnp.asarray(0, jnp.int32), nowhere))[1]


def _judged(scaled: Scaled, state: State) -> Optimum:
    """The status of the last point of Newton's method."""
    x, multipliers, convex = state.x, state.multipliers, state.convex
    tolerance = _TOLERANCE[x.dtype.name]
    equalities = jnp.asarray(scaled.problem.equalities, bool)
    box, layout = scaled.box(), scaled.problem.layout
    at = derivatives(scaled, x)
    active = active_set(x, multipliers, box, at, equalities)
    push = at.gradient + multipliers @ at.jacobian
    excess = jnp.where(equalities, jnp.abs(at.constraints), jnp.maximum(at.constraints, 0.0))
    violation = jnp.max(excess, initial=0.0)
    slack = jnp.max(jnp.abs(jnp.where(equalities, 0.0, multipliers * at.constraints)), initial=0.0)
    sign = jnp.max(jnp.where(equalities, 0.0, -multipliers), initial=0.0)
    stationary = jnp.max(jnp.abs(jnp.where(active.side == 0, push, 0.0)), initial=0.0)
    residual = jnp.max(jnp.stack([violation, slack, sign, stationary]))

    # A bound that was not declared is the end of the search: there the objective falls on, steeply
    # (without a least value) or ever less.
    given = [*layout.declared, *[(True, True)] * (layout.size - len(layout.free))]
    declared = jnp.asarray(given, bool).reshape(-1, 2)
    open_ = ((active.side == -1) & ~declared[:, 0]) | ((active.side == 1) & ~declared[:, 1])
    width = box[1] - box[0]
    near = (x - box[0] < _EDGE * width) & ~declared[:, 0]
    near |= (box[1] - x < _EDGE * width) & ~declared[:, 1]
    steep = jnp.any(open_ & (jnp.abs(push) > _EDGE))
    flat = jnp.any(near)

    finite = jnp.isfinite(at.value) & jnp.isfinite(violation)
    status = jnp.where(residual <= tolerance, int(Status.converged), int(Status.not_converged))
    solved = (status == int(Status.converged)) & (convex > 0)
    status = jnp.where(solved, status, int(Status.not_converged))
    status = jnp.where(solved & jnp.any(active.side != 0), int(Status.at_bound), status)
    status = jnp.where(flat, int(Status.no_interior_optimum), status)
    status = jnp.where(steep, int(Status.unbounded_below), status)
    status = jnp.where(violation > tolerance, int(Status.infeasible), status)
    status = jnp.where(finite, status, int(Status.infeasible)).astype(jnp.int32)
    return Optimum(x, multipliers, push, active.side, residual, scaled.scale, status)


def _differentiable(scaled: Scaled, solved: Optimum) -> Optimum:
    """The same optimum, with the derivatives of its optimality conditions, of any order."""
    solved = lax.stop_gradient(solved)
    n, m = solved.x.shape[0], solved.multipliers.shape[0]
    if not n + m:
        return solved
    equalities = jnp.asarray(scaled.problem.equalities, bool)
    lower, upper = scaled.box()
    rows = scaled.residuals(solved.x)[1:]
    active = Active(solved.side, equalities | (solved.multipliers > -rows))
    ends = jnp.where(active.side < 0, lower, upper)

    def conditions(z: jax.Array) -> jax.Array:
        x, multipliers = z[:n], z[n:]

        def lagrangian(x: jax.Array) -> tuple[jax.Array, jax.Array]:
            rows = scaled.residuals(x)
            return rows[0] + multipliers @ rows[1:], rows[1:]

        push, constraints = jax.jacfwd(lagrangian, has_aux=True)(x)
        first = jnp.where(active.side == 0, push, x - ends)
        second = jnp.where(active.constraints, constraints, multipliers)
        return jnp.concatenate([first, second])

    def tangent_solve(linear: Callable, y: jax.Array) -> jax.Array:
        matrix = jax.vmap(linear, out_axes=1)(jnp.eye(n + m, dtype=y.dtype))
        usable = jnp.all(jnp.isfinite(matrix)) & (jnp.linalg.det(matrix) != 0)
        matrix = jnp.where(usable, matrix, jnp.eye(n + m, dtype=y.dtype))
        return jnp.linalg.solve(matrix, y)

    z = jnp.concatenate([solved.x, solved.multipliers])
    z = lax.custom_root(conditions, z, lambda _, start: start, tangent_solve)
    return solved._replace(x=z[:n], multipliers=z[n:])
