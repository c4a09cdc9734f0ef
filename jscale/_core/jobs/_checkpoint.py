"""Progress of a long job in a file, so that a job that was killed goes on where it was.

A job consists of units with names, whose results are arrays. The file grows by one record for each
finished unit, and each record carries its checksum: of a job that was killed at any moment, at most
the units that were being computed are lost. A resumed job has the results of one that was not
interrupted, bit by bit.
"""

import hashlib
import io
import json
import os
import threading
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import jax
import numpy as np

import jscale
from jscale._core.errors import JscaleError
from jscale._core.files import check_regular, output_path
from jscale._core.text import quoted_path, shown

Arrays = dict[str, np.ndarray]
_MAGIC = b"jscale progress 1\n"
_JOB = "job"
_MAX_HEADER = 4096
"""Bytes of the line before a record."""


class Checkpoint:
    """The finished units of a job; a context manager.

    Args:
        path: of the file, which is created if it does not exist; None to keep nothing.
        job: everything that the results depend on, name → what JSON can hold. A file of a job with
            another value is refused.

    Raises:
        JscaleError: the file is that of another job, is damaged, or cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str] | None, job: Mapping[str, Any]) -> None:
        self._units: dict[str, Arrays] = {}
        self._lock = threading.Lock()
        self._file: BinaryIO | None = None
        if path is None:
            return

        versions = {"jscale": jscale.__version__, "jax": jax.__version__}
        # As it is read back: a tuple is a list in JSON.
        self._job = json.loads(json.dumps({**job, **versions}))
        try:
            self._open(output_path(path))
        except JscaleError as error:
            raise JscaleError(f": {error}", argument="resume") from None
        except OSError as error:
            message = f": cannot write {quoted_path(path)}: {error.strerror or error}"
            raise JscaleError(message, argument="resume") from None

    def __enter__(self) -> "Checkpoint":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def unit(self, name: str, compute: Callable[[], Arrays]) -> Arrays:
        """The result of a unit: that in the file, or else a new one, which is written to it.

        Args:
            name: of the unit, unique in the job.
            compute: called without arguments if the file does not have the result.
        """
        if name not in self._units:
            result = compute()
            if self._file is None:
                return result
            self.add(name, result)
        return self._units[name]

    def find(self, name: str) -> Arrays | None:
        """The result of a unit in the file; None if it is not there."""
        return self._units.get(name)

    def add(self, name: str, result: Arrays) -> None:
        """Write the result of a unit to the file; any thread may do so."""
        with self._lock:
            if self._file is not None:
                self._units[name] = result
                _append(self._file, name, result)

    def _open(self, path: Path) -> None:
        """Read the file and keep it open for new records."""
        end = 0
        if path.exists():
            check_regular(path)
            end = self._read(path)

        self._file = open(path, "r+b" if path.exists() else "xb")  # noqa: SIM115 (closed by __exit__)
        self._file.truncate(end)  # a record that was cut off
        self._file.seek(end)
        if end == 0:
            self._file.write(_MAGIC)
            _append(self._file, _JOB, {_JOB: np.array(json.dumps(self._job))})

    def _read(self, path: Path) -> int:
        """Read the units of the file; return where its last complete record ends.

        Raises:
            JscaleError: not such a file, a damaged one, or one of another job.
        """
        with open(path, "rb") as file:
            magic = file.read(len(_MAGIC))
            if not _MAGIC.startswith(magic):
                raise JscaleError(
                    f"{quoted_path(path)} does not hold the progress of a job; "
                    "expected a new file, or one that an interrupted job has left"
                )

            end = 0
            while (record := _next_record(file, path)) is not None:
                name, result = record
                if end == 0:
                    self._check_job(path, name, result)
                else:
                    self._units[name] = result
                end = file.tell()
        return end

    def _check_job(self, path: Path, name: str, result: Arrays) -> None:
        """Check that the file belongs to this job."""
        job = json.loads(str(result[_JOB])) if name == _JOB and _JOB in result else {}
        for setting, value in self._job.items():
            if job.get(setting) != value:
                raise JscaleError(
                    f"{quoted_path(path)} holds the progress of another job, whose {setting} is "
                    f"{shown(job.get(setting))}, not {shown(value)}; remove it or name another file"
                )


def _append(file: BinaryIO, name: str, result: Arrays) -> None:
    """Write one record: a line of JSON with its size and checksum, then the arrays."""
    buffer = io.BytesIO()
    np.savez(buffer, **result)  # pyright: ignore[reportArgumentType]
    content = buffer.getvalue()
    header = {"unit": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    file.write(json.dumps(header).encode() + b"\n" + content)
    file.flush()
    os.fsync(file.fileno())


def _next_record(file: BinaryIO, path: Path) -> tuple[str, Arrays] | None:
    """The name and the arrays of the next record; None at the end, also if it is cut off.

    Raises:
        JscaleError: the record is damaged.
    """
    line = file.readline(_MAX_HEADER)
    if not line.endswith(b"\n") and len(line) < _MAX_HEADER:
        return None
    try:
        header = json.loads(line)
        name, size = str(header["unit"]), int(header["bytes"])
        if not 0 <= size <= os.fstat(file.fileno()).st_size - file.tell():
            return None
        content = file.read(size)
        if hashlib.sha256(content).hexdigest() != header["sha256"]:
            raise ValueError("another checksum")
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return name, {field: arrays[field] for field in arrays.files}
    except (ValueError, KeyError, TypeError, OverflowError, zipfile.BadZipFile):
        raise JscaleError(
            f"{quoted_path(path)} is damaged; remove it to start the job anew"
        ) from None
