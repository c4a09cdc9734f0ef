"""Posterior draws of a law's parameters, with their diagnostics."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

import jscale
from jscale._core.errors import JscaleError
from jscale._core.files import replacing
from jscale._core.notes import Note
from jscale._core.status import Status
from jscale._core.text import shown
from jscale.fit.bayes._diagnostics import point_notes
from jscale.fit.bayes._predict import forecast
from jscale.fit.errors import DEFAULT_ERRORS, ErrorModel, FittedRows, noise_ranges
from jscale.fit.optimum import Point
from jscale.fit.predictions import Prediction, Ranges
from jscale.laws import LawFunction, describe

if TYPE_CHECKING:
    from jscale.fit.bayes._surface import Surface


@dataclass(frozen=True)
class Posterior:
    """Draws from the posterior of a law's parameters; everything is float64.

    Attributes:
        law: the law.
        draws: parameter → (chains * draws,), chain after chain.
        noise: parameter of the error model → (chains * draws,): ``sigma``, the scale at the typical
            run, and others by its terms; ``sigma_<label>`` is the scale of a group.
        chains: number of chains.
        diverging: (chains * draws,) whether each transition diverged.
        summary: parameter → mean, sd, q05, q50, q95, ess_bulk, ess_tail, rhat, and prior_overlap:
            the overlap of prior and posterior, 1 where they are one distribution.
        seconds: wall time of the sampler, compilation included; NaN for one read from a file, which
            does not hold it: the same key gives the same bytes.
        status: ``converged`` if R-hat is below 1.01, the effective sample sizes of bulk and tails
            are 400 or more and at most 0.1% of the transitions diverged.
        notes: notes on the data and on the diagnostics.
        loss_min: smallest loss of the runs.
        loss_unit: unit of the losses, such as "nats per byte"; None for a posterior that an earlier
            version saved.
        table_digest: hash of the table.
        ranges: quantity → its smallest and largest value over the runs: the law's inputs, C, D/N.
            Empty for a posterior that an earlier version saved.
        errors: the error model, with the columns filled in that it leaves to the table.
        rows: the runs that were fitted, as far as the law and the error model use them; None for a
            posterior that an earlier version saved.
        reference_rows: runs of other groups that say what the scale of the errors depends on, of a
            new group of a pooled posterior whose errors need any; else None.
        weights: site → (chains * draws, values) standard normals of the errors that runs share,
            where they were sampled: ``misfit`` and ``effect_<column>``.
        priors: parameter → prior, where it was given in place of the default, as text.
        seed: data of the random key; () for a posterior that an earlier version saved.
        version: of jscale that sampled.
        sampler: "nuts" or "importance".
        effective: independent draws that are as good as those of importance sampling; None for
            NUTS, where the draws themselves show it.
        energy: (chains * draws,) energy of each transition of NUTS, in nats; None for draws by
            importance sampling or from the file of an earlier version.
    """

    law: LawFunction
    draws: Mapping[str, np.ndarray]
    noise: Mapping[str, np.ndarray]
    chains: int
    diverging: np.ndarray
    summary: Mapping[str, Mapping[str, float]]
    seconds: float
    status: Status
    notes: tuple[Note, ...]
    loss_min: float
    table_digest: str
    ranges: Ranges = field(default_factory=dict)
    errors: ErrorModel = DEFAULT_ERRORS
    rows: FittedRows | None = None
    weights: Mapping[str, np.ndarray] = field(default_factory=dict)
    priors: Mapping[str, str] = field(default_factory=dict)
    seed: tuple[int, ...] = ()
    version: str = jscale.__version__
    sampler: str = "nuts"
    effective: float | None = None
    energy: np.ndarray | None = None
    reference_rows: FittedRows | None = None
    loss_unit: str | None = None

    @property
    def law_name(self) -> str:
        """Name of the law."""
        return describe(self.law).name

    @property
    def known_rows(self) -> FittedRows | None:
        """The runs of the posterior, or those of other groups in their place."""
        return self.reference_rows if self.rows is None else self.rows

    @property
    def divergences(self) -> int:
        """Number of divergent transitions after warm-up."""
        return int(self.diverging.sum())

    def predict(
        self, inputs: Any, *, key: jax.Array, columns: Mapping[str, np.ndarray] | None = None
    ) -> Prediction:
        """The forecast of new runs, one draw for each draw of the posterior.

        :func:`jscale.fit.predict` returns its array of draws alone.

        Args:
            inputs: input name → number or (points,) numbers; inputs with a default may be left out.
            key: a JAX random key.
            columns: as for :func:`jscale.fit.predict`.

        Raises:
            JscaleError: an input is unknown, missing or outside the domain of the law.
        """
        return forecast(self, inputs, key=key, columns=columns)

    def surface(self, key: jax.Array) -> "Surface":
        """The law times its discrepancy, a function of the law's inputs inside the range of runs.

        Plans take the law's parameters, whose uncertainty the discrepancy widens. Inside the runs
        :func:`jscale.plan.on_surface` can plan by what they show instead, whatever its form. Call
        the surface with inputs, as :func:`jscale.fit.predict`, for losses (draws, points).

        Args:
            key: a JAX random key.

        Raises:
            JscaleError: a posterior without a discrepancy; when it is called, a point outside the
                range of the runs.

        Example:
            >>> import jax
            >>> from jscale import fit, laws, runs
            >>> D = [1e10] * 4 + [4e10] * 4 + [2e11] * 4 + [1e12] * 4
            >>> design = {"N": [1e8, 3e8, 1e9, 3e9] * 4, "D": D}
            >>> theta, key = laws.params(laws.chinchilla), jax.random.key(0)
            >>> table = runs.simulate(laws.chinchilla, theta, design, noise=0.005, key=key)
            >>> settings = {"chains": 2, "warmup": 100, "draws": 100, "errors": "student"}
            >>> posterior = fit.posterior(laws.chinchilla, table, key=key, **settings)
            >>> posterior.surface(key)  # doctest: +ELLIPSIS
            Traceback (most recent call last):
            jscale._core.errors.JscaleError: surface: errors 'student' have no discrepancy; ...
        """
        from jscale.fit.bayes._surface import surface

        return surface(self, key)

    def to_arviz(self) -> Any:
        """The posterior as ArviZ's InferenceData (0.23) or DataTree (1.x), by (chain, draw).

        Groups: ``posterior``; ``sample_stats`` with the energy where NUTS has drawn; and where the
        posterior holds its runs ``prior``, ``observed_data`` (log losses, or losses with additive
        errors), ``constant_data`` (inputs of the law, columns of the error model), and
        ``log_likelihood`` and ``posterior_predictive`` of each run, given the parameters and what
        runs share: sampled effects and discrepancy, or, where these are integrated out, all other
        runs. ``arviz.loo`` and ``plot_loo_pit`` are those of a new run among the others where
        shared errors are integrated out (normal errors), and of a run whose own effect is known
        where they are sampled, which flatters clusters of few runs.

        Example:
            >>> import arviz, jax
            >>> from jscale import fit, laws, runs
            >>> D = [1e10] * 4 + [4e10] * 4 + [2e11] * 4 + [1e12] * 4
            >>> design = {"N": [1e8, 3e8, 1e9, 3e9] * 4, "D": D}
            >>> theta = laws.params(laws.chinchilla)
            >>> key = jax.random.key(0)
            >>> table = runs.simulate(laws.chinchilla, theta, design, noise=0.005, key=key)
            >>> settings = {"chains": 2, "warmup": 100, "draws": 100, "errors": "student"}
            >>> posterior = fit.posterior(laws.chinchilla, table, key=key, **settings)
            >>> tree = posterior.to_arviz()
            >>> tree["log_likelihood"]["log_loss"].shape
            (2, 100, 16)
        """
        from jscale.fit.bayes.export import arviz_tree

        return arviz_tree(self, self._attributes())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the draws and the runs to a netCDF file that :func:`load` reads back bit by bit.

        Equal draws give equal bytes. The file ends in a checksum, which other programs ignore. The
        write is atomic.

        Raises:
            JscaleError: the path cannot be written, or draws are not finite or outside the ranges
                of the parameters, as under a prior of the caller that reaches further.
        """
        from jscale.fit.bayes import _arviz, files

        where, groups = f"posterior of {self.law_name}", self._stored()
        files.check_draws(
            where, describe(self.law), groups["posterior"], noise_ranges(self.errors, self.rows)
        )
        dimensions = files.row_dimensions(self.known_rows)
        with replacing(path) as temporary:
            _arviz.write(_arviz.container(groups, self._attributes(), dimensions), temporary)
            files.seal(temporary)

    def _stored(self) -> dict[str, dict[str, np.ndarray]]:
        """The groups of a file."""
        from jscale.fit.bayes import files

        statistics = {"diverging": self.diverging.reshape(self.chains, -1)}
        if self.energy is not None:
            statistics["energy"] = self.energy.reshape(self.chains, -1)
        draws = {"posterior": files.draws_group(self), "sample_stats": statistics}
        return {**draws, **files.row_groups(self.known_rows)}

    def _attributes(self) -> dict[str, Any]:
        """Attributes of the group ``posterior``."""
        from jscale.fit.bayes import files
        from jscale.fit.bayes._pool import OF_OTHER_GROUPS

        reference = {} if self.reference_rows is None else {"runs": OF_OTHER_GROUPS}
        return {
            **reference,
            "law": self.law_name,
            "noise": json.dumps(list(self.noise)),
            "errors": str(self.errors),
            "columns": files.columns_text(self.known_rows),
            "priors": json.dumps(dict(self.priors)),
            "seed": json.dumps(list(self.seed)),
            "loss_min": self.loss_min,
            **({} if self.loss_unit is None else {"loss_unit": self.loss_unit}),
            "table_digest": self.table_digest,
            "ranges": json.dumps({name: list(ends) for name, ends in self.ranges.items()}),
            "prior_overlap": json.dumps(self._prior_overlaps()),
            "notes": json.dumps([(n.code, n.severity, n.message) for n in self.notes]),
            "sampler": self.sampler,
            "effective_draws": json.dumps(self.effective),
            "jscale": self.version or jscale.__version__,
        }

    def disagreement(self, point: Point) -> tuple[Note, ...]:
        """A note where a point fit of the law lies outside the 90% intervals, with the reason.

        The reason is a ridge where the point lies within the joint 90% region all the same, the
        prior where it overlaps the posterior by 35% or more, and else the error model, which weighs
        the runs otherwise than the objective of the point.

        Args:
            point: a fit of the same law.

        Raises:
            JscaleError: a fit of another law.
        """
        other = describe(point.law).name if isinstance(point, Point) else shown(point)
        if other != self.law_name:
            raise JscaleError(
                f"must be a point fit of law {self.law_name!r}, not of {other}", argument="point"
            )
        return point_notes(self.summary, self.draws, point.params)

    def _prior_overlaps(self) -> dict[str, float]:
        rows = self.summary.items()
        return {name: row["prior_overlap"] for name, row in rows if "prior_overlap" in row}

    def __repr__(self) -> str:
        summary = ", ".join(
            f"{k}={v['q50']:.4g} [{v['q05']:.4g}, {v['q95']:.4g}]" for k, v in self.summary.items()
        )
        return f"<Posterior {self.law_name}: {summary}; {len(self.diverging)} draws; {self.status}>"
