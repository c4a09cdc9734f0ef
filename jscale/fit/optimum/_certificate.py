"""Whether a fit may be believed: did it converge, do others find the same, can the runs tell the
parameters apart?
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from jscale._core.notes import Note
from jscale._core.status import Status
from jscale.laws import Record

GRADIENT = 1e-5
"""Largest gradient (see :func:`gradient_cosine`) at which a fit counts as converged; converged fits show 1e-7
and less."""
AGREEING_STARTS = 0.1
"""Smallest share of agreeing starts: below it the best one found may be luck."""
CHALLENGE = 1e-3
"""The second method agrees when it comes within this share of the objective: its line search ends
earlier on kinks."""
COLLINEAR = 1e5
"""Condition number of the scaled Gauss-Newton matrix above which the design counts as collinear.
Measured for Chinchilla's law: 1.1e3 on the published runs, 2e3 to 5e3 on three token-to-parameter
ratios, 7e5 and more on one."""
_EDGE = 1e-3
"""Distance from an edge, as a share of that of the nearest start, at which a parameter counts as
lying on it."""
_NAMED = 0.1
_SAME_RATIO = 0.05
"""Spread of log(D/N) over the runs below which they count as one ratio."""


@dataclass(frozen=True)
class Certificate:
    """What a fit's result rests on.

    Attributes:
        status: how the fit ended.
        agreement: share of starting points that reach the same objective.
        gradient_norm: largest cosine between the runs' pulls and the direction of a coordinate: 0
            at an optimum, at most 1.
        condition: condition number of the Gauss-Newton matrix, scaled to unit diagonal, in the
            coordinates of the fit.
        condition_raw: the same in raw coordinates (logarithms of A, B, …).
        starts: number of starting points.
        second_method: whether optax's L-BFGS, from a start of its own, reaches the same objective.
        unidentified: parameters that the runs cannot separate.
        at_bound: parameters whose best value lies at the edge of what they may be.
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
        """True when the optimum is certain, interior, and unique."""
        return self.status == Status.converged


def conditioning(jacobian: np.ndarray) -> tuple[float, np.ndarray]:
    """Condition number of the column-scaled JᵀJ, and for every column its largest share in a
    direction
    without data.

    Args:
        jacobian: (rows, k) derivative of the residuals.

    Returns:
        The condition number (``inf`` for a column of zeros) and shares (k,) between 0 and 1.
    """
    norms = np.linalg.norm(jacobian, axis=0)
    if not norms.size:
        return 1.0, norms
    if not np.isfinite(norms).all():
        return float("inf"), np.ones(len(norms))
    # A column far below the largest says nothing at all; scaling it up would only blow up rounding.
    silent = norms <= 1e-9 * norms.max() if norms.max() > 0 else np.ones(len(norms), bool)
    scaled = jacobian[:, ~silent] / norms[~silent]
    _, singular, directions = (
        np.linalg.svd(scaled, full_matrices=False) if scaled.size else (None, np.ones(1), None)
    )
    ratio = (singular[0] / np.maximum(singular, 1e-150)) ** 2
    share = silent.astype(float)
    if directions is not None:
        empty = directions[ratio > COLLINEAR]
        share[~silent] = np.abs(empty).max(axis=0) if len(empty) else 0.0
    return (float("inf") if silent.any() else float(ratio[-1])), share


def gradient_cosine(jacobian: np.ndarray, slopes: np.ndarray) -> float:
    """How far the pulls of the runs are from balance: the largest cosine between them and a column
    of
        the Jacobian.

    Args:
        jacobian: (rows, k) derivative of the residuals.
        slopes: (rows,) derivative of each run's contribution by its residual.
    """
    norms = np.linalg.norm(jacobian, axis=0) * np.linalg.norm(slopes)
    pulls = np.abs(jacobian.T @ slopes)
    return float(
        np.max(np.where(norms > 0, pulls / np.where(norms > 0, norms, 1.0), 0.0), initial=0.0)
    )


def unidentified(names: Sequence[str], shares: np.ndarray) -> tuple[str, ...]:
    """The names (k,) with a noticeable share (k,) in a direction without data."""
    return tuple(n for n, s in zip(names, shares, strict=True) if s > _NAMED)


def at_bound(record: Record, free: np.ndarray) -> tuple[str, ...]:
    """The parameters whose coordinate ended a thousand times closer to an edge than any start was."""
    found = []
    for p, z in zip(record.parameters, free, strict=False):
        support, start = p.role.support, p.role.start
        assert start is not None
        value = float(support.to_natural(z))
        edges = ((support.lower, start[0]), (support.upper, start[1]))
        if any(
            abs(value - edge) < _EDGE * abs(nearest - edge)
            for edge, nearest in edges
            if np.isfinite(edge)
        ):
            found.append(p.name)
    return tuple(found)


def _poor(inputs: Mapping[str, np.ndarray]) -> str:
    """What is poor about a design, in brackets; nothing where it is not plain to see."""
    levels = {name: np.unique(column) for name, column in inputs.items()}
    found = [
        f"{name} is {values[0]:g} in all runs"
        for name, values in levels.items()
        if len(values) == 1
    ]
    found += [
        f"{name} takes two values only" for name, values in levels.items() if len(values) == 2
    ]
    for (one, x), (other, y) in itertools.combinations(inputs.items(), 2):
        if len(levels[one]) > 2 and (x > 0).all() and (y > 0).all():
            ratio = np.log(y) - np.log(x)
            if np.ptp(ratio) < _SAME_RATIO:
                found.append(f"{other}/{one} is about {np.exp(ratio.mean()):.3g} in all runs")
    return f" ({', '.join(found)})" if found else ""


def _why(certificate: Certificate, record: Record) -> str:
    """Why there is no optimum to speak of."""
    if certificate.agreement == 0:
        return f"from none of {certificate.starts} starts does {record.name} give every run a finite number"
    settled = certificate.gradient_norm < GRADIENT
    if settled and certificate.starts == 1:
        return "one start has no other to agree with; give two or more"
    if settled and certificate.agreement >= AGREEING_STARTS:
        return "it ran out of steps, or a second method (L-BFGS) finds a lower objective"
    return f"{certificate.agreement:.0%} of {certificate.starts} starts agree, gradient {certificate.gradient_norm:.1e}"


def notes(
    certificate: Certificate, record: Record, inputs: Mapping[str, np.ndarray]
) -> tuple[Note, ...]:
    """The certificate's doubts in sentences; ``inputs`` are those of the runs, name → (rows,)."""
    found = []
    if certificate.status == Status.not_converged:
        message = f"the fit of {record.name} did not converge: {_why(certificate, record)}"
        found.append(Note("not-converged", "error", message, {"agreement": certificate.agreement}))
    if certificate.agreement == 0:
        return tuple(found)
    if certificate.unidentified:
        names = ", ".join(certificate.unidentified)
        message = f"these runs cannot separate {names}: their values and errors mean little on their own{_poor(inputs)}"
        found.append(
            Note("collinear-design", "warning", message, {"condition": certificate.condition})
        )
    if certificate.at_bound:
        names = ", ".join(certificate.at_bound)
        several = len(certificate.at_bound) > 1
        what = (
            "their ranges: their standard errors do"
            if several
            else "its range: its standard error does"
        )
        message = f"the best fit drives {names} to the edge of {what} not hold"
        found.append(Note("at-bound", "warning", message, {"parameters": certificate.at_bound}))
    if certificate.status != Status.not_converged and not certificate.second_method:
        found.append(
            Note(
                "second-method",
                "info",
                "a second method (L-BFGS) stopped short of this optimum",
                {},
            )
        )
    return tuple(found)
