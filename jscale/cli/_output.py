"""What leaves a verb: strict JSON, tables for people, files that are whole or not there at all."""

import json
import math
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from jscale._core.errors import JscaleError
from jscale._core.files import replacing

if TYPE_CHECKING:
    from jscale._core.notes import Note

_WIDTH_OF_A_PIPE = 160


def plain(value: Any) -> Any:
    """``value`` in JSON's own types; a number that JSON does not have (NaN, infinity) is null."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):  # an array, or a number of numpy's or JAX's
        return plain(value.tolist())
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Sequence):
        return [plain(item) for item in value]
    raise TypeError(f"no JSON for {type(value).__name__}")


def to_json(payload: Mapping[str, Any]) -> str:
    """One JSON object on one line."""
    return json.dumps(plain(payload), allow_nan=False)


def deliver(payload: Mapping[str, Any], as_json: bool, out: str | None) -> None:
    """Write the result to the file that ``--out`` names, and to stdout with ``--json``."""
    if out is not None:
        with writing(out) as temporary:
            temporary.write_text(to_json(payload) + "\n", encoding="utf-8")
    if as_json:
        sys.stdout.write(to_json(payload) + "\n")


def notes(found: Iterable["Note"]) -> list[dict[str, str]]:
    """Notes as JSON objects."""
    return [{"code": n.code, "severity": n.severity, "message": n.message} for n in found]


def target(out: str, option: str = "--out") -> Path:
    """The file that an option means, checked before any work is done for it.

    Raises:
        JscaleError: its folder does not exist or cannot be written to, or it is no regular file.
    """
    path = Path(out).expanduser()
    try:
        path = path.resolve()
        if path.is_symlink():  # still: newer Pythons give up without a word
            raise OSError("a loop of links")
        folder, special = path.parent, path.exists() and not path.is_file()
        missing = not folder.is_dir()
    except (OSError, ValueError, RuntimeError) as error:  # too long a name, a NUL, a loop of links
        raise JscaleError(f"{option} {out!r}: not a path that can be written: {error}") from None
    if missing:
        raise JscaleError(f"{option} {out!r}: there is no folder {str(folder)!r}")
    if special:
        what = "folder" if path.is_dir() else "device or pipe"
        raise JscaleError(f"{option} {out!r}: this is a {what}; expected a file")
    try:
        # A trial in its own folder: access rights alone do not tell of read-only and virtual file
        # systems.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise JscaleError(
            f"{option} {out!r}: cannot be written: {error.strerror or error}"
        ) from None
    return path


def targets(out: str | None, figure: str | None) -> None:
    """Check the files of ``--out`` and ``--figure`` before any work is done for them.

    Raises:
        JscaleError: as :func:`target`, or a figure of another kind than those that are drawn.
    """
    if out is not None:
        target(out)
    if figure is not None:
        target(figure, "--figure")
        if not figure.lower().endswith((".png", ".pdf", ".svg")):
            raise JscaleError(
                f"--figure {figure!r}: expected a file that ends in .png, .pdf or .svg"
            )


@contextmanager
def writing(out: str) -> Iterator[Path]:
    """A temporary path that becomes the file of ``--out`` at the end; after an error nothing has
    changed.

    Raises:
        JscaleError: the file cannot be written.
    """
    with replacing(target(out)) as temporary:
        yield temporary


def figures(value: float | None, digits: int = 6) -> str:
    """A number with ``digits`` significant figures, for people; an empty text for none."""
    if value is None:
        return ""
    if not math.isfinite(value):
        return str(value)
    return f"{value:#.{digits}g}".rstrip(".")


def error(size: float, value: float) -> str:
    """A standard error beside its value, to two digits: with an exponent where the value has one,
    or else too long.
    """
    from jscale.report.notation import significant

    if size == 0 or not math.isfinite(size) or ("e" not in figures(value) and 1e-6 <= size < 1e9):
        return significant(size, 2)
    return f"{size:.1e}"


def show(*blocks: Any) -> None:
    """Print text and rich tables on stdout; into a pipe they come plain, and wide enough not to be
    cut.
    """
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    if not console.is_terminal:
        console.width = _WIDTH_OF_A_PIPE
    for block in blocks:
        console.print(block, markup=False)


def table(
    headers: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    title: str | None = None,
    right: str = "",
    whole: Sequence[str] = (),
) -> Any:
    """A rich table of plain text.

    Args:
        headers: of the columns.
        rows: cells as text, taken literally.
        title: above the table.
        right: one letter a column, "r" for those aligned to the right, as numbers are; may be
            shorter than the table.
        whole: headers of the columns whose cells are never broken.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    # Text, not str: a name such as "[bold]" in a table of runs is no markup.
    heading = Text(title, style="bold") if title else None
    grid = Table(title=heading, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for i, header in enumerate(headers):
        justify: Literal["left", "right"] = "right" if right[i : i + 1] == "r" else "left"
        grid.add_column(Text(header), justify=justify, overflow="fold", no_wrap=header in whole)
    for row in rows:
        grid.add_row(*(Text(cell) for cell in row))
    return grid


def show_notes(found: Iterable[Mapping[str, str]], *, least: str = "info") -> None:
    """Notes (as :func:`notes` gives them) for people, one a line, the serious ones first.

    Args:
        found: the notes.
        least: leave out those that are less serious.
    """
    from rich.text import Text

    order = {"error": 0, "warning": 1, "info": 2}
    style = {"error": "bold red", "warning": "yellow", "info": "dim"}
    lines = [
        Text.assemble((f"{note['severity']}: ", style[note["severity"]]), note["message"])
        for note in sorted(found, key=lambda n: order[n["severity"]])
        if order[note["severity"]] <= order[least]
    ]
    if lines:
        show(*lines)
