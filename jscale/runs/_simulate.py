"""``simulate``: runs drawn from a law, for tests, for design and for teaching."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.scope import float64
from jscale._core.supports import positive
from jscale._core.text import listing, quote
from jscale.laws import LawFunction, describe
from jscale.runs._select import input_columns
from jscale.runs._table import Runs
from jscale.runs.reading import read


def simulate(
    law: LawFunction,
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
        law: a declared law.
        params: parameter → value, natural scale.
        design: column → array of shape (rows,) as :func:`jscale.runs.read` takes it, without
            losses; or a table, whose losses are replaced.
        noise: standard deviation of the log loss (for values of either sign: relative) for normal
            noise, scale of it for Student-t noise; 0 for none.
        key: a JAX random key.
        df: degrees of freedom of Student-t noise; None for normal noise.

    Raises:
        JscaleError: a parameter is missing or unknown, the design does not suit the law, the noise
            is negative, the key is no key, or the law has no finite positive loss in some row.
    """
    record = describe(law)
    if set(params) != set(record.parameter_names):
        raise JscaleError(
            f"law {record.name!r} needs the parameters {listing(record.parameter_names)}, got {listing(params)}"
        )
    _check_noise(noise, df)
    _check_key(key)
    column, what = record.output.column, record.output.name
    if not column:
        raise JscaleError(
            f"law {record.name!r} returns {record.output.meaning}, which no column of a table holds"
        )
    headers: Mapping[str, str] = {}
    if isinstance(design, Runs):
        columns, name, headers = dict(design.columns), design.name, design.headers
    else:
        if not design:
            raise JscaleError("the design is empty; expected a column for each input of the law")
        columns, name = dict(design), f"simulated {record.name}"
        if column in columns:
            raise JscaleError(
                f"the design has a column {quote(column)}, which simulate computes: leave it out"
            )
    # Ones stand in until the law's own values are known: a design is checked by the rules of any
    # other table.
    like = next(iter(columns.values()))
    blank = _read({**columns, column: np.ones(np.shape(like)[:1] or 1)}, name, headers)
    inputs = input_columns(blank, law, np.ones(len(blank), dtype=bool), [])
    loss = _draw(law, inputs, params, noise=noise, df=df, key=key)
    signed = record.output.support is not positive
    bad = np.flatnonzero(~(np.isfinite(loss) & (signed | (loss > 0))))
    if len(bad):
        raise JscaleError(
            f"law {record.name!r} gives the {what} {loss[bad[0]]:g} in row {bad[0] + 1} of the design; "
            f"expected a finite {what}{'' if signed else ' above 0'}"
        )
    table = _read({**columns, column: loss}, name, headers)
    return _signed(table, record.name, noise, df)


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
    rows = (len(next(iter(inputs.values()))),)

    @jax.jit  # one program: operation by operation, the first call of a precision law takes seconds
    def losses(
        inputs: Mapping[str, jax.Array], theta: Mapping[str, jax.Array], key: jax.Array
    ) -> jax.Array:
        if df is None:
            z = jax.random.normal(key, rows, dtype=jnp.float64)
        else:
            z = jax.random.t(key, jnp.float64(df), rows, dtype=jnp.float64)
        return jnp.broadcast_to(law(**inputs, **theta), rows) * jnp.exp(noise * z)

    with float64():
        theta = {k: jnp.asarray(v, dtype=jnp.float64) for k, v in params.items()}
        return np.asarray(losses({k: jnp.asarray(v) for k, v in inputs.items()}, theta, key))


def _signed(table: Runs, law: str, noise: float, df: float | None) -> Runs:
    tails = "normal" if df is None else f"Student-t ({df:g} degrees of freedom)"
    note = Note(
        "simulated",
        "info",
        f"losses drawn from {quote(law)} with {tails} noise of {noise:g} on the log loss",
    )
    return replace(table, notes=(note, *table.notes), source=f"simulated {law}")


def _check_noise(noise: float, df: float | None) -> None:
    if not (isinstance(noise, int | float) and math.isfinite(noise) and noise >= 0):
        raise JscaleError(
            f"noise is {quote(noise)}; expected a standard deviation of the log loss, 0 or above"
        )
    if df is not None and not (isinstance(df, int | float) and df > 0):
        raise JscaleError(
            f"df is {quote(df)}; expected degrees of freedom above 0, or None for normal noise"
        )


def _check_key(key: Any) -> None:
    typed = isinstance(key, jax.Array) and jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    raw = hasattr(key, "dtype") and key.dtype == np.uint32 and np.shape(key) == (2,)
    if not (raw or (typed and np.shape(key) == ())):
        raise JscaleError("key is not a JAX random key; expected jax.random.key(seed)")
