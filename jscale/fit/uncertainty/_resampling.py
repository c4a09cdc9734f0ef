"""The tables of a bootstrap: how often each run counts, or which losses it is given."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.checks import check_key, check_whole_number
from jscale._core.errors import Argument, JscaleError
from jscale._core.programs import program
from jscale._core.text import shown
from jscale.fit.objective import (
    STUDENT_NU,
    Objective,
    Squares,
    StudentLikelihood,
    cluster_column,
    cluster_labels,
    median_of,
    pad,
    padded_size,
)
from jscale.fit.uncertainty._ends import student_quantile
from jscale.runs import Data, Runs

ResamplingKind = Literal["rows", "cluster", "wild", "parametric"]
RESAMPLING_KINDS = ("rows", "cluster", "wild", "parametric")
SYMMETRIC = ("wild", "parametric")
"""Kinds that draw errors as likely above the law as below."""
MULTIPLIERS = ("rademacher", "mammen")
MAX_DRAWS = 10_000_000
"""A larger number is a mistake: these take four minutes at 40,000 refits a second, and 80 MB a
parameter."""
_GOLDEN = (1 + 5**0.5) / 2

Draw = Callable[[jax.Array], tuple[jax.Array | None, jax.Array | None]]
"""From a key, one table: weights (rows,), or None where all runs count once, and losses or their
logarithms (rows,), or None for the observed ones."""


class Counts(NamedTuple):
    """Number of runs, and of the units that are drawn: runs or clusters."""

    runs: Any
    units: Any


def resampling_labels(table: Runs, data: Data, kind: str, by: str | None) -> np.ndarray | None:
    """Cluster of each run (rows,), counted from 0; None where runs are drawn one by one.

    Raises:
        JscaleError: a column for a kind without clusters, or clusters that the table does not have.
    """
    if kind not in ("cluster", "wild"):
        if by is not None:
            raise JscaleError(
                Argument("by", by),
                " belongs to ",
                Argument("kind", "cluster"),
                " and ",
                Argument("kind", "wild"),
                f", not to {shown(kind)}",
            )
        return None
    if by is None and kind == "wild":
        return None
    return cluster_labels(table, data, cluster_column(table, data, by))


def resampler(
    kind: str,
    observed: np.ndarray | jax.Array,
    predicted: np.ndarray | jax.Array,
    *,
    objective: Objective,
    parameters: Any,
    labels: np.ndarray | jax.Array | None,
    multipliers: str,
    sizes: np.ndarray | jax.Array | None = None,
    counts: Counts | None = None,
) -> Draw:
    """The function that draws one table from a key; losses may be traced.

    Args:
        kind: one of :data:`RESAMPLING_KINDS`.
        observed: (rows,) losses.
        predicted: (rows,) losses by the fitted law.
        objective: decides whether losses or their logarithms are compared, and the distribution of
            parametric noise.
        parameters: number of fitted parameters, for the degrees of freedom of the residuals.
        labels: (rows,) clusters, or None.
        multipliers: one of :data:`MULTIPLIERS`, for the wild bootstrap.
        sizes: (rows,) relative sizes of the errors, for the parametric bootstrap; None where all
            are equal.
        counts: of runs and units, where the rows are padded; the arrays may all be traced then.
    """
    rows = observed.shape[0]
    if counts is None:
        counts = Counts(rows, rows if labels is None else int(np.max(labels)) + 1)
    unit_of_row = jnp.arange(rows) if labels is None else jnp.asarray(labels)

    observed, predicted = jnp.asarray(observed), jnp.asarray(predicted)
    if objective.on == "log":
        observed, predicted = jnp.log(observed), jnp.log(predicted)
    residuals = observed - predicted

    def resample_units(key: jax.Array) -> tuple[jax.Array, None]:
        chosen = jax.random.randint(key, (rows,), 0, counts.units, jnp.int32)
        # As many draws as there are units; the others have an index that is dropped.
        kept = jnp.where(jnp.arange(rows) < counts.units, chosen, rows)
        return jnp.zeros(rows).at[kept].add(1.0, mode="drop")[unit_of_row], None

    def flip_residuals(key: jax.Array) -> tuple[None, jax.Array]:
        if multipliers == "rademacher":
            factor = jnp.where(jax.random.bernoulli(key, 0.5, (rows,)), 1.0, -1.0)
        else:
            negative = jax.random.bernoulli(key, _GOLDEN / 5**0.5, (rows,))
            factor = jnp.where(negative, 1 - _GOLDEN, _GOLDEN)
        return None, predicted + factor[unit_of_row] * residuals

    if kind != "parametric":
        return flip_residuals if kind == "wild" else resample_units

    relative = jnp.ones(rows) if sizes is None else jnp.asarray(sizes)
    noise = _parametric_noise(residuals, relative, objective, parameters, counts.runs)
    return lambda key: (None, predicted + noise(key))


def _parametric_noise(
    residuals: jax.Array, relative: jax.Array, objective: Objective, parameters: Any, runs: Any
) -> Callable[[jax.Array], jax.Array]:
    """The function that draws errors (rows,) of the residuals' size, in proportion to ``relative``.

    The size, of the first ``runs`` residuals, is scaled up by ``sqrt(n / (n - k))`` for the
    ``parameters`` that were fitted.
    """
    rows = residuals.shape[0]
    freedom = jnp.maximum(runs - parameters, 1)
    errors = jnp.abs(residuals) / relative
    if isinstance(objective, Squares):
        total = jnp.sum(jnp.where(jnp.arange(rows) < runs, errors, 0.0) ** 2)
        spread = jnp.sqrt(total / freedom)
        return lambda key: spread * relative * jax.random.normal(key, (rows,))

    df = objective.df if isinstance(objective, StudentLikelihood) else STUDENT_NU
    spread = median_of(errors, runs) / student_quantile(0.5, df) * (runs / freedom) ** 0.5
    return lambda key: spread * relative * jax.random.t(key, df, (rows,))


class Resampled(NamedTuple):
    """The arrays from which tables are drawn, padded.

    Attributes:
        observed: (rows,) losses.
        predicted: (rows,) by the law.
        labels: (rows,) clusters, or None.
        sizes: (rows,) relative sizes of the errors, or None.
        parameters: number of fitted parameters.
        counts: of runs and units.
    """

    observed: Any
    predicted: Any
    labels: Any
    sizes: Any
    parameters: Any
    counts: Counts


class Resampler(NamedTuple):
    """What draws the tables of a bootstrap, compiled for all tables of one padded size.

    Attributes:
        kind: one of :data:`RESAMPLING_KINDS`.
        objective: that is minimised.
        multipliers: one of :data:`MULTIPLIERS`.
        runs: the arrays.
    """

    kind: str
    objective: Objective
    multipliers: str
    runs: Resampled

    def table(self, key: jax.Array, index: int) -> tuple[Any, Any]:
        """Table number ``index``: see :data:`Draw`; padded."""
        return jax.tree.map(lambda leaf: leaf[0], self.tables(key, index, 1))

    def tables(self, key: jax.Array, first: int, size: int) -> tuple[Any, Any]:
        """``size`` tables from number ``first`` on, with a leading axis of tables."""
        return _tables(
            self.kind,
            self.objective,
            self.multipliers,
            size=size,
            runs=self.runs,
            numbers=(key, first),
        )


def padded_resampler(
    kind: str,
    observed: np.ndarray,
    predicted: np.ndarray,
    *,
    objective: Objective,
    parameters: int,
    labels: np.ndarray | None,
    multipliers: str,
    sizes: np.ndarray | None,
) -> Resampler:
    """The compiled form of :func:`resampler`, with the same arguments, for padded rows."""
    rows = len(observed)
    size = padded_size(rows)
    runs = Resampled(
        observed=pad(observed, size),
        predicted=pad(predicted, size),
        labels=None if labels is None else pad(labels, size),
        sizes=None if sizes is None else pad(sizes, size),
        parameters=parameters,
        counts=Counts(rows, rows if labels is None else int(labels.max()) + 1),
    )
    return Resampler(kind, objective, multipliers, runs)


@program("kind", "objective", "multipliers", "size")
def _tables(
    kind: str,
    objective: Objective,
    multipliers: str,
    *,
    size: int,
    runs: Resampled,
    numbers: tuple[jax.Array, Any],
) -> tuple[Any, Any]:
    draw = resampler(
        kind,
        runs.observed,
        runs.predicted,
        objective=objective,
        parameters=runs.parameters,
        labels=runs.labels,
        multipliers=multipliers,
        sizes=runs.sizes,
        counts=runs.counts,
    )
    key, first = numbers
    return jax.vmap(lambda i: draw(jax.random.fold_in(key, i)))(first + jnp.arange(size))


def check_draws(draws: Any) -> None:
    """Validate the number of refits of a bootstrap.

    Raises:
        JscaleError: not a whole number of at least 2, or a number that must be a mistake.
    """
    check_whole_number("draws", draws, at_least=2)
    if draws > MAX_DRAWS:
        raise JscaleError(f"must be at most {MAX_DRAWS:,}, not {draws:,}", argument="draws")


def check_resampling(draws: Any, key: Any, kind: str, multipliers: str) -> None:
    """Validate the arguments of a bootstrap.

    Raises:
        JscaleError: naming the argument and what was expected.
    """
    check_draws(draws)
    if kind not in RESAMPLING_KINDS:
        message = f"must be one of {', '.join(RESAMPLING_KINDS)}, not {shown(kind)}"
        raise JscaleError(message, argument="kind")
    if multipliers not in MULTIPLIERS:
        message = f"must be one of {', '.join(MULTIPLIERS)}, not {shown(multipliers)}"
        raise JscaleError(message, argument="multipliers")
    if multipliers != MULTIPLIERS[0] and kind != "wild":
        message = f" belongs to the kind 'wild', not to {shown(kind)}"
        raise JscaleError(Argument("multipliers", multipliers), message)
    check_key(key)
