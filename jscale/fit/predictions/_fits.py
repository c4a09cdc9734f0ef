"""Predictions of fits without a posterior: by their covariance, or by bootstrap draws."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jscale._core.arrays import standard_normal
from jscale._core.checks import check_key
from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.text import human
from jscale.fit.predictions._assemble import assemble
from jscale.fit.predictions._inputs import checked_inputs
from jscale.fit.predictions._prediction import Prediction
from jscale.fit.predictions._ranges import Ranges
from jscale.fit.predictions._values import law_values, value_and_gradient
from jscale.laws import LawFunction, describe

_MIN_SHARE = 1e-3
"""Share of a forecast's gradient in directions that the runs do not identify, from which on its
variance counts as infinite."""


def predict_by_covariance(
    law: LawFunction,
    params: Mapping[str, float],
    covariance: np.ndarray,
    inputs: Any,
    *,
    key: jax.Array,
    draws: int,
    scale: float,
    ranges: Ranges,
    notes: Sequence[Note],
    to_params: np.ndarray | None = None,
    unidentified: np.ndarray | None = None,
    additive: bool = False,
) -> Prediction:
    """The prediction of an optimum: the law's value to first order, and normal noise.

    The log of the law's value is normal about that of the optimum, with the covariance of the
    parameters carried over by its gradient, which does not depend on their coordinates. In a
    float64 scope.

    Args:
        law: the fitted law.
        params: parameter → value.
        covariance: (k, k) of the coordinates of the fit.
        inputs: as :func:`checked_inputs` takes them.
        key: a JAX random key.
        draws: number of draws.
        scale: standard deviation of the noise of the log loss.
        ranges: of the runs; empty where they are not known.
        notes: of the fit.
        to_params: (k, k) derivative of the parameters by the coordinates; None where these are the
            parameters themselves.
        unidentified: (k, m) directions of the coordinates about which the runs say nothing; None
            where there are none, or they are not known.
        additive: the noise is one of the loss itself, as is the normal distribution.

    Raises:
        JscaleError: as :func:`checked_inputs`; or a forecast without a finite variance.
    """
    check_key(key)
    columns = checked_inputs(law, inputs)
    value, gradient = value_and_gradient(law, params, columns)
    additive = additive or bool((value <= 0).any())
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        slopes = gradient if additive else gradient / value[:, None]
        slopes = slopes if to_params is None else slopes @ to_params
    _check_variance(law, columns, slopes, covariance, unidentified)

    parameters_key, noise_key = jax.random.split(key)
    root = _root(covariance)
    steps = standard_normal(parameters_key, (draws, len(root))) @ (slopes @ root).T
    values = value + steps if additive else value * np.exp(steps)
    noise = scale * standard_normal(noise_key, values.shape)
    return assemble(
        law,
        columns,
        values,
        {"noise": noise},
        ranges=ranges,
        notes=notes,
        additive=additive,
    )


def predict_by_draws(
    law: LawFunction,
    draws: Mapping[str, np.ndarray],
    residuals: np.ndarray,
    inputs: Any,
    *,
    key: jax.Array,
    ranges: Ranges,
    notes: Sequence[Note],
    additive: bool = False,
) -> Prediction:
    """The prediction of draws of the parameters, with noise drawn from residuals.

    In a float64 scope.

    Args:
        law: the fitted law.
        draws: parameter → (draws,).
        residuals: (rows,) of the log loss, from which the noise is drawn with replacement.
        inputs: as :func:`checked_inputs` takes them.
        key: a JAX random key.
        ranges: of the runs; empty where they are not known.
        notes: of the fit.
        additive: the residuals are those of the loss itself.
    """
    check_key(key)
    columns = checked_inputs(law, inputs)
    values = law_values(law, draws, columns)
    noise = np.asarray(jax.random.choice(key, residuals, values.shape))
    return assemble(
        law, columns, values, {"noise": noise}, ranges=ranges, notes=notes, additive=additive
    )


def _check_variance(
    law: LawFunction,
    columns: Mapping[str, np.ndarray],
    slopes: np.ndarray,
    covariance: np.ndarray,
    unidentified: np.ndarray | None,
) -> None:
    """Check that the variance of every point is finite and known.

    Raises:
        JscaleError: the covariance is infinite, or a point depends on a direction that the runs do
            not identify.
    """
    advice = "expected a posterior (fit.posterior), whose priors limit what the runs leave open"
    name = describe(law).name
    used = np.abs(slopes).max(axis=0) > 0
    if not np.isfinite(covariance[np.ix_(used, used)]).all():
        raise JscaleError(
            f"law {name!r}: the fit has no finite covariance, so its forecast has no band; {advice}"
        )
    if unidentified is None or not unidentified.size:
        return
    sizes = np.linalg.norm(slopes, axis=1)
    share = np.abs(slopes @ unidentified).max(axis=1)
    open_points = share > _MIN_SHARE * sizes
    if open_points.any():
        at = int(np.argmax(open_points))
        point = ", ".join(f"{each}={human(float(x[at]))}" for each, x in columns.items())
        raise JscaleError(
            f"law {name!r}: the forecast at {point} depends on parameters that the runs do not "
            f"identify, so it has no band; {advice}"
        )


def _root(covariance: np.ndarray) -> np.ndarray:
    """A matrix whose square is a covariance (k, k); coordinates of infinite variance stay put.

    Nothing depends on these, see :func:`_check_variance`.
    """
    known = np.isfinite(np.diag(covariance))
    covariance = np.where(known[:, None] & known, covariance, 0.0)
    scale = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    unit = np.where(scale > 0, scale, 1.0)
    values, axes = np.linalg.eigh(covariance / unit[:, None] / unit)
    return unit[:, None] * axes * np.sqrt(np.maximum(values, 0.0))
