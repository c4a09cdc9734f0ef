"""Numbers that a cost is asked with, and their quotient."""

from typing import Any

import jax
import numpy as np

from jscale._core.arrays import as_float
from jscale._core.errors import JscaleError
from jscale.plan._binding import check_number, is_traced


def positive(name: str, value: Any) -> Any:
    """``value`` as floats, each finite and above 0 where it can be seen."""
    return as_float(check_number(name, value, above=0.0))


def between(name: str, value: Any, least: float, most: float = np.inf) -> Any:
    """``value`` as floats, each finite and from ``least`` to ``most`` where it can be seen.

    Raises:
        JscaleError: naming the first entry that is not.
    """
    value = as_float(check_number(name, value))
    if is_traced(value):
        return value
    wide = np.asarray(value, np.float64)
    wrong = (wide < least) | (wide > most)
    if wrong.any():
        entry = "" if wide.ndim == 0 else f"[{', '.join(map(str, np.argwhere(wrong)[0]))}]"
        bounds = f"at least {least:g}" if most == np.inf else f"from {least:g} to {most:g}"
        raise JscaleError(f"{name}{entry} must be {bounds}, not {wide[wrong][0]:g}")
    return value


@jax.custom_jvp
def _divide(x: jax.Array, y: jax.Array) -> jax.Array:
    return x / y


@_divide.defjvp
def _divide_jvp(
    primals: tuple[jax.Array, ...], tangents: tuple[jax.Array, ...]
) -> tuple[jax.Array, jax.Array]:
    (x, y), (x_dot, y_dot) = primals, tangents
    quotient = _divide(x, y)
    return quotient, _divide(x_dot - quotient * y_dot, y)


def ratio(x: Any, y: Any) -> Any:
    """``x / y``, for JAX arrays without the powers of ``y`` in JAX's own derivatives.

    The second has ``y**-3``, which above 1e12 parameters underflows in float32 and takes the
    Hessian with it; the first has ``y**-2``, which does so above 1e19 FLOP per second.
    """
    if isinstance(x, jax.Array) or isinstance(y, jax.Array):
        return _divide(x, y)
    return x / y
