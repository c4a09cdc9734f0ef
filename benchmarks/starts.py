"""Do fits depend on where they start? The share of starts that agree, for every law, on runs simulated from it.

    python -m benchmarks.starts [LAW ...] [--starts 1000]

A law that cannot tell its parameters apart on such a design says ``collinear_design``: descents then end all along a
ridge, and agreement is no fault of the solver's. A law that returns what no column holds, or a negative number, cannot
be fitted to the logarithm of a loss and is left out, with the reason.
"""

import argparse
import time
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from jscale import fit, laws, runs
from jscale._core.errors import JscaleError
from jscale._core.scope import float64
from jscale.fit._coordinates import at_runs
from jscale.laws.roles import Role

ROWS, NOISE, REACH = 240, 0.0003, 40.0
"""Runs of a table, their relative noise, and how far inputs lie from the typical ones, as a factor."""
_BITS = (3.0, 4.0, 5.0, 6.0, 8.0, 12.0, 16.0)
_LOSS = 3.0


def column(role: Role, rng: np.random.Generator, rows: int) -> np.ndarray:
    """Values of one input: bits of the usual widths, shares evenly, everything else by factors about the typical."""
    low, high, typical = min(role.ends), max(role.ends), role.typical
    assert typical is not None
    if role.name == "bits":
        return rng.choice(_BITS, rows)
    if low <= 0:
        top = high if np.isfinite(high) else 4 * typical
        return rng.uniform(low + 0.02 * (top - low), low + 0.98 * (top - low), rows)
    return np.exp(rng.uniform(np.log(max(low, typical / REACH)), np.log(min(high, typical * REACH)), rows))


def design(record: laws.Record, rows: int) -> dict[str, np.ndarray]:
    """Inputs drawn evenly; shares of a mixture add up to 1, and nothing is quantised to more bits than trained in."""
    rng = np.random.default_rng(1)
    inputs = {i.name: column(i.role, rng, rows) for i in record.inputs}
    shares = [i.name for i in record.inputs if i.role.name == "proportion"]
    if len(shares) > 1:
        inputs.update(zip(shares, rng.dirichlet(np.ones(len(shares)), rows).T, strict=True))
    if {"P_w", "P_post"} <= set(inputs):
        inputs["P_post"] = np.minimum(inputs["P_post"], inputs["P_w"])
    return inputs


def truth(law: laws.LawFunction, inputs: dict[str, np.ndarray]) -> dict[str, float]:
    """The published constants, or the middle of the start ranges."""
    record = laws.describe(law)
    if record.published:
        return laws.params(law)
    with float64():
        coordinates = at_runs(record, inputs, np.full(1, _LOSS))
        middle = {p.name: float(_middle(p.role)) for p in record.parameters}
        return {name: float(value) for name, value in coordinates.from_coordinates(middle).items()}


def _middle(role: Role) -> jax.Array:
    """The middle of the start range, in the coordinate in which starts are spread evenly."""
    assert role.start is not None
    low, high = (role.support.to_free(jnp.asarray(edge)) for edge in role.start)
    return role.support.to_natural((low + high) / 2)


def table(law: laws.LawFunction) -> runs.Runs:
    """Runs simulated where the law gives a positive number.

    Raises:
        JscaleError: it hardly ever does, or no column holds what it returns.
    """
    record = laws.describe(law)
    inputs = design(record, 4 * ROWS)
    theta = truth(law, inputs)
    with float64():
        values = np.broadcast_to(np.asarray(law(**inputs, **theta)), (4 * ROWS,))
    good = np.flatnonzero(np.isfinite(values) & (values > 0))[:ROWS]
    if len(good) < ROWS:
        raise JscaleError(f"{record.name} is positive in {len(good)} of {4 * ROWS} runs only")
    chosen = {name: values[good] for name, values in inputs.items()}
    return runs.simulate(law, theta, chosen, noise=NOISE, key=jax.random.key(3))


def lines(names: list[str], starts: int) -> Iterator[str]:
    """One line a law."""
    known = {laws.describe(law).name: law for law in laws.catalogue}
    yield f"{'law':28} {'k':>2} {'agree':>6} {'seconds':>7}  status"
    for name in names or known:
        law = known[name] if name in known else laws.get(name)
        began = time.perf_counter()
        try:
            found = fit.point(law, table(law), starts=starts).certificate
        except JscaleError as error:
            yield f"{name:28} left out: {error}"
            continue
        finally:
            jax.clear_caches()
        seconds, size = time.perf_counter() - began, len(laws.describe(law).parameters)
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
