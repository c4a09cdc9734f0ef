"""Temporary files that exist now: a process that ends without unwinding its stack removes them.

This module imports next to nothing: the command line needs it before anything else is loaded.
"""

import contextlib
import os
import threading
from collections.abc import Iterator

_WAIT_SECONDS = 0.2
"""For a thread that is registering a file, before :func:`remove_all` goes on without it."""

_files: set[tuple[int, str]] = set()
"""Process and path: a forked child does not remove the files of its parent."""
_lock = threading.RLock()


@contextlib.contextmanager
def registered(path: str | os.PathLike[str], *, keep: bool = False) -> Iterator[None]:
    """Register a file that may be created inside the block; it is removed at the end, if it exists.

    Args:
        path: of the file, before it is created.
        keep: leave it at the end of the block, to its owner.
    """
    entry = (os.getpid(), os.path.abspath(path))
    with _lock:
        _files.add(entry)
    try:
        yield
    finally:
        if not keep:
            _remove(entry[1])
        with _lock:
            _files.discard(entry)


def remove_all() -> None:
    """Remove every registered file, just before the process ends; none can be registered after."""
    _lock.acquire(timeout=_WAIT_SECONDS)
    for process, path in list(_files):
        if process == os.getpid():
            _remove(path)


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)
