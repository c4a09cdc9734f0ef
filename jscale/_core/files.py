"""Atomic writes: a file is replaced as a whole or not at all."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from jscale._core.errors import JscaleError


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path in the folder of ``path``, for an atomic write.

    The temporary file is renamed to ``path`` when the block ends normally, and removed when the
    block raises.

    Raises:
        JscaleError: the folder does not exist or cannot be written.
    """
    target = Path(path)
    if target.is_dir():
        raise JscaleError(f"cannot write {str(target)!r}: it is a folder")

    try:
        handle, name = tempfile.mkstemp(
            prefix=f".{target.name[:100]}.", suffix=target.suffix, dir=target.parent
        )
    except OSError as error:
        raise JscaleError(f"cannot write {str(target)!r}: {error.strerror or error}") from None
    os.close(handle)
    temporary = Path(name)

    try:
        yield temporary
        # mkstemp creates files that only their owner may read; a result gets the usual rights.
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        os.replace(temporary, target)
    except OSError as error:
        # The error of a full disk has no file name. An error about another file passes through.
        if error.filename is not None and Path(error.filename) not in (temporary, target):
            raise
        raise JscaleError(f"cannot write {str(target)!r}: {error.strerror or error}") from None
    finally:
        temporary.unlink(missing_ok=True)
