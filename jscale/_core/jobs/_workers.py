"""Threads for many calls of one compiled program, which JAX would run one after another."""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
from typing import TypeVar

from jscale._core.scope import float64

T = TypeVar("T")

_cores: ContextVar[int] = ContextVar("cores", default=0)
"""Cores of a job of another pool; 0 for all of this process."""


class Workers:
    """Threads that work in float64 scopes and stop early after an interrupt."""

    def __init__(self, pool: ThreadPoolExecutor, cores: int) -> None:
        self._pool, self._cores, self._cancelled = pool, cores, threading.Event()
        self._lock = threading.Lock()
        self._error: BaseException | None = None

    @property
    def cancelled(self) -> bool:
        """Whether running jobs should end early."""
        return self._cancelled.is_set()

    def map(self, work: Callable[[int], T], numbers: Iterable[int]) -> list[T]:
        """``work`` of every number, in order.

        The first exception of any job, also an interrupt, cancels the jobs that have not started
        and is raised once the running ones have ended.
        """
        futures = [
            self._pool.submit(self._context().run, self._guarded, work, number)
            for number in numbers
        ]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
            if self._error is not None:
                raise self._error
            return [future.result() for future in futures]
        except BaseException:
            self._cancelled.set()
            self._pool.shutdown(wait=True, cancel_futures=True)
            raise

    def _context(self) -> Context:
        """Variables of the caller, such as the rows that tables are padded to, and fewer cores."""
        context = copy_context()
        context.run(_cores.set, self._cores)
        return context

    def _guarded(self, work: Callable[[int], T], number: int) -> T:
        if self.cancelled:
            raise KeyboardInterrupt
        try:
            with float64():
                return work(number)
        except BaseException as error:
            with self._lock:
                if self._error is None:
                    self._error = error
                self._cancelled.set()
            raise


@contextmanager
def workers(jobs: int) -> Iterator[Workers]:
    """As many threads as this process has cores, but no more than ``jobs``.

    Jobs that take threads themselves share twice the cores, and jobs within those twice their
    share: on many cores there are no more than a few times as many threads, and the last jobs to
    run do not leave cores idle.
    """
    cores = _cores.get() or _all_cores()
    size = max(1, min(jobs, cores))
    with ThreadPoolExecutor(max_workers=size) as pool:
        yield Workers(pool, max(1, 2 * cores // size))


def _all_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
