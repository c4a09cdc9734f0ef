"""An augmented Lagrangian minimised by optax's L-BFGS: slow, and hard to lead astray."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jscale.plan.optimiser._problem import Scaled

_ROUNDS, _STEPS = 8, 30
_MEMORY = 6
_FIRST_PENALTY, _GROWTH = 10.0, 3.0


def augmented_lagrangian(
    scaled: Scaled, x: jax.Array, needed: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """A point near a minimum and its multipliers, from a point of the box.

    The box becomes the whole space by a logistic function of each coordinate; constraints enter
    with multipliers and a growing penalty (Powell-Hestenes-Rockafellar).

    Args:
        scaled: the problem.
        x: (n,) start.
        needed: whether to take any step; a problem that has converged waits for the others.
    """
    import optax  # loading it takes longer than to solve a plan

    lower, upper = scaled.box()
    width, equalities = upper - lower, jnp.asarray(scaled.problem.equalities, bool)
    solver = optax.lbfgs(
        memory_size=_MEMORY,
        linesearch=optax.scale_by_backtracking_linesearch(max_backtracking_steps=20),
    )

    def inside(z: jax.Array) -> jax.Array:
        return lower + width * jax.nn.sigmoid(z)

    def value(z: jax.Array, multipliers: jax.Array, penalty: jax.Array) -> jax.Array:
        rows = scaled.residuals(inside(z))
        c = rows[1:]
        shifted = multipliers + penalty * c
        used = jnp.where(equalities, shifted, jnp.maximum(shifted, 0.0))
        total = rows[0] + jnp.sum(used**2 - multipliers**2) / (2 * penalty)
        return jnp.where(jnp.isfinite(total), total, jnp.asarray(1e10, x.dtype))

    def descend(z: jax.Array, multipliers: jax.Array, penalty: jax.Array) -> jax.Array:
        def function(z: jax.Array) -> jax.Array:
            return value(z, multipliers, penalty)

        def advance(carry: tuple[Any, ...]) -> tuple[Any, ...]:
            z, state, count, _ = carry
            level, gradient = jax.value_and_grad(function)(z)
            gradient = jnp.where(jnp.isfinite(gradient), gradient, 0.0)
            move, state = solver.update(
                gradient, state, z, value=level, grad=gradient, value_fn=function
            )
            return z + move, state, count + 1, jnp.max(jnp.abs(gradient))

        def unfinished(carry: tuple[Any, ...]) -> jax.Array:
            return needed & (carry[2] < _STEPS) & (carry[3] > 1e-9)

        start = z, solver.init(z), jnp.asarray(0, jnp.int32), jnp.asarray(jnp.inf, z.dtype)
        return lax.while_loop(unfinished, advance, start)[0]

    def round_(carry: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        z, multipliers, penalty, count = carry
        z = descend(z, multipliers, penalty)
        shifted = multipliers + penalty * scaled.residuals(inside(z))[1:]
        multipliers = jnp.where(equalities, shifted, jnp.maximum(shifted, 0.0))
        return z, multipliers, penalty * _GROWTH, count + 1

    share = jnp.clip((x - lower) / width, 1e-3, 1 - 1e-3)
    start = (
        jnp.log(share) - jnp.log1p(-share),
        jnp.zeros(len(scaled.problem.senses), x.dtype),
        jnp.asarray(_FIRST_PENALTY, x.dtype),
        jnp.asarray(0, jnp.int32),
    )
    z, multipliers, _, _ = lax.while_loop(
        lambda carry: needed & (carry[3] < _ROUNDS), round_, start
    )
    return inside(z), multipliers
