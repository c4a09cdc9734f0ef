"""What the runs show of bits in training: effective parameters, independence of the parts, rival
forms.
"""

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
"""R² that Kumar et al. 2024 give with their Figure 5: weights alone, joint fit, marginal fits."""
FOLDS = 5
_SEED = 0
_LEAST = 4
"""Fewest pairs of runs behind a row of the tables of shares and of gaps."""
Jobs = dict[str, tuple[LawFunction, list[Runs]]]
Points = Mapping[str, list[Point]]


@dataclass(frozen=True, eq=False)
class Split:
    """Rows to fit and rows to predict, booleans of shape (rows,) each."""

    train: np.ndarray
    held: np.ndarray


def low(table: Runs) -> np.ndarray:
    """How many parts are in few bits, shape (rows,)."""
    return (bits(table) < FULL).sum(axis=1)


def jobs(rows: Rows) -> Jobs:
    """The fits that the sections of this module need."""
    table, count = rows.trained, low(rows.trained)
    alone = (bits(table)[:, 1:] == FULL).all(axis=1)
    found: Jobs = {
        "all": (laws.low_precision, [table]),
        "weights": (laws.qat, [table.where(alone)]),
        "marginal": (laws.low_precision, [table.where(count <= 1)]),
        "joint": (laws.low_precision, [table.where(count != 1)]),
    }
    trains = [table.where(split.train) for split in splits(table)]
    return found | {f"form {form.name}": (form.law, trains) for form in FORMS}


def splits(table: Runs) -> list[Split]:
    """Five folds by cell, then the largest compute of every setting of bits, all with as many rows
    to
    fit.

    A cell is (N, D, bits): its seeds stay together. The last split holds out, of every setting, the
    fifth of its cells with the largest compute. Training sets lose a few rows at random, so that
    one compiled fit serves them all.
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
    return [Split(_thinned(~h, length, rng), h) for h in held]


def _thinned(mask: np.ndarray, length: int, rng: np.random.Generator) -> np.ndarray:
    kept = np.zeros_like(mask)
    kept[rng.permutation(np.flatnonzero(mask))[:length]] = True
    return kept


def shares(params: Mapping[str, float], settings: np.ndarray) -> np.ndarray:
    """Share of its parameters that a model keeps at (settings, 3) bits, by the fitted factors;
    shape (settings,).
    """
    names = [f"{kind}_{part}" for part in PARTS for kind in ("gamma", "n")]
    theta = {name: params[name] for name in names}
    return np.asarray(laws.effective_parameters(1.0, *settings.T, **theta))


def pairs(table: Runs) -> dict[str, np.ndarray]:
    """Every run in few bits beside the run of the same N, D and seed in full precision: row and gap
    of the loss.
    """
    seed = [str(name).rsplit("-s", 1)[-1] for name in table["run_id"]]
    keys = list(zip(table["N"], table["D"], seed, strict=True))
    count = low(table)
    full = {
        key: loss for key, loss, few in zip(keys, table["loss"], count, strict=True) if few == 0
    }
    found = [i for i, key in enumerate(keys) if count[i] and key in full]
    gap = np.array([table["loss"][i] - full[keys[i]] for i in found])
    return {"row": np.array(found, dtype=int), "gap": gap}


def _setting(values: np.ndarray) -> str:
    return "/".join(f"{value:g}" for value in values)


def effective(rows: Rows, points: Points) -> dict[str, Any]:
    """Does the loss follow N_eff: parameters, residuals by bits, shares at matched loss, growth of
    the gap with D.
    """
    table, (point,), (weights,) = rows.trained, points["all"], points["weights"]
    error, few = clustered(point, table).stderr, low(table)
    settings, residual = bits(table), table["loss"] - point.predicted
    found = pairs(table)
    theta = {name: point.params[name] for name in ("A", "alpha")}
    observed = np.asarray(laws.effective_fraction(table["N"][found["row"]], found["gap"], **theta))
    by_setting = []
    for setting in np.unique(settings, axis=0)[::-1]:
        here = (settings == setting).all(axis=1)
        at = np.flatnonzero(here[found["row"]])
        seen = observed[at]
        by_setting.append(
            {
                "bits": _setting(setting),
                "runs": int(here.sum()),
                "residual": float(residual[here].mean()),
                "rmse": float(np.sqrt(np.mean(residual[here] ** 2))),
                "share": float(shares(point.params, setting[None])[0]),
                "observed": np.quantile(seen, [0.25, 0.5, 0.75]).tolist() if len(at) else None,
                "gap": float(found["gap"][at].mean()) if len(at) else None,
                "gap_slope": _growth(table, found["row"][at], found["gap"][at]),
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
        "r2_few_bits": r2(table["loss"][few > 0], point.predicted[few > 0]),
        "settings": by_setting,
    }


def _growth(table: Runs, row: np.ndarray, gap: np.ndarray) -> list[float] | None:
    """Growth of the gap a decade of D at given N, and its standard error by pairs; None where there
    are too few.

    A setting has three or four trunks, too few for an error that counts each of them once.
    """
    x, y, sizes = np.log10(table["D"][row]), gap.copy(), table["N"][row]
    for N in np.unique(sizes):  # what differs between sizes is taken out of both
        here = sizes == N
        x[here] -= x[here].mean()
        y[here] -= y[here].mean()
    freedom = len(row) - len(np.unique(sizes)) - 1
    if len(row) < _LEAST or freedom < 1 or not (x**2).sum() > 0:
        return None
    slope = float((x * y).sum() / (x**2).sum())
    return [slope, float(np.sqrt(((y - slope * x) ** 2).sum() / freedom / (x**2).sum()))]


def independence(rows: Rows, points: Points) -> dict[str, Any]:
    """Do factors fitted to one part at a time predict the runs where several are low?"""
    table, several = rows.trained, low(rows.trained) >= 2
    joint = table.where(several)
    settings = bits(joint)
    found: dict[str, Any] = {"runs": len(joint), "paper": PAPER, "fits": {}}
    for name, words in (
        ("marginal", "one part at a time"),
        ("joint", "several parts low"),
        ("all", "all runs"),
    ):
        (point,) = points[name]
        everywhere = predict(point, table)
        predicted = everywhere[several]
        missed = joint["loss"] - predicted
        _, which = np.unique(trunks(joint), return_inverse=True)
        totals = np.bincount(which, missed - missed.mean())
        found["fits"][name] = {
            "fitted to": words,
            "rows": point.n_runs,
            "r2 joint": r2(joint["loss"], predicted),
            "rmse joint": rmse(joint["loss"], predicted),
            "residual": float(missed.mean()),
            "residual se": float(np.sqrt((totals**2).sum()) / len(missed)),
            "r2 all": r2(table["loss"], everywhere),
            "params": {
                f"{k}_{x}": float(point.params[f"{k}_{x}"]) for x in PARTS for k in ("gamma", "n")
            },
        }
    marginal = joint["loss"] - predict(points["marginal"][0], table)[several]
    found["settings"] = [
        {"bits": _setting(s), "runs": int(here.sum()), "residual": float(marginal[here].mean())}
        for s in np.unique(settings, axis=0)[::-1]
        for here in [(settings == s).all(axis=1)]
    ]
    return found


def forms(rows: Rows, points: Points, compared: Sequence[Form] = FORMS) -> dict[str, Any]:
    """Held-out scores of every form: folds by cell pooled, and the largest compute."""
    table = rows.trained
    *folds, last = splits(table)
    loss = table["loss"]
    miss: dict[str, np.ndarray] = {}
    found = []
    for form in compared:
        *by_fold, largest = points[f"form {form.name}"]
        pooled = np.empty(len(table))
        for point, split in zip(by_fold, folds, strict=True):
            pooled[split.held] = predict(point, table)[split.held]
        beyond = predict(largest, table)[last.held]
        miss[form.name] = (loss - pooled) ** 2
        found.append(
            {
                "form": form.name,
                "extra": form.extra,
                "paper": form.paper,
                "cv_r2": r2(loss, pooled),
                "cv_rmse": rmse(loss, pooled),
                "beyond_r2": r2(loss[last.held], beyond),
                "beyond_rmse": rmse(loss[last.held], beyond),
            }
        )
    best = min(miss, key=lambda name: miss[name].mean())
    _, which = np.unique(trunks(table), return_inverse=True)
    for entry in found:
        entry["behind"] = _behind(miss[entry["form"]] - miss[best], which)
    return {
        "best": best,
        "best_beyond": max(found, key=lambda e: e["beyond_r2"])["form"],
        "forms": found,
        "held": int(last.held.sum()),
        "fitted": int(last.train.sum()),
        "names": [N_EFF, N_EFF_BIASED],
    }


def _behind(difference: np.ndarray, which: np.ndarray) -> float:
    """Mean difference of squared misses in units of its standard error by trunks; 0 for the best
    itself.
    """
    totals = np.bincount(which, difference - difference.mean())
    error = np.sqrt((totals**2).sum())
    return float(difference.sum() / error) if error > 0 else 0.0
