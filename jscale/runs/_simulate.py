"""``simulate``: runs drawn from a law, for tests, for design and for teaching."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.arrays import standard_normal
from jscale._core.checks import check_key
from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.programs import program
from jscale._core.scope import float64, in_float64
from jscale._core.supports import positive
from jscale._core.text import quote, quoted_names
from jscale.laws import LawFunction, as_law, describe
from jscale.runs._select import input_columns
from jscale.runs._table import Runs
from jscale.runs.reading import read

_LEAST_ROWS = 32
"""Designs are padded to this number of rows or a larger power of two: a program serves them all."""


@in_float64
def simulate(
    law: LawFunction | str,
    params: Mapping[str, Any],
    design: Mapping[str, Any] | Runs,
    *,
    noise: float,
    key: jax.Array,
    df: float | None = None,
) -> Runs:
    """Runs whose losses follow a law up to noise: ``loss = law(...) * exp(noise * z)``.

    A law of something else (an error, a score, a learning rate) fills the column of that name
    instead.

    The same key gives the same bytes, whatever the caller's JAX precision.

    Args:
        law: a declared law, or the name of one of the catalogue.
        params: parameter → value, natural scale.
        design: column → array of shape (rows,) as :func:`jscale.runs.read` accepts it, without
            losses; or a table, whose losses are replaced.
        noise: standard deviation of the log loss (for values of either sign: relative) for normal
            noise, scale of it for Student-t noise; 0 for none.
        key: a JAX random key.
        df: degrees of freedom of Student-t noise; None for normal noise.

    Raises:
        JscaleError: a parameter is missing or unknown, the design does not suit the law, the noise
            is negative, the key is invalid, or the law has no finite positive loss in some row.

    Example:
        >>> import jax
        >>> from jscale import laws, runs
        >>> design = {"N": [1e8, 1e9, 1e10], "D": [2e9, 2e10, 2e11]}
        >>> theta = laws.params(laws.chinchilla)
        >>> key = jax.random.key(0)
        >>> table = runs.simulate(laws.chinchilla, theta, design, noise=0.0, key=key)
        >>> table["loss"].round(2).tolist()
        [3.4, 2.53, 2.11]
    """
    law = as_law(law)
    record = describe(law)
    if set(params) != set(record.parameter_names):
        raise JscaleError(
            f"law {record.name!r} needs the parameters {quoted_names(record.parameter_names)}, "
            f"got {quoted_names(params)}"
        )
    _check_noise(noise, df)
    check_key(key)
    if not record.output.column:
        raise JscaleError(
            f"law {record.name!r} returns {record.output.meaning}, which no column of a table holds"
        )
    columns, name, headers = _design_columns(law, design)

    # A design is validated by the rules of any other table, with ones in place of the outcome.
    rows = np.shape(next(iter(columns.values())))[:1] or 1
    blank = _read({**columns, record.output.column: np.ones(rows)}, name, headers)
    inputs = input_columns(blank, law, np.ones(len(blank), dtype=bool), [])

    outcome = _draw(law, inputs, params, noise=noise, df=df, key=key)
    _check_outcome(law, outcome)
    table = _read({**columns, record.output.column: outcome}, name, headers)

    tails = "normal" if df is None else f"Student-t ({df:g} degrees of freedom)"
    message = (
        f"losses drawn from {quote(record.name)} with {tails} noise of {noise:g} on the log loss"
    )
    notes = (Note("simulated", "info", message), *table.notes)
    return replace(table, notes=notes, source=f"simulated {record.name}")


def _design_columns(
    law: LawFunction, design: Mapping[str, Any] | Runs
) -> tuple[dict[str, Any], str, Mapping[str, str]]:
    """The columns of a design, the name of the table, and the headers that its columns had."""
    if isinstance(design, Runs):
        return dict(design.columns), design.name, design.headers

    record = describe(law)
    if not design:
        raise JscaleError("the design is empty; expected a column for each input of the law")
    if record.output.column in design:
        raise JscaleError(
            f"the design has a column {quote(record.output.column)}, which simulate computes: "
            "leave it out"
        )
    return dict(design), f"simulated {record.name}", {}


def _read(columns: Mapping[str, Any], name: str, headers: Mapping[str, str]) -> Runs:
    """The table of some columns; ``headers`` are the names that those of another table had."""
    table = read(columns, name=name)
    return replace(table, headers={**table.headers, **headers})


def _draw(
    law: LawFunction,
    inputs: Mapping[str, np.ndarray],
    params: Mapping[str, Any],
    *,
    noise: float,
    df: float | None,
    key: jax.Array,
) -> np.ndarray:
    """The law's values times lognormal or log-t noise, shape (rows,), float64."""
    (rows,) = next(iter(inputs.values())).shape
    size = max(_LEAST_ROWS, 1 << (rows - 1).bit_length())
    columns = {name: np.resize(values, size) for name, values in inputs.items()}
    theta = {name: np.asarray(value, np.float64) for name, value in params.items()}
    with float64():
        if df is None:
            z = standard_normal(key, (rows,))
        else:
            z = np.asarray(jax.random.t(key, np.float64(df), (rows,)))
        errors = np.float64(noise) * np.resize(z, size)
        return np.asarray(_outcomes(law, columns, theta, errors))[:rows]


# Operation by operation, the first call of a precision law takes seconds.
@program("law")
def _outcomes(
    law: LawFunction,
    columns: Mapping[str, np.ndarray],
    theta: Mapping[str, np.ndarray],
    errors: np.ndarray,
) -> jax.Array:
    return jnp.broadcast_to(law(**columns, **theta), errors.shape) * jnp.exp(errors)


def _check_outcome(law: LawFunction, outcome: np.ndarray) -> None:
    """The law must have a finite value in every row, above 0 unless it may be of either sign."""
    record = describe(law)
    signed = record.output.support is not positive
    invalid = np.flatnonzero(~(np.isfinite(outcome) & (signed | (outcome > 0))))
    if len(invalid):
        row, kind = int(invalid[0]), record.output.name
        raise JscaleError(
            f"law {record.name!r} gives the {kind} {outcome[row]:g} in row {row + 1} of the "
            f"design; expected a finite {kind}{'' if signed else ' above 0'}"
        )


def _check_noise(noise: float, df: float | None) -> None:
    if not (isinstance(noise, int | float) and math.isfinite(noise) and noise >= 0):
        raise JscaleError(
            f"is {quote(noise)}; expected a standard deviation of the log loss, 0 or above",
            argument="noise",
        )
    if df is not None and not (isinstance(df, int | float) and df > 0):
        raise JscaleError(
            f"is {quote(df)}; expected degrees of freedom above 0, or None for normal noise",
            argument="df",
        )
