"""A user's own reduction."""

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
    result has the arrays of the last state.

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
        return f"Custom(name={self.name!r})"

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
