"""Pairs of runs that differ in bits alone: loss added by quantisation, parameters kept."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from jscale._core.scope import float64
from jscale.laws import effective_fraction
from jscale.report.analysis._bands import Band, band
from jscale.report.analysis._evaluate import values_of
from jscale.report.analysis._study import FULL_BITS, FittedStudy
from jscale.report.analysis.forecast import Forecast
from jscale.runs import Data, Runs

if TYPE_CHECKING:
    import jax

    from jscale.report.analysis._evaluate import Named

_PANELS = 3
_POINTS = 41
_MIN_PAIRS = 3
"""Smallest number of pairs in a panel of shares."""
_MIN_BITS = 1.0


@dataclass(frozen=True, eq=False)
class Degradation:
    """Loss added by quantising after training at one size, for models trained in full precision.

    Attributes:
        N: parameters.
        D: tokens of the curves, shape (points,).
        curves: bits after training → loss added by the law.
        runs: the same bits → tokens and added loss of the runs, shape (pairs,) each.
    """

    N: float
    D: np.ndarray
    curves: dict[float, Band]
    runs: dict[float, tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, eq=False)
class KeptShare:
    """Share of its parameters that a model keeps with one part in few bits.

    Attributes:
        bits: bits of the curve, shape (points,).
        curve: share by the law.
        runs: parameters → bits and share at matched loss of the runs, shape (pairs,) each.
    """

    bits: np.ndarray
    curve: Band
    runs: dict[float, tuple[np.ndarray, np.ndarray]]


def degradations(study: FittedStudy, forecast: Forecast | None) -> tuple[Degradation, ...]:
    """Up to three sizes, ascending, whose quantised runs have two amounts of data or more."""
    inputs_needed = {"N", "D", "P_post"}
    if forecast is None or not inputs_needed.issubset(study.record.input_names):
        return ()

    inputs, bits = study.data.inputs, _training_bits(study)
    quantised = inputs["P_post"] < FULL_BITS
    row, before = _pairs(study, bits, quantised, ~quantised)
    full_precision = (bits[row] >= FULL_BITS).all(axis=1)
    row, added = row[full_precision], study.loss[row[full_precision]] - before[full_precision]

    def data_amounts(N: float) -> int:
        return len(np.unique(inputs["D"][row][inputs["N"][row] == N]))

    sizes = [float(N) for N in np.unique(inputs["N"][row]) if data_amounts(N) > 1]
    if not sizes:
        return ()
    chosen = sorted({round(i) for i in np.linspace(0, len(sizes) - 1, _PANELS)})
    return tuple(_degradation(study, forecast, sizes[i], (row, added)) for i in chosen)


def _degradation(
    study: FittedStudy, forecast: Forecast, N: float, pairs: tuple[np.ndarray, np.ndarray]
) -> Degradation:
    row, added = pairs
    inputs = study.data.inputs
    at_size = inputs["N"][row] == N
    tokens, post = inputs["D"][row], inputs["P_post"][row]
    D = np.geomspace(tokens[at_size].min() / 1.5, tokens[at_size].max() * 1.5, _POINTS)

    def added_by_law(theta: "Named", point: "Named") -> "jax.Array":
        return _loss_gap(study, theta, point, "P_post")

    curves, runs = {}, {}
    for bits in np.unique(post[at_size]):
        points = {name: np.full(_POINTS, FULL_BITS) for name in study.record.bit_inputs}
        points |= {"N": np.full(_POINTS, N), "D": D, "P_post": np.full(_POINTS, bits)}
        curves[float(bits)] = band(values_of(added_by_law, forecast.curve_samples, points))
        chosen = at_size & (post == bits)
        runs[float(bits)] = (tokens[chosen], added[chosen])
    return Degradation(N, D, curves, runs)


def kept_shares(study: FittedStudy, forecast: Forecast | None) -> dict[str, KeptShare]:
    """Input of training bits that the runs lower alone → the share of parameters kept.

    Empty for a law without training bits or without the size term ``A / N**alpha``.
    """
    has_size_term = {"A", "alpha"}.issubset(study.record.parameter_names)
    has_size = "N" in study.record.input_names
    if forecast is None or not (study.training_bits and has_size_term and has_size):
        return {}

    inputs, bits = study.data.inputs, _training_bits(study)
    unquantised = np.full(len(bits), True)
    if "P_post" in inputs:
        unquantised = inputs["P_post"] >= FULL_BITS
    reference = unquantised & (bits >= FULL_BITS).all(axis=1)
    no_columns = np.ones((len(bits), 0))

    shares = {}
    for i, name in enumerate(study.training_bits):
        others_full = (np.delete(bits, i, axis=1) >= FULL_BITS).all(axis=1)
        lowered = unquantised & others_full & (bits[:, i] < FULL_BITS)
        row, before = _pairs(study, no_columns, lowered, reference)
        if len(row) < _MIN_PAIRS:
            continue

        N = inputs["N"][row]
        theta = {key: study.point.params[key] for key in ("A", "alpha")}
        with float64():
            share = np.asarray(effective_fraction(N, study.loss[row] - before, **theta))
        runs = {float(size): (bits[row[size == N], i], share[size == N]) for size in np.unique(N)}
        shares[name] = _kept_share(study, forecast, name, runs)
    return shares


def _kept_share(
    study: FittedStudy,
    forecast: Forecast,
    name: str,
    runs: dict[float, tuple[np.ndarray, np.ndarray]],
) -> KeptShare:
    bits = np.linspace(_MIN_BITS, FULL_BITS, 2 * _POINTS)
    points = {key: np.full(len(bits), FULL_BITS) for key in study.record.bit_inputs}
    for key in ("N", "D"):
        geometric_mean = float(np.exp(np.log(study.data.inputs[key]).mean()))
        points[key] = np.full(len(bits), geometric_mean)
    points[name] = bits

    def share(theta: "Named", point: "Named") -> "jax.Array":
        gap = _loss_gap(study, theta, point, name)
        return effective_fraction(point["N"], gap, A=theta["A"], alpha=theta["alpha"])

    return KeptShare(bits, band(values_of(share, forecast.curve_samples, points)), runs)


def _loss_gap(study: FittedStudy, theta: "Named", point: "Named", name: str) -> "jax.Array":
    """Loss by the law minus that with the input ``name`` at full precision."""
    full = {**point, name: FULL_BITS + 0 * point[name]}
    return study.law(**point, **theta) - study.law(**full, **theta)


def _training_bits(study: FittedStudy) -> np.ndarray:
    """Bits in training, shape (rows, parts)."""
    columns = [study.data.inputs[name] for name in study.training_bits]
    return np.stack(columns, axis=1) if columns else np.empty((len(study.loss), 0))


def _pairs(
    study: FittedStudy, matched: np.ndarray, changed: np.ndarray, reference: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    return matched_pairs(study.table, study.data, matched, changed, reference)


def matched_pairs(
    table: Runs, data: Data, matched: np.ndarray, changed: np.ndarray, reference: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of ``changed`` that have a reference run, and the loss of that run.

    A reference run has the same N, D, seed and ``matched`` columns; several count as their mean.

    Args:
        table: the runs.
        data: those that are used, which have N and D.
        matched: further columns in which the two must agree, shape (rows, columns).
        changed: booleans, shape (rows,).
        reference: booleans, shape (rows,).
    """
    seed = np.asarray(table["seed"])[data.rows] if "seed" in table else np.zeros(len(data))
    N, D = data.inputs["N"], data.inputs["D"]
    keys = list(zip(N, D, seed.tolist(), map(tuple, matched), strict=True))

    losses: dict[tuple[object, ...], list[float]] = {}
    for i in np.flatnonzero(reference):
        losses.setdefault(keys[i], []).append(float(data.loss[i]))
    rows = [i for i in np.flatnonzero(changed) if keys[i] in losses]
    return np.array(rows, dtype=int), np.array([np.mean(losses[keys[i]]) for i in rows])
