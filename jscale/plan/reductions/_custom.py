"""A user's own reduction."""

import functools
import hashlib
import re
import types
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from jscale.plan.reductions._protocol import GridView, Place, Reduction, State, Tile
from jscale.plan.reductions._reduced import Reduced
from jscale.plan.reductions._space import Space

Arrays = Mapping[str, Any]


class Custom(Reduction):
    """A reduction of three functions on states, which are dicts of arrays.

    Tiles are added in the order of the grid: ``state = merge(state, update(init(), …))``. The
    result has the arrays of the last state. A checkpoint resumes only with the same code of
    ``init`` and ``merge``, including the functions and values of their module that they use.

    Args:
        init: without arguments → the state of no points, name → array.
        update: ``(state, values, feasible)`` → state, in JAX. ``values`` maps quantities to arrays
            in the shape of a tile, the objective infinite where infeasible; ``feasible`` is a mask.
        merge: two states, of earlier and of later points → one, in NumPy.
        name: key of the result.

    Example:
        >>> import jax.numpy as jnp
        >>> import numpy as np
        >>> from jscale import plan
        >>> largest = plan.reductions.Custom(
        ...     init=lambda: {"value": -np.inf},
        ...     update=lambda state, values, feasible: {
        ...         "value": jnp.max(jnp.where(feasible, values["value"], state["value"]))
        ...     },
        ...     merge=lambda a, b: {"value": np.maximum(a["value"], b["value"])},
        ... )
        >>> cells = plan.grid(lambda x: x**2, {"x": np.arange(-3.0, 3.0)}, reduce=[largest])
        >>> float(cells["custom"]["value"])
        9.0
    """

    def __init__(
        self,
        init: Callable[[], Arrays],
        update: Callable[[Arrays, Mapping[str, jax.Array], jax.Array], Arrays],
        merge: Callable[[Arrays, Arrays], Arrays],
        name: str = "custom",
    ) -> None:
        self._init, self._update, self._merge = init, update, merge
        self.name = name

    def __repr__(self) -> str:
        # It stands in the job of a checkpoint, which must not go on with other functions; there,
        # ``update`` is part of the compiled program.
        return f"Custom(name={self.name!r}, code={_digest(self._init, self._merge)!r})"

    def init(self, space: Space) -> State:
        """The user's first state."""
        del space
        return _arrays(self._init())

    def update(self, tile: Tile) -> dict[str, jax.Array]:
        """The user's state of a tile."""
        return dict(self._update(self._init(), tile.values, tile.counted))

    def fold(self, state: State, part: State, place: Place) -> State:
        """Merge the state of a tile."""
        del place
        return _arrays(self._merge(state, part))

    def merge(self, first: State, second: State, space: Space) -> State:
        """Merge two states."""
        del space
        return _arrays(self._merge(first, second))

    def finish(self, state: State, grid: GridView) -> Reduced:
        """The last state."""
        del grid
        return Reduced(self.name, (), state)


def _arrays(state: Arrays) -> State:
    return {name: np.asarray(array) for name, array in state.items()}


def _digest(*functions: Any) -> str:
    """A short hash of what functions compute, as far as their code and what they refer to show."""
    content = hashlib.sha256()
    seen: set[int] = set()

    def add(thing: Any) -> None:
        if isinstance(thing, types.FunctionType):  # it may call itself
            if id(thing) in seen:
                return
            seen.add(id(thing))
        for part in _parts(thing):
            if isinstance(part, bytes):
                content.update(part)
            else:
                add(part)

    for function in functions:
        add(function)
    return content.hexdigest()[:16]


def _parts(thing: Any) -> tuple[Any, ...]:
    """What a function, its code or a value consists of, down to bytes."""
    if isinstance(thing, types.MethodType):
        return thing.__func__, thing.__self__
    if isinstance(thing, functools.partial):
        return thing.func, thing.args, thing.keywords
    if isinstance(thing, types.FunctionType):
        code, cells = thing.__code__, thing.__closure__ or ()
        used = [thing.__globals__[n] for n in code.co_names if n in thing.__globals__]
        values = [cell.cell_contents for cell in cells]
        return code, thing.__defaults__, thing.__kwdefaults__, *used, *values
    if isinstance(thing, types.CodeType):
        return thing.co_code, *thing.co_names, *thing.co_varnames, *thing.co_consts
    if isinstance(thing, np.ndarray | np.generic | jax.Array):
        array = np.asarray(thing)
        return f"{array.dtype}{array.shape}".encode(), array.tobytes()
    if isinstance(thing, tuple | list):
        return f"{len(thing)} of".encode(), *thing
    if isinstance(thing, dict):
        return f"{len(thing)} of".encode(), *thing, *thing.values()
    if isinstance(thing, set | frozenset):
        return tuple(sorted(repr(each).encode() for each in thing))
    # An address or a file is no part of the meaning.
    return (re.sub(r" at 0x[0-9a-f]+| from '.*'", "", repr(thing)).encode(),)
