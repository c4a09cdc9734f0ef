"""Double precision inside the package, whatever the caller's JAX setting is."""

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, ParamSpec, TypeVar

import jax
import numpy as np

P = ParamSpec("P")
T = TypeVar("T")


def float64() -> AbstractContextManager[Any]:
    """A scope in which JAX computes in float64; the caller's own setting is restored after it.

    The setting is local to the thread: a worker thread has to open its own scope.
    """
    return jax.enable_x64(True)


def in_float64(function: Callable[P, T]) -> Callable[P, T]:
    """Run ``function`` inside :func:`float64`."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        with float64():
            return function(*args, **kwargs)

    return wrapper


def to_numpy(tree: Any) -> Any:
    """A pytree with every leaf as a numpy array of the same dtype."""
    return jax.tree.map(np.asarray, tree)
