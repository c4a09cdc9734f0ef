"""Laws of precision in and after training.

From *Scaling Laws for Precision* (Kumar et al. 2024, arXiv 2411.04330). Training at low precision
acts like training a smaller model; quantisation after training adds a loss that grows with the
data.

Bits that are not given default to full precision, ``inf``. A run table writes 16 for BF16, and the
laws use that 16 as it is, as the paper does (at its constants a model in 16 bits is equivalent to
one with 0.6% fewer parameters in infinitely many bits).

The exponent in every factor is ``-P / gamma + n``. The printed equations omit ``n``; the constants
of Table 2 include it, and without it the optimal precision is 3.5 bits and not the paper's 7 to 8.
``fix(law, n_w=0, n_a=0, n_kv=0)`` gives the printed form.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jscale._core.arrays import as_float, term
from jscale.laws.bits._shared import (
    BIAS_TRAP,
    BIT_RIDGE,
    DENSE,
    DENSE_RIDGE,
    FLOAT_TRAP,
    FORMULA_PARTS,
    FULL_BITS,
    INF,
    KUMAR,
    PARTS,
    POST_RIDGE,
    RETAINED,
    degradation,
    kumar,
    kumar_post,
    kumar_weights,
    retained,
)
from jscale.laws.declaration import law
from jscale.laws.roles import (
    ActivationBias,
    Bits,
    BitScale,
    CacheBias,
    Count,
    DataCoefficient,
    Exponent,
    Irreducible,
    Loss,
    LossChange,
    PostBitScale,
    PostCoefficient,
    PostExponent,
    Robustness,
    SizeCoefficient,
    Tokens,
    WeightBias,
)

_DOMAIN_TRAP = (
    "At or below n * gamma bits of any part no effective parameters remain: the loss is infinite."
)


@law(
    formula="E + A * (N * f_w)**-alpha + B * D**-beta",
    where={"f_w": RETAINED["w"]},
    source=f"{KUMAR}, eq. 3 in eq. 1",
    published=kumar_weights(DENSE),
    decreasing=("N", "D", "P_w"),
    limits={"N = inf, D = inf": "E", "P_w = inf": "E + A * N**-alpha + B * D**-beta"},
    ridges=(DENSE_RIDGE, BIT_RIDGE),
    traps=(_DOMAIN_TRAP, FLOAT_TRAP),
)
def qat(
    N: Count,
    D: Tokens,
    P_w: Bits = INF,
    *,
    E: Irreducible,
    A: SizeCoefficient,
    B: DataCoefficient,
    alpha: Exponent,
    beta: Exponent,
    gamma_w: BitScale,
    n_w: WeightBias,
) -> Loss:
    """Loss of a model trained with weights in P_w bits (quantisation-aware), nats per token.

    ``L = E + A * N_eff**-alpha + B * D**-beta``, ``N_eff = N * (1 - exp(-P_w / gamma_w + n_w))``
    (Kumar et al. 2024, eq. 3). Infinite where ``P_w <= n_w * gamma_w``.

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.qat)
        >>> for bits in (16, 4):
        ...     loss = laws.qat(N=1e9, D=2e10, P_w=bits, **theta)
        ...     print(f"{bits} bits: {loss:.3f} nats per token")
        16 bits: 3.050 nats per token
        4 bits: 3.079 nats per token
    """
    return E + term(A, as_float(N) * retained(P_w, gamma_w, n_w), alpha) + term(B, D, beta)


@law(
    formula="E + A * N_eff**-alpha + B * D**-beta",
    where=FORMULA_PARTS,
    source=f"{KUMAR}, eq. 4 in eq. 1",
    published=kumar(DENSE, PARTS),
    decreasing=("N", "D", "P_w", "P_a", "P_kv"),
    limits={"N = inf, D = inf": "E", FULL_BITS: "E + A * N**-alpha + B * D**-beta"},
    ridges=(DENSE_RIDGE, BIT_RIDGE),
    traps=(_DOMAIN_TRAP, BIAS_TRAP),
)
def low_precision(
    N: Count,
    D: Tokens,
    P_w: Bits = INF,
    P_a: Bits = INF,
    P_kv: Bits = INF,
    *,
    E: Irreducible,
    A: SizeCoefficient,
    B: DataCoefficient,
    alpha: Exponent,
    beta: Exponent,
    gamma_w: BitScale,
    n_w: WeightBias,
    gamma_a: BitScale,
    n_a: ActivationBias,
    gamma_kv: BitScale,
    n_kv: CacheBias,
) -> Loss:
    """Loss with weights, activations and KV cache trained at low precision, nats per token.

    ``L = E + A * N_eff**-alpha + B * D**-beta``,
    ``N_eff = N * prod_x (1 - exp(-P_x / gamma_x + n_x))`` (Kumar et al. 2024, eq. 4). Infinite
    where ``P_x <= n_x * gamma_x`` for any part.

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.low_precision)
        >>> loss = laws.low_precision(N=1e9, D=2e10, P_w=8, P_a=8, P_kv=8, **theta)
        >>> print(f"{loss:.3f} nats per token")
        3.064 nats per token
    """
    N_eff = as_float(N) * (
        retained(P_w, gamma_w, n_w) * retained(P_a, gamma_a, n_a) * retained(P_kv, gamma_kv, n_kv)
    )
    return E + term(A, N_eff, alpha) + term(B, D, beta)


@law(
    formula="C_T * D**gamma_D * N**-gamma_N * exp(-P_post / gamma_post)",
    source=f"{KUMAR}, eq. 2",
    published=kumar_post(),
    decreasing=("N", "P_post"),
    increasing=("D",),
    limits={"P_post = inf": "0", "N = inf": "0"},
    ridges=(
        POST_RIDGE,
        "The table's C_T and b enter as C_T * exp(b) only, so they are not identified separately.",
    ),
    traps=(
        "Of the table's C_T and b only C_T * exp(b) is identified: see kumar2024_bias.",
        "gamma_D > gamma_N: the degradation is not a function of D/N alone.",
    ),
)
def ptq_degradation(
    N: Count,
    D: Tokens,
    P_post: Bits,
    *,
    C_T: PostCoefficient,
    gamma_D: PostExponent,
    gamma_N: PostExponent,
    gamma_post: PostBitScale,
) -> LossChange:
    """Loss added by quantisation to P_post bits after full-precision training, nats per token.

    Only the weights are quantised:
    ``delta = C_T * D**gamma_D * N**-gamma_N * exp(-P_post / gamma_post)`` (Kumar et al. 2024, eq.
    2).

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.ptq_degradation)
        >>> for bits in (4, 3):
        ...     added = laws.ptq_degradation(N=1e9, D=1e11, P_post=bits, **theta)
        ...     print(f"{bits} bits: +{added:.3f} nats per token")
        4 bits: +0.021 nats per token
        3 bits: +0.112 nats per token
    """
    return degradation(
        D, N, P_post, C_T=C_T, gamma_D=gamma_D, gamma_N=gamma_N, gamma_post=gamma_post
    )


@law(
    formula="E + A * N_eff**-alpha + B * D**-beta"
    " + where(P_post < P_w, C_T * D**gamma_D * N_eff**-gamma_N * exp(-P_post / gamma_post), 0)",
    where=FORMULA_PARTS,
    source=f"{KUMAR}, eq. 1 and 11",
    published=kumar_post(DENSE, PARTS),
    decreasing=("N", "P_a", "P_kv", "P_post"),
    limits={
        "N = inf, D = inf, P_post = inf": "E",
        f"{FULL_BITS}, P_post = inf": "E + A * N**-alpha + B * D**-beta",
    },
    ridges=(DENSE_RIDGE, BIT_RIDGE, POST_RIDGE),
    traps=(
        _DOMAIN_TRAP,
        BIAS_TRAP,
        "With P_post below P_w the loss has a minimum in D, the critical token count.",
        "The equations printed for the optimum (6, 7, 16, 17, 28) and for D_crit (12) have errors.",
    ),
)
def precision(
    N: Count,
    D: Tokens,
    P_w: Bits = INF,
    P_a: Bits = INF,
    P_kv: Bits = INF,
    P_post: Bits = INF,
    *,
    E: Irreducible,
    A: SizeCoefficient,
    B: DataCoefficient,
    alpha: Exponent,
    beta: Exponent,
    gamma_w: BitScale,
    n_w: WeightBias,
    gamma_a: BitScale,
    n_a: ActivationBias,
    gamma_kv: BitScale,
    n_kv: CacheBias,
    C_T: PostCoefficient,
    gamma_D: PostExponent,
    gamma_N: PostExponent,
    gamma_post: PostBitScale,
) -> Loss:
    """Loss of a model trained at low precision and quantised to P_post bits, nats per token.

    ``L = E + A * N_eff**-alpha + B * D**-beta + delta``,
    ``delta = C_T * D**gamma_D * N_eff**-gamma_N * exp(-P_post / gamma_post)`` where
    ``P_post < P_w`` and 0 elsewhere (Kumar et al. 2024, eq. 1 and 11); only the weights are
    quantised after training. Infinite where ``P_x <= n_x * gamma_x`` for any part.

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.precision)
        >>> trained = laws.precision(N=1e9, D=1e11, P_w=16, P_a=16, P_kv=16, **theta)
        >>> quantised = laws.precision(N=1e9, D=1e11, P_w=16, P_a=16, P_kv=16, P_post=3, **theta)
        >>> print(f"{trained:.3f} trained in 16 bits, {quantised:.3f} quantised to 3")
        2.974 trained in 16 bits, 3.086 quantised to 3
    """
    N_eff = as_float(N) * (
        retained(P_w, gamma_w, n_w) * retained(P_a, gamma_a, n_a) * retained(P_kv, gamma_kv, n_kv)
    )
    delta = degradation(
        D, N_eff, P_post, C_T=C_T, gamma_D=gamma_D, gamma_N=gamma_N, gamma_post=gamma_post
    )
    unchanged = jnp.asarray(as_float(P_post)) >= jnp.asarray(as_float(P_w))
    return E + term(A, N_eff, alpha) + term(B, D, beta) + jnp.where(unchanged, 0.0, delta)


def _hardened(P: ArrayLike, P_post: ArrayLike, C: Any) -> jax.Array:
    """``1 - exp(-C * (P - P_post))`` where ``P > P_post``, else 0."""
    P, P_post = jnp.asarray(as_float(P)), jnp.asarray(as_float(P_post))
    unchanged, full = P_post >= P, jnp.isposinf(P)
    gap = jnp.where(unchanged | full, 1.0, P) - jnp.where(unchanged | full, 0.0, P_post)
    return jnp.where(unchanged, 0.0, jnp.where(full, 1.0, -jnp.expm1(-C * gap)))


_HARDENED = {
    x: f"where(P_post < P_{x}, where(P_{x} < inf, 1 - exp(-C_{x} * (P_{x} - P_post)), 1), 0)"
    for x in ("w", "a", "kv")
}


@law(
    formula="E + A * N_eff**-alpha + B * D**-beta"
    " + C_T * D**gamma_D * N_eff**-gamma_N * exp(-P_post / gamma_post) * h_w * h_a * h_kv",
    where={**FORMULA_PARTS, "h_w": _HARDENED["w"], "h_a": _HARDENED["a"], "h_kv": _HARDENED["kv"]},
    source=f"{KUMAR}, eq. 9",
    decreasing=("N", "P_post"),
    limits={
        "N = inf, D = inf, P_post = inf": "E",
        f"{FULL_BITS}, P_post = inf": "E + A * N**-alpha + B * D**-beta",
    },
    ridges=(
        DENSE_RIDGE,
        BIT_RIDGE,
        POST_RIDGE,
        "C_w, C_a and C_kv are identified only by runs with P_post close to the training bits.",
    ),
    traps=(
        _DOMAIN_TRAP,
        "C_w, C_a and C_kv were not published.",
        "Eq. 9 multiplies three brackets: one part trained in P_post bits or fewer removes the "
        "entire degradation.",
        "Eq. 10 does not follow from eq. 9 at C_w = 1; it requires C_w = 1 / gamma_post and "
        "gamma_w = gamma_post.",
    ),
)
def precision_robust(
    N: Count,
    D: Tokens,
    P_w: Bits = INF,
    P_a: Bits = INF,
    P_kv: Bits = INF,
    P_post: Bits = INF,
    *,
    E: Irreducible,
    A: SizeCoefficient,
    B: DataCoefficient,
    alpha: Exponent,
    beta: Exponent,
    gamma_w: BitScale,
    n_w: WeightBias,
    gamma_a: BitScale,
    n_a: ActivationBias,
    gamma_kv: BitScale,
    n_kv: CacheBias,
    C_T: PostCoefficient,
    gamma_D: PostExponent,
    gamma_N: PostExponent,
    gamma_post: PostBitScale,
    C_w: Robustness,
    C_a: Robustness,
    C_kv: Robustness,
) -> Loss:
    """Loss as in ``precision``, with robustness from low-precision training, nats per token.

    The loss, nats per token, has its ``delta`` multiplied by
    ``prod_x (1 - exp(-C_x * (P_x - P_post)))``, each factor 0 where ``P_x <= P_post`` (Kumar et al.
    2024, eq. 9, whose factors would turn negative there).

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.precision) | {"C_w": 0.5, "C_a": 0.5, "C_kv": 0.5}
        >>> for bits in (16, 6):
        ...     trained = laws.precision_robust(N=1e9, D=1e11, P_w=bits, **theta)
        ...     quantised = laws.precision_robust(N=1e9, D=1e11, P_w=bits, P_post=3, **theta)
        ...     print(f"trained in {bits} bits: quantisation adds {quantised - trained:.3f} nats")
        trained in 16 bits: quantisation adds 0.112 nats
        trained in 6 bits: quantisation adds 0.092 nats
    """
    N_eff = as_float(N) * (
        retained(P_w, gamma_w, n_w) * retained(P_a, gamma_a, n_a) * retained(P_kv, gamma_kv, n_kv)
    )
    delta = degradation(
        D, N_eff, P_post, C_T=C_T, gamma_D=gamma_D, gamma_N=gamma_N, gamma_post=gamma_post
    )
    hardened = (
        _hardened(P_w, P_post, C_w) * _hardened(P_a, P_post, C_a) * _hardened(P_kv, P_post, C_kv)
    )
    return E + term(A, N_eff, alpha) + term(B, D, beta) + delta * hardened
