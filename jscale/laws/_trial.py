"""Whether a function is a law that JAX can compile: seen without computing anything."""

import traceback
from collections.abc import Mapping
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.errors import JscaleError
from jscale.laws._declare import LawFunction, describe

_ELSEWHERE = tuple(str(Path(module.__file__ or "").parent) for module in (jax, np))
_CAUSES = (
    (
        jax.errors.TracerBoolConversionError,
        "Python's if, while, and, or, not cannot look at values that JAX is still to compute; use jax.numpy.where",
    ),
    (
        jax.errors.TracerArrayConversionError,
        "NumPy cannot take values that JAX is still to compute; use jax.numpy",
    ),
    (
        jax.errors.ConcretizationTypeError,
        "float(), int(), item() and the module math cannot take values that JAX is still to compute; use jax.numpy",
    ),
)


def require_compilable(law: LawFunction, inputs: Mapping[str, np.ndarray]) -> None:
    """Check that JAX can trace a law, and that it gives every run a number of its own.

    Args:
        law: a declared law.
        inputs: name → (rows,).

    Raises:
        JscaleError: the law asks for values while it is traced, or returns anything but an array of shape (rows,).
    """
    record = describe(law)
    dtype = jnp.result_type(float)
    abstract = {name: jax.ShapeDtypeStruct(np.shape(column), dtype) for name, column in inputs.items()}
    abstract |= {name: jax.ShapeDtypeStruct((), dtype) for name in record.parameter_names}
    try:
        value = jax.eval_shape(lambda given: law(**given), abstract)
    except tuple(kind for kind, _ in _CAUSES) as error:
        why = next(text for kind, text in _CAUSES if isinstance(error, kind))
        raise JscaleError(f"law {record.name!r} cannot be compiled{_line(error)}: {why}") from None
    shape, expected = getattr(value, "shape", None), np.broadcast_shapes(*(np.shape(c) for c in inputs.values()))
    if shape != expected:
        found = f"an array of shape {shape}" if shape is not None else f"{type(value).__name__}"
        raise JscaleError(f"law {record.name!r} returns {found} for {expected[0]} runs; expected shape {expected}")


def _line(error: BaseException) -> str:
    """Where in the user's code it happened, in brackets."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(_ELSEWHERE)]
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
