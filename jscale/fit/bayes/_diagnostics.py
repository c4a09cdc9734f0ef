"""Numbers about posterior draws: quantiles, mixing, and the doubts that follow from them."""

from collections.abc import Mapping

import numpy as np

from jscale._core.notes import Note
from jscale._core.status import Status

RHAT_DOUBT, RHAT_FAIL = 1.01, 1.05
ESS_DOUBT, ESS_FAIL = 400.0, 100.0
"""Vehtari et al. 2021: R-hat up to 1.01 and a bulk sample size of 400 for quotable quantiles.
Beyond
the second figures the chains are not draws from one distribution."""
DIVERGENT_FAIL = 0.05


def summarise(draws: Mapping[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """Mean, sd, 5, 50 and 95% quantiles, bulk effective sample size and R-hat of arrays (chains,
    draws).
    """
    from jscale.fit.bayes import _arviz

    mixing = _arviz.diagnostics(draws)
    summary = {}
    for name, values in draws.items():
        q05, q50, q95 = np.quantile(values, (0.05, 0.5, 0.95)).tolist()
        location = {
            "mean": float(values.mean()),
            "sd": float(values.std(ddof=1)),
            "q05": q05,
            "q50": q50,
            "q95": q95,
        }
        summary[name] = {**location, **mixing[name]}
    return summary


def diagnose(
    summary: Mapping[str, Mapping[str, float]], diverging: np.ndarray
) -> tuple[Status, tuple[Note, ...]]:
    """Whether the chains have mixed, and the doubts in sentences."""
    notes: list[Note] = []
    worst = max(summary, key=lambda name: summary[name]["rhat"])
    least = min(summary, key=lambda name: summary[name]["ess_bulk"])
    rhat, ess = summary[worst]["rhat"], summary[least]["ess_bulk"]
    share = float(diverging.mean())
    if not rhat <= RHAT_DOUBT:
        message = f"the chains disagree about {worst} (R-hat {rhat:.3f}): sample longer"
        notes.append(
            Note("high-rhat", "warning" if rhat <= RHAT_FAIL else "error", message, {"rhat": rhat})
        )
    if not ess >= ESS_DOUBT:
        message = f"only {ess:.0f} effective draws of {least}: its quantiles are rough"
        notes.append(
            Note("low-ess", "warning" if ess >= ESS_FAIL else "error", message, {"ess_bulk": ess})
        )
    if share > 0:
        counts = f"{int(diverging.sum())} of {diverging.size}"
        message = (
            f"{counts} transitions diverged: the posterior has corners that the chains may miss"
        )
        notes.append(
            Note(
                "divergences",
                "warning" if share <= DIVERGENT_FAIL else "error",
                message,
                {"share": share},
            )
        )
    sound = rhat <= RHAT_FAIL and ess >= ESS_FAIL and share <= DIVERGENT_FAIL
    return Status.converged if sound else Status.not_converged, tuple(notes)
