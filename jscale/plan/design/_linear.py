"""Quantities as linear functions of the parameters, by regression over draws."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.jaxprs import by_logarithm
from jscale._core.status import is_optimum
from jscale.laws import LawFunction, describe
from jscale.plan.budget import build_problem, optimal
from jscale.plan.costs import Cost
from jscale.plan.problem import BoundLaw

MOST_DRAWS = 400
"""Draws of a regression; more do not change which runs are chosen."""
_CHUNK = 4096
"""Candidates whose losses are computed together."""
_ROUNDING = 1e-8
"""Relative error of a covariance that counts as rounding."""


@dataclass(frozen=True)
class Knowledge:
    """What is known of the parameters, as a Gaussian in free coordinates.

    Attributes:
        params: parameter → (draws,): the draws of the regression.
        centred: (draws, k) their free coordinates about the mean.
        covariance: (k, k) of all draws, or the given one.
    """

    params: dict[str, np.ndarray]
    centred: np.ndarray
    covariance: np.ndarray

    def slopes(self, values: np.ndarray) -> np.ndarray:
        """The regression of ``values`` (draws, …) on the coordinates: (…, k).

        Draws without a value are left out.
        """
        flat = values.reshape(len(values), -1)
        kept = np.isfinite(flat).all(axis=1)
        deviations = flat[kept] - flat[kept].mean(axis=0)
        centred = self.centred[kept] - self.centred[kept].mean(axis=0)
        # Of many columns, one product with the inverse is cheaper than a solve by LAPACK.
        rounding = max(centred.shape) * np.finfo(float).eps
        slopes = np.linalg.pinv(centred, rcond=rounding) @ deviations
        return slopes.T.reshape(*values.shape[1:], -1)


def knowledge_of(law: LawFunction, params: Mapping[str, Any], covariance: Any) -> Knowledge:
    """The knowledge in draws, or in a point and its covariance.

    Of a point it is represented by points at plus and minus ``sqrt(k)`` standard deviations along
    the columns of a root of the covariance, whose covariance is the given one.

    Raises:
        JscaleError: neither draws nor a covariance or both, one that is not finite or none at all,
            or a point on the boundary of its parameters.
    """
    record = describe(law)
    names = record.parameter_names
    supports = [parameter.support for parameter in record.parameters]
    arrays = {name: np.asarray(params[name], np.float64) for name in names}
    if covariance is None:
        count = max((value.size for value in arrays.values() if value.ndim), default=1)
        if count <= len(names):
            raise JscaleError(
                f"{count} draws cannot describe {len(names)} parameters: give more draws, or a "
                "point with its covariance"
            )
        natural = np.stack([np.broadcast_to(arrays[name], (count,)) for name in names], axis=1)
        free = _to_free(supports, natural)
        step = -(-count // MOST_DRAWS)
        chosen = dict(zip(names, natural[::step].T, strict=True))
        centred = free[::step] - free[::step].mean(axis=0)
        return Knowledge(chosen, centred, np.cov(free.T).reshape(len(names), -1))

    if any(value.size > 1 for value in arrays.values()):
        raise JscaleError(
            "is of a point, and the parameters are draws: leave it out", argument="covariance"
        )
    point = np.array([arrays[name].item() for name in names])
    matrix = _to_free_covariance(supports, point, np.asarray(covariance, np.float64))
    eigenvalues, vectors = _checked_eigenvectors(matrix)
    # Those below 0 are 0 but for rounding.
    root = vectors * np.sqrt(np.maximum(eigenvalues, 0.0))
    steps = np.sqrt(len(names)) * np.concatenate([root.T, -root.T])
    free = _to_free(supports, point[None])[0] + steps
    columns = [s.to_natural(jnp.asarray(free[:, i])) for i, s in enumerate(supports)]
    chosen = {name: np.asarray(each) for name, each in zip(names, columns, strict=True)}
    return Knowledge(chosen, steps, matrix)


def _checked_eigenvectors(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The eigenvalues and eigenvectors of a covariance.

    Raises:
        JscaleError: it is not symmetric, or has a negative variance in some direction.
    """
    if np.abs(matrix - matrix.T).max() > _ROUNDING * np.abs(matrix).max():
        raise JscaleError("is not symmetric", argument="covariance")
    eigenvalues, vectors = np.linalg.eigh(matrix)
    if eigenvalues[0] < -_ROUNDING * np.abs(eigenvalues).max():
        raise JscaleError(
            "has a negative variance in some direction: no parameters have this covariance",
            argument="covariance",
        )
    return eigenvalues, vectors


def _to_free(supports: list[Any], natural: np.ndarray) -> np.ndarray:
    columns = [np.asarray(s.to_free(jnp.asarray(natural[:, i]))) for i, s in enumerate(supports)]
    free = np.stack(columns, axis=1)
    if not np.isfinite(free).all():
        raise JscaleError(
            "a parameter lies on the boundary of its support: fix it with laws.fix, or give draws"
        )
    return free


def _to_free_covariance(
    supports: list[Any], point: np.ndarray, covariance: np.ndarray
) -> np.ndarray:
    """A covariance of the parameters as one of their free coordinates.

    Raises:
        JscaleError: a wrong shape, or numbers that are not finite.
    """
    if covariance.shape != (len(point),) * 2:
        raise JscaleError(
            f"has the shape {covariance.shape}; expected {(len(point),) * 2}, one row a parameter",
            argument="covariance",
        )
    if not np.isfinite(covariance).all():
        raise JscaleError(
            "is not finite: the runs do not identify all parameters; use draws of a posterior",
            argument="covariance",
        )
    slopes = np.array([float(jax.grad(s.to_free)(x)) for s, x in zip(supports, point, strict=True)])
    return slopes[:, None] * covariance * slopes


@functools.partial(jax.jit, static_argnames="bound")
def _log_losses(bound: BoundLaw, params: Any, inputs: Any) -> jax.Array:
    one = by_logarithm(functools.partial(bound.loss, inputs))
    return jnp.log(jax.vmap(one)(params))


def log_slopes(bound: BoundLaw, known: Knowledge, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """Of the logarithms of the losses of runs by the parameters: (runs, k)."""
    count = len(next(iter(inputs.values())))
    parts = []
    for start in range(0, count, _CHUNK):
        piece = {name: value[start : start + _CHUNK] for name, value in inputs.items()}
        parts.append(known.slopes(np.asarray(_log_losses(bound, known.params, piece))))
    return np.concatenate(parts)


@dataclass(frozen=True)
class PlanRegret:
    """The expected regret of a plan as a function of the covariance.

    Attributes:
        matrix: (k, k), the expected regret in nats is its trace with the covariance.
        per_flop: nats that one more FLOP of the plan's budget saves.
        lost: number of draws without an optimum.
    """

    matrix: np.ndarray
    per_flop: float
    lost: int


def plan_regret(
    law: LawFunction, known: Knowledge, budget: float, *, free: Any, cost: Cost | None, fixed: Any
) -> PlanRegret:
    """The regret of the plan for a budget, quadratic in its logarithms of N and P.

    Raises:
        JscaleError: nothing to choose, or no draw has an optimum.
    """
    problem, numbers = build_problem(law, free, fixed, cost)
    cost_values = [jnp.asarray(number) for number in numbers]
    names = [name for name in ("N", "P") if name in problem.coordinates]
    if not names:
        raise JscaleError("the budget leaves nothing to choose: free N and D", argument="free")
    best = optimal(law, known.params, budget, free=free, cost=cost, **fixed)
    solved = np.asarray(is_optimum(best.status))
    if not solved.any():
        raise JscaleError(f"no draw has an optimal plan for {budget:g}", argument="plan_budget")
    counts = {"N": best.N_opt, "P": best.P_opt}
    x = np.stack([np.log(np.asarray(counts[name], np.float64)) for name in names], axis=1)

    def loss(x: Any, log_budget: Any, theta: Any) -> Any:
        values = {name: jnp.asarray(value, jnp.float64) for name, value in fixed.items()}
        values |= {name: jnp.exp(x[i]) for i, name in enumerate(names)}
        priced = problem.build_cost(cost_values)
        bits = problem.bound.bits(values)
        values["D"] = priced.tokens(jnp.exp(log_budget), values["N"], bits)
        return problem.bound.loss(values, theta)

    @jax.jit
    def derivatives(x: Any, log_budget: Any, theta: Any) -> Any:
        along = (0, None, 0)
        curvature = jax.vmap(jax.hessian(loss), along)(x, log_budget, theta)
        return curvature, jax.vmap(jax.grad(loss, argnums=1), along)(x, log_budget, theta)

    theta = {name: value[solved] for name, value in known.params.items()}
    curvature, by_budget = derivatives(x[solved], np.log(budget), theta)
    slopes = known.slopes(x)  # (coordinates, k)
    matrix = 0.5 * slopes.T @ np.asarray(curvature).mean(axis=0) @ slopes
    per_flop = -float(np.mean(by_budget)) / budget
    return PlanRegret(matrix, per_flop, int(np.sum(~solved)))
