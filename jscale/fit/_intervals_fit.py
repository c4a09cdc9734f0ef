"""A fit with everything that its intervals are made of, whatever their kind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.scope import to_numpy
from jscale.fit import _covariance
from jscale.fit._bootstrap import COMPANY
from jscale.fit._objective import Objective, resolve
from jscale.fit._point import Point, optimum, tabulate
from jscale.fit._problem import Local, Tableau, examine, slopes
from jscale.fit._weights import Weights, weigh
from jscale.laws import LawFunction, describe
from jscale.runs import Data, Runs, select


@dataclass(frozen=True)
class Fitted:
    """An optimum, and the derivatives there; in a float64 scope.

    Attributes:
        law: the law.
        goal: the objective.
        tableau: what was fitted.
        stages: deltas of the objective.
        free: free vector, with the log scale where the objective has one.
        local: predictions, residuals and Jacobians.
    """

    law: LawFunction
    goal: Objective
    tableau: Tableau
    stages: Any
    free: np.ndarray
    local: Local

    @property
    def weights(self) -> np.ndarray | None:
        """Of the runs (rows,), or None where all count once."""
        return None if self.tableau.weights is None else np.asarray(self.tableau.weights)

    def slope(self, residual: np.ndarray) -> np.ndarray:
        """Derivative of the objective by each residual (rows,), at residuals of the caller's choice."""
        return np.asarray(slopes(self.law, self.goal, self.tableau, jnp.asarray(self.free), jnp.asarray(residual)))

    def covariance(self, kind: str, labels: np.ndarray | None = None) -> np.ndarray:
        """Covariance of the parameters (k, k): "fisher", "sandwich", or "cluster-sandwich" by labels (rows,)."""
        return self._covariance(kind, labels, self.local.params_jacobian)

    def free_covariance(self, kind: str, labels: np.ndarray | None = None) -> np.ndarray:
        """The same in the fit's free coordinates."""
        return self._covariance(kind, labels, np.eye(self.local.jacobian.shape[1]))

    def _covariance(self, kind: str, labels: np.ndarray | None, to_params: np.ndarray) -> np.ndarray:
        residual, jacobian = self.local.residuals, self.local.jacobian
        if kind != "fisher":
            return _covariance.sandwich(residual, jacobian, to_params, self.slope, labels)
        if self.goal.has_scale:
            delta = float(self.tableau.delta)
            information = _covariance.of_one_residual(self.goal, float(self.free[-1]), delta)
            return _covariance.inverse_information(jacobian, to_params, information, self.weights)
        return _covariance.fisher(residual, jacobian, to_params, self.slope, self.weights)

    def stiff_inverse(self) -> np.ndarray:
        """Inverse (k, k) of the objective's stiffness in free coordinates, without directions of no information."""
        jacobian = self.local.jacobian
        if not np.isfinite(jacobian).all():
            return np.full((jacobian.shape[1],) * 2, np.inf)
        return _covariance.bread(jacobian, _covariance.stiffness(self.local.residuals, self.slope)).inverse


def fitted(law: LawFunction, goal: Objective, tableau: Tableau, stages: Any, free: np.ndarray) -> Fitted:
    """The state of a fit that ended at ``free``."""
    return Fitted(law, goal, tableau, stages, free, to_numpy(examine(law, goal, tableau, jnp.asarray(free))))


def fit_once(
    law: LawFunction, table: Runs, objective: str | Objective, starts: int, weights: Weights
) -> tuple[Point, Fitted, Data]:
    """The point fit, its state, and the data.

    Raises:
        JscaleError: as :func:`jscale.fit.point`.
    """
    goal = resolve(objective)
    best, free = optimum(law, table, goal, starts, weights)
    data = weigh(table, select(table, law), weights, goal.on)
    tableau, stages = tabulate(law, data, goal)
    return best, fitted(law, goal, tableau, stages, free), data


def check_level(level: Any) -> float:
    """``level`` as a float.

    Raises:
        JscaleError: it does not lie between 0 and 1.
    """
    if isinstance(level, bool) or not isinstance(level, int | float | np.number) or not 0 < level < 1:
        raise JscaleError(f"level must lie between 0 and 1, not {level!r}")
    return float(level)


def company(table: Runs, data: Data) -> str | None:
    """The column whose equal values may share errors: ``group``, or the sizes where they repeat; None for none."""
    for name in ("group", "N"):
        if name in table:
            count = len(np.unique(table[name][data.rows]))
            if count > 1 and len(data) >= COMPANY * count:
                return name
    return None


def labels_of(table: Runs, data: Data, by: str) -> np.ndarray:
    """The cluster of every run (rows,), counted from 0.

    Raises:
        JscaleError: there is no such column, or it has a single value.
    """
    _, labels = np.unique(table[by][data.rows], return_inverse=True)
    if labels.max() == 0:
        raise JscaleError(f"{table.name}: column {by!r} has one value in all runs; clusters need at least two")
    return labels


Quantity = Callable[[Mapping[str, Any]], Any]
"""A number made of the parameters, in JAX: parameters by name → scalar."""


def named(law: LawFunction, targets: Any) -> dict[str, str | Quantity]:
    """Targets by name; all parameters for None.

    Args:
        law: a declared law.
        targets: a name or a function, several of them, or names → functions.

    Raises:
        JscaleError: a name that is no parameter, or something that is neither a name nor a function.
    """
    known = describe(law).parameter_names
    if targets is None:
        return {name: name for name in known}
    if isinstance(targets, Mapping):
        found = dict(targets)
    else:
        several = [targets] if isinstance(targets, str) or callable(targets) else list(targets)
        found = {each if isinstance(each, str) else str(getattr(each, "__name__", each)): each for each in several}
        if len(found) < len(several):
            raise JscaleError("two targets have one name; expected names → functions")
    if not found:
        raise JscaleError("targets is empty; expected at least one, or None for all parameters")
    for name, target in found.items():
        if isinstance(target, str) and target not in known:
            raise JscaleError(
                f"law {describe(law).name!r} has no parameter {target!r} (it has: {', '.join(known)}); any other "
                "target is a function of the parameters"
            )
        if not (isinstance(target, str) or callable(target)):
            raise JscaleError(f"target {name!r} must be a parameter or a function of the parameters, not {target!r}")
    return found
