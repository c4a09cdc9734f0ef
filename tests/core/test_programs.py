"""Compiled programs are shared by static arguments and shapes, and only the last ones are kept."""

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.programs import _bounded, clear_programs, count, program


class Factor:
    """A static argument that can be referred to weakly."""

    def __init__(self, value):
        self.value = value


traced = []


@program("factor")
def scaled(factor, values, *, shift=0.0):
    """``factor * values + shift``; every trace is recorded."""
    traced.append(values.shape)
    return factor.value * values + shift


def test_one_program_for_equal_shapes():
    two, three = Factor(2.0), Factor(3.0)
    traced.clear()
    for factor in (two, three, two):
        for values in (np.ones(3), np.zeros(3)):
            np.testing.assert_array_equal(scaled(factor, values), factor.value * values)
    assert traced == [(3,), (3,)]
    np.testing.assert_array_equal(scaled(two, jnp.ones(4), shift=1.0), np.full(4, 3.0))
    np.testing.assert_array_equal(scaled(values=np.ones(4), factor=two, shift=2.0), np.full(4, 4.0))
    assert scaled.__name__ == "scaled"


def test_the_oldest_program_is_dropped(monkeypatch):
    monkeypatch.setattr(_bounded, "_PROGRAMS", _bounded._Programs(2))
    factors = [Factor(float(i)) for i in range(3)]
    traced.clear()
    for i in (0, 1, 0, 2, 0, 1):
        scaled(factors[i], np.ones(2))
    assert len(traced) == 4  # the second factor twice
    assert count() == 2


def test_a_dropped_program_holds_nothing():
    factor = Factor(5.0)
    scaled(factor, np.ones(2))
    reference = weakref.ref(factor)
    del factor
    clear_programs()
    gc.collect()
    assert reference() is None
    assert count() == 0


@program(runs_once=True)
def added_once(values):
    return values + 1.0


def test_a_program_that_runs_once_has_the_same_values():
    assert np.array_equal(added_once(jnp.arange(3.0)), [1.0, 2.0, 3.0])
    assert np.array_equal(jax.jit(lambda x: 2 * added_once(x))(jnp.arange(3.0)), [2.0, 4.0, 6.0])


@program(small=4)
def added(values):
    return values + 1.0


def test_programs_of_few_numbers_are_compiled_without_optimisations(monkeypatch):
    options = []
    compiled = _bounded._compiled
    monkeypatch.setattr(
        _bounded, "_compiled", lambda *args: options.append(args[-1]) or compiled(*args)
    )
    clear_programs()
    for size in (4, 5):
        assert np.array_equal(added(jnp.zeros(size)), np.ones(size))
    scaled(Factor(1.0), np.ones(1))  # without ``small``
    assert [option is not None for option in options] == [True, False, False]


def test_threads_wait_for_the_one_that_compiles():
    clear_programs()
    traced.clear()
    two = Factor(2.0)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: scaled(two, jnp.ones(5)), range(4)))
    assert traced == [(5,)]
    assert all(np.array_equal(result, 2 * np.ones(5)) for result in results)
