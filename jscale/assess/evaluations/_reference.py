"""``reference_parameters``: the size of a reference model with a given loss."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from jscale._core.errors import JscaleError
from jscale._core.scope import in_float64
from jscale._core.text import enumerated
from jscale.laws import LawFunction, as_law, describe

_SIZES = (1e2, 1e20)
"""Parameters between which a size is looked for."""
_HALVINGS = 64


@in_float64
def reference_parameters(
    law: LawFunction | str,
    params: Mapping[str, Any],
    loss: ArrayLike,
    *,
    ratio: float | None = None,
    **inputs: Any,
) -> np.ndarray:
    """The parameters of a reference model with this loss: the inverse of a law in N.

    The effective size of a model is that of the reference with the same loss on the same tokens, or
    with the same tokens per parameter. By bisection in ln N.

    Args:
        law: a law of N that falls with N, or its name.
        params: of the reference: parameter → number or (draws,) numbers.
        loss: number or (models,) losses; an array is one with draws of the same shape.
        ratio: tokens per parameter, for D = ratio * N; None to give D, where the law has it.
        inputs: other inputs of the law.

    Returns:
        Parameters, of the common shape; infinite where no reference model reaches the loss, 0 where
        the smallest has a lower one.

    Raises:
        JscaleError: the law does not fall with N, or an input is missing or given twice.

    Example:
        >>> from jscale import assess, laws
        >>> theta = laws.params(laws.chinchilla, "besiroglu2024")
        >>> loss = laws.chinchilla(7e9, 2e12, **theta)
        >>> size = assess.reference_parameters("chinchilla", theta, loss, D=2e12)
        >>> print(f"{float(size):.3g}")
        7e+09
    """
    law = as_law(law)
    record = describe(law)
    if "N" not in record.input_names or "N" in record.increasing:
        raise JscaleError(f"law {record.name!r} has no input N with which the loss falls")
    given = {*inputs, "N", *(["D"] if ratio is not None else [])}
    missing = [i.name for i in record.inputs if i.default is None and i.name not in given]
    if missing or (ratio is not None and "D" in inputs):
        problem = f"also needs {enumerated(missing)}" if missing else "takes D or ratio, not both"
        raise JscaleError(f"law {record.name!r} {problem}")

    def value(log_n: Any) -> Any:
        n = jnp.exp(log_n)
        tokens = {} if ratio is None else {"D": ratio * n}
        return law(N=n, **tokens, **inputs, **params)

    target = jnp.asarray(loss, float)
    shape = np.broadcast_shapes(jnp.shape(value(jnp.asarray(0.0))), target.shape)
    low, high = (jnp.full(shape, np.log(size)) for size in _SIZES)
    reachable, above_least = value(high) <= target, value(low) >= target
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        too_small = value(middle) > target
        low, high = jnp.where(too_small, middle, low), jnp.where(too_small, high, middle)
    size = jnp.where(above_least, jnp.exp(0.5 * (low + high)), 0.0)
    return np.asarray(jnp.where(reachable, size, jnp.inf))
