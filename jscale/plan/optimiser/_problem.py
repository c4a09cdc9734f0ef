"""A problem in logarithmic coordinates: scaled objective, constraints, box."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jscale.plan.optimiser._functions import Named
from jscale.plan.optimiser._variables import Layout

Arrays = Mapping[str, jax.Array]


@dataclass(frozen=True)
class Problem:
    """What is fixed when the code is compiled.

    Attributes:
        objective: to minimise.
        constraints: the functions of the constraints.
        senses: ``<=``, ``>=`` or ``==`` of each.
        layout: the variables.
    """

    objective: Named
    constraints: tuple[Named, ...]
    senses: tuple[str, ...]
    layout: Layout

    @property
    def equalities(self) -> tuple[bool, ...]:
        """Whether each constraint is an equality."""
        return tuple(sense == "==" for sense in self.senses)

    @property
    def is_logarithmic(self) -> bool:
        """Whether the logarithm of the objective is minimised: costs span many decades."""
        return self.objective.structure is not None


class Data(NamedTuple):
    """The numbers of one problem, all scalars but for the trees of costs.

    Attributes:
        params: parameter → value.
        fixed: fixed or listed variable → value.
        lower: free variable → its least value.
        upper: free variable → its largest value.
        declared: free variable → whether the two were given, 1 or 0 each.
        bounds: of the constraints.
        leaves: numbers of the costs, the objective first; None for a function.
    """

    params: Arrays
    fixed: Arrays
    lower: Arrays
    upper: Arrays
    declared: Mapping[str, tuple[jax.Array, jax.Array]]
    bounds: tuple[jax.Array, ...]
    leaves: tuple[Any, ...]


@dataclass(frozen=True)
class Scaled:
    """A problem in coordinates: logarithms of the free numbers, log ratios of shares.

    Attributes:
        problem: names and functions.
        data: numbers.
        scale: unit of the objective.
    """

    problem: Problem
    data: Data
    scale: jax.Array

    def box(self) -> tuple[jax.Array, jax.Array]:
        """Lower and upper corner, shape (n,) each."""
        layout, dtype = self.problem.layout, self.scale.dtype
        shares = [layout.share_range] * (layout.size - len(layout.free))
        lower = [jnp.log(self.data.lower[name]) for name in layout.free]
        upper = [jnp.log(self.data.upper[name]) for name in layout.free]
        ends = [[*lower, *(-x for x in shares)], [*upper, *shares]]
        low, high = (jnp.stack([jnp.asarray(e, dtype) for e in end]) for end in ends)
        return low, high

    def values(self, x: jax.Array) -> dict[str, jax.Array]:
        """The variables by name at a point."""
        layout, values = self.problem.layout, dict(self.data.fixed)
        for i, name in enumerate(layout.free):
            values[name] = jnp.exp(x[i])
        start = len(layout.free)
        for name, size in layout.simplexes:
            ratios = jnp.concatenate([x[start : start + size - 1], jnp.zeros(1, x.dtype)])
            values[name] = jax.nn.softmax(ratios)
            start += size - 1
        return values

    def raw(self, x: jax.Array) -> tuple[jax.Array, list[jax.Array]]:
        """The objective and the functions of the constraints in their own units."""
        values, leaves = self.values(x), self.data.leaves
        problem, params = self.problem, self.data.params
        objective = problem.objective(values, params, leaves[0])
        pairs = zip(problem.constraints, leaves[1:], strict=True)
        return objective, [constraint(values, params, leaf) for constraint, leaf in pairs]

    @functools.cached_property
    def rows(self) -> Callable[[jax.Array], tuple[jax.Array, ...]]:
        """The scaled objective followed by the constraints, scalars, as a function of a point.

        The objective is in its unit, or is the logarithm of that. A constraint is at most 0, or
        equal to 0: the logarithm of the function relative to its bound, so that products of the
        variables are linear; relative to the bound where either is not above 0.
        """

        def rows(x: jax.Array) -> tuple[jax.Array, ...]:
            objective, functions = self.raw(x)
            bounds, senses = self.data.bounds, self.problem.senses
            excesses = map(relative_excess, functions, bounds, senses)
            first = objective / self.scale
            first = jnp.log(first) if self.problem.is_logarithmic else first
            return tuple(jnp.asarray(row, x.dtype) for row in (first, *excesses))

        return jax.jit(rows)  # traced once, not once for each of its copies and loops

    def objective(self, row: jax.Array) -> jax.Array:
        """The objective whose first row is ``row``."""
        return self.scale * (jnp.exp(row) if self.problem.is_logarithmic else row)

    def residuals(self, x: jax.Array) -> jax.Array:
        """:attr:`rows` as one array, shape (1 + m,)."""
        return jnp.stack(self.rows(x))


def relative_excess(value: jax.Array, bound: jax.Array, sense: str) -> jax.Array:
    """How far a constraint is exceeded: at most 0 where it holds."""
    both = (value > 0) & (bound > 0)
    ratio = jnp.where(both, value, 1.0) / jnp.where(both, bound, 1.0)
    size = jnp.where(bound == 0, 1.0, jnp.abs(bound))
    excess = jnp.where(both, jnp.log(ratio), (value - bound) / size)
    return -excess if sense == ">=" else excess


def lattice(count: int, size: int, dtype: Any) -> jax.Array:
    """``count`` points spread evenly over the unit cube, shape (count, size).

    A rank-one lattice with the powers of the root of ``x**(size + 1) = x + 1``.
    """
    root = 2.0
    for _ in range(50):
        root = (1 + root) ** (1 / (size + 1))
    steps = jnp.asarray([root ** -(j + 1) for j in range(size)], dtype)
    return (0.5 + jnp.arange(1, count + 1, dtype=dtype)[:, None] * steps) % 1.0


def stacked(parts: Sequence[jax.Array], dtype: Any) -> jax.Array:
    """Scalars as one array, of shape (0,) where there are none."""
    if not parts:
        return jnp.zeros(0, dtype)
    return jnp.stack([jnp.asarray(part, dtype) for part in parts])
