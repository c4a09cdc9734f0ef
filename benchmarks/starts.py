"""Agreement of restarts: the fraction of starts that reach the optimum, for every law.

    python -m benchmarks.starts [LAW ...] [--starts 1000]

The runs are simulated from the law, with the first set of published constants or a point well
inside the start ranges as the truth. If the design does not identify the parameters the status is
``collinear_design``: descents then end all along a ridge, and low agreement does not indicate a
failure of the solver. Values of either sign are fitted as they are, all others by their logarithms.
"""

import argparse
import time
from collections.abc import Iterator

import jax
import numpy as np

from jscale import fit, laws, runs
from jscale._core.errors import JscaleError
from jscale._core.scope import float64
from jscale.fit.objective._coordinates import centred_coordinates
from jscale.fit.objective._start_ranges import start_ranges
from jscale.laws.roles import Role

ROWS, NOISE, REACH, CURVE_REACH = 240, 0.0003, 40.0, 1000.0
"""Rows of a table, their relative noise, and the ranges of the inputs around typical values.

The ranges are factors; laws of one resource are fitted to curves of many decades.
"""
_HELD = {
    "five_factor_moe": ("k",),
    "data_mixing_total(3)": ("c",),
    "noisy_quadratic": ("r",),
    "mixed_modal": (
        "E_i",
        "A_i",
        "B_i",
        "alpha_i",
        "beta_i",
        "E_j",
        "A_j",
        "B_j",
        "alpha_j",
        "beta_j",
    ),
}
"""Parameters that these runs do not identify (see the laws' cards): fixed at their true values."""
_SIGNED = {"best_of_n_reward", "capability", "rl_reward", "vocabulary"}
"""Laws whose values can be 0 or of either sign: fitted without logarithms."""
_LEAST = {"qat_share": 0.01}
"""Least values of runs, 0 for others: no experiment finds a best share of 1e-50."""
_GOLDEN = 0.5 * (5**0.5 - 1)
_TRUTHS = {
    "cluster_accuracy": {"g": 0.2, "a": 1e21**0.45, "b": 0.45, "c": 0.1},
    "bnsl(1)": {"a": 0.5, "b": 10.0, "c_0": 0.3, "c_1": 0.5, "d_1": 1e4, "f_1": 0.25},
    "m4": {"eps_inf": 0.1, "eps_0": 1.0, "alpha": 0.5, "beta": 20.0, "c": 0.4},
}
"""True parameters with a visible feature: a break well above the floor, or an error that falls from
guessing to its floor. In the middle of the ranges a break changes the loss by only 0.1%."""
_LEVELS = (3e-4, 2e-4, 1e-4, 5e-5, 2e-5, 1e-5)
_SCHEDULED = {"momentum_law": laws.momentum_law, "multi_power": laws.multi_power}
"""Laws of a schedule; their run has 4,000 steps at each learning rate, after a warm-up.

Several levels of the rate identify both the pace of its effect and the power of the rate in it; a
cosine does not, and has a change at every step.
"""
_BITS = (3.0, 4.0, 5.0, 6.0, 8.0, 12.0, 16.0)
_LOSS = 3.0


def stairs() -> np.ndarray:
    """Learning rate of every step of a run whose rate falls in steps."""
    rates = np.repeat(_LEVELS, 4000)
    rates[:1000] = np.linspace(0, rates[0], 1000)
    return rates


def column(role: Role, rng: np.random.Generator, rows: int, reach: float) -> np.ndarray:
    """Values of one input: common bit widths, uniform shares, otherwise log-uniform."""
    low, high, typical = min(role.ends), max(role.ends), role.typical
    assert typical is not None
    if role.name == "bits":
        return rng.choice(_BITS, rows)
    if low <= 0:
        top = high if np.isfinite(high) else 4 * typical
        return rng.uniform(low + 0.02 * (top - low), low + 0.98 * (top - low), rows)
    return np.exp(
        rng.uniform(np.log(max(low, typical / reach)), np.log(min(high, typical * reach)), rows)
    )


def design(record: laws.Record, rows: int) -> dict[str, np.ndarray]:
    """Random inputs; shares of a mixture sum to 1, and P_post is at most P_w."""
    rng = np.random.default_rng(1)
    reach = CURVE_REACH if [i.role.name for i in record.inputs] == ["resource"] else REACH
    inputs = {i.name: column(i.role, rng, rows, reach) for i in record.inputs}
    shares = [i.name for i in record.inputs if i.role.name == "proportion"]
    if len(shares) > 1:
        inputs.update(zip(shares, rng.dirichlet(np.ones(len(shares)), rows).T, strict=True))
    if {"P_w", "P_post"} <= set(inputs):
        inputs["P_post"] = np.minimum(inputs["P_post"], inputs["P_w"])
    return inputs


def truth(law: laws.LawFunction, inputs: dict[str, np.ndarray]) -> dict[str, float]:
    """Published constants, or a point in the middle two fifths of the start ranges.

    Every parameter is at a different relative position: if all sources of a mixture were equal, for
    example, their exponents would not be identified.
    """
    record = laws.describe(law)
    if record.published:
        return laws.params(law)
    if record.name in _TRUTHS:
        return _TRUTHS[record.name]
    with float64():
        coordinates = centred_coordinates(record, inputs, np.full(1, _LOSS))
        low, high = start_ranges(record).T
        places = 0.3 + 0.4 * ((0.5 + np.arange(len(low)) * _GOLDEN) % 1)
        params = coordinates.to_params(low + places * (high - low))
        return {name: float(value) for name, value in params.items()}


def table(law: laws.LawFunction, noise: float = NOISE) -> runs.Runs:
    """Runs simulated where the law's value is finite and of an admissible sign.

    Args:
        law: of the runs.
        noise: relative errors.

    Raises:
        JscaleError: too few of the inputs give such a value.
    """
    record = laws.describe(law)
    inputs = design(record, 4 * ROWS)
    theta = truth(law, inputs)
    with float64():
        values = np.broadcast_to(np.asarray(law(**inputs, **theta)), (4 * ROWS,))
    admissible = (values > _LEAST.get(record.name, 0.0)) | (record.name in _SIGNED)
    valid = np.flatnonzero(np.isfinite(values) & admissible)[:ROWS]
    if len(valid) < ROWS:
        raise JscaleError(
            f"{record.name}: {len(valid)} of {4 * ROWS} runs have an admissible value; "
            f"expected {ROWS} or more"
        )
    inputs_used = {name: values[valid] for name, values in inputs.items()}
    return runs.simulate(law, theta, inputs_used, noise=noise, key=jax.random.key(3))


def held(law: laws.LawFunction) -> laws.LawFunction:
    """The law with the parameters of ``_HELD`` fixed."""
    record = laws.describe(law)
    if record.name not in _HELD:
        return law
    theta = truth(law, design(record, 4 * ROWS))
    return laws.fix(law, **{name: theta[name] for name in _HELD[record.name]})


def lines(names: list[str], starts: int) -> Iterator[str]:
    """One line for each law."""
    yield f"{'law':28} {'k':>2} {'agree':>6} {'seconds':>7}  status"
    for name in names or [laws.describe(law).name for law in laws.catalogue]:
        law = _SCHEDULED[name](stairs()) if name in _SCHEDULED else laws.get(name)
        start = time.perf_counter()
        try:
            objective = fit.Huber(on="raw" if name in _SIGNED else "log")
            point = fit.point(held(law), table(law), objective=objective, starts=starts)
            certificate = point.certificate
        except JscaleError as error:
            yield f"{name:28} skipped: {error}"
            continue
        finally:
            jax.clear_caches()
        seconds, size = time.perf_counter() - start, len(laws.describe(held(law)).parameters)
        status = str(certificate.status)
        if certificate.unidentified:
            status += f" ({', '.join(certificate.unidentified)})"
        yield f"{name:28} {size:2d} {certificate.agreement:6.1%} {seconds:7.1f}  {status}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Agreement of restarts for every law.")
    parser.add_argument("laws", nargs="*", help="names; all of the catalogue unless given")
    parser.add_argument("--starts", type=int, default=1000, help="starting points of each fit")
    options = parser.parse_args()
    for line in lines(options.laws, options.starts):
        print(line, flush=True)


if __name__ == "__main__":
    main()
