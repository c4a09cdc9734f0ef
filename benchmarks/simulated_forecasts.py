"""Do intervals hold where the truth is known? The section "Simulations" of docs/forecasts.md.

Tables are simulated from a law with known parameters and errors, fitted, and asked for their
parameters and for new runs at ten times the largest compute. A row of the printed table is a kind
of simulation: how often central 80% and 90% intervals hold the truth.

Run: ``python -m benchmarks.simulated_forecasts [--out FILE.json] [--tables COUNT] [KIND ...]``;
tables that FILE already holds are not simulated again.
"""

import argparse
import json
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jscale import assess, fit, laws, runs
from jscale.laws import LawFunction

LEVELS = (0.8, 0.9)
DRAWS = 1000
_RATIOS = (3.0, 10.0, 30.0, 100.0, 300.0)
_COMPUTE = np.geomspace(1e18, 1e21, 8)
_NEW_RATIOS = np.array([5.0, 20.0, 80.0])
_NEW_COMPUTE = 1e22
_DEFAULT = "normal + scale(C, D/N) + discrepancy"
"""The error model of `fit.posterior` where none is named."""
_GROUPS = 8
"""Clusters of five runs, whose losses have an error in common."""


class Simulated(NamedTuple):
    """A table with what it hides.

    Attributes:
        table: the runs.
        truth: parameter of the law or of the error model → value.
        new: input → (points,) of new runs; empty where none is asked for.
        losses: (points,) of these runs.
    """

    table: runs.Runs
    truth: Mapping[str, float]
    new: Mapping[str, np.ndarray]
    losses: np.ndarray


class Kind(NamedTuple):
    """A kind of simulation.

    Attributes:
        law: that is fitted.
        errors: its error model; None for an ensemble of the default error models.
        simulate: the table of a random generator.
        tables: number of tables.
        corrected: whether bands are corrected by forecasts of held-out runs, as `jscale predict`
            does; those of an ensemble always are.
    """

    law: LawFunction
    errors: str | None
    simulate: Callable[[np.random.Generator], Simulated]
    tables: int = 200
    corrected: bool = False


def isoflop(rng: np.random.Generator, errors: str) -> Simulated:
    """Eight budgets at five ratios of tokens to parameters, and runs of ten times the compute."""
    # 1. A law about those that are published, in terms at the typical run.
    alpha, beta = 0.33 * np.exp(0.2 * rng.normal(size=2))
    terms = 0.5 * np.exp(0.4 * rng.normal(size=2))
    floor = rng.uniform(1.3, 2.2)
    compute, ratio = (each.ravel() for each in np.meshgrid(_COMPUTE, _RATIOS))
    fitted = _sizes(compute, ratio)
    new = _sizes(np.full(len(_NEW_RATIOS), _NEW_COMPUTE), _NEW_RATIOS)
    A, B = (
        term * np.exp(power * np.log(fitted[name]).mean())
        for term, power, name in zip(terms, (alpha, beta), ("N", "D"), strict=True)
    )
    truth = {"E": floor, "A": A, "B": B, "alpha": alpha, "beta": beta}

    # 2. Errors of all runs, by terms of the error model.
    both = {name: np.concatenate([fitted[name], new[name]]) for name in fitted}
    count, total = len(compute), len(both["N"])
    sigma = 0.005 * np.exp(0.3 * rng.normal())
    z = rng.standard_t(4, total) if errors == "student" else rng.normal(size=total)
    error = sigma * z
    labels = rng.permutation(np.arange(count) % _GROUPS)
    if errors != "wave":
        truth["sigma"] = sigma
    if errors == "scale":
        truth["scale_power_C"] = power = 0.3 * rng.normal()
        base = np.log(fitted["N"] * fitted["D"])
        place = (np.log(both["N"] * both["D"]) - base.mean()) / base.std()
        error = error * np.exp(power * np.minimum(place, 2.5))
    if errors == "effects":
        truth["effect_scale_group"] = own = 0.008 * np.exp(0.3 * rng.normal())
        effects = own * rng.normal(size=_GROUPS)
        error[:count] += effects[labels]
        error[count:] += own * rng.normal(size=total - count)
    if errors == "discrepancy":
        truth["misfit_scale"] = own = 0.01 * np.exp(0.3 * rng.normal())
        truth["misfit_length"] = length = np.exp(0.3 * rng.normal())
        error += _matern_path(_standardised(both, fitted), own, length, rng)
    if errors == "wave":
        error = 0.6 * error + _wave(_standardised(both, fitted), rng)

    loss = laws.chinchilla(both["N"], both["D"], **_of(laws.chinchilla, truth)) * np.exp(error)
    group = [f"corpus {label}" for label in labels]
    table = runs.read({**fitted, "loss": np.asarray(loss)[:count], "group": group})
    if errors == "wave":  # what the parameters are is not defined
        truth = {}
    return Simulated(table, truth, new, np.asarray(loss)[count:])


def plateau(rng: np.random.Generator) -> Simulated:
    """Runs of one size up to 1e13 tokens, most of them on the floor."""
    D = np.geomspace(1e8, 1e13, 24)
    loss = (2 + 2 * (1e8 / D) ** 0.5) * np.exp(0.01 * rng.normal(size=len(D)))
    table = runs.read({"D": D, "loss": loss})
    return Simulated(table, {"L_inf": 2.0, "alpha": 0.5}, {}, np.zeros(0))


def ladder(rng: np.random.Generator, sizes: int) -> Simulated:
    """Few sizes and a small exponent, with a floor far below the losses."""
    N = np.geomspace(1e7, 1e10, sizes)
    A = 3.0 * np.exp(0.1 * np.log(N).mean())
    loss = (0.5 + A * N**-0.1) * np.exp(0.005 * rng.normal(size=sizes))
    table = runs.read({"N": N, "loss": loss})
    new = {"N": np.array([1e11])}
    losses = (0.5 + A * 1e11**-0.1) * np.exp(0.005 * rng.normal(size=1))
    return Simulated(table, {"L_inf": 0.5, "alpha": 0.1, "sigma": 0.005}, new, losses)


def degradation(rng: np.random.Generator) -> Simulated:
    """Losses added by quantisation, which scatter by a quarter."""
    N, D, bits = (
        each.ravel()
        for each in np.meshgrid([3e7, 1e8, 3e8], [1.5e9, 6e9, 2.5e10], [3.0, 4.0, 5.0, 6.0])
    )
    kept = np.sort(rng.permutation(len(N))[:33])
    design = {"N": N[kept], "D": D[kept], "P_post": bits[kept]}
    theta = laws.params(laws.ptq_degradation)
    loss = np.asarray(laws.ptq_degradation(**design, **theta))
    table = runs.read({**design, "loss": loss * np.exp(0.25 * rng.normal(size=len(loss)))})
    return Simulated(table, {**theta, "sigma": 0.25}, {}, np.zeros(0))


KINDS: dict[str, Kind] = {
    "student": Kind(laws.chinchilla, "student", lambda rng: isoflop(rng, "student")),
    "scale": Kind(laws.chinchilla, "normal + scale(C)", lambda rng: isoflop(rng, "scale")),
    "effects": Kind(
        laws.chinchilla, "normal + effects(group)", lambda rng: isoflop(rng, "effects")
    ),
    "discrepancy": Kind(
        laws.chinchilla, "normal + discrepancy", lambda rng: isoflop(rng, "discrepancy")
    ),
    "wave, discrepancy": Kind(
        laws.chinchilla, "normal + discrepancy", lambda rng: isoflop(rng, "wave")
    ),
    "wave, student": Kind(laws.chinchilla, "student", lambda rng: isoflop(rng, "wave")),
    "student, default": Kind(laws.chinchilla, _DEFAULT, lambda rng: isoflop(rng, "student"), 100),
    "discrepancy, default": Kind(
        laws.chinchilla, _DEFAULT, lambda rng: isoflop(rng, "discrepancy"), 100
    ),
    "wave, default": Kind(laws.chinchilla, _DEFAULT, lambda rng: isoflop(rng, "wave"), 100),
    "wave, corrected": Kind(
        laws.chinchilla, _DEFAULT, lambda rng: isoflop(rng, "wave"), 60, corrected=True
    ),
    "wave, ensemble": Kind(laws.chinchilla, None, lambda rng: isoflop(rng, "wave"), 100),
    "student, ensemble": Kind(laws.chinchilla, None, lambda rng: isoflop(rng, "student"), 100),
    "plateau": Kind(laws.power_data, "normal", plateau),
    "plateau, student": Kind(laws.power_data, "student", plateau),
    "ladder of 6": Kind(laws.power_size, "normal", lambda rng: ladder(rng, 6)),
    "ladder of 8": Kind(laws.power_size, "normal", lambda rng: ladder(rng, 8)),
    "ladder of 12": Kind(laws.power_size, "normal", lambda rng: ladder(rng, 12)),
    "degradation": Kind(laws.ptq_degradation, "normal", degradation),
}


def measure(name: str, index: int) -> dict[str, Any]:
    """Which intervals of one table hold the truth."""
    kind = KINDS[name]
    # Kinds with one truth are given the same tables.
    seed = zlib.crc32(name.split(",")[0].encode())
    simulated = kind.simulate(np.random.default_rng([seed, index]))
    key, new_key = jax.random.split(jax.random.key(index))
    if kind.errors is None:
        ensemble = assess.ensemble(kind.law, simulated.table, key=key, draws=DRAWS)
        forecast = ensemble.predict(simulated.new, key=new_key)
        row = {"kind": name, "index": index, "parameters": {}, "rough": False}
        return row | _forecast_row(forecast, simulated.losses)
    posterior = fit.posterior(
        kind.law,
        simulated.table,
        key=key,
        errors=kind.errors,
        sampler="importance",
        chains=1,
        draws=DRAWS,
    )
    samples = {**posterior.draws, **posterior.noise}
    inside = {
        parameter: [_holds(samples[parameter], value, level).item() for level in LEVELS]
        for parameter, value in simulated.truth.items()
    }
    row: dict[str, Any] = {"kind": name, "index": index, "parameters": inside}
    row["rough"] = any(note.code == "rough-importance-sampling" for note in posterior.notes)
    if simulated.new:
        source: fit.Posterior | assess.CorrectedPosterior = posterior
        if kind.corrected:
            own_key = jax.random.fold_in(key, 1)
            source = assess.correct_bands(posterior, simulated.table, key=own_key, draws=DRAWS)
        row |= _forecast_row(source.predict(simulated.new, key=new_key), simulated.losses)
    return row


def _forecast_row(forecast: fit.Prediction, losses: np.ndarray) -> dict[str, Any]:
    """Which intervals of the forecast hold the losses (points,), and the width of that of 80%."""
    holds = [_holds(forecast.draws, losses, level).tolist() for level in LEVELS]
    low, high = forecast.interval(0.8)
    return {"forecasts": holds, "width": float(np.mean(np.log(high / low)))}


def summary(rows: list[dict[str, Any]]) -> str:
    """The Markdown table, one row for each kind; coverage with twice its standard error."""
    lines = [
        "| simulation | fitted with | tables | parameters in 80% / 90% | lowest of them in 90% | "
        "forecasts in 80% / 90% | width of 80% | rough |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, kind in KINDS.items():
        own = [row for row in rows if row["kind"] == name]
        if not own:
            continue
        parameters, lowest, forecasts, width = "–", "–", "–", "–"
        if own[0]["parameters"]:
            names = list(own[0]["parameters"])
            held = np.array([[row["parameters"][each] for each in names] for row in own])
            parameters = " / ".join(_share(held[:, :, i].mean(axis=1)) for i in range(2))
            each = held[:, :, 1].mean(axis=0)
            lowest = f"{names[int(each.argmin())]} {each.min():.2f}"
        if "forecasts" in own[0]:
            held = np.array([row["forecasts"] for row in own])
            forecasts = " / ".join(_share(held[:, i].mean(axis=1)) for i in range(2))
            width = f"{np.mean([row['width'] for row in own]):.3f}"
        rough = np.mean([row["rough"] for row in own])
        lines.append(
            f"| {name} | `{describe_errors(kind)}` | {len(own)} | {parameters} | {lowest} | "
            f"{forecasts} | {width} | {rough:.0%} |"
        )
    return "\n".join(lines)


def describe_errors(kind: Kind) -> str:
    """The law and the error model, or ensemble, that are fitted."""
    suffix = ", corrected" if kind.corrected else ""
    return f"{laws.describe(kind.law).name}, {kind.errors or 'ensemble'}{suffix}"


def by_parameter(rows: list[dict[str, Any]]) -> str:
    """How often 90% intervals hold each parameter, a line for each kind."""
    lines = []
    for name in KINDS:
        own = [row["parameters"] for row in rows if row["kind"] == name]
        if own and own[0]:
            shares = {each: np.mean([row[each][1] for row in own]) for each in own[0]}
            text = ", ".join(f"{each} {share:.2f}" for each, share in shares.items())
            lines.append(f"* {name}: {text}")
    return "\n".join(lines)


def _holds(draws: np.ndarray, truth: Any, level: float) -> np.ndarray:
    """Whether the central interval of the draws (draws, ...) holds the truth (...)."""
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return (low <= truth) & (truth <= high)


def _share(values: np.ndarray) -> str:
    """The mean over tables with twice its standard error."""
    return f"{values.mean():.2f} ± {2 * values.std() / np.sqrt(len(values)):.2f}"


def _sizes(compute: np.ndarray, ratio: np.ndarray) -> dict[str, np.ndarray]:
    N = np.sqrt(compute / (6 * ratio))
    return {"N": N, "D": ratio * N}


def _of(law: LawFunction, truth: Mapping[str, float]) -> dict[str, float]:
    return {name: truth[name] for name in laws.describe(law).parameter_names}


def _standardised(
    inputs: Mapping[str, np.ndarray], reference: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Logs of N and D (points, 2) in standard deviations of those of the runs."""
    columns = []
    for name in ("N", "D"):
        base = np.log(reference[name])
        columns.append((np.log(inputs[name]) - base.mean()) / base.std())
    return np.stack(columns, axis=1)


def _matern_path(
    points: np.ndarray, scale: float, length: float, rng: np.random.Generator
) -> np.ndarray:
    """A path of a Gaussian process with a Matérn 3/2 covariance at points (points, dimensions)."""
    distance = np.linalg.norm(points[:, None] - points[None], axis=-1) * np.sqrt(3) / length
    covariance = (1 + distance) * np.exp(-distance) + 1e-10 * np.eye(len(points))
    return scale * np.linalg.cholesky(covariance) @ rng.normal(size=len(points))


def _wave(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A wave of 1% in a random direction, about one period of it across the runs."""
    angle, phase = rng.uniform(0, 2 * np.pi, 2)
    along = points @ np.array([np.cos(angle), np.sin(angle)])
    return 0.01 * np.sin(2 * np.pi * along / rng.uniform(3.0, 5.0) + phase)


def main() -> None:
    """Simulate the tables that are not in the file yet, and print all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", help="kinds of simulation (default: all)")
    parser.add_argument("--out", type=Path, default=Path("simulated_forecasts.json"))
    parser.add_argument("--tables", type=int, help="tables of each kind (default: its own number)")
    arguments = parser.parse_args()

    rows = json.loads(arguments.out.read_text()) if arguments.out.exists() else []
    done = {(row["kind"], row["index"]) for row in rows}
    for name in arguments.kinds or KINDS:
        for index in range(arguments.tables or KINDS[name].tables):
            if (name, index) not in done:
                rows.append(measure(name, index))
                arguments.out.write_text(json.dumps(rows))
        print(f"{name}: {sum(row['kind'] == name for row in rows)} tables", flush=True)
    print(summary(rows))
    print()
    print(by_parameter(rows))


if __name__ == "__main__":
    main()
