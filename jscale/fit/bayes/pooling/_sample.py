"""Sampling and reading pooled posteriors."""

import math
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import jax
import numpy as np

from jscale._core import status
from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.scope import in_float64
from jscale._core.text import quoted_path
from jscale.fit.bayes._diagnostics import diagnose, summarise
from jscale.fit.bayes._pool import (
    BETWEEN,
    BY_GROUP,
    PARTIAL,
    SHARED,
    Mode,
    Pool,
    checked_pool,
)
from jscale.fit.bayes.pooling._groups import labels_in
from jscale.fit.bayes.pooling._pooled import PooledPosterior
from jscale.fit.errors import ErrorModel, FittedRows
from jscale.laws import LawFunction, as_law, describe
from jscale.runs import TableLike, as_runs

if TYPE_CHECKING:
    from jscale.fit.bayes.priors import Priors


@in_float64
def pooled_posterior(
    law: LawFunction | str,
    table: TableLike,
    *,
    by: str,
    pool: Mapping[str, Mode] | Mode,
    key: jax.Array,
    chains: int = 4,
    warmup: int = 1000,
    draws: int = 1000,
    errors: ErrorModel | str | None = None,
    priors: "Priors | None" = None,
    sampler: Literal["auto", "nuts", "importance"] = "auto",
    progress: bool = False,
    throw: bool = False,
    resume: str | os.PathLike[str] | None = None,
) -> PooledPosterior:
    """The posterior of a law in several groups of runs: corpora, families, tokenizers, protocols.

    A parameter is ``shared`` (one value), ``separate`` (a value for each group, each with the prior
    at the group's own runs), or ``partial``: hierarchical on its unconstrained scale, with
    non-centred deviations of the groups and a half-normal prior of scale 0.3 on their sd,
    ``priors={"alpha_sd": "halfnormal(0.1)"}`` for another. See ``docs/pooling.md``.

    Args:
        law: a declared law, or the name of one of the catalogue.
        table: validated runs, or what :func:`jscale.runs.read` takes.
        by: column of the groups.
        pool: parameter → mode, or one mode for all; a parameter that is not named is shared.
        key: a JAX random key; the same key gives the same draws.
        chains: number of chains.
        warmup: transitions per chain that tune NUTS and are discarded, at least 10.
        draws: draws per chain that are returned, at least 10.
        errors: as for :func:`jscale.fit.posterior`, without a discrepancy; "scale-by(corpus)" gives
            each group a scale of its own.
        priors: as for :func:`jscale.fit.posterior`; a prior of a parameter is that of the typical
            group, or of every group where it is separate.
        sampler: as for :func:`jscale.fit.posterior`.
        progress: show a progress bar on stderr.
        throw: raise when the diagnostics say that the chains have not mixed.
        resume: as for :func:`jscale.fit.posterior`.

    Raises:
        JscaleError: no such column, one group, a group with fewer runs than separate parameters, an
            unknown mode or parameter, and what :func:`jscale.fit.posterior` raises.

    Example:
        >>> import jax, numpy as np
        >>> from jscale import fit, laws, runs
        >>> N, D = np.meshgrid(np.geomspace(1e8, 1e10, 4), np.geomspace(2e9, 2e11, 4))
        >>> theta, key = laws.params(laws.chinchilla), jax.random.key(0)
        >>> design = {"N": N.ravel(), "D": D.ravel()}
        >>> table = runs.simulate(laws.chinchilla, theta, design, noise=0.005, key=key)
        >>> corpus = np.array(["C4", "Pile"])[np.arange(16) % 2]
        >>> table = runs.read({**{name: table[name] for name in table}, "corpus": corpus})
        >>> posterior = fit.pooled_posterior(
        ...     laws.chinchilla, table, by="corpus", pool={"E": "separate"}, key=key, draws=100
        ... )
        >>> posterior.draws["E"].shape, posterior.draws["alpha"].shape
        ((400, 2), (400,))
        >>> round(float(posterior.group("C4").draws["E"].mean()), 1)
        1.7
    """
    from jscale.fit.bayes._run import run

    law, table = as_law(law), as_runs(table)
    checked = checked_pool(law, by, pool)
    sampled = run(
        law,
        table,
        key,
        sampler=sampler,
        chains=chains,
        warmup=warmup,
        draws=draws,
        errors=errors,
        priors=priors,
        progress=progress,
        resume=resume,
        pool=checked,
    )
    result = sampled.result
    posterior = from_sites(
        law,
        checked,
        sampled.sites,
        result.diverging,
        sampled.notes,
        effective=result.effective,
        **sampled.record(table),
    )
    if throw:
        status.check(posterior.status, f"posterior of {posterior.law_name} given {table.name}")
    return posterior


def from_sites(
    law: LawFunction,
    pool: Pool,
    sites: Mapping[str, np.ndarray],
    diverging: np.ndarray,
    notes: tuple[Note, ...],
    *,
    rows: FittedRows,
    effective: float | None,
    **others: Any,
) -> PooledPosterior:
    """A posterior from sites (chains, draws, ...), with its summary and diagnostics.

    Args:
        law: the law.
        pool: the groups and the modes of the parameters.
        sites: of the NumPyro model.
        diverging: (chains, draws).
        notes: on the data and of the sampler.
        rows: the runs.
        effective: as that of a posterior.
        **others: other attributes of the posterior.
    """
    record, groups = describe(law), labels_in(rows, pool.by)
    modes = {**dict.fromkeys(record.parameter_names, SHARED), **dict(pool.modes)}
    partial = pool.names(PARTIAL)

    # 1. Sort the sites into parameters and errors.
    by_group = {name: sites[f"{name}{BY_GROUP}"] for name, _ in pool.modes}
    values = {name: by_group.get(name, sites.get(name)) for name in record.parameter_names}
    private = ("_centred", "_deviation", BY_GROUP)
    known = {*record.parameter_names, *(f"{name}{BETWEEN}" for name in partial)}
    others_sites = {n: x for n, x in sites.items() if n not in known and not n.endswith(private)}
    noise = {n: x for n, x in others_sites.items() if x.ndim == diverging.ndim}
    weights = {n: x for n, x in others_sites.items() if n not in noise}

    # 2. Summarise every number.
    shown_sites: dict[str, np.ndarray] = {}
    for name in record.parameter_names:
        if name in sites:
            shown_sites[name] = sites[name]
        if name in partial:
            shown_sites[f"{name}{BETWEEN}"] = sites[f"{name}{BETWEEN}"]
        if name in by_group:
            labelled = {f"{name}[{g}]": by_group[name][..., i] for i, g in enumerate(groups)}
            shown_sites |= labelled
    summary = summarise({**shown_sites, **noise})
    if effective is not None:
        for row in summary.values():
            row.update({name: min(row[name], effective) for name in ("ess_bulk", "ess_tail")})
    verdict, diagnostics = diagnose(summary, diverging, notes)

    def flat(columns: Mapping[str, Any]) -> dict[str, np.ndarray]:
        return {n: x.reshape(-1, *x.shape[2:]) for n, x in columns.items()}

    return PooledPosterior(
        law=law,
        by=pool.by,
        groups=groups,
        modes=modes,
        draws=flat(values),
        typical=flat({name: sites[name] for name in partial}),
        between=flat({name: sites[f"{name}{BETWEEN}"] for name in partial}),
        noise=flat(noise),
        weights=flat(weights),
        chains=diverging.shape[0],
        diverging=diverging.reshape(-1),
        summary=summary,
        status=verdict,
        notes=(*notes, *diagnostics),
        rows=rows,
        effective=effective,
        **others,
    )


@in_float64
def load_pooled(path: str | os.PathLike[str], law: LawFunction | None = None) -> PooledPosterior:
    """The pooled posterior that :meth:`PooledPosterior.save` wrote.

    Args:
        path: netCDF file.
        law: the law of the posterior; needed when it is not in the catalogue.

    Raises:
        JscaleError: no such file, a damaged one, or not a pooled posterior of this package.

    Example:
        >>> from jscale import fit
        >>> fit.load_pooled("pooled.nc")
        Traceback (most recent call last):
        jscale._core.errors.JscaleError: no posterior at 'pooled.nc': the file does not exist
    """
    from jscale.fit.bayes import files

    content = files.checked(path, law, files.read(path))
    if content.pool is None or content.rows is None:
        raise JscaleError(
            f"{quoted_path(path)} holds the posterior of one group of runs; expected a pooled one, "
            "or fit.load(path)"
        )
    return from_sites(
        content.law,
        content.pool,
        content.sites,
        content.diverging,
        content.notes,
        rows=content.rows,
        effective=content.effective,
        seconds=math.nan,
        loss_min=content.loss_min,
        loss_unit=content.loss_unit,
        table_digest=content.table_digest,
        ranges=content.ranges,
        errors=content.errors,
        priors=content.priors,
        seed=content.seed,
        version=content.version,
        sampler=content.sampler,
        energy=content.energy,
    )
