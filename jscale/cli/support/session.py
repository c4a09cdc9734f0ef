"""JAX set up for a verb: compilation cache, quiet logs, double precision, progress.

These settings belong to the process of the command line; the library itself changes none.
"""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CACHE_VARIABLE = "JSCALE_CACHE"
"""Environment variable with a folder for jscale's caches, in place of the user's cache folder."""


def cache_folder() -> Path | None:
    """The folder of compiled code, created if needed; None where it is not writable."""
    override = os.environ.get(CACHE_VARIABLE)
    if override:
        folder = Path(override) / "compiled"
    else:
        import platformdirs

        folder = platformdirs.user_cache_path("jscale", appauthor=False) / "compiled"

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK | os.X_OK) else None


def prepare_jax() -> None:
    """Set the environment that JAX reads at import; no effect once JAX is imported."""
    if "jax" in sys.modules:
        return

    # The logs of XLA's C++ parts would land on stderr.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        folder = cache_folder()
        if folder is None:
            return
        os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder)

    # By default JAX keeps only what took a second to compile; a fit is some fifty smaller programs.
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")


@contextmanager
def session() -> Iterator[None]:
    """Run a verb with cached compilation, without warnings of libraries, in float64."""
    prepare_jax()
    from jscale._core.scope import float64

    with warnings.catch_warnings():
        if not sys.warnoptions:
            # Warnings of libraries (deprecations, an unreadable cache entry) are not about the
            # user's runs; what is about them is in the notes of a result.
            warnings.simplefilter("ignore")
        with float64():
            yield


def shows_progress(as_json: bool) -> bool:
    """Whether to show progress, as a bar or in lines: not with ``--json``."""
    return not as_json


@contextmanager
def working(message: str, as_json: bool) -> Iterator[None]:
    """Show a spinner with a message on stderr during a long computation."""
    if as_json or not sys.stderr.isatty():
        yield
        return

    from rich.console import Console

    with Console(stderr=True).status(message):
        yield
