"""Sets of values that a parameter may take, with smooth maps to and from the real line."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jscale._core.arrays import as_float


def _array(x: ArrayLike) -> jax.Array:
    return jnp.asarray(as_float(x))


def _softplus_inverse(y: jax.Array) -> jax.Array:
    return y + jnp.log(-jnp.expm1(-y))


@dataclass(frozen=True)
class Support:
    """An open interval of real numbers with a smooth one-to-one map to the real line.

    Attributes:
        name: "real", "positive", "unit", "interval", "above" or "below".
        lower: infimum (open).
        upper: supremum (open).
        to_natural: free value → value in the set.
        to_free: value in the set → free value; infinite at the ends of the set and NaN outside.
    """

    name: str
    lower: float
    upper: float
    to_natural: Callable[[ArrayLike], jax.Array]
    to_free: Callable[[ArrayLike], jax.Array]

    def contains(self, value: ArrayLike) -> jax.Array:
        """Whether each entry of ``value`` lies strictly inside."""
        value = _array(value)
        return (value > self.lower) & (value < self.upper)

    def __repr__(self) -> str:
        if self.name in ("real", "positive", "unit"):
            return self.name
        return f"{self.name}({self.lower}, {self.upper})"


real = Support("real", -jnp.inf, jnp.inf, _array, _array)
positive = Support(
    "positive",
    0.0,
    jnp.inf,
    lambda free: jnp.exp(_array(free)),
    lambda value: jnp.log(_array(value)),
)


def interval(lower: float, upper: float) -> Support:
    """The open interval (lower, upper), by a scaled logistic map."""
    width = upper - lower

    def to_natural(free: ArrayLike) -> jax.Array:
        return lower + width * jax.nn.sigmoid(_array(free))

    def to_free(value: ArrayLike) -> jax.Array:
        value = _array(value)
        return jnp.log(value - lower) - jnp.log(upper - value)

    name = "unit" if (lower, upper) == (0.0, 1.0) else "interval"
    return Support(name, lower, upper, to_natural, to_free)


def above(lower: float) -> Support:
    """Numbers larger than ``lower``, by a softplus map.

    The map is linear far above ``lower``, so that large values stay well scaled.
    """

    def to_natural(free: ArrayLike) -> jax.Array:
        return lower + jax.nn.softplus(_array(free))

    def to_free(value: ArrayLike) -> jax.Array:
        return _softplus_inverse(_array(value) - lower)

    return Support("above", lower, jnp.inf, to_natural, to_free)


def below(upper: float) -> Support:
    """Numbers smaller than ``upper``, by a mirrored softplus map."""

    def to_natural(free: ArrayLike) -> jax.Array:
        return upper - jax.nn.softplus(-_array(free))

    def to_free(value: ArrayLike) -> jax.Array:
        return -_softplus_inverse(upper - _array(value))

    return Support("below", -jnp.inf, upper, to_natural, to_free)


unit = interval(0.0, 1.0)
negative = below(0.0)
