"""Posteriors of a law whose parameters differ between groups of runs."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

import jscale
from jscale._core.checks import check_key
from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.status import Status
from jscale._core.text import did_you_mean, enumerated, shown
from jscale.fit.bayes._pool import BETWEEN, BY_GROUP, SHARED, Pool
from jscale.fit.errors import DEFAULT_ERRORS, ErrorModel, FittedRows
from jscale.fit.predictions import Ranges
from jscale.laws import LawFunction, describe

if TYPE_CHECKING:
    from jscale.fit.bayes._posterior import Posterior


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
        loss_unit: as that of :class:`jscale.fit.Posterior`.
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
    loss_unit: str | None = None

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
                f": no group {shown(label)} of {self.by} (there are: {enumerated(self.groups)})"
                f"{did_you_mean(text, self.groups)}",
                argument="label",
            )
        return group_posterior(self, self.groups.index(text))

    def new_group(self, *, key: jax.Array, **values: Any) -> "Posterior":
        """The posterior of a group that the runs do not have: drawn from the population.

        The scale of its errors depends on compute, tokens or known standard errors as that of the
        fitted groups does, and its runs are in new clusters.

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
