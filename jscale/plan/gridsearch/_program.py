"""The compiled programs of a grid: one reduces a tile on every device, one evaluates rows."""

import functools
import hashlib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jscale._core.programs import kept
from jscale.plan.gridsearch._axes import Axis
from jscale.plan.gridsearch._design import (
    Design,
    DType,
    Fields,
    block_of_fields,
    factored,
    masked,
    minimised,
)
from jscale.plan.reductions import Space, Tile, row_minima

Shapes = tuple[tuple[tuple[tuple[str, tuple[int, ...]], ...], ...], tuple[str, ...]]
"""The names and shapes of the values of every axis, and the names of the constants."""
NAN = "nan"
"""Key of the number of NaN values of the objective in a tile."""

_AXIS = "tiles"
_PARTS, _CODE = 16, 256
"""The most parts of a row that are computed side by side, and the most code of all of them."""
_VECTOR = 8
"""The most numbers that a processor computes at once."""
_ROW_NUMBERS = 2**14
"""Points that one call of the row program evaluates, unless four rows have more."""
_FEW_ROWS = 16
"""Rows of a call that asks for no more: the best points of a small grid, whose short rows would
otherwise be padded to thousands (a search of 210 points then took 32 ms of CPU, not 10)."""


def _stored_tile(
    design: Design, fields: Fields, constants: Mapping[str, Any], start: jax.Array
) -> dict[str, dict[str, jax.Array]]:
    """What the reductions need of the tile at ``start``, from the values of all its points."""
    space, objective = design.space, design.quantities[0].name
    block = block_of_fields(fields, start, space.tile)
    points = factored(design, space.tile, block, constants).everywhere()
    # Several reductions read them, and have to read the very same numbers.
    raw, holds = lax.optimization_barrier(points)
    values = lax.optimization_barrier(masked(raw, holds, objective))

    inside = jnp.asarray(True)
    for axis, (size, padded) in enumerate(zip(space.sizes, space.padded, strict=True)):
        if padded > size:
            entries = start[axis] + lax.broadcasted_iota(
                jnp.int32, [n if a == axis else 1 for a, n in enumerate(space.tile)], axis
            )
            inside = inside & (entries < size)
    inside = jnp.broadcast_to(inside, space.tile)
    tile = Tile(space, objective, values, values[objective] < jnp.inf, inside)
    nan = jnp.isnan(raw[objective]) & holds & inside
    parts = {each.name: each.update(tile) for each in design.reductions}
    return {**parts, NAN: {NAN: jnp.sum(nan, dtype=jnp.int32)}}


def _fused_tile(
    design: Design, fields: Fields, constants: Mapping[str, Any], start: jax.Array
) -> dict[str, dict[str, jax.Array]]:
    """What the reductions need of the tile at ``start``, from the minima of its rows alone.

    A minimum is -inf where an objective of the row is NaN or -inf.
    """
    space, objective = design.space, design.quantities[0].name
    block = block_of_fields(fields, start, space.tile)
    values = factored(design, space.tile, block, constants)
    counts = _cut(space, values.length)

    # XLA does not reduce and evaluate in one loop, except sums of arrays, and its minimum loses
    # NaN. Equal parts of all rows are therefore compared with one another, point by point.
    lowest: dict[str, jax.Array] = {}
    for raw, holds in values.parts(space.rows, counts):
        part = minimised(raw, holds, objective)
        lowest = {
            name: jnp.where(value < lowest[name], value, lowest[name]) if lowest else value
            for name, value in part.items()
        }
    rest = space.shortened(counts)
    minima = {name: row_minima(rest, value) for name, value in lowest.items()}
    tile = Tile(space, objective, {}, jnp.zeros(0), jnp.zeros(0), minima)
    parts = {each.name: each.update(tile) for each in design.reductions}
    return {**parts, NAN: {"minima": minima[objective]}}


def most_parts(length: int) -> int:
    """The most parts of a row, given the length of the code of a point."""
    return max(1, min(_PARTS, _CODE // max(length, 1)))


def _cut(space: Space, length: int) -> tuple[int, ...]:
    """How many parts the entries of rows along each axis are cut into.

    Args:
        space: the grid.
        length: of the code of a point; that of all parts is limited, as it has to be compiled.
    """
    most = most_parts(length)
    inner = max((axis for axis, n in enumerate(space.tile) if n > 1), default=0)
    counts = []
    for axis, entries in enumerate(space.row):
        # Entries of the innermost axis are computed in vectors.
        units = entries if axis != inner else 1 if entries % _VECTOR else entries // _VECTOR
        count = max(k for k in range(1, most + 1) if units % k == 0)
        most //= count
        counts.append(count)
    return tuple(counts)


def _tile_program(design: Design, mesh: Mesh, clean: bool, shapes: Shapes) -> Any:
    """The program that reduces one tile on every device of a mesh, compiled.

    It takes the fields, the constants and the starts of the tiles (devices, axes), and returns for
    every reduction its parts with a leading axis of devices.
    """

    def local(fields: Fields, constants: Mapping[str, Any], starts: jax.Array) -> Any:
        tile = _stored_tile if clean else _fused_tile
        parts = tile(design, fields, constants, starts[0])
        return jax.tree.map(lambda part: part[None], parts)

    everywhere, split = PartitionSpec(), PartitionSpec(_AXIS)
    specs = (everywhere, everywhere, split)
    # Devices do not communicate, so that nothing is to be checked.
    mapped = jax.shard_map(local, mesh=mesh, in_specs=specs, out_specs=split, check_vma=False)
    starts = jax.ShapeDtypeStruct(
        (mesh.size, len(design.space.sizes)), jnp.int32, sharding=NamedSharding(mesh, split)
    )
    numbers = _structs(shapes, design.dtype, NamedSharding(mesh, everywhere))
    # The call of a compiled program takes half as long as that of a jitted function.
    return jax.jit(mapped).lower(*numbers, starts).compile(_options())


def _shapes(fields: Fields, constants: Mapping[str, Any]) -> Shapes:
    """The shapes of the numbers, hashable."""
    entries = tuple(tuple((n, a.shape) for n, a in sorted(axis.items())) for axis in fields)
    return entries, tuple(sorted(constants))


def _structs(shapes: Shapes, dtype: DType, sharding: NamedSharding) -> tuple[Fields, Any]:
    """The numbers, without their values, that a program takes."""

    def struct(shape: tuple[int, ...]) -> Any:
        return jax.ShapeDtypeStruct(shape, np.dtype(dtype), sharding=sharding)

    fields = tuple({name: struct(shape) for name, shape in axis} for axis in shapes[0])
    return fields, {name: struct(()) for name in shapes[1]}


def _row_program(design: Design) -> Any:
    """The program that evaluates rows on one device.

    It takes the fields, the constants and the starts (rows, axes) of :func:`_row_batch` rows, and
    returns quantity → (rows, points of a row), infinite where infeasible.
    """
    objective = design.quantities[0].name
    row = design.space.row

    def one(fields: Fields, constants: Mapping[str, Any], start: jax.Array) -> Any:
        values, holds = factored(
            design, row, block_of_fields(fields, start, row), constants
        ).everywhere()
        values = masked(values, holds, objective)
        feasible = values[objective] < jnp.inf
        return {name: jnp.where(feasible, value, jnp.inf).ravel() for name, value in values.items()}

    return jax.jit(jax.vmap(one, (None, None, 0)), compiler_options=_options())


def _values_program(design: Design) -> Any:
    """The program that evaluates a tile on one device: quantity → its values, as rows give them."""
    objective = design.quantities[0].name
    tile = design.space.tile

    def values(fields: Fields, constants: Mapping[str, Any], start: jax.Array) -> Any:
        values, holds = factored(
            design, tile, block_of_fields(fields, start, tile), constants
        ).everywhere()
        values = masked(values, holds, objective)
        feasible = values[objective] < jnp.inf
        return {name: jnp.where(feasible, value, jnp.inf) for name, value in values.items()}

    return jax.jit(values, compiler_options=_options())


def _row_batch(space: Space, rows: int) -> int:
    """Rows that one call of the row program evaluates, of those that are asked for."""
    most = max(4, _ROW_NUMBERS // math.prod(space.row))
    return min(most, _FEW_ROWS) if rows <= _FEW_ROWS else most


def _options() -> dict[str, str | bool] | None:
    """One thread a program on a CPU: tiles run side by side, and none waits for parts of another.

    The numbers then do not depend on the number of cores either.
    """
    return {"xla_cpu_multi_thread_eigen": False} if jax.default_backend() == "cpu" else None


def device_mesh() -> Mesh:
    """The devices of this process."""
    return Mesh(np.asarray(jax.local_devices()), (_AXIS,))


class Compiled:
    """The programs of a grid with its numbers on the devices.

    Args:
        design: of the grid.
        axes: with the numbers.
        constants: the parameters that are single numbers.
    """

    def __init__(
        self, design: Design, axes: Sequence[Axis], constants: Mapping[str, float]
    ) -> None:
        self.design, self.mesh = design, device_mesh()
        self._programs: dict[tuple[Any, ...], Any] = {}
        numbers = tuple(
            {name: _padded(array, count) for name, array in axis.numbers.items()}
            for axis, count in zip(axes, design.space.padded, strict=True)
        )
        dtype = np.dtype(design.dtype)
        cast = jax.tree.map(lambda x: np.asarray(x, dtype), (numbers, dict(constants)))
        self._shapes = _shapes(*cast)
        self._numbers = jax.device_put(cast, NamedSharding(self.mesh, PartitionSpec()))
        self._local = jax.device_put(cast, self.mesh.devices.flat[0])

    def _program(self, make: Callable[..., Any], *static: Any) -> Any:
        """The program that ``make`` makes of static arguments, unless it was made before."""
        key = (make, static[2:3])  # to compare whole designs takes longer than a small tile
        if key not in self._programs:
            self._programs[key] = kept((make, *static), lambda: make(*static))
        return self._programs[key]

    def reduce(self, tiles: Sequence[int]) -> list[dict[str, dict[str, np.ndarray]]]:
        """What the reductions need of tiles, at most one a device, in order."""
        parts = self._reduce(tiles, clean=not self.design.by_rows)
        if not self.design.by_rows:
            return parts
        # A tile with NaN values or −inf, which are both −inf here, is computed again without them.
        dirty = [bool((part.pop(NAN)["minima"] == -np.inf).any()) for part in parts]
        if any(dirty):
            cleaned = self._reduce(tiles, clean=True)
            return [c if d else p for p, c, d in zip(parts, cleaned, dirty, strict=True)]
        return parts

    def _reduce(self, tiles: Sequence[int], clean: bool) -> list[dict[str, dict[str, np.ndarray]]]:
        space = self.design.space
        with self.design.precision():
            starts = [space.tile_start(number) for number in tiles]
            starts += starts[-1:] * (self.mesh.size - len(tiles))
            program = self._program(_tile_program, self.design, self.mesh, clean, self._shapes)
            result = program(*self._numbers, np.asarray(starts, np.int32))
            arrays = jax.tree.map(np.asarray, result)
        return [jax.tree.map(lambda array, i=i: array[i], arrays) for i in range(len(tiles))]

    def rows(self, starts: np.ndarray) -> dict[str, np.ndarray]:
        """The quantities at rows: name → (rows, points of a row), infinite where infeasible."""
        chunks = []
        batch = _row_batch(self.design.space, len(starts))
        with self.design.precision():
            program = self._program(_row_program, self.design)
            for begin in range(0, len(starts), batch):
                some = starts[begin : begin + batch]
                filled = np.zeros((batch, starts.shape[1]), np.int32)
                filled[: len(some)] = some
                result = program(*self._local, filled)
                chunks.append({name: np.asarray(a)[: len(some)] for name, a in result.items()})
        return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}

    def values(self, start: Sequence[int]) -> dict[str, np.ndarray]:
        """The quantities at the points of a tile, in order, as :meth:`rows` gives them.

        Terms of few axes are computed once for the tile here, and once for every row there.
        """
        with self.design.precision():
            program = self._program(_values_program, self.design)
            result = program(*self._local, np.asarray(start, np.int32))
            return {name: np.asarray(array).ravel() for name, array in result.items()}

    def digest(self) -> str:
        """A hash of everything that the result depends on: the functions and all numbers."""
        with self.design.precision():
            start = np.zeros((self.mesh.size, len(self.design.space.sizes)), np.int32)
            program = functools.partial(_stored_tile, self.design)
            jaxpr = jax.make_jaxpr(program)(*self._local, start[0])
        content = hashlib.sha256(re.sub(r"0x[0-9a-f]+", "", str(jaxpr)).encode())
        for constant in (*jaxpr.consts, *jax.tree.leaves(self._local)):
            content.update(np.asarray(constant).tobytes())
        return content.hexdigest()


def _padded(array: np.ndarray, count: int) -> np.ndarray:
    """The entries with the last one repeated up to ``count``."""
    return np.concatenate([array, np.repeat(array[-1:], count - len(array), axis=0)])
