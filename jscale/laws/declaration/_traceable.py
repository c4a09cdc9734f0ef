"""Check that JAX can compile a law, by tracing it without computing anything."""

import os
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.errors import JscaleError
from jscale.laws.declaration._declare import LawFunction, describe

_LIBRARIES = tuple(
    f"{Path(file).parent}{os.sep}" for file in (jax.__file__, np.__file__, Path(__file__).parent)
)
_CAUSES = (
    (
        jax.errors.TracerBoolConversionError,
        "Python's if, while, and, or, not cannot look at values that JAX is still to compute; "
        "use jax.numpy.where",
    ),
    (
        jax.errors.NonConcreteBooleanIndexError,
        "a mask cannot pick values that JAX is still to compute; use jax.numpy.where",
    ),
    (
        jax.errors.TracerIntegerConversionError,
        "an index or a range cannot be a value that JAX is still to compute",
    ),
    (
        jax.errors.TracerArrayConversionError,
        "NumPy cannot take values that JAX is still to compute; use jax.numpy",
    ),
    (
        jax.errors.ConcretizationTypeError,
        "float(), int(), item() and the module math cannot take values that JAX is still to "
        "compute; use jax.numpy",
    ),
)


def require_compilable(law: LawFunction, inputs: Mapping[str, np.ndarray]) -> None:
    """Check that JAX can trace a law, and that the law has one value for each run.

    Args:
        law: a declared law.
        inputs: name → (rows,); none for one run.

    Raises:
        JscaleError: the law asks for values while it is traced, or returns anything but an array of
            the inputs' shape.
    """
    record = describe(law)
    expected = np.broadcast_shapes(*(np.shape(column) for column in inputs.values()))
    try:
        value = _traced(law, expected)
    except Exception:
        _explain(law)
        raise
    shape = getattr(value, "shape", None)
    if shape != expected:
        result = type(value).__name__ if shape is None else f"an array of shape {shape}"
        raise JscaleError(
            f"law {record.name!r} returns {result} for inputs of shape {expected}; "
            "expected a value for every run: where all are alike, add 0 times an input"
        )
    if not jnp.issubdtype(value.dtype, jnp.floating):
        raise JscaleError(
            f"law {record.name!r} returns values of type {value.dtype}; "
            "expected real floating-point numbers"
        )


def _explain(law: LawFunction) -> None:
    """Raise JscaleError with a remedy, if the cause of a failed trace is a known one."""
    try:
        # One run: the errors of Python and NumPy about arrays have other types.
        _traced(law, ())
    except tuple(kind for kind, _ in _CAUSES) as error:
        reason = next(text for kind, text in _CAUSES if isinstance(error, kind))
        raise JscaleError(
            f"law {describe(law).name!r} cannot be compiled{_line(error)}: {reason}"
        ) from None


def _traced(law: LawFunction, shape: tuple[int, ...]) -> Any:
    """The shape and type of a law's value for inputs of a shape."""
    record, dtype = describe(law), jnp.result_type(float)
    abstract = {name: jax.ShapeDtypeStruct(shape, dtype) for name in record.input_names}
    abstract |= {name: jax.ShapeDtypeStruct((), dtype) for name in record.parameter_names}
    # The law itself, for which JAX keeps the trace: a function of it would be traced in every call.
    return jax.eval_shape(law, **abstract)


def _line(error: BaseException) -> str:
    """The line of the user's code that raised the error, in brackets."""
    frames = [
        f
        for f in traceback.extract_tb(error.__traceback__)
        if not f.filename.startswith(_LIBRARIES)
    ]
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
