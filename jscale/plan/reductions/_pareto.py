"""Which points of two or three quantities, all minimised, no other point improves upon."""

import numpy as np

from jscale.plan.reductions._protocol import State

_SHIELD = 64
"""Points of the front that every row is compared with first, of three quantities."""
_STEPS = 15
"""Bits of the number of steps of a staircase."""


class Staircase:
    """The smallest second quantity that points of a front reach with less than some first one.

    Numbers are looked up by the leading bits of their floating-point form, in a table: a search
    takes ten times as long.

    Args:
        front: (points, 2), in the order of the first quantity.
    """

    def __init__(self, front: np.ndarray) -> None:
        first = _ordered_bits(front[:, 0])
        self._low = first[0]
        self._shift = max(0, int(first[-1] - first[0]).bit_length() - _STEPS)
        step = (first - self._low) >> self._shift
        # By the last step that counts: none, those from the first on, and all of them.
        self._lowest = np.full(int(step[-1]) + 3, np.inf)
        np.minimum.at(self._lowest, step + 2, front[:, 1])
        self._lowest = np.minimum.accumulate(self._lowest)

    def above(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Points that the front certainly dominates; of the others some may be, too."""
        step = (_ordered_bits(first) - (self._low - (1 << self._shift))) >> self._shift
        return second > self._lowest.take(step, mode="clip")


def _ordered_bits(values: np.ndarray) -> np.ndarray:
    """Whole numbers in the order of floating-point ones, an equal share of them in every octave."""
    bits = np.ascontiguousarray(values, np.float64).view(np.int64)
    # Without the last bit, so that differences are whole numbers of 64 bits, too.
    return (bits ^ ((bits >> 63) & np.iinfo(np.int64).max)) >> 1


def seeds(points: np.ndarray, most: int) -> np.ndarray:
    """Numbers of points that exclude many of the others, at most so many of three quantities."""
    if points.shape[1] == 2:
        return union(no_points(2), points, np.arange(len(points)))["index"]
    ranks = np.argsort(np.argsort(points, axis=0, kind="stable"), axis=0)
    return np.argsort(ranks.sum(axis=1), kind="stable")[:most]


def no_points(quantities: int) -> State:
    """A front without points."""
    return {"values": np.empty((0, quantities)), "index": np.empty(0, np.int64)}


def dominated(points: np.ndarray, front: np.ndarray) -> np.ndarray:
    """Whether a point of the front is as small in all three quantities and smaller in one.

    Args:
        points: (points, 3).
        front: (others, 3), in the order of the first quantity and then of the next ones.
    """
    if not len(front) or not len(points):
        return np.zeros(len(points), bool)
    dominated = np.zeros(len(points), bool)
    steps = np.unique(np.linspace(0, len(front) - 1, min(_SHIELD, len(front))).astype(int))
    for others in (front[steps], front):
        for other in others:
            rest = np.flatnonzero(~dominated)
            near = points[rest]
            as_small = np.all(other <= near, axis=1) & np.any(other < near, axis=1)
            dominated[rest[as_small]] = True
    return dominated


def union(state: State, values: np.ndarray, index: np.ndarray) -> State:
    """The front of the points of a state and others."""
    values = np.concatenate([state["values"], values])
    index = np.concatenate([state["index"], index])
    if values.shape[1] == 2:
        # One sort leaves few points, which are then ordered by both quantities and their indices.
        order = np.argsort(values[:, 0])
        second = values[order, 1]
        order = order[second <= np.minimum.accumulate(second)]
        values, index = values[order], index[order]

    order = np.lexsort((index, *values.T[::-1]))
    values, index = values[order], index[order]
    # Equal points follow one another; the first in the order of the axes stays.
    new = np.ones(len(values), bool)
    new[1:] = np.any(values[1:] != values[:-1], axis=1)
    values, index = values[new], index[new]

    if values.shape[1] == 2:
        lowest = np.minimum.accumulate(values[:, 1])
        keep = np.ones(len(values), bool)
        keep[1:] = values[1:, 1] < lowest[:-1]
    else:
        keep = _first_front(values)
    return {"values": values[keep], "index": index[keep]}


def _first_front(values: np.ndarray) -> np.ndarray:
    """Which of different points, in the order of the first quantity, no other one dominates."""
    keep = np.zeros(len(values), bool)
    rest = np.arange(len(values))
    while len(rest):
        # Nothing before the first of the rest dominates it, and nothing behind it can.
        first = rest[0]
        keep[first] = True
        rest = rest[1:]
        rest = rest[~np.all(values[first] <= values[rest], axis=1)]
    return keep
