"""Jointly normal errors: independent ones, random effects and a low-rank discrepancy.

The covariance of the rows is ``diag(variance) + effect^2 Z Z' + W W'``: ``Z`` assigns rows to the
clusters of one column, and ``W`` has few columns. Its inverse and determinant come from those of
the first two terms, a sum over each cluster, and from a Cholesky factor of the size of ``W``.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from numpyro.distributions import constraints
from numpyro.distributions.util import validate_sample

from jscale._core.solve import inverse_cholesky


class Covariance(NamedTuple):
    """The parts of the covariance of rows.

    Attributes:
        variance: (rows,) of the independent errors.
        factor: (rows, columns) ``W``.
        effect: standard deviation of the random effects; 0 without any.
        cluster: (rows,) cluster of each row.
        slots: (clusters,) zeros.
        is_run: (rows,) false in rows that do not count.
    """

    variance: Any
    factor: Any
    effect: Any
    cluster: Any
    slots: Any
    is_run: Any


class Solved(NamedTuple):
    """What follows from a covariance and residuals (rows,).

    Attributes:
        precision: (rows,) inverse variances; 0 in rows that do not count.
        shrunk: (clusters,) variance of each effect, given the rows and the weights of ``W``.
        weighted: (clusters, columns) sums of ``W`` over the rows of a cluster, by precision.
        residual: (clusters,) sums of the residuals over the rows of a cluster, by precision.
        root: (columns, columns) ``root.T @ root`` is the covariance of the weights of ``W``.
        weights: (columns,) their mean given the rows.
        solved: (rows,) inverse of the covariance times the residuals.
        diagonal: (rows,) diagonal of the inverse of the covariance.
        log_likelihood: of the residuals.
    """

    precision: jax.Array
    shrunk: jax.Array
    weighted: jax.Array
    residual: jax.Array
    root: jax.Array
    weights: jax.Array
    solved: jax.Array
    diagonal: jax.Array
    log_likelihood: jax.Array


def solve(covariance: Covariance, residual: Any) -> Solved:
    """The likelihood of residuals (rows,), and what predictions need."""
    is_run, cluster = covariance.is_run, covariance.cluster
    variance = jnp.where(is_run, covariance.variance, 1.0)
    precision = jnp.where(is_run, 1.0 / variance, 0.0)
    residual = jnp.where(is_run, residual, 0.0)
    factor = jnp.where(is_run[:, None], covariance.factor, 0.0)

    # 1. Sums over the clusters, of all columns at once.
    columns = jnp.concatenate([factor, residual[:, None], jnp.ones_like(residual)[:, None]], axis=1)
    empty = jnp.zeros((len(covariance.slots), columns.shape[1]))
    sums = empty.at[cluster].add(precision[:, None] * columns)
    weighted, by_residual, by_one = sums[:, :-2], sums[:, -2], sums[:, -1]
    inflation = 1.0 + covariance.effect**2 * by_one
    shrunk = covariance.effect**2 / inflation

    # 2. Independent errors and effects together: the inverse times the factor and the residuals.
    inverse_factor = precision[:, None] * (factor - (shrunk[:, None] * weighted)[cluster])
    inverse_residual = precision * (residual - (shrunk * by_residual)[cluster])

    # 3. The weights of the factor given the rows.
    inner = jnp.eye(factor.shape[1]) + factor.T @ inverse_factor
    root = inverse_cholesky(inner)
    half = root @ (factor.T @ inverse_residual)
    weights = root.T @ half

    # 4. The whole inverse.
    solved = inverse_residual - inverse_factor @ weights
    spread = root @ inverse_factor.T
    own = precision - precision**2 * shrunk[cluster]
    diagonal = jnp.where(is_run, own - (spread**2).sum(axis=0), 1.0)

    squares = residual @ inverse_residual - half @ half
    log_determinant = (
        jnp.where(is_run, jnp.log(2.0 * jnp.pi * variance), 0.0).sum()
        + jnp.log(inflation).sum()
        - 2.0 * jnp.log(jnp.diagonal(root)).sum()
    )
    log_likelihood = -0.5 * (squares + log_determinant)
    return Solved(
        precision=precision,
        shrunk=shrunk,
        weighted=weighted,
        residual=by_residual,
        root=root,
        weights=weights,
        solved=solved,
        diagonal=diagonal,
        log_likelihood=log_likelihood,
    )


class JointNormal(dist.Distribution):
    """Losses that are jointly normal, about ``loc`` (rows,), with a :class:`Covariance`.

    Rows that do not count have no part in the density.
    """

    arg_constraints = {}  # noqa: RUF012 (as NumPyro declares it)
    reparametrized_params = ["loc"]  # noqa: RUF012
    pytree_data_fields = ("loc", "covariance")

    def __init__(
        self, loc: Any, covariance: Covariance, *, validate_args: bool | None = None
    ) -> None:
        self.loc, self.covariance = loc, covariance
        super().__init__((), jnp.shape(loc), validate_args=validate_args)

    @property
    def support(self) -> Any:
        """All real values."""
        return constraints.real_vector

    @validate_sample
    def log_prob(self, value: Any) -> jax.Array:
        """Log density of losses (..., rows)."""
        residual = value - self.loc
        if residual.ndim == 1:
            return solve(self.covariance, residual).log_likelihood
        flat = residual.reshape(-1, residual.shape[-1])
        each = jax.vmap(lambda row: solve(self.covariance, row).log_likelihood)(flat)
        return each.reshape(residual.shape[:-1])

    def sample(self, key: jax.Array, sample_shape: tuple[int, ...] = ()) -> jax.Array:
        """Draws (*sample_shape, rows)."""
        parts, rows = self.covariance, len(self.loc)
        keys = jax.random.split(key, 3)
        own = jax.random.normal(keys[0], (*sample_shape, rows)) * jnp.sqrt(parts.variance)
        weights = jax.random.normal(keys[1], (*sample_shape, parts.factor.shape[1]))
        effects = jax.random.normal(keys[2], (*sample_shape, len(parts.slots)))
        shared = weights @ parts.factor.T + parts.effect * effects[..., parts.cluster]
        return self.loc + own + shared

    @property
    def mean(self) -> jax.Array:
        """The law (rows,)."""
        return jnp.asarray(self.loc)

    @property
    def variance(self) -> jax.Array:
        """Variance of each row (rows,)."""
        parts = self.covariance
        shared = (parts.factor**2).sum(axis=1) + parts.effect**2
        return jnp.asarray(parts.variance + shared)
