"""A small table for the tests, and helpers to write and read files."""

import io
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from jscale import runs
from jscale._core.errors import JscaleError

CSV = (
    "run_id,params,tokens,w_bits,val_loss,host\n"
    "a,7e7,1.4e9,4,3.5,x1\n"
    "b,2e8,4e9,8,3.125,x2\n"
    "c,1e9,2e10,16,2.75,x1\n"
)
FULL_CSV = (
    "run_id,params,tokens,flops,w_bits,a_bits,val_loss,stderr,seed,group,exclude,host\n"
    "a,7e7,1.4e9,5.88e17,4,16,3.5,0.01,0,g,0,x1\n"
    "b,2e8,4e9,4.8e18,8,,3.125,0.01,1,g,1,x2\n"
    "c,1e9,2e10,1.2e20,16,8,2.75,0.01,,h,,\n"
)
"""Most columns that jscale knows, an excluded row and empty cells."""
COLUMNS = {
    "run_id": ["a", "b", "c"],
    "params": [7e7, 2e8, 1e9],
    "tokens": [1.4e9, 4e9, 2e10],
    "w_bits": [4, 8, 16],
    "val_loss": [3.5, 3.125, 2.75],
    "host": ["x1", "x2", "x1"],
}


def write(folder: Path, name: str, content: str | bytes) -> str:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def workbook(*rows) -> bytes:
    """An Excel workbook with one sheet."""
    content = io.BytesIO()
    pd.DataFrame(rows).to_excel(content, header=False, index=False)
    return content.getvalue()


def failure(source: Any, **kwargs: Any) -> str:
    with pytest.raises(JscaleError) as caught:
        runs.read(source, **kwargs)
    message = str(caught.value)
    assert message.isprintable(), "one line, no control characters"
    return message
