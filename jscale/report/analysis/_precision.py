"""What the law says of precision: what bits cost, how many are best, and how many tokens are too
many.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from jscale import plan
from jscale.plan.gridsearch import in_chunks
from jscale.report.analysis._bands import Band, band
from jscale.report.analysis._forecast import Forecast, best, stacked
from jscale.report.analysis._study import FULL_BITS, Study
from jscale.report.notation import human, listing

DEFAULT_POST_BITS = (3.0, 4.0, 6.0)
_SIZE_POINTS = 25
_BITS = np.concatenate([np.arange(0.5, 8.0, 0.125), np.arange(8.0, 16.01, 0.5)])
_RATIOS = (1.0, 1e4)
"""Tokens per parameter between which the best precision of a given size is shown."""


@dataclass(frozen=True, eq=False)
class Cell:
    """Loss against bits at one size and amount of data.

    Attributes:
        N: parameters.
        D: tokens.
        bits: of the curves, shape (points,).
        curves: what is in so many bits → loss.
        runs: the same → bits and loss of the runs there, shape (rows,) each.
    """

    N: float
    D: float
    bits: np.ndarray
    curves: dict[str, Band]
    runs: dict[str, tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, eq=False)
class Critical:
    """Tokens beyond which more training makes the quantised model worse.

    Attributes:
        N: parameters, shape (points,).
        curves: bits after training → tokens.
        at_plans: bits after training → tokens at the sizes N* of the plans, shape (budgets,).
    """

    N: np.ndarray
    curves: dict[float, Band]
    at_plans: dict[float, Band]


@dataclass(frozen=True, eq=False)
class Precision:
    """Everything of precision; a part is None where the law does not have it.

    Attributes:
        cell: loss against bits at the best-covered size and data of the runs.
        at_size: name of a size → best bits along the forecast's compute.
        critical: critical tokens.
    """

    cell: Cell | None
    at_size: dict[str, Band]
    critical: Critical | None


def precision(study: Study, forecast: Forecast | None) -> Precision | None:
    """The study's findings on precision; None for a law without bits, or one that does not plan."""
    if forecast is None or not study.record.bit_inputs:
        return None
    training = bool(study.training_bits)
    return Precision(
        cell=_cell(study, forecast) if training else None,
        at_size=_at_size(study, forecast) if training else {},
        critical=_critical(study, forecast) if "P_post" in study.record.bit_inputs else None,
    )


def _cell(study: Study, forecast: Forecast) -> Cell:
    inputs = study.data.inputs
    places = np.stack([inputs["N"], inputs["D"]], axis=1)
    bits = np.stack([inputs[name] for name in study.training_bits], axis=1)
    kinds, which = np.unique(places, axis=0, return_inverse=True)
    variety = [len(np.unique(bits[which == i], axis=0)) for i in range(len(kinds))]
    # Of the places with the most settings of bits, the one with the most compute.
    chosen = max(range(len(kinds)), key=lambda i: (variety[i], kinds[i].prod()))
    N, D = kinds[chosen]
    here = which == chosen
    curves, runs = {}, {}
    for label, moved in _settings(study, bits):
        names = {"N": N, "D": D, **dict.fromkeys(study.record.bit_inputs, FULL_BITS)}
        points = {name: np.full(len(_BITS), float(value)) for name, value in names.items()}
        points |= dict.fromkeys(moved, _BITS)

        def loss(theta: Any, point: Any) -> dict[str, Any]:
            return {"loss": study.law(**point, **theta)}

        curves[label] = band(in_chunks(loss, stacked(study, forecast.curve_draws), points)["loss"])
        at = [study.training_bits.index(name) for name in moved]
        rest = [i for i in range(bits.shape[1]) if i not in at]
        same = (
            here
            & (bits[:, at] == bits[:, at[:1]]).all(axis=1)
            & (bits[:, rest] == FULL_BITS).all(axis=1)
        )
        if "P_post" in inputs:
            same &= inputs["P_post"] >= FULL_BITS
        runs[label] = (bits[same, at[0]], study.loss[same])
    return Cell(float(N), float(D), _BITS, curves, runs)


def _settings(study: Study, bits: np.ndarray) -> list[tuple[str, tuple[str, ...]]]:
    """The sets of parts to draw a curve for: weights alone, and all parts that vary in the runs
    alike.
    """
    words = {"P_w": "weights", "P_a": "activations", "P_kv": "KV cache"}
    varying = tuple(
        name for i, name in enumerate(study.training_bits) if len(np.unique(bits[:, i])) > 1
    )
    together = varying or study.training_bits
    sets = [(name,) for name in together if name == "P_w" or len(together) == 1]
    sets += [together] if len(together) > 1 else []
    return [
        (listing([words.get(n, n) for n in parts]) + (" alike" * (len(parts) > 1)), parts)
        for parts in sets
    ]


def _at_size(study: Study, forecast: Forecast) -> dict[str, Band]:
    largest = float(study.data.inputs["N"].max())
    found = {}
    compute = forecast.curve.compute
    for N in (largest, 10 * largest):
        solved = best(study, stacked(study, forecast.curve_draws), compute, ("D", "P"), N=N)
        ratio = band(solved["D"] / N).q50
        # All draws or none: a band of those that happen to lie inside would bend at its ends.
        with np.errstate(invalid="ignore"):
            inside = (ratio >= _RATIOS[0]) & (ratio <= _RATIOS[1])
        found[f"{human(N)} parameters"] = band(np.where(inside, solved["P"], np.nan))
    return found


def _critical(study: Study, forecast: Forecast) -> Critical:
    seen, planned = study.data.inputs["N"], forecast.plans.N.q50
    planned = np.where(np.isfinite(planned), planned, seen.max())
    ends = min(seen.min(), *planned, seen.max()), max(seen.max(), *planned)
    sizes = np.geomspace(ends[0] / 1.5, ends[1] * 1.5, _SIZE_POINTS)
    every = np.concatenate([sizes, planned])

    def tokens(theta: Any, point: Any) -> dict[str, Any]:
        return {"D": plan.critical_tokens(study.law, theta, **point).D_crit}

    curves, at_plans = {}, {}
    for bits in study.post_bits or DEFAULT_POST_BITS:
        points = {"N": every, "P_post": np.full(len(every), bits)}
        if study.training_bits:
            points["P"] = np.full(len(every), FULL_BITS)
        D = in_chunks(tokens, stacked(study, forecast.curve_draws), points)["D"]
        curves[bits], at_plans[bits] = band(D[:, :_SIZE_POINTS]), band(D[:, _SIZE_POINTS:])
    return Critical(sizes, curves, at_plans)
