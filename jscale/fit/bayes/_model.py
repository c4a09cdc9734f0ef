"""The NumPyro model of a law, derived from the roles of its parameters."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

from jscale._core.errors import JscaleError
from jscale._core.jaxprs import by_logarithm
from jscale._core.notes import Note
from jscale._core.text import shown
from jscale.fit.bayes._params import sample_params
from jscale.fit.bayes._pool import PARTIAL, Pool, check_errors, group_column
from jscale.fit.bayes._pooled_params import Pooling, between_priors, sample_pooled
from jscale.fit.bayes.priors import Priors, as_distribution, resolved_priors, support_of
from jscale.fit.errors import (
    ErrorArrays,
    ErrorModel,
    FittedRows,
    as_error_model,
    default_errors,
    error_arrays,
    error_sites,
    fitted_rows,
    labels_of,
    noise_priors,
    weight_sites,
)
from jscale.fit.objective import (
    Coordinates,
    centred_coordinates,
    pad,
    padded_size,
    require_enough_runs,
    require_positive_losses,
)
from jscale.laws import LawFunction, describe, roles
from jscale.laws.declaration import held_form
from jscale.runs import Data, Runs, select

Model = Callable[[], None]


def model(
    law: LawFunction,
    table: Runs,
    *,
    errors: ErrorModel | str | None = None,
    priors: Priors | None = None,
    observed: bool = True,
) -> Model:
    """The NumPyro model of a law for a table of runs, for any kernel.

    Every parameter has the prior of its role, at the scale of the runs: a coefficient with an
    anchor is sampled as its term at the typical run (site ``<name>_centred``) and recorded in its
    own unit (site ``<name>``). The log losses (site ``log_loss``; with additive errors the losses,
    site ``loss``) are distributed about the law's as the error model says. Its own parameters, such
    as the scale ``sigma``, have priors in units of the spread of the losses.

    Run it in a float64 scope: ``with jax.enable_x64(True): MCMC(NUTS(model), ...)``.

    Args:
        law: a declared law.
        table: validated runs; rows marked ``exclude`` are left out.
        errors: how losses are distributed about the law, an :class:`jscale.fit.ErrorModel` or its
            text; None for the default of :func:`posterior`.
        priors: parameter of the law or of the error model → prior of the parameter itself: a
            NumPyro distribution, a :class:`jscale.laws.roles.Prior`, a text such as
            "lognormal(0.2, 1)" or a tuple such as ("lognormal", 0.2, 1), a lognormal by its median;
            or "published" for priors about the law's published constants.
        observed: whether the model has the losses of the table. Without them NumPyro's
            ``Predictive`` draws losses, from the prior or for given draws.

    Returns:
        A function without arguments, which NumPyro calls.

    Raises:
        JscaleError: a missing column, too few runs, a prior for an unknown parameter, a loss below
            a fixed floor, or an error model that the runs cannot have.

    Example:
        >>> import jax
        >>> import numpyro
        >>> from jscale import fit, laws, runs
        >>> D = [1e10] * 4 + [4e10] * 4 + [2e11] * 4 + [1e12] * 4
        >>> design = {"N": [1e8, 3e8, 1e9, 3e9] * 4, "D": D}
        >>> theta = laws.params(laws.chinchilla)
        >>> key = jax.random.key(0)
        >>> table = runs.simulate(laws.chinchilla, theta, design, noise=0.005, key=key)
        >>> model = fit.model(laws.chinchilla, table, errors="student")
        >>> with jax.enable_x64(True):
        ...     trace = numpyro.handlers.trace(numpyro.handlers.seed(model, 0)).get_trace()
        >>> print(*trace)
        alpha beta E_centred E A_centred A B_centred B sigma log_loss
    """
    if not isinstance(observed, bool):
        raise JscaleError(f"must be True or False, not {shown(observed)}", argument="observed")
    problem = pose(law, table, priors, errors, padded=False).problem
    return lambda: sites(problem, observed=observed)


@partial(
    jax.tree_util.register_dataclass,
    data_fields=[
        "inputs",
        "loss",
        "centre",
        "distributions",
        "arrays",
        "pooling",
        "terms_by_sum",
        "transport",
    ],
    meta_fields=["law", "priors", "errors"],
)
@dataclass(frozen=True)
class Problem:
    """A law, priors, an error model and the runs: a pytree, so that tables share their programs.

    Attributes:
        law: the law, with its held constants as inputs.
        priors: parameter and prior, in place of its role's.
        distributions: parameter → NumPyro distribution, in place of its role's prior.
        inputs: input → (rows,), and the law's held constants.
        loss: (rows,) losses.
        centre: as that of :class:`jscale.fit.objective.Coordinates`.
        errors: the error model, with its columns filled in.
        arrays: what the error model needs of the runs.
        pooling: which parameters differ between groups of runs; None where all are shared.
        terms_by_sum: 1 where the sampler's coordinates of two terms are their sum and ratio, which
            runs on a ray identify; 0 where they are the terms, which a grid identifies. A number,
            so that both have one program.
        transport: from coordinates about conditional modes to the sampler's; None where it works
            in its own.
    """

    law: LawFunction
    priors: tuple[tuple[str, roles.Prior], ...]
    distributions: dict[str, dist.Distribution]
    inputs: dict[str, Any]
    loss: Any
    centre: dict[str, Any]
    errors: ErrorModel
    arrays: ErrorArrays
    pooling: Pooling | None = None
    terms_by_sum: Any = 1.0
    transport: Any = None

    @property
    def replaced_priors(self) -> dict[str, roles.Prior | dist.Distribution]:
        """Parameter or coordinate → prior, where it is not that of its role."""
        return {**dict(self.priors), **self.distributions}


class Posed(NamedTuple):
    """A problem with the runs that it was made of.

    Attributes:
        problem: what a sampler takes.
        rows: the runs, as far as law and error model use them.
        data: the part of the table that the law uses.
        notes: on the table and on the error model.
    """

    problem: Problem
    rows: FittedRows
    data: Data
    notes: tuple[Note, ...]


def pose(
    law: LawFunction,
    table: Runs,
    priors: Priors | None,
    errors: ErrorModel | str | None = None,
    *,
    pool: Pool | None = None,
    padded: bool = True,
) -> Posed:
    """The problem of a law, a table and an error model, once all have been checked.

    Args:
        law: a declared law.
        table: validated runs.
        priors: of parameters of the law and of the error model.
        errors: the error model, its text, or None for that of
            :func:`jscale.fit.errors.default_errors`.
        pool: groups of runs that have parameters of their own; None where all are shared.
        padded: whether the arrays have one of few sizes; else they have a row for each run.

    Raises:
        JscaleError: see :func:`model`.
    """
    record = describe(law)
    chosen = None if errors is None else as_error_model(errors)
    data = select(table, law)
    require_enough_runs(law, table, data)
    reasons: tuple[Note, ...] = ()
    if chosen is None:
        chosen, reasons = default_errors(law, table, data, is_pooled=pool is not None)
    if chosen.additive:
        _require_scale_of_floor(law, table, data)
    else:
        hint = ", since these are errors of log losses; or errors of the loss: 'normal + additive'"
        require_positive_losses(law, table, data, hint)

    resolved, rows, notes = fitted_rows(law, table, data, chosen)
    notes = (*reasons, *notes)
    if pool is not None:
        labels, remarks = group_column(law, table, data, pool)
        check_errors(resolved, rows, labels)
        rows = replace(rows, columns={pool.by: labels, **rows.columns})
        notes = (*notes, *remarks)
    problem = problem_of(law, rows, resolved, pool=pool, padded=padded)
    _check_names(law, resolved, problem)
    others = {**noise_priors(resolved, 1.0), **between_priors(problem.pooling)}
    replaced = resolved_priors(record, priors, others, problem.centre)
    return Posed(with_priors(problem, replaced), rows, data, (*data.notes, *notes))


def with_priors(problem: Problem, priors: Mapping[str, roles.Prior | dist.Distribution]) -> Problem:
    """The problem with priors in place of those of roles and of the error model."""
    pairs = priors.items()
    return replace(
        problem,
        priors=tuple((name, p) for name, p in pairs if isinstance(p, roles.Prior)),
        distributions={name: p for name, p in pairs if not isinstance(p, roles.Prior)},
    )


def problem_of(
    law: LawFunction,
    rows: FittedRows,
    errors: ErrorModel,
    *,
    pool: Pool | None = None,
    padded: bool = True,
) -> Problem:
    """The problem of runs under the priors of the law's roles and of the error model.

    Args:
        law: the law.
        rows: the runs.
        errors: the error model, with its columns filled in.
        pool: as for :func:`pose`; its column is one of the runs.
        padded: see :func:`pose`.
    """
    held, record = held_form(law), describe(law)
    size = padded_size(len(rows)) if padded else len(rows)
    centre = centred_coordinates(record, dict(rows.inputs), rows.loss).centre
    return Problem(
        law=held.law,
        priors=(),
        distributions={},
        inputs={**{name: pad(x, size) for name, x in rows.inputs.items()}, **held.values},
        loss=pad(rows.loss, size),
        centre={**centre, **held.values},
        errors=errors,
        arrays=error_arrays(errors, rows, padded=padded),
        pooling=None if pool is None else _pooling(law, rows, pool, size),
    )


def _pooling(law: LawFunction, rows: FittedRows, pool: Pool, size: int) -> Pooling | None:
    """The groups of the runs, and the centre of the coordinates of each; None if all is shared."""
    if not pool.modes:
        return None
    record, held = describe(law), held_form(law)
    labels, codes = np.unique(labels_of(rows.columns[pool.by]), return_inverse=True)
    centres = []
    for group in range(len(labels)):
        inputs = {name: column[codes == group] for name, column in rows.inputs.items()}
        centres.append(centred_coordinates(record, inputs, rows.loss[codes == group]).centre)
    own = {name: np.array([centre[name] for centre in centres]) for name in centres[0]}
    partial = len(pool.names(PARTIAL))
    lowest = {name: own[name] for name in ("loss_min", "floor_max")}
    return Pooling(
        modes=pool.modes,
        codes=pad(codes, size),
        slots=np.zeros(len(labels)),
        own={**own, **held.values},
        information=np.zeros((len(labels), partial, partial)),
        cross=np.zeros((len(labels), partial, 0)),
        weighted=np.zeros((len(labels), partial)),
        typical={
            name: np.exp(np.log(x).mean()) if (x > 0).all() else x.mean()
            for name, x in lowest.items()
        },
    )


def sites(problem: Problem, *, observed: bool = True) -> None:
    """The model of a problem, for NumPyro's handlers."""
    coordinates = Coordinates(describe(problem.law), problem.centre)
    if problem.pooling is None:
        params = sample_params(coordinates, problem.replaced_priors)
    else:
        params = sample_pooled(coordinates, problem.replaced_priors, problem.pooling)
    predicted = law_values(problem, params)
    loss = problem.loss if observed else None

    def prior_of(name: str, default: dist.Distribution) -> dist.Distribution:
        replaced = problem.replaced_priors.get(name)
        return default if replaced is None else as_distribution(replaced, support_of(default))

    error_sites(problem.errors, problem.arrays, predicted, loss, prior_of)


def law_values(problem: Problem, params: Mapping[str, Any]) -> jax.Array:
    """The law's loss at every row (rows,)."""
    if problem.pooling is not None:
        params = problem.pooling.at_rows(params)
    inputs = {name: jnp.asarray(column) for name, column in problem.inputs.items()}
    values = by_logarithm(lambda arguments: problem.law(**arguments))({**inputs, **params})
    return jnp.broadcast_to(values, problem.loss.shape)


def _check_names(law: LawFunction, errors: ErrorModel, problem: Problem) -> None:
    """Check that no parameter of the law has the name of one of the error model."""
    names = {*noise_priors(errors, 1.0), *weight_sites(errors, problem.arrays), errors.site}
    if shared := [name for name in describe(law).parameter_names if name in names]:
        raise JscaleError(
            f": {shown(str(errors))} has a parameter {shown(shared[0])}, and so has law "
            f"{describe(law).name!r}; expected an error model without it",
            argument="errors",
        )


def _require_scale_of_floor(law: LawFunction, table: Runs, data: Data) -> None:
    """Check that a law whose floor is a share of the smallest loss has no losses of 0 or below."""
    floors = [
        p.name
        for p in describe(law).parameters
        if p.role.anchor is not None and {"loss_min", "floor_max"} & p.role.anchor.names
    ]
    if floors:
        hint = f", since {floors[0]} of law {describe(law).name!r} is in units of the losses"
        require_positive_losses(law, table, data, hint)
