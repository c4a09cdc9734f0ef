"""Compiled programs, of which only the last ones used are kept.

``jax.jit`` keeps the program of every static argument and of every shape for ever, some 10 MB each:
a process that fits thousands of laws and tables would grow without end.
"""

import ctypes
import functools
import gc
import inspect
import math
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, ParamSpec, TypeVar

import jax

from jscale._core.checks import is_traced

P = ParamSpec("P")
T = TypeVar("T")

MAX_PROGRAMS = 64
"""Programs that are kept. A fit takes three, an interval one or two more; the programs of one fit
of Chinchilla's law hold 30 MB and take 4 s of CPU to compile."""


class _Programs:
    """Compiled functions by key, the last used last."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._programs: OrderedDict[Hashable, Callable[..., Any]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._programs)

    def get(self, key: Hashable, make: Callable[[], Callable[..., Any]]) -> Callable[..., Any]:
        """The function of a key, made if there is none; the least recently used one is dropped."""
        with self._lock:
            if key not in self._programs:
                self._programs[key] = make()
            self._programs.move_to_end(key)
            if len(self._programs) > self._limit:
                self._programs.popitem(last=False)
            return self._programs[key]

    def clear(self) -> None:
        """Drop all."""
        with self._lock:
            self._programs.clear()


_PROGRAMS = _Programs(MAX_PROGRAMS)
_UNOPTIMISED: dict[str, Any] = {
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
    "xla_cpu_parallel_codegen_split_count": 1,
}
if jax.__version_info__ < (0, 11):  # an option that later compilers do not know
    _UNOPTIMISED["xla_cpu_use_fusion_emitters"] = False


def program(
    *static: str, runs_once: bool = False, small: int = 0
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Compile a function for every value of its ``static`` arguments and shape of the others.

    As ``jax.jit`` with ``static_argnames``, but of all such programs only :data:`MAX_PROGRAMS` are
    kept. A program that was dropped is compiled again when it is needed.

    Args:
        *static: names of arguments.
        runs_once: whether the program usually runs once and for less time than it takes to compile.
            It is then compiled without optimisations, in a third of the time, and runs half as
            fast or less.
        small: number of entries of the largest array up to which that is worth it for any program.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            fixed = {name: bound.arguments.pop(name) for name in static}

            leaves, structure = jax.tree.flatten(bound.arguments)
            shapes = tuple((getattr(x, "shape", ()), getattr(x, "dtype", type(x))) for x in leaves)
            key = (function, *fixed.values(), structure, shapes)
            entries = max((math.prod(shape) for shape, _ in shapes), default=1)
            options = _UNOPTIMISED if runs_once or entries <= small else None
            compiled = _PROGRAMS.get(key, lambda: _compiled(function, fixed, options))
            return compiled(dict(bound.arguments))

        return call

    return decorate


def kept(key: Hashable, make: Callable[[], Callable[P, T]]) -> Callable[P, T]:
    """The program of a key, made if there is none, for callers that compile by themselves.

    Threads that ask for the same program wait for one of them to make it.

    Args:
        key: of the program, unlike that of any other; such as a function with its static arguments.
        make: makes the program.
    """
    return _PROGRAMS.get(key, make)


def _compiled(
    function: Callable[..., T], fixed: dict[str, Any], options: dict[str, Any] | None
) -> Callable[..., T]:
    """The function with some arguments fixed, of a dictionary of the others.

    Every program is a function of its own, since JAX drops what it compiled together with the
    function.
    """

    def run(arguments: dict[str, Any]) -> T:
        return function(**fixed, **arguments)

    run.__name__ = run.__qualname__ = function.__name__
    # Options belong to a whole program: they have no place in one that is part of another.
    inner = jax.jit(run)
    options = options if jax.default_backend() == "cpu" else None
    outer = inner if options is None else jax.jit(run, compiler_options=options)
    lock, is_compiled = threading.RLock(), False

    def call(arguments: dict[str, Any]) -> T:
        """Other threads wait for the first call instead of compiling too."""
        nonlocal is_compiled
        if is_compiled:
            return (inner if is_traced(arguments) else outer)(arguments)
        with lock:
            if is_traced(arguments):
                return inner(arguments)
            result = outer(arguments)
            is_compiled = True
        return result

    return call


def clear_programs() -> None:
    """Drop all compiled programs; the next call of each compiles again."""
    _PROGRAMS.clear()
    gc.collect()  # programs and their traces refer to each other
    _return_free_memory()


def _return_free_memory() -> None:
    """Return free memory to the system; the C library of Linux keeps what a compiler has freed."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        trim(0)


def count() -> int:
    """Number of programs that are kept."""
    return len(_PROGRAMS)
