"""Summary and mixing diagnostics of posterior draws."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from jscale._core.notes import Note
from jscale._core.status import Status

RHAT_WARNING, RHAT_ERROR = 1.01, 1.05
ESS_WARNING, ESS_ERROR = 400.0, 100.0
"""Vehtari et al. 2021: R-hat below 1.01 and bulk and tail effective sample sizes of 400, for
quantiles that can be quoted. Beyond the second limits the chains do not sample one distribution."""
DIVERGENT_WARNING, DIVERGENT_ERROR = 0.001, 0.05
"""Share of transitions that diverged."""
MAX_PARETO_K = 0.7
"""Shape of the tail of importance weights beyond which they have no useful mean (Vehtari et al.
2024)."""
ROUGH_SAMPLING = "rough-importance-sampling"
"""Code of the note that the weights of importance sampling have no useful mean."""
DRAWS_CODES = frozenset({"high-rhat", "low-ess", "divergences"})
"""Codes of notes that follow from the draws: they are made again, not read or handed on."""
PRIOR_DOMINATED = 0.5
"""Overlap of prior and posterior from which the prior decides: the posterior is then at least a
third as wide as the prior."""
EXCLUDED = 2.0
"""Root mean square of runs about the law over their own standard deviation, from which the prior
excludes them: a constant would have 1."""
OVERLAP_BINS = 20
"""Bins of equal prior probability: a posterior of 400 draws that is the prior has an overlap of
0.91, and the least overlap is 0.05."""


def summarise(draws: Mapping[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """Summary of each array of draws (chains, draws).

    Returns:
        Name → mean, sd, q05, q50, q95, ess_bulk, ess_tail, rhat.
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
    summary: Mapping[str, Mapping[str, float]],
    diverging: np.ndarray,
    notes: Sequence[Note] = (),
) -> tuple[Status, tuple[Note, ...]]:
    """Whether the chains have mixed, and a note for each diagnostic beyond its limit.

    Converged is R-hat below 1.01 and 400 effective draws in bulk and tails for every parameter,
    and at most 0.1% divergent transitions.

    Args:
        summary: of :func:`summarise`.
        diverging: (chains, draws) whether a transition diverged.
        notes: of the sampler: one on rough importance sampling rules out convergence.
    """
    remarks: list[Note] = []
    rhat = _worst(summary, "rhat", sign=1.0)
    if not rhat[1] < RHAT_WARNING:
        severity = "warning" if rhat[1] <= RHAT_ERROR else "error"
        message = (
            f"the chains disagree about {rhat[0]} (R-hat {_beyond(rhat[1], RHAT_WARNING)}, "
            f"expected below {RHAT_WARNING:g}): sample longer, or fix or tie what the runs do not "
            "identify"
        )
        remarks.append(Note("high-rhat", severity, message, {"rhat": rhat[1]}))

    by_part = {column: _worst(summary, column, sign=-1.0) for column in ("ess_bulk", "ess_tail")}
    column, (name, ess) = min(by_part.items(), key=lambda item: _or(item[1][1], -math.inf))
    if not ess >= ESS_WARNING:
        severity = "warning" if ess >= ESS_ERROR else "error"
        part = "" if column == "ess_bulk" else " in the tails"
        message = (
            f"only {ess:.0f} effective draws of {name}{part}, expected {ESS_WARNING:.0f}: its "
            "quantiles are rough; take more draws"
        )
        remarks.append(Note("low-ess", severity, message, {column: ess}))

    share = float(diverging.mean())
    counts = f"{int(diverging.sum())} of {diverging.size} transitions diverged"
    if share > DIVERGENT_WARNING:
        severity = "warning" if share <= DIVERGENT_ERROR else "error"
        message = (
            f"{counts}, expected at most {DIVERGENT_WARNING:.1%}: the chains may miss narrow "
            "regions of the posterior; take a longer warm-up, or fix or tie parameters"
        )
        remarks.append(Note("divergences", severity, message, {"share": share}))

    has_mixed = not remarks and not any(note.code == ROUGH_SAMPLING for note in notes)
    if 0 < share <= DIVERGENT_WARNING:
        remarks.append(Note("divergences", "info", counts, {"share": share}))
    return Status.converged if has_mixed else Status.not_converged, tuple(remarks)


def _beyond(value: float, limit: float) -> str:
    """A value with three decimals, or as many as it takes to differ from its limit."""
    decimals = next((n for n in range(3, 8) if float(f"{value:.{n}f}") != limit), 8)
    return f"{value:.{decimals}f}"


def _worst(
    summary: Mapping[str, Mapping[str, float]], column: str, *, sign: float
) -> tuple[str, float]:
    """The parameter with the worst value of a diagnostic, and the value.

    Draws that are all equal have none: NaN is the worst of all.

    Args:
        summary: of :func:`summarise`.
        column: of the diagnostic.
        sign: 1 where high values are bad, -1 where low ones are.
    """
    name = max(summary, key=lambda name: _or(sign * summary[name][column], math.inf))
    return name, summary[name][column]


def _or(value: float, otherwise: float) -> float:
    return otherwise if math.isnan(value) else value


def overlap(prior: np.ndarray, posterior: np.ndarray) -> float:
    """Overlap of two samples of one parameter: 1 where they are one distribution.

    It is the sum over bins of equal prior probability of the smaller of the two shares, the same
    in any monotone coordinate.

    Args:
        prior: (draws,) draws from the prior.
        posterior: draws from the posterior, any shape.

    Returns:
        A number between 1 / bins and 1; NaN where the prior has no finite draws.
    """
    prior = prior[np.isfinite(prior)]
    if len(prior) < OVERLAP_BINS:
        return math.nan
    inner = np.quantile(prior, np.linspace(0, 1, OVERLAP_BINS + 1)[1:-1])
    shares = np.bincount(np.searchsorted(inner, posterior.ravel()), minlength=OVERLAP_BINS) / max(
        posterior.size, 1
    )
    return float(np.minimum(shares, 1 / OVERLAP_BINS).sum())


def prior_notes(overlaps: Mapping[str, float]) -> tuple[Note, ...]:
    """A note that names the parameters that the prior determines.

    Args:
        overlaps: parameter of the law → overlap of prior and posterior.
    """
    dominated = {name: value for name, value in overlaps.items() if value >= PRIOR_DOMINATED}
    if not dominated:
        return ()
    listed = ", ".join(f"{name} ({value:.0%})" for name, value in dominated.items())
    message = (
        f"the prior rather than the runs determines {listed}: overlap of prior and posterior; "
        "give a prior that you can defend, fix the parameter, or add runs that identify it"
    )
    return (Note("prior_dominated", "warning", message, {"prior_overlap": dominated}),)


def excluded_notes(misfit: float, priors: Mapping[str, str]) -> tuple[Note, ...]:
    """A note where priors keep the law away from the runs.

    The scale of the errors then takes up the difference, and chains mix all the same.

    Args:
        misfit: root mean square of the runs about the law over their own standard deviation.
        priors: parameter → prior of the caller, as text.
    """
    if misfit < EXCLUDED:
        return ()
    listed = ", ".join(f"{name} ({text})" for name, text in priors.items())
    message = (
        f"under the priors of {listed} the law misses the runs by {misfit:.2g} times their own "
        "standard deviation: they exclude what the runs show; check the priors and their units"
    )
    return (Note("prior-excludes-runs", "error", message, {"misfit": misfit}),)


def point_notes(
    summary: Mapping[str, Mapping[str, float]],
    draws: Mapping[str, np.ndarray],
    params: Mapping[str, float],
) -> tuple[Note, ...]:
    """A note where a point fit lies outside 90% intervals of the posterior, with the reason.

    The reason is a ridge where the point lies within the joint 90% region all the same, the prior
    where it overlaps the posterior by a third, and else the error model, which weighs the runs
    otherwise than the objective of the point.

    Args:
        summary: of the posterior.
        draws: parameter → (draws,).
        params: optimum of the point.
    """
    outside = [
        name
        for name, row in summary.items()
        if name in params and not row["q05"] <= params[name] <= row["q95"]
    ]
    if not outside:
        return ()
    names = list(draws)
    overlaps = {name: summary[name].get("prior_overlap", math.nan) for name in outside}
    if _is_inside(np.stack([draws[name] for name in names]), [params[name] for name in names]):
        reason = "a ridge: all parameters together, it lies within the posterior's 90% region"
        cause = "ridge"
    elif any(value >= _PRIOR_PULLS for value in overlaps.values()):
        pulled = [name for name, value in overlaps.items() if value >= _PRIOR_PULLS]
        reason, cause = f"the prior of {', '.join(pulled)}", "prior"
    else:
        reason = "the error model, which weighs the runs otherwise than the point's objective"
        cause = "error model"
    values = ", ".join(
        f"{n} = {params[n]:.4g} ({summary[n]['q05']:.4g} to {summary[n]['q95']:.4g})"
        for n in outside
    )
    message = f"the point fit lies outside the posterior's 90% interval: {values}; reason: {reason}"
    evidence = {"parameters": outside, "reason": cause}
    return (Note("point-outside-posterior", "warning", message, evidence),)


_PRIOR_PULLS = 0.35
"""Overlap from which a parameter is weakly identified (Garrett and Zeger 2000)."""


def _is_inside(draws: np.ndarray, point: Sequence[float]) -> bool:
    """Whether a point (k,) lies within the 90% of draws (k, draws) nearest to their mean."""
    values = np.array(point)
    if (draws > 0).all() and (values > 0).all():
        draws, values = np.log(draws), np.log(values)
    centre = draws.mean(axis=1)
    inverse = np.linalg.pinv(np.atleast_2d(np.cov(draws)))
    deviations = draws - centre[:, None]
    distances = np.einsum("id,ij,jd->d", deviations, inverse, deviations)
    own = (values - centre) @ inverse @ (values - centre)
    return bool(own <= np.quantile(distances, 0.9))
