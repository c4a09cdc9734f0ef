"""Threads for many calls of one compiled program, which JAX would run one after another."""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import copy_context
from typing import TypeVar

from jscale._core.scope import float64

T = TypeVar("T")


class Workers:
    """Threads that work in float64 scopes and stop early after an interrupt."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool, self._cancelled = pool, threading.Event()
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
        # Context variables, such as the rows that tables are padded to, are those of the caller.
        futures = [
            self._pool.submit(copy_context().run, self._guarded, work, number) for number in numbers
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
    """As many threads as this process has cores, but no more than ``jobs``."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    with ThreadPoolExecutor(max_workers=max(1, min(jobs, cores))) as pool:
        yield Workers(pool)
