"""What bits did to one model: every run beside the run that differs from it in nothing but bits."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from jscale._core.scope import float64
from jscale.laws import effective_fraction
from jscale.plan.gridsearch import in_chunks
from jscale.report.analysis._bands import Band, band
from jscale.report.analysis._forecast import Forecast, stacked
from jscale.report.analysis._study import FULL_BITS, Study

_PANELS = 3
_POINTS = 41
_LEAST = 3
"""Fewest pairs in a panel of shares."""
_FEWEST_BITS = 1.0


@dataclass(frozen=True, eq=False)
class Degradation:
    """Loss added by quantising after training at one size, for models trained in full precision.

    Attributes:
        N: parameters.
        D: tokens of the curves, shape (points,).
        curves: bits after training → loss that the law says is added.
        runs: the same → tokens and added loss of runs, shape (pairs,) each.
    """

    N: float
    D: np.ndarray
    curves: dict[float, Band]
    runs: dict[float, tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, eq=False)
class Share:
    """Share of its parameters that a model keeps when one part is in few bits.

    Attributes:
        bits: of the curve, shape (points,).
        curve: share by the law.
        runs: parameters → bits and share at matched loss of runs, shape (pairs,) each.
    """

    bits: np.ndarray
    curve: Band
    runs: dict[float, tuple[np.ndarray, np.ndarray]]


def degradations(study: Study, forecast: Forecast) -> tuple[Degradation, ...]:
    """Up to three sizes whose quantised runs span some data, from the smallest to the largest;
    empty without any.
    """
    if "P_post" not in study.record.bit_inputs or not {"N", "D"} <= set(study.record.input_names):
        return ()
    inputs, bits = study.data.inputs, _training(study)
    row, before = _pairs(study, bits, inputs["P_post"] < FULL_BITS, inputs["P_post"] >= FULL_BITS)
    whole = (bits[row] >= FULL_BITS).all(axis=1)
    row, added = row[whole], study.loss[row[whole]] - before[whole]
    sizes = [
        N
        for N in np.unique(inputs["N"][row])
        if len(np.unique(inputs["D"][row][inputs["N"][row] == N])) > 1
    ]
    chosen = (
        [sizes[i] for i in sorted({round(i) for i in np.linspace(0, len(sizes) - 1, _PANELS)})]
        if sizes
        else []
    )
    return tuple(_degradation(study, forecast, float(N), row, added) for N in chosen)


def _degradation(
    study: Study, forecast: Forecast, N: float, row: np.ndarray, added: np.ndarray
) -> Degradation:
    inputs = study.data.inputs
    here = inputs["N"][row] == N
    tokens, post = inputs["D"][row], inputs["P_post"][row]
    D = np.geomspace(tokens[here].min() / 1.5, tokens[here].max() * 1.5, _POINTS)
    curves, runs = {}, {}
    for P in np.unique(post[here]):
        points = {name: np.full(_POINTS, FULL_BITS) for name in study.record.bit_inputs}
        points |= {"N": np.full(_POINTS, N), "D": D, "P_post": np.full(_POINTS, P)}
        curves[float(P)] = _difference(study, forecast, points, "P_post")
        same = here & (post == P)
        runs[float(P)] = (tokens[same], added[same])
    return Degradation(N, D, curves, runs)


def kept_shares(study: Study, forecast: Forecast) -> dict[str, Share]:
    """Training bits that the law knows and the runs vary alone → the share of parameters that stays
    effective.
    """
    names = study.training_bits
    if not (
        names
        and {"A", "alpha"} <= set(study.record.parameter_names)
        and "N" in study.record.input_names
    ):
        return {}
    inputs, bits = study.data.inputs, _training(study)
    unquantised = inputs["P_post"] >= FULL_BITS if "P_post" in inputs else np.ones(len(bits), bool)
    full = (bits >= FULL_BITS).all(axis=1)
    found = {}
    for i, name in enumerate(names):
        alone = (bits[:, i] < FULL_BITS) & (np.delete(bits, i, axis=1) >= FULL_BITS).all(axis=1)
        row, before = _pairs(
            study, np.ones((len(bits), 0)), alone & unquantised, full & unquantised
        )
        if len(row) < _LEAST:
            continue
        theta = {key: study.point.params[key] for key in ("A", "alpha")}
        with float64():
            share = np.asarray(
                effective_fraction(inputs["N"][row], study.loss[row] - before, **theta)
            )
        sizes = inputs["N"][row]
        runs = {float(N): (bits[row[sizes == N], i], share[sizes == N]) for N in np.unique(sizes)}
        found[name] = _share(study, forecast, name, runs)
    return found


def _share(
    study: Study, forecast: Forecast, name: str, runs: dict[float, tuple[np.ndarray, np.ndarray]]
) -> Share:
    bits = np.linspace(_FEWEST_BITS, FULL_BITS, 2 * _POINTS)
    typical = {key: float(np.exp(np.log(study.data.inputs[key]).mean())) for key in ("N", "D")}
    points = {key: np.full(len(bits), FULL_BITS) for key in study.record.bit_inputs}
    points |= {key: np.full(len(bits), value) for key, value in typical.items()} | {name: bits}
    draws = stacked(study, forecast.curve_draws)

    def share(theta: Any, point: Any) -> dict[str, Any]:
        gap = study.law(**point, **theta) - study.law(
            **{**point, name: FULL_BITS + 0 * point[name]}, **theta
        )
        return {"f": effective_fraction(point["N"], gap, A=theta["A"], alpha=theta["alpha"])}

    return Share(bits, band(in_chunks(share, draws, points)["f"]), runs)


def _difference(study: Study, forecast: Forecast, points: dict[str, np.ndarray], name: str) -> Band:
    """Loss by the law above that with ``name`` at full precision."""

    def added(theta: Any, point: Any) -> dict[str, Any]:
        return {
            "delta": study.law(**point, **theta)
            - study.law(**{**point, name: FULL_BITS + 0 * point[name]}, **theta)
        }

    return band(in_chunks(added, stacked(study, forecast.curve_draws), points)["delta"])


def _training(study: Study) -> np.ndarray:
    """Bits in training, shape (rows, parts)."""
    inputs = study.data.inputs
    return (
        np.stack([inputs[name] for name in study.training_bits], axis=1)
        if study.training_bits
        else np.empty((len(study.loss), 0))
    )


def _pairs(
    study: Study, alike: np.ndarray, changed: np.ndarray, reference: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of ``changed`` that have a run in ``reference`` with their N, D, seed and ``alike``, and
    its loss.

    Args:
        study: the study.
        alike: further columns in which the two must agree, shape (rows, columns).
        changed: booleans, shape (rows,).
        reference: booleans, shape (rows,); several runs that agree count as their mean.
    """
    seed = (
        study.table["seed"][study.data.rows] if "seed" in study.table else np.zeros(len(study.loss))
    )
    inputs = study.data.inputs
    keys = list(zip(inputs["N"], inputs["D"], seed.tolist(), map(tuple, alike), strict=True))
    losses: dict[Any, list[float]] = {}
    for i in np.flatnonzero(reference):
        losses.setdefault(keys[i], []).append(float(study.loss[i]))
    rows = [i for i in np.flatnonzero(changed) if keys[i] in losses]
    return np.array(rows, dtype=int), np.array([np.mean(losses[keys[i]]) for i in rows])
