"""The findings as a Markdown document: the answer to each question and its table."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from benchmarks.precision_runs.findings_training import FOLDS, PAPER
from jscale import laws

_KUMAR = laws.params(laws.precision)
_AGREES = 0.05
"""An R² agrees with the paper's if it is above it, or below it by at most this."""


def document(results: dict[str, Any]) -> str:
    """The whole document."""
    parts = [
        _head(results),
        _effective(results["effective"]),
        _independence(results["independence"]),
        _after(results["after_training"]),
        _unified(results["unified"]),
        _decisions(results["decisions"]),
        _forms(results["forms"]),
        _foot(results),
    ]
    return "\n\n".join(parts) + "\n"


def table(headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table."""
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def number(value: float | None, digits: int = 3) -> str:
    """Significant digits, or a dash if there is no number."""
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
    if value >= paper - _AGREES:
        return f"agrees with the paper's {paper:.2f}"
    return f"below the paper's {paper:.2f}"


def parameters(fit: dict[str, Any]) -> str:
    """Parameters with errors, and the paper's constants."""
    return table(
        ("parameter", "value", "standard error", "Kumar et al."),
        [
            (name, number(value, 4), number(fit["stderr"][name], 2), number(_KUMAR.get(name), 4))
            for name, value in fit["params"].items()
        ],
    )


def _head(results: dict[str, Any]) -> str:
    rows = results["rows"]
    left_out = (
        ", ".join(f"{n} ({reason})" for reason, n in sorted(rows["left_out"].items())) or "none"
    )
    return (
        "# What the precision runs show\n\n"
        f"{rows['trained']} training runs and {rows['post']} losses after quantisation are "
        f"fitted. Left out: {left_out}; with activations in 2 bits models learn only byte "
        "frequencies.\n\n"
        "Fits are `jscale.fit.point` on squared residuals of the logarithm of the loss. Runs "
        "from the same trunk and quantised copies of the same run share a model: standard errors "
        "are clustered by trunk. Losses are in nats per byte and the models are micro-scale: "
        "only the form of the law is compared with the paper, not the constants."
    )


def _effective(results: dict[str, Any]) -> str:
    edge = f" At a bound: {', '.join(results['at_bound'])}." if results["at_bound"] else ""
    with_slope = [s for s in results["settings"] if s["gap_slope"]]
    growing = [s for s in with_slope if s["gap_slope"][0] > 2 * s["gap_slope"][1]]
    sharper = (
        f"A sharper test {'fails' if 2 * len(growing) > len(with_slope) else 'holds'}: with "
        "effective parameters the cost of bits does not depend on D, but the gap to full "
        f"precision grows with D by more than two standard errors in {len(growing)} of "
        f"{len(with_slope)} settings with enough pairs."
    )
    return (
        "## 1. Does the loss follow effective parameters?\n\n"
        f"R² {results['r2']:.3f} over {results['runs']} runs ({results['trunks']} trunks), RMSE "
        f"{results['rmse']:.3f}: this {verdict(results['r2'], PAPER['joint'])} (Figure 5, joint "
        f"fit). R² is {results['r2_few_bits']:.3f} over the runs at low precision, and "
        f"{results['r2_weights']:.3f} by `laws.qat` where only the weights are low (paper: "
        f"{PAPER['weights']:.4f}). Fit: {results['status']}.{edge} {sharper}\n\n"
        f"{parameters(results)}\n\n"
        "Residuals are observed minus fitted. The fraction N_eff/N at matched loss is "
        "`laws.effective_fraction` of the gap to the run of the same N, D and seed in full "
        "precision (median and quartiles over such pairs).\n\n"
        + _settings_table(results["settings"])
    )


def _settings_table(settings: list[dict[str, Any]]) -> str:
    headers = (
        "P_w/P_a/P_kv",
        "runs",
        "residual",
        "RMSE",
        "fraction fitted",
        "fraction at matched loss",
        "gap",
        "growth of the gap per decade of D",
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
        for s in settings
    ]
    return table(headers, rows)


def _range(quartiles: list[float] | None) -> str:
    if quartiles is None:
        return "—"
    low, median, high = (number(value, 2) for value in quartiles)
    return f"{median} ({low}–{high})"


def _pm(pair: list[float] | None) -> str:
    return "—" if pair is None else f"{pair[0]:+.3f} ± {pair[1]:.3f}"


def _band(band: list[float] | None, show: Any = number) -> str:
    return "—" if band is None else f"{show(band[0])} – {show(band[2])}"


def _independence(results: dict[str, Any]) -> str:
    fits = results["fits"]
    low, joint = fits["marginal"]["r2 joint"], fits["joint"]["r2 joint"]
    gap = results["paper"]["joint"] - results["paper"]["marginal"]
    residual, error = (fits["marginal"][name] for name in ("residual", "residual se"))
    # A product whose errors on the joint runs all have one sign does not agree, whatever its R².
    multiplies = joint - low <= gap + _AGREES and abs(residual) <= 2 * error
    agrees = "agrees" if multiplies else "does not agree"
    if abs(residual) <= 2 * error:
        side = "within two standard errors of 0"
    else:
        comparison = "more" if residual > 0 else "less"
        side = f"low bits together cost {comparison} than the product predicts"
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
        f"The product of factors fitted to one part at a time predicts the {results['runs']} runs "
        f"with several parts low with R² {low:.4f}; a fit to those runs reaches {joint:.4f}. This "
        f"{agrees} with the paper ({results['paper']['marginal']:.4f} against "
        f"{results['paper']['joint']:.4f}). The mean residual of the marginal fit there is "
        f"{signed(fits['marginal']['residual'])} ± {fits['marginal']['residual se']:.3f} nats: "
        f"{side}.\n\n"
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
            [(s["bits"], s["runs"], signed(s["residual"])) for s in results["settings"]],
        )
    )


def _after(results: dict[str, Any]) -> str:
    fits, paper = results["fits"], results["paper"]
    main, without_two = fits["rtn"], fits["rtn, 3 bits and more"]
    D, N = (main["params"][f"gamma_{x}"] for x in "DN")
    left_out = ", ".join(f"{P:g}" for P in results["unmeasurable"]) or "no"
    return (
        "## 3. Does degradation grow with D/N and fall with P_post?\n\n"
        f"Models in full precision, rounded to nearest: R² {main['r2']:.3f} of δ and "
        f"{main['r2_log']:.3f} of log δ; the latter {verdict(main['r2_log'], paper)}. δ grows as "
        f"D^{D:.2f} and falls as N^−{N:.2f} (paper: {_KUMAR['gamma_D']:.2f} and "
        f"{_KUMAR['gamma_N']:.2f}). As a function of D/N alone, R² of log δ is "
        f"{fits['rtn, ratio']['r2_log']:.3f}. P_post = 2, {results['two_rows']:.0%} of the rows, "
        f"accounts for {results['two_raw']:.0%} of the squared error of δ and "
        f"{results['two_log']:.0%} of that of log δ; without it, R² is "
        f"{without_two['r2']:.3f} and {without_two['r2_log']:.3f}. With the "
        "number of levels in place of the exponential (equally many parameters), R² of log δ is "
        f"{fits['rtn, levels']['r2_log']:.3f}.\n\n"
        f"Not fitted: P_post of {left_out} bits, where δ is within two standard errors of 0 for "
        f"most models, and {results['not_positive']} rows with δ ≤ 0.\n\n"
        + "\n\n".join(_degradation_tables(results))
    )


def _degradation_tables(results: dict[str, Any]) -> Iterator[str]:
    """The fits of degradation, its residuals by bits, and GPTQ against rounding."""
    fits = []
    for name, f in results["fits"].items():
        listed = ", ".join(
            f"{parameter} {number(value)} ± {number(f['stderr'][parameter], 2)}"
            for parameter, value in f["params"].items()
            if parameter != "C_T"
        )
        fits.append((name, f["rows"], f"{f['r2']:.3f}", f"{f['r2_log']:.3f}", listed))
    yield table(("fit", "rows", "R² of δ", "R² of log δ", "parameters"), fits)

    by_bits = [
        (
            f"{b['P_post']:g}",
            b["rows"],
            number(b["median"], 2),
            signed(b["residual_log"], 2),
            signed(b["levels_log"], 2),
        )
        for b in results["by_bits"]
    ]
    yield table(
        ("P_post", "rows", "median δ", "mean residual of log δ", "mean residual by levels"), by_bits
    )

    methods = [
        (f"{m['P_post']:g}", m["pairs"], f"{m['median']:.2f}", f"{m['smaller']:.0%}")
        for m in results["methods"]
    ]
    yield table(("P_post", "models", "median δ of GPTQ / rounding", "GPTQ smaller"), methods)


def _unified(results: dict[str, Any]) -> str:
    fits = results["fits"]
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
        f"All {results['rows']} losses ({results['after']} after quantisation to fewer bits than "
        f"in training): R² {fits['unified']['r2']:.3f} by `laws.precision`, "
        f"{fits['robust']['r2']:.3f} by `laws.precision_robust`; the best, {words[best]}, "
        f"{verdict(fits[best]['r2'], results['paper'])}. Eq. 9 predicts no degradation if any "
        f"part was trained in P_post bits or fewer; in the {results['inside']} rows of its domain "
        f"its R² is {fits['robust']['r2_inside']:.3f}.\n\n"
        + table(
            ("law", "R²", "P_post > 2", "domain of eq. 9", *(f"P_post {P}" for P in bits), "fit"),
            rows,
        )
        + "".join(f"\n\n{words[n]}:\n\n{parameters(fits[n])}" for n in fits)
    )


def _decisions(results: dict[str, Any]) -> str:
    best, every = results["P"], results["P_unified"]
    inside = best["band"] is not None and best["band"][0] <= 8 and best["band"][2] >= 7
    minimum = {(s["N"], s["P_post"]): s for s in results["seen"]}
    rows = [
        (
            count(c["N"]),
            f"{c['P_post']:g}",
            count(c["point"]),
            _band(c["band"], count),
            count(c["apart"]),
            count(results["longest"][f"{c['N']:g}"]),
            _minimum(minimum.get((c["N"], c["P_post"]))),
        )
        for c in results["critical"]
    ]
    return (
        "## 5. Where do P* and D_crit lie?\n\n"
        f"P* = {number(best['point'])} bits (90%: {_band(best['band'])}) by the training runs, "
        f"{number(every['point'])} ({_band(every['band'])}) by the unified law; this "
        f"{'agrees' if inside else 'does not agree'} with the paper's 7 to 8 bits. Bands: "
        f"{results['draws']} normal draws from the covariance of the point fits, clustered by "
        f"trunk (a posterior of the library assumes independent rows); {best['found']:.0%} of the "
        "draws have an optimum between 0.5 and 16 bits.\n\n"
        + table(
            (
                "bits in every part",
                "pairs",
                "fraction per bit at matched loss",
                "fraction per bit fitted",
            ),
            [
                (f"{s['P']:g}", s["pairs"], number(s["observed"]), number(s["fitted"]))
                for s in results["observed"]
            ],
        )
        + "\n\nCritical tokens of models trained in full precision, and the D at which the runs "
        "themselves have the lowest loss:\n\n"
        + table(
            (
                "N",
                "P_post",
                "D_crit",
                "90%",
                "D_crit, δ fitted separately",
                "longest run",
                "lowest loss of the runs",
            ),
            rows,
        )
    )


def _minimum(minimum: dict[str, float] | None) -> str:
    if minimum is None:
        return "—"
    D = count(minimum["D_least"])
    if minimum["inside"]:
        return f"at {D}, inside"
    return f"at {D}, the shortest" if minimum["first"] else f"at {D}, the longest"


def _forms(results: dict[str, Any]) -> str:
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
        for f in results["forms"]
    ]
    by_name = {f["form"]: f for f in results["forms"]}
    plain, biased = (by_name[name] for name in results["names"])
    ranked = sorted((f for f in results["forms"] if f["paper"]), key=lambda f: -f["cv_r2"])
    paper = sorted(ranked, key=lambda f: -f["paper"])
    same = [f["form"] for f in ranked] == [f["form"] for f in paper]
    return (
        "## 6. Which form predicts held-out rows best?\n\n"
        f"By folds: {results['best']}; beyond the fitted compute: {results['best_beyond']}. The "
        f"exponential N_eff with biases has R² {biased['cv_r2']:.4f} (folds) and "
        f"{biased['beyond_r2']:.4f} (larger compute), without biases {plain['cv_r2']:.4f} and "
        f"{plain['beyond_r2']:.4f}. Among the forms that the paper scores, the order by folds is "
        f"{'the same as' if same else 'not that of'} the paper: "
        f"{', '.join(f['form'] for f in ranked)}.\n\n"
        f"Folds: {FOLDS}, by cell (N, D, bits), seeds together, fixed seed; every run is "
        "predicted once. Larger compute: for every setting of bits, the fifth of its cells with "
        f"the largest compute is held out ({results['held']} runs; {results['fitted']} "
        "fitted). *Behind*: mean squared error minus that of the best form, over its standard "
        "error by trunks. The paper's alternatives are in our parametrisation, with separate "
        "parameters for every part; its own have 2 to 4 parameters.\n\n"
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


def _foot(results: dict[str, Any]) -> str:
    uncertified = {n: sorted(set(s) - {"converged"}) for n, s in results["statuses"].items()}
    listed = "; ".join(f"{name}: {', '.join(s)}" for name, s in uncertified.items() if s) or "none"
    return (
        f"Fits without a certificate of convergence: {listed}.\n\n"
        f"Generated in {results['seconds']:.0f} s."
    )
