"""Laws, parameters and helpers that the tests of plans share."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jscale import laws
from jscale.laws import roles

JOINT = ("N", "D", "P")
KUMAR = laws.params(laws.precision, "kumar2024")
BESIROGLU = laws.params(laws.chinchilla, "besiroglu2024")

RTOL = 1e-9
"""Against ten printed digits in float64; the worst measured is 5e-10, which is their rounding."""
RTOL32 = {"counts": 2e-5, "loss": 5e-7, "derivatives": 5e-5}
"""In float32 against float64; measured 1.1e-5 (both exponents near 0.126), 1.7e-7 and 1.6e-5."""
DIFFERENCE = 1e-4
"""Relative step of central differences; the truncation error is about its square."""


def draws(
    params: dict[str, float], count: int, spread: float = 0.02, seed: int = 0
) -> dict[str, np.ndarray]:
    """``count`` sets of parameters that scatter around ``params``."""
    random = np.random.default_rng(seed)
    return {
        name: value * np.exp(spread * random.normal(size=count)) for name, value in params.items()
    }


def powers(k: int) -> laws.LawFunction:
    """A user's own law: k equal factors of weights in few bits, without a bias."""

    @laws.law(
        formula=f"E + A * (N * (1 - exp(-P_w / gamma))**{k})**-alpha + B * D**-beta",
        source="a test",
    )
    def tied(
        N: roles.Count,
        D: roles.Tokens,
        P_w: roles.Bits,
        *,
        E: roles.Irreducible,
        A: roles.SizeCoefficient,
        B: roles.DataCoefficient,
        alpha: roles.Exponent,
        beta: roles.Exponent,
        gamma: roles.BitScale,
    ) -> roles.Loss:
        """Loss, nats per token (a test)."""
        return E + A * (N * (-jnp.expm1(-P_w / gamma)) ** k) ** -alpha + B * D**-beta

    return tied


POWERS = {name: KUMAR[name] for name in ("E", "A", "B", "alpha", "beta")} | {"gamma": 1.9475}


def perturbed(point: dict[str, float]) -> dict[str, np.ndarray]:
    """(2 n,) arrays: every entry of ``point`` in turn moved up, then down, by DIFFERENCE of it."""
    steps = DIFFERENCE * np.eye(len(point))
    scale = 1 + np.concatenate([steps, -steps])
    return {name: value * scale[:, i] for i, (name, value) in enumerate(point.items())}


def differences(values: Any, point: dict[str, float]) -> np.ndarray:
    """Central differences (n, …) by the entries of ``point``.

    From ``values`` (2 n, …) at :func:`perturbed`.
    """
    values = np.asarray(values)
    up, down = np.split(values, 2)
    steps = 2 * DIFFERENCE * np.array(list(point.values()))
    return (up - down) / steps.reshape(-1, *[1] * (values.ndim - 1))


def assert_derivatives(
    function: Callable[[dict[str, Any]], Any],
    point: dict[str, float],
    mode: Callable = jax.jacrev,
    rtol: float = 1e-6,
) -> None:
    """Check derivatives against finite differences.

    Not under ``jit``: plans then compile their search once for the values and their derivatives.
    ``function`` maps a dict of scalars or of rows to (m,) or (m, rows).
    """
    values = function({k: jnp.asarray(v) for k, v in perturbed(point).items()})
    expected = differences(np.asarray(values).T, point)  # (n, m)
    derivatives = mode(function)({name: jnp.asarray(value) for name, value in point.items()})
    by_log = np.abs(expected * np.array(list(point.values()))[:, None]).max(axis=0)
    for row, name in zip(expected, point, strict=True):
        assert np.all(np.abs(derivatives[name] - row) <= rtol * by_log / abs(point[name])), (
            name,
            derivatives[name],
            row,
        )
