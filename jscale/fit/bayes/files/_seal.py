"""A checksum at the end of a file, tested before HDF5 opens it.

Six changed bytes are enough for HDF5 to read in circles for ever. The last 48 bytes of a file are
the 16 bytes of :data:`MAGIC` and the SHA-256 of everything before them. HDF5 ignores what follows
the end of its data, and drops it when a program changes the file.
"""

import hashlib
import os
from enum import Enum
from pathlib import Path

MAGIC = b"jscale posterior"
_LENGTH = len(MAGIC) + hashlib.sha256().digest_size
_BLOCK_BYTES = 1 << 20


class Seal(Enum):
    """What the end of a file says about the rest of it."""

    intact = "the checksum agrees"
    broken = "the checksum does not agree"
    missing = "no checksum"


def seal(path: Path) -> None:
    """Append the checksum to a file."""
    digest = _digest(path, path.stat().st_size)
    with open(path, "ab") as file:
        file.write(MAGIC + digest)


def state(path: Path) -> Seal:
    """Compare a file with the checksum at its end.

    Raises:
        OSError: the file cannot be read.
    """
    size = path.stat().st_size
    if size < _LENGTH:
        return Seal.missing
    with open(path, "rb") as file:
        file.seek(-_LENGTH, os.SEEK_END)
        end = file.read()

    # Half of the magic bytes are enough, so that damage to some of them does not hide the rest.
    magic, digest = end[: len(MAGIC)], end[len(MAGIC) :]
    equal = sum(byte == expected for byte, expected in zip(magic, MAGIC, strict=True))
    if equal < len(MAGIC) // 2:
        return Seal.missing
    is_intact = magic == MAGIC and digest == _digest(path, size - _LENGTH)
    return Seal.intact if is_intact else Seal.broken


def _digest(path: Path, length: int) -> bytes:
    """SHA-256 of the first ``length`` bytes of a file."""
    content = hashlib.sha256()
    with open(path, "rb") as file:
        while length > 0 and (block := file.read(min(length, _BLOCK_BYTES))):
            content.update(block)
            length -= len(block)
    return content.digest()
