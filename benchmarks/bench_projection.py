"""Whether to solve for the linear parameters inside every step (variable projection, Golub and
Pereyra
1973).

On the one objective where the floor and the coefficients are linear, squares of the loss itself:
refits of the same resampled Chinchilla tables from the same start, by our batched solver over five
coordinates and by the same solver over the two exponents, with E, A and B solved for (Kaufman's
Gauss-Newton matrix). Measured: 5.0 evaluations a fit for 5.4 beside that at the start, and 1.05
times the speed, so that the library keeps one solver.
"""

import os
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.bench_fit import CHUNK, Chinchilla, in_turn
from jscale import laws
from jscale._core.scope import float64, to_numpy
from jscale._core.solve._newton_batched import QuadraticModel, eliminate, newton_batched
from jscale.fit.objective._losses import Squares
from jscale.fit.objective._tabulate import tabulate
from jscale.fit.optimum import resolve_point
from jscale.fit.solve._batched import Batch, lanes_for, refit_batch

WORTH = 2.0
"""The gain from which on a second solver would be worth its keep."""

pytestmark = pytest.mark.skipif(
    "JSCALE_DATA" not in os.environ, reason="the runs are read from $JSCALE_DATA"
)


class Projected:
    """The reduced problem: free are the logarithms of alpha and beta."""

    def __init__(self, case: Chinchilla) -> None:
        inputs = case.data.inputs
        # Centred, or the columns of the linear problem differ by ten decades.
        self.x, self.y = (
            jnp.asarray(np.log(inputs[n] / np.exp(np.log(inputs[n]).mean()))) for n in ("N", "D")
        )
        self.loss, self.weights = jnp.asarray(case.data.loss), case.weights

    def evaluate(self, free: jax.Array, weights: jax.Array, stage: jax.Array) -> QuadraticModel:
        del stage
        alpha, beta = jnp.exp(free)
        terms = jnp.stack(
            [jnp.ones_like(self.x), jnp.exp(-alpha * self.x), jnp.exp(-beta * self.y)]
        )
        gram = (terms * weights) @ terms.T
        moving = jnp.stack([-alpha * self.x * terms[1], -beta * self.y * terms[2]])
        right = (terms * weights) @ jnp.concatenate([self.loss[None], moving]).T
        scale = jnp.sqrt(jnp.diag(gram))
        unit = gram / scale[:, None] / scale
        solved = jax.vmap(lambda b: eliminate(unit, b / scale) / scale, in_axes=1, out_axes=1)(
            right
        )
        residual = self.loss - solved[:, 0] @ terms
        slopes = -(moving - solved[:, 1:].T @ terms) * solved[1:, :1]
        curvature = (slopes * weights) @ slopes.T
        value = 0.5 * weights @ residual**2
        return QuadraticModel(value, slopes @ (weights * residual), curvature, jnp.sqrt(jnp.diag(curvature)))

    def run(self, start: jax.Array) -> Any:
        opening = jax.lax.map(
            lambda weights: self.evaluate(start, weights, jnp.asarray(0)), self.weights[:CHUNK]
        )
        return newton_batched(
            self.evaluate,
            lambda free, stage: free,
            lambda index: (start, self.weights[index]),
            opening,
            jnp.asarray(CHUNK),
            lanes=lanes_for(240, 2),
            stages=1,
            resolution=jnp.asarray(240 * 0.5e-20),
            max_steps=100,
        )


def bench_variable_projection(benchmark):
    """Both find the same minima; the ratio decides whether the library has one solver or two."""
    goal = Squares("raw")
    with float64():
        case = Chinchilla()
        fit_data, stages = tabulate(laws.chinchilla, case.data, goal)
        best, context = resolve_point(
            laws.chinchilla, case.table, objective=goal, starts=16, caller="bench_projection"
        )
        free = context.state.free
        batch = Batch(
            case.weights, fit_data.loss[None], jnp.asarray(free)[None], jnp.asarray(CHUNK)
        )
        start = jnp.log(jnp.asarray([best.params["alpha"], best.params["beta"]]))
        projected = jax.jit(Projected(case).run)
        ours = lambda: jax.block_until_ready(
            refit_batch(laws.chinchilla, goal, fit_data, stages, batch)
        )
        theirs = lambda: jax.block_until_ready(projected(start))  # noqa: E731
        full, reduced = to_numpy(ours()), to_numpy(theirs())
        lowest = np.minimum(full.value, reduced.value)
        inside = full.converged & reduced.converged
        # The projection knows no bounds: resamples whose floor would be negative are not the same
        # problem.
        same = np.abs(full.value / reduced.value - 1) < 1e-8
        assert np.mean(same[inside]) > 0.95
        assert np.all(full.value[inside] <= lowest[inside] * (1 + 1e-2))
        benchmark.pedantic(theirs, rounds=5, warmup_rounds=1)
        mine, other = in_turn((ours, theirs))
        ratio = mine / other
    benchmark.extra_info.update(
        ratio=ratio, evaluations=[float(np.mean(s.steps)) for s in (full, reduced)]
    )
    print(
        f"\nvariable projection: {np.mean(reduced.steps):.1f} evaluations a fit, ours {np.mean(full.steps):.1f}; "
        f"{CHUNK / other:,.0f} fits/s, {ratio:.2f} times ours; "
        f"{np.mean(same[inside]):.1%} of the minima are the same"
    )
    assert ratio < WORTH
