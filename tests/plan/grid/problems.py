"""Small random grids whose values are looked up in a table, and what is true of them."""

from typing import Any

import jax.numpy as jnp
import numpy as np

SHAPE = (6, 7, 5)
AXES = ("a", "b", "c")


def _entry(row, number, b, c):
    """An entry of a table; no axis may hold NaN, for which -1 stands."""
    entry = row[number, b.astype(jnp.int32), c.astype(jnp.int32)]
    return jnp.where(entry < 0, jnp.nan, entry)


def value(row, b, c):
    return _entry(row, 0, b, c)


def cost(row, b, c):
    return _entry(row, 1, b, c)


def third(row, b, c):
    return _entry(row, 2, b, c)


def allowed(row, b, c):
    return _entry(row, 3, b, c) > 0


def tables(seed: int) -> np.ndarray:
    """Three quantities and a mask (6, 4, 7, 5): few different numbers, so that many points tie.

    Some are NaN and some infinite.
    """
    random = np.random.default_rng(seed)
    # From nearly all points tied to nearly none.
    numbers = random.integers(0, 2 ** random.integers(1, 9), (SHAPE[0], 4, *SHAPE[1:])).astype(
        float
    )
    numbers[:, 0][random.random(SHAPE) < 0.1] = np.nan
    numbers[:, 0][random.random(SHAPE) < 0.05] = np.inf
    numbers[:, 1][random.random(SHAPE) < 0.05] = np.nan
    numbers[:, 3] = random.random(SHAPE) < 0.8
    return numbers


def axes(table: np.ndarray) -> dict[str, Any]:
    """The axes of a table; the first one carries it."""
    return {
        "a": {"a": np.arange(SHAPE[0]), "row": np.nan_to_num(table, nan=-1, posinf=np.inf)},
        "b": np.arange(SHAPE[1]),
        "c": np.arange(SHAPE[2]),
    }


def flat(table: np.ndarray, quantities: int) -> np.ndarray:
    """The values (points, quantities), infinite where infeasible."""
    values = np.stack([table[:, i].ravel() for i in range(quantities)], axis=-1)
    feasible = (table[:, 3].ravel() > 0) & np.all(values < np.inf, axis=1)
    return np.where(feasible[:, None], values, np.inf)


def best(values: np.ndarray, count: int) -> np.ndarray:
    """The indices of the smallest values, ties in order, without infinite ones."""
    order = np.argsort(values, kind="stable")[:count]
    return order[values[order] < np.inf]


def front(values: np.ndarray) -> np.ndarray:
    """The indices of the points that no other dominates, of equal ones the first."""
    kept = []
    for i, point in enumerate(values):
        as_small = np.all(values <= point, axis=1)
        smaller = as_small & np.any(values < point, axis=1)
        same_before = np.all(values[:i] == point, axis=1)
        if np.all(point < np.inf) and not smaller.any() and not same_before.any():
            kept.append(i)
    return np.asarray(sorted(kept, key=lambda i: (*values[i], i)), int)


def index(result) -> np.ndarray:
    """The indices of the points of a result."""
    places = tuple(np.asarray(result[name]).astype(int) for name in AXES)
    return np.ravel_multi_index(places, SHAPE)
