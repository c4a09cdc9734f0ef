"""What the processes of ``jax.distributed`` tell one another: the job, and the states of groups."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np

from jscale._core.errors import JscaleError


class LostProcessError(JscaleError):
    """Another process has ended or does not answer.

    JAX's own end of a process waits for the others: up to five minutes, after which it aborts.

    Example:
        >>> import os
        >>> from jscale import plan
        >>> def searched(search):
        ...     try:
        ...         return search()
        ...     except plan.gridsearch.LostProcessError as error:
        ...         print(error)
        ...         os._exit(2)  # without the wait
        >>> searched(lambda: "the best point")
        'the best point'
    """


def check_job(digest: str) -> None:
    """Check that all processes have the same job; it also connects them.

    Connected processes wait for one another however long each computes; to connect they have half
    a minute, so that it is done before the work.

    Raises:
        JscaleError: one has another grid.
        LostProcessError: one does not answer.
    """
    jobs = _gather(np.frombuffer(bytes.fromhex(digest), np.uint8))
    different = [i for i, job in enumerate(jobs) if np.any(job != jobs[0])]
    if different:
        raise JscaleError(
            f"grid: process {different[0]} has another grid than process 0; expected the same "
            "axes, objective and reductions in all processes"
        )


def gather_states(states: dict[int, Any]) -> dict[int, Any]:
    """The states of all groups, from all processes; those of this one where it is alone.

    Args:
        states: group → reduction → name → array.

    Raises:
        LostProcessError: a process ended early.
    """
    if jax.process_count() == 1:
        return states

    content = np.frombuffer(_packed(states), np.uint8)
    sizes = _gather(np.asarray(len(content), np.int32)).ravel()
    filled = np.zeros(int(sizes.max()), np.uint8)
    filled[: len(content)] = content
    together: dict[int, Any] = {}
    for size, row in zip(sizes, _gather(filled), strict=True):
        together |= _unpacked(row[: int(size)].tobytes())
    return together


def _gather(array: np.ndarray) -> np.ndarray:
    """The array of every process (processes, …)."""
    from jax.experimental import multihost_utils

    with _lost_process():
        return np.asarray(multihost_utils.process_allgather(array))


@contextmanager
def _lost_process() -> Iterator[None]:
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        reason = str(error).partition("\n")[0].partition(" [type")[0]
        raise LostProcessError(
            "grid: another process has ended or does not answer; start all processes again, with "
            f"the same file to resume from, to go on from the finished groups ({reason})"
        ) from None


def _packed(states: dict[int, Any]) -> bytes:
    arrays = {
        f"{group}/{reduction}/{name}": array
        for group, state in states.items()
        for reduction, parts in state.items()
        for name, array in parts.items()
    }
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _unpacked(content: bytes) -> dict[int, Any]:
    states: dict[int, Any] = {}
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        for key in arrays.files:
            group, _, rest = key.partition("/")
            reduction, _, name = rest.rpartition("/")
            states.setdefault(int(group), {}).setdefault(reduction, {})[name] = arrays[key]
    return states
