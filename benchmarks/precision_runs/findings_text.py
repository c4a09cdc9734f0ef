"""The findings as a Markdown document: an answer for each question, and the table that it rests on."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.precision_runs.findings_training import FOLDS, PAPER
from jscale import laws

_KUMAR = laws.params(laws.precision)
_AGREES = 0.05
"""An R² within this of the paper's, or above it, agrees with it."""


def document(found: dict[str, Any]) -> str:
    """The whole document."""
    parts = [
        _head(found),
        _effective(found["effective"]),
        _independence(found["independence"]),
        _after(found["after_training"]),
        _unified(found["unified"]),
        _decisions(found["decisions"]),
        _forms(found["forms"]),
        _foot(found),
    ]
    return "\n\n".join(parts) + "\n"


def table(headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table."""
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def number(value: float | None, digits: int = 3) -> str:
    """Significant digits, a dash where there is no number."""
    if value is None or math.isnan(value):
        return "—"
    return "∞" if math.isinf(value) else f"{value:.{digits}g}"


def signed(value: float | None, places: int = 3) -> str:
    """With a sign and a given number of decimals."""
    return "—" if value is None else f"{value:+.{places}f}"


def count(value: float | None) -> str:
    """Tokens such as 1.2M."""
    if value is None or not math.isfinite(value):
        return number(value)
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}" if value < 1e15 else f"{value:.1e}"
    return f"{value:.3g}"


def verdict(value: float, paper: float) -> str:
    """How an R² compares with the paper's."""
    if value >= paper + _AGREES:
        return f"agrees and fits better than the paper's {paper:.2f}"
    return (
        f"agrees with the paper's {paper:.2f}"
        if value >= paper - _AGREES
        else f"below the paper's {paper:.2f}"
    )


def parameters(fit: dict[str, Any]) -> str:
    """Parameters with errors, and the paper's constants."""
    return table(
        ("parameter", "value", "standard error", "Kumar et al."),
        [
            (name, number(value, 4), number(fit["stderr"][name], 2), number(_KUMAR.get(name), 4))
            for name, value in fit["params"].items()
        ],
    )


def _head(found: dict[str, Any]) -> str:
    rows = found["rows"]
    out = ", ".join(f"{n} ({reason})" for reason, n in sorted(rows["left_out"].items())) or "none"
    return (
        "# What the precision runs show\n\n"
        f"{rows['trained']} training runs and {rows['post']} losses after quantisation are fitted. Left out: {out}; "
        "with activations in 2 bits nothing but byte frequencies is learnt.\n\n"
        "Fits are `jscale.fit.point` on squared residuals of the logarithm of the loss. Runs that branch off one "
        "trunk, like quantised copies of one run, share a model: standard errors count each trunk once. "
        "Losses are nats per byte of micro-scale models: the constants are theirs, only the form is compared with "
        "the paper."
    )


def _effective(found: dict[str, Any]) -> str:
    edge = (
        f" At the edge of its range: {', '.join(found['at_bound'])}." if found["at_bound"] else ""
    )
    rows = [
        (
            s["bits"],
            s["runs"],
            signed(s["residual"]),
            number(s["rmse"], 2),
            number(s["share"]),
            _range(s["observed"]),
            signed(s["gap"]),
            _pm(s["gap_slope"]),
        )
        for s in found["settings"]
    ]
    growing = [
        s for s in found["settings"] if s["gap_slope"] and s["gap_slope"][0] > 2 * s["gap_slope"][1]
    ]
    known = [s for s in found["settings"] if s["gap_slope"]]
    sharper = (
        f"A sharper test {'fails' if 2 * len(growing) > len(known) else 'holds'}: effective parameters make the cost "
        "of bits the same at every D, and the gap to full precision grows with D by more than two standard errors in "
        f"{len(growing)} of {len(known)} settings with enough pairs."
    )
    return (
        "## 1. Does the loss follow effective parameters?\n\n"
        f"R² {found['r2']:.3f} over {found['runs']} runs ({found['trunks']} trunks), RMSE {found['rmse']:.3f}: this "
        f"{verdict(found['r2'], PAPER['joint'])} (Figure 5, joint fit). R² is {found['r2_few_bits']:.3f} over the runs "
        f"in few bits, and {found['r2_weights']:.3f} by `laws.qat` where weights alone are low (paper: "
        f"{PAPER['weights']:.4f}). Fit: {found['status']}.{edge} {sharper}\n\n"
        f"{parameters(found)}\n\n"
        "Residuals are observed minus fitted. The share N_eff/N at matched loss is `laws.effective_fraction` of the "
        "gap to the run of the same N, D and seed in full precision (median and quartiles over such pairs).\n\n"
        + table(
            (
                "P_w/P_a/P_kv",
                "runs",
                "residual",
                "RMSE",
                "share fitted",
                "share at matched loss",
                "gap",
                "growth of the gap a decade of D",
            ),
            rows,
        )
    )


def _range(quartiles: list[float] | None) -> str:
    return (
        "—"
        if quartiles is None
        else f"{number(quartiles[1], 2)} ({number(quartiles[0], 2)}–{number(quartiles[2], 2)})"
    )


def _pm(pair: list[float] | None) -> str:
    return "—" if pair is None else f"{pair[0]:+.3f} ± {pair[1]:.3f}"


def _band(band: list[float] | None, show: Any = number) -> str:
    return "—" if band is None else f"{show(band[0])} – {show(band[2])}"


def _independence(found: dict[str, Any]) -> str:
    fits = found["fits"]
    low, joint = fits["marginal"]["r2 joint"], fits["joint"]["r2 joint"]
    gap = found["paper"]["joint"] - found["paper"]["marginal"]
    residual, error = (fits["marginal"][name] for name in ("residual", "residual se"))
    # A product that misses all joint runs to one side is not what the paper found, however good its
    # R².
    multiplies = joint - low <= gap + _AGREES and abs(residual) <= 2 * error
    agrees = "agrees" if multiplies else "does not agree"
    side = (
        "within two standard errors of 0"
        if abs(residual) <= 2 * error
        else f"low bits together cost {'more' if residual > 0 else 'less'} than the product says"
    )
    rows = [
        (
            f["fitted to"],
            f["rows"],
            f"{f['r2 joint']:.4f}",
            f"{f['rmse joint']:.3f}",
            f"{signed(f['residual'])} ± {f['residual se']:.3f}",
            f"{f['r2 all']:.4f}",
        )
        for f in fits.values()
    ]
    names = list(fits["all"]["params"])
    return (
        "## 2. Are the parts independent and multiplicative?\n\n"
        f"The product of factors fitted to one part at a time predicts the {found['runs']} runs with several parts low "
        f"with R² {low:.4f}; a fit to those runs reaches {joint:.4f}. This {agrees} with the paper "
        f"({found['paper']['marginal']:.4f} against {found['paper']['joint']:.4f}). The mean residual of the marginal "
        f"fit there is {signed(fits['marginal']['residual'])} ± {fits['marginal']['residual se']:.3f} nats: {side}.\n\n"
        + table(
            ("fitted to", "rows", "R² on joint runs", "RMSE", "mean residual", "R² on all runs"),
            rows,
        )
        + "\n\n"
        + table(
            ("factors", *names),
            [(f["fitted to"], *(number(f["params"][n]) for n in names)) for f in fits.values()],
        )
        + "\n\n"
        + table(
            ("joint setting", "runs", "residual of the marginal fit"),
            [(s["bits"], s["runs"], signed(s["residual"])) for s in found["settings"]],
        )
    )


def _after(found: dict[str, Any]) -> str:
    fits, paper = found["fits"], found["paper"]
    main = fits["rtn"]
    D, N = (main["params"][f"gamma_{x}"] for x in "DN")
    rows = [
        (
            name,
            f["rows"],
            f"{f['r2']:.3f}",
            f"{f['r2_log']:.3f}",
            ", ".join(
                f"{k} {number(v)} ± {number(f['stderr'][k], 2)}"
                for k, v in f["params"].items()
                if k != "C_T"
            ),
        )
        for name, f in fits.items()
    ]
    out = ", ".join(f"{P:g}" for P in found["unmeasurable"]) or "no"
    return (
        "## 3. Does degradation grow with D/N and fall with P_post?\n\n"
        f"Models in full precision, rounded to nearest: R² {main['r2']:.3f} of δ and {main['r2_log']:.3f} of log δ; the"
        f" latter {verdict(main['r2_log'], paper)}. δ grows as D^{D:.2f} and falls as N^−{N:.2f}"
        f" (paper: {_KUMAR['gamma_D']:.2f} and {_KUMAR['gamma_N']:.2f}). As a function of D/N alone, R² of log δ is "
        f"{fits['rtn, ratio']['r2_log']:.3f}. P_post = 2, {found['two_rows']:.0%} of the rows, makes "
        f"{found['two_raw']:.0%} of the squared misfit of δ and {found['two_log']:.0%} of that of log δ; without it, "
        f"R² is {fits['rtn, 3 bits and more']['r2']:.3f} and {fits['rtn, 3 bits and more']['r2_log']:.3f}. With the "
        "number of levels in place of the exponential (as many parameters), R² of log δ is "
        f"{fits['rtn, levels']['r2_log']:.3f}.\n\n"
        f"Not fitted: P_post of {out} bits, where δ is within two standard errors of 0 for most models, and "
        f"{found['not_positive']} rows with δ ≤ 0.\n\n"
        + table(("fit", "rows", "R² of δ", "R² of log δ", "parameters"), rows)
        + "\n\n"
        + table(
            ("P_post", "rows", "median δ", "mean residual of log δ", "the same by levels"),
            [
                (
                    f"{b['P_post']:g}",
                    b["rows"],
                    number(b["median"], 2),
                    signed(b["residual_log"], 2),
                    signed(b["levels_log"], 2),
                )
                for b in found["by_bits"]
            ],
        )
        + "\n\n"
        + table(
            ("P_post", "models", "median δ of GPTQ / rounding", "GPTQ smaller"),
            [
                (f"{m['P_post']:g}", m["pairs"], f"{m['median']:.2f}", f"{m['smaller']:.0%}")
                for m in found["methods"]
            ],
        )
    )


def _unified(found: dict[str, Any]) -> str:
    fits = found["fits"]
    words = {
        "unified": "`laws.precision` (eq. 11)",
        "hardened": "bracket for weights (eq. 8)",
        "robust": "`laws.precision_robust` (eq. 9)",
    }
    best = max(fits, key=lambda name: fits[name]["r2"])
    bits = list(fits["unified"]["r2_by_bits"])
    rows = [
        (
            words[n],
            f"{f['r2']:.4f}",
            f"{f['r2_three']:.4f}",
            f"{f['r2_inside']:.4f}",
            *(f"{f['r2_by_bits'][P]:.3f}" for P in bits),
            f["status"],
        )
        for n, f in fits.items()
    ]
    return (
        "## 4. Does one law hold before and after quantisation?\n\n"
        f"All {found['rows']} losses ({found['after']} after quantisation to fewer bits than in training): R² "
        f"{fits['unified']['r2']:.3f} by `laws.precision`, {fits['robust']['r2']:.3f} by `laws.precision_robust`; the "
        f"best, {words[best]}, {verdict(fits[best]['r2'], found['paper'])}. Eq. 9 knows no degradation where any part "
        f"was trained in P_post bits or fewer; in the {found['inside']} rows of its domain its R² is "
        f"{fits['robust']['r2_inside']:.3f}.\n\n"
        + table(
            ("law", "R²", "P_post > 2", "domain of eq. 9", *(f"P_post {P}" for P in bits), "fit"),
            rows,
        )
        + "".join(f"\n\n{words[n]}:\n\n{parameters(fits[n])}" for n in fits)
    )


def _decisions(found: dict[str, Any]) -> str:
    best, every = found["P"], found["P_unified"]
    inside = best["band"] is not None and best["band"][0] <= 8 and best["band"][2] >= 7
    seen = {(s["N"], s["P_post"]): s for s in found["seen"]}
    rows = [
        (
            count(c["N"]),
            f"{c['P_post']:g}",
            count(c["point"]),
            _band(c["band"], count),
            count(c["apart"]),
            count(found["longest"][f"{c['N']:g}"]),
            _minimum(seen.get((c["N"], c["P_post"]))),
        )
        for c in found["critical"]
    ]
    return (
        "## 5. Where do P* and D_crit lie?\n\n"
        f"P* = {number(best['point'])} bits (90%: {_band(best['band'])}) by the training runs, "
        f"{number(every['point'])} ({_band(every['band'])}) by the unified law; this "
        f"{'agrees' if inside else 'does not agree'} with the paper's 7 to 8 bits. Bands: {found['draws']} normal "
        "draws from the covariance of the point fits, each trunk counted once (a posterior of the library takes rows "
        f"as independent); {best['found']:.0%} of the draws have an optimum between 0.5 and 16 bits.\n\n"
        + table(
            ("bits in every part", "pairs", "share a bit at matched loss", "share a bit fitted"),
            [
                (f"{s['P']:g}", s["pairs"], number(s["observed"]), number(s["fitted"]))
                for s in found["observed"]
            ],
        )
        + "\n\nCritical tokens of models trained in full precision, and where the runs themselves have their least "
        "loss along D:\n\n"
        + table(
            (
                "N",
                "P_post",
                "D_crit",
                "90%",
                "D_crit, δ fitted apart",
                "longest run",
                "least loss of the runs",
            ),
            rows,
        )
    )


def _minimum(seen: dict[str, float] | None) -> str:
    if seen is None:
        return "—"
    D = count(seen["D_least"])
    return (
        f"at {D}, inside"
        if seen["inside"]
        else f"at {D}, the shortest"
        if seen["first"]
        else f"at {D}, the longest"
    )


def _forms(found: dict[str, Any]) -> str:
    rows = [
        (
            f["form"],
            f["extra"],
            f"{f['cv_r2']:.4f}",
            f"{f['cv_rmse']:.4f}",
            f"{f['behind']:.1f}",
            f"{f['beyond_r2']:.4f}",
            f"{f['beyond_rmse']:.4f}",
            number(f["paper"]),
        )
        for f in found["forms"]
    ]
    by_name = {f["form"]: f for f in found["forms"]}
    plain, biased = (by_name[name] for name in found["names"])
    ranked = sorted((f for f in found["forms"] if f["paper"]), key=lambda f: -f["cv_r2"])
    paper = sorted(ranked, key=lambda f: -f["paper"])
    same = [f["form"] for f in ranked] == [f["form"] for f in paper]
    return (
        "## 6. Which form predicts held-out rows best?\n\n"
        f"By folds: {found['best']}; beyond the fitted compute: {found['best_beyond']}. The exponential N_eff with "
        f"biases has R² {biased['cv_r2']:.4f} (folds) and {biased['beyond_r2']:.4f} (larger compute), without biases "
        f"{plain['cv_r2']:.4f} and {plain['beyond_r2']:.4f}. Among the forms that the paper scores, the order by folds "
        f"is {'the same as' if same else 'not that of'} the paper: {', '.join(f['form'] for f in ranked)}.\n\n"
        f"Folds: {FOLDS}, by cell (N, D, bits), seeds together, fixed seed; every run is predicted once. Larger "
        f"compute: of every setting of bits, the fifth of its cells with the largest compute is held out "
        f"({found['held']} runs; {found['fitted']} fitted). *Behind*: mean squared miss above that of the best, in its "
        "standard errors by trunks. The paper's alternatives are in our parametrisation and count every part; its "
        "parameter counts are 2 to 4.\n\n"
        + table(
            (
                "form",
                "parameters beyond Chinchilla",
                "R² folds",
                "RMSE",
                "behind",
                "R² larger compute",
                "RMSE",
                "paper's R²",
            ),
            rows,
        )
    )


def _foot(found: dict[str, Any]) -> str:
    doubts = {n: sorted(set(s) - {"converged"}) for n, s in found["statuses"].items()}
    listed = "; ".join(f"{name}: {', '.join(s)}" for name, s in doubts.items() if s) or "none"
    return (
        f"Fits that are not certified as converged: {listed}.\n\nMade in {found['seconds']:.0f} s."
    )
