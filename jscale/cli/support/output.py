"""What a verb writes: strict JSON, tables for people, files by atomic writes."""

import json
import math
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jscale._core.errors import JscaleError
from jscale._core.files import is_stream, output_path, refuse_input, replacing
from jscale._core.text import quote
from jscale.cli.screen import PIPE_WIDTH, Grid, pipe_width

if TYPE_CHECKING:
    from jscale._core.notes import Note
    from jscale.laws import LawFunction

FIGURE_SUFFIXES = (".png", ".pdf", ".svg")
_collector: ContextVar[list[Any] | None] = ContextVar("collector", default=None)
"""Where results go instead of a file and stdout."""
_TIMES = "seconds"
"""Member of a result with wall times."""
_DECLARED_LOSS_UNIT = "nats/token"
_SMALLEST_PLAIN, _LEAST_WITH_POWER = 1e-4, 1e6
"""Numbers below the one and from the other on have a power of ten."""
_SEVERITIES = {"error": "bold red", "warning": "yellow", "info": "dim"}
"""Severity of a note → style, the most severe first."""


def plain(value: Any) -> Any:
    """``value`` in JSON's own types; a number that JSON lacks (NaN, infinity) becomes null."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):  # an array, or a scalar of NumPy or JAX
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


@contextmanager
def collected(results: list[Any]) -> Iterator[None]:
    """Collect the results that :func:`deliver` gets inside of the block, and write none."""
    token = _collector.set(results)
    try:
        yield
    finally:
        _collector.reset(token)


def deliver(payload: Mapping[str, Any], as_json: bool, out: str | None) -> None:
    """Write the result to the file of ``--out``, and to stdout with ``--json``.

    The file has no wall times: the same command with the same seed writes the same bytes.
    """
    if (results := _collector.get()) is not None:
        results.append(payload)
        return
    if out is not None:
        with writing(out) as temporary:
            temporary.write_text(to_json(_without_times(payload)) + "\n", encoding="utf-8")
    if as_json:
        sys.stdout.write(to_json(payload) + "\n")


def _without_times(value: Any) -> Any:
    """A JSON object without its members ``seconds``, at any depth."""
    if isinstance(value, Mapping):
        return {name: _without_times(item) for name, item in value.items() if name != _TIMES}
    if isinstance(value, list | tuple):
        return [_without_times(item) for item in value]
    return value


def notes(items: Iterable["Note"]) -> list[dict[str, str]]:
    """Notes as JSON objects."""
    return [{"code": n.code, "severity": n.severity, "message": n.message} for n in items]


def target(out: str, option: str = "--out", inputs: Iterable[str | None] = ()) -> Path:
    """The path of an output option, validated before any work is done for it.

    Args:
        out: value of the option.
        option: for messages.
        inputs: what the command reads, as the user named it; None and what is not a file are passed
            over.

    Raises:
        JscaleError: its folder does not exist or is not writable, it is a folder, a device or a
            read-only file, or it is one of the inputs.
    """
    try:
        path = output_path(Path(out).expanduser())
        refuse_input(path, inputs)
    except JscaleError as error:
        raise JscaleError(f"{option}: {error}") from None
    except (RuntimeError, ValueError):  # the home folder of an unknown user
        raise JscaleError(f"{option} {quote(out)}: there is no such home folder") from None

    if is_stream(path):
        return path
    try:
        # Permissions alone do not reveal read-only and virtual file systems: write a trial file.
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        reason = error.strerror or error
        raise JscaleError(f"{option} {quote(out)}: cannot be written: {reason}") from None
    return path


def targets(out: str | None, figure: str | None, inputs: Iterable[str | None] = ()) -> None:
    """Validate the paths of ``--out`` and ``--figure`` before any work is done for them.

    Raises:
        JscaleError: as :func:`target`, an unsupported kind of figure, or one file for both.
    """
    inputs = tuple(inputs)
    if out is not None:
        target(out, inputs=inputs)
    if figure is not None:
        target(figure, "--figure", inputs)
        if not figure.lower().endswith(FIGURE_SUFFIXES):
            raise JscaleError(
                f"--figure {quote(figure)}: expected a file that ends in .png, .pdf or .svg"
            )
    if out is not None and figure is not None and target(out) == target(figure):
        raise JscaleError(f"--figure {quote(figure)}: this is the file of --out too")


@contextmanager
def resuming(
    path: str | None, *, inputs: Iterable[str | None] = (), outputs: Iterable[str | None] = ()
) -> Iterator[Path | None]:
    """The file of ``--resume``, which is removed when the block ends without an error.

    Args:
        path: value of the option.
        inputs: files that the command reads, as the user named them.
        outputs: files that it writes.

    Raises:
        JscaleError: it cannot be written, or is one of the others.
    """
    if path is None:
        yield None
        return
    file = target(path, "--resume", inputs)
    if is_stream(file) or any(out is not None and target(out) == file for out in outputs):
        raise JscaleError(f"--resume {quote(path)}: expected a file of its own")
    yield file
    file.unlink(missing_ok=True)


@contextmanager
def writing(out: str) -> Iterator[Path]:
    """A temporary path that replaces the file of ``--out`` at the end; unchanged after an error.

    Raises:
        JscaleError: the file cannot be written.
    """
    with replacing(target(out)) as temporary:
        yield temporary


def in_loss_unit(unit: str, loss_unit: str | None) -> str:
    """The unit of a law's value or parameter where losses have the unit of a table.

    Args:
        unit: as the law declares it.
        loss_unit: of the table, such as "bits per byte"; None where it is not known.
    """
    if loss_unit is None:
        return unit
    return unit.replace(_DECLARED_LOSS_UNIT, loss_unit.replace(" per ", "/"))


def value_unit(law: "LawFunction", loss_unit: str | None) -> str:
    """The unit of a law's value, as ``nats/byte``; "1" for shares.

    Args:
        law: whose value it is.
        loss_unit: as for :func:`in_loss_unit`.
    """
    from jscale.laws import describe

    return in_loss_unit(describe(law).output.unit, loss_unit)


def figures(value: float | None, digits: int = 6) -> str:
    """A number with ``digits`` significant figures, for people; an empty text for None."""
    if value is None:
        return ""
    if not math.isfinite(value):
        return str(value)
    rounded = float(f"{value:.{digits - 1}e}")
    if rounded and not _SMALLEST_PLAIN <= abs(rounded) < _LEAST_WITH_POWER:
        return with_power(f"{value:.{digits - 1}e}")
    places = digits - 1 - math.floor(math.log10(abs(rounded))) if rounded else digits - 1
    return f"{value:,.{max(places, 0)}f}"


def error(stderr: float, value: float) -> str:
    """A standard error to two digits, with a power of ten where ``value`` has one or it is long."""
    from jscale.report.notation import significant

    readable = "×" not in figures(value) and 1e-6 <= stderr < 1e9
    if stderr == 0 or not math.isfinite(stderr) or readable:
        return significant(stderr, 2)
    return with_power(f"{stderr:.1e}")


def with_power(text: str) -> str:
    """A number as Python writes it, with a power of ten for its exponent: ``1.20×10⁻¹⁰``.

    Args:
        text: such as ``1.20e-10``, or one without an exponent.
    """
    from jscale.report.notation import power_of_ten

    mantissa, _, exponent = text.partition("e")
    return f"{mantissa}×{power_of_ten(10.0 ** int(exponent))}" if exponent else text


def show(*blocks: Any) -> None:
    """Print text and tables on stdout; into a pipe without colours, wrapped if COLUMNS says so."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else pipe_width()
    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty() and width is None)
    if not console.is_terminal:
        console.width = width or PIPE_WIDTH
    for block in blocks:
        console.print(block, markup=False)


def table(
    headers: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    title: str | None = None,
    right: str = "",
    unbroken: Sequence[str] = (),
    narrow: bool = False,
) -> Grid:
    """A table of plain text that fits the screen.

    Args:
        headers: of the columns.
        rows: cells as text, without markup.
        title: above the table.
        right: one letter a column, "r" for right-aligned as numbers are; may be shorter than the
            table.
        unbroken: headers of the columns whose cells are never wrapped.
        narrow: two spaces between columns instead of three.
    """
    return Grid([*headers], [list(row) for row in rows], title, right, tuple(unbroken), narrow)


def show_notes(items: Iterable[Mapping[str, str]], *, least: str = "info") -> None:
    """Print notes (as :func:`notes` returns them), one a line, the most severe first.

    Args:
        items: the notes.
        least: omit notes that are less severe than this.
    """
    from rich.text import Text

    order = list(_SEVERITIES)
    lines = []
    for note in sorted(items, key=lambda note: order.index(note["severity"])):
        severity = note["severity"]
        if order.index(severity) <= order.index(least):
            # "error: " is how a line begins with which a command fails.
            word = "warning" if severity == "error" else severity
            label = (f"{word}: ", _SEVERITIES[severity])
            lines.append(Text.assemble(label, note["message"]))
    if lines:
        show(*lines)
