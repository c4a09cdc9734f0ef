"""``Dataset``: an entry of the catalogue of public tables."""

from dataclasses import dataclass

from jscale.runs.public._fetch import Gathered, Shipped, Upstream, obtain
from jscale.runs.public._tidy import Tidy
from jscale.runs.tables import NATS_PER_TOKEN


@dataclass(frozen=True)
class Dataset:
    """A public table of runs.

    For tables that others published, the package has their address and hash, not their data.

    Attributes:
        name: for :func:`dataset`.
        summary: one line.
        licence: of the data, as far as the source states one.
        paper: citation.
        upstream: the original file, the files of the package, or a table gathered from a
            repository.
        tidy: turns the bytes of the files into columns.
        caveats: what to know before a fit.
        loss_unit: unit of the losses.
        published_rows: number of runs in the original file; None for the package's own files.

    Example:
        >>> from jscale import runs
        >>> entry = runs.datasets()[1]
        >>> entry.name, entry.rows, entry.upstream.folder
        ('chinchilla', 245, 'chinchilla_epoch')
    """

    name: str
    summary: str
    licence: str
    paper: str
    upstream: Upstream | Shipped | Gathered
    tidy: Tidy
    caveats: tuple[str, ...] = ()
    loss_unit: str = NATS_PER_TOKEN
    published_rows: int | None = None

    @property
    def rows(self) -> int:
        """Number of runs: as published, or as the package's own files have at present."""
        if self.published_rows is not None:
            return self.published_rows
        contents, _ = obtain(self.upstream)
        return len(next(iter(self.tidy(*contents).values())))
