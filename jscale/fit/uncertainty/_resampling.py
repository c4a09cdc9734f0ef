"""The tables of a bootstrap: which runs count how often, or which losses they are given."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.checks import check_key
from jscale._core.errors import JscaleError
from jscale.fit.objective import Objective, Squares, StudentLikelihood, column_of, labels_of
from jscale.fit.uncertainty._student import student_quantile
from jscale.runs import Data, Runs

KINDS = ("rows", "cluster", "wild", "parametric")
MULTIPLIERS = ("rademacher", "mammen")
MOST_DRAWS = 10_000_000
"""Refits that are asked for by mistake: four minutes at 40,000 a second, and 80 MB a parameter."""
STUDENT_NU = 4.0
"""Degrees of freedom of the parametric bootstrap's noise for Huber losses, those of the
posterior's."""
_GOLDEN = (1 + 5**0.5) / 2

Draw = Callable[[jax.Array], tuple[jax.Array | None, jax.Array | None]]
"""From a key, one table: weights (rows,), or None where all runs count once, and losses or their
logarithms (rows,), or None where they are the observed ones."""


def clusters(table: Runs, data: Data, kind: str, by: str | None) -> np.ndarray | None:
    """The number of every run's cluster (rows,), counted from 0; None where every run stands for
    itself.

    Raises:
        JscaleError: clusters are asked for that the table does not name, or that are none.
    """
    if kind not in ("cluster", "wild"):
        if by is not None:
            raise JscaleError(
                f"by={by!r} belongs to kind='cluster' and kind='wild', not to {kind!r}"
            )
        return None
    if by is None and kind == "wild":
        return None
    return labels_of(table, data, column_of(table, data, by))


def drawing(
    kind: str,
    observed: np.ndarray | jax.Array,
    predicted: np.ndarray | jax.Array,
    *,
    goal: Objective,
    parameters: int,
    labels: np.ndarray | None,
    multipliers: str,
    sizes: np.ndarray | None = None,
) -> Draw:
    """The function that draws one table; losses may be traced.

    Args:
        kind: one of :data:`KINDS`.
        observed: (rows,) losses.
        predicted: (rows,) the same by the fitted law.
        goal: the objective: the scale on which it compares losses, and the noise that suits it.
        parameters: number of parameters, which have taken up some of the residuals' size.
        labels: (rows,) clusters, or None.
        multipliers: one of :data:`MULTIPLIERS`, for the wild bootstrap.
        sizes: (rows,) of the runs' errors relative to each other, for the parametric bootstrap;
            None where all are alike.
    """
    rows = observed.shape[0]
    observed, predicted = jnp.asarray(observed), jnp.asarray(predicted)
    units = rows if labels is None else int(labels.max()) + 1
    ours = jnp.arange(rows) if labels is None else jnp.asarray(labels)
    seen, fitted = (jnp.log(v) if goal.on == "log" else v for v in (observed, predicted))
    left = max(rows - parameters, 1)
    relative = jnp.ones(rows) if sizes is None else jnp.asarray(sizes)
    errors, normal = jnp.abs(seen - fitted) / relative, isinstance(goal, Squares)
    df = goal.df if isinstance(goal, StudentLikelihood) else STUDENT_NU
    if normal:
        spread = jnp.sqrt(jnp.sum(errors**2) / left)
    else:
        spread = jnp.median(errors) / student_quantile(0.5, df) * (rows / left) ** 0.5

    def counted(key: jax.Array) -> tuple[jax.Array, None]:
        chosen = jax.random.randint(key, (units,), 0, units, jnp.int32)
        return jnp.zeros(units).at[chosen].add(1.0)[ours], None

    def wild(key: jax.Array) -> tuple[None, jax.Array]:
        if multipliers == "rademacher":
            factor = jnp.where(jax.random.bernoulli(key, 0.5, (units,)), 1.0, -1.0)
        else:
            factor = jnp.where(
                jax.random.bernoulli(key, _GOLDEN / 5**0.5, (units,)), 1 - _GOLDEN, _GOLDEN
            )
        return None, fitted + factor[ours] * (seen - fitted)

    def simulated(key: jax.Array) -> tuple[None, jax.Array]:
        noise = jax.random.normal(key, (rows,)) if normal else jax.random.t(key, df, (rows,))
        return None, fitted + spread * relative * noise

    return {"rows": counted, "cluster": counted, "wild": wild, "parametric": simulated}[kind]


def check(draws: Any, key: Any, kind: str, multipliers: str) -> None:
    """Refuse what no bootstrap can be made of.

    Raises:
        JscaleError: naming the argument and what was expected.
    """
    if isinstance(draws, bool) or not isinstance(draws, int | np.integer) or draws < 2:
        raise JscaleError(f"draws must be a whole number of at least 2, not {draws!r}")
    if kind not in KINDS:
        raise JscaleError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
    if multipliers not in MULTIPLIERS:
        raise JscaleError(
            f"multipliers must be one of {', '.join(MULTIPLIERS)}, not {multipliers!r}"
        )
    if draws > MOST_DRAWS:
        raise JscaleError(f"draws must be at most {MOST_DRAWS:,}, not {draws:,}")
    if multipliers != MULTIPLIERS[0] and kind != "wild":
        raise JscaleError(
            f"multipliers={multipliers!r} belongs to the kind 'wild', not to {kind!r}"
        )
    check_key(key)
