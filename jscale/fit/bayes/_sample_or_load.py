"""Posteriors by sampling, and posteriors read from a file."""

import math
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import jax
import numpy as np

from jscale._core import status
from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.scope import in_float64
from jscale._core.text import quoted_path
from jscale.fit.bayes._diagnostics import diagnose, summarise
from jscale.fit.bayes._posterior import Posterior
from jscale.fit.errors import ErrorModel
from jscale.laws import LawFunction, as_law, describe
from jscale.runs import TableLike, as_runs

if TYPE_CHECKING:
    from jscale.fit.bayes.priors import Priors


@in_float64
def posterior(
    law: LawFunction | str,
    table: TableLike,
    *,
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
) -> Posterior:
    """The posterior of a law's parameters given a table of runs.

    The model is :func:`jscale.fit.model`. Mixtures of Student-t distributions are adapted to it in
    rounds, and draws are resampled from all their points by weight. Where too few points count or
    the weights have too heavy a tail, NUTS draws instead, with one thread per chain, in the
    coordinates that the points have shown; a note says so.

    Args:
        law: a declared law, or the name of one of the catalogue.
        table: validated runs, or what :func:`jscale.runs.read` takes; rows marked ``exclude`` are
            left out.
        key: a JAX random key; the same key gives the same draws.
        chains: number of chains.
        warmup: transitions per chain that tune NUTS and are discarded, at least 10.
        draws: draws per chain that are returned, at least 10.
        errors: how losses are distributed about the law, an :class:`jscale.fit.ErrorModel` or its
            text, such as "normal + effects(group) + discrepancy". None for normal errors about the
            law and a discrepancy, with a scale that is a power of C and of D/N, where the runs have
            12 different inputs or more, two of the law's inputs vary and bits do not. Else None
            stands for "student", and a note ``independent-errors`` says why.
        priors: parameter of the law or of the error model → prior of the parameter itself, in place
            of its default: a NumPyro distribution, a :class:`jscale.laws.roles.Prior`, a text such
            as "lognormal(0.2, 1)" or a tuple such as ("lognormal", 0.2, 1), a lognormal by its
            median; or "published" for priors about the law's published constants.
        sampler: "auto", or one of the two: "importance" for draws that are resampled by weight,
            even where they are rough, "nuts" for chains.
        progress: show a progress bar on stderr.
        throw: raise when the diagnostics say that the chains have not mixed.
        resume: file with the state of each chain, written every 100 transitions and created if it
            does not exist. The same call goes on where one that was killed has left it. It remains
            when the chains are done.

    Raises:
        JscaleError: a missing column, fewer runs than parameters, a loss below a fixed floor, a
            wrong number of chains or draws, an error model that the runs cannot have, a file of
            another job, or, with ``throw``, chains that have not mixed.

    Example:
        >>> import jax
        >>> from jscale import fit, laws, runs
        >>> D = [1e10] * 4 + [4e10] * 4 + [2e11] * 4 + [1e12] * 4
        >>> design = {"N": [1e8, 3e8, 1e9, 3e9] * 4, "D": D}
        >>> theta = laws.params(laws.chinchilla)
        >>> key = jax.random.key(0)
        >>> table = runs.simulate(laws.chinchilla, theta, design, noise=0.005, key=key)
        >>> settings = {"chains": 2, "warmup": 100, "draws": 100, "errors": "student"}
        >>> posterior = fit.posterior(laws.chinchilla, table, key=key, **settings)
        >>> posterior.draws["alpha"].shape
        (200,)
        >>> round(posterior.summary["alpha"]["q50"], 1)
        0.3
    """
    from jscale.fit.bayes._run import run

    law, table = as_law(law), as_runs(table)
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
    )
    result = sampled.result
    drawn = from_chains(
        law,
        sampled.sites,
        result.diverging,
        sampled.notes,
        sampled.overlaps,
        effective=result.effective,
    )
    posterior = replace(drawn, **sampled.record(table))
    if throw:
        status.check(posterior.status, f"posterior of {posterior.law_name} given {table.name}")
    return posterior


def from_chains(
    law: LawFunction,
    sites: Mapping[str, np.ndarray],
    diverging: np.ndarray,
    notes: tuple[Note, ...],
    prior_overlaps: Mapping[str, float],
    *,
    effective: float | None,
) -> Posterior:
    """A posterior from sites (chains, draws), with its summary and diagnostics."""
    names = describe(law).parameter_names
    others = [name for name in sites if name not in names and not name.endswith("_centred")]
    noise = [name for name in others if sites[name].ndim == diverging.ndim]
    weights = [name for name in others if name not in noise]
    summary = summarise({name: sites[name] for name in (*names, *noise)})
    for name, value in prior_overlaps.items():
        if name in summary:
            summary[name]["prior_overlap"] = value
    if effective is not None:
        # Draws resampled by weights repeat, which their autocorrelation does not show.
        for row in summary.values():
            row.update({name: min(row[name], effective) for name in ("ess_bulk", "ess_tail")})
    verdict, diagnostics = diagnose(summary, diverging, notes)
    return Posterior(
        law=law,
        draws={name: sites[name].reshape(-1) for name in names},
        noise={name: sites[name].reshape(-1) for name in noise},
        weights={name: sites[name].reshape(-1, sites[name].shape[-1]) for name in weights},
        chains=diverging.shape[0],
        diverging=diverging.reshape(-1),
        summary=summary,
        seconds=math.nan,
        status=verdict,
        notes=(*notes, *diagnostics),
        loss_min=0.0,
        table_digest="",
        effective=effective,
    )


@in_float64
def load(path: str | os.PathLike[str], law: LawFunction | None = None) -> Posterior:
    """The posterior that :meth:`Posterior.save` wrote.

    Args:
        path: netCDF file, of this or an earlier version.
        law: the law of the posterior; needed when it is not in the catalogue.

    Raises:
        JscaleError: no such file, a damaged one, not a posterior of this package, the posterior of
            another law, or draws that are not finite or outside the ranges of the parameters.

    Example:
        >>> import jax
        >>> from jscale import fit, laws, runs
        >>> D = [1e10] * 4 + [4e10] * 4 + [2e11] * 4 + [1e12] * 4
        >>> design = {"N": [1e8, 3e8, 1e9, 3e9] * 4, "D": D}
        >>> theta = laws.params(laws.chinchilla)
        >>> key = jax.random.key(0)
        >>> table = runs.simulate(laws.chinchilla, theta, design, noise=0.005, key=key)
        >>> settings = {"chains": 2, "warmup": 100, "draws": 100, "errors": "student"}
        >>> posterior = fit.posterior(laws.chinchilla, table, key=key, **settings)
        >>> posterior.save("posterior.nc")
        >>> loaded = fit.load("posterior.nc")
        >>> loaded.summary == posterior.summary
        True
    """
    from jscale.fit.bayes import files

    content = files.checked(path, law, files.read(path))
    if content.pool is not None:
        raise JscaleError(
            f"{quoted_path(path)} holds a pooled posterior, by {content.pool.by}; expected one of "
            "a single group: fit.load_pooled(path).group(label), or 'jscale sample --group LABEL'"
        )
    return replace(
        from_chains(
            content.law,
            content.sites,
            content.diverging,
            content.notes,
            content.prior_overlaps,
            effective=content.effective,
        ),
        loss_min=content.loss_min,
        loss_unit=content.loss_unit,
        table_digest=content.table_digest,
        ranges=content.ranges,
        errors=content.errors,
        rows=None if content.are_runs_of_others else content.rows,
        reference_rows=content.rows if content.are_runs_of_others else None,
        priors=content.priors,
        seed=content.seed,
        version=content.version,
        sampler=content.sampler,
        energy=content.energy,
    )
