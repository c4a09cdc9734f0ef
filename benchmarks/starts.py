"""Do fits depend on where they start? The share of starts that agree, for every law, on runs
simulated
from it.

    python -m benchmarks.starts [LAW ...] [--starts 1000]

The truth is the first set of published constants, or a point well inside the start ranges. A law
that cannot tell its parameters apart on such a design says ``collinear_design``: descents then end
all along a ridge, and agreement is no fault of the solver's. Values of either sign are fitted as
they are, all others by their logarithms.
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
"""Runs of a table, their relative noise, and how far inputs lie from the typical ones, as a factor:
of
laws of one resource, which are fitted to curves of many decades, further."""
_HELD = {
    "data_mixing_total(3)": ("c",),
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
"""Parameters that runs of these kinds leave open and other runs give, as the laws' cards say: held
at their truth."""
_SIGNED = {"capability", "vocabulary"}
"""Laws whose values are of either sign: fitted as they are."""
_GOLDEN = 0.5 * (5**0.5 - 1)
_SEEN = {
    "bnsl(1)": {"a": 0.5, "b": 10.0, "c_0": 0.3, "c_1": 0.5, "d_1": 1e4, "f_1": 0.25},
    "m4": {"eps_inf": 0.1, "eps_0": 1.0, "alpha": 0.5, "beta": 20.0, "c": 0.4},
}
"""Truths at which the curve shows what the law is about: a break well above the floor, an error
from
guessing down to its floor. In the middle of the ranges a break bends the loss by 0.1%, and straight
laws come as close."""
_LEVELS = (3e-4, 2e-4, 1e-4, 5e-5, 2e-5, 1e-5)
_SCHEDULED = {"momentum_law": laws.momentum_law, "multi_power": laws.multi_power}
"""Laws of a schedule, and the learning rates of their run: 4,000 steps each, the first of which
begin
with a warm-up. A rate that falls to several levels tells the pace of its effect from the power by
which that depends on the rate; a cosine leaves it open, and has a fall for every step."""
_BITS = (3.0, 4.0, 5.0, 6.0, 8.0, 12.0, 16.0)
_LOSS = 3.0


def stairs() -> np.ndarray:
    """Learning rate of every step of a run whose rate falls in stairs."""
    rates = np.repeat(_LEVELS, 4000)
    rates[:1000] = np.linspace(0, rates[0], 1000)
    return rates


def column(role: Role, rng: np.random.Generator, rows: int, reach: float) -> np.ndarray:
    """Values of one input: bits of the usual widths, shares evenly, everything else by factors
    about the typical.
    """
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
    """Inputs drawn evenly; shares of a mixture add up to 1, and nothing is quantised to more bits
    than trained in.
    """
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

    Every parameter at a place of its own: where all sources of a mixture are alike, say, their
    exponents mean nothing.
    """
    record = laws.describe(law)
    if record.published:
        return laws.params(law)
    if record.name in _SEEN:
        return _SEEN[record.name]
    with float64():
        coordinates = centred_coordinates(record, inputs, np.full(1, _LOSS))
        low, high = start_ranges(record).T
        places = 0.3 + 0.4 * ((0.5 + np.arange(len(low)) * _GOLDEN) % 1)
        params = coordinates.to_params(low + places * (high - low))
        return {name: float(value) for name, value in params.items()}


def table(law: laws.LawFunction) -> runs.Runs:
    """Runs simulated where the law gives a number that it may give.

    Raises:
        JscaleError: it hardly ever does.
    """
    record = laws.describe(law)
    inputs = design(record, 4 * ROWS)
    theta = truth(law, inputs)
    with float64():
        values = np.broadcast_to(np.asarray(law(**inputs, **theta)), (4 * ROWS,))
    good = np.flatnonzero(np.isfinite(values) & ((values > 0) | (record.name in _SIGNED)))[:ROWS]
    if len(good) < ROWS:
        raise JscaleError(f"{record.name} gives a number in {len(good)} of {4 * ROWS} runs only")
    chosen = {name: values[good] for name, values in inputs.items()}
    return runs.simulate(law, theta, chosen, noise=NOISE, key=jax.random.key(3))


def held(law: laws.LawFunction) -> laws.LawFunction:
    """The law as it is fitted."""
    record = laws.describe(law)
    if record.name not in _HELD:
        return law
    theta = truth(law, design(record, 4 * ROWS))
    return laws.fix(law, **{name: theta[name] for name in _HELD[record.name]})


def lines(names: list[str], starts: int) -> Iterator[str]:
    """One line a law."""
    yield f"{'law':28} {'k':>2} {'agree':>6} {'seconds':>7}  status"
    for name in names or [laws.describe(law).name for law in laws.catalogue]:
        law = _SCHEDULED[name](stairs()) if name in _SCHEDULED else laws.get(name)
        began = time.perf_counter()
        try:
            goal = fit.Huber(on="raw" if name in _SIGNED else "log")
            found = fit.point(held(law), table(law), objective=goal, starts=starts).certificate
        except JscaleError as error:
            yield f"{name:28} left out: {error}"
            continue
        finally:
            jax.clear_caches()
        seconds, size = time.perf_counter() - began, len(laws.describe(held(law)).parameters)
        loose = f" ({', '.join(found.unidentified)})" if found.unidentified else ""
        yield f"{name:28} {size:2d} {found.agreement:6.1%} {seconds:7.1f}  {found.status}{loose}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="The share of starts that agree, for every law.")
    parser.add_argument("laws", nargs="*", help="names; all of the catalogue unless given")
    parser.add_argument("--starts", type=int, default=1000, help="starting points of each fit")
    options = parser.parse_args()
    for line in lines(options.laws, options.starts):
        print(line, flush=True)


if __name__ == "__main__":
    main()
