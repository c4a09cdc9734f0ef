"""``calibrate_posterior``: simulation-based calibration of posteriors."""

import os
import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import jax
import numpy as np

from jscale._core.checks import check_key, check_whole_number
from jscale._core.errors import JscaleError
from jscale._core.jobs import Arrays, Checkpoint, Progress
from jscale._core.notes import Note
from jscale._core.scope import in_float64
from jscale._core.text import enumerated, shown
from jscale.assess.coverage._ranks import AMONG, PosteriorCalibration, RankCheck, rank_check
from jscale.fit.errors import DEFAULT_ERRORS, ErrorModel
from jscale.laws import LawFunction, as_law, describe
from jscale.runs import TableLike, as_runs

if TYPE_CHECKING:
    from jscale.fit.bayes.export import Replicates
    from jscale.fit.bayes.sampling import Settings

SAMPLERS = ("auto", "nuts", "importance")
_CHAINS, _WARMUP = 4, 1000
_MANY_UNUSABLE, _MANY_UNCONVERGED = 0.05, 0.02
"""Shares of the tables from which a note is a warning."""
_DRAWN_BY = ("importance", "nuts")


@in_float64
def calibrate_posterior(
    law: LawFunction | str,
    table: TableLike,
    *,
    key: jax.Array,
    simulations: int = 300,
    errors: ErrorModel | str | None = None,
    priors: Any = None,
    by: str | None = None,
    pool: Mapping[str, Any] | str | None = None,
    sampler: Literal["auto", "nuts", "importance"] = "auto",
    draws: int = 1000,
    progress: bool = False,
    resume: str | os.PathLike[str] | None = None,
) -> PosteriorCalibration:
    """Simulation-based calibration of the posterior of a law on a design.

    Parameters of the law and of the error model are drawn from their priors, losses are simulated
    at the table's own inputs, and the posterior of each such table is sampled under the same
    priors. The truth then has any rank among independent draws with equal probability, and central
    intervals hold it as often as they say, where model and sampler are right (Talts et al. 2018).
    The losses of the table set the scale of the default priors, and nothing else.

    Args:
        law: a declared law, or the name of one of the catalogue.
        table: validated runs, or what :func:`jscale.runs.read` takes.
        key: a JAX random key; the same key gives the same bytes.
        simulations: number of tables; 20 bins need 240.
        errors: as for :func:`jscale.fit.posterior`.
        priors: as for :func:`jscale.fit.posterior`; all must be proper.
        by: column of groups of runs, for a pooled posterior; None where all runs share the law.
        pool: as for :func:`jscale.fit.pooled_posterior`; with ``by``.
        sampler: as for :func:`jscale.fit.posterior`.
        draws: of each posterior, in four chains.
        progress: show a progress bar on stderr.
        resume: file with the ranks of the tables that are done, created if it does not exist. The
            same call goes on where one that was killed has left it.

    Raises:
        JscaleError: an improper prior, an invalid number or sampler, no usable table, a model that
            the runs cannot have, or a file of another job.

    Example:
        >>> import jax
        >>> import numpy as np
        >>> from jscale import assess, laws, runs
        >>> D = [1e10] * 4 + [4e10] * 4 + [2e11] * 4 + [1e12] * 4
        >>> design = {"N": [1e8, 3e8, 1e9, 3e9] * 4, "D": D}
        >>> theta = laws.params(laws.chinchilla)
        >>> key = jax.random.key(0)
        >>> table = runs.simulate(laws.chinchilla, theta, design, noise=0.005, key=key)
        >>> settings = {"simulations": 2, "draws": 200, "errors": "student"}
        >>> result = assess.calibrate_posterior(laws.chinchilla, table, key=key, **settings)
        >>> result.of("alpha").ranks.shape
        (2,)
    """
    from jscale.fit.bayes import checked_pool
    from jscale.fit.bayes.export import replicates
    from jscale.fit.bayes.sampling import Settings

    # 1. Check the arguments, and simulate tables from the priors.
    _check(key, simulations, draws, sampler)
    law, table = as_law(law), as_runs(table)
    if (by is None) != (pool is None):
        missing, given = ("by", "pool") if by is None else ("pool", "by")
        raise JscaleError(f"is missing: {given} is given; expected both", argument=missing)
    checked = None if by is None else checked_pool(law, by, pool)
    if checked is not None and errors is None:
        errors = DEFAULT_ERRORS
    start = time.perf_counter()
    simulate_key, rank_key = jax.random.split(key)
    model: dict[str, Any] = {"errors": errors, "priors": priors}
    if checked is not None:
        model["pool"] = checked
    tables = replicates(law, table, simulate_key, simulations, **model)
    if not tables.usable.any():
        raise JscaleError(
            f"{table.name}: none of {simulations} tables simulated from the priors of "
            f"{describe(law).name} has finite losses; expected priors under which the law has them"
        )

    # 2. Rank the truths in their posteriors.
    settings = Settings(sampler, _CHAINS, _WARMUP, -(-draws // _CHAINS))
    job = {
        "command": "calibrate posterior",
        "law": describe(law).name,
        "table": table.digest,
        "errors": str(tables.problem.errors),
        "priors": tables.priors,
        "sampler": sampler,
        "simulations": simulations,
        "draws": draws,
        "seed": np.asarray(jax.random.key_data(key)).tolist(),
    }
    if checked is not None:
        job["pool"] = [checked.by, *map(list, checked.modes)]
    title, count = f"calibrating {describe(law).name}", int(tables.usable.sum())
    with Progress(count, title, progress) as bar, Checkpoint(resume, job) as checkpoint:
        columns = _all_ranked(tables, rank_key, settings, checkpoint, bar)

    # 3. Summarise.
    rows = tuple(
        rank_check(name, columns["ranks"][:, i], columns["tails"][:, i])
        for i, name in enumerate(tables.truths)
    )
    used = {name: int((columns["sampler"] == i).sum()) for i, name in enumerate(_DRAWN_BY)}
    unconverged = int((~columns["converged"]).sum())
    return PosteriorCalibration(
        rows=rows,
        law=describe(law).name,
        errors=str(tables.problem.errors),
        priors=tables.priors,
        simulations=simulations,
        unusable=simulations - count,
        not_converged=unconverged,
        samplers={name: number for name, number in used.items() if number},
        draws=settings.chains * settings.draws,
        seconds=time.perf_counter() - start,
        notes=(*tables.notes, *_notes(simulations, simulations - count, unconverged, rows)),
        table_digest=table.digest,
    )


def _check(key: Any, simulations: Any, draws: Any, sampler: Any) -> None:
    check_key(key)
    check_whole_number("simulations", simulations, at_least=2)
    check_whole_number("draws", draws, at_least=AMONG + 1)
    if sampler not in SAMPLERS:
        raise JscaleError(
            f"must be {enumerated(SAMPLERS, last=' or ')}, not {shown(sampler)}", argument="sampler"
        )


def _all_ranked(
    tables: "Replicates",
    key: jax.Array,
    settings: "Settings",
    checkpoint: Checkpoint,
    bar: Progress,
) -> Arrays:
    """The ranks of all usable tables: (tables, parameters), sampler and convergence (tables,)."""
    parts = []
    for i in np.flatnonzero(tables.usable).tolist():
        ranked = partial(_ranked, tables, i, jax.random.fold_in(key, i), settings)
        parts.append(checkpoint.unit(f"table {i}", ranked))
        bar.advance(1)
    return {name: np.stack([part[name] for part in parts]) for name in parts[0]}


def _ranked(tables: "Replicates", i: int, key: jax.Array, settings: "Settings") -> Arrays:
    from jscale.fit.bayes.export import rank_truth

    try:
        ranked = rank_truth(tables, i, key, settings, among=AMONG)
    except JscaleError as error:
        count = len(tables.usable)
        raise JscaleError(f"table {i + 1} of {count} from the priors: {error}") from error
    return {
        "ranks": np.array(list(ranked.ranks.values())),
        "tails": np.array(list(ranked.tails.values())),
        "sampler": np.array(_DRAWN_BY.index(ranked.sampler)),
        "converged": np.array(ranked.converged),
    }


def _notes(
    simulations: int, unusable: int, unconverged: int, rows: tuple[RankCheck, ...]
) -> list[Note]:
    notes = []
    if unusable:
        share = unusable / simulations
        message = (
            f"{unusable} of {simulations} tables simulated from the priors have losses that are "
            "not finite or not positive: they have no posterior and are left out; narrower priors "
            "would avoid them"
        )
        severity = "warning" if share > _MANY_UNUSABLE else "info"
        notes.append(Note("simulations-unusable", severity, message, {"share": share}))
    if unconverged:
        share = unconverged / (simulations - unusable)
        message = (
            f"the posteriors of {unconverged} of {simulations - unusable} tables have not "
            "converged; they count"
        )
        severity = "warning" if share > _MANY_UNCONVERGED else "info"
        notes.append(Note("simulations-not-converged", severity, message, {"share": share}))
    if any(np.isnan(row.p_value) for row in rows):
        message = f"{simulations - unusable} tables are too few to test ranks; take 60 or more"
        notes.append(Note("few-simulations", "warning", message, {}))
    return notes
