"""The error model where the caller names none."""

from typing import NamedTuple

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.text import enumerated
from jscale.fit.errors._error_model import ErrorModel
from jscale.fit.errors._rows import fitted_rows
from jscale.laws import LawFunction, describe
from jscale.runs import Data, Runs

MIN_DIFFERENT = 12
"""Different inputs from which on a discrepancy is the default."""
MIN_SPARE_RUNS = 4
"""Runs beyond the law's parameters that a discrepancy needs."""
_SCALE_TERMS = ("C", "D/N")
"""What the scale of errors is a power of: small models scatter more, and so do models trained on
few tokens for their size (Chinchilla's runs below five tokens a parameter three times as much)."""


class DefaultErrors(NamedTuple):
    """The error model where the caller names none.

    Attributes:
        errors: the error model.
        notes: why it has no discrepancy; empty where it has one.
    """

    errors: ErrorModel
    notes: tuple[Note, ...] = ()


def default_errors(
    law: LawFunction, table: Runs, data: Data, *, is_pooled: bool = False
) -> DefaultErrors:
    """Normal errors about the law and a discrepancy, or Student-t errors where it is not for one.

    A discrepancy is the default of laws of the loss of which two inputs or more vary, none of them
    bits, given at least :data:`MIN_DIFFERENT` different inputs. Along one input it competes with
    the shape of the law. docs/forecasts.md, "The default error model", has the figures.

    Args:
        law: a declared law.
        table: the runs.
        data: the part of the table that the law uses.
        is_pooled: whether groups of runs have parameters of their own.
    """
    record = describe(law)
    varying = [name for name, values in data.inputs.items() if len(np.unique(values)) > 1]
    bits = [name for name in record.bit_inputs if name in varying]
    if record.output.column != "loss":
        return _independent("the law predicts something other than the loss")
    if is_pooled:
        return _independent("groups have parameters of their own")
    if bits:
        return _independent(f"{enumerated(bits)} varies" if len(bits) == 1 else "bits vary")
    if len(varying) < 2:
        return _independent("fewer than two inputs of the law vary")
    different = len(np.unique(np.stack(list(data.inputs.values()), axis=1), axis=0))
    if different < MIN_DIFFERENT:
        return _independent(
            f"the runs have {different} different inputs, fewer than {MIN_DIFFERENT}"
        )
    smooth = smooth_errors(law, table, data)
    if smooth is None:
        count = len(record.parameters)
        return _independent(
            f"{len(data)} runs are too few for {count} parameters and a discrepancy"
        )
    return DefaultErrors(smooth)


def smooth_errors(law: LawFunction, table: Runs, data: Data) -> ErrorModel | None:
    """Normal errors about the law and a discrepancy; None where the runs are too few for them.

    The scale of the errors is a power of the compute and of the tokens per parameter, as far as the
    table has them and they vary.

    Args:
        law: a declared law.
        table: the runs.
        data: the part of the table that the law uses.
    """
    record = describe(law)
    least = len(record.parameters) + MIN_SPARE_RUNS
    if record.output.column != "loss" or len(data) < least:
        return None
    terms = tuple(term for term in _SCALE_TERMS if _term_varies(table, data, term))
    errors = ErrorModel("normal", scale=terms, discrepancy=())
    try:
        fitted_rows(law, table, data, errors)
    except JscaleError:  # too few different inputs, or none that varies
        return None
    return errors


def _independent(reason: str) -> DefaultErrors:
    message = (
        f"independent errors (student) by default, as {reason}: bands are those of the law alone, "
        "which larger runs leave more often than they say; check them with a backtest"
    )
    return DefaultErrors(ErrorModel("student"), (Note("independent-errors", "info", message),))


def _term_varies(table: Runs, data: Data, term: str) -> bool:
    """Whether a column, or a ratio of two, is above zero and differs between the runs."""
    parts = term.split("/")
    if not all(part in table for part in parts):
        return False
    columns = [table[part][data.rows] for part in parts]
    if any(column.dtype.kind != "f" for column in columns):
        return False
    values = np.prod([x ** (1 - 2 * i) for i, x in enumerate(columns)], axis=0)
    return bool(np.all(values > 0)) and len(np.unique(np.round(np.log(values), 6))) > 1
