"""A damped Newton method for one fit from a distant start.

Why it is not one of the others: it takes exact second derivatives and an eigendecomposition, which
a distant start needs, and tries four dampings per Hessian. The batched method
(:mod:`._newton_batched`) starts near the optimum and makes do with Gauss-Newton matrices;
``argmin`` (:mod:`._argmin`) works in a box and is differentiable.

Exact second derivatives, because the field's usual objective (a Huber loss with delta far below the
residuals) is nearly an absolute value: on the Chinchilla table, 150 reweighted Gauss-Newton steps
bring 95% of random starts to the optimum, 100 of these steps all of them.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike

from jscale._core.solve._descent_rules import (
    DAMPING_MAX,
    ROUNDING_SHARE,
    decreased_damping,
    is_negligible,
)

MAX_STEPS = 400
"""Per stage; the slowest of 1,000 starts took 67 in all on the Chinchilla table, 178 with a
likelihood."""
_DECREASE_SHARE = 1e-14
"""A step that predicts a decrease below this share of the objective ends the descent."""
_ROUNDING_UNITS = 64.0
"""Rounding of the objective, in units of the machine's precision. Residuals are differences of
numbers a hundred times their size, so their rounding is larger than that of the objective."""
_DAMPING_START, _DAMPING_DOWN = 1e-2, 0.3
_DAMPING_FACTORS = (1e-3, 3e-2, 1.0, 30.0)
"""Multiples of the damping tried at every point, since a Hessian costs more than all four. The best
of them takes 50 steps on ``precision_robust`` where one alone took 79, and 25 on the Chinchilla
runs, was 34: half the time of the larger law."""


class Descent(NamedTuple):
    """The end of a descent.

    Attributes:
        free: (k,) the last point.
        value: the objective there.
        steps: number of steps.
        converged: whether the descent ended because no step decreases the objective any further.
    """

    free: jax.Array
    value: jax.Array
    steps: jax.Array
    converged: jax.Array


class _State(NamedTuple):
    x: jax.Array
    value: jax.Array
    damping: jax.Array
    converged: jax.Array
    steps: jax.Array


class _Expansion(NamedTuple):
    """The objective about a point, along the axes of its scaled Hessian.

    Attributes:
        gradient: (k,) along the axes.
        stiffness: (k,) absolute curvature along the axes.
        axes: (k, k) in columns, in scaled coordinates.
        scale: (k,) of the coordinates.
        finite: whether all derivatives are finite.
    """

    gradient: jax.Array
    stiffness: jax.Array
    axes: jax.Array
    scale: jax.Array
    finite: jax.Array

    def predicted_decrease(self) -> jax.Array:
        """Decrease of the objective that an undamped step predicts."""
        eps = jnp.finfo(self.gradient.dtype).eps
        return 0.5 * jnp.sum(self.gradient**2 / (self.stiffness + eps))

    def steps(self, dampings: jax.Array) -> jax.Array:
        """One step (dampings, k) for every damping."""
        return -(self.gradient / (self.stiffness + dampings[:, None])) @ self.axes.T / self.scale


def _expansion(gradient: jax.Array, hessian: jax.Array, scale: jax.Array) -> _Expansion:
    g, h = gradient / scale, hessian / scale[:, None] / scale
    finite = jnp.all(jnp.isfinite(g)) & jnp.all(jnp.isfinite(h))
    identity = jnp.eye(h.shape[0], dtype=h.dtype)
    curvature, axes = jnp.linalg.eigh(jnp.where(finite, h, identity))
    along_axes = axes.T @ jnp.where(finite, g, 0.0)
    return _Expansion(along_axes, jnp.abs(curvature), axes, scale, finite)


def newton(
    value: Callable[[jax.Array], Any],
    widths: Callable[..., jax.Array],
    start: jax.Array,
    resolution: float,
    max_step: ArrayLike = jnp.inf,
    *,
    idle: jax.Array | bool = False,
    has_aux: bool = False,
) -> Descent:
    """A local minimum of ``value`` from ``start``.

    The Hessian is scaled by ``widths`` to unit size, negative curvature is reflected, and the
    damping is added to every eigenvalue (Levenberg). Of the steps with several dampings the best is
    taken, of equally good ones the longest, unless it raises the objective by more than rounding.

    Args:
        value: (k,) → scalar; ``inf`` or NaN outside the law's domain. With ``has_aux`` a pair of it
            and an array, of which the Hessian's program has the Jacobian too.
        widths: point (k,) and Hessian there (k, k) → (k,) positive curvature scale of every
            coordinate. With ``has_aux`` also of the array and its Jacobian (…, k).
        start: (k,) the first point.
        resolution: decrease of the objective that does not matter, for runs that the law fits
            exactly.
        max_step: longest step along every coordinate (k,). A long step along a coordinate that ends
            in a bound lands where the objective is flat and can pass for a minimum.
        idle: whether to stay at the start, where the objective is then not evaluated and counts as
            infinite.
        has_aux: whether ``value`` returns a pair.
    """

    def with_aux(x: jax.Array) -> tuple[jax.Array, Any]:
        return value(x) if has_aux else (value(x), ())

    def gradient(x: jax.Array) -> tuple[Any, Any]:
        (f, aux), g = jax.value_and_grad(with_aux, has_aux=True)(x)
        return (g, aux), (f, g, aux)

    # One trace gives value, gradient and Hessian: a law traced again takes longer to compile.
    expand = jax.jacfwd(gradient, has_aux=True)

    def unfinished(state: _State) -> jax.Array:
        return ~state.converged & (state.damping < DAMPING_MAX) & (state.steps < MAX_STEPS)

    def advance(state: _State) -> _State:
        x = state.x

        # 1. Expand the objective about x, in coordinates of unit curvature.
        (hessian, jacobian), (f, g, aux) = expand(x)
        scale = widths(x, hessian, aux, jacobian) if has_aux else widths(x, hessian)
        expansion = _expansion(g, hessian, scale)
        predicted = expansion.predicted_decrease()

        # 2. Evaluate one step per damping, each cut to the longest allowed.
        dampings = state.damping * jnp.asarray(_DAMPING_FACTORS)
        moves = expansion.steps(dampings)
        excess = jnp.max(jnp.abs(moves) / max_step, axis=1, keepdims=True)
        points = x + moves / jnp.maximum(1.0, excess)
        trials, _ = jax.vmap(with_aux)(points)
        trials = jnp.where(jnp.isfinite(trials), trials, jnp.inf)

        # 3. Of the steps that equal the best up to rounding, take the longest: near the optimum it
        #    is the one that leads there.
        size = jnp.where(jnp.isfinite(f), jnp.abs(f), 0.0)
        rounding = _ROUNDING_UNITS * jnp.finfo(f.dtype).eps * size
        best = jnp.argmax(trials <= jnp.min(trials) + rounding)
        accepted = trials[best] <= f + rounding

        # 4. End where the predicted decrease is negligible, more readily after a failed step.
        share = jnp.where(accepted, _DECREASE_SHARE, ROUNDING_SHARE)
        converged = is_negligible(predicted, f, resolution, share)

        # 5. Follow the successful damping, or raise it above all that were tried.
        damping = jnp.where(
            accepted,
            decreased_damping(dampings[best], _DAMPING_DOWN),
            state.damping * _DAMPING_FACTORS[-1] ** 2 / _DAMPING_FACTORS[0],
        )
        return _State(
            x=jnp.where(accepted, points[best], x),
            value=jnp.where(accepted, trials[best], f),
            damping=jnp.where(expansion.finite, damping, DAMPING_MAX),
            converged=converged & expansion.finite,
            steps=state.steps + 1,
        )

    unevaluated = jnp.full((), jnp.inf, start.dtype)
    initial = _State(
        x=start,
        value=unevaluated,
        damping=jnp.full_like(unevaluated, _DAMPING_START),
        converged=jnp.asarray(idle),
        steps=jnp.asarray(0, jnp.int32),
    )
    end = lax.while_loop(unfinished, advance, initial)
    return Descent(end.x, end.value, end.steps, end.converged)
