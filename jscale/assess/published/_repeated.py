"""Muennighoff et al. 2023: what repeated tokens and excess parameters are worth."""

import math
from collections.abc import Mapping

import jax
import numpy as np

from jscale import fit
from jscale.assess.published._descend import nearest, r_squared, value_at
from jscale.assess.published._row import Paper, Protocol, Row
from jscale.laws import LawFunction, chinchilla, data_constrained
from jscale.laws import fix as fixed
from jscale.runs import Runs

DATASET = "datablations"
BASE = {
    "E": math.exp(0.6254804),
    "A": math.exp(6.255414),
    "B": math.exp(7.3049974),
    "alpha": 0.3526596,
    "beta": 0.3526596,
}
"""The law of fresh data, fitted to other runs and held."""
DECAY = {"R_D_star": 15.387756, "R_N_star": 5.309743}
HUBER, R2 = 0.015825936570763588, 0.7722046084968408
R2_WITHOUT = 0.4451684378759986
_DATA_ONLY, _R2_DATA_ONLY, _R2_SIZE_ONLY = 2.92, 0.7354, 0.4488
_ENDLESS = 1e12
"""Repetitions: a constant so large that nothing loses its value."""
_GOAL = fit.Huber()


def _rows(tables: Mapping[str, Runs], key: jax.Array) -> tuple[Row, ...]:
    table = tables[DATASET]
    law = fixed(data_constrained, **BASE)
    return (*_evaluated(law, table), *_both(law, table), *_one(table))


def _r2(table: Runs, law: LawFunction, params: dict[str, float], *, unique: bool = True) -> float:
    inputs = {name: table[name][table.kept] for name in ("N", "D", *(("U",) if unique else ()))}
    return r_squared(table["loss"][table.kept], np.asarray(law(**inputs, **params)))


def _evaluated(law: LawFunction, table: Runs) -> tuple[Row, ...]:
    sheet = Protocol(DATASET, "182 runs, published constants")
    return (
        sheet.relative(
            "objective",
            HUBER,
            value_at(law, table, DECAY, _GOAL),
            within=2e-7,
            remark="the authors computed it in single precision",
        ),
        sheet.relative("R2", R2, _r2(table, law, DECAY), within=1e-8),
        sheet.relative(
            "R2 without decay", R2_WITHOUT, _r2(table, chinchilla, BASE, unique=False), within=1e-8
        ),
    )


def _both(law: LawFunction, table: Runs) -> tuple[Row, ...]:
    local = nearest(law, table, DECAY, _GOAL)
    best = fit.point(law, table, objective=_GOAL)
    near = Protocol(DATASET, "182 runs, base law held, Huber 1e-3, the optimum nearest to theirs")
    far = Protocol(DATASET, "182 runs, base law held, Huber 1e-3, best of all starts")
    gain = 1 - best.objective / HUBER
    why = (
        f"the objective has several minima of nearly the same depth: the deepest found, by "
        f"{best.certificate.agreement:.0%} of the starts, is {gain:.2%} below theirs; these runs hardly tell"
    )
    return (
        *near.constants(DECAY, local.params, within=2e-3),
        near.relative(
            "objective",
            HUBER,
            local.objective,
            within=1e-6,
            remark="theirs stopped a little short of this local minimum",
        ),
        *far.constants(DECAY, best.params, within=2e-3, why=why),
    )


def _one(table: Runs) -> tuple[Row, ...]:
    of_data = fixed(data_constrained, **BASE, R_N_star=_ENDLESS)
    of_size = fixed(data_constrained, **BASE, R_D_star=_ENDLESS)
    data, size = (fit.point(law, table, objective=_GOAL, starts=8) for law in (of_data, of_size))
    loose = {"R_N_star": 700.0}
    why = (
        f"the best R_N_star is {size.params['R_N_star']:.3g}, its objective {size.objective:.4f}; an R2 of "
        f"{_r2(table, of_size, loose):.4f} is that of R_N_star = 700, hardly any decay, whose objective is "
        f"{value_at(of_size, table, loose, _GOAL):.4f}: no minimum"
    )
    only_data, only_size = (
        Protocol(DATASET, "182 runs, only tokens decay"),
        Protocol(DATASET, "182 runs, only parameters decay"),
    )
    return (
        only_data.relative("R_D_star", _DATA_ONLY, data.params["R_D_star"], within=5e-3),
        only_data.absolute(
            "R2", _R2_DATA_ONLY, _r2(table, of_data, dict(data.params)), within=1e-4
        ),
        only_size.absolute(
            "R2", _R2_SIZE_ONLY, _r2(table, of_size, dict(size.params)), within=1e-4, why=why
        ),
    )


paper = Paper(DATASET, "Muennighoff et al. 2023, arXiv 2305.16264", _rows, (DATASET,))
