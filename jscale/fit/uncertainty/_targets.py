"""A target as a walk and a standard error take it: on a scale on which it has no bounds nearby."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.errors import JscaleError
from jscale.laws import LawFunction, describe

Quantity = Callable[[Mapping[str, Any]], Any]
"""A number made of the parameters, in JAX: parameters by name → scalar."""


@dataclass(frozen=True)
class Chosen:
    """One of the parameters of a law, the same compiled program for all; ``logs`` says which on a
    logarithmic scale.
    """

    names: tuple[str, ...]
    logs: tuple[bool, ...]

    def __call__(self, params: Any, choice: jax.Array) -> jax.Array:
        """The chosen parameter; ``choice`` (k,) has a single 1."""
        values = [
            jnp.log(params[n]) if log else params[n]
            for n, log in zip(self.names, self.logs, strict=True)
        ]
        return jnp.sum(jnp.where(choice > 0, jnp.stack(values), 0.0))


@dataclass(frozen=True)
class Derived:
    """A function of the parameters, or its logarithm."""

    function: Callable[[Any], Any]
    log: bool

    def __call__(self, params: Any, choice: jax.Array) -> jax.Array:
        """The number; ``choice`` is not used."""
        del choice
        value = jnp.asarray(self.function(params))
        value = value.astype(jnp.result_type(float))
        return jnp.log(value) if self.log else value


Target = Chosen | Derived


@dataclass(frozen=True)
class TargetTransform:
    """A target as the walk takes it: compiled function, choice among the parameters, scale and
    range.
    """

    name: str
    function: Target
    choice: Any
    log: bool
    lower: float
    upper: float

    def natural(self, level: Any) -> Any:
        """The target itself from what the walk sees."""
        return np.exp(level) if self.log else np.asarray(level)


def target_transform(law: LawFunction, name: str, target: str | Quantity) -> TargetTransform:
    """The target of a walk.

    Positive quantities are walked along their logarithm: parameters by their support, functions
        that say so.

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
        return TargetTransform(
            name, Chosen(record.parameter_names, logs), choice, logs[at], lower, upper
        )
    _check(law, name, target)
    log = bool(getattr(target, "positive", False))
    return TargetTransform(
        name, Derived(target, log), jnp.zeros(len(logs)), log, 0.0 if log else -np.inf, np.inf
    )


def _check(law: LawFunction, name: str, function: Quantity) -> None:
    """Trace a function once, before anything is computed with it.

    Raises:
        JscaleError: as :func:`target_transform`.
    """
    known = describe(law).parameter_names
    wanted = f"target {name!r} must be a JAX function from a dict of the parameters ({', '.join(known)}) to one real number"
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


def named(law: LawFunction, targets: Any) -> dict[str, str | Quantity]:
    """Targets by name; all parameters for None.

    Args:
        law: a declared law.
        targets: a name or a function, several of them, or names → functions.

    Raises:
        JscaleError: a name that is no parameter, or something that is neither a name nor a
            function.
    """
    known = describe(law).parameter_names
    if targets is None:
        return {name: name for name in known}
    if isinstance(targets, Mapping):
        found = dict(targets)
    else:
        several = [targets] if isinstance(targets, str) or callable(targets) else list(targets)
        found = {
            each if isinstance(each, str) else str(getattr(each, "__name__", each)): each
            for each in several
        }
        if len(found) < len(several):
            names = [str(getattr(each, "__name__", each)) for each in several]
            twice = next(name for name in names if names.count(name) > 1)
            raise JscaleError(
                f"targets: two are named {twice!r}; expected each under a name of its own"
            )
    if not found:
        raise JscaleError("targets is empty; expected at least one, or None for all parameters")
    for name, target in found.items():
        if isinstance(target, str) and target not in known:
            raise JscaleError(
                f"law {describe(law).name!r} has no parameter {target!r} (it has: {', '.join(known)}); any other "
                f"target is a function of the parameters, such as assess.quantity(law, {target!r}) gives"
            )
        if not (isinstance(target, str) or callable(target)):
            raise JscaleError(
                f"target {name!r} must be a parameter or a function of the parameters, not {target!r}"
            )
    return found
