"""What a grid computes at the points of a block, before it is compiled."""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jscale._core.programs import kept
from jscale._core.scope import default_settings, float64
from jscale.plan.gridsearch._axes import Axis
from jscale.plan.gridsearch._factors import Factors, factors
from jscale.plan.gridsearch._quantities import Quantity, at_a_point
from jscale.plan.reductions import Reduction, Space

DType = Literal["float32", "float64"]
Fields = tuple[dict[str, Any], ...]
"""The values of every axis: name → (entries, …)."""


@dataclass(frozen=True)
class Design:
    """All that a compiled program depends on except numbers; hashable.

    Attributes:
        space: the grid and its tiles.
        quantities: what is computed, the objective first.
        constraints: that make a point feasible.
        reductions: what is collected.
        dtype: of the computation.
    """

    space: Space
    quantities: tuple[Quantity, ...]
    constraints: tuple[Quantity, ...]
    reductions: tuple[Reduction, ...]
    dtype: DType

    @property
    def by_rows(self) -> bool:
        """Whether the reductions need nothing of a tile but the minima of its rows."""
        return all(reduction.by_rows for reduction in self.reductions)

    def precision(self) -> AbstractContextManager[None]:
        """The scope of the computation, for one thread."""
        return float64() if self.dtype == "float64" else _Float32()


class _Float32:
    """A scope in which JAX computes in float32."""

    def __enter__(self) -> None:
        self._scopes = (default_settings(), jax.enable_x64(False))
        for scope in self._scopes:
            scope.__enter__()

    def __exit__(self, *error: Any) -> None:
        for scope in reversed(self._scopes):
            scope.__exit__(*error)


def factored(
    design: Design, shape: Sequence[int], fields: Fields, constants: Mapping[str, Any]
) -> Factors:
    """What gives every quantity and whether the constraints hold, at all points of a block.

    Args:
        design: of the grid.
        shape: of the block.
        fields: of the entries of the block.
        constants: the parameters that are single numbers.
    """
    flat, structure = jax.tree.flatten((fields, dict(constants)))
    axes = [axis for axis, entries in enumerate(fields) for _ in entries]
    axes += [None] * len(constants)

    def point(*numbers: Any) -> Any:
        entries, values = jax.tree.unflatten(structure, numbers)
        return at_a_point(design.quantities, design.constraints, values | _joined(entries))

    return factors(point, flat, axes, shape)


def _joined(entries: Fields) -> dict[str, Any]:
    """The values of all axes."""
    return {name: value for axis in entries for name, value in axis.items()}


def masked(values: dict[str, jax.Array], holds: jax.Array, objective: str) -> dict[str, jax.Array]:
    """The values with an infinite objective at infeasible points."""
    feasible = holds
    for value in values.values():
        feasible = feasible & jnp.isfinite(value)
    return {**values, objective: jnp.where(feasible, values[objective], jnp.inf)}


def minimised(
    values: dict[str, jax.Array], holds: jax.Array, objective: str
) -> dict[str, jax.Array]:
    """The values, infinite at infeasible points, without NaN.

    An objective that is NaN or −inf is −inf where the constraints hold. It stays so whatever the
    other quantities are, as its NaN values are counted.
    """
    value = values[objective]
    value = jnp.where(jnp.isnan(value), -jnp.inf, value)
    feasible = holds
    for name, each in values.items():
        if name != objective:
            feasible = feasible & (jnp.isfinite(each) | (value == -jnp.inf))
    value = jnp.where(feasible, value, jnp.inf)
    others = {n: jnp.where(value < jnp.inf, v, jnp.inf) for n, v in values.items()}
    return {**others, objective: value}


def block_of_fields(fields: Fields, start: jax.Array, block: Sequence[int]) -> Fields:
    """The entries of a block."""
    return tuple(
        {
            name: lax.dynamic_slice_in_dim(array, start[axis], count)
            for name, array in entries.items()
        }
        for axis, (entries, count) in enumerate(zip(fields, block, strict=True))
    )


def size_of_a_point(
    design: Design, axes: Sequence[Axis], constants: Mapping[str, Any]
) -> tuple[float, int]:
    """The numbers that the largest intermediate result of a point has, and the length of its code.

    Raises:
        JscaleError: a function fails or does not return one number.
    """
    block = tuple(min(axis.size, 2) for axis in axes)
    dtype = np.dtype(design.dtype)
    fields = tuple(
        {
            name: jax.ShapeDtypeStruct((count, *array.shape[1:]), dtype)
            for name, array in sorted(axis.numbers.items())
        }
        for axis, count in zip(axes, block, strict=True)
    )
    numbers = {name: jax.ShapeDtypeStruct((), dtype) for name in sorted(constants)}
    key = (design, *(tuple(axis.items()) for axis in fields), tuple(numbers))

    def counted() -> Callable[[], tuple[float, int]]:
        length = 0

        def values(*arguments: Any) -> Any:
            nonlocal length
            cells = factored(design, block, *arguments)
            length = cells.length
            return cells.everywhere()

        with design.precision():
            largest = _largest(jax.make_jaxpr(values)(fields, numbers).jaxpr)
        return lambda: (largest / math.prod(block), length)

    return kept(key, counted)()


def _largest(jaxpr: Any) -> int:
    """Numbers of the largest array of a jaxpr and of those inside it."""
    largest = 1
    for equation in jaxpr.eqns:
        for variable in equation.outvars:
            largest = max(largest, int(np.prod(getattr(variable.aval, "shape", ()))))
        for value in equation.params.values():
            for inner in value if isinstance(value, tuple | list) else (value,):
                inner = getattr(inner, "jaxpr", inner)
                if hasattr(inner, "eqns"):
                    largest = max(largest, _largest(inner))
    return largest
