"""Grid searches: points a second against NumPy, XLA's argmin and a bare fused minimum.

All ratios are of times in the same run, the best of several; they are printed and not asserted, as
they vary with the load of the machine. The law is the unified one of
Kumar et al. (2024) on N × D × P in float64. ``python -m benchmarks.bench_grid`` prints the cost
against the size, and against the number of devices.
"""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.process import ROOT
from jscale import laws, plan
from jscale._core.scope import float64
from jscale.plan import reductions

LAW = laws.precision
THETA = laws.params(LAW, "kumar2024")
SHAPE = (500, 500, 400)
SMALL = (50, 250, 400)
"""For NumPy and XLA's argmin, which are slow; points a second do not depend on the size."""


def axes(shape: tuple[int, int, int]) -> dict[str, np.ndarray]:
    sizes, tokens, bits = shape
    return {
        "N": np.geomspace(1e8, 1e11, sizes),
        "D": np.geomspace(1e10, 1e13, tokens),
        "P": np.linspace(3.0, 16.0, bits),
    }


def loss(N: Any, D: Any, P: Any) -> Any:
    return LAW(N, D, P_w=P, P_a=P, P_kv=P, **THETA)


def numpy_loss(N: Any, D: Any, P: Any) -> Any:
    """The same in NumPy, without the term of quantisation after training, which is 0."""
    theta, N_eff = THETA, N
    for part in ("w", "a", "kv"):
        left = -np.expm1(theta[f"n_{part}"] - P / theta[f"gamma_{part}"])
        N_eff = N_eff * np.maximum(left, 0.0)
    with np.errstate(divide="ignore"):
        size = theta["A"] * N_eff ** -theta["alpha"]
    return theta["E"] + size + theta["B"] * D ** -theta["beta"]


def best_seconds(function: Callable[[], Any], rounds: int = 5) -> float:
    """The shortest of some calls, after one that compiles."""
    function()
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def rate(function: Callable[[], Any], shape: tuple[int, int, int], rounds: int = 5) -> float:
    """Points a second."""
    return float(np.prod(shape)) / best_seconds(function, rounds)


def broadcast(shape: tuple[int, int, int]) -> tuple[Any, Any, Any]:
    """The axes, to be broadcast against each other."""
    N, D, P = axes(shape).values()
    return N[:, None, None], D[:, None], P


def fused(reduce: Callable[[jax.Array], jax.Array], shape: tuple[int, int, int]) -> Callable:
    """A bare reduction of the law by XLA."""
    arrays = [jnp.asarray(a) for a in broadcast(shape)]
    compiled = jax.jit(lambda N, D, P: reduce(loss(N, D, P)))
    return lambda: compiled(*arrays).block_until_ready()


def search(shape: tuple[int, int, int], *reduce: reductions.Reduction, **options: Any) -> Callable:
    """A grid search."""
    return lambda: plan.grid(LAW, axes(shape), params=THETA, reduce=reduce, **options)


def bench_arg_min_against_numpy_and_xla(benchmark):
    with float64():
        others = {
            "NumPy": rate(lambda: np.argmin(numpy_loss(*broadcast(SMALL))), SMALL, 3),
            "XLA's argmin": rate(fused(jnp.argmin, SMALL), SMALL, 3),
            "a fused min": rate(fused(jnp.min, SHAPE), SHAPE),
        }
    grid = search(SHAPE, reductions.Best())
    best = rate(grid, SHAPE)
    top = rate(search(SHAPE, reductions.Top(100)), SHAPE)
    half = rate(search(SHAPE, reductions.Best(), dtype="float32"), SHAPE)
    benchmark.pedantic(grid, rounds=3)
    benchmark.extra_info.update(others, best=best, top=top, float32=half)
    print(f"\narg-min of the grid: {best / 1e6:,.0f} M points/s, float32 {half / 1e6:,.0f}")
    print(f"top-100: {top / 1e6:,.0f} M points/s, {best / top:.2f} times the time")
    for name, other in others.items():
        print(f"{name}: {other / 1e6:,.0f} M points/s; the grid {best / other:.2f} times as fast")


def bench_other_reductions(benchmark):
    """What they cost, in times of arg-min."""
    quantities = {"loss": LAW, "flops": "6/16 * N * D * P"}
    where = {"where": "6/16 * N * D * P <= 1e22"}
    cases = {
        "arg-min under a constraint": search(SHAPE, reductions.Best(), **where),
        "count under a constraint": search(SHAPE, reductions.Count(), **where),
        "moments": search(SHAPE, reductions.Moments()),
        "valley along P": search(SHAPE, reductions.Marginal(("P",))),
        "heat map of N and P": search(SHAPE, reductions.Marginal(("N", "P"))),
    }
    base = rate(search(SHAPE, reductions.Best()), SHAPE, 3)
    print()
    for name, function in cases.items():
        points = rate(function, SHAPE, 3)
        print(f"{name}: {points / 1e6:,.0f} M points/s, {base / points:.1f} times arg-min")
        benchmark.extra_info[name] = points
    histogram = search(SMALL, reductions.Histogram(tuple(np.linspace(2, 5, 41))))
    front = reductions.Front(("flops", "loss"))
    slow = {
        "histogram of 40 bins": histogram,
        "front of loss and FLOP": lambda: plan.grid(
            quantities, axes(SMALL), params=THETA, reduce=[front]
        ),
    }
    for name, function in slow.items():
        points = rate(function, SMALL, 2)
        print(f"{name}: {points / 1e6:,.1f} M points/s")
        benchmark.extra_info[name] = points
    benchmark.pedantic(cases["moments"], rounds=1)


def bench_quantiles_over_draws(benchmark):
    """A tenth of 10^5 cells times 4,000 draws."""
    random = np.random.default_rng(0)
    draws = {name: value * np.exp(0.02 * random.normal(size=4000)) for name, value in THETA.items()}
    grid = axes((100, 100, 1))

    def quantiles() -> plan.GridResult:
        return plan.grid(LAW, grid, params=draws, reduce=[reductions.Quantiles()])

    seconds = best_seconds(quantiles, rounds=1)
    benchmark.pedantic(quantiles, rounds=1)
    benchmark.extra_info["seconds for 1e5 cells"] = 10 * seconds
    print(f"\nquantiles of 10^5 cells over 4,000 draws: {10 * seconds:.0f} s")


@pytest.mark.parametrize("points", [1e7, 1e9])
def bench_memory_is_flat(benchmark, points):
    """The peak of a process does not grow with the grid."""
    code = f"from benchmarks import bench_grid; bench_grid.report({points:.0f}, 1)"
    mebibytes = benchmark.pedantic(lambda: _alone(code), rounds=1)[2]
    benchmark.extra_info["MiB"] = mebibytes
    print(f"\n{points:.0e} points: {mebibytes:,.0f} MiB")
    assert mebibytes < 1024


def report(points: int, devices: int) -> None:
    """Print the points, the seconds of start and search, and the peak of memory in MiB."""
    side = max(2, round((points / 400) ** 0.5))
    shape = (side, side, 400)
    start = time.perf_counter()
    search((2, 2, 400), reductions.Best())()
    first = time.perf_counter() - start
    grid = search(shape, reductions.Best())
    if points < 1e10:
        seconds = best_seconds(grid, 1)
    else:  # the time to compile hardly counts
        begin = time.perf_counter()
        grid()
        seconds = time.perf_counter() - begin
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
    assert len(jax.devices()) == devices
    print(np.prod(shape), seconds, peak, first)


def _alone(code: str, devices: int = 1) -> list[float]:
    """The numbers that a process of its own prints."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={devices}"
    environment = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return [float(number) for number in done.stdout.split()]


def main() -> None:
    """Print the cost against the size and against the number of devices."""
    print("points     devices   seconds   M points/s    peak MiB")
    runs = [(10**k, 1) for k in (6, 7, 8, 9, 10)] + [(10**9, d) for d in (2, 4, 8)]
    for points, devices in runs:
        code = f"from benchmarks import bench_grid; bench_grid.report({points}, {devices})"
        count, seconds, peak, _ = _alone(code, devices)
        millions = count / seconds / 1e6
        print(f"{count:8.1e} {devices:8d} {seconds:10.2f} {millions:11,.0f} {peak:11,.0f}")


if __name__ == "__main__":
    main()
