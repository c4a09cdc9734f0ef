"""Posterior draws in a file: netCDF, or a table by the suffix of the name."""

import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jscale._core.errors import JscaleError
from jscale._core.text import enumerated, quote

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

TABLES = (".csv", ".json", ".parquet")
"""Suffixes of files of draws as a table, one draw a row."""
_NETCDF = (".nc", ".nc4", ".netcdf", ".cdf", ".h5", ".hdf5", "")


def check_format(out: str) -> None:
    """Check, before anything is sampled, that the format of the suffix can be written.

    Raises:
        JscaleError: a suffix of another format, or Parquet without a library that writes it.
    """
    suffix = Path(out).suffix.lower()
    if suffix not in (*TABLES, *_NETCDF):
        raise JscaleError(
            f"--out {quote(out)}: draws are written as {enumerated(TABLES)} or, to be read again, "
            f"as .nc; not as {quote(suffix)}"
        )
    if suffix != ".parquet":
        return
    if not any(importlib.util.find_spec(name) for name in ("pyarrow", "fastparquet")):
        raise JscaleError(f"--out {quote(out)}: Parquet needs jscale[parquet]")


def write(posterior: Any, out: str, temporary: Path) -> None:
    """Write draws in the format of the suffix of ``--out``.

    Args:
        posterior: with ``draws`` and ``save``.
        out: name of the file.
        temporary: path to write to.
    """
    suffix = Path(out).suffix.lower()
    if suffix not in TABLES:
        posterior.save(temporary)
        return
    frame = _frame(posterior)
    if suffix == ".csv":
        frame.to_csv(temporary, index=False, lineterminator="\n")
    elif suffix == ".json":
        content = {name: column.tolist() for name, column in frame.items()}
        temporary.write_text(json.dumps(content) + "\n", encoding="utf-8")
    else:
        frame.to_parquet(temporary, index=False)


def _frame(posterior: Any) -> "pd.DataFrame":
    """Parameters and noise, one draw a row, named as in the summary.

    ``alpha`` is shared, or of the typical group; ``alpha_sd`` is the sd between groups,
    ``alpha[C4]`` that of a group, ``a[0]`` an element of an array.
    """
    import pandas as pd

    modes = getattr(posterior, "modes", {})
    columns: dict[str, Any] = {}
    for name, draws in posterior.draws.items():
        is_shared = modes.get(name, "shared") == "shared"
        if not is_shared and name in posterior.typical:
            columns[name] = posterior.typical[name]
            columns[f"{name}_sd"] = posterior.between[name]
        columns |= _elements(name, draws, None if is_shared else posterior.groups)
    for name, draws in getattr(posterior, "noise", {}).items():
        columns |= _elements(name, draws, None)
    return pd.DataFrame(columns)


def _elements(
    name: str, draws: "np.ndarray", groups: Sequence[str] | None
) -> dict[str, "np.ndarray"]:
    """Column → (draws,): one column an element of draws (draws, ...).

    Args:
        name: of the parameter.
        draws: (draws, ...), or (draws, groups, ...) with groups.
        groups: labels of the first axis after that of draws, or None.
    """
    import numpy as np

    draws = np.asarray(draws)
    columns = {}
    for index in np.ndindex(draws.shape[1:]):
        labels = [str(i) for i in index]
        if groups is not None:
            labels = [groups[index[0]], *labels[1:]]
        element = f"{name}[{','.join(labels)}]" if labels else name
        columns[element] = draws[(slice(None), *index)]
    return columns
