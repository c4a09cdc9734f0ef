"""``dataset``: the public tables as tables of runs."""

from dataclasses import replace

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.text import did_you_mean, enumerated, quote
from jscale.runs._table import Runs
from jscale.runs.public._catalogue import CATALOGUE
from jscale.runs.public._dataset import Dataset
from jscale.runs.public._fetch import obtain
from jscale.runs.reading import read


def datasets() -> tuple[Dataset, ...]:
    """The public tables that :func:`dataset` loads.

    Example:
        >>> from jscale import runs
        >>> [entry.name for entry in runs.datasets()][:4]
        ['precision-runs', 'chinchilla', 'quest', 'llama3-isoflop']
    """
    return CATALOGUE


def dataset(name: str) -> Runs:
    """A public table of runs, downloaded once where that is possible.

    The file is looked for in the folder that the environment variable ``JSCALE_DATA`` names, then
    in the user's cache, then at its source; it must have the SHA-256 of the catalogue. Tables that
    were gathered from notebooks, pickles and many small files have no source to download and are
    read from that folder only.

    Args:
        name: one of :func:`datasets`.

    Raises:
        JscaleError: an unknown name, or a file that is not available; the message says what to do.

    Example:
        >>> from jscale import runs
        >>> table = runs.dataset("precision-runs")
        >>> sorted(set(table["P_w"].tolist()))
        [2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 16.0]
    """
    by_name = {entry.name: entry for entry in CATALOGUE}
    if name not in by_name:
        hint = did_you_mean(name, by_name, f"; expected one of {enumerated(by_name)}")
        raise JscaleError(f"no data set {quote(name)}{hint}")
    return load(by_name[name])


def load(entry: Dataset) -> Runs:
    """The table of a catalogue entry.

    Raises:
        JscaleError: its file is not available.
    """
    try:
        contents, origin = obtain(entry.upstream)
    except JscaleError as error:
        raise JscaleError(f"data set {entry.name}: {error}") from None
    table = read(entry.tidy(*contents), name=entry.name)
    source = Note("source", "info", f"{entry.paper}; licence: {entry.licence}")
    caveats = [Note("caveat", "info", caveat) for caveat in entry.caveats]
    notes = [_documented(note) for note in table.notes]
    return replace(
        table, loss_unit=entry.loss_unit, notes=(source, *caveats, *notes), source=origin
    )


def _documented(note: Note) -> Note:
    """A note that is no warning here: the caveats say how the runs of a public table belong."""
    return replace(note, severity="info") if note.code == "text-splits" else note
