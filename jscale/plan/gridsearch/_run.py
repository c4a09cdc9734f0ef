"""Work through the tiles of a grid: in groups, on all devices and hosts, with a checkpoint.

The tiles are divided into groups whatever the number of devices and hosts. The tiles of a group are
folded into one state in their order, by one process, and the states of the groups are merged in
their order: the result is the same, bit by bit, wherever it was computed.
"""

import functools
import math
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.jobs import Checkpoint, Progress
from jscale.plan.gridsearch._processes import check_job, gather_states
from jscale.plan.gridsearch._program import NAN, Compiled
from jscale.plan.reductions import Place, State

_GROUPS = 256
_LEAST_TILES = 16
"""Tiles of a group, unless the grid has fewer."""
_STATES = 256 * 2**20
"""Bytes of the states of all groups, which are kept until the end."""
_LEAST_GROUPS = 4

_SHORT, _SHARE = 256, 0.1
"""Rows with so few points cost some eight times more a point than a whole tile; those of so large a
share of a tile are taken from it."""

States = dict[str, State]
"""The state of every reduction by name, and the number of NaN values."""


class _Rows:
    """The values at rows of a tile; of many short ones, from those of the whole tile.

    Args:
        compiled: programs and numbers.
        start: first entry of the tile along each axis.
    """

    def __init__(self, compiled: Compiled, start: tuple[int, ...]) -> None:
        self._compiled, self._start = compiled, start
        self._all: dict[str, np.ndarray] | None = None

    def __call__(self, numbers: np.ndarray) -> dict[str, np.ndarray]:
        """The values (rows, points of a row) of every quantity."""
        space = self._compiled.design.space
        length = math.prod(space.row)
        share = len(numbers) * length / math.prod(space.tile)
        if self._all is None and length <= _SHORT and share > _SHARE:
            self._all = self._compiled.values(self._start)
        if self._all is None:
            return self._compiled.rows(space.row_starts(self._start, numbers))
        points = space.row_points(numbers)
        return {name: array[points] for name, array in self._all.items()}


@dataclass
class Work:
    """A grid and how its computation is reported.

    Attributes:
        compiled: programs and numbers.
        resume: checkpoint file; None for none.
        job: what the file is about.
        progress: whether to draw a progress bar.
    """

    compiled: Compiled
    resume: str | os.PathLike[str] | None
    job: Mapping[str, Any] = field(default_factory=dict)
    progress: bool = False

    @functools.cached_property
    def groups(self) -> list[range]:
        """The tiles of every group."""
        tiles = self.compiled.design.space.tile_count
        size = sum(a.nbytes for state in self.init().values() for a in state.values())
        most = max(_LEAST_GROUPS, min(_GROUPS, _STATES // max(size, 1)))
        count = max(_LEAST_TILES, -(-tiles // most))
        return [range(first, min(first + count, tiles)) for first in range(0, tiles, count)]

    def init(self) -> States:
        """The state of no tiles."""
        space = self.compiled.design.space
        states = {each.name: each.init(space) for each in self.compiled.design.reductions}
        return {**states, NAN: {NAN: np.zeros((), np.int64)}}

    def fold(self, states: States, parts: Mapping[str, State], tile: int) -> States:
        """The states with a tile added."""
        space = self.compiled.design.space
        start = space.tile_start(tile)
        rows = _Rows(self.compiled, start)
        place = Place(space, start, self.compiled.design.quantities[0].name, rows)
        folded = {
            each.name: each.fold(states[each.name], dict(parts[each.name]), place)
            for each in self.compiled.design.reductions
        }
        nan = parts[NAN][NAN].astype(np.int64) if NAN in parts else np.int64(0)
        return {**folded, NAN: {NAN: states[NAN][NAN] + nan}}

    def settle(self, states: States) -> States:
        """The states at the end of a group."""
        design = self.compiled.design

        def evaluate(starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            values = self.compiled.rows(starts)[design.quantities[0].name]
            return values, design.space.row_indices(starts)

        settled = {
            each.name: each.settle(states[each.name], design.space, evaluate)
            for each in design.reductions
        }
        return {**states, **settled}

    def merge(self, first: States, second: States) -> States:
        """The states of two groups as one."""
        space = self.compiled.design.space
        merged = {
            each.name: each.merge(first[each.name], second[each.name], space)
            for each in self.compiled.design.reductions
        }
        return {**merged, NAN: {NAN: first[NAN][NAN] + second[NAN][NAN]}}


def run(work: Work) -> States:
    """The states of the whole grid.

    Raises:
        JscaleError: the checkpoint is another job's or cannot be written, or a process is lost.
    """
    rank, processes = jax.process_index(), jax.process_count()
    if processes > 1:
        check_job(work.compiled.digest())
    mine = range(rank, len(work.groups), processes)
    path = work.resume
    if path is not None and processes > 1:
        path = f"{os.fspath(path)}.{rank + 1}-of-{processes}"

    with Checkpoint(path, work.job) as checkpoint:
        loaded = {g: _loaded(checkpoint.find(_unit(g))) for g in mine}
        states = {g: state for g, state in loaded.items() if state is not None}
        todo = [g for g in mine if g not in states]
        space = work.compiled.design.space
        points = {
            g: sum(space.tile_points(space.tile_start(t)) for t in work.groups[g]) for g in mine
        }
        visible = work.progress and rank == 0
        with Progress(sum(points.values()), "grid", visible, unit="points") as progress:
            progress.advance(sum(points[g] for g in states))
            for group, state in _computed(work, todo, progress.advance):
                states[group] = state
                _save(checkpoint, group, state, path)
    states = gather_states(states)
    return functools.reduce(work.merge, (states[g] for g in range(len(work.groups))))


def _computed(
    work: Work, groups: list[int], advance: Callable[[int], None]
) -> Iterator[tuple[int, States]]:
    """Every group with its state, in order, while threads compute tiles ahead."""
    compiled = work.compiled
    space, width = compiled.design.space, compiled.mesh.size
    steps = [
        (g, work.groups[g][first : first + width])
        for g in groups
        for first in range(0, len(work.groups[g]), width)
    ]
    threads = max(2, -(-_cores() // width)) if len(steps) > 1 else 1
    with ThreadPoolExecutor(threads) as pool:
        pending: deque[Future[Any]] = deque()
        queue = iter(steps)
        try:
            state = work.init()
            for number, (group, tiles) in enumerate(steps):
                while len(pending) <= threads and (step := next(queue, None)) is not None:
                    pending.append(pool.submit(compiled.reduce, step[1]))
                for tile, parts in zip(tiles, pending.popleft().result(), strict=True):
                    state = work.fold(state, parts, tile)
                    advance(space.tile_points(space.tile_start(tile)))
                if number + 1 == len(steps) or steps[number + 1][0] != group:
                    yield group, work.settle(state)
                    state = work.init()
        finally:
            for future in pending:
                future.cancel()


def seconds_per_tile(compiled: Compiled) -> float:
    """The time that one tile takes on all devices, once compiled."""
    compiled.reduce([0])
    start = time.perf_counter()
    compiled.reduce([0])
    return (time.perf_counter() - start) / compiled.mesh.size / jax.process_count()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _unit(group: int) -> str:
    return f"group {group}"


def _save(checkpoint: Checkpoint, group: int, state: States, path: Any) -> None:
    """Write the state of a group.

    Raises:
        JscaleError: the file cannot be written.
    """
    arrays = {f"{name}/{key}": array for name, s in state.items() for key, array in s.items()}
    try:
        checkpoint.add(_unit(group), arrays)
    except OSError as error:
        raise JscaleError(
            f": {os.fspath(path)!r} cannot be written: {error.strerror or error}; the groups in it "
            "are whole, and the job resumes from them",
            argument="resume",
        ) from None


def _loaded(arrays: Mapping[str, np.ndarray] | None) -> States | None:
    if arrays is None:
        return None
    states: States = {}
    for name, array in arrays.items():
        reduction, _, key = name.rpartition("/")
        states.setdefault(reduction, {})[key] = array
    return states
