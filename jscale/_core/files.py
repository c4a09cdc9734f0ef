"""Files: atomic writes, standard streams as outputs, and reading with a limit.

A file is replaced as a whole or not at all. It keeps its permissions; a link keeps pointing to it.
"""

import contextlib
import errno
import os
import re
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from jscale._core.errors import JscaleError
from jscale._core.temporaries import registered
from jscale._core.text import quote, quoted_path

MAX_SETTINGS_BYTES = 2**24
"""Largest file of parameters or settings that is read, in bytes."""
_MAX_LINKS = 40
"""Links that are followed, as many as Linux follows."""
_MAX_PATH = 4096
"""Characters of a path, the limit of Linux."""
_STREAMS = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
_DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/([0-9]{1,9})")
_BLOCK_BYTES = 1 << 20
_Path = str | os.PathLike[str]


@contextlib.contextmanager
def replacing(path: _Path) -> Iterator[Path]:
    """A temporary path, for an atomic write to ``path``.

    The temporary file is in the folder of the file that ``path`` leads to. It is renamed to that
    file when the block ends normally, and removed when the block raises. What is written for
    ``/dev/stdout``, ``/dev/stderr`` or ``/dev/fd/3`` is appended to that stream at the end.

    Raises:
        JscaleError: the path cannot be written: see :func:`output_path`.
    """
    target = output_path(path)
    descriptor = _descriptor(target)
    existing = _stat(target) if descriptor is None else None
    folder = target.parent if descriptor is None else Path(tempfile.gettempdir())
    temporary = _temporary_name(folder, target)

    # A file that exists may be private: its successor is private from the first byte on. The kernel
    # applies the umask to a new file; reading the umask would mean changing it for all threads.
    mode = 0o666 if existing is None and descriptor is None else 0o600
    try:
        with registered(temporary):
            os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
            yield temporary
            if descriptor is not None:
                _append(temporary, descriptor)
            else:
                if existing is not None:
                    _copy_permissions(existing, temporary)
                os.replace(temporary, target)
    except BrokenPipeError:
        raise
    except OSError as error:
        # The error of a full disk has no file name. An error about another file passes through.
        if error.filename is not None and Path(error.filename) not in (temporary, target):
            raise
        raise _cannot_write(path, error.strerror or error) from None


def output_path(path: _Path) -> Path:
    """The file that writing to ``path`` replaces, after the links that lead to it.

    ``/dev/stdout``, ``/dev/stderr`` and ``/dev/fd/3`` are returned as they are.

    Raises:
        JscaleError: the path is too long, has a NUL character or runs in circles; there is no such
            folder; or it leads to a folder, a device, a pipe or a read-only file.
    """
    try:
        target = _follow(Path(path))
        descriptor = _descriptor(target)
        if descriptor is not None:
            os.write(descriptor, b"")  # fails where it is closed or open for reading only
            return target
        status = _stat(target)
        folder_exists = target.parent.is_dir()
    except OSError as error:
        raise _cannot_write(path, error.strerror or error) from None
    # A NUL character or a surrogate, or a loop of links.
    except (ValueError, RuntimeError) as error:
        raise _cannot_write(path, error) from None
    except TypeError:
        raise JscaleError(f"expected a path, not {quote(path)}") from None

    if not folder_exists:
        raise _cannot_write(path, f"there is no folder {quoted_path(target.parent)}")
    if status is None:
        return target
    if stat.S_ISDIR(status.st_mode):
        raise _cannot_write(path, "this is a folder; expected a file")
    if not stat.S_ISREG(status.st_mode):
        raise _cannot_write(path, "this is a device or pipe; expected a file or /dev/stdout")
    # The superuser may write to any file: look at the permissions too.
    if not status.st_mode & 0o222 or not os.access(target, os.W_OK):
        raise _cannot_write(path, "the file is read-only; remove it, or choose another name")
    return target


def is_stream(path: Path) -> bool:
    """Whether a path is a standard stream or an open file by its number, such as /dev/fd/3."""
    return _descriptor(path) is not None


def refuse_input(output: _Path, inputs: Iterable[_Path | None]) -> None:
    """Check that writing ``output`` overwrites none of the files that are read.

    Files are the same under any name: through links, hard links and standard streams.

    Args:
        output: the path to be written.
        inputs: paths that are read; None and names that are not files are passed over.

    Raises:
        JscaleError: the output is one of them.
    """
    for path in inputs:
        if path is not None and _same_file(output, path):
            raise _cannot_write(
                output, f"this is the input {quoted_path(path)}; expected another file"
            )


def check_regular(path: _Path) -> None:
    """Check that ``path`` can be read to its end: pipes and devices may never end.

    Raises:
        JscaleError: there is no such file, or it is a folder, a pipe or a device. The message does
            not name the path.
    """
    try:
        mode = os.stat(path).st_mode
    # A ValueError is about a NUL character or a surrogate, which no name has.
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise JscaleError("no such file") from None
    except OSError as error:
        raise JscaleError(f"cannot be read: {error.strerror or error}") from None
    if stat.S_ISDIR(mode):
        raise JscaleError("this is a folder; expected a file")
    if not stat.S_ISREG(mode):
        raise JscaleError("not a regular file: save its content to a file, and give that one")


def read_settings(path: _Path) -> str:
    """The text of a small UTF-8 file, such as a JSON file of parameters.

    Raises:
        JscaleError: not a regular file, not readable, more than 16 MiB, or not UTF-8. The message
            does not name the path.
    """
    check_regular(path)
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_SETTINGS_BYTES + 1)
        if len(content) > MAX_SETTINGS_BYTES:
            raise JscaleError(f"more than {MAX_SETTINGS_BYTES:,} bytes; expected a small file")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise JscaleError(f"cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise JscaleError("not a text file in UTF-8") from None


def _follow(path: Path) -> Path:
    """The path after all links in it; a standard stream is not followed further.

    Raises:
        OSError: a loop of links, or too long a path.
    """
    if len(str(path)) > _MAX_PATH:  # to resolve a path of many parts takes quadratic time
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
    for _ in range(_MAX_LINKS):
        if _descriptor(path) is not None:
            return path
        path = path.parent.resolve() / path.name
        if not path.is_symlink():
            return path
        path = path.parent / os.readlink(path)
    raise OSError("a loop of links")


def _stat(path: Path) -> os.stat_result | None:
    try:
        return os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _descriptor(path: Path) -> int | None:
    """The file descriptor of a standard stream; None for any other path."""
    name = str(path)
    if name in _STREAMS:
        return _STREAMS[name]
    match = _DESCRIPTOR.fullmatch(name)
    return int(match[1]) if match else None


def _temporary_name(folder: Path, target: Path) -> Path:
    """A new name in ``folder`` with the suffix of ``target``, by which some writers go."""
    suffix = target.suffix if len(os.fsencode(target.suffix)) <= 16 else ""
    return folder / f".jscale-{secrets.token_hex(8)}{suffix}"


def _append(temporary: Path, descriptor: int) -> None:
    """Copy a file to a stream, behind what Python has printed."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            stream.flush()
    with open(temporary, "rb") as source, open(descriptor, "wb", closefd=False) as out:
        shutil.copyfileobj(source, out, _BLOCK_BYTES)


def _copy_permissions(existing: os.stat_result, temporary: Path) -> None:
    """Give a file the owner, group and permissions of the one that it replaces."""
    with contextlib.suppress(PermissionError):
        os.chown(temporary, existing.st_uid, existing.st_gid)
    os.chmod(temporary, stat.S_IMODE(existing.st_mode))


def _same_file(first: _Path, second: _Path) -> bool:
    try:
        descriptor = _descriptor(_follow(Path(first)))
        status = os.stat(first) if descriptor is None else os.fstat(descriptor)
        other = os.stat(second)
        return os.path.samestat(status, other)
    except (OSError, ValueError, TypeError):
        return False


def _cannot_write(path: Any, reason: Any) -> JscaleError:
    return JscaleError(f"cannot write {quoted_path(path)}: {reason}")
