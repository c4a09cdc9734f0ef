"""Predictions from draws of the law's value and of what a new run adds to it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jscale._core.notes import Note
from jscale.fit.predictions._inputs import all_inputs
from jscale.fit.predictions._notes import distance_notes, domain_notes, without_repeats
from jscale.fit.predictions._prediction import Prediction, variance_shares
from jscale.fit.predictions._ranges import Ranges, decades, quantities
from jscale.laws import LawFunction, describe


def assemble(
    law: LawFunction,
    columns: Mapping[str, np.ndarray],
    values: np.ndarray,
    deviations: Mapping[str, np.ndarray],
    *,
    ranges: Ranges,
    notes: Sequence[Note] = (),
    additive: bool = False,
) -> Prediction:
    """The prediction of one law.

    Args:
        law: a declared law.
        columns: input → (points,), as :func:`checked_inputs` returns them.
        values: (draws, points) the law under the draws of its parameters.
        deviations: "noise", "discrepancy" or "effects" → (draws, points) that a new run adds to the
            logarithm of the law's value.
        ranges: of the runs; empty where they are not known.
        notes: of the fit.
        additive: the deviations are added to the value itself instead.

    Raises:
        JscaleError: the law has no finite value at some point.
    """
    name = describe(law).name
    own = domain_notes(name, values, columns)
    distances = decades(ranges, law, columns)
    own += distance_notes(distances, ranges, quantities(law, all_inputs(law, columns)))

    total: Any = np.sum(list(deviations.values()), axis=0) if deviations else 0.0
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        draws = values + total if additive else values * np.exp(total)
        level = values if additive or (values <= 0).any() else np.log(values)
    if not additive and level is values:
        # A law that can be negative has no log loss: the same parts of the loss itself.
        deviations = {part: values * np.expm1(d) for part, d in deviations.items()}
    return Prediction(
        law=name,
        at=dict(columns),
        draws=draws,
        parameter_draws=values,
        shares=variance_shares({"parameters": level, **deviations}),
        decades=distances,
        notes=without_repeats((*own, *notes)),
    )


def mixture(predictions: Sequence[Prediction], notes: Sequence[Note] = ()) -> Prediction:
    """The prediction of several laws together, from as many draws of each as it has weight.

    Args:
        predictions: of the same points, one a law (or error model); their numbers of draws are in
            the ratio of their weights.
        notes: of the ensemble, before those of its members.

    Returns:
        All draws, with the variance between the members' means as the share "law". The shares of
        the members are averaged in the ratio of their variances.
    """
    first = predictions[0]
    counts = np.array([len(p.draws) for p in predictions], np.float64)
    weights = counts / counts.sum()
    positive = all((np.nan_to_num(p.draws, nan=1.0) > 0).all() for p in predictions)

    def moments(p: Prediction) -> tuple[np.ndarray, np.ndarray]:
        with np.errstate(divide="ignore", invalid="ignore"):
            level = np.log(p.draws) if positive else p.draws
        level = np.where(np.isfinite(level), level, np.nan)
        return np.nanmean(level, axis=0), np.nanvar(level, axis=0)

    means, variances = (np.stack(each) for each in zip(*map(moments, predictions), strict=True))
    within = weights[:, None] * variances
    centre = (weights[:, None] * means).sum(axis=0)
    between = (weights[:, None] * (means - centre) ** 2).sum(axis=0)
    total = within.sum(axis=0) + between
    whole = np.where(total > 0, total, np.nan)

    shares = {
        name: np.sum(
            [
                part * np.nan_to_num(p.shares[name])
                for part, p in zip(within, predictions, strict=True)
            ],
            axis=0,
        )
        / whole
        for name in first.shares
    }
    shares["law"] = shares["law"] + between / whole
    return Prediction(
        law=" + ".join(dict.fromkeys(p.law for p in predictions)),
        at=first.at,
        draws=np.concatenate([p.draws for p in predictions]),
        parameter_draws=np.concatenate([p.parameter_draws for p in predictions]),
        shares=shares,
        decades=first.decades,
        notes=without_repeats((*notes, *(note for p in predictions for note in p.notes))),
    )
