"""Bands of a forecast that forecasts of held-out runs correct: of the law, and of new runs."""

import math
from dataclasses import replace

import jax
import numpy as np

from jscale._core.text import enumerated
from jscale.assess import BandCorrection, CorrectedPosterior
from jscale.fit import Posterior
from jscale.fit.errors import columns_needed
from jscale.laws import describe
from jscale.plan.risk import quantiles_over_draws
from jscale.report.analysis._bands import QUANTILES, Band
from jscale.report.analysis._study import FULL_BITS, FittedStudy
from jscale.report.analysis.forecast._forecast import Forecast, OptimalPath

_SEED = 0
_DRAWS = 8000
"""New runs that are drawn at each point: the ends of a 90% band err by 2.4% of the noise."""


def widened(forecast: Forecast, study: FittedStudy, correction: BandCorrection | None) -> Forecast:
    """The forecast with bands of the losses widened as forecasts of held-out runs call for.

    Bands are not narrowed: the correction is that of new runs, of which the law's value is a part.

    Args:
        forecast: of the study.
        study: with a posterior.
        correction: from the backtest of its law; None for none.
    """
    if correction is None or not forecast.plans.loss.has_width:
        return forecast
    assert study.compute is not None
    largest = float(study.compute.max())

    def factor(compute: np.ndarray | float) -> np.ndarray:
        return np.maximum(correction.factor(np.log10(np.asarray(compute) / largest)), 1.0)

    def path(own: OptimalPath) -> OptimalPath:
        return replace(own, loss=own.loss.widened(factor(own.compute)))

    decade = np.atleast_1d(factor(10 * largest))
    if not (factor(np.array([largest, 10 * largest])) > 1).any():
        return forecast
    return replace(
        forecast,
        curve=path(forecast.curve),
        plans=path(forecast.plans),
        stops=path(forecast.stops),
        decade=path(forecast.decade),
        gain=forecast.gain.widened(decade, in_logs=False),
        correction=correction,
    )


def with_new_runs(
    forecast: Forecast, study: FittedStudy, correction: BandCorrection | None
) -> Forecast:
    """The forecast with the losses of new runs along the curve and at the budgets.

    As ``jscale predict`` forecasts them: with the noise of single runs, widened or narrowed by the
    correction. Without draws it is as it was; where the errors depend on what a plan does not have,
    it says so.
    """
    if study.posterior is None:
        return forecast
    if lacking := _lacking(study.posterior):
        return replace(forecast, new_run_lacks=lacking)
    path = _appended(forecast.curve, forecast.plans)
    known = np.isfinite(path["loss"])
    places = {name: path[name][known] for name in ("N", "D")}
    places |= dict.fromkeys(study.training_bits, path["P"][known])
    source = CorrectedPosterior(study.posterior, correction or BandCorrection())
    # Few draws of the noise at each point would make the ends of a band jagged along the curve.
    repeats = max(1, math.ceil(_DRAWS / study.draw_count))
    places = {name: np.tile(values, repeats) for name, values in places.items()}
    drawn = source.predict(places, key=jax.random.key(_SEED)).draws
    drawn = drawn.reshape(len(drawn) * repeats, -1)
    levels = np.full((len(QUANTILES), len(known)), np.nan)
    levels[:, known] = quantiles_over_draws(drawn, QUANTILES, xp=np)
    new_run = Band(levels[2], *levels)
    count = len(forecast.curve.compute)
    at_plans = new_run.at(slice(count, None)) if study.budgets else None
    return replace(forecast, new_run=new_run.at(slice(0, count)), new_run_at_plans=at_plans)


def _lacking(posterior: Posterior) -> str:
    """What the scatter of a new run depends on and a plan does not have; empty if nothing."""
    errors, rows = posterior.errors, posterior.known_rows
    depends = errors.scale or errors.scale_by or errors.known or errors.has_shared_errors
    if rows is None:
        return "the runs, which the posterior does not hold" if depends else ""
    planned = {"C", *describe(posterior.law).input_names}
    needed = columns_needed(errors, rows.columns)
    missing = [name for name, is_number in needed.items() if is_number and name not in planned]
    return f"{enumerated(missing)} of the run, which a plan does not have" if missing else ""


def _appended(curve: OptimalPath, plans: OptimalPath) -> dict[str, np.ndarray]:
    """Medians of size, data, bits and loss along a curve and at the budgets after it."""

    def bits(path: OptimalPath) -> np.ndarray:
        return np.full_like(path.compute, FULL_BITS) if path.P is None else path.P.q50

    return {
        "N": np.append(curve.N.q50, plans.N.q50),
        "D": np.append(curve.D.q50, plans.D.q50),
        "P": np.append(bits(curve), bits(plans)),
        "loss": np.append(curve.loss.q50, plans.loss.q50),
    }
