"""Brute force over random problems of every law of N and D.

For each problem (a law's published constants scattered by 10%, or draws from its start ranges; a
budget from 1e18 to 1e26 FLOP; other inputs over their ranges) a grid over sizes looks for a lower
loss than :func:`jscale.plan.optimal` returns, and for an optimum where it returns none. Run as
``python -m benchmarks.plan_problems [PROBLEMS] [LAW ...]``; it exits with 1 where a grid wins.
"""

import sys
import time
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jscale import laws, plan
from jscale._core.errors import JscaleError
from jscale._core.scope import float64
from jscale._core.status import is_optimum
from jscale.laws import LawFunction, describe

POINTS = 6001
"""Sizes from 1e2 to 1e24 parameters: 0.9% apart."""
TOLERANCE = 1e-9
"""Relative loss by which a grid must win."""
SPREAD, FARSEER_SPREAD = 0.1, 0.003
"""Farseer's constants stand in exponents of exponents: scattered by 1%, most have no optimum."""


class Report(NamedTuple):
    """Numbers of problems: with an optimum, beaten by a grid, and lost although a grid finds one.

    ``beyond`` are those without an optimum inside the range of the grid.
    """

    optima: int
    beaten: int
    lost: int
    beyond: int


def law_names() -> list[str]:
    """The laws of N and D that predict a loss."""
    names = []
    for name in dir(laws):
        try:
            record = describe(getattr(laws, name))
        except JscaleError:  # not a law
            continue
        if {"N", "D"} <= set(record.input_names) and record.output.name == "loss":
            names.append(name)
    return names


def problems(law: LawFunction, count: int, seed: int) -> tuple[dict[str, Any], ...]:
    """Parameters, other inputs and budgets of ``count`` random problems."""
    record, random = describe(law), np.random.default_rng(seed)
    spread = FARSEER_SPREAD if record.name == "farseer" else SPREAD
    sources = [laws.params(law, source) for source in record.published]
    theta = {}
    for parameter in record.parameters:
        if sources:
            base = np.array([sources[i % len(sources)][parameter.name] for i in range(count)])
            theta[parameter.name] = base * np.exp(spread * random.normal(size=count))
        else:
            theta[parameter.name] = _between(random, parameter.role.start, count)

    inputs = {}
    for each in record.inputs:
        if each.name in ("N", "D") or (each.default is not None and each.name != "U"):
            continue
        ends = [end for end in each.role.ends if np.isfinite(end)]
        inputs[each.name] = _between(random, (min(ends), max(ends)), count)
    return theta, inputs, {"C": 10 ** random.uniform(18, 26, count)}


def _between(random: np.random.Generator, ends: Any, count: int) -> np.ndarray:
    low, high = ends
    if low > 0:
        return np.exp(random.uniform(np.log(low), np.log(high), count))
    return random.uniform(low, high, count)


def disagreements(law: LawFunction, count: int, *, points: int = POINTS, seed: int = 0) -> Report:
    """How often a grid of sizes disagrees with the plans of random problems."""
    theta, inputs, budget = problems(law, count, seed)
    best = plan.optimal(law, theta, budget["C"], **inputs)
    log_N = jnp.linspace(np.log(1e2), np.log(1e24), points)

    def grid(problem: tuple[dict[str, Any], ...]) -> tuple[jax.Array, jax.Array]:
        """The least loss over the grid, and whether it lies inside."""
        params, given, cost = problem
        N = jnp.exp(log_N)
        D = cost["C"] / 6 / N
        loss = law(N=N, D=D, **given, **params)
        usable = (D >= 1e2) & jnp.isfinite(loss)
        loss = jnp.where(usable, loss, jnp.inf)
        lowest = jnp.argmin(loss)
        first, last = jnp.argmax(usable), points - 1 - jnp.argmax(usable[::-1])
        return loss[lowest], (lowest > first + 2) & (lowest < last - 2)

    arrays = jax.tree.map(jnp.asarray, (theta, inputs, budget))
    least, inside = jax.jit(lambda a: jax.lax.map(grid, a, batch_size=16))(arrays)
    has_optimum = is_optimum(best.status)
    beaten = inside & has_optimum & (least < best.loss - TOLERANCE * jnp.abs(best.loss))
    return Report(
        int(jnp.sum(has_optimum)),
        int(jnp.sum(beaten)),
        int(jnp.sum(inside & ~has_optimum)),
        int(jnp.sum(~inside)),
    )


def main(arguments: list[str]) -> int:
    """Print one line a law; 1 where a grid wins."""
    count = int(arguments[0]) if arguments else 1000
    wrong = 0
    with float64():
        for name in arguments[1:] or law_names():
            start = time.process_time()
            report = disagreements(getattr(laws, name), count)
            wrong += report.beaten + report.lost
            seconds = time.process_time() - start
            print(f"{name:28s} {count} problems, {report}, {seconds:.1f} CPU s", flush=True)
    print("the grids win nowhere" if not wrong else f"the grids win {wrong} times")
    return int(wrong > 0)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
