"""The law and its optimal plans at every draw and every point of a curve."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from jscale import plan
from jscale.plan.gridsearch import in_chunks
from jscale.report.analysis._study import FittedStudy

if TYPE_CHECKING:
    import jax

    Named = Mapping[str, jax.Array]
    """Arrays of one shape by name."""


def subsample(samples: Mapping[str, np.ndarray], limit: int) -> dict[str, np.ndarray]:
    """The point estimate and at most ``limit`` draws, evenly spread over all chains.

    Args:
        samples: parameter → its point estimate followed by its draws, shape (1 + draws,).
        limit: largest number of draws to keep.
    """
    count = len(next(iter(samples.values()))) - 1
    if count <= limit:
        return dict(samples)
    kept = np.linspace(0, count - 1, limit).round().astype(int)
    rows = np.append(0, 1 + kept)
    return {name: values[rows] for name, values in samples.items()}


def values_of(
    function: "Callable[[Named, Named], jax.Array]",
    samples: Mapping[str, np.ndarray],
    points: Mapping[str, np.ndarray],
) -> np.ndarray:
    """``function(parameters, point)`` at every draw and point, shape (draws, points)."""

    def named(theta: "Named", point: "Named") -> "dict[str, jax.Array]":
        return {"value": function(theta, point)}

    return in_chunks(named, samples, points)["value"]


def law_values(
    study: FittedStudy, samples: Mapping[str, np.ndarray], points: Mapping[str, np.ndarray]
) -> np.ndarray:
    """The law at every draw and point.

    Args:
        study: the study.
        samples: parameter → (draws,).
        points: input of the law → (points,).

    Returns:
        Nats per token, shape (draws, points).
    """
    return values_of(lambda theta, point: study.law(**point, **theta), samples, points)


def optimal_plans(
    study: FittedStudy,
    samples: Mapping[str, np.ndarray],
    compute: np.ndarray,
    free: tuple[str, ...],
    **fixed: float,
) -> dict[str, np.ndarray]:
    """Optimal plans for every draw and budget, NaN where there is no optimum.

    Args:
        study: the study.
        samples: parameter → (draws,).
        compute: FLOP, shape (points,).
        free: what the plan chooses.
        **fixed: inputs with a given value.

    Returns:
        ``N``, ``D``, ``loss``, and ``P`` where it is free: shape (draws, points).
    """

    def solve(theta: "Named", point: "Named") -> "dict[str, jax.Array | None]":
        held: dict[str, Any] = {name: point[name] for name in fixed}
        optimum = plan.optimal(study.law, theta, point["compute"], free=free, **held)
        return {
            "N": optimum.N_opt,
            "D": optimum.D_opt,
            "P": optimum.P_opt if "P" in free else None,
            "loss": optimum.loss,
        }

    constants = {name: np.full(len(compute), float(value)) for name, value in fixed.items()}
    return in_chunks(solve, samples, {"compute": compute, **constants})
