"""Every source that :func:`jscale.runs.read` accepts, as an unvalidated table."""

import os
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from jscale._core.errors import JscaleError
from jscale._core.files import check_regular
from jscale._core.text import inline, quote, quoted_names
from jscale.runs.reading._delimited import read_delimited
from jscale.runs.reading._events import MARK, is_log_folder, read_events
from jscale.runs.reading._frames import from_frame, from_mapping, read_excel, read_parquet
from jscale.runs.reading._records import from_list, read_json, read_json_lines
from jscale.runs.reading._text_files import GZIP, MAX_BYTES
from jscale.runs.tables import RawTable

STDIN = "-"
"""A path that stands for the standard input."""
Reader = Callable[[Path, Collection[str]], RawTable]
"""From a path, and the headers that the caller gave a meaning."""
_TEXT_READERS: dict[str, Reader] = {
    ".csv": lambda path, named: read_delimited(path, ",", named),
    ".tsv": lambda path, named: read_delimited(path, "\t", named),
    ".json": lambda path, _: read_json(path),
    ".jsonl": lambda path, _: read_json_lines(path),
    ".ndjson": lambda path, _: read_json_lines(path),
    ".txt": lambda path, named: read_delimited(path, ",", named),
    ".md": lambda path, named: read_delimited(path, "|", named),
}
"""Readers of text files, which may be compressed with gzip."""
_READERS: dict[str, Reader] = {
    **_TEXT_READERS,
    **{f"{suffix}{GZIP}": reader for suffix, reader in _TEXT_READERS.items()},
    ".xlsx": read_excel,
    ".zip": lambda path, named: _from_zip(path, named),
    ".parquet": lambda path, _: read_parquet(path),
    ".pq": lambda path, _: read_parquet(path),
}


def load(source: Any, name: str | None, named: Collection[str] = ()) -> tuple[RawTable, str, str]:
    """Load an unvalidated table.

    Args:
        source: as :func:`jscale.runs.read` accepts it.
        name: of the table; by default that of the file.
        named: headers that the caller gave a meaning.

    Returns:
        The table, its name, and where it came from.

    Raises:
        JscaleError: the source cannot be read as a table.
    """
    if isinstance(source, str | os.PathLike):
        if str(source) == STDIN:
            return from_stdin(named), inline(name or "stdin"), "stdin"
        path = Path(source)
        origin = inline(str(path))
        try:
            return _from_file(path, named), inline(name or path.name), origin
        except JscaleError as error:
            raise JscaleError(f"{origin}: {error}") from None
        except OSError as error:
            raise JscaleError(f"{origin}: cannot be read: {error.strerror or error}") from None

    package = type(source).__module__.split(".")[0]
    kind = f"{package}.{type(source).__name__}".removeprefix("builtins.")
    name = inline(name or "table")
    try:
        return _from_memory(source, kind), name, kind
    except JscaleError as error:
        raise JscaleError(f"{name}: {error}") from None


def _from_file(path: Path, named: Collection[str]) -> RawTable:
    """The table in a file.

    Raises:
        JscaleError: it cannot be read as a table, or it changed meanwhile.
        OSError: it cannot be opened.
    """
    if is_log_folder(path):
        return read_events(path)
    check_regular(path)
    if MARK in path.name:  # it may grow, and is read up to its last whole record
        return read_events(path)
    reader = _reader(path)
    before = _version(path)
    try:
        table = reader(path, named)
    except Exception:
        if _version(path) != before:
            raise _changed() from None
        raise
    if _version(path) != before:
        raise _changed()
    return table


def _version(path: Path) -> tuple[int, ...]:
    """What changes when a file is replaced or written to."""
    status = path.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _changed() -> JscaleError:
    return JscaleError("the file changed while it was read; read it again when it is complete")


def _reader(path: Path) -> Reader:
    """The reader for the suffix of a file's name.

    Raises:
        JscaleError: an unknown suffix.
    """
    suffix = path.suffix.lower()
    if suffix == GZIP:
        suffix = Path(path.stem).suffix.lower() + GZIP
    if suffix not in _READERS:
        expected = ", ".join(known for known in _READERS if not known.endswith(GZIP))
        raise JscaleError(
            f"unknown kind of file {quote(suffix)}: expected one of {expected}; "
            f"text files may be compressed ({GZIP})"
        )
    return _READERS[suffix]


def from_stdin(named: Collection[str]) -> RawTable:
    """The table that the standard input holds: JSON, JSON lines or separated values.

    Raises:
        JscaleError: there is none, or it is not a table.
    """
    try:
        content = sys.stdin.buffer.read(MAX_BYTES + 1)
    except (OSError, AttributeError) as error:
        raise JscaleError(f"stdin: cannot be read: {error}") from None
    start = content.lstrip()[:1]
    first_line = content.strip().partition(b"\n")[0].rstrip()
    suffix = ".json" if start == b"[" else ".csv"
    if start == b"{":
        suffix = ".jsonl" if first_line.endswith(b"}") else ".json"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"stdin{suffix}"
        path.write_bytes(content)
        try:
            return _from_file(path, named)
        except JscaleError as error:
            raise JscaleError(f"stdin: {error}") from None


def _from_zip(path: Path, named: Collection[str]) -> RawTable:
    """The table in the only file of a zip archive.

    Raises:
        JscaleError: it is damaged, too large, or holds another number of files.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            files = [part for part in archive.infolist() if not part.is_dir()]
            files = [part for part in files if not part.filename.startswith("__MACOSX")]
            if len(files) != 1:
                names = quoted_names([part.filename for part in files], 6)
                raise JscaleError(f"the archive holds {len(files)} files ({names}); expected one")
            if files[0].file_size > MAX_BYTES:
                raise JscaleError(f"too large a file: {files[0].file_size:,} bytes")
            with archive.open(files[0]) as file:
                content = file.read(MAX_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError) as error:
        raise JscaleError(f"not a zip archive that can be read: {inline(str(error))}") from None
    if len(content) > MAX_BYTES:
        raise JscaleError(f"too large a file: more than {MAX_BYTES:,} bytes")
    with tempfile.TemporaryDirectory() as folder:
        inner = Path(folder) / Path(files[0].filename).name
        if inner.suffix.lower() == ".zip":
            raise JscaleError("the archive holds another archive; expected a table")
        inner.write_bytes(content)
        return _reader(inner)(inner, named)


def _from_memory(source: Any, kind: str) -> RawTable:
    if isinstance(source, Mapping):
        return from_mapping(source)
    if isinstance(source, list | tuple):
        return from_list(source)
    table = from_frame(source)
    if table is None:
        raise JscaleError(
            f"cannot read runs from {quote(kind)}: "
            "expected a path, a data frame, a dict of arrays or a list of dicts"
        )
    return table
