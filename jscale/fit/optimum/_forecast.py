"""The forecast of a point fit: its asymptotic covariance and its residual scale."""

from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from jscale._core.checks import check_whole_number
from jscale._core.scope import in_float64
from jscale.fit.optimum._sandwich import meat
from jscale.fit.optimum._state import FitState
from jscale.fit.predictions import Prediction, input_ranges, predict_by_covariance

if TYPE_CHECKING:
    from jscale.fit.optimum._point import Point

_EMPTY = 1e-7
"""Directions whose scaled singular value is below this share of the largest carry no information:
as in the covariance."""


@in_float64
def forecast(best: "Point", inputs: Any, *, key: jax.Array, draws: int) -> Prediction:
    """What :meth:`Point.predict` returns."""
    check_whole_number("draws", draws, at_least=2)
    context = best._context
    freedom = best.n_runs - len(best.params)
    # The residuals of k fitted parameters are smaller than the errors.
    scale = best.scale * np.sqrt(best.n_runs / freedom) if freedom > 0 else np.inf

    if context is None:
        ranges, covariance, to_params, unidentified = {}, best.covariance, None, None
    else:
        state = context.state
        ranges = input_ranges(best.law, context.data.inputs)
        covariance = _identified_covariance(state)
        to_params = state.linearization.params_jacobian
        unidentified = _empty_directions(np.asarray(state.linearization.jacobian))
    return predict_by_covariance(
        best.law,
        best.params,
        covariance if freedom > 0 else np.full(best.covariance.shape, np.inf),
        inputs,
        key=key,
        draws=draws,
        scale=scale,
        ranges=ranges,
        notes=best.notes,
        to_params=to_params,
        unidentified=unidentified,
        additive=best.residuals_of == "value",
    )


def _identified_covariance(state: FitState) -> np.ndarray:
    """The sandwich estimate (k, k) in free coordinates, without the directions left open.

    It has no variance along these, where that of the fit is infinite for every coordinate that
    takes part in one: a forecast may depend on the others alone.
    """
    inverse = state.inverse_curvature()
    residual = np.asarray(state.linearization.residuals)
    jacobian = np.asarray(state.linearization.jacobian)
    with np.errstate(over="ignore", invalid="ignore"):
        return inverse @ meat(residual, jacobian, state.score) @ inverse


def _empty_directions(jacobian: np.ndarray) -> np.ndarray:
    """Directions of the free coordinates (k, m) along which no residual changes.

    Args:
        jacobian: (rows, k) of the residuals.
    """
    norms = np.linalg.norm(jacobian, axis=0)
    if not np.isfinite(norms).all() or norms.max() == 0:
        return np.eye(len(norms))
    scale = np.where(norms > 1e-9 * norms.max(), norms, norms.max())
    _, sizes, axes = np.linalg.svd(jacobian / scale, full_matrices=True)
    sizes = np.pad(sizes, (0, len(norms) - len(sizes)))
    empty = axes[sizes <= _EMPTY * sizes.max()].T / scale[:, None]
    return empty / np.linalg.norm(empty, axis=0)
