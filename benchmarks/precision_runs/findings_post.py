"""Results on quantisation after training: degradation, unified law, best bits, critical tokens."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from benchmarks.precision_runs.findings_training import Jobs, Points, pairs, shares
from benchmarks.precision_runs.forms import degradation_by_levels, hardened_weights
from benchmarks.precision_runs.rows import (
    FULL,
    PARTS,
    Errors,
    Rows,
    bits,
    clustered,
    degradation,
    r2,
    together,
)
from jscale import laws, plan
from jscale.fit import Point
from jscale.runs import Runs

PAPER_DEGRADATION, PAPER_UNIFIED = 0.97, 0.90
QUANTILES = (0.05, 0.5, 0.95)
_DRAWS, _SEED = 1000, 0
_RANGE = (0.5, 16.0)
"""Range of bits in which an optimum counts."""


def measurable(post: Runs) -> np.ndarray:
    """Rows whose P_post raises the loss of most full-precision models by two standard errors."""
    full = (bits(post) == FULL).all(axis=1) & (post["method"] == "rtn")
    clear = [
        P
        for P in np.unique(post["P_post"])
        for selected in [full & (post["P_post"] == P)]
        if selected.any() and np.median(post["delta"][selected] / post["delta_se"][selected]) > 2
    ]
    return np.isin(post["P_post"], clear)


def _full(rows: Rows, method: str) -> np.ndarray:
    return (
        (bits(rows.post) == FULL).all(axis=1)
        & (rows.post["method"] == method)
        & measurable(rows.post)
    )


def jobs(rows: Rows) -> Jobs:
    """The fits that the sections of this module need."""
    post, law = rows.post, laws.ptq_degradation
    rounded = degradation(post, _full(rows, "rtn"))
    every = together(rows.trained, post)
    return {
        "rtn": (law, [rounded]),
        "rtn, ratio": (laws.tie(law, gamma_N="gamma_D"), [rounded]),
        "rtn, levels": (degradation_by_levels, [rounded]),
        "rtn, 3 bits and more": (law, [rounded.where(rounded["P_post"] > 2)]),
        "gptq": (law, [degradation(post, _full(rows, "gptq"))]),
        "unified": (laws.precision, [every]),
        "hardened": (hardened_weights, [every]),
        "robust": (laws.precision_robust, [every]),
    }


def after_training(rows: Rows, points: Points) -> dict[str, Any]:
    """Degradation against data and bits compared with the law, and the two methods compared."""
    post = rows.post
    rounded = degradation(post, _full(rows, "rtn"))
    fits: dict[str, Any] = {}
    for name in ("rtn", "rtn, ratio", "rtn, levels", "rtn, 3 bits and more", "gptq"):
        (point,) = points[name]
        table = (
            degradation(post, _full(rows, "gptq"))
            if name == "gptq"
            else rounded.where(rounded["P_post"] > 2)
            if name == "rtn, 3 bits and more"
            else rounded
        )
        logs = np.log(table["loss"])
        fits[name] = {
            "rows": point.n_runs,
            "r2": r2(table["loss"], point.predicted),
            "r2_log": r2(logs, np.log(point.predicted)),
            "params": dict(point.params),
            "stderr": clustered(point, table).stderr,
            "status": str(point.certificate.status),
        }
    point, two = points["rtn"][0], rounded["P_post"] == 2
    raw, log = (rounded["loss"] - point.predicted) ** 2, point.residuals**2
    by_bits = [
        {
            "P_post": float(P),
            "rows": int(selected.sum()),
            "median": float(np.median(rounded["loss"][selected])),
            "residual_log": float(point.residuals[selected].mean()),
            "levels_log": float(points["rtn, levels"][0].residuals[selected].mean()),
        }
        for P in np.unique(rounded["P_post"])
        for selected in [rounded["P_post"] == P]
    ]
    return {
        "fits": fits,
        "paper": PAPER_DEGRADATION,
        "by_bits": by_bits,
        "methods": _methods(post),
        "two_rows": float(two.mean()),
        "two_raw": float(raw[two].sum() / raw.sum()),
        "two_log": float(log[two].sum() / log.sum()),
        "unmeasurable": sorted({float(P) for P in post["P_post"][~measurable(post)]}),
        "not_positive": int((_full(rows, "rtn") & (post["delta"] <= 0)).sum()),
    }


def _methods(post: Runs) -> list[dict[str, float]]:
    """Degradation by GPTQ relative to rounding, for models that have both."""
    keys = list(zip(post["run_id"], post["P_post"], strict=True))
    by = {
        m: {k: d for k, d, q in zip(keys, post["delta"], post["method"], strict=True) if q == m}
        for m in ("rtn", "gptq")
    }
    results = []
    for P in np.unique(post["P_post"][measurable(post)]):
        both = [
            (by["gptq"][k], by["rtn"][k])
            for k in by["gptq"]
            if k[1] == P and by["rtn"].get(k, 0) > 0
        ]
        if both:
            ratio = np.array([g / r for g, r in both])
            results.append(
                {
                    "P_post": float(P),
                    "pairs": len(both),
                    "median": float(np.median(ratio)),
                    "smaller": float((ratio < 1).mean()),
                }
            )
    return results


def unified(rows: Rows, points: Points) -> dict[str, Any]:
    """One law for all losses, with and without hardening by training at low precision."""
    table = together(rows.trained, rows.post)
    after = table["P_post"] < FULL
    # Eq. 9 predicts no degradation if any part was trained in P_post bits or fewer.
    inside = (bits(table) > table["P_post"][:, None]).all(axis=1) | ~after
    results: dict[str, Any] = {
        "rows": len(table),
        "after": int(after.sum()),
        "inside": int(inside.sum()),
        "paper": PAPER_UNIFIED,
        "fits": {},
    }
    for name in ("unified", "hardened", "robust"):
        (point,) = points[name]
        by_bits = {
            f"{P:g}": r2(table["loss"][selected], point.predicted[selected])
            for P in np.unique(table["P_post"])
            for selected in [table["P_post"] == P]
        }
        results["fits"][name] = {
            "r2": r2(table["loss"], point.predicted),
            "r2_three": r2(*_masked(table, point, table["P_post"] > 2)),
            "r2_inside": r2(*_masked(table, point, inside)),
            "r2_by_bits": by_bits,
            "params": dict(point.params),
            "stderr": clustered(point, table).stderr,
            "status": str(point.certificate.status),
        }
    return results


def _masked(table: Runs, point: Point, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return table["loss"][mask], point.predicted[mask]


def decisions(rows: Rows, points: Points) -> dict[str, Any]:
    """Best training precision and critical tokens, with bands from the clustered covariance."""
    trained, every = rows.trained, together(rows.trained, rows.post)
    low, post = clustered(points["all"][0], trained), clustered(points["unified"][0], every)
    sizes, choices = np.unique(trained["N"]), np.unique(every["P_post"][every["P_post"] < FULL])[:4]
    # The law of training runs and the law of degradation, each fitted to its own rows.
    separate = {**points["all"][0].params, **points["rtn"][0].params}
    with jax.enable_x64(True):
        best = _best_bits(laws.low_precision, points["all"][0].params, low)
        best_all = _best_bits(laws.precision, points["unified"][0].params, post)
        critical = [
            {"N": float(N), "P_post": float(P), "apart": _tokens(separate, N, P)}
            | _critical(points["unified"][0].params, post, N, P)
            for N in sizes
            for P in choices
        ]
    return {
        "P": best,
        "P_unified": best_all,
        "critical": critical,
        "draws": _DRAWS,
        "longest": {f"{N:g}": float(trained["D"][trained["N"] == N].max()) for N in sizes},
        "observed": _observed(rows, points["all"][0]),
        "seen": _run_minima(every),
    }


def _quantiles(values: np.ndarray) -> list[float] | None:
    known = values[~np.isnan(values)]
    return np.quantile(known, QUANTILES, method="lower").tolist() if known.size else None


def _best_bits(law: Any, params: Mapping[str, float], errors: Errors) -> dict[str, Any]:
    values = np.asarray(plan.optimal_precision(law, errors.draws(_DRAWS, _SEED)).P_opt)
    inside = (values > _RANGE[0]) & (values < _RANGE[1])
    point = float(plan.optimal_precision(law, params).P_opt)
    return {"point": point, "band": _quantiles(values[inside]), "found": float(inside.mean())}


def _critical(
    params: Mapping[str, float], errors: Errors, N: float, P_post: float
) -> dict[str, Any]:
    draws = plan.critical_tokens(
        laws.precision, errors.draws(_DRAWS, _SEED), N=N, P_post=P_post
    ).D_crit
    return {"point": _tokens(params, N, P_post), "band": _quantiles(np.asarray(draws))}


def _tokens(params: Mapping[str, float], N: float, P_post: float) -> float:
    return float(plan.critical_tokens(laws.precision, params, N=N, P_post=P_post).D_crit)


def _observed(rows: Rows, point: Point) -> list[dict[str, float]]:
    """Effective fraction per bit for equal bits in every part; P* is its maximum."""
    table, paired = rows.trained, pairs(rows.trained)
    settings = bits(table)[paired["row"]]
    theta = {name: point.params[name] for name in ("A", "alpha")}
    share = np.asarray(laws.effective_fraction(table["N"][paired["row"]], paired["gap"], **theta))
    out = []
    for P in np.unique(settings):
        selected = (settings == P).all(axis=1)
        if selected.any():
            fitted = float(shares(point.params, np.full((1, len(PARTS)), P))[0])
            out.append(
                {
                    "P": float(P),
                    "pairs": int(selected.sum()),
                    "observed": float(np.median(share[selected]) / P),
                    "fitted": fitted / float(P),
                }
            )
    return out


def _run_minima(every: Runs) -> list[dict[str, float]]:
    """Minima in D of the runs themselves: mean loss of full-precision models by N, P_post and D."""
    full = (bits(every) == FULL).all(axis=1)
    out = []
    for N, P in sorted(
        {
            (n, p)
            for n, p, f in zip(every["N"], every["P_post"], full, strict=True)
            if f and p < FULL
        }
    ):
        selected = full & (every["N"] == N) & (every["P_post"] == P)
        D = np.unique(every["D"][selected])
        mean = np.array([every["loss"][selected & (every["D"] == d)].mean() for d in D])
        best = int(mean.argmin())
        if len(D) > 1:
            out.append(
                {
                    "N": float(N),
                    "P_post": float(P),
                    "D_least": float(D[best]),
                    "longest": float(D[-1]),
                    "inside": float(0 < best < len(D) - 1),
                    "first": float(best == 0),
                }
            )
    return out
