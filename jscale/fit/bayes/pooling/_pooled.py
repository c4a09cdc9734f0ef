"""Posteriors of a law whose parameters differ between groups of runs."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import jax
import numpy as np

import jscale
from jscale._core import status
from jscale._core.checks import check_key
from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.scope import in_float64
from jscale._core.status import Status
from jscale._core.text import did_you_mean, enumerated, shown
from jscale.fit.bayes._diagnostics import diagnose, prior_notes, summarise
from jscale.fit.bayes.pooling._modes import (
    BETWEEN,
    BY_GROUP,
    PARTIAL,
    SHARED,
    Mode,
    Pool,
    checked_pool,
)
from jscale.fit.errors import DEFAULT_ERRORS, ErrorModel, FittedRows
from jscale.fit.predictions import Ranges, input_ranges
from jscale.laws import LawFunction, as_law, describe
from jscale.runs import TableLike, as_runs

if TYPE_CHECKING:
    from jscale.fit.bayes._posterior import Posterior
    from jscale.fit.bayes.priors import Priors


@dataclass(frozen=True)
class PooledPosterior:
    """Draws of a law's parameters in several groups of runs; everything is float64.

    Attributes:
        law: the law.
        by: column of the groups.
        groups: labels of the groups.
        modes: parameter → "shared", "partial" or "separate".
        draws: parameter → (chains * draws,) where it is shared, else (chains * draws, groups).
        typical: partially pooled parameter → (chains * draws,) values of the typical group.
        between: partially pooled parameter → (chains * draws,) sd between groups on the
            unconstrained scale: of the logarithm of a positive parameter, of a coefficient as its
            term at the typical run.
        noise: as that of :class:`jscale.fit.Posterior`.
        chains: number of chains.
        diverging: (chains * draws,) whether each transition diverged.
        summary: parameter → as that of :class:`jscale.fit.Posterior`: ``alpha[C4]`` of a group,
            ``alpha`` shared or of the typical group, ``alpha_sd`` between groups.
        seconds: wall time of the sampler; NaN for one read from a file.
        status: as that of :class:`jscale.fit.Posterior`, of all parameters.
        notes: notes on the data and on the diagnostics.
        loss_min: smallest loss of the runs.
        table_digest: hash of the table.
        ranges: quantity → smallest and largest value over the runs of all groups.
        errors: the error model.
        rows: the runs, with the column of the groups.
        weights: as that of :class:`jscale.fit.Posterior`.
        priors: parameter → prior, where it was given in place of the default, as text.
        seed: data of the random key.
        version: of jscale that sampled.
        sampler: what drew.
        effective: as that of :class:`jscale.fit.Posterior`.
        energy: as that of :class:`jscale.fit.Posterior`.
    """

    law: LawFunction
    by: str
    groups: tuple[str, ...]
    modes: Mapping[str, str]
    draws: Mapping[str, np.ndarray]
    typical: Mapping[str, np.ndarray]
    between: Mapping[str, np.ndarray]
    noise: Mapping[str, np.ndarray]
    chains: int
    diverging: np.ndarray
    summary: Mapping[str, Mapping[str, float]]
    seconds: float
    status: Status
    notes: tuple[Note, ...]
    loss_min: float
    table_digest: str
    ranges: Ranges
    rows: FittedRows
    errors: ErrorModel = DEFAULT_ERRORS
    weights: Mapping[str, np.ndarray] = field(default_factory=dict)
    priors: Mapping[str, str] = field(default_factory=dict)
    seed: tuple[int, ...] = ()
    version: str = jscale.__version__
    sampler: str = "nuts"
    effective: float | None = None
    energy: np.ndarray | None = None

    @property
    def law_name(self) -> str:
        """Name of the law."""
        return describe(self.law).name

    @property
    def divergences(self) -> int:
        """Number of divergent transitions after warm-up."""
        return int(self.diverging.sum())

    @property
    def pool(self) -> Pool:
        """The groups, and the parameters that are not shared."""
        return Pool(self.by, tuple((n, mode) for n, mode in self.modes.items() if mode != SHARED))

    def group(self, label: Any) -> "Posterior":
        """The posterior of one group: an ordinary one, for predictions and plans.

        Args:
            label: of the group, a value of the column.

        Raises:
            JscaleError: no such group.
        """
        from jscale.fit.bayes.pooling._groups import group_posterior

        text = f"{label:.12g}" if isinstance(label, int | float) else str(label)
        if text not in self.groups:
            raise JscaleError(
                f"no group {shown(label)} of {self.by} (there are: {enumerated(self.groups)})"
                f"{did_you_mean(text, self.groups)}",
                argument="label",
            )
        return group_posterior(self, self.groups.index(text))

    def new_group(self, *, key: jax.Array, **values: Any) -> "Posterior":
        """The posterior of a group that the runs do not have: drawn from the population.

        Args:
            key: a JAX random key, for the deviation of the group from the typical one.
            **values: separate parameter → its value in the new group, a number or (draws,).

        Raises:
            JscaleError: a separate parameter without a value, or a value of another parameter.
        """
        from jscale.fit.bayes.pooling._groups import new_posterior

        check_key(key)
        return new_posterior(self, key, values)

    def to_arviz(self) -> Any:
        """The draws as ArviZ's InferenceData (0.23) or DataTree (1.x).

        Variables ``<name>_by_group`` have a dimension ``group`` with the labels as coordinate;
        ``<name>`` is shared or of the typical group, ``<name>_sd`` the sd between groups.
        """
        from jscale.fit.bayes.pooling._files import pooled_tree

        return pooled_tree(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the draws and the runs to a netCDF file that :func:`load_pooled` reads back.

        Raises:
            JscaleError: the path cannot be written, or draws that are not finite.
        """
        from jscale.fit.bayes.pooling._files import save_pooled

        save_pooled(self, path)

    def sites(self) -> dict[str, np.ndarray]:
        """Site of the NumPyro model → (chains, draws) or (chains, draws, groups), without errors'.

        The names are those of the file and of ArviZ.
        """
        shared = {n: x for n, x in self.draws.items() if self.modes[n] == SHARED}
        grouped = {f"{n}{BY_GROUP}": x for n, x in self.draws.items() if n not in shared}
        between = {f"{name}{BETWEEN}": x for name, x in self.between.items()}
        columns = {**shared, **self.typical, **between, **grouped}
        return {n: x.reshape(self.chains, -1, *x.shape[1:]) for n, x in columns.items()}

    def __repr__(self) -> str:
        modes = ", ".join(f"{name} {mode}" for name, mode in self.modes.items())
        return (
            f"<PooledPosterior {self.law_name} by {self.by}: {len(self.groups)} groups; {modes}; "
            f"{len(self.diverging)} draws; {self.status}>"
        )


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
    doubts = prior_notes({n: x for n, x in sampled.overlaps.items() if n in sampled.names})
    result, posed = sampled.result, sampled.posed
    posterior = from_sites(
        law,
        checked,
        sampled.sites,
        result.diverging,
        (*posed.notes, *result.notes, *doubts),
        rows=posed.rows,
        effective=result.effective,
        seconds=sampled.seconds,
        loss_min=float(posed.data.loss.min()),
        table_digest=table.digest,
        ranges=input_ranges(law, posed.data.inputs),
        errors=posed.problem.errors,
        sampler=sampled.sampler,
        energy=None if result.energy is None else result.energy.reshape(-1),
        priors=sampled.priors,
        seed=sampled.seed,
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
    from jscale.fit.bayes.pooling._groups import labels_in

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
    """
    from jscale.fit.bayes.pooling._files import read_pooled

    return read_pooled(path, law)
