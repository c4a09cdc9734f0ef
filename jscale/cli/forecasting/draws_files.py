"""Posterior draws in a file: netCDF, or a table by the suffix of the name."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jscale._core.errors import JscaleError
from jscale._core.text import quote

if TYPE_CHECKING:
    import pandas as pd

TABLES = (".csv", ".json", ".parquet")
"""Suffixes of files of draws as a table, one draw a row; any other is netCDF."""


def write(posterior: Any, out: str, temporary: Path) -> None:
    """Write draws in the format of the suffix of ``--out``.

    Args:
        posterior: with ``draws`` and ``save``.
        out: name of the file.
        temporary: path to write to.

    Raises:
        JscaleError: Parquet without the library that writes it.
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
        try:
            frame.to_parquet(temporary, index=False)
        except ImportError:
            raise JscaleError(f"--out {quote(out)}: Parquet needs jscale[parquet]") from None


def _frame(posterior: Any) -> "pd.DataFrame":
    """Parameters and noise, one draw a row."""
    import numpy as np
    import pandas as pd

    columns = {**posterior.draws, **getattr(posterior, "noise", {})}
    flat = {name: np.asarray(draws) for name, draws in columns.items()}
    return pd.DataFrame({name: draws for name, draws in flat.items() if draws.ndim == 1})
