"""``reproduce``: published results refitted under each paper's own protocol."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import jax
import numpy as np

from jscale._core.checks import check_key
from jscale._core.errors import JscaleError
from jscale._core.jobs import Arrays, Checkpoint
from jscale._core.scope import in_float64
from jscale._core.text import did_you_mean, enumerated, shown
from jscale.assess.published import (
    _chinchilla,
    _clark,
    _gadre,
    _gemstones,
    _isoflop,
    _quest,
    _repeated,
    _steplaw,
    _vocab,
)
from jscale.assess.published._row import Paper, Row, rows_from_json, rows_to_json
from jscale.runs import Runs, dataset, datasets

PAPERS: tuple[Paper, ...] = (
    _chinchilla.paper,
    _quest.paper,
    _repeated.paper,
    _gemstones.paper,
    _gadre.paper,
    _clark.paper,
    _isoflop.llama,
    _isoflop.porian,
    _steplaw.paper,
    _vocab.paper,
)


@dataclass(frozen=True)
class NotRun:
    """A data set that is not available.

    Attributes:
        dataset: its name.
        why: what is missing and what to do about it.
    """

    dataset: str
    why: str


@dataclass(frozen=True)
class Reproduction:
    """Published numbers beside those computed here.

    Attributes:
        rows: one per number, by data set.
        not_run: data sets that are not available.
        sources: data set → citation of the paper.
        seconds: data set → wall time, compilation included.
    """

    rows: tuple[Row, ...]
    not_run: tuple[NotRun, ...]
    sources: Mapping[str, str]
    seconds: Mapping[str, float]

    @property
    def differing(self) -> tuple[Row, ...]:
        """The rows whose number is not reproduced, or that the runs do not identify."""
        return tuple(row for row in self.rows if not row.agrees)

    @property
    def complete(self) -> bool:
        """Whether every published number was computed and is reproduced."""
        return not self.differing and not self.not_run

    def of(self, dataset: str) -> tuple[Row, ...]:
        """The rows of one data set."""
        return tuple(row for row in self.rows if row.dataset == dataset)

    def __repr__(self) -> str:
        names = ", ".join(self.sources)
        agreeing = sum(row.agrees for row in self.rows)
        not_run = ""
        if self.not_run:
            not_run = f"; not run: {', '.join(each.dataset for each in self.not_run)}"
        return f"<Reproduction {names}: {agreeing} of {len(self.rows)} numbers agree{not_run}>"


def reproducible() -> tuple[str, ...]:
    """Names of the data sets with published results.

    Example:
        >>> from jscale import assess
        >>> assess.reproducible()[:3]
        ('chinchilla', 'quest', 'datablations')
    """
    return tuple(paper.name for paper in PAPERS)


@in_float64
def reproduce(
    name: str | None = None, *, key: jax.Array, resume: str | os.PathLike[str] | None = None
) -> Reproduction:
    """Published results refitted under each paper's own protocol.

    The protocol is its law, objective, choice of runs and resampling. A number agrees when the
    difference is within the tolerance of its row: the printed digits where the published constants
    are only evaluated, the differences between optimisers where they are fitted, and the
    Monte-Carlo error where they are drawn. Data sets that are not available are listed in the
    result.

    Args:
        name: one of :func:`reproducible`; None for all.
        key: a JAX random key, for the bootstraps.
        resume: file with the rows of the data sets that are done, created if it does not exist. The
            same call goes on where one that was killed has left it. It remains when all are done.

    Raises:
        JscaleError: there is no data set of this name, or there are no published results for it, or
            the file holds the progress of another job.

    Example:
        The data set must be in the cache or in the folder that ``JSCALE_DATA`` names:

        >>> import jax
        >>> from jscale import assess
        >>> assess.reproduce("gadre", key=jax.random.key(0))  # doctest: +SKIP
        <Reproduction gadre: 13 of 13 numbers agree>
        >>> "gadre" in assess.reproducible()
        True
    """
    check_key(key)
    rows: list[Row] = []
    not_run: list[NotRun] = []
    seconds: dict[str, float] = {}
    papers = PAPERS if name is None else (_paper(name),)

    job = {"command": "reproduce", "seed": np.asarray(jax.random.key_data(key)).tolist()}
    with Checkpoint(resume, job) as checkpoint:
        for paper in papers:
            start = time.perf_counter()
            try:
                tables = {needed: dataset(needed) for needed in paper.needs}
            except JscaleError as error:
                not_run.append(NotRun(paper.name, str(error)))
                continue
            compute = partial(_rows_as_arrays, paper, tables, key)
            rows += rows_from_json(str(checkpoint.unit(paper.name, compute)["rows"]))
            seconds[paper.name] = time.perf_counter() - start

    sources = {paper.name: paper.source for paper in papers}
    return Reproduction(tuple(rows), tuple(not_run), sources, seconds)


def _rows_as_arrays(paper: Paper, tables: Mapping[str, Runs], key: jax.Array) -> Arrays:
    """The rows of a paper as a unit of a checkpoint."""
    return {"rows": np.array(rows_to_json(paper.rows(tables, key)))}


def _paper(name: str) -> Paper:
    if not isinstance(name, str):
        raise JscaleError(
            f"must be the name of a data set, or None for all, not {shown(name)}", argument="name"
        )
    for paper in PAPERS:
        if paper.name == name:
            return paper

    expected = enumerated(reproducible())
    if name in {entry.name for entry in datasets()}:
        raise JscaleError(f"there are no published results for {shown(name)}; expected {expected}")
    hint = did_you_mean(name, reproducible(), f"; expected {expected}")
    raise JscaleError(f"no data set {shown(name)}{hint}")
