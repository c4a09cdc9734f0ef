"""``jscale sample --by COLUMN --pool …``: the posterior of a law in several groups of runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, cast

from jscale._core.errors import JscaleError
from jscale._core.text import did_you_mean, enumerated, shown
from jscale.cli.support import flags, inputs, options

if TYPE_CHECKING:
    from jscale._core.notes import Note
    from jscale.fit import PooledPosterior
    from jscale.laws import LawFunction
    from jscale.runs import Runs

POOL_BY = Annotated[
    str | None,
    options.option(
        "--by",
        help="Column of groups (corpora, families, recipes) whose parameters --pool describes.",
        metavar="COLUMN",
    ),
]
POOL = Annotated[
    list[str] | None,
    options.option(
        "--pool",
        help="With --by: shared, partial or separate for all parameters, or pairs such as "
        "alpha=partial,E=separate (others are shared).",
        metavar="MODES",
    ),
]
POOL_GROUP = Annotated[
    str | None,
    options.option(
        "--group",
        help="With --by: print and write the posterior of this group alone, for other verbs.",
        metavar="LABEL",
    ),
]


class PoolOptions(NamedTuple):
    """The options of pooling.

    Attributes:
        by: column of the groups.
        pool: texts of ``--pool``.
        group: label of one group, or None.
    """

    by: str
    pool: list[str]
    group: str | None


def checked_options(
    by: str | None, pool: list[str] | None, group: str | None
) -> PoolOptions | None:
    """The options of pooling; None without them.

    Raises:
        JscaleError: one without another that it needs.
    """
    if by is None:
        flags.refuse("pool", "group", reason="without --by COLUMN, the groups")
        return None
    if not pool:
        raise JscaleError(
            "--by: what differs between the groups is missing; expected --pool, such as "
            "--pool alpha=partial,E=separate"
        )
    return PoolOptions(by, pool, group)


def table_notes(table: "Runs", by: str | None) -> "tuple[Note, ...]":
    """The notes of a table without the one that its groups are not told apart."""
    return tuple(
        note
        for note in table.notes
        if by is None or note.code != "text-splits" or note.evidence.get("column") != by
    )


def pooled_of(
    law: "LawFunction",
    table: "Runs",
    settings: inputs.Sampling,
    chosen: PoolOptions,
    *,
    as_json: bool,
    resume: Path | None,
    errors: str | None,
    priors: list[str] | None,
) -> "PooledPosterior":
    """The pooled posterior, with a progress bar on stderr in a terminal.

    Args:
        law: the law.
        table: the runs.
        settings: of the sampler.
        chosen: the options of pooling.
        as_json: whether progress is left out.
        resume: file with the state of the chains, or None.
        errors: the error model as text; None for the default.
        priors: texts of ``--prior``; None for the default priors.

    Raises:
        JscaleError: see :func:`jscale.fit.pooled_posterior`, or a group that the runs do not have.
    """
    from jscale import fit
    from jscale.fit.bayes import parsed_pool
    from jscale.fit.errors import labels_of

    modes = parsed_pool(chosen.pool, "--pool")
    if chosen.group is not None and chosen.by in table:
        labels = sorted(set(labels_of(table[chosen.by]).tolist()))
        if chosen.group not in labels:
            raise JscaleError(
                f"--group: no {shown(chosen.group)} in column {shown(chosen.by)} "
                f"(there are: {enumerated(labels)}){did_you_mean(chosen.group, labels)}"
            )
    model: dict[str, Any] = {"errors": errors}
    if (given := inputs.priors_of(priors)) is not None:
        model["priors"] = given
    return fit.pooled_posterior(
        law,
        table,
        by=chosen.by,
        pool=cast(Any, modes),
        key=inputs.key_of(settings.seed),
        chains=settings.chains,
        warmup=settings.warmup,
        draws=settings.draws,
        sampler=cast(Any, settings.sampler),
        progress=inputs.shows_progress(as_json),
        resume=resume,
        **model,
    )
