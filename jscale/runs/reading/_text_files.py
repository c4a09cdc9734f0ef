"""Text files, plain or compressed with gzip: their encoding and their lines."""

import codecs
import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.text import inline

GZIP = ".gz"
"""Suffix of a compressed file, after that of its kind: ``runs.csv.gz``."""
MAX_BYTES = 2**28
"""Bytes of text that are read, after unpacking: the largest tables have some 200 MB."""
_MAX_LINE = 2**23
"""Characters of a line of separated values."""
_BLOCK_BYTES = 1 << 20
_SIGNATURES = {
    b"PAR1": "a Parquet file (.parquet)",
    b"PK\x03\x04": "a zip archive or a workbook (.xlsx)",
    b"\x1f\x8b": "a gzip archive (.csv.gz)",
}
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_CONTROL_BYTES = bytes(b for b in range(32) if b not in b"\t\n\f\r")


def detect_encoding(path: Path, most_bytes: int = MAX_BYTES) -> tuple[str, list[Note]]:
    """The encoding of a text file: UTF-8 (with or without a byte-order mark), else Windows-1252.

    The whole file is read, so a damaged archive and one that unpacks to too much are found here.

    Args:
        path: of the file.
        most_bytes: that it may hold after unpacking.

    Returns:
        The encoding's name, and a note where it is Windows-1252.

    Raises:
        JscaleError: the file is empty, too large, not a text file, or a damaged archive.
        OSError: it cannot be opened.
    """
    try:
        return _detect_encoding(path, most_bytes)
    except EOFError:
        raise JscaleError("not a gzip file that can be read: it is cut short") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise JscaleError(f"not a gzip file that can be read: {inline(str(error))}") from None


def _detect_encoding(path: Path, most_bytes: int) -> tuple[str, list[Note]]:
    decoder = codecs.getincrementaldecoder("utf-8")()
    utf8, offset = True, 0
    with _open_binary(path) as file:
        while block := file.read(_BLOCK_BYTES):
            if offset == 0:
                _reject_other_formats(block)
            _reject_control_bytes(block, offset)
            offset += len(block)
            if offset > most_bytes:
                raise JscaleError(
                    f"too large a file: more than {most_bytes:,} bytes of text; "
                    "keep one row a run and the columns that a law needs"
                )
            utf8 = utf8 and _decodes(decoder, block)
    if offset == 0:
        raise JscaleError("the file is empty")

    # The last character may be incomplete.
    if utf8 and _decodes(decoder, b"", final=True):
        return "utf-8-sig", []
    message = "the file is not UTF-8; read as Windows-1252 (Latin-1), so check letters with accents"
    return "cp1252", [Note("encoding", "info", message)]


def _open_binary(path: Path) -> BinaryIO:
    if path.suffix.lower() == GZIP:
        return cast(BinaryIO, gzip.open(path, "rb"))
    return path.open("rb")


def _decodes(decoder: codecs.IncrementalDecoder, block: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(block, final=final)
    except UnicodeDecodeError:
        return False
    return True


def _reject_other_formats(start: bytes) -> None:
    for signature, kind in _SIGNATURES.items():
        if start.startswith(signature):
            raise JscaleError(f"not a text file: it starts like {kind}")
    if start.startswith(_UTF16):
        raise JscaleError("UTF-16 text; save it as UTF-8")


def _reject_control_bytes(block: bytes, offset: int) -> None:
    if len(block.translate(None, _CONTROL_BYTES)) != len(block):
        at = next(i for i, byte in enumerate(block) if byte in _CONTROL_BYTES)
        raise JscaleError(f"not a text file: byte {offset + at} is {block[at]:#04x}")


def short_lines(lines: Iterable[str]) -> Iterator[str]:
    """The lines of a table of separated values, none of them longer than any row may be.

    Raises:
        JscaleError: a longer line.
    """
    for line in lines:
        if len(line) > _MAX_LINE:
            raise JscaleError(f"a line of {len(line):,} characters; at most {_MAX_LINE:,} are read")
        yield line


@contextmanager
def text_lines(path: Path, encoding: str) -> Iterator[io.TextIOWrapper]:
    """A text file, whose lines keep their ends."""
    with (
        _open_binary(path) as file,
        io.TextIOWrapper(file, encoding, errors="replace", newline="") as lines,
    ):
        yield lines
