"""``reproduce``: the published results of the data sets, refitted under each paper's own protocol."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

import jax

from jscale._core.checks import check_key
from jscale._core.errors import JscaleError
from jscale._core.scope import in_float64
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
from jscale.assess.published._row import Paper, Row
from jscale.runs import dataset, datasets

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
    """A data set that is not at hand.

    Attributes:
        dataset: its name.
        why: what is missing and what to do about it.
    """

    dataset: str
    why: str


@dataclass(frozen=True)
class Reproduction:
    """Published numbers beside ours.

    Attributes:
        rows: one a number, by data set.
        not_run: data sets that could not be had.
        sources: data set → citation of the paper.
        seconds: data set → time that it took, with compilation.
    """

    rows: tuple[Row, ...]
    not_run: tuple[NotRun, ...]
    sources: Mapping[str, str]
    seconds: Mapping[str, float]

    @property
    def differing(self) -> tuple[Row, ...]:
        """The rows whose published number does not come out, or that the runs do not determine."""
        return tuple(row for row in self.rows if not row.agrees)

    @property
    def complete(self) -> bool:
        """Whether every published number was computed and comes out."""
        return not self.differing and not self.not_run

    def of(self, dataset: str) -> tuple[Row, ...]:
        """The rows of one data set."""
        return tuple(row for row in self.rows if row.dataset == dataset)

    def __repr__(self) -> str:
        missing = (
            f"; not run: {', '.join(each.dataset for each in self.not_run)}" if self.not_run else ""
        )
        agreeing = sum(row.agrees for row in self.rows)
        return f"<Reproduction {', '.join(self.sources)}: {agreeing} of {len(self.rows)} numbers agree{missing}>"


def reproducible() -> tuple[str, ...]:
    """Names of the data sets with published results."""
    return tuple(paper.name for paper in PAPERS)


@in_float64
def reproduce(name: str | None = None, *, key: jax.Array) -> Reproduction:
    """Published results refitted under each paper's own protocol: its law, objective, choice of
    runs
    and resampling.

    A number agrees when it is as close as its protocol allows: to the printed digits where the
    published constants are only evaluated, to what optimisers leave open where they are fitted, and
    to the error of sampling where they are drawn. Each row says its own margin. Data sets that are
    not at hand are listed and stop nothing.

    Args:
        name: one of :func:`reproducible`; None for all.
        key: a JAX random key, for the bootstraps.

    Raises:
        JscaleError: there is no data set of this name, or nothing published about it.
    """
    check_key(key)
    rows: list[Row] = []
    missing: list[NotRun] = []
    seconds: dict[str, float] = {}
    chosen = PAPERS if name is None else (_paper(name),)
    for paper in chosen:
        began = time.perf_counter()
        try:
            tables = {needed: dataset(needed) for needed in paper.needs}
        except JscaleError as error:
            missing.append(NotRun(paper.name, str(error)))
            continue
        rows += paper.rows(tables, key)
        seconds[paper.name] = time.perf_counter() - began
    return Reproduction(
        tuple(rows), tuple(missing), {paper.name: paper.source for paper in chosen}, seconds
    )


def _paper(name: str) -> Paper:
    if not isinstance(name, str):
        raise JscaleError(f"name must be the name of a data set, or None for all, not {name!r:.60}")
    found = next((paper for paper in PAPERS if paper.name == name), None)
    if found is not None:
        return found
    if name in {entry.name for entry in datasets()}:
        raise JscaleError(
            f"nothing published about {name!r} is known to compare with; there is for {_listed()}"
        )
    near = get_close_matches(str(name).casefold(), reproducible(), 1)
    raise JscaleError(
        f"no data set {name!r}; "
        + (f"did you mean {near[0]!r}?" if near else f"expected {_listed()}")
    )


def _listed() -> str:
    return ", ".join(reproducible())
