"""The surface of losses of a posterior with a discrepancy: the law and what it lacks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.checks import check_key
from jscale._core.errors import JscaleError
from jscale._core.programs import program
from jscale._core.scope import in_float64
from jscale._core.text import shown
from jscale.fit.bayes._model import Problem, law_values, problem_of
from jscale.fit.errors import Placement, misfit_path, padded_placement, place
from jscale.fit.objective import pad, padded_size
from jscale.fit.predictions import Ranges, all_inputs, checked_inputs, quantities

if TYPE_CHECKING:
    from jscale.fit.bayes._posterior import Posterior

Draws = tuple[dict[str, jax.Array], dict[str, jax.Array], jax.Array]
"""Parameters of the law, those of the error model, and a random key, of each draw."""
_TOLERANCE = 1e-9
"""Relative distance at which a point still counts as the edge of the runs."""


@dataclass(frozen=True, eq=False)
class Surface:
    """Draws of the law times its discrepancy, a smooth function of the law's inputs.

    Inside the runs it is what they show, whether or not the law has that form. The discrepancy says
    nothing of larger models, so the surface ends where the runs do.

    Attributes:
        posterior: of one law, with a discrepancy.
        key: a JAX random key; each draw of the posterior has one function.
    """

    posterior: "Posterior"
    key: jax.Array

    @property
    def ranges(self) -> Ranges:
        """Quantity → its smallest and largest value over the runs, between which it is defined."""
        return self.posterior.ranges

    @in_float64
    def __call__(self, inputs: Mapping[str, Any]) -> np.ndarray:
        """The losses (draws, points), without the errors of single runs.

        Args:
            inputs: input of the law → number or (points,) numbers, as for
                :func:`jscale.fit.predict`.

        Raises:
            JscaleError: an input is unknown or missing, or a point lies outside the runs.
        """
        posterior = self.posterior
        checked = checked_inputs(posterior.law, inputs)
        every_input = all_inputs(posterior.law, checked)
        self._require_inside(every_input)

        rows = posterior.rows
        assert rows is not None
        problem = problem_of(posterior.law, rows, posterior.errors)
        points = len(next(iter(every_input.values())))
        size = padded_size(points)
        columns = {name: np.ones(points) for name in rows.columns if name not in every_input}
        at = padded_placement(place(posterior.errors, rows, every_input, columns), size)
        own = {name: jnp.asarray(pad(x, size)) for name, x in every_input.items()}
        params = {name: jnp.asarray(x) for name, x in posterior.draws.items()}
        noise = {n: jnp.asarray(x) for n, x in {**posterior.noise, **posterior.weights}.items()}
        keys = jax.random.split(self.key, len(posterior.diverging))
        return np.asarray(_surfaces(problem, at, own, (params, noise, keys)))[:, :points]

    def _require_inside(self, inputs: Mapping[str, np.ndarray]) -> None:
        for name, values in quantities(self.posterior.law, inputs).items():
            if name not in self.ranges:
                continue
            low, high = self.ranges[name]
            outside = (values < low * (1 - _TOLERANCE)) | (values > high * (1 + _TOLERANCE))
            if outside.any():
                raise JscaleError(
                    f"surface: {name} = {values[outside][0]:.4g} lies outside the runs, "
                    f"{low:.4g} to {high:.4g}, and they say nothing of the discrepancy there; "
                    "expected points inside, or a plan by the law's parameters"
                )

    def __repr__(self) -> str:
        ends = ", ".join(f"{name} {a:.3g} to {b:.3g}" for name, (a, b) in self.ranges.items())
        return f"<Surface of {self.posterior.law_name} and its discrepancy: {ends}>"


def surface(posterior: "Posterior", key: jax.Array) -> Surface:
    """What :meth:`Posterior.surface` returns."""
    check_key(key)
    errors = shown(str(posterior.errors))
    if posterior.errors.discrepancy is None or posterior.rows is None:
        raise JscaleError(
            f"surface: errors {errors} have no discrepancy; expected a posterior with one, such as "
            "errors='normal + discrepancy'"
        )
    if posterior.errors.scale_by is not None:
        raise JscaleError(
            f"surface: errors {errors} have a scale by group; expected an error model without "
            "scale-by"
        )
    return Surface(posterior, key)


@program()
def _surfaces(
    problem: Problem,
    at: Placement,
    inputs: dict[str, jax.Array],
    draws: Draws,
) -> jax.Array:
    """The law with its discrepancy at new points, (draws, points)."""
    errors = problem.errors

    def one(draw: Draws) -> jax.Array:
        params, noise, key = draw
        fitted = law_values(problem, params)
        loss = jnp.asarray(problem.loss)
        residual = loss - fitted if errors.additive else jnp.log(loss) - jnp.log(fitted)
        path = misfit_path(errors, problem.arrays, at, noise, residual=residual, key=key)
        own = problem.law(**{**_held(problem), **inputs}, **params)
        return own + path if errors.additive else own * jnp.exp(path)

    return jax.lax.map(one, draws)


def _held(problem: Problem) -> dict[str, Any]:
    """The law's held constants, which are among its inputs as scalars."""
    return {name: x for name, x in problem.inputs.items() if jnp.ndim(x) == 0}
