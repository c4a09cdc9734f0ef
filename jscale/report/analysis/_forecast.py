"""What the law says of compute that nobody has spent yet: the optimal path, plans for budgets, the
next decade.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from jscale import plan
from jscale.plan.gridsearch import in_chunks
from jscale.report.analysis._bands import Band, band
from jscale.report.analysis._study import FULL_BITS, Study

_POINTS = 41
_BEYOND = 2.5
"""Decades that the curves go on after the largest run."""
CURVE_DRAWS, CURVE_DRAWS_JOINT = 1000, 400
"""Draws behind the bands of curves. A 5% quantile of 1,000 draws errs by a twentieth of the band's
width, less than a line's, one of 400 draws by a twelfth; a joint plan of size, data and bits takes
twenty times as long."""


@dataclass(frozen=True, eq=False)
class Path:
    """The best use of compute at several budgets.

    Attributes:
        compute: FLOP, shape (points,).
        N: parameters.
        D: tokens.
        ratio: tokens per parameter.
        loss: nats per token.
        P: bits, where they were chosen.
        solved: share of the draws for which there is an optimum, shape (points,).
    """

    compute: np.ndarray
    N: Band
    D: Band
    ratio: Band
    loss: Band
    P: Band | None
    solved: np.ndarray


@dataclass(frozen=True, eq=False)
class Forecast:
    """The optimal path and what the report says of it.

    Attributes:
        curve: from the smallest run to beyond the largest.
        curve_draws: number of draws behind the curve's bands.
        full: the same path in 16 bits, at the point estimate, where the curve is one of the best
            bits.
        plans: at the budgets, from all draws.
        decade: at the compute of the largest run and at ten times that, from all draws.
        gain: what the loss falls by in between, nats per token, shape (1,).
        growth: exponent of N* in compute over that decade, shape (1,).
    """

    curve: Path
    curve_draws: int
    full: Path | None
    plans: Path
    decade: Path
    gain: Band
    growth: Band


def forecast(study: Study) -> Forecast | None:
    """The forecast of a study: the best bits included where there are such, else in 16 bits.

    None where the law does not say how to share compute between size and data, or where no budget
    has an optimum.
    """
    if not study.plans_size_and_data:
        return None
    assert study.compute is not None
    every, full_bits = stacked(study), {"P": FULL_BITS} if study.training_bits else {}
    largest = float(study.compute.max())
    ahead = np.array([largest, 10 * largest, *study.budgets])
    joint = bool(study.training_bits)
    solved = best(study, every, ahead, ("N", "D", "P")) if joint else {}
    if (
        not joint or not np.isfinite(solved["loss"]).any()
    ):  # with one factor and no bias, fewer bits are always better
        joint, solved = False, best(study, every, ahead, ("N", "D"), **full_bits)
    some = stacked(study, CURVE_DRAWS_JOINT if joint else CURVE_DRAWS)
    compute = grid(study.compute, study.budgets)
    curve = best(
        study,
        some,
        compute,
        ("N", "D", "P") if joint else ("N", "D"),
        **({} if joint else full_bits),
    )
    if not np.isfinite(curve["loss"]).any():
        return None
    first = {name: values[:1] for name, values in some.items()}
    loss, N = solved["loss"], solved["N"]
    return Forecast(
        curve=_path(compute, curve),
        curve_draws=len(next(iter(some.values()))) - 1,
        full=_path(compute, best(study, first, compute, ("N", "D"), **full_bits))
        if joint
        else None,
        plans=_path(ahead[2:], {name: values[:, 2:] for name, values in solved.items()}),
        decade=_path(ahead[:2], {name: values[:, :2] for name, values in solved.items()}),
        gain=band(loss[:, :1] - loss[:, 1:2]),
        growth=band(np.log10(N[:, 1:2] / N[:, :1])),
    )


def stacked(study: Study, most: int | None = None) -> dict[str, np.ndarray]:
    """Parameter → its point estimate and then its draws, shape (1 + draws,).

    Args:
        study: the study.
        most: take no more than this many draws, evenly spread over all chains.
    """
    draws = study.draws
    point = {
        name: np.array([float(study.point.params[name])]) for name in study.record.parameter_names
    }
    if draws is None:
        return point
    count = len(next(iter(draws.values())))
    kept = (
        np.arange(count)
        if most is None or count <= most
        else np.linspace(0, count - 1, most).round().astype(int)
    )
    return {name: np.append(point[name], draws[name][kept]) for name in point}


def grid(seen: np.ndarray, budgets: tuple[float, ...]) -> np.ndarray:
    """Points from just below the smallest run to 2.5 decades beyond the largest, and past every
    budget.
    """
    first = min([seen.min() / 1.3, *(b / 1.6 for b in budgets)])
    last = max([seen.max() * 10**_BEYOND, *(b * 1.6 for b in budgets)])
    return np.geomspace(first, last, _POINTS)


def best(
    study: Study,
    params: Mapping[str, np.ndarray],
    compute: np.ndarray,
    free: tuple[str, ...],
    **fixed: float,
) -> dict[str, np.ndarray]:
    """Optimal plans for every draw and budget: ``N``, ``D``, ``loss`` and perhaps ``P``, NaN where
        there is no optimum.

    Args:
        study: the study.
        params: parameter → (draws,).
        compute: FLOP, shape (points,).
        free: what the plan chooses.
        **fixed: inputs that are given.

    Returns:
        Arrays of shape (draws, points).
    """

    def one(theta, point):
        given = {name: point[name] for name in fixed}
        answer = plan.optimal(study.law, theta, point["compute"], free=free, **given)
        return {
            "N": answer.N_opt,
            "D": answer.D_opt,
            "P": answer.P_opt if "P" in free else None,
            "loss": answer.loss,
        }

    constants = {name: np.full(len(compute), float(value)) for name, value in fixed.items()}
    return in_chunks(one, params, {"compute": compute, **constants})


def _path(compute: np.ndarray, solved: Mapping[str, np.ndarray]) -> Path:
    known = np.isfinite(solved["loss"])
    return Path(
        compute=compute,
        N=band(solved["N"]),
        D=band(solved["D"]),
        ratio=band(solved["D"] / solved["N"]),
        loss=band(solved["loss"]),
        P=band(solved["P"]) if "P" in solved else None,
        solved=(known[1:] if len(known) > 1 else known).mean(axis=0),
    )


@dataclass(frozen=True, eq=False)
class Curve:
    """Loss against the one resource that a law knows.

    Attributes:
        resource: name of the input.
        x: its values, shape (points,).
        loss: nats per token.
        gain: what ten times the largest run's resource lowers the loss by, shape (1,).
        at_budgets: loss at the budgets, where the resource is compute; else None.
    """

    resource: str
    x: np.ndarray
    loss: Band
    gain: Band
    at_budgets: Band | None


def single_resource(study: Study) -> Curve | None:
    """The forecast of a law with a single input; None for any other law."""
    if len(study.record.inputs) != 1 or study.record.output.name != "loss":
        return None
    (name,) = study.record.input_names
    seen = study.data.inputs[name]
    budgets = study.budgets if name == "C" else ()
    x = grid(seen, budgets)
    ends = np.array([seen.max(), 10 * seen.max()])

    def value(theta, point):
        return {"loss": study.law(point[name], **theta)}

    loss = in_chunks(value, stacked(study), {name: np.concatenate([x, ends, budgets])})["loss"]
    curve, ends, at = loss[:, : len(x)], loss[:, len(x) : len(x) + 2], loss[:, len(x) + 2 :]
    return Curve(
        name, x, band(curve), band(ends[:, :1] - ends[:, 1:]), band(at) if budgets else None
    )
