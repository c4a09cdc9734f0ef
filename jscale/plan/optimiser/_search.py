"""One problem: scan, Newton's method, augmented Lagrangian where needed, derivatives, status."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jscale._core.status import Status, is_optimum
from jscale.plan.optimiser._lagrangian import augmented_lagrangian
from jscale.plan.optimiser._newton import Active, State, active_set, derivatives, newton
from jscale.plan.optimiser._points import pattern_search, scan
from jscale.plan.optimiser._problem import Data, Problem, Scaled

_TOLERANCE = {"float32": 3e-4, "float64": 1e-8}
"""Largest first-order condition of an optimum, in units of the objective for a change of a variable
by its own size."""
UNSOLVED = (int(Status.not_converged), int(Status.infeasible))
"""Of Newton's method: where a thorough search may find more."""
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
        value: the objective in its unit.
    """

    x: jax.Array
    multipliers: jax.Array
    push: jax.Array
    side: jax.Array
    residual: jax.Array
    scale: jax.Array
    status: jax.Array
    value: jax.Array


def search(problem: Problem, data: Data, dtype: jnp.dtype, thorough: bool) -> Optimum:
    """The least objective, without derivatives.

    Args:
        problem: names and functions.
        data: numbers.
        dtype: of the coordinates.
        thorough: whether to go on where Newton's method fails from the best point of the scan; to
            compile what that takes is more than half of the work.
    """
    data = lax.stop_gradient(data)
    in_own_unit = Scaled(problem, data, jnp.ones((), dtype))
    start = scan(in_own_unit)
    size = jnp.abs(in_own_unit.objective(start.value))
    usable = jnp.isfinite(size) & (size > 0)
    scale = jnp.where(usable, size, 1.0).astype(dtype)
    scaled = Scaled(problem, data, scale)
    if not thorough:
        return _judged(scaled, newton(scaled, start.x, _no_multipliers(scaled)))
    return _solve(scaled, start.x)


def _is_unsolved(optimum: Optimum) -> jax.Array:
    failed, infeasible = UNSOLVED
    return (optimum.status == failed) | (optimum.status == infeasible)


def _no_multipliers(scaled: Scaled) -> jax.Array:
    return jnp.zeros(len(scaled.problem.senses), scaled.scale.dtype)


def _solve(scaled: Scaled, start: jax.Array) -> Optimum:
    """Newton's method from the best point of the scan, and from the augmented Lagrangian's."""
    zeros = _no_multipliers(scaled)

    def attempt(carry: tuple[jax.Array, Optimum]) -> tuple[jax.Array, Optimum]:
        count, before = carry
        again = count > 0
        # optax mixes whole numbers of 32 and 64 bits.
        with jax.numpy_dtype_promotion("standard"):
            x, multipliers = augmented_lagrangian(scaled, start, again)
        x, multipliers = jnp.where(again, x, start), jnp.where(again, multipliers, zeros)
        optimum = _judged(scaled, newton(scaled, x, multipliers))

        # A second attempt that fails too says less than the first.
        use = is_optimum(optimum.status) | ~again
        return count + 1, jax.tree.map(lambda a, b: jnp.where(use, a, b), optimum, before)

    def unsolved(carry: tuple[jax.Array, Optimum]) -> jax.Array:
        count, optimum = carry
        return (count == 0) | ((count < 2) & _is_unsolved(optimum))

    n = start.shape[0]
    nowhere = Optimum(
        start,
        zeros,
        jnp.zeros(n, start.dtype),
        jnp.zeros(n, jnp.int32),
        jnp.asarray(jnp.inf, start.dtype),
        scaled.scale,
        jnp.asarray(int(Status.not_converged), jnp.int32),
        jnp.asarray(jnp.inf, start.dtype),
    )
    optimum = lax.while_loop(unsolved, attempt, (jnp.asarray(0, jnp.int32), nowhere))[1]
    return _or_kink(scaled, start, optimum)


def _or_kink(scaled: Scaled, start: jax.Array, optimum: Optimum) -> Optimum:
    """The optimum, or where Newton's method failed that of a search without derivatives.

    It is accepted at a kink, where the first-order conditions do not hold and multipliers are not
    known. Without a point that satisfies the constraints the problem is infeasible.
    """
    dtype = start.dtype
    tolerance = _TOLERANCE[dtype.name]
    failed = _is_unsolved(optimum)
    point, kinked = pattern_search(scaled, start, failed, tolerance)
    kinked = kinked & ~jnp.any(_near_open_ends(scaled, point.x))
    feasible = (point.violation <= tolerance) & jnp.isfinite(point.value)
    status = jnp.where(feasible, int(Status.not_converged), int(Status.infeasible))
    status = jnp.where(kinked, int(Status.kink), status)

    lower, upper = scaled.box()
    side = jnp.where(point.x >= upper, 1, jnp.where(point.x <= lower, -1, 0))
    unknown = jnp.asarray(jnp.nan, dtype)
    at_kink = Optimum(
        point.x,
        jnp.full_like(optimum.multipliers, unknown),
        jnp.full_like(optimum.push, unknown),
        side.astype(jnp.int32),
        unknown,
        optimum.scale,
        status.astype(jnp.int32),
        scaled.objective(point.value),
    )
    use = failed & kinked
    best = jax.tree.map(lambda a, b: jnp.where(use, a, b), at_kink, optimum)
    return best._replace(status=jnp.where(failed, at_kink.status, optimum.status))


def _near_open_ends(scaled: Scaled, x: jax.Array) -> jax.Array:
    """Which coordinates are at an end of the search that was not declared as a bound, (n,)."""
    (lower, upper), declared = scaled.box(), _declared(scaled)
    width = upper - lower
    low = (x - lower < _EDGE * width) & ~declared[:, 0]
    return low | ((upper - x < _EDGE * width) & ~declared[:, 1])


def _declared(scaled: Scaled) -> jax.Array:
    """Whether the lower and the upper end of each coordinate is a bound, (n, 2)."""
    layout = scaled.problem.layout
    given = [jnp.stack(scaled.data.declared[name]) > 0 for name in layout.free]
    shares = jnp.ones((layout.size - len(layout.free), 2), bool)
    return jnp.concatenate([jnp.reshape(jnp.asarray(given, bool), (-1, 2)), shares])


def _judged(scaled: Scaled, state: State) -> Optimum:
    """The status of the last point of Newton's method."""
    x, multipliers, convex = state.x, state.multipliers, state.convex
    tolerance = _TOLERANCE[x.dtype.name]
    equalities = jnp.asarray(scaled.problem.equalities, bool)
    box = scaled.box()
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
    declared = _declared(scaled)
    open_ = ((active.side == -1) & ~declared[:, 0]) | ((active.side == 1) & ~declared[:, 1])
    steep = jnp.any(open_ & (jnp.abs(push) > _EDGE))
    flat = jnp.any(_near_open_ends(scaled, x))

    finite = jnp.isfinite(at.value) & jnp.isfinite(violation)
    status = jnp.where(residual <= tolerance, int(Status.converged), int(Status.not_converged))
    solved = (status == int(Status.converged)) & (convex > 0)
    status = jnp.where(solved, status, int(Status.not_converged))
    status = jnp.where(solved & jnp.any(active.side != 0), int(Status.at_bound), status)
    status = jnp.where(flat, int(Status.no_interior_optimum), status)
    status = jnp.where(steep, int(Status.unbounded_below), status)
    status = jnp.where(violation > tolerance, int(Status.infeasible), status)
    status = jnp.where(finite, status, int(Status.infeasible)).astype(jnp.int32)
    value = scaled.objective(at.value)
    return Optimum(x, multipliers, push, active.side, residual, scaled.scale, status, value)


def differentiable(scaled: Scaled, solved: Optimum) -> Optimum:
    """The same optimum, with the derivatives of its optimality conditions, of any order.

    Where constraints coincide their multipliers are not unique, and a bound that one of them alone
    has gets the mean of its one-sided derivatives. At a kink the derivatives are NaN.
    """
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
        usable = jnp.all(jnp.isfinite(matrix))
        matrix = jnp.where(usable, matrix, jnp.eye(n + m, dtype=y.dtype))
        return jnp.linalg.pinv(matrix) @ y

    given = jnp.concatenate([solved.x, solved.multipliers])
    kinked = solved.status == int(Status.kink)
    z = lax.custom_root(conditions, given, lambda _, start: start, tangent_solve)
    z = _unknown_derivative(z, kinked)
    return solved._replace(x=z[:n], multipliers=z[n:])


@jax.custom_jvp
def _unknown_derivative(z: jax.Array, unknown: jax.Array) -> jax.Array:
    """``z``, whose derivatives are NaN where they are ``unknown``."""
    del unknown
    return z


@_unknown_derivative.defjvp
def _(primals: tuple, tangents: tuple) -> tuple[jax.Array, jax.Array]:
    z, unknown = primals
    return z, tangents[0] * jnp.where(unknown, jnp.nan, 1.0)
