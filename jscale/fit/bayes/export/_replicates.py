"""Tables simulated from the prior of a model, and the ranks of the truth in their posteriors."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import numpy as np
import numpyro.distributions as dist
from numpyro import handlers

from jscale._core.errors import JscaleError
from jscale._core.jobs import Checkpoint
from jscale._core.notes import Note
from jscale._core.programs import program
from jscale._core.status import Status
from jscale.fit.bayes._diagnostics import ESS_WARNING, diagnose, summarise
from jscale.fit.bayes._model import Posed, Problem, pose, sites
from jscale.fit.bayes._pool import BY_GROUP, Pool
from jscale.fit.bayes.priors import Priors, written
from jscale.fit.bayes.sampling import Chains, Settings, draw, isolated
from jscale.fit.errors import ErrorModel, labels_of
from jscale.laws import LawFunction, describe
from jscale.runs import Runs


class Replicates(NamedTuple):
    """Parameters from the prior, and a table simulated with each.

    Attributes:
        problem: the model, with the priors that the table of the user gives it.
        truths: parameter of the law or of the error model → (tables,); of a pooled model also
            ``alpha[C4]`` for each group, and the sd between groups.
        by_group: name of such a truth → its site, and the place of the group.
        losses: (tables, rows) simulated losses, padded as those of the problem.
        usable: (tables,) whether all losses of a table are finite, and positive where the model is
            one of log losses.
        priors: parameter → prior, where it was given in place of the default, as text.
        notes: on the table and on the error model.
    """

    problem: Problem
    truths: dict[str, np.ndarray]
    by_group: dict[str, tuple[str, int]]
    losses: np.ndarray
    usable: np.ndarray
    priors: dict[str, str]
    notes: tuple[Note, ...]


def replicates(
    law: LawFunction,
    table: Runs,
    key: jax.Array,
    count: int,
    *,
    errors: ErrorModel | str | None = None,
    priors: Priors | None = None,
    pool: Pool | None = None,
) -> Replicates:
    """Tables simulated from the prior of a law at a table's own inputs. In a float64 scope.

    Args:
        law: a declared law.
        table: validated runs, whose losses only set the scales of the default priors.
        key: for parameters and errors.
        count: number of tables.
        errors: as for :func:`jscale.fit.posterior`.
        priors: as for :func:`jscale.fit.posterior`.
        pool: groups of runs that have parameters of their own; None where all are shared.

    Raises:
        JscaleError: an improper prior, or as :func:`jscale.fit.model`.
    """
    posed = pose(law, table, priors, errors, pool=pool)
    problem = posed.problem
    with jax.numpy_dtype_promotion("standard"):
        _require_proper_priors(problem)
        drawn = _simulated(problem, jax.random.split(key, count))
    values = {name: np.asarray(column) for name, column in drawn.items()}
    observed = values.pop(problem.errors.site)
    with np.errstate(over="ignore"):
        losses = observed if problem.errors.additive else np.exp(observed)

    is_run = np.asarray(problem.arrays.is_run)
    inside = np.isfinite(losses) & (problem.errors.additive | (losses > 0))
    by_group = _by_group(pool, posed)
    truths = {
        name: column
        for name, column in values.items()
        if column.ndim == 1 and not name.endswith("_centred")
    }
    truths |= {name: values[site][:, i] for name, (site, i) in by_group.items()}
    names = [name for name in describe(problem.law).parameter_names if name in truths]
    ordered = {name: truths[name] for name in (*names, *(n for n in truths if n not in names))}
    filled = np.where(is_run, losses, np.asarray(problem.loss))
    return Replicates(
        problem,
        truths=ordered,
        by_group=by_group,
        losses=filled,
        usable=np.all(inside | ~is_run, axis=1),
        priors={name: written(prior) for name, prior in problem.replaced_priors.items()},
        notes=posed.notes,
    )


class Ranks(NamedTuple):
    """Where the truth of a table lies in its posterior.

    Attributes:
        ranks: parameter → number of ``among`` draws below the truth.
        tails: parameter → share of all draws below the truth.
        sampler: that drew.
        converged: whether it says so.
    """

    ranks: dict[str, int]
    tails: dict[str, float]
    sampler: str
    converged: bool


def rank_truth(
    tables: Replicates, i: int, key: jax.Array, settings: Settings, *, among: int
) -> Ranks:
    """The ranks of the truth of one table in its posterior.

    Args:
        tables: of :func:`replicates`.
        i: number of the table.
        key: for the sampler.
        settings: of the sampler.
        among: draws, evenly spaced, among which the truth has a rank.
    """
    problem = replace(tables.problem, loss=tables.losses[i])
    with jax.numpy_dtype_promotion("standard"):
        chains, sampler = draw(
            problem,
            key,
            settings,
            advanced=lambda _: None,
            lengthened=lambda _: None,
            checkpoint=Checkpoint(None, {}),
        )
    columns = {name: _column(tables, chains, name) for name in tables.truths}
    ranks, tails = {}, {}
    for name, draws in columns.items():
        below = draws.reshape(-1) < tables.truths[name][i]
        spaced = np.linspace(0, below.size - 1, among).astype(int)
        ranks[name], tails[name] = int(below[spaced].sum()), float(below.mean())
    return Ranks(ranks, tails, sampler, _has_converged(chains, columns))


def _by_group(pool: Pool | None, posed: Posed) -> dict[str, tuple[str, int]]:
    """Name of the value of a parameter in a group → its site, and the place of the group."""
    if pool is None:
        return {}
    labels = np.unique(labels_of(posed.rows.columns[pool.by]))
    return {
        f"{name}[{label}]": (f"{name}{BY_GROUP}", i)
        for name, _ in pool.modes
        for i, label in enumerate(labels)
    }


def _column(tables: Replicates, chains: Chains, name: str) -> np.ndarray:
    """Draws (chains, draws) of a parameter."""
    if name not in tables.by_group:
        return chains.sites[name]
    site, group = tables.by_group[name]
    return chains.sites[site][..., group]


def _has_converged(chains: Chains, columns: dict[str, np.ndarray]) -> bool:
    """Whether draws by weight count for enough, or chains of NUTS have mixed."""
    if chains.effective is not None:  # few independent draws have an R-hat above the limit
        return chains.effective >= ESS_WARNING and not chains.notes
    verdict, _ = diagnose(summarise(columns), chains.diverging, chains.notes)
    return verdict == Status.converged


@program()
def _simulated(problem: Problem, keys: jax.Array) -> dict[str, jax.Array]:
    """Site → values (tables, ...) of the parameters and of the losses."""

    def one(key: jax.Array) -> dict[str, Any]:
        model = handlers.trace(handlers.seed(lambda: sites(problem, observed=False), key))
        with isolated():
            trace = model.get_trace()
        kinds = ("sample", "deterministic")
        return {name: site["value"] for name, site in trace.items() if site["type"] in kinds}

    return jax.lax.map(one, keys, batch_size=50)


def _require_proper_priors(problem: Problem) -> None:
    def value(site: Mapping[str, Any]) -> Any:
        if site["type"] == "sample" and isinstance(site["fn"], dist.ImproperUniform):
            raise JscaleError(
                f": that of {site['name']} is improper, and parameters cannot be drawn from it; "
                "expected proper priors of all parameters",
                argument="priors",
            )
        return None

    seeded = handlers.substitute(handlers.seed(sites, 0), substitute_fn=value)
    with isolated():
        jax.eval_shape(
            lambda: [
                site["value"]
                for site in handlers.trace(seeded).get_trace(problem).values()
                if site["type"] == "sample"
            ]
        )
