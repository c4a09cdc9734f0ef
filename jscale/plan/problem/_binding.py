"""What a plan is asked: a law, its parameters and the inputs that are given, checked and brought to
one dtype.
"""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.arrays import as_float
from jscale._core.checks import check_number, is_traced
from jscale._core.errors import JscaleError
from jscale._core.status import check
from jscale.laws import LawFunction, describe
from jscale.laws.declaration import require_compilable, sum_label, sum_of_parts

POST = "P_post"
"""The input that counts bits after training; all other bit inputs are the training precision."""


def _entry(wrong: np.ndarray) -> str:
    """Where the first true entry is, such as ``[2]``; empty for a scalar."""
    return "" if wrong.ndim == 0 else f"[{', '.join(map(str, np.argwhere(wrong)[0]))}]"


@functools.lru_cache
def _require_compilable(law: LawFunction) -> None:
    # Once a law: plans are asked again and again.
    require_compilable(law, {})


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
            f"params must map the names of parameters to values, not be a {type(params).__name__}"
        )
    missing = [n for n in record.parameter_names if n not in params]
    unknown = [str(n) for n in params if n not in record.parameter_names]
    if missing or unknown:
        lists = {"miss": missing, "have unknown": unknown}
        wrong = " and ".join(f"{verb} {', '.join(names)}" for verb, names in lists.items() if names)
        known = ", ".join(record.parameter_names) or "none"
        raise JscaleError(f"law {record.name!r}: params {wrong} (its parameters: {known})")
    checked = {n: check_number(f"parameter {n}", params[n]) for n in record.parameter_names}
    for p in record.parameters:
        # Draws outside have a status of their own. The ends are allowed: they switch a term off.
        value = checked[p.name]
        if (
            np.ndim(value) == 0
            and not is_traced(value)
            and not p.support.lower <= float(value) <= p.support.upper
        ):
            raise JscaleError(
                f"law {record.name!r}: {p.name} = {value:g} lies outside its support, {p.support}"
            )
    return checked


@dataclass(frozen=True)
class BoundLaw:
    """A law whose inputs a plan can set; hashable, so that compiled code is found again.

    Attributes:
        law: the law.
        tied: the bit inputs that the single precision P stands for; empty where there is no P.
    """

    law: LawFunction
    tied: tuple[str, ...]

    def loss(self, values: Mapping[str, jax.Array], params: Mapping[str, jax.Array]) -> jax.Array:
        """The law at ``values``: inputs by name, where ``P`` stands for every tied bit input."""
        bits = dict.fromkeys(self.tied, values["P"]) if self.tied else {}
        return self.law(**{k: v for k, v in values.items() if k != "P"}, **bits, **params)


def bind(law: LawFunction, given: Iterable[str], free: Iterable[str]) -> BoundLaw:
    """The law with its inputs matched to the names that a plan gives or seeks.

    Raises:
        JscaleError: a name that is no input, a required input that nobody gives, or P beside a part
            of it.
    """
    record = describe(law)
    given, free = set(given), set(free)
    if twice := sorted(free & given):
        raise JscaleError(f"{', '.join(twice)} cannot be both free and given")
    tied = tuple(n for n in record.bit_inputs if n != POST) if "P" in given | free else ()
    if "P" in given | free and not tied:
        raise JscaleError(
            f"law {record.name!r} has no training precision, so there is no P to plan with"
        )
    if parts := sorted(given & set(tied)):
        raise JscaleError(
            f"P stands for {', '.join(tied)}: give either P or {', '.join(parts)}, not both"
        )
    known = (given | free) - {"P"}
    if unknown := sorted(known - set(record.input_names)):
        raise JscaleError(
            f"law {record.name!r} has no input {', '.join(unknown)} (it has: {', '.join(record.input_names)})"
        )
    if missing := [
        i.name for i in record.inputs if i.default is None and i.name not in {*known, *tied}
    ]:
        raise JscaleError(f"law {record.name!r} also needs {', '.join(missing)}: give it by name")
    return BoundLaw(law, tied)


def check_inputs(law: LawFunction, values: Mapping[str, Any]) -> dict[str, Any]:
    """The given inputs, each a number in the range of its role; infinite bits mean full precision.

    Raises:
        JscaleError: text, NaN, or a value out of range.
    """
    record = describe(law)
    roles = {i.name: i.role for i in record.inputs}
    checked = {}
    for name, value in values.items():
        role = roles.get(name)  # P, one precision for several inputs, has none
        lower = 0.0 if role is None else role.support.lower if role.limits is None else -np.inf
        checked[name] = check_number(
            name, value, above=lower, infinite=role is not None and np.inf in role.ends
        )
        if role is not None and role.limits is not None and not is_traced(value):
            wide = np.asarray(checked[name], dtype=np.float64)
            if (wrong := ~role.allows(wide)).any():
                raise JscaleError(
                    f"{name}{_entry(wrong)} must be {role.expected}, not {wide[wrong][0]:g}"
                )
    if not is_traced(checked) and (found := sum_of_parts(record, checked)) and found.wrong.any():
        total = f"{sum_label(found.names)}{_entry(found.wrong)}"
        raise JscaleError(f"{total} must be {found.expected}, not {found.total[found.wrong][0]:g}")
    return checked


def to_arrays(*trees: Any) -> Any:
    """The trees with every leaf a JAX array of one floating dtype: the widest given, else JAX's
        default.

    Raises:
        JscaleError: a number too large for that dtype.
    """
    leaves, structure = jax.tree.flatten(trees)
    own = [np.dtype(leaf.dtype) for leaf in leaves if _has_own_dtype(leaf)]
    default = np.dtype(jnp.result_type(float))
    # Nothing is wider than JAX's default: float64 data in float32 mode are computed in float32.
    size = min(default.itemsize, max((d.itemsize for d in own), default=default.itemsize))
    dtype = default if size == default.itemsize else np.dtype(np.float32)
    largest = float(jnp.finfo(dtype).max)
    for leaf in leaves:
        if not is_traced(leaf):
            sizes = np.abs(np.asarray(leaf, np.float64))
            if np.any(np.isfinite(sizes) & (sizes > largest)):
                raise JscaleError(
                    f"{np.max(sizes):g} is too large for {dtype.name}: use JAX's float64 mode"
                )
    return structure.unflatten([jnp.asarray(as_float(leaf)).astype(dtype) for leaf in leaves])


def _has_own_dtype(leaf: Any) -> bool:
    """Whether ``leaf`` asks for a precision: floating arrays do, Python and numpy scalars adapt."""
    array = (
        not leaf.weak_type
        if isinstance(leaf, jax.Array)
        else isinstance(leaf, np.ndarray) and leaf.ndim > 0
    )
    return array and jnp.issubdtype(leaf.dtype, jnp.floating)


def check_status(status: jax.Array, what: str) -> None:
    """Raise JscaleError unless every solve converged; ``what`` names them."""
    if is_traced(status):
        raise JscaleError(
            "throw=True works outside of jit and vmap only: look at the status of the result instead"
        )
    check(status, what)
