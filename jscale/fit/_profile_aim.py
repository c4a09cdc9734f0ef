"""A target as a walk and a standard error take it: on a scale on which it has no bounds nearby."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.errors import JscaleError
from jscale.fit._intervals_fit import Quantity
from jscale.fit._profile_walk import Chosen, Derived, Target
from jscale.laws import LawFunction, describe


@dataclass(frozen=True)
class Aim:
    """A target as the walk takes it: compiled function, choice among the parameters, scale and range."""

    name: str
    function: Target
    choice: Any
    log: bool
    lower: float
    upper: float

    def natural(self, level: Any) -> Any:
        """The target itself from what the walk sees."""
        return np.exp(level) if self.log else np.asarray(level)


def aim_at(law: LawFunction, name: str, target: str | Quantity) -> Aim:
    """The target of a walk.

    Positive quantities are walked along their logarithm: parameters by their support, functions that say so.

    Raises:
        JscaleError: a function that JAX cannot follow, or that gives no real number.
    """
    record = describe(law)
    logs = tuple(p.support.lower == 0 and p.support.upper == np.inf for p in record.parameters)
    if isinstance(target, str):
        at = record.parameter_names.index(target)
        support = record.parameters[at].support
        choice = jnp.zeros(len(logs)).at[at].set(1.0)
        lower, upper = float(support.lower), float(support.upper)
        return Aim(name, Chosen(record.parameter_names, logs), choice, logs[at], lower, upper)
    _check(law, name, target)
    log = bool(getattr(target, "positive", False))
    return Aim(name, Derived(target, log), jnp.zeros(len(logs)), log, 0.0 if log else -np.inf, np.inf)


def _check(law: LawFunction, name: str, function: Quantity) -> None:
    """Trace a function once, before anything is computed with it.

    Raises:
        JscaleError: as :func:`aim_at`.
    """
    known = describe(law).parameter_names
    wanted = (
        f"target {name!r} must be a JAX function from a dict of the parameters ({', '.join(known)}) to one real number"
    )
    params = {each: jax.ShapeDtypeStruct((), jnp.result_type(float)) for each in known}
    try:
        found: Any = jax.eval_shape(function, params)
    except Exception as error:  # whatever a function of somebody else's may raise
        said = next(iter(str(error).splitlines()), "")
        raise JscaleError(f"{wanted}; it raised {type(error).__name__}: {said}"[:400]) from error
    shape, dtype = getattr(found, "shape", None), getattr(found, "dtype", None)
    if shape is None or dtype is None:
        raise JscaleError(f"{wanted}, not to a {type(found).__name__}")
    if shape != ():
        raise JscaleError(f"{wanted}, not to an array of shape {shape}")
    if not jnp.issubdtype(dtype, jnp.floating):
        raise JscaleError(f"{wanted}, not to one of type {dtype}")
