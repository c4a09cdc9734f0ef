"""Reading the file of a posterior such that damage can neither hang nor crash the caller."""

import os
import subprocess
import sys
from pathlib import Path

from jscale._core.errors import JscaleError
from jscale._core.text import quoted_path
from jscale.fit.bayes.files._check import Contents, check_path
from jscale.fit.bayes.files._seal import Seal, state

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_MAX_BYTES = 2**33
_SECONDS = 12.0
_BYTES_PER_SECOND = 20e6
"""A reader without result after 12 s, and 1 s for each 20 MB, has run into damage: a file of 4
chains of 1,000 draws takes 0.3 s."""


def read(path: str | os.PathLike[str]) -> Contents:
    """Variables of the posterior, diverging transitions, attributes and variables of the runs.

    Raises:
        JscaleError: not a file, not of netCDF, damaged, or a variable of another type or shape
            than :meth:`jscale.fit.Posterior.save` writes.
    """
    check_path(path)
    path, where = Path(path), quoted_path(path)
    try:
        size = path.stat().st_size
        with open(path, "rb") as file:
            signature = file.read(len(_SIGNATURE))
        if signature != _SIGNATURE:
            raise JscaleError(
                f"{where} is not a posterior saved by jscale: not a netCDF file; "
                "expected one that Posterior.save or 'jscale sample' has written"
            )
        if size > _MAX_BYTES:
            raise JscaleError(f"{where} has {size:,} bytes; expected at most {_MAX_BYTES:,}")
        seal = state(path)
    except OSError as error:
        raise JscaleError(f"{where} cannot be read: {error.strerror or error}") from None
    if seal is Seal.broken:
        raise JscaleError(
            f"{where} is damaged: its checksum does not agree; use a copy, or sample again"
        )
    return _read(path, seal is Seal.intact, _SECONDS + size / _BYTES_PER_SECOND)


def _read(path: Path, is_intact: bool, seconds: float) -> Contents:
    """The content, read here if the file is intact, else in a process of its own."""
    from jscale.fit.bayes.files import _hdf5

    where = quoted_path(path)
    try:
        if is_intact or not sys.executable:
            return _hdf5.read(str(path))
        return _hdf5.received(_run(Path(_hdf5.__file__), path, seconds))
    except _hdf5.WrongFileError as error:
        raise JscaleError(f"{where} is not a posterior saved by jscale: {error}") from None
    except (subprocess.SubprocessError, OSError, ValueError, KeyError):
        raise JscaleError(
            f"{where} is damaged: HDF5 hangs or fails on it; use a copy, or sample again"
        ) from None


def _run(script: Path, path: Path, seconds: float) -> bytes:
    """What a script prints about a file, in a process that finds the same packages as this one."""
    folders = os.pathsep.join(folder for folder in sys.path if folder)
    return subprocess.run(
        [sys.executable, "-P", str(script), os.path.realpath(path)],
        env={**os.environ, "PYTHONPATH": folders},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=seconds,
        check=True,
    ).stdout
