"""Plans per second: named functions, the general optimiser and SLSQP on the same problem.

The joint optimum of parameters, tokens and bits under ``C = (6 / 16) N D P``, for draws of the law
``precision`` in float64. SLSQP of SciPy solves the same problem in logarithms with exact first
derivatives (NumPy), one plan after another, from the plan of the published constants. Ratios are of
CPU seconds in the same run, since other processes share the machine.
"""

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize

from jscale import laws, plan
from jscale._core.scope import float64
from jscale.plan import costs

BUDGET, DRAWS, PEER_DRAWS = 1e21, 16384, 100
NAMED_RATIO, GENERAL_RATIO, GRADIENT_RATIO = 1000.0, 100.0, 3.0
FIRST_CALL_SECONDS, REGRET_SECONDS = 3.0, 2.0
ROUNDS = 5
JOINT = {"N": plan.Free(), "D": plan.Free(), "P": plan.Free(1.0, 64.0)}


def scattered(params: dict[str, float], count: int, spread: float = 0.05) -> dict[str, np.ndarray]:
    """``count`` sets of parameters around ``params``."""
    random = np.random.default_rng(0)
    return {k: v * np.exp(spread * random.normal(size=count)) for k, v in params.items()}


def seconds(function: Callable[[], Any]) -> tuple[float, float]:
    """Median CPU and wall seconds of a warm call."""
    jax.block_until_ready(function())
    times = []
    for _ in range(ROUNDS):
        start = time.process_time(), time.perf_counter()
        jax.block_until_ready(function())
        times.append((time.process_time() - start[0], time.perf_counter() - start[1]))
    cpu, wall = np.median(np.array(times), axis=0)
    return float(cpu), float(wall)


def report(benchmark: Any, label: str, count: int, cpu: float, wall: float) -> None:
    """Record and print a rate."""
    benchmark.extra_info[label] = {"per_cpu_second": count / cpu, "per_second": count / wall}
    print(f"\n{label}: {count / cpu:,.0f} per CPU second, {count / wall:,.0f} per second")


def named(theta: dict[str, Any]) -> Any:
    return plan.optimal(laws.precision, theta, BUDGET, free=("N", "D", "P"))


def general(theta: dict[str, Any]) -> Any:
    scaled = [(costs.precision_scaled_flops, "==", BUDGET)]
    return plan.solve(laws.precision, JOINT, params=theta, constraints=scaled)


def slsqp(theta: dict[str, float], start: np.ndarray) -> tuple[float, float]:
    """The loss and the tokens by SciPy, in logarithms of N and P; D from the budget."""
    parts = (("gamma_w", "n_w"), ("gamma_a", "n_a"), ("gamma_kv", "n_kv"))

    def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
        N, D, P = np.exp(x)
        size, slope = N, 0.0
        for gamma, n in parts:
            rest = np.exp(-P / theta[gamma] + theta[n])
            size *= 1 - rest
            slope += P / theta[gamma] * rest / (1 - rest)
        by_size = theta["A"] * size ** -theta["alpha"]
        by_data = theta["B"] * D ** -theta["beta"]
        gradient = np.array(
            [-theta["alpha"] * by_size, -theta["beta"] * by_data, -theta["alpha"] * by_size * slope]
        )
        return theta["E"] + by_size + by_data, gradient

    log_C = np.log(BUDGET * 16 / 6)
    budget = {"type": "eq", "fun": lambda x: x.sum() - log_C, "jac": lambda x: np.ones(3)}
    best = minimize(
        loss, start, jac=True, method="SLSQP", constraints=[budget], options={"ftol": 1e-14}
    )
    return float(best.fun), float(np.exp(best.x[0]))


@pytest.fixture(scope="module")
def theta():
    with float64():
        yield {k: jnp.asarray(v) for k, v in scattered(laws.params(laws.precision), DRAWS).items()}


@pytest.fixture(scope="module")
def peer(theta):
    """CPU seconds a plan of SLSQP, and its losses."""
    start = np.log([5.3e9, 7.1e10, 7.0])
    begin = time.process_time()
    rows = [slsqp({k: float(v[i]) for k, v in theta.items()}, start) for i in range(PEER_DRAWS)]
    cpu = (time.process_time() - begin) / PEER_DRAWS
    print(f"\nSLSQP: {1 / cpu:,.0f} plans per CPU second")
    return cpu, np.array(rows)


@pytest.mark.parametrize(
    "case",
    [("optimal", named, NAMED_RATIO), ("solve", general, GENERAL_RATIO)],
    ids=["optimal", "solve"],
)
def test_joint_plans(benchmark, theta, peer, case):
    label, solve, ratio = case
    cpu, wall = seconds(lambda: solve(theta))
    report(benchmark, label, DRAWS, cpu, wall)
    print(f"{label}: {peer[0] * DRAWS / cpu:,.0f} times SLSQP (aim {ratio:,.0f})")
    result = solve(theta)
    loss = result.loss if label == "optimal" else result.objective
    assert np.all(np.asarray(loss)[:PEER_DRAWS] <= peer[1][:, 0] * (1 + 1e-12))
    benchmark.extra_info["times_slsqp"] = peer[0] * DRAWS / cpu
    benchmark.pedantic(lambda: jax.block_until_ready(solve(theta)), rounds=1)


@pytest.mark.parametrize("solve", [named, general], ids=["optimal", "solve"])
def test_gradients(benchmark, theta, solve):
    """Of the mean loss and size by every parameter of every draw, against the plans alone."""

    def total(theta: dict[str, jax.Array]) -> jax.Array:
        best = solve(theta)
        N = best.N_opt if hasattr(best, "N_opt") else best.values["N"]
        return jnp.mean(jnp.log(N))

    forward, _ = seconds(lambda: jax.jit(total)(theta))
    compiled = jax.jit(jax.grad(total))
    both, wall = seconds(lambda: compiled(theta))
    report(benchmark, "gradient", DRAWS, both, wall)
    print(f"gradient: {both / forward:.2f} times the forward cost (aim {GRADIENT_RATIO})")
    benchmark.extra_info["ratio"] = both / forward
    benchmark.pedantic(lambda: jax.block_until_ready(compiled(theta)), rounds=1)


def test_cheapest(benchmark):
    with float64():
        theta = scattered(laws.params(laws.chinchilla), DRAWS, 0.02)
        cpu, wall = seconds(lambda: plan.cheapest(laws.chinchilla, theta, 2.0))
        report(benchmark, "cheapest", DRAWS, cpu, wall)
        benchmark.pedantic(lambda: plan.cheapest(laws.chinchilla, theta, 2.0), rounds=1)


def test_regret_of_many_plans(benchmark):
    """1,000 plans over 4,000 draws."""
    with float64():
        theta = scattered(laws.params(laws.chinchilla), 4000, 0.02)
        N = np.geomspace(1e10, 3e11, 1000)
        plans = {"N": N, "D": 1e24 / 6 / N}
        cpu, wall = seconds(lambda: plan.regret(laws.chinchilla, theta, plans))
        print(f"\nregret: {cpu:.2f} CPU s, {wall:.2f} s (aim {REGRET_SECONDS} s)")
        benchmark.pedantic(lambda: plan.regret(laws.chinchilla, theta, plans), rounds=1)
        assert cpu <= 2 * REGRET_SECONDS


@pytest.mark.parametrize("solve", [named, general], ids=["optimal", "solve"])
def test_first_call(benchmark, solve):
    """With nothing compiled: what a user waits for."""
    with float64():
        params = laws.params(laws.precision)
        start = time.process_time(), time.perf_counter()
        jax.block_until_ready(solve(params))
        cpu, wall = time.process_time() - start[0], time.perf_counter() - start[1]
        print(f"\nfirst call: {cpu:.1f} CPU s, {wall:.1f} s (aim {FIRST_CALL_SECONDS})")
        assert cpu <= FIRST_CALL_SECONDS
        benchmark.pedantic(lambda: jax.block_until_ready(solve(params)), rounds=1)
