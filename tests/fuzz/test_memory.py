"""Many fits: few compilations, bounded memory, and the same results in eight threads.

A short run makes 10 fits; ``JSCALE_FUZZ_SCALE=100`` makes 1,000 fits of 100 tables and 20 laws.
"""

import gc
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import jax
import numpy as np
import pytest

import jscale
from jscale import fit, laws, runs
from jscale._core.programs import MAX_PROGRAMS, count
from tests.fuzz.scale import cases

COMPILED = "/jax/core/compile/backend_compile_duration"
STARTS = 4


@contextmanager
def compilations():
    """The list of compilations inside the scope."""
    seconds: list[float] = []
    active = True

    def listen(event: str, duration_secs: float, **_: str | int) -> None:
        if active and event == COMPILED:
            seconds.append(duration_secs)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield seconds
    finally:
        active = False


def resident_gigabytes() -> float:
    """Memory of this process in RAM."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e9


def simulated(rows: int, seed: int) -> runs.Runs:
    """A table of Chinchilla's law with noise of 1%."""
    rng = np.random.default_rng(seed)
    design = {"N": 10 ** rng.uniform(7.5, 10, rows), "D": 10 ** rng.uniform(9, 11.5, rows)}
    theta, key = laws.params(laws.chinchilla), jax.random.key(seed)
    return runs.simulate(laws.chinchilla, theta, design, noise=0.01, key=key)


def results(table: runs.Runs, E: float) -> list[np.ndarray]:
    """Numbers of a fit with a fixed floor, and of its intervals."""
    point = fit.point(laws.fix(laws.chinchilla, E=E), table, starts=STARTS)
    draws = fit.bootstrap(point, draws=16, key=jax.random.key(0)).draws
    profile = fit.profile(point, "alpha")
    ends = np.array([profile.low, profile.high])
    return [*map(np.asarray, point.params.values()), point.covariance, *draws.values(), ends]


def test_tables_and_fixed_values_share_programs():
    tables = [simulated(rows, seed=rows) for rows in (24, 20, 31)]
    results(tables[0], E=1.6)
    programs = count()
    with compilations() as new:
        results(tables[1], E=1.7)
        results(tables[2], E=1.65)
    assert (len(new), count() - programs) == (0, 0)


def test_eight_threads_agree_with_one():
    jobs = [(simulated(rows, seed=rows), E) for rows in (24, 28) for E in (1.6, 1.65, 1.7, 1.75)]
    alone = [results(*job) for job in jobs]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda job: results(*job), jobs))
    for one, other in zip(alone, together, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_memory_stays_bounded():
    fits = cases(10)
    rng = np.random.default_rng(0)
    rows = rng.integers(20, 32 if fits < 100 else 600, size=max(2, fits // 10))
    fixed = [laws.fix(laws.chinchilla, E=1.5 + 0.01 * i) for i in range(20)]
    tables = [simulated(int(n), seed=i) for i, n in enumerate(rows)]
    fit.point(fixed[0], tables[0], starts=STARTS)

    before = resident_gigabytes()
    with compilations() as new:
        for i in range(fits):
            table = tables[int(rng.integers(len(tables)))]
            law = laws.fix(laws.chinchilla, E=1.5 + 0.01 * (i % 20))
            assert law is fixed[i % 20]
            fit.point(law, table, starts=STARTS)
    assert resident_gigabytes() - before < 1
    assert len(new) <= (0 if fits < 100 else 40)
    assert count() <= MAX_PROGRAMS


def test_caches_can_be_cleared():
    point = fit.point(laws.chinchilla, simulated(24, seed=24), starts=STARTS)
    assert count() > 0
    jscale.clear_caches()
    gc.collect()
    assert count() == 0
    # A result that exists keeps working, and laws keep their identity.
    assert np.isfinite(fit.covariance(point).matrix).all()
    assert laws.fix(laws.chinchilla, E=1.6) is laws.fix(laws.chinchilla, E=1.6)
