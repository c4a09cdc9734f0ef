"""A target as a walk and a standard error take it: on a scale on which it has no bounds nearby."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

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
    """
    record = describe(law)
    logs = tuple(p.support.lower == 0 and p.support.upper == np.inf for p in record.parameters)
    if isinstance(target, str):
        at = record.parameter_names.index(target)
        support = record.parameters[at].support
        choice = jnp.zeros(len(logs)).at[at].set(1.0)
        lower, upper = float(support.lower), float(support.upper)
        return Aim(name, Chosen(record.parameter_names, logs), choice, logs[at], lower, upper)
    log = bool(getattr(target, "positive", False))
    return Aim(name, Derived(target, log), jnp.zeros(len(logs)), log, 0.0 if log else -np.inf, np.inf)
