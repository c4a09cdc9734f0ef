"""Results on bits in training: effective parameters, independence of parts, other forms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.precision_runs.forms import FORMS, N_EFF, N_EFF_BIASED, Form
from benchmarks.precision_runs.rows import (
    FULL,
    PARTS,
    Rows,
    bits,
    clustered,
    predict,
    r2,
    rmse,
    trunks,
)
from jscale import laws
from jscale.fit import Point
from jscale.laws import LawFunction
from jscale.runs import Runs

PAPER = {"weights": 0.9655, "joint": 0.9006, "marginal": 0.8973}
"""R² of Kumar et al. 2024, Figure 5: only weights, joint fit, marginal fits."""
FOLDS = 5
_SEED = 0
_MIN_PAIRS = 4
"""Minimum number of pairs of runs for a row in the tables of fractions and gaps."""
Jobs = dict[str, tuple[LawFunction, list[Runs]]]
Points = Mapping[str, list[Point]]


@dataclass(frozen=True, eq=False)
class Split:
    """Rows to fit and rows to predict, booleans of shape (rows,) each."""

    train: np.ndarray
    held: np.ndarray


def low(table: Runs) -> np.ndarray:
    """Number of parts at low precision, shape (rows,)."""
    return (bits(table) < FULL).sum(axis=1)


def jobs(rows: Rows) -> Jobs:
    """The fits that the sections of this module need."""
    table, count = rows.trained, low(rows.trained)
    weights_only = (bits(table)[:, 1:] == FULL).all(axis=1)
    results: Jobs = {
        "all": (laws.low_precision, [table]),
        "weights": (laws.qat, [table.where(weights_only)]),
        "marginal": (laws.low_precision, [table.where(count <= 1)]),
        "joint": (laws.low_precision, [table.where(count != 1)]),
    }
    trains = [table.where(split.train) for split in splits(table)]
    return results | {f"form {form.name}": (form.law, trains) for form in FORMS}


def splits(table: Runs) -> list[Split]:
    """Five folds by cell and one split by compute, all with the same number of rows to fit.

    A cell is (N, D, bits): its seeds stay together. The last split holds out, for every setting of
    bits, the fifth of its cells with the largest compute. Training sets lose a few rows at random,
    so that all share one compiled fit.
    """
    rng = np.random.default_rng(_SEED)
    settings = bits(table)
    cells, cell = np.unique(
        np.column_stack([settings, table["N"], table["D"]]), axis=0, return_inverse=True
    )
    fold = np.empty(len(cells), dtype=int)
    fold[rng.permutation(len(cells))] = np.arange(len(cells)) % FOLDS
    held = [fold[cell] == i for i in range(FOLDS)]
    largest = np.zeros(len(cells), dtype=bool)
    for setting in np.unique(cells[:, :3], axis=0):
        same = np.flatnonzero((cells[:, :3] == setting).all(axis=1))
        order = same[np.argsort(cells[same, 3] * cells[same, 4], kind="stable")]
        largest[order[len(order) - max(1, round(len(order) / FOLDS)) :]] = len(order) > 1
    held.append(largest[cell])
    length = min(int((~h).sum()) for h in held)
    return [Split(_subsample(~h, length, rng), h) for h in held]


def _subsample(mask: np.ndarray, length: int, rng: np.random.Generator) -> np.ndarray:
    kept = np.zeros_like(mask)
    kept[rng.permutation(np.flatnonzero(mask))[:length]] = True
    return kept


def shares(params: Mapping[str, float], settings: np.ndarray) -> np.ndarray:
    """Fraction of effective parameters at (settings, 3) bits by the fitted factors, (settings,)."""
    names = [f"{kind}_{part}" for part in PARTS for kind in ("gamma", "n")]
    theta = {name: params[name] for name in names}
    return np.asarray(laws.effective_parameters(1.0, *settings.T, **theta))


def pairs(table: Runs) -> dict[str, np.ndarray]:
    """Runs at low precision paired with the full-precision run of the same N, D and seed.

    Returns:
        The row of each, and the gap of its loss.
    """
    seed = [str(name).rsplit("-s", 1)[-1] for name in table["run_id"]]
    keys = list(zip(table["N"], table["D"], seed, strict=True))
    count = low(table)
    full = {
        key: loss
        for key, loss, low_parts in zip(keys, table["loss"], count, strict=True)
        if low_parts == 0
    }
    results = [i for i, key in enumerate(keys) if count[i] and key in full]
    gap = np.array([table["loss"][i] - full[keys[i]] for i in results])
    return {"row": np.array(results, dtype=int), "gap": gap}


def _setting(values: np.ndarray) -> str:
    return "/".join(f"{value:g}" for value in values)


def effective(rows: Rows, points: Points) -> dict[str, Any]:
    """Test of N_eff: parameters, residuals, matched-loss fractions, growth of the gap with D."""
    table, (point,), (weights,) = rows.trained, points["all"], points["weights"]
    error, low_parts = clustered(point, table).stderr, low(table)
    settings, residual = bits(table), table["loss"] - point.predicted
    paired = pairs(table)
    theta = {name: point.params[name] for name in ("A", "alpha")}
    observed = np.asarray(
        laws.effective_fraction(table["N"][paired["row"]], paired["gap"], **theta)
    )
    by_setting = []
    for setting in np.unique(settings, axis=0)[::-1]:
        selected = (settings == setting).all(axis=1)
        at = np.flatnonzero(selected[paired["row"]])
        fractions = observed[at]
        by_setting.append(
            {
                "bits": _setting(setting),
                "runs": int(selected.sum()),
                "residual": float(residual[selected].mean()),
                "rmse": float(np.sqrt(np.mean(residual[selected] ** 2))),
                "share": float(shares(point.params, setting[None])[0]),
                "observed": np.quantile(fractions, [0.25, 0.5, 0.75]).tolist() if len(at) else None,
                "gap": float(paired["gap"][at].mean()) if len(at) else None,
                "gap_slope": _growth(table, paired["row"][at], paired["gap"][at]),
            }
        )
    n = len(table)
    return {
        "runs": n,
        "trunks": len(np.unique(trunks(table))),
        "r2": r2(table["loss"], point.predicted),
        "rmse": rmse(table["loss"], point.predicted),
        "status": str(point.certificate.status),
        "params": dict(point.params),
        "stderr": error,
        "at_bound": list(point.certificate.at_bound),
        "r2_weights": r2(table["loss"][(settings[:, 1:] == FULL).all(axis=1)], weights.predicted),
        "r2_few_bits": r2(table["loss"][low_parts > 0], point.predicted[low_parts > 0]),
        "settings": by_setting,
    }


def _growth(table: Runs, row: np.ndarray, gap: np.ndarray) -> list[float] | None:
    """Growth of the gap per decade of D at given N, and its standard error by pairs.

    None if there are too few pairs. A setting has three or four trunks, too few for an error
    clustered by trunk.
    """
    x, y, sizes = np.log10(table["D"][row]), gap.copy(), table["N"][row]
    # Differences between sizes are removed from both.
    for N in np.unique(sizes):
        selected = sizes == N
        x[selected] -= x[selected].mean()
        y[selected] -= y[selected].mean()
    freedom = len(row) - len(np.unique(sizes)) - 1
    if len(row) < _MIN_PAIRS or freedom < 1 or not (x**2).sum() > 0:
        return None
    slope = float((x * y).sum() / (x**2).sum())
    return [slope, float(np.sqrt(((y - slope * x) ** 2).sum() / freedom / (x**2).sum()))]


def independence(rows: Rows, points: Points) -> dict[str, Any]:
    """Predictions for runs with several parts low, from factors fitted to one part at a time."""
    table, several = rows.trained, low(rows.trained) >= 2
    joint = table.where(several)
    settings = bits(joint)
    results: dict[str, Any] = {"runs": len(joint), "paper": PAPER, "fits": {}}
    for name, words in (
        ("marginal", "one part at a time"),
        ("joint", "several parts low"),
        ("all", "all runs"),
    ):
        (point,) = points[name]
        everywhere = predict(point, table)
        predicted = everywhere[several]
        errors = joint["loss"] - predicted
        _, which = np.unique(trunks(joint), return_inverse=True)
        totals = np.bincount(which, errors - errors.mean())
        results["fits"][name] = {
            "fitted to": words,
            "rows": point.n_runs,
            "r2 joint": r2(joint["loss"], predicted),
            "rmse joint": rmse(joint["loss"], predicted),
            "residual": float(errors.mean()),
            "residual se": float(np.sqrt((totals**2).sum()) / len(errors)),
            "r2 all": r2(table["loss"], everywhere),
            "params": {
                f"{k}_{x}": float(point.params[f"{k}_{x}"]) for x in PARTS for k in ("gamma", "n")
            },
        }
    marginal = joint["loss"] - predict(points["marginal"][0], table)[several]
    results["settings"] = [
        {
            "bits": _setting(s),
            "runs": int(selected.sum()),
            "residual": float(marginal[selected].mean()),
        }
        for s in np.unique(settings, axis=0)[::-1]
        for selected in [(settings == s).all(axis=1)]
    ]
    return results


def forms(rows: Rows, points: Points, compared: Sequence[Form] = FORMS) -> dict[str, Any]:
    """Held-out scores of every form: pooled folds by cell, and the largest compute."""
    table = rows.trained
    *folds, last = splits(table)
    loss = table["loss"]
    squared_errors: dict[str, np.ndarray] = {}
    results = []
    for form in compared:
        *by_fold, largest = points[f"form {form.name}"]
        pooled = np.empty(len(table))
        for point, split in zip(by_fold, folds, strict=True):
            pooled[split.held] = predict(point, table)[split.held]
        extrapolated = predict(largest, table)[last.held]
        squared_errors[form.name] = (loss - pooled) ** 2
        results.append(
            {
                "form": form.name,
                "extra": form.extra,
                "paper": form.paper,
                "cv_r2": r2(loss, pooled),
                "cv_rmse": rmse(loss, pooled),
                "beyond_r2": r2(loss[last.held], extrapolated),
                "beyond_rmse": rmse(loss[last.held], extrapolated),
            }
        )
    best = min(squared_errors, key=lambda name: squared_errors[name].mean())
    _, which = np.unique(trunks(table), return_inverse=True)
    for entry in results:
        entry["behind"] = _standardised_excess(
            squared_errors[entry["form"]] - squared_errors[best], which
        )
    return {
        "best": best,
        "best_beyond": max(results, key=lambda e: e["beyond_r2"])["form"],
        "forms": results,
        "held": int(last.held.sum()),
        "fitted": int(last.train.sum()),
        "names": [N_EFF, N_EFF_BIASED],
    }


def _standardised_excess(difference: np.ndarray, which: np.ndarray) -> float:
    """Mean difference of squared errors over its standard error by trunks; 0 for the best."""
    totals = np.bincount(which, difference - difference.mean())
    error = np.sqrt((totals**2).sum())
    return float(difference.sum() / error) if error > 0 else 0.0
