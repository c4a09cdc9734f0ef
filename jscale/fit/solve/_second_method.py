"""A second optimiser, optax's L-BFGS, to confirm the best minimum of the Newton descents."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from jscale._core.programs import program
from jscale.fit.objective import FitData, Objective, Problem, compiled_form, first_guess
from jscale.laws import LawFunction

_LBFGS_STEPS = 300
_LBFGS_IDLE, _LBFGS_GAIN = 20, 1e-12
"""It ends after so many consecutive steps that each gain less than this share of the objective."""


def second_method(
    law: LawFunction, objective: Objective, fit_data: FitData, start: jax.Array
) -> jax.Array:
    """The objective that optax's L-BFGS reaches from ``start`` (k,)."""
    form = compiled_form(law, fit_data)
    return _second_method(form.law, objective, form.fit_data, start)


@program("law", "objective")
def _second_method(
    law: LawFunction, objective: Objective, fit_data: FitData, start: jax.Array
) -> jax.Array:
    problem = Problem(law, objective, fit_data)
    optimiser = optax.lbfgs(memory_size=20)
    value_and_grad = optax.value_and_grad_from_state(problem.value)

    def unfinished(carry):
        _, _, steps, idle, _ = carry
        return (steps < _LBFGS_STEPS) & (idle < _LBFGS_IDLE)

    def advance(carry):
        free, state, steps, idle, previous = carry
        f, g = value_and_grad(free, state=state)
        idle = jnp.where(previous - f > _LBFGS_GAIN * jnp.abs(f), 0, idle + 1)
        updates, state = optimiser.update(g, state, free, value=f, grad=g, value_fn=problem.value)
        return optax.apply_updates(free, updates), state, steps + 1, idle, f

    first = first_guess(problem, start)
    zero = jnp.asarray(0, jnp.int32)
    # optax mixes int32 and int64 in a float64 scope, which strict promotion does not allow.
    with jax.numpy_dtype_promotion("standard"):
        initial = (first, optimiser.init(first), zero, zero, jnp.asarray(jnp.inf))
        end: Any = jax.lax.while_loop(unfinished, advance, initial)
    return problem.value(end[0])
