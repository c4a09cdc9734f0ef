"""Speed of fits, sampler, plans and grids on whatever accelerator JAX finds, as one JSON file.

Each part is timed apart: first call (with compilation) and the best of some warm calls. Parts that
would begin after the time limit are left out and named. No claim about a device without its file.

Run: ``python -m benchmarks.device [--out FILE.json] [--seconds 180] [--small]``.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jscale
from jscale import fit, laws, plan, runs
from jscale._core.errors import JscaleError
from jscale._core.scope import float64

WARM_CALLS = 3
KUMAR = laws.params(laws.precision, "kumar2024")
DENSE = laws.params(laws.chinchilla, "besiroglu2024")
BUDGET = 1e21
SIZES = {
    "optima": (65536, 1024),
    "general": (8192, 128),
    "cheapest": (16384, 256),
    "regret": (4000, 200),
    "refits": (20000, 400),
    "draws": (1000, 100),
    "grid": (1000, 60),
}
"""Part → problems, draws or points of an axis: of a device, and of a trial (``--small``)."""
Measured = tuple[int, Callable[[], Any]]


def scattered(params: dict[str, float], count: int) -> dict[str, np.ndarray]:
    """``count`` sets of parameters around ``params``."""
    rng = np.random.default_rng(0)
    return {k: v * np.exp(0.05 * rng.normal(size=count)) for k, v in params.items()}


def table() -> runs.Runs:
    """A simulated table of 240 runs."""
    N, D = (
        each.ravel()
        for each in np.meshgrid(np.geomspace(1e8, 1e10, 12), np.geomspace(2e9, 1e12, 20))
    )
    loss = np.asarray(laws.chinchilla(N, D, **DENSE), np.float64)
    noise = 0.005 * np.random.default_rng(1).standard_normal(len(N))
    return runs.read({"N": N, "D": D, "loss": loss * np.exp(noise)})


def optima(count: int) -> Measured:
    theta = scattered(KUMAR, count)
    return count, lambda: plan.optimal(laws.precision, theta, BUDGET, free=("N", "D", "P"))


def gradients(count: int) -> Measured:
    theta = {name: jnp.asarray(value) for name, value in scattered(KUMAR, count).items()}

    def total(theta: Any) -> Any:
        best = plan.optimal(laws.precision, theta, BUDGET, free=("N", "D", "P"))
        return jnp.sum(jnp.log(best.N_opt))

    gradient = jax.jit(jax.grad(total))
    return count, lambda: gradient(theta)


def general(count: int) -> Measured:
    theta = scattered(KUMAR, count)
    variables = {"N": plan.Free(), "D": plan.Free(), "P": plan.Free(1.0, 64.0)}
    scaled = [(plan.costs.precision_scaled_flops, "==", BUDGET)]
    return (
        count,
        lambda: plan.solve(laws.precision, variables, params=theta, constraints=scaled).objective,
    )


def cheapest(count: int) -> Measured:
    theta = scattered(DENSE, count)
    return count, lambda: plan.cheapest(laws.chinchilla, theta, 2.2)


def regret(draws: int) -> Measured:
    theta = scattered(DENSE, draws)
    N = np.geomspace(1e10, 1e12, 1000)
    plans = {"N": N, "D": 1e24 / (6 * N)}
    return len(N), lambda: plan.regret(laws.chinchilla, theta, plans).nats


def refits(count: int) -> Measured:
    point = fit.point(laws.chinchilla, table(), starts=8)
    key = jax.random.key(0)
    return count, lambda: fit.bootstrap(point, draws=count, key=key, kind="parametric")


def sampler(draws: int) -> Measured:
    data, key = table(), jax.random.key(0)

    def sample() -> Any:
        return fit.posterior(
            laws.chinchilla, data, key=key, draws=draws, warmup=draws, sampler="nuts"
        )

    return 4 * draws, sample


def cells(points: int) -> Measured:
    axes = {
        "N": np.geomspace(1e9, 1e11, points),
        "D": np.geomspace(1e10, 1e12, points),
        "P": np.linspace(4.0, 16.0, points),
    }
    where = "6/16 * N * D * P <= 1e22"

    def search() -> Any:
        return plan.grid(laws.precision, axes, params=KUMAR, where=where, yes=True)

    return points**3, search


PARTS: dict[str, tuple[str, str, Callable[[int], Measured], bool]] = {
    "plans": ("optima", "optima", optima, True),
    "plans in float32": ("optima", "optima", optima, False),
    "gradients": ("optima", "gradients", gradients, True),
    "general optimiser": ("general", "optima", general, True),
    "cheapest": ("cheapest", "optima", cheapest, True),
    "regret": ("regret", "plans against all draws", regret, True),
    "refits": ("refits", "refits", refits, True),
    "grid": ("grid", "points", cells, True),
    "sampler": ("draws", "draws", sampler, True),
}
"""Part → key of its size, unit, what it measures, and whether in float64."""


def measure(build: Callable[[int], Measured], size: int, warm: int) -> dict[str, Any]:
    """Seconds of the first and of the best warm call, and the rate of the latter."""
    count, call = build(size)
    times = []
    for _ in range(1 + warm):
        start = time.perf_counter()
        jax.block_until_ready(jax.tree.leaves(call()))
        times.append(time.perf_counter() - start)
    best = min(times[1:], default=times[0])
    return {"count": count, "first_s": times[0], "warm_s": best, "per_second": count / best}


def machine() -> dict[str, Any]:
    """What was measured, on what."""
    device = jax.devices()[0]
    return {
        "jscale": jscale.__version__,
        "jax": jax.__version__,
        "python": platform.python_version(),
        "backend": jax.default_backend(),
        "device": device.device_kind,
        "devices": jax.device_count(),
    }


def measure_all(seconds: float, small: bool, show: Callable[[str], None]) -> dict[str, Any]:
    """Every part that begins within the time limit."""
    begin = time.perf_counter()
    result: dict[str, Any] = {**machine(), "small": small, "parts": {}, "left_out": []}
    for name, (size, unit, build, in_float64) in PARTS.items():
        if time.perf_counter() - begin > seconds:
            result["left_out"].append(name)
            continue
        count = SIZES[size][int(small)]
        warm = 1 if name in ("sampler", "refits") else WARM_CALLS
        try:
            if in_float64:
                with float64():
                    found = measure(build, count, warm)
            else:
                found = measure(build, count, warm)
        except (JscaleError, RuntimeError) as error:  # a device that lacks an operation or memory
            found = {"error": f"{type(error).__name__}: {str(error)[:200]}"}
        else:
            show(f"{name:20} {found['per_second']:14,.0f} {unit} a second")
        result["parts"][name] = found
    result["seconds"] = time.perf_counter() - begin
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("device.json"))
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--small", action="store_true", help="small sizes, to try it on a CPU")
    arguments = parser.parse_args()
    measured = measure_all(arguments.seconds, arguments.small, print)
    arguments.out.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    print(f"{measured['device']}: {measured['seconds']:.0f} s, written to {arguments.out}")
