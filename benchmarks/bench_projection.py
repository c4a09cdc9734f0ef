"""Variable projection: should every step solve for the linear parameters (Golub and Pereyra 1973)?

On the one objective in which the floor and the coefficients are linear, squares of the loss itself:
refits of the same resampled Chinchilla tables from the same start, by the batched solver over five
coordinates and by the same solver over the two exponents, with E, A and B solved for (Kaufman's
Gauss-Newton matrix). Measured: 5.0 evaluations per fit instead of 5.4, not counting that at the
start, and 1.05 times the speed, so the library keeps one solver.
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

MIN_GAIN = 2.0
"""Speed-up that would justify a second solver."""

pytestmark = pytest.mark.skipif(
    "JSCALE_DATA" not in os.environ, reason="the runs are read from $JSCALE_DATA"
)


class Projected:
    """The reduced problem, whose coordinates are the logarithms of alpha and beta."""

    def __init__(self, case: Chinchilla) -> None:
        inputs = case.data.inputs
        # Centred: otherwise the columns of the linear problem differ by ten decades.
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
        derivatives = jnp.stack([-alpha * self.x * terms[1], -beta * self.y * terms[2]])
        right = (terms * weights) @ jnp.concatenate([self.loss[None], derivatives]).T
        scale = jnp.sqrt(jnp.diag(gram))
        unit = gram / scale[:, None] / scale
        solved = jax.vmap(lambda b: eliminate(unit, b / scale) / scale, in_axes=1, out_axes=1)(
            right
        )
        residual = self.loss - solved[:, 0] @ terms
        slopes = -(derivatives - solved[:, 1:].T @ terms) * solved[1:, :1]
        curvature = (slopes * weights) @ slopes.T
        value = 0.5 * weights @ residual**2
        return QuadraticModel(
            value, slopes @ (weights * residual), curvature, jnp.sqrt(jnp.diag(curvature))
        )

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
    """Both solvers reach the same minima; the ratio decides whether a second one is worthwhile."""
    objective = Squares("raw")
    with float64():
        case = Chinchilla()
        fit_data, stages = tabulate(laws.chinchilla, case.data, objective)
        best, context = resolve_point(
            laws.chinchilla, case.table, objective=objective, starts=16, caller="bench_projection"
        )
        free = context.state.free
        batch = Batch(
            case.weights, fit_data.loss[None], jnp.asarray(free)[None], jnp.asarray(CHUNK)
        )
        start = jnp.log(jnp.asarray([best.params["alpha"], best.params["beta"]]))
        projected = jax.jit(Projected(case).run)

        def refit_full() -> Any:
            refits = refit_batch(laws.chinchilla, objective, fit_data, stages, batch)
            return jax.block_until_ready(refits)

        def refit_projected() -> Any:
            return jax.block_until_ready(projected(start))

        full, reduced = to_numpy(refit_full()), to_numpy(refit_projected())
        lowest = np.minimum(full.value, reduced.value)
        inside = full.converged & reduced.converged
        # The projection has no bounds: resamples with a negative floor are a different problem.
        same = np.abs(full.value / reduced.value - 1) < 1e-8
        assert np.mean(same[inside]) > 0.95
        assert np.all(full.value[inside] <= lowest[inside] * (1 + 1e-2))
        benchmark.pedantic(refit_projected, rounds=5, warmup_rounds=1)
        full_seconds, projected_seconds = in_turn((refit_full, refit_projected))
        ratio = full_seconds / projected_seconds
    benchmark.extra_info.update(
        ratio=ratio, evaluations=[float(np.mean(s.steps)) for s in (full, reduced)]
    )
    print(
        f"\nvariable projection: {np.mean(reduced.steps):.1f} evaluations per fit, "
        f"all coordinates {np.mean(full.steps):.1f}; "
        f"{CHUNK / projected_seconds:,.0f} fits/s, {ratio:.2f} times the speed; "
        f"{np.mean(same[inside]):.1%} of the minima are the same"
    )
    assert ratio < MIN_GAIN
