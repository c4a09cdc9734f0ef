"""What other parameters, tokens and bits than those of the largest run save or cost."""

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import numpy as np

from jscale import plan
from jscale.report.analysis._bands import Band, band
from jscale.report.analysis._evaluate import law_values
from jscale.report.analysis._study import FULL_BITS, FittedStudy


@dataclass(frozen=True, eq=False)
class Returns:
    """Changes of the law's loss from the run with the most compute on; bands of shape (1,).

    Attributes:
        N: parameters of the run.
        D: its tokens.
        others: input → its value in place of the run's: twice the N or the D, one more bit, and 8
            bits for a run of full precision where other runs have fewer.
        changes: the same inputs → change of the loss at that value, in the unit of the losses.
        per_flop: the decrease by the next FLOP for tokens, over that by the next for parameters.
    """

    N: float
    D: float
    others: Mapping[str, float]
    changes: Mapping[str, Band]
    per_flop: Band


def compute_returns(study: FittedStudy) -> Returns:
    """The returns of the largest run of a study whose law divides compute between N and D."""
    run = {name: float(column[study.largest]) for name, column in study.data.inputs.items()}
    others = {"N": 2 * run["N"], "D": 2 * run["D"]}
    for name in study.record.bit_inputs:
        if run.get(name, FULL_BITS) < FULL_BITS:
            others[name] = run[name] + 1
        elif name in run and study.data.inputs[name].min() < FULL_BITS:
            others[name] = FULL_BITS / 2

    points = {name: np.full(1 + len(others), value) for name, value in run.items()}
    for i, (name, value) in enumerate(others.items()):
        points[name][1 + i] = value
    losses = law_values(study, study.samples, points)
    changes = losses[:, 1:] - losses[:, :1]

    @jax.jit
    def share(params: Mapping[str, jax.Array]) -> jax.Array:
        slopes = plan.marginal_returns(study.law, params, run).per_cost
        return slopes["D"] / slopes["N"]

    per_flop = np.asarray(share(study.samples), np.float64)
    return Returns(
        N=run["N"],
        D=run["D"],
        others=others,
        changes={name: band(changes[:, i : i + 1]) for i, name in enumerate(others)},
        per_flop=band(per_flop[:, None]),
    )
