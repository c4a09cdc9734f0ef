"""One run of the sampler: arguments checked, the model posed, draws of every site."""

import os
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.checks import check_key, check_whole_number
from jscale._core.errors import JscaleError
from jscale._core.jobs import Checkpoint, Progress
from jscale._core.notes import Note
from jscale._core.programs import program
from jscale._core.text import enumerated, shown
from jscale.fit.bayes._diagnostics import excluded_notes, prior_notes
from jscale.fit.bayes._model import Posed, Problem, law_values, pose
from jscale.fit.bayes._pool import BY_GROUP, Pool
from jscale.fit.bayes.export import overlaps
from jscale.fit.bayes.files import MAX_DRAWS, MIN_DRAWS
from jscale.fit.bayes.priors import Priors, written
from jscale.fit.bayes.sampling import SAMPLERS, Chains, Settings, draw
from jscale.fit.errors import (
    DEFAULT_ERRORS,
    SIGMA_SITE,
    ErrorModel,
    group_labels,
    group_sites,
    ratio_site,
)
from jscale.fit.predictions import input_ranges
from jscale.laws import LawFunction, describe, roles
from jscale.runs import Runs

_MISFIT_DRAWS = 16
"""Draws at which the law is compared with the runs."""


class Sampled(NamedTuple):
    """What a run of the sampler gives.

    Attributes:
        posed: the problem and its runs.
        result: draws of the sites.
        sampler: "importance" or "nuts".
        overlaps: parameter → overlap of prior and posterior.
        misfit: of the law under priors of the caller, as :func:`misfit_share`; 0 without any.
        seconds: wall time, compilation included.
        seed: data of the random key.
    """

    posed: Posed
    result: Chains
    sampler: str
    overlaps: dict[str, float]
    misfit: float
    seconds: float
    seed: tuple[int, ...]

    @property
    def notes(self) -> tuple[Note, ...]:
        """On the runs, the sampler and the priors."""
        names = describe(self.posed.problem.law).parameter_names
        overlaps = {name: share for name, share in self.overlaps.items() if name in names}
        doubts = (*prior_notes(overlaps), *excluded_notes(self.misfit, self.priors))
        return (*self.posed.notes, *self.result.notes, *doubts)

    @property
    def sites(self) -> dict[str, np.ndarray]:
        """Site → (chains, draws, ...), with the scales of groups in place of their ratios."""
        return _named(self.result.sites, self.posed)

    @property
    def priors(self) -> dict[str, str]:
        """Parameter → text of a prior that was given in place of the default."""
        return {n: written(prior) for n, prior in self.posed.problem.replaced_priors.items()}

    def record(self, table: Runs) -> dict[str, Any]:
        """What every kind of posterior keeps of the run and of its table, attribute → value."""
        problem, energy = self.posed.problem, self.result.energy
        return {
            "seconds": self.seconds,
            "loss_min": float(self.posed.data.loss.min()),
            "loss_unit": table.loss_unit,
            "table_digest": table.digest,
            "ranges": input_ranges(problem.law, self.posed.data.inputs),
            "errors": problem.errors,
            "rows": self.posed.rows,
            "sampler": self.sampler,
            "energy": None if energy is None else energy.reshape(-1),
            "priors": self.priors,
            "seed": self.seed,
        }


def run(
    law: LawFunction,
    table: Runs,
    key: jax.Array,
    *,
    sampler: Any,
    chains: int,
    warmup: int,
    draws: int,
    errors: ErrorModel | str | None,
    priors: Priors | None,
    progress: bool,
    resume: str | os.PathLike[str] | None,
    pool: Pool | None = None,
) -> Sampled:
    """Sample the posterior of a law; the arguments are those of :func:`jscale.fit.posterior`.

    Raises:
        JscaleError: see :func:`jscale.fit.posterior`.
    """
    # 1. Check the arguments.
    check_key(key)
    _check_count("chains", chains, 1)
    _check_count("warmup", warmup, MIN_DRAWS)
    _check_count("draws", draws, MIN_DRAWS)
    if not isinstance(sampler, str) or sampler not in SAMPLERS:
        raise JscaleError(
            f"must be {enumerated(SAMPLERS, last=' or ')}, not {shown(sampler)}", argument="sampler"
        )
    if chains * draws > MAX_DRAWS:
        raise JscaleError(
            f"must be at most {MAX_DRAWS // chains:,} in {chains:,} chains, not {draws:,}",
            argument="draws",
        )

    # 2. Build the model, whiten its posterior and sample. NumPyro mixes integer widths, which
    #    strict promotion does not allow.
    start = time.perf_counter()
    if errors is None and pool is not None:
        errors = DEFAULT_ERRORS
    posed = pose(law, table, priors, errors, pool=pool)
    problem, seed = posed.problem, tuple(np.ravel(jax.random.key_data(key)).tolist())
    settings = Settings(sampler, chains, warmup, draws)
    title = f"sampling {describe(law).name}"
    job = {
        "command": "sample",
        "law": describe(law).name,
        "table": table.digest,
        "errors": str(problem.errors),
        "priors": {name: _fingerprint(prior) for name, prior in problem.replaced_priors.items()},
        "sampler": sampler,
        "chains": chains,
        "warmup": warmup,
        "draws": draws,
        "seed": np.asarray(jax.random.key_data(key)).tolist(),
    }
    if pool is not None:
        job["pool"] = [pool.by, *map(list, pool.modes)]
    with (
        jax.numpy_dtype_promotion("standard"),
        Progress(settings.transitions, title, progress) as bar,
        Checkpoint(resume, job) as checkpoint,
    ):
        result, used = draw(
            problem,
            key,
            settings,
            advanced=bar.advance,
            lengthened=bar.extend,
            checkpoint=checkpoint,
        )
        shared = overlaps(problem, result.sites, result.sites)
        misfit = misfit_share(problem, result.sites) if problem.replaced_priors else 0.0
    return Sampled(posed, result, used, shared, misfit, time.perf_counter() - start, seed)


def misfit_share(problem: Problem, sites: Mapping[str, np.ndarray]) -> float:
    """Root mean square of the runs about the law over their own standard deviation.

    It is the median over a few draws; 0 where all runs have one loss. In a float64 scope.

    Args:
        problem: law, priors and runs.
        sites: site → (chains, draws, ...).
    """
    grouped = {} if problem.pooling is None else dict(problem.pooling.modes)
    params = {}
    for name in describe(problem.law).parameter_names:
        values = sites[f"{name}{BY_GROUP}" if name in grouped else name]
        flat = values.reshape(-1, *values.shape[2:])
        few = np.linspace(0, len(flat) - 1, _MISFIT_DRAWS).astype(int)
        params[name] = jnp.asarray(flat[few])
    losses, predicted = np.asarray(problem.loss), np.asarray(_law_at_draws(problem, params))
    if not problem.errors.additive:
        losses, predicted = np.log(losses), np.log(predicted)
    is_run = np.asarray(problem.arrays.is_run)
    spread = float(losses[is_run].std())
    squares = ((losses - predicted)[:, is_run] ** 2).mean(axis=1)
    return float(np.median(np.sqrt(squares))) / spread if spread > 0 else 0.0


@program()
def _law_at_draws(problem: Problem, params: dict[str, jax.Array]) -> jax.Array:
    """The law at every row for every draw, (draws, rows)."""
    return jax.vmap(lambda each: law_values(problem, each))(params)


def _named(sites: Mapping[str, np.ndarray], posed: Posed) -> dict[str, np.ndarray]:
    """The sites, with the scale of each group in place of the ratios to the typical scale."""
    by, named = posed.problem.errors.scale_by, dict(sites)
    if by is None:
        return named
    ratios = named.pop(ratio_site(by))
    labels = group_labels(posed.problem.errors, posed.rows)
    for i, name in enumerate(group_sites(labels)):
        named[name] = named[SIGMA_SITE] * np.exp(ratios[..., i])
    return named


def _fingerprint(prior: Any) -> list[Any]:
    """What identifies a prior: its kind, and its parameters."""
    if isinstance(prior, roles.Prior):
        return [prior.family, *prior.args]
    return [type(prior).__name__, *(np.asarray(x).tolist() for x in jax.tree.leaves(prior))]


def _check_count(name: str, value: Any, at_least: int) -> None:
    check_whole_number(name, value, at_least)
    if value > MAX_DRAWS:
        raise JscaleError(f"must be at most {MAX_DRAWS:,}, not {shown(value)}", argument=name)
