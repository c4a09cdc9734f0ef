"""A law bound to the inputs of a plan; checks of its parameters and inputs; one dtype for all."""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.arrays import as_float
from jscale._core.checks import check_number, index_of_first, is_traced
from jscale._core.errors import Argument, JscaleError
from jscale._core.status import check
from jscale._core.text import enumerated
from jscale.laws import LawFunction, describe
from jscale.laws.declaration import Record, require_compilable, sum_label, sum_of_parts
from jscale.plan.costs import FULL_BITS

FEW = 512
"""Numbers of a plan's largest array up to which its programs are compiled without optimisations.

A joint plan of N, D and P is then found after 1 s in place of 3; a call takes twice as long, 13 ms
for this many draws.
"""
POST = "P_post"
"""The input for bits after training; all other bit inputs are training precisions."""


def check_params(law: LawFunction, params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of ``law`` in its own order.

    Raises:
        JscaleError: a parameter that is missing from or unknown to the law, or not a finite number;
            or JAX cannot compile the law.
    """
    record = describe(law)
    _require_compilable(law)
    if not isinstance(params, Mapping):
        raise JscaleError(
            f"must map the names of parameters to values, not be a {type(params).__name__}",
            argument="params",
        )
    _check_parameter_names(record, params)

    checked = {n: check_number(f"parameter {n}", params[n]) for n in record.parameter_names}
    for p in record.parameters:
        value = checked[p.name]
        # Draws outside the support get a status instead.
        if np.ndim(value) or is_traced(value):
            continue
        # The ends are allowed: they switch a term off.
        if not p.support.lower <= float(value) <= p.support.upper:
            raise JscaleError(
                f"law {record.name!r}: {p.name} = {value:g} lies outside its support, {p.support}"
            )
    return checked


@functools.lru_cache
def _require_compilable(law: LawFunction) -> None:
    """Trace a law once; later plans of the same law skip the check."""
    require_compilable(law, {})


def _check_parameter_names(record: Record, params: Mapping[str, Any]) -> None:
    missing = [name for name in record.parameter_names if name not in params]
    unknown = [str(name) for name in params if name not in record.parameter_names]
    faults = []
    if missing:
        faults.append(f"miss {enumerated(missing)}")
    if unknown:
        faults.append(f"have unknown {enumerated(unknown)}")
    if faults:
        expected = enumerated(record.parameter_names)
        raise JscaleError(
            f"law {record.name!r}: params {' and '.join(faults)} (its parameters: {expected})"
        )


def charged_bits(values: Mapping[str, Any], names: Iterable[str] = ("P_w", "P_a")) -> Any:
    """Bits that training is charged by: P, else the widest of the ``names``.

    Infinite bits stand for "not quantised" and are charged as 16, as those that are not given.
    """
    if "P" in values:
        return values["P"]
    given = [values.get(name, FULL_BITS) for name in names]
    return functools.reduce(
        jnp.maximum, [jnp.where(jnp.isinf(bits), FULL_BITS, bits) for bits in given]
    )


@dataclass(frozen=True)
class BoundLaw:
    """A law whose inputs a plan can set; hashable, so that compiled code is reused.

    Attributes:
        law: the law.
        tied: the bit inputs that the single precision P stands for; empty where there is no P.
        charged: the bit inputs by which training is charged, where P or one of them is planned.
    """

    law: LawFunction
    tied: tuple[str, ...]
    charged: tuple[str, ...] = ()

    def bits(self, values: Mapping[str, jax.Array]) -> jax.Array | None:
        """Bits that training is charged by: those of :func:`charged_bits`; None without any."""
        if "P" not in values and not self.charged:
            return None
        return charged_bits(values, self.charged)

    def loss(self, values: Mapping[str, jax.Array], params: Mapping[str, jax.Array]) -> jax.Array:
        """The law at ``values``: inputs by name, where ``P`` stands for every tied bit input."""
        inputs = {name: value for name, value in values.items() if name != "P"}
        if self.tied:
            inputs |= dict.fromkeys(self.tied, values["P"])
        return self.law(**inputs, **params)


def bind(law: LawFunction, fixed: Iterable[str], free: Iterable[str]) -> BoundLaw:
    """The law with its inputs matched to the fixed and the free variables of a plan.

    Raises:
        JscaleError: a name that is not an input, a required input without a value, or P together
            with one of the inputs that it stands for.
    """
    record = describe(law)
    fixed, free = set(fixed), set(free)
    if both := sorted(free & fixed):
        raise JscaleError(f"{enumerated(both)} cannot be both free and given")

    tied = ()
    if "P" in fixed | free:
        tied = tuple(name for name in record.bit_inputs if name != POST)
        if not tied:
            raise JscaleError(
                f"law {record.name!r} has no training precision, so there is no P to plan with"
            )
    if parts := sorted(fixed & set(tied)):
        raise JscaleError(
            f"P stands for {enumerated(tied)}: give either P or {enumerated(parts)}, not both"
        )

    names = (fixed | free) - {"P"}
    if unknown := sorted(names - set(record.input_names)):
        raise JscaleError(
            f"law {record.name!r} has no input {enumerated(unknown)} "
            f"(it has: {enumerated(record.input_names)})"
        )
    required = [i.name for i in record.inputs if i.default is None]
    if missing := [name for name in required if name not in {*names, *tied}]:
        raise JscaleError(f"law {record.name!r} also needs {enumerated(missing)}: give it by name")
    given = set(tied) | names
    charged = record.charged_bits if given & set(record.charged_bits) else ()
    return BoundLaw(law, tied, charged)


def check_inputs(law: LawFunction, values: Mapping[str, Any]) -> dict[str, Any]:
    """The fixed inputs, each in the range of its role; infinite bits mean full precision.

    Raises:
        JscaleError: text, NaN, or a value out of range.
    """
    record = describe(law)
    roles = {i.name: i.role for i in record.inputs}
    checked = {}
    for name, value in values.items():
        role = roles.get(name)
        if role is None:  # P, one precision for several inputs
            checked[name] = check_number(name, value, above=0.0)
            continue
        lower = role.support.lower if role.limits is None else -np.inf
        checked[name] = check_number(name, value, above=lower, infinite=np.inf in role.ends)
        if role.limits is not None and not is_traced(value):
            entries = np.asarray(checked[name], dtype=np.float64)
            invalid = ~role.allows(entries)
            if invalid.any():
                place, value = index_of_first(invalid), entries[invalid][0]
                raise JscaleError(f"{name}{place} must be {role.expected}, not {value:g}")

    total = None if is_traced(checked) else sum_of_parts(record, checked)
    if total is not None and total.invalid.any():
        label = f"{sum_label(total.names)}{index_of_first(total.invalid)}"
        first = total.total[total.invalid][0]
        raise JscaleError(f"{label} must be {total.expected}, not {first:g}")
    return checked


def to_arrays(*trees: Any) -> Any:
    """The trees with every leaf a JAX array of one floating dtype.

    It is the widest dtype among arrays with a dtype of their own, else JAX's default, and never
    wider than that.

    Raises:
        JscaleError: a number too large for that dtype.
    """
    leaves, structure = jax.tree.flatten(trees)
    own = [np.dtype(leaf.dtype) for leaf in leaves if _has_own_dtype(leaf)]
    default = np.dtype(jnp.result_type(float))
    # float64 data in float32 mode are computed in float32.
    size = min(default.itemsize, max((d.itemsize for d in own), default=default.itemsize))
    dtype = default if size == default.itemsize else np.dtype(np.float32)

    largest = float(jnp.finfo(dtype).max)
    for leaf in leaves:
        if is_traced(leaf):
            continue
        sizes = np.abs(np.asarray(leaf, np.float64))
        if np.any(np.isfinite(sizes) & (sizes > largest)):
            raise JscaleError(
                f"{np.max(sizes):g} is too large for {dtype.name}: use JAX's float64 mode"
            )
    return structure.unflatten([jnp.asarray(as_float(leaf)).astype(dtype) for leaf in leaves])


def _has_own_dtype(leaf: Any) -> bool:
    """Whether ``leaf`` sets a precision: floating arrays do, Python and numpy scalars do not."""
    if isinstance(leaf, jax.Array):
        is_array = not leaf.weak_type
    else:
        is_array = isinstance(leaf, np.ndarray) and leaf.ndim > 0
    return is_array and jnp.issubdtype(leaf.dtype, jnp.floating)


def check_status(status: jax.Array, what: str) -> None:
    """Raise JscaleError unless every solve converged; ``what`` names them."""
    if is_traced(status):
        raise JscaleError(
            Argument("throw", True),
            " works outside of jit and vmap only: check the status of the result instead",
        )
    check(status, what)
