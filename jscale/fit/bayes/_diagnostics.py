"""Summary and mixing diagnostics of posterior draws."""

import math
from collections.abc import Mapping

import numpy as np

from jscale._core.notes import Note
from jscale._core.status import Status

RHAT_WARNING, RHAT_ERROR = 1.01, 1.05
ESS_WARNING, ESS_ERROR = 400.0, 100.0
"""Vehtari et al. 2021: R-hat up to 1.01 and a bulk effective sample size of 400 for quantiles that
can be quoted. Beyond the second limits the chains do not sample one distribution."""
DIVERGENT_ERROR = 0.05
"""Share of transitions that diverged."""


def summarise(draws: Mapping[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """Summary of each array of draws (chains, draws).

    Returns:
        Name → mean, sd, q05, q50, q95, ess_bulk, rhat.
    """
    from jscale.fit.bayes import _arviz

    # Equal draws have no R-hat, and the variance of very large ones overflows.
    with np.errstate(all="ignore"):
        mixing = _arviz.diagnostics(draws)
        return {name: {**_location(values), **mixing[name]} for name, values in draws.items()}


def _location(values: np.ndarray) -> dict[str, float]:
    q05, q50, q95 = np.quantile(values, (0.05, 0.5, 0.95)).tolist()
    return {
        "mean": float(values.mean()),
        "sd": float(values.std(ddof=1)),
        "q05": q05,
        "q50": q50,
        "q95": q95,
    }


def diagnose(
    summary: Mapping[str, Mapping[str, float]], diverging: np.ndarray
) -> tuple[Status, tuple[Note, ...]]:
    """Whether the chains have mixed, and a note for each diagnostic beyond its limit.

    Args:
        summary: of :func:`summarise`.
        diverging: (chains, draws) whether a transition diverged.
    """
    notes: list[Note] = []
    # Draws that are all equal have neither: NaN is the worst of all.
    highest = max(summary, key=lambda name: _or(summary[name]["rhat"], math.inf))
    lowest = min(summary, key=lambda name: _or(summary[name]["ess_bulk"], -math.inf))
    rhat, ess = summary[highest]["rhat"], summary[lowest]["ess_bulk"]
    share = float(diverging.mean())

    if not rhat <= RHAT_WARNING:
        severity = "warning" if rhat <= RHAT_ERROR else "error"
        message = f"the chains disagree about {highest} (R-hat {rhat:.3f}): sample longer"
        notes.append(Note("high-rhat", severity, message, {"rhat": rhat}))
    if not ess >= ESS_WARNING:
        severity = "warning" if ess >= ESS_ERROR else "error"
        message = f"only {ess:.0f} effective draws of {lowest}: its quantiles are rough"
        notes.append(Note("low-ess", severity, message, {"ess_bulk": ess}))
    if share > 0:
        severity = "warning" if share <= DIVERGENT_ERROR else "error"
        counts = f"{int(diverging.sum())} of {diverging.size}"
        message = (
            f"{counts} transitions diverged: the chains may miss narrow regions of the posterior"
        )
        notes.append(Note("divergences", severity, message, {"share": share}))

    mixed = rhat <= RHAT_ERROR and ess >= ESS_ERROR and share <= DIVERGENT_ERROR
    return Status.converged if mixed else Status.not_converged, tuple(notes)


def _or(value: float, otherwise: float) -> float:
    return otherwise if math.isnan(value) else value
