"""Distributions of the independent errors."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jax.scipy.special import log_ndtr
from numpyro.distributions import constraints
from numpyro.distributions.util import promote_shapes, validate_sample

from jscale.fit.errors._error_model import ErrorModel
from jscale.fit.errors._text import FREE

_EVEN = (2.0, 4.0, 6.0, 8.0, 10.0)
"""Degrees of freedom of Student-t errors that are drawn from exponential variables."""


class Scale(NamedTuple):
    """The scale of the independent errors, each part (rows,).

    Attributes:
        total: with the known part.
        free: the part that is estimated.
    """

    total: Any
    free: Any


class NormalWithExcess(dist.Distribution):
    """The sum of a normal and an exponential variable (exponentially modified normal).

    Runs that are under-tuned lie above the law by an excess that is often small and seldom large,
    and never below it. An exponential excess has one scale, a density without a kink, and is none
    at all where its scale is zero.

    Args:
        loc: mean of the normal part.
        scale: its standard deviation.
        excess: mean of the exponential part.
    """

    arg_constraints = {  # noqa: RUF012 (as NumPyro declares it)
        "loc": constraints.real,
        "scale": constraints.positive,
        "excess": constraints.positive,
    }
    reparametrized_params = ["loc", "scale", "excess"]  # noqa: RUF012

    def __init__(
        self, loc: Any, scale: Any, excess: Any, *, validate_args: bool | None = None
    ) -> None:
        self.loc: Any
        self.scale: Any
        self.excess: Any
        self.loc, self.scale, self.excess = promote_shapes(loc, scale, excess)
        shape = jnp.broadcast_shapes(jnp.shape(loc), jnp.shape(scale), jnp.shape(excess))
        super().__init__(shape, validate_args=validate_args)

    @property
    def support(self) -> Any:
        """All real values."""
        return constraints.real

    @validate_sample
    def log_prob(self, value: Any) -> jax.Array:
        """Log density."""
        z, ratio = (value - self.loc) / self.scale, self.scale / self.excess
        return log_ndtr(z - ratio) + 0.5 * ratio**2 - z * ratio - jnp.log(self.excess)

    def sample(self, key: jax.Array, sample_shape: tuple[int, ...] = ()) -> jax.Array:
        """Draws (*sample_shape, *batch_shape)."""
        normal_key, excess_key = jax.random.split(key)
        shape = self.shape(sample_shape)
        normal = self.loc + self.scale * jax.random.normal(normal_key, shape)
        return normal + self.excess * jax.random.exponential(excess_key, shape)

    @property
    def mean(self) -> jax.Array:
        """Mean, above the law by that of the excess."""
        return jnp.broadcast_to(self.loc + self.excess, self.batch_shape)

    @property
    def variance(self) -> jax.Array:
        """Variance of both parts."""
        return jnp.broadcast_to(self.scale**2 + self.excess**2, self.batch_shape)


def independent_errors(
    errors: ErrorModel, scale: Scale, noise: Mapping[str, Any], key: jax.Array
) -> jax.Array:
    """Draws of the independent errors, in the shape of the scale.

    Student-t errors with an even number of degrees of freedom have a chi-squared variable that is a
    sum of exponential ones, which are drawn in a tenth of the time of a gamma variable.

    Args:
        errors: the error model.
        scale: of the errors.
        noise: parameters of the family, by site.
        key: a JAX random key.
    """
    loc, nu = jnp.zeros_like(scale.total), errors.nu
    if not isinstance(nu, float) or nu not in _EVEN:
        return jnp.asarray(family_distribution(errors, loc, scale, noise).sample(key))
    normal_key, exponential_key = jax.random.split(key)
    half = int(nu) // 2
    waits = jax.random.exponential(exponential_key, (half, *loc.shape))
    spread = jnp.sqrt(waits.sum(axis=0) / half)
    return scale.total * jax.random.normal(normal_key, loc.shape) / spread


def family_distribution(
    errors: ErrorModel, loc: Any, scale: Scale, noise: Mapping[str, Any]
) -> dist.Distribution:
    """The distribution of rows (rows,) with independent errors.

    Args:
        errors: the error model.
        loc: (rows,) log losses or losses about which they lie.
        scale: of the errors.
        noise: parameters of the family, by site.
    """
    if errors.family == "normal":
        return dist.Normal(loc, scale.total)
    if errors.family == "student":
        nu = noise["nu"] if errors.nu == FREE else errors.nu
        return dist.StudentT(nu, loc, scale.total)
    if errors.family == "one-sided":
        return NormalWithExcess(loc, scale.total, noise["excess_scale"] * scale.free)

    share, ratio = noise["outlier_share"], noise["outlier_scale"]
    share = jnp.broadcast_to(share, jnp.shape(scale.total))
    shares = dist.CategoricalProbs(jnp.stack([1.0 - share, share], axis=-1))
    both = jnp.stack([jnp.ones_like(ratio), ratio], axis=-1)
    parts = dist.Normal(loc[..., None], scale.total[..., None] * both)
    return dist.MixtureSameFamily(shares, parts)
