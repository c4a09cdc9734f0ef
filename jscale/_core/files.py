"""Files that are either whole or as they were."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from jscale._core.errors import JscaleError


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its name when the block ends well and vanishes
    when
    it does not.

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
        # mkstemp makes files that only their owner may read; a result gets the usual rights.
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        os.replace(temporary, target)
    except OSError as error:
        # A full disk names no file; an error about another file is not one of writing this one.
        if error.filename is not None and Path(error.filename) not in (temporary, target):
            raise
        raise JscaleError(f"cannot write {str(target)!r}: {error.strerror or error}") from None
    finally:
        temporary.unlink(missing_ok=True)
