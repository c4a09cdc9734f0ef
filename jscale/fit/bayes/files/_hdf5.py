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
ENERGY = "sample_stats/energy"
"""The energy of the transitions among the variables that a file has besides the draws."""
_ATTRIBUTES = (
    "law",
    "noise",
    "loss_min",
    "loss_unit",
    "table_digest",
    "notes",
    "ranges",
    "prior_overlap",
    "errors",
    "columns",
    "runs",
    "priors",
    "seed",
    "sampler",
    "effective_draws",
    "pool",
    "jscale",
)
_ROW_GROUPS = ("observed_data", "constant_data")
"""Groups of the runs that were fitted; a file of version 0.1 has none."""
_DIMENSIONS = ("chain", "draw")
_ROW_DIMENSIONS = ("row", "inducing_point", "coordinate")
_VALUES = "_dim_0"
"""End of the name of the third dimension of a variable of the posterior."""
_PACKED = ("scale_factor", "add_offset")

Draws = dict[str, np.ndarray]


class WrongFileError(Exception):
    """The file has another structure than expected; the message does not name the file."""


def read(path: str) -> tuple[Draws, np.ndarray, dict[str, Any], Draws]:
    """What a file holds.

    Returns:
        The variables of a posterior (chains, draws) or (chains, draws, values); which transitions
        diverged; attributes, which are texts, numbers or None where they are neither, without
        missing ones; and the variables of the runs, of one or two dimensions, with the energy of
        the transitions where the file has it.

    Raises:
        WrongFileError: a group or variable is missing or has another type or shape than expected.
    """
    try:
        with h5py.File(path, "r") as file:
            posterior, statistics = _group(file, "posterior"), _group(file, "sample_stats")
            names = [str(name) for name in posterior if not _is_coordinate(posterior, str(name))]
            sites = {name: _variable(posterior, name, np.float64) for name in names}
            flags = _variable(statistics, "diverging", np.int8)
            rows = _row_variables(file)
            if "energy" in statistics:
                rows[ENERGY] = _variable(statistics, "energy", np.float64)
            if sum(each.size for each in (*sites.values(), *rows.values())) > _MAX_VALUES:
                raise WrongFileError(f"more than {_MAX_VALUES:,} values in all")
            draws = {name: np.asarray(site[()], np.float64) for name, site in sites.items()}
            runs = {name: np.asarray(each[()], np.float64) for name, each in rows.items()}
            return draws, np.asarray(flags[()]), _attributes(posterior), runs
    except WrongFileError:
        raise
    # HDF5 reports damage by errors of many types, from KeyError to MemoryError.
    except Exception as error:  # noqa: BLE001
        raise WrongFileError(f"HDF5 cannot read it ({type(error).__name__})") from None


def _is_coordinate(group: Any, name: str) -> bool:
    """Whether a variable numbers the values of a dimension."""
    return name in _DIMENSIONS or (name.endswith(_VALUES) and name.removesuffix(_VALUES) in group)


def _row_variables(file: h5py.File) -> dict[str, Any]:
    """The variables of the runs; none in a file of an earlier version."""
    variables = {}
    for group_name in _ROW_GROUPS:
        if group_name in file:
            group = _group(file, group_name)
            names = [str(name) for name in group if name not in _ROW_DIMENSIONS]
            variables |= {name: _variable(group, name, np.float64) for name in names}
    return variables


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
    expected = _expected_dimensions(group, name)
    if dimensions not in expected:
        raise WrongFileError(
            f"{where} has dimensions ({', '.join(dimensions)}); expected ({', '.join(expected[0])})"
        )
    count = int(np.prod(variable.shape[:2]))
    if not 0 < count <= _MAX_DRAWS or 0 in variable.shape:
        values = "draws" if expected[0] == _DIMENSIONS else "values"
        raise WrongFileError(
            f"{where} is of shape {variable.shape}; expected 1 to {_MAX_DRAWS:,} {values}"
        )
    return variable


def _expected_dimensions(group: Any, name: str) -> list[tuple[str, ...]]:
    """Names of the dimensions that a variable may have, the usual ones first."""
    if group.name.rpartition("/")[2] in _ROW_GROUPS:
        return [_ROW_DIMENSIONS[:1], _ROW_DIMENSIONS[1:]]
    return [_DIMENSIONS, (*_DIMENSIONS, f"{name}{_VALUES}")]


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
        sites, diverging, attributes, runs = read(path)
    except WrongFileError as error:
        out.write(json.dumps({"problem": str(error)}).encode() + b"\n")
        return
    arrays = {
        "sites": [(name, values.shape) for name, values in sites.items()],
        "runs": [(name, values.shape) for name, values in runs.items()],
    }
    header = {"arrays": arrays, "diverging": diverging.shape, "attributes": attributes}
    out.write(json.dumps(header).encode() + b"\n")
    for values in (*sites.values(), *runs.values()):
        out.write(values.tobytes())
    out.write(diverging.tobytes())


def received(content: bytes) -> tuple[Draws, np.ndarray, dict[str, Any], Draws]:
    """What :func:`send` has written.

    Raises:
        WrongFileError: as :func:`read`.
        ValueError: the content is not complete.
    """
    line, _, rest = content.partition(b"\n")
    header = json.loads(line)
    if "problem" in header:
        raise WrongFileError(header["problem"])

    offset, groups = 0, {}
    for group, arrays in header["arrays"].items():
        groups[group] = {}
        for name, shape in arrays:
            values = np.frombuffer(rest, np.float64, int(np.prod(shape)), offset)
            groups[group][name] = values.reshape(shape)
            offset += values.nbytes
    diverging = np.frombuffer(rest, np.int8, -1, offset).reshape(header["diverging"])
    return groups["sites"], diverging, header["attributes"], groups["runs"]


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
