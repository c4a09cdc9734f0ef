"""What a grid computes at the points of a block, before it is compiled."""

import functools
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jscale._core.scope import default_settings, float64
from jscale.plan.gridsearch._axes import Axis
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
    def takes_nan(self) -> bool:
        """Whether a tile may be reduced before its NaN and −inf values are infeasible."""
        return all(reduction.takes_nan for reduction in self.reductions)

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


def evaluate(
    design: Design, shape: Sequence[int], fields: Fields, constants: Mapping[str, Any]
) -> tuple[dict[str, jax.Array], jax.Array]:
    """Every quantity and whether the constraints hold, at all points of a block.

    Each axis is one ``vmap``: what depends on one axis alone is computed once for its entries, and
    only sums and products of such terms at every point.

    Args:
        design: of the grid.
        shape: of the block.
        fields: of the entries of the block.
        constants: the parameters that are single numbers.
    """

    def point(fields: Fields, constants: Mapping[str, Any]) -> Any:
        values = dict(constants)
        for entry in fields:
            values |= entry
        return at_a_point(design.quantities, design.constraints, values)

    for axis in reversed(range(len(shape))):
        axes = tuple(0 if other == axis else None for other in range(len(shape)))
        point = jax.vmap(point, in_axes=(axes, None))
    return point(fields, constants)


def masked(
    values: dict[str, jax.Array], holds: jax.Array, objective: str, clean: bool
) -> dict[str, jax.Array]:
    """The values with an infinite objective at infeasible points.

    Unless ``clean``, an objective that is NaN or −inf is −inf: XLA's minimum on CPUs, unlike
    NumPy's, loses NaN and then sometimes the numbers beside it, too. It stays so whatever the other
    quantities are, as its NaN values are counted.
    """
    feasible = holds
    value = values[objective]
    if not clean:
        value = jnp.where(jnp.isnan(value), -jnp.inf, value)
    for name, each in values.items():
        if clean:
            feasible = feasible & jnp.isfinite(each)
        elif name != objective:
            feasible = feasible & (jnp.isfinite(each) | (value == -jnp.inf))
    return {**values, objective: jnp.where(feasible, value, jnp.inf)}


def block_of_fields(fields: Fields, start: jax.Array, block: Sequence[int]) -> Fields:
    """The entries of a block."""
    return tuple(
        {
            name: lax.dynamic_slice_in_dim(array, start[axis], count)
            for name, array in entries.items()
        }
        for axis, (entries, count) in enumerate(zip(fields, block, strict=True))
    )


def numbers_at_a_point(design: Design, axes: Sequence[Axis], constants: Mapping[str, Any]) -> float:
    """The numbers that the largest intermediate result of a point has.

    Raises:
        JscaleError: a function fails or does not return one number.
    """
    block = tuple(min(axis.size, 2) for axis in axes)
    fields = tuple(
        {name: array[:count] for name, array in axis.numbers.items()}
        for axis, count in zip(axes, block, strict=True)
    )
    with design.precision():
        dtype = np.dtype(design.dtype)
        cast = jax.tree.map(lambda x: np.asarray(x, dtype), (fields, dict(constants)))
        jaxpr = jax.make_jaxpr(functools.partial(evaluate, design, block))(*cast)
    return _largest(jaxpr.jaxpr) / np.prod(block)


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
