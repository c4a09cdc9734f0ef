"""What a verb sets up before it computes: JAX's cache of compiled code, quiet logs, double
precision,
    progress.

All of it belongs to the process of the command line; the library itself changes no setting.
"""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CACHE_VARIABLE = "JSCALE_CACHE"
"""Environment variable that names a folder for jscale's caches, in place of the user's cache
folder."""


def cache_folder() -> Path | None:
    """The folder of the compiled-code cache, made if need be; None where it cannot be written to."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        folder = Path(named) / "compiled"
    else:
        import platformdirs

        folder = platformdirs.user_cache_path("jscale", appauthor=False) / "compiled"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK | os.X_OK) else None


def prepare_jax() -> None:
    """Set the environment that JAX reads when it is imported; without effect on a process that has
    imported it.
    """
    if "jax" in sys.modules:
        return
    os.environ.setdefault(
        "TF_CPP_MIN_LOG_LEVEL", "3"
    )  # the logs of XLA's C++ parts would land on stderr
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
    """JAX as every verb wants it: cached, quiet, in float64."""
    prepare_jax()
    from jscale._core.scope import float64

    with warnings.catch_warnings():
        if not sys.warnoptions:
            # Libraries' own warnings (their next release, an unreadable cache entry) are not about
            # the user's runs; what is, travels in the notes of a result.
            warnings.simplefilter("ignore")
        with float64():
            yield


def shows_progress(as_json: bool) -> bool:
    """Whether progress belongs on stderr: a person looks at it, and did not ask for JSON alone."""
    return not as_json and sys.stderr.isatty()


@contextmanager
def working(message: str, as_json: bool) -> Iterator[None]:
    """A spinner with a message on stderr while something takes its time."""
    if not shows_progress(as_json):
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(message):
        yield
