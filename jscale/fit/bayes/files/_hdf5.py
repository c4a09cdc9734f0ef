"""Draws and attributes of a netCDF file, read by HDF5 itself.

The file is a script as well: a file without a checksum is read in a process of its own, since HDF5
may loop or crash on damaged data. It imports nothing of the package, which would take seconds.
"""

import json
import sys
from typing import Any, BinaryIO

import h5py
import numpy as np

_MAX_DRAWS = 10_000_000
"""Draws of one parameter in all chains together, as ``MAX_DRAWS`` of the package."""
_MAX_VALUES = 500_000_000
"""Values of all variables together: 4 GB."""
_MEMORY_BYTES = 16 * 2**30
"""Address space of the process that reads a file without a checksum."""
_ATTRIBUTES = (
    "law",
    "noise",
    "loss_min",
    "table_digest",
    "notes",
    "ranges",
    "prior_overlap",
    "errors",
    "columns",
    "priors",
    "seed",
    "jscale",
)
_ROW_GROUPS = ("observed_data", "constant_data")
"""Groups of the runs that were fitted; a file of version 0.1 has none."""
_MAX_ROW_DIMENSIONS = 2
_DIMENSIONS = ("chain", "draw")
_PACKED = ("scale_factor", "add_offset")

Draws = dict[str, np.ndarray]


class WrongFileError(Exception):
    """The file has another structure than expected; the message does not name the file."""


def read(path: str) -> tuple[Draws, np.ndarray, dict[str, Any], Draws]:
    """What a file holds.

    Returns:
        The variables of a posterior (chains, draws) or (chains, draws, values), which transitions
        diverged, attributes, and the variables of the runs by name. Attributes are texts, numbers or None where they are neither; missing ones are left out.

    Raises:
        WrongFileError: a group or variable is missing or has another type or shape than expected.
    """
    try:
        with h5py.File(path, "r") as file:
            posterior, statistics = _group(file, "posterior"), _group(file, "sample_stats")
            names = [str(name) for name in posterior if name not in _DIMENSIONS]
            sites = {name: _variable(posterior, name, np.float64) for name in names}
            flags = _variable(statistics, "diverging", np.int8)
            if sum(site.size for site in sites.values()) > _MAX_VALUES:
                raise WrongFileError(f"more than {_MAX_VALUES:,} values in all")
            draws = {name: np.asarray(site[()], np.float64) for name, site in sites.items()}
            return draws, np.asarray(flags[()]), _attributes(posterior)
    except WrongFileError:
        raise
    # HDF5 reports damage by errors of many types, from KeyError to MemoryError.
    except Exception as error:  # noqa: BLE001
        raise WrongFileError(f"HDF5 cannot read it ({type(error).__name__})") from None


def _group(file: h5py.File, name: str) -> Any:
    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise WrongFileError(f"group {name!r} is missing")
    group = file[name]
    if not isinstance(group, h5py.Group):
        raise WrongFileError(f"{name!r} is not a group")
    return group


def _variable(group: Any, name: str, dtype: type) -> Any:
    """A variable whose type and shape are as expected; nothing of its values is read."""
    where = f"variable {name!r}"
    # A soft or external link may lead to another file, or in a circle.
    link = group.get(name, getlink=True)
    if link is None:
        raise WrongFileError(f"{where} is missing")
    variable: Any = group[name] if isinstance(link, h5py.HardLink) else None
    if not isinstance(variable, h5py.Dataset) or variable.is_virtual or variable.external:
        raise WrongFileError(f"{where} is not an array of this file")

    actual, expected = variable.dtype, np.dtype(dtype)
    if (actual.kind, actual.itemsize) != (expected.kind, expected.itemsize):
        raise WrongFileError(f"{where} is of type {actual}; expected {expected}")
    if any(name in variable.attrs for name in _PACKED):
        raise WrongFileError(f"{where} is packed (scale_factor or add_offset)")

    dimensions = tuple(_dimension(dimension) for dimension in variable.dims)
    if dimensions != _DIMENSIONS:
        raise WrongFileError(
            f"{where} has dimensions ({', '.join(dimensions)}); expected (chain, draw)"
        )
    count = int(np.prod(variable.shape))
    if not 0 < count <= _MAX_DRAWS:
        raise WrongFileError(
            f"{where} is of shape {variable.shape}; expected 1 to {_MAX_DRAWS:,} draws"
        )
    return variable


def _dimension(dimension: Any) -> str:
    """Name of a dimension; ``?`` where none is attached to the variable."""
    return str(dimension[0].name).rpartition("/")[2] if len(dimension) else "?"


def _attributes(group: Any) -> dict[str, Any]:
    attributes = {}
    for name in _ATTRIBUTES:
        if name in group.attrs:
            try:
                attributes[name] = _plain(group.attrs[name])
            # A type that h5py cannot convert, or text that is not UTF-8.
            except (OSError, TypeError, ValueError):
                attributes[name] = None
    return attributes


def _plain(value: Any) -> str | float | None:
    """An attribute as text or a number. Other tools write arrays of one entry."""
    if isinstance(value, np.ndarray | np.generic) and value.size == 1:
        value = value.item()
    if isinstance(value, bytes):
        value = value.decode("utf-8")
    return value if isinstance(value, str | float | int) else None


def send(path: str, out: BinaryIO) -> None:
    """Write what :func:`read` returns, or its error, to a stream: a line of JSON, then bytes."""
    try:
        sites, diverging, attributes = read(path)
    except WrongFileError as error:
        out.write(json.dumps({"problem": str(error)}).encode() + b"\n")
        return
    arrays = [(name, values.shape) for name, values in sites.items()]
    header = {"arrays": arrays, "diverging": diverging.shape, "attributes": attributes}
    out.write(json.dumps(header).encode() + b"\n")
    for values in sites.values():
        out.write(values.tobytes())
    out.write(diverging.tobytes())


def received(content: bytes) -> tuple[Draws, np.ndarray, dict[str, Any]]:
    """What :func:`send` has written.

    Raises:
        WrongFileError: as :func:`read`.
        ValueError: the content is not complete.
    """
    line, _, rest = content.partition(b"\n")
    header = json.loads(line)
    if "problem" in header:
        raise WrongFileError(header["problem"])

    shapes = [np.dtype(np.float64).itemsize * int(np.prod(shape)) for _, shape in header["arrays"]]
    offsets = np.cumsum([0, *shapes]).tolist()
    sites = {
        name: np.frombuffer(rest, np.float64, int(np.prod(shape)), offset).reshape(shape)
        for (name, shape), offset in zip(header["arrays"], offsets[:-1], strict=True)
    }
    diverging = np.frombuffer(rest, np.int8, -1, offsets[-1]).reshape(header["diverging"])
    return sites, diverging, header["attributes"]


def _limit_memory() -> None:
    """A damaged length must not fill the memory of the machine."""
    try:
        import resource
    except ImportError:  # Windows
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard == resource.RLIM_INFINITY or hard > _MEMORY_BYTES:
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, hard))


if __name__ == "__main__":
    _limit_memory()
    send(sys.argv[1], sys.stdout.buffer)
