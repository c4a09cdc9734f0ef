"""Double precision inside the package, whatever the caller's settings of JAX are."""

import functools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jscale._core.errors import JscaleError

P = ParamSpec("P")
T = TypeVar("T")

_forked = False
"""Whether this process was forked from one that had used JAX."""


def _after_fork() -> None:
    global _forked
    bridge = sys.modules.get("jax._src.xla_bridge")
    initialised = getattr(bridge, "backends_are_initialized", None)
    _forked = _forked or initialised is None or initialised()


if hasattr(os, "register_at_fork"):  # Windows does not fork
    os.register_at_fork(after_in_child=_after_fork)


@contextmanager
def default_settings() -> Iterator[None]:
    """A scope in which settings that make JAX fail or compute otherwise have their default values.

    The precision is the caller's. The settings are local to the thread, and the caller's own are
    restored at the end.

    Raises:
        JscaleError: this process was forked from one that had used JAX, and would wait for ever.
    """
    if _forked:
        raise JscaleError(
            "this process was forked from one that had used JAX, whose threads it does not have; "
            "expected a new process: use multiprocessing.get_context('spawn')"
        )
    with (
        jax.numpy_rank_promotion("allow"),
        jax.threefry_partitionable(True),
        jax.transfer_guard("allow"),
        jax.default_matmul_precision(None),
        jax.debug_nans(False),
        jax.debug_infs(False),
        jax.debug_key_reuse(False),
    ):
        yield


@contextmanager
def float64() -> Iterator[None]:
    """A scope in which JAX computes in float64, with :func:`default_settings`.

    It is local to the thread: a worker thread has to open its own scope.
    """
    with default_settings(), jax.enable_x64(True):
        yield


def in_default_settings(function: Callable[P, T]) -> Callable[P, T]:
    """Run ``function`` inside :func:`default_settings`, in the precision of the caller."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        with default_settings():
            return function(*args, **kwargs)

    return wrapper


def in_float64(function: Callable[P, T]) -> Callable[P, T]:
    """Run ``function``, which looks at values, inside :func:`float64`.

    A call under ``jit``, ``vmap`` or ``grad`` raises a JscaleError.
    """

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        with float64():
            if _is_traced((args, kwargs)):
                raise JscaleError(
                    f"{function.__name__} was called inside a function that JAX transforms (jit, "
                    "vmap or grad); expected a call outside of it, with numbers"
                )
            return function(*args, **kwargs)

    return wrapper


def _is_traced(arguments: Any) -> bool:
    """Whether an argument, or all that is computed, is traced."""
    values = (jnp.zeros(()), *jax.tree.leaves(arguments))
    return any(isinstance(value, Tracer) for value in values)


def to_numpy(tree: Any) -> Any:
    """A pytree with every leaf as a numpy array of the same dtype."""
    return jax.tree.map(np.asarray, tree)
