"""The convergence certificate: agreement of the starts, gradient, conditioning, bounds."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from jscale._core.notes import Note
from jscale._core.status import Status
from jscale.laws import Record

GRADIENT = 1e-5
"""Largest gradient (see :func:`gradient_cosine`) at which a fit counts as converged; converged fits
have 1e-7 and less."""
AGREEING_STARTS = 0.1
"""Smallest share of starts that must reach the same minimum; with fewer, a lower one may exist."""
SECOND_METHOD = 1e-3
"""The second method agrees when it comes within this share of the objective: its line search ends
earlier on kinks."""
COLLINEAR = 1e5
"""Condition number of the scaled Gauss-Newton matrix above which the design is collinear. Measured
for Chinchilla's law: 1.1e3 on the published runs, 2e3 to 5e3 on three token-to-parameter
ratios, 7e5 and more on one."""
_BOUND_DISTANCE = 1e-3
"""Distance from a bound, relative to that of the nearest start, below which a parameter is at the
bound."""
_MIN_SHARE = 0.1
"""Share of a parameter in a direction without information from which on it is unidentified."""
_SILENT_COLUMN = 1e-9
"""Norm of a Jacobian column, relative to the largest, below which it is zero."""
_SAME_RATIO = 0.05
"""Range of log(D/N) over the runs below which they have one ratio."""


@dataclass(frozen=True)
class Certificate:
    """How certain the optimum of a fit is.

    Attributes:
        status: how the fit ended.
        agreement: share of starting points that reach the same objective.
        gradient_norm: first-order optimality: the largest cosine between the scores of the runs and
            a column of the Jacobian; 0 at an optimum, at most 1.
        condition: condition number of the Gauss-Newton matrix, scaled to unit diagonal, in the
            coordinates of the fit.
        condition_raw: the same in raw coordinates (logarithms of A, B, …).
        starts: number of starting points.
        second_method: whether BFGS, from one of up to three starts, reaches the same objective.
        unidentified: parameters that the data do not identify.
        at_bound: parameters whose best value lies at a bound of their range.
    """

    status: Status
    agreement: float
    gradient_norm: float
    condition: float
    condition_raw: float
    starts: int
    second_method: bool
    unidentified: tuple[str, ...]
    at_bound: tuple[str, ...]

    @property
    def converged(self) -> bool:
        """True when the optimum is confirmed, interior, and unique."""
        return self.status == Status.converged


def conditioning(jacobian: np.ndarray) -> tuple[float, np.ndarray]:
    """Condition number of the column-scaled JᵀJ, and the columns that take part in its null space.

    Args:
        jacobian: (rows, k) derivative of the residuals.

    Returns:
        The condition number (``inf`` for a column of zeros), and for every column its largest share
        in a direction without information (k,), between 0 and 1.
    """
    if not jacobian.shape[1]:
        return 1.0, np.zeros(0)
    if not np.isfinite(jacobian).all():
        return float("inf"), np.ones(jacobian.shape[1])
    jacobian = scaled_down(jacobian)
    norms = np.linalg.norm(jacobian, axis=0)
    # A column far below the largest is zero up to rounding, which scaling would only amplify.
    largest = norms.max()
    is_zero = norms <= _SILENT_COLUMN * largest if largest > 0 else np.ones(len(norms), bool)
    shares = is_zero.astype(float)
    if is_zero.all():
        return float("inf"), shares

    scaled = jacobian[:, ~is_zero] / norms[~is_zero]
    _, singular, directions = np.linalg.svd(scaled, full_matrices=False)
    ratio = (singular[0] / np.maximum(singular, 1e-150)) ** 2
    empty = directions[ratio > COLLINEAR]
    shares[~is_zero] = np.abs(empty).max(axis=0) if len(empty) else 0.0
    return (float("inf") if is_zero.any() else float(ratio[-1])), shares


def scaled_down(array: np.ndarray, axis: int | None = None) -> np.ndarray:
    """``array`` over the power of two at its largest element, or at that along an axis.

    The division is exact, and products of the elements cannot overflow.
    """
    largest = np.max(np.abs(array), axis=axis, initial=0.0)
    return np.ldexp(array, -np.frexp(largest)[1])


def gradient_cosine(jacobian: np.ndarray, score: np.ndarray) -> float:
    """First-order optimality: the largest cosine between the score and a column of the Jacobian.

    Args:
        jacobian: (rows, k) derivative of the residuals.
        score: (rows,) derivative of the objective by each residual.

    Returns:
        At most 1; infinite where a derivative is not finite.
    """
    if not (np.isfinite(jacobian).all() and np.isfinite(score).all()):
        return float("inf")
    jacobian, score = scaled_down(jacobian, axis=0), scaled_down(score)
    norms = np.linalg.norm(jacobian, axis=0) * np.linalg.norm(score)
    products = np.abs(jacobian.T @ score)
    cosines = np.where(norms > 0, products / np.where(norms > 0, norms, 1.0), 0.0)
    return float(np.max(cosines, initial=0.0))


def unidentified(names: Sequence[str], shares: np.ndarray) -> tuple[str, ...]:
    """The names (k,) with a large share (k,) in a direction without information."""
    return tuple(name for name, share in zip(names, shares, strict=True) if share > _MIN_SHARE)


def at_bound(record: Record, free: np.ndarray) -> tuple[str, ...]:
    """The parameters whose coordinate is a thousand times closer to a bound than any start."""
    names = []
    for p, z in zip(record.parameters, free, strict=False):
        support, start = p.role.support, p.role.start
        assert start is not None
        value = float(support.to_natural(z))
        for bound, nearest_start in ((support.lower, start[0]), (support.upper, start[1])):
            limit = _BOUND_DISTANCE * abs(nearest_start - bound)
            if np.isfinite(bound) and abs(value - bound) < limit:
                names.append(p.name)
                break
    return tuple(names)


def design_faults(inputs: Mapping[str, np.ndarray]) -> list[str]:
    """Causes of a collinear design that can be read from the inputs, one clause each."""
    levels = {name: np.unique(column) for name, column in inputs.items()}
    constant = [
        f"{name} is {values[0]:g} in all runs"
        for name, values in levels.items()
        if len(values) == 1
    ]
    two_valued = [
        f"{name} takes two values only" for name, values in levels.items() if len(values) == 2
    ]

    proportional = []
    for (one, x), (other, y) in itertools.combinations(inputs.items(), 2):
        if len(levels[one]) <= 2 or not ((x > 0).all() and (y > 0).all()):
            continue
        log_ratio = np.log(y) - np.log(x)
        if np.ptp(log_ratio) < _SAME_RATIO:
            ratio = np.exp(log_ratio.mean())
            proportional.append(f"{other}/{one} is about {ratio:.3g} in all runs")
    return constant + two_valued + proportional


def failure_reason(certificate: Certificate, record: Record) -> str:
    """Why a fit did not converge."""
    starts, agreement = certificate.starts, certificate.agreement
    if agreement == 0:
        return f"from none of {starts} starts does {record.name} give every run a finite number"

    at_optimum = certificate.gradient_norm < GRADIENT
    if at_optimum and starts == 1:
        return "one start cannot be confirmed by another; give two or more"
    if at_optimum and agreement >= AGREEING_STARTS:
        return "it ran out of steps, or a second method (BFGS) finds a lower objective"
    return f"{agreement:.0%} of {starts} starts agree, gradient {certificate.gradient_norm:.1e}"


def notes(
    certificate: Certificate, record: Record, inputs: Mapping[str, np.ndarray]
) -> tuple[Note, ...]:
    """Notes on what the certificate does not confirm.

    Args:
        certificate: of the fit.
        record: of the law.
        inputs: those of the runs, name → (rows,).
    """
    notes = []
    if certificate.status == Status.not_converged:
        reason = failure_reason(certificate, record)
        message = f"the fit of {record.name} did not converge: {reason}"
        notes.append(Note("not-converged", "error", message, {"agreement": certificate.agreement}))
    if certificate.agreement == 0:
        return tuple(notes)

    if certificate.unidentified:
        notes.append(_collinear_note(certificate, inputs))
    if certificate.at_bound:
        notes.append(_bound_note(certificate.at_bound))
    if certificate.status != Status.not_converged and not certificate.second_method:
        message = "a second method (BFGS) stopped short of this optimum"
        notes.append(Note("second-method", "info", message, {}))
    return tuple(notes)


def _collinear_note(certificate: Certificate, inputs: Mapping[str, np.ndarray]) -> Note:
    names = ", ".join(certificate.unidentified)
    faults = design_faults(inputs)
    causes = f" ({', '.join(faults)})" if faults else ""
    message = (
        f"these runs cannot separate {names}: their values and errors mean little on their own"
        f"{causes}"
    )
    return Note("collinear-design", "warning", message, {"condition": certificate.condition})


def _bound_note(parameters: tuple[str, ...]) -> Note:
    names = ", ".join(parameters)
    if len(parameters) > 1:
        bounds, consequence = "bounds of their ranges", "their standard errors are not valid"
    else:
        bounds, consequence = "a bound of its range", "its standard error is not valid"
    message = f"the best fit puts {names} at {bounds}: {consequence}"
    return Note("at-bound", "warning", message, {"parameters": parameters})
