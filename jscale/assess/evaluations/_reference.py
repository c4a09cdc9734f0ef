"""``reference_parameters``: the size of a reference model with a given loss."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from jscale._core.errors import JscaleError
from jscale._core.scope import in_float64
from jscale._core.text import did_you_mean, enumerated, shown
from jscale.laws import LawFunction, Record, as_law, describe

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
        the smallest has a lower one, NaN where the loss, a parameter or an input is.

    Raises:
        JscaleError: the law does not fall with N, or an input or a parameter is missing, unknown or
            given twice.

    Example:
        >>> from jscale import assess, laws
        >>> theta = laws.params(laws.chinchilla, "besiroglu2024")
        >>> loss = laws.chinchilla(7e9, 2e12, **theta)
        >>> size = assess.reference_parameters("chinchilla", theta, loss, D=2e12)
        >>> print(f"{float(size):.3g}")
        7e+09
    """
    law = as_law(law)
    _check(describe(law), params, inputs, ratio)

    def value(log_n: Any) -> Any:
        n = jnp.exp(log_n)
        tokens = {} if ratio is None else {"D": ratio * n}
        return law(N=n, **tokens, **inputs, **params)

    target = jnp.asarray(loss, float)
    shape = np.broadcast_shapes(jnp.shape(value(jnp.asarray(0.0))), target.shape)
    low, high = (jnp.full(shape, np.log(size)) for size in _SIZES)
    smallest, least = value(low), value(high)
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        too_small = value(middle) > target
        low, high = jnp.where(too_small, middle, low), jnp.where(too_small, high, middle)
    size = jnp.where(smallest >= target, jnp.exp(0.5 * (low + high)), 0.0)
    size = jnp.where(least <= target, size, jnp.inf)
    return np.asarray(jnp.where(jnp.isnan(least - target), jnp.nan, size))


def _check(
    record: Record, params: Mapping[str, Any], inputs: Mapping[str, Any], ratio: float | None
) -> None:
    law = f"law {record.name!r}"
    if "N" not in record.input_names or "N" in record.increasing:
        raise JscaleError(f"{law} has no input N with which the loss falls")
    if ratio is not None and "D" not in record.input_names:
        raise JscaleError(f": {law} has no input D", argument="ratio")
    if ratio is not None and "D" in inputs:
        raise JscaleError(f"{law} takes D or ratio, not both")

    # What is computed here is not taken.
    computed = ("N",) if ratio is None else ("N", "D")
    names = [name for name in record.input_names if name not in computed]
    needed = [each.name for each in record.inputs if each.default is None]
    for kind, taken, required, values in (
        ("input", names, [name for name in needed if name in names], inputs),
        ("parameter", record.parameter_names, record.parameter_names, params),
    ):
        if missing := [name for name in required if name not in values]:
            raise JscaleError(f"{law} also needs {enumerated(missing)}")
        if unknown := [name for name in values if name not in taken]:
            raise JscaleError(
                f"{law} has no other {kind} {shown(unknown[0])}{did_you_mean(unknown[0], taken)}"
            )
