"""States of groups from all processes of ``jax.distributed``."""

import io
from typing import Any

import jax
import numpy as np

from jscale._core.errors import JscaleError


def everyone(states: dict[int, Any], count: int) -> dict[int, Any]:
    """The states of all groups, from all processes; those of this one where it is alone.

    Args:
        states: group → reduction → name → array.
        count: of groups.

    Raises:
        JscaleError: a process ended early.
    """
    if jax.process_count() == 1:
        return states

    from jax.experimental import multihost_utils

    content = np.frombuffer(_packed(states), np.uint8)
    try:
        sizes = np.asarray(multihost_utils.process_allgather(np.asarray(len(content), np.int32)))
        filled = np.zeros(int(sizes.max()), np.uint8)
        filled[: len(content)] = content
        gathered = np.asarray(multihost_utils.process_allgather(filled))
    except jax.errors.JaxRuntimeError as error:
        raise JscaleError(
            "grid: another process ended before its groups were done "
            f"({str(error).splitlines()[0][:200]}); start all of them again with the same ",
            "resume= to go on from the groups in the files",
        ) from None

    together: dict[int, Any] = {}
    for size, row in zip(sizes.ravel(), gathered, strict=True):
        together |= _unpacked(row[: int(size)].tobytes())
    assert len(together) == count
    return together


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
