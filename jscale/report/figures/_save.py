"""A figure in a file."""

import os
from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure

from jscale._core.errors import JscaleError
from jscale._core.files import replacing
from jscale.report.figures import _style as style

# With a date in it, no two files would have the same bytes.
_UNDATED = {".pdf": {"CreationDate": None}, ".png": {}, ".svg": {"Date": None}}


def write_figure(
    path: str | os.PathLike[str], draw: Callable[[], Figure], *, dark: bool = False
) -> None:
    """Write the figure that ``draw`` returns to a .pdf, .png or .svg file; the write is atomic.

    Args:
        path: of the file.
        draw: makes the figure.
        dark: whether it was drawn in the dark style.

    Raises:
        JscaleError: another kind of file, or a path that cannot be written.
    """
    kind = Path(path).suffix.lower()
    if kind not in _UNDATED:
        kinds = ", ".join(_UNDATED)
        raise JscaleError(f"cannot write {str(path)!r}: expected a file that ends in {kinds}")
    figure = draw()
    with replacing(path) as temporary, style.styled(dark):
        figure.savefig(temporary, format=kind[1:], metadata=_UNDATED[kind])
