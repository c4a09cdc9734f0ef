"""All cores for jobs that JAX computes one after another."""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from jscale._core.scope import float64

T = TypeVar("T")


class Workers:
    """Threads in float64 scopes, and whether an interrupt has called them back."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool, self._cancelled = pool, threading.Event()

    @property
    def cancelled(self) -> bool:
        """Whether the jobs in hand should end early."""
        return self._cancelled.is_set()

    def map(self, work: Callable[[int], T], numbers: Iterable[int]) -> list[T]:
        """``work`` of every number, in order; an interrupt ends it after the jobs in hand."""
        futures = [self._pool.submit(self._guarded, work, number) for number in numbers]
        try:
            return [future.result() for future in futures]
        except BaseException:
            self._cancelled.set()
            self._pool.shutdown(wait=True, cancel_futures=True)
            raise

    def _guarded(self, work: Callable[[int], T], number: int) -> T:
        if self.cancelled:
            raise KeyboardInterrupt
        with float64():
            return work(number)


@contextmanager
def workers(jobs: int) -> Iterator[Workers]:
    """As many threads as this process has cores, but no more than ``jobs``."""
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    with ThreadPoolExecutor(max_workers=max(1, min(jobs, cores))) as pool:
        yield Workers(pool)
