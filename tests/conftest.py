"""What all tests share: strict dtypes, seeded randomness, no network, public data if present."""

import functools
import gc
import os
import shutil
import socket
import tempfile
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

# SciPy's L-BFGS-B solves tiny triangular systems, for which the threads of OpenBLAS wait by
# spinning: the descents of one reproduction took 11 CPU seconds, and take 1.3 with one thread.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import hypothesis
import jax
import pytest

from jscale._core.programs import clear_programs

DATA_VARIABLE = "JSCALE_DATA"
MEMORY_SHARE = 1 / 3
"""Of the machine's memory: the workers together may grow by it, before they drop their compiled
programs. JAX keeps each one, and the catalogue has thousands. To drop them took 16 CPU s of 1,350
where a worker might grow by 1.5 GB, besides making again what later tests needed."""
QUICK = "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
"""Most of the time goes to the compiler: with these flags 98 tests of fits took 90 s, not 149 s,
and a compiled descent ran as fast. JAX 0.12 does not know the first one; what users run (demo,
notebooks, benchmarks) goes without."""
UNOPTIMISED = "jax_disable_most_optimizations"
"""With this setting 70 tests of fits took 88 s, not 119 s: programs compile in a third of the time
and run half as fast. A test that needs the others' rounding takes the fixture ``optimised``.
Processes that tests start have it by their environment, but for those of the command line, which
start as users start them."""
LOCATIONS = "jax_traceback_in_locations_limit"
"""Lines of Python that JAX writes beside each operation of a program: without them a fit whose
programs are in the cache takes 0.98 s, not 1.05 s."""
CONTEXT_PROGRAMS = 500
"""Programs that are lowered in one context of MLIR. JAX makes one for each, which takes 3 ms: of
small programs a fifth of the time to compile, and half of that to load. A context keeps the
constants of its programs."""
LONGEST = "test_readme.py"
"""One test of it takes 45 CPU s."""
LEFT_OUT = pytest.StashKey[int]()
RESIDENT = pytest.StashKey[int]()
CACHE = pytest.StashKey[str]()

# The same examples on every run, and no clock: a test that fails today failed yesterday too.
hypothesis.settings.register_profile("jscale", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("jscale")


def data_folder() -> Path | None:
    """The folder of the public data, or None where none was named."""
    name = os.environ.get(DATA_VARIABLE)
    return Path(name) if name else None


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--full",
        action="store_true",
        help="fail when any test is skipped or left out for want of data",
    )


def pytest_configure(config: pytest.Config) -> None:
    jax.config.update("jax_numpy_dtype_promotion", "strict")
    folder = data_folder()
    if folder is not None and not folder.is_dir():
        raise pytest.UsageError(f"{DATA_VARIABLE} names a folder that does not exist: {folder}")
    # Readline gives workers a width of its own; printed lines are wrapped only where a test asks.
    os.environ.pop("COLUMNS", None)
    if not hasattr(config, "workerinput"):  # the workers inherit what the first process sets
        os.environ["MPLBACKEND"] = "agg"
        # Neither a table nor compiled code that an earlier use of jscale left on this machine may
        # decide a test.
        config.stash[CACHE] = tempfile.mkdtemp(prefix="jscale-tests-")
        os.environ.update(XDG_CACHE_HOME=config.stash[CACHE], JSCALE_CACHE=config.stash[CACHE])
        if jax.__version_info__ < (0, 11):
            os.environ.setdefault("XLA_FLAGS", QUICK)
            os.environ.setdefault(UNOPTIMISED.upper(), "true")
    jax.config.update(UNOPTIMISED, jax.__version_info__ < (0, 11))
    jax.config.update(LOCATIONS, 0)
    # Traces are many small objects: at the usual threshold 5% of the time went to collecting them,
    # and 3% to looking through all that is kept. That is done where memory grows.
    gc.set_threshold(100_000, 10, 1_000_000)
    if jax.__version_info__ < (0, 11):
        _compile_lightly()
    # What one worker compiled serves the others, and serves it again after a cache was cleared. To
    # load even a small program takes half the time that it takes to compile.
    jax.config.update(
        "jax_compilation_cache_dir", str(Path(os.environ["JSCALE_CACHE"]) / "compiled")
    )
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def _compile_lightly() -> None:
    """Save what JAX adds to each of many small programs, in the version whose internals these are.

    Programs are lowered in a context of their thread, made anew after ``CONTEXT_PROGRAMS``. They
    are compressed at zlib's first level in 1 ms, not in 3.
    """
    from jax._src import compilation_cache
    from jax._src.interpreters import mlir

    compilation_cache.zlib = SimpleNamespace(
        compress=functools.partial(zlib.compress, level=1), decompress=zlib.decompress
    )
    make, of_thread = mlir.make_ir_context, threading.local()

    def context():
        if getattr(of_thread, "programs", CONTEXT_PROGRAMS) == CONTEXT_PROGRAMS:
            of_thread.context, of_thread.programs = make(), 0
        of_thread.programs += 1
        return of_thread.context

    mlir.make_ir_context = context


def pytest_unconfigure(config: pytest.Config) -> None:
    if cache := config.stash.get(CACHE, None):
        shutil.rmtree(cache, ignore_errors=True)


@pytest.hookimpl(trylast=True)  # after -m and -k, so that only what they kept is counted
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # The longest test comes first: at the end the other workers would wait for it.
    items.sort(key=lambda item: item.path.name != LONGEST)
    if data_folder() is not None:
        return
    left_out = [item for item in items if item.get_closest_marker("data")]
    if left_out:
        items[:] = [item for item in items if not item.get_closest_marker("data")]
        config.hook.pytest_deselected(items=left_out)
    config.stash[LEFT_OUT] = len(left_out)


def pytest_collection_finish() -> None:
    """The tests and the modules stay to the end: a collection of garbage need not look at them."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node) -> None:
    """Every xdist worker collects all the tests: any one of them tells how many were left out."""
    node.config.stash[LEFT_OUT] = getattr(node, "workeroutput", {}).get("left_out", 0)


def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    if hasattr(config, "workeroutput"):
        config.workeroutput["left_out"] = config.stash.get(LEFT_OUT, 0)
    elif session.exitstatus == pytest.ExitCode.OK and config.option.full and _missing(config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter, config: pytest.Config) -> None:
    if left_out := config.stash.get(LEFT_OUT, 0):
        terminalreporter.write_line(
            f"{left_out} tests of public data left out: {DATA_VARIABLE} is not set."
        )
    if config.option.full and (missing := _missing(config)):
        terminalreporter.write_line(
            f"A full run leaves nothing out, and {missing} tests did not run.", red=True
        )


def pytest_runtest_teardown(item: pytest.Item) -> None:
    resident = _resident()
    most = item.config.stash.setdefault(RESIDENT, resident) + _most_growth()
    if resident > most:
        gc.collect()
        resident = _resident()
    if resident > most:
        jax.clear_caches()
        clear_programs()
        item.config.stash[RESIDENT] = _resident()


def _resident() -> int:
    """Memory of this process in bytes; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _most_growth() -> float:
    """Bytes by which this process may grow."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return MEMORY_SHARE * memory / max(2, workers)


def _missing(config: pytest.Config) -> int:
    reporter = config.pluginmanager.getplugin("terminalreporter")
    skipped = len(reporter.stats.get("skipped", [])) if reporter else 0
    return skipped + config.stash.get(LEFT_OUT, 0)


@pytest.fixture
def data_dir() -> Path:
    """The folder of the public data, for tests marked ``data``."""
    folder = data_folder()
    assert folder is not None, "a test that asks for data_dir must be marked with pytest.mark.data"
    return folder


@pytest.fixture
def optimised() -> Iterator[None]:
    """What the test compiles is optimised, as for users."""
    before = jax.config.read(UNOPTIMISED)
    clear_programs()
    jax.config.update(UNOPTIMISED, False)
    yield
    jax.config.update(UNOPTIMISED, before)
    clear_programs()


@pytest.fixture(scope="module")
def one_optimiser() -> Iterator[None]:
    """Fits without their second optimiser, which has a program of its own.

    For modules that test what is computed from a fit, or that it recovers a truth that is known.
    ``tests/fit/test_point.py`` and others compare the two.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jscale.fit.optimum._optimum.second_method", lambda *_: float("nan"))
        yield


@pytest.fixture(scope="module")
def few_points() -> Iterator[None]:
    """Importance sampling ends after a tenth of the points at which it gives up otherwise.

    For modules that do not test how well posteriors agree: where a law does not describe its runs,
    all the points would be drawn for every window of a backtest.
    """
    with pytest.MonkeyPatch.context() as patch:
        folder = "jscale.fit.bayes.sampling.importance"
        patch.setattr(f"{folder}._adaptive._MAX_POINTS", 6000)
        patch.setattr(f"{folder}._hmc_sample._BLOCKS", (2,))
        patch.setattr(f"{folder}._hmc_sample._MAX_POINTS", 30_000)
        yield


@pytest.fixture
def key() -> jax.Array:
    """A random key, the same one every time."""
    return jax.random.key(0)


@pytest.fixture(autouse=True, scope="session")
def _no_network() -> Iterator[None]:
    """Any host but this machine is out of reach, as on a train."""
    connect, getaddrinfo = socket.socket.connect, socket.getaddrinfo

    def local(host) -> bool:
        return host in (None, "", "localhost", "::1") or str(host).startswith("127.")

    def guarded_connect(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and not local(address[0]):
            raise ConnectionRefusedError(f"tests have no network: {address[0]}")
        return connect(self, address)

    def guarded_getaddrinfo(host, *args, **kwargs):
        if not local(host.decode() if isinstance(host, bytes) else host):
            raise socket.gaierror(socket.EAI_AGAIN, f"tests have no network: {host!r}")
        return getaddrinfo(host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket, "getaddrinfo", guarded_getaddrinfo)
        yield
