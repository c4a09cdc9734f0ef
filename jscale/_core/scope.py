"""Double precision inside the package, whatever the caller's settings of JAX are."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

import jax
import numpy as np

P = ParamSpec("P")
T = TypeVar("T")


@contextmanager
def float64() -> Iterator[None]:
    """A scope in which JAX computes in float64; the caller's own settings are restored after it.

    Settings that make JAX fail or compute otherwise have their default values inside. They are
    local to the thread: a worker thread has to open its own scope.
    """
    with (
        jax.enable_x64(True),
        jax.numpy_rank_promotion("allow"),
        jax.transfer_guard("allow"),
        jax.default_matmul_precision(None),
        jax.debug_nans(False),
        jax.debug_infs(False),
        jax.debug_key_reuse(False),
    ):
        yield


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
