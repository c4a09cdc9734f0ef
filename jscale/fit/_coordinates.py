"""The coordinates in which laws are fitted: anchored at the runs' own centre and free of bounds.

In raw units ``A`` and ``alpha`` of Chinchilla's law are correlated at 0.9995 and L-BFGS on them reaches the optimum from
no start at all; as "nats of the size term at the typical model" and ``alpha`` they are nearly independent.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core import expressions
from jscale.laws import Parameter, Record


class Coordinates(NamedTuple):
    """The map between a law's parameters and an unbounded vector, for one table of runs.

    Attributes:
        record: the law's record.
        centre: geometric mean and smallest value (``<name>_low``) of every input, and ``loss_min``.
    """

    record: Record
    centre: Mapping[str, float]

    def to_params(self, free: jax.Array) -> dict[str, jax.Array]:
        """Parameters by name from the free vector (k,)."""
        values = {p.name: p.role.support.to_natural(free[i]) for i, p in enumerate(self.record.parameters)}
        return self.from_coordinates(values)

    def from_coordinates(self, coordinates: Mapping[str, Any]) -> dict[str, Any]:
        """Parameters from their coordinates (plain ones are their own coordinate)."""
        plain = {p.name: coordinates[p.name] for p in self.record.parameters if p.role.anchor is None}
        scope = {**self.centre, **plain}
        return {
            p.name: plain[p.name] if p.name in plain else _value(p, coordinates[p.name], scope)
            for p in self.record.parameters
        }

    def to_free(self, params: Mapping[str, Any]) -> jax.Array:
        """The free vector (k,) of the parameters."""
        scope = {**self.centre, **params}
        return jnp.stack([jnp.asarray(p.role.support.to_free(_coordinate(p, scope))) for p in self.record.parameters])

    def anchor(self, parameter: Parameter, scope: Mapping[str, Any], field: str) -> Any:
        """One of the parameter's anchor expressions at the centre and at the plain parameters in ``scope``."""
        assert parameter.role.anchor is not None
        return expressions.evaluate(getattr(parameter.role.anchor, field), {**self.centre, **scope})


def at_runs(record: Record, inputs: Mapping[str, np.ndarray], loss: np.ndarray) -> Coordinates:
    """Coordinates centred on a table's inputs (name → (rows,)) and losses (rows,)."""
    centre: dict[str, float] = {"loss_min": float(loss.min())}
    for name, column in inputs.items():
        positive = bool((column > 0).all())
        centre[name] = float(np.exp(np.log(column).mean()) if positive else column.mean())
        centre[f"{name}_low"] = float(column.min())
    return Coordinates(record, centre)


def _value(parameter: Parameter, coordinate: Any, scope: Mapping[str, Any]) -> Any:
    anchor = parameter.role.anchor
    assert anchor is not None
    multiplies, plus, power = (expressions.evaluate(t, scope) for t in (anchor.multiplies, anchor.plus, anchor.power))
    if anchor.power != "1":
        coordinate = coordinate ** (1 / power)
    return (coordinate - plus) / multiplies


def _coordinate(parameter: Parameter, scope: Mapping[str, Any]) -> Any:
    value, anchor = scope[parameter.name], parameter.role.anchor
    if anchor is None:
        return value
    multiplies, plus, power = (expressions.evaluate(t, scope) for t in (anchor.multiplies, anchor.plus, anchor.power))
    value = value * multiplies + plus
    return value**power if anchor.power != "1" else value
