"""Test points: published constants and draws from the start ranges, at corners of a wide grid."""

import functools
import itertools
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import jax
import jax.numpy as jnp
import mpmath
import numpy as np

from jscale import laws
from jscale._core import expressions
from jscale._core.scope import float64
from tests.laws.exact_functions import EXACT_FUNCTIONS

DTYPES = ("float32", "float64")
DRAWS = 2

LOSS_MIN = 3.0


def in_dtype(dtype: str):
    """The scope in which ``dtype`` is what JAX computes in."""
    return float64() if dtype == "float64" else nullcontext()


def typical(law: laws.LawFunction) -> dict[str, float]:
    """Inputs in the middle of the grid; quantised after training to half the bits of training."""
    inputs = {i.name: i.role.typical for i in laws.describe(law).inputs}
    return {**inputs, "P_post": 4.0} if "P_post" in inputs else inputs


def grid(law: laws.LawFunction) -> dict[str, np.ndarray]:
    """Every combination of the corners of the inputs, (points,) each."""
    record = laws.describe(law)
    mesh = np.meshgrid(*(i.role.ends for i in record.inputs), indexing="ij")
    return {i.name: axis.ravel() for i, axis in zip(record.inputs, mesh, strict=True)}


def centre(record: laws.Record) -> dict[str, float]:
    """The values of a table of runs that anchors use."""
    middle = {i.name: i.role.typical for i in record.inputs}
    lowest = {f"{i.name}_low": i.role.ends[0] for i in record.inputs}
    return {**middle, **lowest, "loss_min": LOSS_MIN, "floor_max": LOSS_MIN}


def anchored(
    record: laws.Record, parameter: laws.Parameter, scope: Mapping[str, Any]
) -> tuple[Any, Any, Any]:
    """``multiplies``, ``plus`` and ``power`` of a parameter's anchor.

    Evaluated at the centre of the runs and the parameters in ``scope``.
    """
    anchor = parameter.role.anchor
    if anchor is None:
        return 1.0, 0.0, 1.0
    at = {**centre(record), **scope}
    return tuple(
        expressions.evaluate(text, at) for text in (anchor.multiplies, anchor.plus, anchor.power)
    )


def to_coordinates(record: laws.Record, params: Mapping[str, Any]) -> dict[str, Any]:
    """The coordinates of the parameters (see ``Anchor``)."""
    out = {}
    for p in record.parameters:
        multiplies, plus, power = anchored(record, p, params)
        out[p.name] = (params[p.name] * multiplies + plus) ** power
    return out


def from_coordinates(record: laws.Record, coordinates: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters at given coordinates."""
    out: dict[str, Any] = {}
    for p in record.in_order_of_anchors:
        multiplies, plus, power = anchored(record, p, out)
        out[p.name] = (coordinates[p.name] ** (1 / power) - plus) / multiplies
    return {p.name: out[p.name] for p in record.parameters}


def drawn_coordinates(record: laws.Record, seed: int) -> dict[str, float]:
    """Coordinates from the start ranges."""
    rng = np.random.default_rng(seed)
    return {p.name: float(rng.uniform(*p.role.start)) for p in record.parameters}


@functools.cache
def thetas(law: laws.LawFunction) -> tuple[tuple[str, dict[str, float]], ...]:
    """Every published set of constants, and ``DRAWS`` draws that float32 can represent."""
    record = laws.describe(law)
    published = [(name, laws.params(law, name)) for name in record.published]
    drawn = []
    for seed in itertools.count():
        with float64():
            params = {
                k: float(v)
                for k, v in from_coordinates(record, drawn_coordinates(record, seed)).items()
            }
        # A start range of exponents down to 0.01 makes a scale such as N_c astronomically large.
        if max(map(abs, params.values())) < 1e30:
            drawn.append((f"draw{seed}", params))
        if len(drawn) == DRAWS:
            break
    return (*published, *drawn)


def cast(values: Mapping[str, Any], dtype: str) -> dict[str, jax.Array]:
    """The values as JAX arrays of ``dtype``."""
    return {name: jnp.asarray(value, dtype) for name, value in values.items()}


_EXACT: Mapping[str, Any] = {
    **{
        name: getattr(mpmath, name)
        for name in ("exp", "expm1", "log", "log1p", "log10", "sqrt", "tanh")
    },
    "log2": lambda x: mpmath.log(x, 2),
    "ndtr": mpmath.ncdf,
    "minimum": min,
    "maximum": max,
    "where": lambda c, x, y: x if c else y,
    "root": lambda f, lower, upper: mpmath.findroot(f, (lower, upper), solver="anderson"),
    "inf": mpmath.inf,
}


def exactly(record: laws.Record, values: Mapping[str, Any]) -> np.ndarray:
    """The law's formula at every point of ``values``, in 40 digits, independent of its code."""
    columns = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(v, np.float64)) for v in values.values())
    )
    own = {**_EXACT, **EXACT_FUNCTIONS.get(record.name, {})}
    with mpmath.workdps(40):
        points = [
            dict(zip(values, map(mpmath.mpf, row), strict=True))
            for row in zip(*columns, strict=True)
        ]
        return np.array([float(record.evaluate({**point, **own})) for point in points])
