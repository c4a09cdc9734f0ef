"""A second optimiser, BFGS by gradients alone, to confirm the best minimum of the Newton descents.

It shares nothing with the Newton descents but the walls around the start ranges. Its program holds
the objective and its gradient once; one with the line search of a library holds them four times,
and took a third of the time that a first fit takes to compile.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.programs import program
from jscale._core.solve import bfgs
from jscale.fit.objective import FitData, Objective, Problem, compiled_form, first_guess
from jscale.fit.solve._staged_descent import barrier_of
from jscale.laws import LawFunction

_STARTS = 4
"""Starts that it may try: of 32 descents on the runs of Chinchilla one ended elsewhere."""
_TURNS = 600
_GAIN = 1e-12
"""A gain below this share of the height of the walls, residuals of 10%, does not matter."""


def second_method(
    law: LawFunction, objective: Objective, fit_data: FitData, starts: jax.Array, enough: float
) -> float:
    """The lowest objective that BFGS reaches, first between walls, then without.

    Args:
        law: a declared law.
        objective: what is minimised.
        fit_data: the runs.
        starts: (starts, k) points, of which the first few are tried in turn.
        enough: an objective that ends the search.
    """
    form = compiled_form(law, fit_data)
    lowest = np.inf
    for start in np.asarray(starts)[:_STARTS]:
        value = float(_second_method(form.law, objective, form.fit_data, start))
        lowest = min(lowest, value) if np.isfinite(value) else lowest
        if lowest <= enough:
            break
    return float(lowest)


@program("law", "objective")
def _second_method(
    law: LawFunction, objective: Objective, fit_data: FitData, start: jax.Array
) -> jax.Array:
    problem = Problem(law, objective, fit_data)
    barrier = barrier_of(problem)

    def descend(free: jax.Array, height: jax.Array) -> tuple[jax.Array, jax.Array]:
        def value(x: jax.Array) -> jax.Array:
            return problem.value(x) + height * barrier.cost(x)

        gain = _GAIN * barrier.height
        end = bfgs(jax.value_and_grad(value), free, max_turns=_TURNS, tolerance=gain)
        return end.free, end.value

    _, values = jax.lax.scan(descend, first_guess(problem, start), jnp.asarray([1.0, 0.0]))
    return values[-1]
