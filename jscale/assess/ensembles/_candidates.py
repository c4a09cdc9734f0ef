"""The candidates of an ensemble: laws that a table can fit, each with error models."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.text import shown
from jscale.fit import ErrorModel
from jscale.fit.errors import MIN_SPARE_RUNS, as_error_model, fitted_rows, smooth_errors
from jscale.laws import LawFunction, as_law, catalogue, describe
from jscale.runs import Runs, select

_BY_INPUTS = (
    (("N", "D", "U"), ("data_constrained", "overfitting_penalty")),
    (("N", "D", "P_post"), ("precision",)),
    (("N", "D", "P_a", "P_kv"), ("low_precision",)),
    (("N", "D", "P_w"), ("qat",)),
    (("N", "D", "G_granularity"), ("granular",)),
    (("N", "D", "sparsity"), ("sparse_moe",)),
    (("N", "D", "E_experts"), ("joint_moe",)),
    (("N", "D"), ("chinchilla", "coupled")),
    (("N", "E_experts"), ("routed", "routed_floor")),
    (("C",), ("power_compute",)),
    (("N",), ("power_size",)),
    (("D",), ("power_data",)),
)
"""Laws for tables in which these quantities vary; the first that applies."""


@dataclass(frozen=True)
class Candidate:
    """A law with an error model.

    Attributes:
        law: a declared law.
        errors: its error model.
        priors: of parameters, in place of the default ones; None for none.
    """

    law: LawFunction
    errors: ErrorModel
    priors: Any = None

    @property
    def name(self) -> str:
        """The law and the error model: ``coupled, student``."""
        return f"{describe(self.law).name}, {self.errors}"


def candidates_of(laws: Any, table: Runs, errors: Any) -> tuple[Candidate, ...]:
    """Every law with every error model.

    Args:
        laws: a declared law or its name in the catalogue, several, or None for those that suit the
            columns of the table.
        table: validated runs.
        errors: an error model or its text, several, or None for two: independent Student-t errors,
            and normal ones about the law and a discrepancy.

    Raises:
        JscaleError: no law suits the table, none is given, or one is given twice.
    """
    if not isinstance(table, Runs):
        kind = type(table).__name__
        message = f": expected a table of runs, as runs.read returns it, not a {kind}"
        raise JscaleError(message, argument="table")
    chosen = _laws_for(table) if laws is None else [as_law(law) for law in _listed(laws)]
    if not chosen:
        raise JscaleError(": expected at least one law", argument="laws")
    names = [describe(law).name for law in chosen]
    if repeated := [name for i, name in enumerate(names) if name in names[:i]]:
        raise JscaleError(f": {shown(repeated[0])} is given twice", argument="laws")

    outcomes = {describe(law).name: describe(law).output for law in chosen}
    for name, output in outcomes.items():
        if output.column != outcomes[names[0]].column:
            raise JscaleError(
                f": {names[0]!r} forecasts {outcomes[names[0]].meaning}, {name!r} forecasts "
                f"{output.meaning}; expected laws of one quantity",
                argument="laws",
            )

    candidates = []
    for law in chosen:
        models = _errors_for(law, table) if errors is None else _error_models(errors)
        candidates += [Candidate(law, model) for model in models]
    return tuple(candidates)


def _listed(values: Any) -> Sequence[Any]:
    several = isinstance(values, Iterable) and not isinstance(values, str)
    return list(values) if several else [values]


def _error_models(errors: Any) -> tuple[ErrorModel, ...]:
    models = tuple(as_error_model(each) for each in _listed(errors))
    if not models:
        raise JscaleError(": expected at least one error model", argument="errors")
    if len(set(models)) < len(models):
        repeated = next(each for i, each in enumerate(models) if each in models[:i])
        raise JscaleError(f": {shown(str(repeated))} is given twice", argument="errors")
    return models


def _laws_for(table: Runs) -> list[LawFunction]:
    asked = {name for needed, _ in _BY_INPUTS for name in needed}
    varying = {name for name in asked if _varies(table, name)}
    by_name = {describe(law).name: law for law in catalogue}
    for needed, names in _BY_INPUTS:
        if varying.issuperset(needed):
            return [by_name[name] for name in names]
    raise JscaleError(
        f"{table.name}: no law suits the columns, since none of N, D and C varies (it has: "
        f"{table.listing}); expected a law, such as chinchilla"
    )


def _errors_for(law: LawFunction, table: Runs) -> tuple[ErrorModel, ...]:
    """Independent Student-t errors, and the error model with a discrepancy where runs allow it."""
    smooth = smooth_errors(law, table, select(table, law))
    return (ErrorModel("student"), *([] if smooth is None else [smooth]))


def is_enough(candidate: Candidate, table: Runs) -> bool:
    """Whether there are runs enough for the law and for what the error model estimates."""
    data = select(table, candidate.law)
    least = len(describe(candidate.law).parameters) + MIN_SPARE_RUNS
    if candidate.errors.discrepancy is not None and len(data) < least:
        return False
    try:
        fitted_rows(candidate.law, table, data, candidate.errors)
    except JscaleError:  # too few clusters, groups or different inputs
        return False
    return True


def _varies(table: Runs, name: str) -> bool:
    if name not in table:
        return False
    values = table[name][table.kept]
    return values.dtype.kind == "f" and len(np.unique(values)) > 1
