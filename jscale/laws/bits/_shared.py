"""Factors of the parameters retained at low precision, and the constants of Kumar et al. 2024."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jscale._core.arrays import as_float, log
from jscale.laws.declaration import Constants

INF = math.inf
KUMAR = "Kumar et al. 2024 (arXiv 2411.04330)"
KUMAR_TABLE = f"{KUMAR}, Appendix K, Table 2"
DENSE = {"E": 2.7648, "A": 4.299e3, "B": 1.806e4, "alpha": 0.4965, "beta": 0.4965}
WEIGHTS = {"gamma_w": 2.6745, "n_w": 0.3037}
PARTS = {**WEIGHTS, "gamma_a": 2.2102, "n_a": 1.4072, "gamma_kv": 0.9578, "n_kv": 2.4185}
POST = {"C_T": 0.0598, "gamma_D": 0.5068, "gamma_N": 0.3439, "gamma_post": 0.5907}
_POST_BIAS = {**POST, "C_T": 0.0598 * math.exp(1.1277)}
_FLOAT_WEIGHTS = {"gamma_w": 2.8111, "n_w": 0.1240}


def kumar(*parts: dict[str, float]) -> dict[str, Constants]:
    """The constants of Table 2 that a law needs."""
    values = {k: v for part in parts for k, v in part.items()}
    return {"kumar2024": Constants(values, KUMAR_TABLE, "P", {})}


def kumar_post(*parts: dict[str, float]) -> dict[str, Constants]:
    """Both readings of the table, which lists C_T and a bias b.

    Only ``C_T * exp(b)`` is identified.
    """
    with_bias = {k: v for part in (*parts, _POST_BIAS) for k, v in part.items()}
    note = "C_T multiplied by exp(b), b = 1.1277"
    return {
        **kumar(*parts, POST),
        "kumar2024_bias": Constants(with_bias, KUMAR_TABLE, "P", {}, note),
    }


def kumar_weights(*parts: dict[str, float]) -> dict[str, Constants]:
    """The constants of weights alone, in integers and in floating point."""
    floats = {k: v for part in (*parts, _FLOAT_WEIGHTS) for k, v in part.items()}
    note = "weights in floating point, all bits of the format counted, the sign too; 140 runs"
    return {
        **kumar(*parts, WEIGHTS),
        "kumar2024_float": Constants(floats, f"{KUMAR}, Appendix N, with Table 2", "P", {}, note),
    }


RETAINED = {
    x: f"where(P_{x} < inf, 1 - exp(n_{x} - P_{x} / gamma_{x}), 1)" for x in ("w", "a", "kv")
}
FORMULA_PARTS = {
    "f_w": RETAINED["w"],
    "f_a": RETAINED["a"],
    "f_kv": RETAINED["kv"],
    "N_eff": "N * f_w * f_a * f_kv",
}
FULL_BITS = "P_w = inf, P_a = inf, P_kv = inf"
BIT_RIDGE = "gamma and n of a part trade off (correlation -0.97) unless some runs have few bits."
BIAS_TRAP = "Without the exponent bias n the optimal precision is 3.5 bits, with it 7.0."
FLOAT_TRAP = (
    "kumar2024_float counts the sign among the bits: E4M1 has 6 bits, not the 5 that Appendix N "
    "prints; the other six formats are consistent."
)
POST_RIDGE = "C_T with gamma_D and gamma_N: quote the degradation at the scale of the runs."
DENSE_RIDGE = "A with alpha, B with beta and E with alpha, as in Chinchilla's law."


def retained(P: ArrayLike, gamma: ArrayLike, n: ArrayLike) -> jax.Array:
    """Fraction of the parameters that stay effective at P bits.

    ``1 - exp(-P / gamma + n)``, at least 0; 1 at ``P = inf``.
    """
    P = jnp.asarray(as_float(P))
    full = jnp.isposinf(P)
    exponent = n - jnp.where(full, 1.0, P) / gamma

    # The operand is replaced by a safe one first: a plain ``where`` would propagate the NaN of the
    # branch not taken into the gradient.
    zero = exponent >= 0
    exponent = jnp.where(zero, -1.0, exponent)

    # JAX differentiates expm1 as expm1 + 1, which cancels where the exponent is large and negative.
    near_zero = exponent > -0.7
    with_expm1 = -jnp.expm1(jnp.where(near_zero, exponent, -0.5))
    with_exp = 1 - jnp.exp(jnp.where(near_zero, -1.0, exponent))
    fraction = jnp.where(near_zero, with_expm1, with_exp)

    return jnp.where(full, 1.0, jnp.where(zero, 0.0, fraction))


def degradation(D: ArrayLike, N: ArrayLike, P_post: ArrayLike, **theta: Any) -> jax.Array:
    """Loss added by quantisation after training, computed in logarithms.

    ``C_T D**gamma_D N**-gamma_N exp(-P_post / gamma_post)``; 0 at ``P_post = inf`` or ``N = 0``.
    """
    N, P_post = jnp.asarray(as_float(N)), jnp.asarray(as_float(P_post))
    empty, full = N <= 0, jnp.isposinf(P_post)

    # Safe operands where the result is 0.
    log_size = jnp.log(jnp.where(empty, 1.0, N))
    bits = jnp.where(full, 1.0, P_post)
    exponent = theta["gamma_D"] * log(D) - theta["gamma_N"] * log_size - bits / theta["gamma_post"]
    return jnp.where(empty | full, 0.0, theta["C_T"] * jnp.exp(exponent))
