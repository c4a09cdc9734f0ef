"""A fit with everything that its intervals are made of, whatever their kind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.scope import to_numpy
from jscale.fit import _covariance
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

    @property
    def sizes(self) -> np.ndarray | None:
        """How the runs' errors are taken to differ in size (rows,), or None where all are alike."""
        if self.weights is not None:
            return self.weights**-0.5
        return None if self.tableau.errors is None else np.asarray(self.tableau.errors)

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
        if self.degrees() <= 0:
            return np.full((len(to_params),) * 2, np.inf)
        if kind != "fisher":
            return _covariance.sandwich(residual, jacobian, to_params, self.slope, labels, weights=self.weights)
        if self.goal.has_scale and self.weights is None:
            delta = float(self.tableau.delta)
            information = _covariance.of_one_residual(self.goal, float(self.free[-1]), delta)
            return _covariance.inverse_information(jacobian, to_params, information)
        return _covariance.fisher(residual, jacobian, to_params, self._psi, self.weights)

    def _psi(self, residual: np.ndarray) -> np.ndarray:
        """Derivative of the objective by residuals of any number, of runs of weight 1."""
        log_scale = self.free[-1] if self.goal.has_scale else 0.0
        return np.asarray(self.goal.slope(jnp.asarray(residual), jnp.asarray(log_scale), self.tableau.delta))

    def degrees(self, labels: np.ndarray | None = None) -> int:
        """Degrees of freedom of a standard error: n - k, or one less than the clusters by labels (rows,) if fewer."""
        n, k = self.local.jacobian.shape
        return n - k if labels is None or n <= k else min(int(labels.max()), n - k)

    def stiff_inverse(self) -> np.ndarray:
        """Inverse (k, k) of the objective's stiffness in free coordinates, without directions of no information."""
        jacobian = self.local.jacobian
        if not np.isfinite(jacobian).all():
            return np.full((jacobian.shape[1],) * 2, np.inf)
        return _covariance.bread(
            jacobian, _covariance.stiffness(self.local.residuals, self.slope, self.weights)
        ).inverse


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


def check_level(level: Any) -> None:
    """Refuse what is no coverage.

    Raises:
        JscaleError: it does not lie between 0 and 1.
    """
    if isinstance(level, bool) or not isinstance(level, int | float | np.number) or not 0 < level < 1:
        raise JscaleError(f"level must lie between 0 and 1, not {level!r}")


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
            names = [str(getattr(each, "__name__", each)) for each in several]
            twice = next(name for name in names if names.count(name) > 1)
            raise JscaleError(f"targets: two are named {twice!r}; expected each under a name of its own")
    if not found:
        raise JscaleError("targets is empty; expected at least one, or None for all parameters")
    for name, target in found.items():
        if isinstance(target, str) and target not in known:
            raise JscaleError(
                f"law {describe(law).name!r} has no parameter {target!r} (it has: {', '.join(known)}); any other "
                f"target is a function of the parameters, such as assess.quantity(law, {target!r}) gives"
            )
        if not (isinstance(target, str) or callable(target)):
            raise JscaleError(f"target {name!r} must be a parameter or a function of the parameters, not {target!r}")
    return found
