"""Loss added by quantisation, after or during training, as power laws in size, data and format.

Kumar et al.'s own law of post-training quantisation, exponential in bits, is ``ptq_degradation``.
This module has the laws of others, and the variance form of Kumar et al. 2024, eq. 10. They agree
that the degradation grows with the training tokens and falls with the size; their exponents and
their dependence on bits differ. ``effective_fraction`` expresses any of them as a fraction of
effective parameters: ``substitute(effective_fraction, delta=qat_degradation)``.
"""

from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jscale._core.arrays import as_float, log, term
from jscale.laws.bits._shared import INF, KUMAR, POST_RIDGE, kumar_post, retained
from jscale.laws.declaration import Constants, constants, law
from jscale.laws.loss import kaplan
from jscale.laws.roles import (
    Anchor,
    Bits,
    Block,
    Count,
    DataScale,
    Exponent,
    Loss,
    LossChange,
    PostBitScale,
    PostCoefficient,
    PostExponent,
    Role,
    SizeScale,
    SlowExponent,
    Tokens,
    adjust,
    lognormal,
)

_OUYANG = "Ouyang et al. 2024 (arXiv 2411.17691)"
_CHEN = "Chen et al. 2025 (arXiv 2505.14302)"
_QID = {"k": 0.017, "alpha": 0.2261, "beta": 0.5251, "gamma": 5.4967}
_QID_BEFORE = {"N_c": 4.74e19, "D_c": 7.63e10, "alpha_N": 0.045, "alpha_D": 0.399}
_QID_NOTE = "GPTQ, Pythia models"
_QID_RIDGE = "k trades off with every exponent: quote the degradation at the scale of the runs."
_QID_TRAPS = (
    "N counts non-embedding parameters.",
    "Fits of one factor at a time gave 0.2276, 0.5316 and 5.4812 for alpha, beta and gamma.",
    "The token predictions of the paper's Table 1 come from separate fits for each bit width and "
    "do not follow from these constants.",
)

BitPower = Annotated[
    ArrayLike, Role("bit power", "1", "power of bits", prior=lognormal(5.0, 0.4), start=(2.0, 9.0))
]
SizePower = Annotated[PostExponent, adjust(prior=lognormal(0.3, 0.5))]
PowerCoefficient = Annotated[
    PostCoefficient,
    adjust(
        unit="nats/token at 1 token, 1 parameter, 1 bit",
        anchor=Anchor("D**beta * N**-alpha * P_post_low**-gamma"),
    ),
]
BlockCoefficient = Annotated[
    PostCoefficient,
    adjust(
        unit="nats/token at 1 token, 1 parameter, 2 numbers",
        meaning="scale of the degradation",
        anchor=Anchor("D**gamma_D * N**-gamma_N * log2(block)**gamma_G"),
    ),
]


@law(
    formula="where(P_post < P_w, C_T * D**gamma_D * (N * f)**-gamma_N"
    " * (exp(-P_post / gamma_post) - where(P_w < inf, exp(-P_w / gamma_post), 0)), 0)",
    where={"f": "where(P_w < inf, 1 - exp(-P_w / gamma_post), 1)"},
    source=f"{KUMAR}, eq. 10",
    published=kumar_post(),
    decreasing=("N", "P_post"),
    increasing=("D", "P_w"),
    limits={"P_post = inf": "0", "N = inf": "0", "P_w = inf, N = inf": "0"},
    ridges=(POST_RIDGE,),
    traps=(
        "It uses one bit scale for training and quantisation; fitted separately, they are 2.67 and "
        "0.59 bits.",
        "The constants were fitted to models trained in full precision, where the law reduces to "
        "ptq_degradation.",
    ),
)
def variance_degradation(
    N: Count,
    D: Tokens,
    P_post: Bits,
    P_w: Bits = INF,
    *,
    C_T: PostCoefficient,
    gamma_D: PostExponent,
    gamma_N: PostExponent,
    gamma_post: PostBitScale,
) -> LossChange:
    """Loss added by quantising weights from P_w to P_post bits, from variances, nats per token.

    ``delta = C_T * D**gamma_D * N_eff**-gamma_N * (s_post - s_w)`` with the variance
    ``s = exp(-P / gamma_post)`` that rounding adds and ``N_eff = N * (1 - s_w)`` (Kumar et al.
    2024, eq. 10). 0 where ``P_post >= P_w``. The paper presents it as eq. 9 at ``C_w = 1``, from
    which it does not follow: it requires ``C_w = 1 / gamma_post`` and ``gamma_w = gamma_post``.

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.variance_degradation)
        >>> for bits in (16, 4):
        ...     added = laws.variance_degradation(N=1e9, D=1e11, P_post=3, P_w=bits, **theta)
        ...     print(f"trained in {bits} bits: +{added:.3f} nats per token at 3 bits")
        trained in 16 bits: +0.112 nats per token at 3 bits
        trained in 4 bits: +0.092 nats per token at 3 bits
    """
    N, P_w, P_post = (jnp.asarray(as_float(x)) for x in (N, P_w, P_post))
    size = N * retained(P_w, gamma_post, 0.0)

    # exp(-P_post / g) - exp(-P_w / g), as a product that is accurate where the two are close.
    unchanged, full = P_post >= P_w, jnp.isposinf(P_w)
    no_gap = unchanged | full
    gap = jnp.where(no_gap, 1.0, P_w) - jnp.where(no_gap, 0.0, P_post)
    remaining = jnp.where(full, 1.0, -jnp.expm1(-gap / gamma_post))
    variance = jnp.exp(-jnp.where(unchanged, 1.0, P_post) / gamma_post)

    delta = C_T * as_float(D) ** gamma_D * term(1.0, size, gamma_N) * variance * remaining
    return jnp.where(unchanged, 0.0, delta)


def _power_degradation(
    N: ArrayLike, D: ArrayLike, P_post: ArrayLike, *, k: Any, alpha: Any, beta: Any, gamma: Any
) -> jax.Array:
    """``k D**beta / (N**alpha P_post**gamma)``; 0 at ``P_post = inf``."""
    P_post = jnp.asarray(as_float(P_post))
    full = jnp.isposinf(P_post)
    bits = term(k, jnp.where(full, 1.0, P_post), gamma)
    return jnp.where(full, 0.0, bits * as_float(D) ** beta * term(1.0, N, alpha))


@law(
    formula="k * D**beta * N**-alpha * P_post**-gamma",
    source=_OUYANG,
    published={"ouyang2024": Constants(_QID, _OUYANG, "S2", {}, _QID_NOTE)},
    decreasing=("N", "P_post"),
    increasing=("D",),
    limits={"P_post = inf": "0", "N = inf": "0"},
    ridges=(_QID_RIDGE,),
    traps=_QID_TRAPS,
)
def qid_degradation(
    N: Count,
    D: Tokens,
    P_post: Bits,
    *,
    k: PowerCoefficient,
    alpha: SizePower,
    beta: PostExponent,
    gamma: BitPower,
) -> LossChange:
    """Loss added by quantising to P_post bits after training, a power law in bits, nats per token.

    ``delta = k * D**beta / (N**alpha * P_post**gamma)``: quantisation-induced degradation of the
    weights (Ouyang et al. 2024).

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.qid_degradation)
        >>> for bits in (4, 3):
        ...     added = laws.qid_degradation(N=1e9, D=1e11, P_post=bits, **theta)
        ...     print(f"{bits} bits: +{added:.3f} nats per token")
        4 bits: +0.046 nats per token
        3 bits: +0.223 nats per token
    """
    return _power_degradation(N, D, P_post, k=k, alpha=alpha, beta=beta, gamma=gamma)


@law(
    formula="((N_c / N)**(alpha_N / alpha_D) + D_c / D)**alpha_D"
    " + k * D**beta * N**-alpha * P_post**-gamma",
    source=f"{_OUYANG}, with its 16-bit loss",
    published={
        "ouyang2024": Constants(
            {**_QID_BEFORE, **_QID}, f"{_OUYANG}, with its 16-bit loss", "S2", {}, _QID_NOTE
        )
    },
    decreasing=("N", "P_post"),
    limits={"P_post = inf": "((N_c / N)**(alpha_N / alpha_D) + D_c / D)**alpha_D"},
    ridges=("N_c with alpha_N and D_c with alpha_D are almost perfectly correlated.", _QID_RIDGE),
    traps=(
        *_QID_TRAPS,
        "The 16-bit loss has no irreducible term: its exponents are not comparable with those of a "
        "law that has one.",
    ),
)
def qid(
    N: Count,
    D: Tokens,
    P_post: Bits = INF,
    *,
    N_c: Annotated[SizeScale, adjust(anchor=Anchor("1 / N", power="alpha_N"))],
    D_c: Annotated[DataScale, adjust(anchor=Anchor("1 / D", power="alpha_D"))],
    alpha_N: SlowExponent,
    alpha_D: Annotated[Exponent, adjust(start=(0.05, 0.6))],
    k: PowerCoefficient,
    alpha: SizePower,
    beta: PostExponent,
    gamma: BitPower,
) -> Loss:
    """Loss of a model trained in 16 bits and then quantised to P_post bits, nats per token.

    ``L = [(N_c / N)**(alpha_N / alpha_D) + D_c / D]**alpha_D + k * D**beta / (N**alpha *
    P_post**gamma)``: Kaplan's form for the 16-bit model plus the degradation of its weights (Ouyang
    et al. 2024).

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.qid)
        >>> print(f"{laws.qid(N=1e9, D=1e11, **theta):.3f} nats per token")
        3.080 nats per token
        >>> print(f"{laws.qid(N=1e9, D=1e11, P_post=3, **theta):.3f} nats per token in 3 bits")
        3.303 nats per token in 3 bits
    """
    before = kaplan(N, D, N_c=N_c, D_c=D_c, alpha_N=alpha_N, alpha_D=alpha_D)
    return before + _power_degradation(N, D, P_post, k=k, alpha=alpha, beta=beta, gamma=gamma)


def qid_tokens(N: ArrayLike, P_post: ArrayLike, delta: ArrayLike, **theta: ArrayLike) -> jax.Array:
    """Training tokens at which quantisation costs ``delta`` nats per token.

    ``D = (delta * N**alpha * P_post**gamma / k)**(1 / beta)``, the inverse of ``qid_degradation``
    (Ouyang et al. 2024).

    Args:
        N: non-embedding parameters.
        P_post: bits after training.
        delta: nats per token, above 0.
        **theta: k, alpha, beta and gamma, as in ``params(qid_degradation)``.

    Returns:
        Tokens.

    Example:
        >>> from jscale import laws
        >>> tokens = laws.qid_tokens(7e9, 4, 0.2, **laws.params(laws.qid_degradation))
        >>> print(f"4-bit quantisation of a 7B model costs 0.2 nats at {tokens:.2g} tokens")
        4-bit quantisation of a 7B model costs 0.2 nats at 3.8e+12 tokens
    """
    k, alpha, beta, gamma = (theta[name] for name in ("k", "alpha", "beta", "gamma"))

    # In logarithms: P**gamma / k alone is 1e6, and its power 1 / beta overflows float32 at large N.
    return jnp.exp((log(delta) - log(k) + alpha * log(N) + gamma * log(P_post)) / beta)


@law(
    formula="k * D**gamma_D * log2(block)**gamma_G * N**-gamma_N",
    source=f"{_CHEN}, eq. 5",
    published={
        f"chen2025_{name}": constants(
            f"{_CHEN}, Table 1, {name.upper()}",
            "S1",
            k=k,
            gamma_D=gamma_D,
            gamma_N=gamma_N,
            gamma_G=gamma_G,
        )
        for name, k, gamma_N, gamma_D, gamma_G in (
            ("w4a4", 0.1582, 0.2186, 0.0745, 0.7779),
            ("w4a16", 0.2522, 0.3589, 0.1610, 0.3533),
            ("w16a4", 0.1004, 0.1816, 0.0331, 0.9812),
        )
    },
    decreasing=("N",),
    increasing=("D", "block"),
    limits={"N = inf": "0", "block = 1": "0"},
    ridges=("k trades off with every exponent: quote the degradation at the scale of the runs.",),
    traps=(
        "Every format has its own constants (Table 1 of the paper): do not mix those of W4A16, "
        "W16A4 and W4A4.",
        "The degradation of W4A4 is 0.906 times the sum of those of W4A16 and W16A4.",
    ),
)
def qat_degradation(
    N: Count,
    D: Tokens,
    block: Block,
    *,
    k: BlockCoefficient,
    gamma_D: Annotated[PostExponent, adjust(prior=lognormal(0.2, 0.8), start=(0.02, 1.0))],
    gamma_N: SizePower,
    gamma_G: Annotated[
        Exponent,
        adjust(
            meaning="power of the logarithm of the block",
            prior=lognormal(0.5, 0.6),
            start=(0.1, 1.5),
        ),
    ],
) -> LossChange:
    """Loss added by training with 4-bit numbers that share a scale in blocks, nats per token.

    ``delta = k * D**gamma_D * log2(block)**gamma_G / N**gamma_N`` with the size of the blocks, G in
    the paper (Chen et al. 2025, eq. 5). As effective parameters: ``(A / (A + k * D**gamma_D *
    log2(block)**gamma_G * N**(alpha - gamma_N)))**(1 / alpha)``, which is ``effective_fraction`` of
    it.

    Example:
        >>> from jscale import laws
        >>> for name in ("chen2025_w4a4", "chen2025_w4a16"):
        ...     theta = laws.params(laws.qat_degradation, name)
        ...     added = laws.qat_degradation(N=1e9, D=1e11, block=128, **theta)
        ...     print(f"{name}: +{added:.3f} nats per token")
        chen2025_w4a4: +0.051 nats per token
        chen2025_w4a16: +0.017 nats per token
    """
    # log2(1) = 0: no degradation, and a safe operand for the derivative of the power.
    width = jnp.log2(jnp.asarray(as_float(block)))
    single = width <= 0
    block_term = jnp.where(single, 0.0, jnp.where(single, 1.0, width) ** gamma_G)
    return k * as_float(D) ** gamma_D * block_term * term(1.0, N, gamma_N)
