"""How functions are evaluated for many problems at once: on grids, and in parts kept apart."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import jax
import jax.numpy as jnp
from jax import lax

from jscale._core.jaxprs import by_logarithm

T = TypeVar("T")


def in_turn(parts: Sequence[Callable[[T], T]], state: T) -> T:
    """``parts[-1](… parts[0](state))``, each compiled on its own.

    XLA fuses element-wise code into every one of its consumers, where it is computed again: long
    code with many results then takes several times as long as its parts. A branch that is chosen
    while the program runs is compiled apart.

    Args:
        parts: functions that keep the structure, the shapes and the types of the state.
        state: a pytree of arrays.
    """
    return lax.fori_loop(0, len(parts), lambda i, each: lax.switch(i, parts, each), state)


def scan_box(
    function: Callable[[jax.Array], jax.Array],
    lower: jax.Array,
    upper: jax.Array,
    counts: Sequence[int],
) -> tuple[jax.Array, jax.Array]:
    """Value and position of the best point of a regular grid, with powers by logarithms.

    One row of the grid at a time, so that memory stays small under ``vmap``. Coordinates stay apart
    until they enter the function: XLA then evaluates what depends on one of them once a row.
    """
    fractions = [jnp.linspace(0, 1, n, dtype=lower.dtype) for n in counts]
    first, *others = (
        low + f * (high - low) for f, low, high in zip(fractions, lower, upper, strict=True)
    )

    def row(best, rest):
        values = by_logarithm(jax.vmap(lambda each: function(jnp.stack([each, *rest]))))(first)
        values = jnp.where(jnp.isnan(values), jnp.inf, values)
        lowest = jnp.argmin(values)
        improved = values[lowest] < best[0]
        value = jnp.where(improved, values[lowest], best[0])
        return (value, jnp.where(improved, jnp.stack([first[lowest], *rest]), best[1])), None

    outer = [m.ravel() for m in jnp.meshgrid(*others, indexing="ij")] if others else []
    initial = jnp.asarray(jnp.inf, lower.dtype), 0.5 * (lower + upper)
    if not outer:
        return row(initial, ())[0]
    return lax.scan(row, initial, tuple(outer))[0]
