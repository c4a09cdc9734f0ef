"""Precision: loss against bits, the best number of bits, and the critical number of tokens."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from jscale import plan
from jscale.report.analysis._bands import Band, band
from jscale.report.analysis._evaluate import law_values, optimal_plans, values_of
from jscale.report.analysis._study import FULL_BITS, FittedStudy
from jscale.report.analysis.forecast import Forecast
from jscale.report.notation import human, listing

if TYPE_CHECKING:
    import jax

    from jscale.report.analysis._evaluate import Named

DEFAULT_POST_BITS = (3.0, 4.0, 6.0)
_SIZE_POINTS = 25
_BITS = np.concatenate([np.arange(0.5, 8.0, 0.125), np.arange(8.0, 16.01, 0.5)])
_RATIOS = (1.0, 1e4)
"""Tokens per parameter between which the best precision of a given size is shown."""
_PART_NAMES = {"P_w": "weights", "P_a": "activations", "P_kv": "KV cache"}


@dataclass(frozen=True, eq=False)
class BitCurves:
    """Loss against bits at one size and amount of data.

    Attributes:
        N: parameters.
        D: tokens.
        bits: bits of the curves, shape (points,).
        curves: name of the parts whose bits vary → loss.
        runs: the same name → bits and loss of the runs at this size and data, shape (rows,) each.
    """

    N: float
    D: float
    bits: np.ndarray
    curves: dict[str, Band]
    runs: dict[str, tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, eq=False)
class CriticalCurves:
    """Tokens past which more training makes the quantised model worse.

    All are of training in full precision, as :func:`jscale.plan.critical_tokens` has it, but for
    ``at_best``.

    Attributes:
        N: parameters, shape (points,).
        curves: bits after training → tokens.
        at_plans: bits after training → tokens at the median sizes N* of the plans, (budgets,).
        at_best: the same for training in the median precision P* of the plans; empty without one.
    """

    N: np.ndarray
    curves: dict[float, Band]
    at_plans: dict[float, Band]
    at_best: dict[float, Band]


@dataclass(frozen=True, eq=False)
class PrecisionAnalysis:
    """Results on precision; a part is None or empty where the law does not have it.

    Attributes:
        bit_curves: loss against bits at the best-covered size and data of the runs.
        at_size: name of a size → best bits along the forecast's compute.
        critical: critical tokens; None also where all runs have the same bits after training.
    """

    bit_curves: BitCurves | None
    at_size: dict[str, Band]
    critical: CriticalCurves | None


def precision_analysis(study: FittedStudy, forecast: Forecast | None) -> PrecisionAnalysis | None:
    """The study's results on precision; None for a law without bits or without a forecast."""
    if forecast is None or not study.record.bit_inputs:
        return None
    in_training = bool(study.training_bits)
    return PrecisionAnalysis(
        bit_curves=_bit_curves(study, forecast) if in_training else None,
        at_size=_bits_at_size(study, forecast) if study.record.charged_bits else {},
        critical=_critical_curves(study, forecast) if study.varies_post_bits else None,
    )


def _bit_curves(study: FittedStudy, forecast: Forecast) -> BitCurves:
    inputs = study.data.inputs
    bits = np.stack([inputs[name] for name in study.training_bits], axis=1)
    N, D, at_place = _best_covered_place(inputs, bits)

    curves, runs = {}, {}
    for label, varied in _varied_parts(study, bits):
        point = {"N": N, "D": D, **dict.fromkeys(study.record.bit_inputs, FULL_BITS)}
        points = {name: np.full(len(_BITS), value) for name, value in point.items()}
        points |= dict.fromkeys(varied, _BITS)
        curves[label] = band(law_values(study, forecast.curve_samples, points))

        # Runs whose varied parts have equal bits and whose other parts have full precision.
        moved = [study.training_bits.index(name) for name in varied]
        fixed = [i for i in range(bits.shape[1]) if i not in moved]
        equal_bits = (bits[:, moved] == bits[:, moved[:1]]).all(axis=1)
        full_precision = (bits[:, fixed] == FULL_BITS).all(axis=1)
        chosen = at_place & equal_bits & full_precision
        if "P_post" in inputs:
            chosen &= inputs["P_post"] >= FULL_BITS
        runs[label] = (bits[chosen, moved[0]], study.loss[chosen])
    return BitCurves(N, D, _BITS, curves, runs)


def _best_covered_place(
    inputs: Mapping[str, np.ndarray], bits: np.ndarray
) -> tuple[float, float, np.ndarray]:
    """Size and data with the most settings of bits, then the most compute, and the runs there."""
    places, place = np.unique(
        np.stack([inputs["N"], inputs["D"]], axis=1), axis=0, return_inverse=True
    )
    settings = [len(np.unique(bits[place == i], axis=0)) for i in range(len(places))]
    best = max(range(len(places)), key=lambda i: (settings[i], places[i].prod()))
    N, D = places[best]
    return float(N), float(D), place == best


def _varied_parts(study: FittedStudy, bits: np.ndarray) -> list[tuple[str, tuple[str, ...]]]:
    """Label and inputs of each curve: weights alone, and all parts whose bits vary in the runs."""
    varying = tuple(
        name for i, name in enumerate(study.training_bits) if len(np.unique(bits[:, i])) > 1
    )
    together = varying or study.training_bits
    sets: list[tuple[str, ...]] = [
        (name,) for name in together if name == "P_w" or len(together) == 1
    ]
    if len(together) > 1:
        sets.append(together)

    def label(parts: tuple[str, ...]) -> str:
        names = listing([_PART_NAMES.get(name, name) for name in parts])
        return f"{names} alike" if len(parts) > 1 else names

    return [(label(parts), parts) for parts in sets]


def _bits_at_size(study: FittedStudy, forecast: Forecast) -> dict[str, Band]:
    """Best bits of the largest size of the runs and of ten times that size."""
    largest = float(study.data.inputs["N"].max())
    compute = forecast.curve.compute
    bits = {}
    for N in (largest, 10 * largest):
        solved = optimal_plans(study, forecast.curve_samples, compute, ("D", "P"), N=N)
        ratio = band(solved["D"] / N).q50
        # All draws or none: a band of the draws inside the range alone would bend at its ends.
        with np.errstate(invalid="ignore"):
            inside = (ratio >= _RATIOS[0]) & (ratio <= _RATIOS[1])
        bits[f"{human(N)} parameters"] = band(np.where(inside, solved["P"], np.nan))
    return bits


def _critical_curves(study: FittedStudy, forecast: Forecast) -> CriticalCurves:
    observed, planned = study.data.inputs["N"], forecast.plans.N.q50
    planned = np.where(np.isfinite(planned), planned, observed.max())
    smallest = min(observed.min(), *planned, observed.max())
    largest = max(observed.max(), *planned)
    sizes = np.geomspace(smallest / 1.5, largest * 1.5, _SIZE_POINTS)
    every_size = np.concatenate([sizes, planned])

    def tokens(theta: "Named", point: "Named") -> "jax.Array":
        place: dict[str, Any] = dict(point)
        return plan.critical_tokens(study.law, theta, **place).D_crit

    best_bits = None if forecast.plans.P is None else forecast.plans.P.q50
    curves, at_plans, at_best = {}, {}, {}
    for bits in study.post_bits or DEFAULT_POST_BITS:
        points = {"N": every_size, "P_post": np.full(len(every_size), bits)}
        D = values_of(tokens, forecast.curve_samples, points)
        curves[bits], at_plans[bits] = band(D[:, :_SIZE_POINTS]), band(D[:, _SIZE_POINTS:])
        if best_bits is not None and len(planned) and np.isfinite(best_bits).all():
            points = {"N": planned, "P_post": np.full(len(planned), bits), "P": best_bits}
            at_best[bits] = band(values_of(tokens, forecast.curve_samples, points))
    return CriticalCurves(sizes, curves, at_plans, at_best)
