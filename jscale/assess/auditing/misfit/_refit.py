"""A law fitted robustly to some of the runs, from where a fit or a posterior has it."""

from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.scope import float64
from jscale.fit import Huber, Point, Posterior
from jscale.fit.objective import (
    Clusters,
    Coordinates,
    FitData,
    clusters,
    linearize,
    tabulate,
)
from jscale.fit.optimum import fitted_runs
from jscale.fit.predictions import quantities
from jscale.laws import LawFunction, describe
from jscale.runs import Data, Runs, select

SPARE_RUNS = 6
"""Runs beyond the parameters that a test needs."""
TUNING = 1.345
"""Standard deviations at which the Huber score turns constant: 95% efficiency for normal errors."""
_TO_STANDARD_DEVIATION = 1.4826
_SMALLEST = 1e-9
"""Scale of log residuals that are rounding, not noise."""
_EMPTY = 1e-7
"""Share of the largest singular value below which a direction of the Jacobian is empty."""
_MOST_STEPS, _MOST_DAMPING = 30, 1e6
_FREE_LIMIT = 500.0
"""Free coordinates of a parameter at its bound are infinite: they are cut here."""
LEAST_CLUSTERS = 6
"""Fewer clusters than this cannot show how much their runs share: columns that form fewer are not
taken unless they are named."""
LEAST_SIZES = 10
"""Runs of one size are trained apart, as a rule, and share less. With fewer sizes than this they
count as independent, so that a test can find anything: what is particular to a size is misfit."""


@dataclass(frozen=True, eq=False)
class Study:
    """The runs of a fit, with what its residuals are held against.

    Attributes:
        law: the law.
        data: the fitted runs.
        objective: Huber's, for the scale on which losses are compared.
        fit_data: arrays of the fit.
        free: (k,) free coordinates of the fitted parameters.
        sizes: (rows,) relative sizes of the runs' errors.
        quantities: inputs of the law, C and D/N → (rows,).
        clusters: runs that may share an error.
    """

    law: LawFunction
    data: Data
    objective: Huber
    fit_data: FitData
    free: np.ndarray
    sizes: np.ndarray
    quantities: dict[str, np.ndarray]
    clusters: Clusters

    @property
    def on_log(self) -> bool:
        """Whether residuals are of the logarithm of the loss."""
        return self.objective.on == "log"


@dataclass(frozen=True, eq=False)
class RobustFit:
    """A law at the optimum of a Huber loss of some of the runs.

    Residuals and Jacobian are of all runs, divided by the relative sizes of their errors.

    Attributes:
        residuals: (rows,) observed minus predicted.
        jacobian: (rows, k) of the residuals by the free coordinates.
        cutoff: residual from which on the score is constant.
        scale: robust standard deviation of the residuals of the fitted runs.
    """

    residuals: np.ndarray
    jacobian: np.ndarray
    cutoff: float
    scale: float

    @property
    def score(self) -> np.ndarray:
        """Huber's score of every run (rows,)."""
        return np.clip(self.residuals, -self.cutoff, self.cutoff)

    @property
    def curvature(self) -> np.ndarray:
        """Derivative of every run's score (rows,): 1 inside of the cutoff, else 0."""
        return (np.abs(self.residuals) <= self.cutoff).astype(float)

    def span(self, keep: np.ndarray | slice = slice(None)) -> np.ndarray:
        """An orthonormal basis (kept rows, rank) of the columns of the Jacobian."""
        return orthonormal(self.jacobian[keep])


def study_of(fitted: Point | Posterior, table: Runs, by: str | None = None) -> Study:
    """The runs of a fit or of a posterior.

    Args:
        fitted: a fit, or posterior draws, of the runs.
        table: the runs.
        by: column of the clusters. None for the one that fits take by default, if it forms six
            clusters, or ten for sizes.

    Raises:
        JscaleError: fitted to other runs, or ``by`` is not a column that forms clusters.
    """
    if not isinstance(fitted, Point | Posterior):
        kind = type(fitted).__name__
        message = f": expected a Point or a Posterior, as jscale.fit returns them, not a {kind}"
        raise JscaleError(message, argument="fitted")
    if not isinstance(table, Runs):
        kind = type(table).__name__
        message = f": expected a table of runs, as runs.read returns it, not a {kind}"
        raise JscaleError(message, argument="table")
    if fitted.table_digest != table.digest:
        message = f": fitted to other runs than {table.name}; expected a fit of this table"
        raise JscaleError(message, argument="fitted")

    law = fitted.law
    if isinstance(fitted, Point):
        data, params = fitted_runs(fitted, table), dict(fitted.params)
    else:
        data = select(table, law)
        params = {name: float(np.median(draws)) for name, draws in fitted.draws.items()}

    objective = Huber(on="log" if data.loss.min() > 0 else "raw")
    fit_data, _ = tabulate(law, data, objective)
    with float64():
        free = Coordinates(describe(law), fit_data.centre).to_free(params)
        free = np.clip(np.nan_to_num(np.asarray(free)), -_FREE_LIMIT, _FREE_LIMIT)
    sizes = np.ones(len(data)) if data.sizes is None else np.asarray(data.sizes)
    values = quantities(law, data.inputs)
    if "C" not in values and "C" in table:
        values["C"] = np.asarray(table["C"], float)[data.rows]
    # The size of an error divides residual and Jacobian here, so that the arrays have none.
    plain = fit_data._replace(weights=None, errors=None)
    shared = clusters(table, data.rows, by, least=LEAST_CLUSTERS, least_sizes=LEAST_SIZES)
    return Study(law, data, objective, plain, free, sizes, values, shared)


def robust_fit(study: Study, keep: np.ndarray | None = None) -> RobustFit | None:
    """The law at the optimum of a Huber loss of the runs where ``keep`` is true; None for all.

    Reweighted, damped Gauss-Newton steps from the fitted parameters, with the loss turning linear
    at 1.345 robust standard deviations. The optimum is a local one.

    Returns:
        The fit; None where the law has no finite value at some run, or where it is exact.
    """
    rows = np.ones(len(study.data), bool) if keep is None else keep
    current = _linearized(study, study.free)
    if current is None:
        return None

    free = study.free
    for _ in range(2):  # the scale at the start, then that at the optimum
        scale = _TO_STANDARD_DEVIATION * float(np.median(np.abs(current[0][rows])))
        if scale < _SMALLEST:
            return None
        free, current = _descend(study, free, current, rows, TUNING * scale)
    residuals, jacobian = current
    scale = _TO_STANDARD_DEVIATION * float(np.median(np.abs(residuals[rows])))
    if scale < _SMALLEST:
        return None
    return _exactly_orthogonal(RobustFit(residuals, jacobian, TUNING * scale, scale), rows)


def orthonormal(columns: np.ndarray) -> np.ndarray:
    """An orthonormal basis (rows, rank) of columns (rows, k)."""
    return columns @ _whitening(columns)


def _whitening(columns: np.ndarray) -> np.ndarray:
    """The matrix (k, rank) that makes columns (rows, k) orthonormal."""
    norms = np.linalg.norm(columns, axis=0)
    used = norms > 1e-12 * norms.max(initial=0.0)
    inverse = np.where(used, 1 / np.where(used, norms, 1.0), 0.0)
    _, sizes, axes = np.linalg.svd(columns * inverse, full_matrices=False)
    kept = sizes > _EMPTY * sizes.max(initial=0.0)
    return inverse[:, None] * (axes[kept].T / sizes[kept])


def _linearized(study: Study, free: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Residuals (rows,) and Jacobian (rows, k) over the sizes; None where not finite."""
    with float64(), np.errstate(all="ignore"):
        line = linearize(study.law, study.objective, study.fit_data, jnp.asarray(free))
    residuals = np.asarray(line.residuals) / study.sizes
    jacobian = np.asarray(line.jacobian) / study.sizes[:, None]
    finite = np.isfinite(residuals).all() and np.isfinite(jacobian).all()
    return (residuals, jacobian) if finite else None


def _huber(residuals: np.ndarray, cutoff: float) -> float:
    size = np.abs(residuals)
    inside = 0.5 * residuals**2
    return float(np.where(size <= cutoff, inside, cutoff * (size - 0.5 * cutoff)).sum())


def _descend(
    study: Study,
    free: np.ndarray,
    current: tuple[np.ndarray, np.ndarray],
    rows: np.ndarray,
    cutoff: float,
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Damped steps to the optimum of a Huber loss: the free vector, residuals and Jacobian."""
    damping, value = 1e-6, _huber(current[0][rows], cutoff)
    for _ in range(_MOST_STEPS):
        residuals, jacobian = current[0][rows], current[1][rows]
        norms = np.linalg.norm(jacobian, axis=0)
        scaled = jacobian / np.where(norms > 1e-12 * norms.max(), norms, np.inf)
        weights = np.minimum(1.0, cutoff / np.maximum(np.abs(residuals), 1e-300))
        gradient = scaled.T @ (weights * residuals)
        matrix = scaled.T @ (weights[:, None] * scaled)

        gain = 0.0
        while damping <= _MOST_DAMPING:
            step = np.linalg.solve(matrix + damping * np.eye(len(free)), gradient)
            trial = free - step / np.where(norms > 1e-12 * norms.max(), norms, np.inf)
            linear = _linearized(study, np.clip(trial, -_FREE_LIMIT, _FREE_LIMIT))
            reached = np.inf if linear is None else _huber(linear[0][rows], cutoff)
            if linear is not None and reached < value:
                free, current, gain = trial, linear, value - reached
                damping = max(damping / 10, 1e-9)
                break
            damping *= 10
        value -= gain
        if gain <= 1e-9 * value:
            break
    return free, current


def _exactly_orthogonal(fit: RobustFit, rows: np.ndarray) -> RobustFit:
    """The fit with residuals whose score is orthogonal to the Jacobian, by linear steps.

    What the descent leaves to the optimum is far below the noise, and would still count in a test.
    """
    residuals, jacobian = fit.residuals.copy(), fit.jacobian
    directions = jacobian @ _whitening(jacobian[rows])
    basis = directions[rows]
    for _ in range(_MOST_STEPS):
        weights = np.minimum(1.0, fit.cutoff / np.maximum(np.abs(residuals[rows]), 1e-300))
        matrix = basis.T @ (weights[:, None] * basis)
        step = np.linalg.solve(matrix, basis.T @ (weights * residuals[rows]))
        residuals -= directions @ step
        if np.abs(step).max(initial=0.0) < 1e-10 * fit.scale:
            break
    return replace(fit, residuals=residuals)
