"""An ensemble as a forecaster, so that it can be backtested like a law."""

from typing import Any

import jax

from jscale._core.text import enumerated
from jscale.assess.backtesting import SPARE_RUNS, Forecast, Forecaster, inputs_at, law_digest
from jscale.assess.ensembles._candidates import Candidate, candidates_of
from jscale.assess.ensembles._ensemble import ensemble
from jscale.assess.ensembles._evidence import columns_at
from jscale.fit.objective import padded_at_least
from jscale.laws import describe
from jscale.runs import Runs


def ensemble_forecaster(
    laws: Any, table: Runs, *, errors: Any = None, correct: bool = True, draws: int = 1000
) -> Forecaster:
    """The forecaster of :func:`ensemble`, for :func:`backtest`.

    The weights, and the correction of the bands, come from the runs that each fit is given.

    Args:
        laws: a declared law or its name in the catalogue, several, or None for laws that suit the
            columns of the table.
        table: the runs that are to be backtested.
        errors: as for :func:`ensemble`.
        correct: as for :func:`ensemble`.
        draws: of each posterior.

    Raises:
        JscaleError: as :func:`ensemble`.

    Example:
        >>> from jscale import assess, laws, runs
        >>> D = [1e10] * 4 + [4e10] * 4 + [2e11] * 4 + [1e12] * 4
        >>> table = runs.read({"N": [1e8, 3e8, 1e9, 3e9] * 4, "D": D, "loss": [3.0] * 16})
        >>> assess.ensemble_forecaster(None, table).name
        'ensemble of chinchilla and coupled'
    """
    candidates = candidates_of(laws, table, errors)
    parameters = max(len(describe(each.law).parameters) for each in candidates)

    def forecast(training: Runs, new: Runs, key: jax.Array) -> Forecast:
        fit_key, new_key = jax.random.split(key)
        chosen = list(dict.fromkeys(each.law for each in candidates))
        with padded_at_least(len(table)):
            result = ensemble(
                chosen, training, errors=errors, key=fit_key, correct=correct, draws=draws
            )
            prediction = result.predict(
                inputs_at(chosen[0], new), key=new_key, columns=columns_at(new)
            )
        return Forecast(prediction.draws, result.notes)

    return Forecaster(
        name=f"ensemble of {_names(candidates)}",
        forecast=forecast,
        column=describe(candidates[0].law).output.column,
        least_runs=parameters + SPARE_RUNS,
        law=candidates[0].law,
        settings={
            "candidates": [[each.name, law_digest(each.law)] for each in candidates],
            "correct": correct,
            "draws": draws,
        },
    )


def _names(candidates: tuple[Candidate, ...]) -> str:
    names = dict.fromkeys(describe(each.law).name for each in candidates)
    return enumerated(names, last=" and ")
