"""Coordinates in which the posterior is close to a standard normal: whitened at its mode."""

import math
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from numpyro import handlers
from numpyro.infer import init_to_uniform
from numpyro.infer.util import constrain_fn, potential_energy

from jscale._core.programs import program
from jscale._core.solve import newton
from jscale.fit.bayes._model import Problem, sites
from jscale.fit.bayes._pool import BETWEEN
from jscale.fit.bayes._pooled_params import DEVIATION
from jscale.fit.bayes.sampling._deviations import spread
from jscale.fit.bayes.sampling._ridge import straightened
from jscale.fit.bayes.sampling._transport import transported

_MODE_STARTS = 8
_MODE_RESOLUTION = 1e-6
"""Tolerance of the mode in nats: it only centres the coordinates."""
_MIN_CURVATURE = 1e-6
"""Smaller curvatures at the mode (nats per squared unit) are raised to this: the tails of the prior
bound such directions."""
_START_BETWEEN, _START_SPREAD = -2.0, 0.2
"""Of pooled problems: the log sd between groups at a start, and the spread of starts about it."""
_NUMPYRO = threading.RLock()
"""NumPyro keeps the active handlers of all threads in one list."""


class Whitening(NamedTuple):
    """Coordinates in which the mode of a posterior is 0 and its Hessian there the identity.

    Attributes:
        mode: (size,) values of the sampler at the mode, in order of the sites' names.
        axes: (size, size) such values per coordinate.
    """

    mode: jax.Array
    axes: jax.Array


def whiten(problem: Problem, key: jax.Array) -> Whitening:
    """Coordinates in which the posterior of a problem is isotropic at the mode.

    Without them the narrowest direction of a posterior whose widths differ a hundredfold limits the
    step of the sampler, and its trees become deep.

    Args:
        problem: law, priors and runs.
        key: for the starts of the search for the mode.
    """
    _, start_key = jax.random.split(key)
    shape = (_MODE_STARTS, free_size(problem))
    return _whitening(problem, jax.random.uniform(start_key, shape, minval=-2.0, maxval=2.0))


def free_size(problem: Problem) -> int:
    """Number of unconstrained values of a problem."""
    return sum(math.prod(shape) for shape in free_sites(problem).values())


@program()
def _whitening(problem: Problem, starts: jax.Array) -> Whitening:
    """Coordinates from the deepest of several modes, one for each start (starts, size)."""

    def widths(u: jax.Array, hessian: jax.Array) -> jax.Array:
        return jnp.sqrt(jnp.maximum(jnp.abs(jnp.diagonal(hessian)), 1e-8))

    def density(u: jax.Array) -> jax.Array:
        return potential_at(problem, u)

    ends = jax.lax.map(lambda start: newton(density, widths, start, _MODE_RESOLUTION), starts)
    values = jnp.where(jnp.isfinite(ends.value), ends.value, jnp.inf)
    mode = ends.free[jnp.argmin(values)]
    curvature, axes = jnp.linalg.eigh(jax.hessian(density)(mode))
    return Whitening(mode, axes / jnp.sqrt(jnp.maximum(curvature, _MIN_CURVATURE)))


def potential(problem: Problem, whitening: Whitening, z: jax.Array) -> jax.Array:
    """Negative log density of the posterior at coordinates (size,), up to a constant."""
    return potential_at(problem, whitening.mode + whitening.axes @ z)


def to_sites(problem: Problem, whitening: Whitening, z: jax.Array) -> dict[str, jax.Array]:
    """Site → value at coordinates (size,)."""
    return sites_at(problem, whitening.mode + whitening.axes @ z)


def sites_at(problem: Problem, u: jax.Array) -> dict[str, jax.Array]:
    """Site → value at values (size,) of the sampler."""
    return natural_sites(problem, _free(problem, u)[0])


def potential_at(problem: Problem, u: jax.Array) -> jax.Array:
    """Negative log density at values (size,) of the sampler, up to a constant."""
    with isolated():
        free, log_jacobian = _free(problem, u)
        return jnp.asarray(potential_energy(sites, (problem,), {}, free)) - log_jacobian


@program("names", runs_once=True)
def unconstrained_values(problem: Problem, points: jax.Array, names: tuple[str, ...]) -> jax.Array:
    """Unconstrained values (points, names) of scalar sites at points (points, size)."""

    def one(u: jax.Array) -> jax.Array:
        free, _ = _free(problem, u)
        return jnp.stack([free[name] for name in names])

    return jax.vmap(one)(points)


def _free(problem: Problem, u: jax.Array) -> tuple[dict[str, jax.Array], Any]:
    """Unconstrained values of the sites at values (size,), and the log of the Jacobian."""
    if problem.transport is None:
        return unconstrained(problem, split(problem, u))
    moved, log_volume = transported(problem.transport, u)
    free, log_jacobian = unconstrained(problem, split(problem, moved))
    return free, log_jacobian + log_volume


def split(problem: Problem, u: jax.Array) -> dict[str, jax.Array]:
    """Values (size,) of the sampler by site."""
    values, first = {}, 0
    for name, shape in free_sites(problem).items():
        end = first + math.prod(shape)
        values[name] = u[first:end].reshape(shape)
        first = end
    return values


def unconstrained(
    problem: Problem, values: Mapping[str, jax.Array]
) -> tuple[dict[str, jax.Array], Any]:
    """Unconstrained values of the sites, and the log Jacobian of the coordinates."""
    straight, log_jacobian = straightened(problem, values)
    if problem.pooling is None:
        return straight, log_jacobian
    free, log_volume = spread(problem, straight)
    return free, log_jacobian + log_volume


def natural_sites(problem: Problem, free: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
    """Site → value, of unconstrained values, with those that follow from others."""
    with isolated():
        return constrain_fn(sites, (problem,), {}, free, return_deterministic=True)


def start_points(problem: Problem, normals: jax.Array) -> jax.Array:
    """Points (starts, size) from which a mode is sought, of standard normals of that shape.

    Groups start near each other: deviations of several units on logarithmic scales overflow.
    """
    if problem.pooling is None:
        return normals
    shift, scale = [], []
    for name, shape in free_sites(problem).items():
        length = math.prod(shape)
        is_between, is_deviation = name.endswith(BETWEEN), name.endswith(DEVIATION)
        shift += [_START_BETWEEN if is_between else 0.0] * length
        scale += [_START_SPREAD if is_between or is_deviation else 1.0] * length
    return jnp.array(shift) + jnp.array(scale) * normals


def free_sites(problem: Problem) -> dict[str, tuple[int, ...]]:
    """Sites that are sampled and their shapes, in order of their names."""
    # Values of the start of a search, since an improper prior has no draws.
    started = handlers.substitute(handlers.seed(sites, 0), substitute_fn=init_to_uniform)

    def run(problem: Problem) -> dict[str, Any]:
        trace = handlers.trace(started).get_trace(problem)
        sampled = [site for site in trace.values() if site["type"] == "sample"]
        return {site["name"]: site["value"] for site in sampled if not site["is_observed"]}

    with isolated():
        shapes = jax.eval_shape(run, problem)
    return {name: shapes[name].shape for name in sorted(shapes)}


@contextmanager
def isolated() -> Iterator[None]:
    """A scope in which the handlers of other threads and of callers do not see the sites."""
    with _NUMPYRO, handlers.block():
        yield
