"""Threads that run many jobs: results in order, and the first exception ends all of them."""

import os
import threading
import time

import jax.numpy as jnp
import pytest

from jscale._core.jobs import workers


def test_results_are_in_order_and_of_double_precision():
    with workers(3) as pool:
        results = pool.map(lambda number: (number, jnp.asarray(0.5).dtype.name), range(7))
    assert results == [(number, "float64") for number in range(7)]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_the_first_exception_of_any_job_ends_the_others(error, monkeypatch):
    """The first job would run for a minute, and the error is one of the second."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    started = threading.Event()

    def work(number: int) -> None:
        if number == 0:
            started.set()
            deadline = time.monotonic() + 60
            while not pool.cancelled and time.monotonic() < deadline:
                time.sleep(0.01)
            raise ValueError("a later error")
        started.wait(60)
        raise error("the first error")

    start = time.monotonic()
    with workers(2) as pool, pytest.raises(error, match="the first error"):
        pool.map(work, range(2))
    assert time.monotonic() - start < 30


def test_jobs_that_take_threads_share_the_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)

    def threads(_: int) -> int:
        with workers(100) as inner:
            return inner._pool._max_workers

    with workers(3) as pool:
        assert pool.map(threads, range(3)) == [5, 5, 5]
    with workers(100) as pool:
        assert pool.map(threads, range(2)) == [2, 2]
