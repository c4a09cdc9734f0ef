"""Effective draws a second: jscale, NumPyro and nutpie on one model, in turn in the same run.

The 240 runs of the Chinchilla table (``runs.dataset("chinchilla")``; without it, as many runs
simulated on a grid of sizes and tokens), five constants and the scale of Student-t errors, all with
the priors of ``fit.model``. Every sampler runs once before it is timed, so that nothing is
compiled; then all take turns, and rates are medians. A rate is the least number of effective draws
of any parameter (bulk) over the wall time of the whole call, with its warm-up, on all cores; those
over the processor time, which other processes disturb less, are printed beside.

jscale as ``fit.posterior`` is called, with 4,000 and with 20,000 draws. NumPyro's NUTS at its
defaults and with a dense mass matrix, four chains of 1,000 + 1,000 transitions. nutpie at its
defaults (400 + 1,000 transitions) with four chains, on the same model in PyMC, compiled by Numba.
nutpie and PyMC are peers, not dependencies (``pip install --group peers``): without them nutpie is
left out.
"""

import importlib
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from numpyro.infer import MCMC, NUTS

from jscale import fit, laws, runs
from jscale._core.errors import JscaleError
from jscale.fit.bayes._model import Posed, pose

ROUNDS, CHAINS = 3, 4
NAMES = ("E", "A", "B", "alpha", "beta", "sigma")
LEAST_RATE, NUMPYRO_RATIO, NUTPIE_RATIO = 15_000, 50, 30
"""Effective draws a second, and those over NumPyro's defaults and over nutpie."""
Sampler = Callable[[int], float]
"""A seed → the least number of effective draws."""


def bench_effective_draws(benchmark):
    """Least effective draws a second of each sampler, and the ratios of jscale's to theirs."""
    table = chinchilla_runs()
    samplers: dict[str, Sampler] = {
        "jscale, 4,000 draws": by_jscale(table, 1000),
        "jscale, 20,000 draws": by_jscale(table, 5000),
        "NumPyro NUTS": by_numpyro(table, dense=False),
        "NumPyro NUTS, dense": by_numpyro(table, dense=True),
        **by_nutpie(table),
    }
    rates = in_turn(samplers)
    medians = {name: float(np.median(each[:, 0])) for name, each in rates.items()}
    best = max(medians["jscale, 4,000 draws"], medians["jscale, 20,000 draws"])
    print()
    for name, each in rates.items():
        wall, cpu = np.median(each, axis=0)
        ratio = best / medians[name]
        print(f"{name:22} {wall:8,.0f} a second, {cpu:8,.0f} of CPU; jscale's is {ratio:.0f} times")
    benchmark.extra_info.update(medians)
    benchmark.pedantic(samplers["jscale, 4,000 draws"], args=(99,), rounds=3, warmup_rounds=0)
    assert best / medians["NumPyro NUTS"] >= NUMPYRO_RATIO
    if "nutpie" in medians:
        assert best / medians["nutpie"] >= NUTPIE_RATIO
    assert best >= LEAST_RATE


def chinchilla_runs() -> runs.Runs:
    """The public table, or runs simulated on a grid where it is not at hand."""
    try:
        return runs.dataset("chinchilla")
    except JscaleError:
        N, D = np.meshgrid(np.geomspace(5e7, 1.6e10, 20), np.geomspace(3e9, 3e11, 12))
        design = {"N": N.ravel(), "D": D.ravel()}
        theta = laws.params(laws.chinchilla)
        return runs.simulate(laws.chinchilla, theta, design, noise=0.01, key=jax.random.key(0))


def in_turn(samplers: dict[str, Sampler]) -> dict[str, np.ndarray]:
    """Effective draws of every sampler, a second and a second of processor time: (rounds, 2)."""
    rates: dict[str, list[np.ndarray]] = {name: [] for name in samplers}
    for seed in range(ROUNDS + 1):
        for name, sampler in samplers.items():
            start = np.array([time.perf_counter(), time.process_time()])
            effective = sampler(seed)
            spent = np.array([time.perf_counter(), time.process_time()]) - start
            if seed > 0:  # the first compiles
                rates[name].append(effective / spent)
    return {name: np.array(each) for name, each in rates.items()}


def by_jscale(table: runs.Runs, draws: int) -> Sampler:
    """``fit.posterior``, of four chains."""

    def sampled(seed: int) -> float:
        posterior = fit.posterior(
            laws.chinchilla, table, key=jax.random.key(seed), errors="student", draws=draws
        )
        return min(posterior.summary[name]["ess_bulk"] for name in NAMES)

    return sampled


def by_numpyro(table: runs.Runs, *, dense: bool) -> Sampler:
    """NUTS on the public model."""
    model = fit.model(laws.chinchilla, table, errors="student")
    chains = MCMC(
        NUTS(model, dense_mass=dense),
        num_warmup=1000,
        num_samples=1000,
        num_chains=CHAINS,
        chain_method="sequential",
        progress_bar=False,
    )

    def sampled(seed: int) -> float:
        with jax.enable_x64(True):
            chains.run(jax.random.key(seed))
            draws = chains.get_samples(group_by_chain=True)
        return least_effective({name: np.asarray(draws[name]) for name in NAMES})

    return sampled


def by_nutpie(table: runs.Runs) -> dict[str, Sampler]:
    """Nutpie on the model in PyMC, where both are installed."""
    try:
        nutpie: Any = importlib.import_module("nutpie")
        model = nutpie.compile_pymc_model(of_pymc(table))
    except ImportError:
        return {}

    def sampled(seed: int) -> float:
        trace = nutpie.sample(model, chains=CHAINS, seed=seed, progress_bar=False)
        return least_effective({name: trace.posterior[name].values for name in NAMES})

    return {"nutpie": sampled}


def of_pymc(table: runs.Runs) -> Any:
    """The same model in PyMC, written out."""
    pm: Any = importlib.import_module("pymc")
    posed: Posed = pose(laws.chinchilla, table, None, "student", padded=False)
    centre = {name: float(value) for name, value in posed.problem.centre.items()}
    N, D = (np.asarray(posed.problem.inputs[name]) for name in ("N", "D"))
    spread = float(posed.problem.arrays.spread)
    with pm.Model() as model:
        alpha, beta = (pm.LogNormal(name, np.log(0.25), 1.0) for name in ("alpha", "beta"))
        E = pm.Deterministic("E", centre["floor_max"] * pm.Uniform("floor", 0.0, 1.0))
        A_centred, B_centred = (
            pm.LogNormal(f"{name}_centred", np.log(0.5), 1.5) for name in ("A", "B")
        )
        pm.Deterministic("A", A_centred * centre["N"] ** alpha)
        pm.Deterministic("B", B_centred * centre["D"] ** beta)
        sigma = pm.LogNormal("sigma", sigma_location(spread), 1.5)
        terms = A_centred * (N / centre["N"]) ** -alpha + B_centred * (D / centre["D"]) ** -beta
        loss = np.log(np.asarray(posed.problem.loss))
        nu = fit.ErrorModel("student").nu
        pm.StudentT("log_loss", nu=nu, mu=pm.math.log(E + terms), sigma=sigma, observed=loss)
    return model


def sigma_location(spread: float) -> float:
    """Location of the lognormal prior of the scale of errors, from the spread of the losses."""
    from jscale.fit.errors import noise_priors

    prior: Any = noise_priors(fit.ErrorModel("student"), spread)["sigma"]
    return float(prior.loc)


def least_effective(draws: dict[str, np.ndarray]) -> float:
    """Least bulk ESS of parameters (chains, draws), by ArviZ."""
    import arviz

    return min(float(arviz.ess(arviz.convert_to_dataset({n: x}))[n]) for n, x in draws.items())
