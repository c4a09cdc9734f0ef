"""The NumPyro model of a law, derived from the roles of its parameters."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist

from jscale._core import expressions
from jscale.fit.bayes._noise import NOISE, NOISE_SCALE
from jscale.fit.bayes._priors import Priors, as_distribution, check_priors
from jscale.fit.objective import (
    STUDENT_NU,
    Coordinates,
    centred_coordinates,
    require_enough_runs,
    require_positive_losses,
)
from jscale.laws import LawFunction, Parameter, describe, roles
from jscale.runs import Runs, select

Model = Callable[[], None]


def model(law: LawFunction, table: Runs, *, priors: Priors | None = None) -> Model:
    """The NumPyro model of a law for a table of runs, for any kernel.

    Every parameter has the prior of its role, at the scale of the runs: a coefficient with an
    anchor is sampled as its term at the typical run (site ``<name>_centred``) and recorded in its
    own unit (site ``<name>``). The log loss is Student-t distributed about the law's (4 degrees of
    freedom) with a scale ``sigma ~ HalfNormal(0.02)``.

    Run it in a float64 scope: ``with jax.enable_x64(True): MCMC(NUTS(model), ...)``.

    Args:
        law: a declared law.
        table: validated runs; rows marked ``exclude`` are left out.
        priors: parameter → NumPyro distribution (or :class:`jscale.laws.roles.Prior`) of the
            parameter itself.

    Returns:
        A function without arguments, which NumPyro calls.

    Raises:
        JscaleError: a missing column, too few runs, a prior for an unknown parameter, or a loss
            below a fixed floor.

    Example:
        >>> import jax
        >>> import numpyro
        >>> from jscale import fit, laws, runs
        >>> D = [1e10] * 4 + [4e10] * 4 + [2e11] * 4 + [1e12] * 4
        >>> design = {"N": [1e8, 3e8, 1e9, 3e9] * 4, "D": D}
        >>> theta = laws.params(laws.chinchilla)
        >>> key = jax.random.key(0)
        >>> table = runs.simulate(laws.chinchilla, theta, design, noise=0.005, key=key)
        >>> model = fit.model(laws.chinchilla, table)
        >>> with jax.enable_x64(True):
        ...     trace = numpyro.handlers.trace(numpyro.handlers.seed(model, 0)).get_trace()
        >>> print(*trace)
        alpha beta E_centred E A_centred A B_centred B sigma log_loss
    """
    problem = pose(law, table, priors)
    return lambda: sites(problem)


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["inputs", "loss", "centre", "distributions"],
    meta_fields=["law", "priors"],
)
@dataclass(frozen=True)
class Problem:
    """A law, its priors and the runs: a pytree, so that tables of one size share their programs.

    Attributes:
        law: the law.
        priors: parameter and prior, in place of its role's.
        distributions: parameter → NumPyro distribution, in place of its role's prior.
        inputs: input → (rows,).
        loss: (rows,) losses.
        centre: as that of :class:`jscale.fit.objective.Coordinates`.
    """

    law: LawFunction
    priors: tuple[tuple[str, roles.Prior], ...]
    distributions: dict[str, dist.Distribution]
    inputs: dict[str, Any]
    loss: Any
    centre: dict[str, Any]


def pose(law: LawFunction, table: Runs, priors: Priors | None) -> Problem:
    """The problem of a law and a table, once both and the priors have been checked.

    Raises:
        JscaleError: see :func:`model`.
    """
    record = describe(law)
    check_priors(record, priors)
    data = select(table, law)
    require_positive_losses(law, table, data, ", since a posterior is one of log losses")
    require_enough_runs(law, table, data)

    replaced = (priors or {}).items()
    return Problem(
        law=law,
        priors=tuple((name, p) for name, p in replaced if isinstance(p, roles.Prior)),
        distributions={name: p for name, p in replaced if not isinstance(p, roles.Prior)},
        inputs=dict(data.inputs),
        loss=data.loss,
        centre=dict(centred_coordinates(record, data.inputs, data.loss).centre),
    )


def sites(problem: Problem) -> None:
    """The model of a problem, for NumPyro's handlers."""
    inputs = {name: jnp.asarray(column) for name, column in problem.inputs.items()}
    params = _sample_params(problem)
    predicted = jnp.broadcast_to(problem.law(**inputs, **params), problem.loss.shape)
    sigma = numpyro.sample(NOISE, dist.HalfNormal(NOISE_SCALE))
    noise = dist.StudentT(STUDENT_NU, jnp.log(predicted), sigma)
    numpyro.sample("log_loss", noise, obs=jnp.log(jnp.asarray(problem.loss)))


def _sample_params(problem: Problem) -> dict[str, Any]:
    """Sites for all parameters, each after those that its anchor contains."""
    coordinates = Coordinates(describe(problem.law), problem.centre)
    priors = {**dict(problem.priors), **problem.distributions}
    params: dict[str, Any] = {}
    for p in coordinates.record.in_order_of_anchors:
        prior = priors.get(p.name)
        if prior is not None:
            params[p.name] = numpyro.sample(p.name, as_distribution(prior, p.support))
        elif p.role.anchor is None:
            assert p.role.prior is not None
            distribution = as_distribution(p.role.prior, p.role.support)
            params[p.name] = numpyro.sample(p.name, distribution)
        else:
            params[p.name] = _sample_anchored(coordinates, p, params)
    return {name: params[name] for name in coordinates.record.parameter_names}


def _sample_anchored(
    coordinates: Coordinates, parameter: Parameter, params: Mapping[str, Any]
) -> Any:
    role, scope = parameter.role, {**coordinates.centre, **params}
    assert role.anchor is not None
    assert role.prior is not None
    shift = expressions.evaluate(role.anchor.plus, scope)
    distribution = as_distribution(role.prior, role.support, shift)
    coordinate = numpyro.sample(f"{parameter.name}_centred", distribution)
    return numpyro.deterministic(parameter.name, coordinates.value(parameter, coordinate, scope))
