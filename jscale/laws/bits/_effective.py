"""Effective parameters: the full-precision size that a model at low precision is equivalent to.

Kumar et al. 2024 (arXiv 2411.04330) give every part of the arithmetic (weights, activations, KV
cache) a factor ``1 - exp(-P / gamma + n)``. It turns any dense law into a law of precision:
``substitute(chinchilla, N=effective_parameters)``. Conversely, any loss that is added to a dense
law can be expressed as a fraction of its parameters, ``effective_fraction``, whatever caused it.

Factors with a bias and factors with an exponent agree at many bits,
``(1 - exp(-P / gamma))**k = 1 - exp(-P / gamma + log(k)) + ...``, so that k corresponds to
``exp(n)``. At few bits they differ: the biased factor reaches 0 at ``n * gamma`` bits, the powered
one at 0 bits.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jscale._core.arrays import as_float
from jscale._core.checks import is_whole_number
from jscale._core.errors import JscaleError
from jscale._core.text import shown
from jscale.laws.bits._shared import (
    BIAS_TRAP,
    BIT_RIDGE,
    DENSE,
    FLOAT_TRAP,
    FORMULA_PARTS,
    FULL_BITS,
    INF,
    KUMAR,
    KUMAR_TABLE,
    PARTS,
    RETAINED,
    kumar,
    kumar_weights,
    retained,
)
from jscale.laws.declaration import LawFunction, constants, family, law, member
from jscale.laws.roles import (
    ActivationBias,
    Anchor,
    Bits,
    BitScale,
    CacheBias,
    Count,
    EffectiveCount,
    Exponent,
    Fraction,
    LossChange,
    Role,
    SizeCoefficient,
    WeightBias,
    adjust,
    lognormal,
)

FactorExponent = Annotated[
    ArrayLike,
    Role(
        "factor exponent",
        "1",
        "power of a part's factor",
        prior=lognormal(1.0, 1.0),
        start=(0.3, 6.0),
    ),
]


@law(
    formula="N_eff",
    where=FORMULA_PARTS,
    source=f"{KUMAR}, eq. 4 with the biases of Appendix K",
    published=kumar(PARTS),
    increasing=("N", "P_w", "P_a", "P_kv"),
    limits={FULL_BITS: "N"},
    ridges=(BIT_RIDGE,),
    traps=(
        BIAS_TRAP,
        "gamma_bar, the average of the three, in place of the product is wrong by 15% at 8 bits.",
    ),
)
def effective_parameters(
    N: Count,
    P_w: Bits = INF,
    P_a: Bits = INF,
    P_kv: Bits = INF,
    *,
    gamma_w: BitScale,
    n_w: WeightBias,
    gamma_a: BitScale,
    n_a: ActivationBias,
    gamma_kv: BitScale,
    n_kv: CacheBias,
) -> EffectiveCount:
    """Full-precision size with the same loss as N parameters at low precision, in parameters.

    ``N_eff = N * prod_x (1 - exp(-P_x / gamma_x + n_x))`` over weights, activations and KV cache
    (Kumar et al. 2024, eq. 4); the printed equation omits the biases n. 0 where
    ``P_x <= n_x * gamma_x``.

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.effective_parameters)
        >>> size = laws.effective_parameters(N=1e9, P_w=8, P_a=8, P_kv=8, **theta)
        >>> print(f"1B parameters at 8 bits act like {size:.3g}")
        1B parameters at 8 bits act like 8.28e+08
    """
    return as_float(N) * (
        retained(P_w, gamma_w, n_w) * retained(P_a, gamma_a, n_a) * retained(P_kv, gamma_kv, n_kv)
    )


@law(
    formula="N * f_w",
    where={"f_w": RETAINED["w"]},
    source=f"{KUMAR}, eq. 3 with the bias of Appendix K",
    published=kumar_weights(),
    increasing=("N", "P_w"),
    limits={"P_w = inf": "N"},
    ridges=(BIT_RIDGE,),
    traps=(
        "The printed equation omits n_w; the constants of the table include it.",
        FLOAT_TRAP,
    ),
)
def effective_parameters_weights(
    N: Count, P_w: Bits = INF, *, gamma_w: BitScale, n_w: WeightBias
) -> EffectiveCount:
    """Full-precision size with the same loss as N parameters whose weights have P_w bits.

    In parameters: ``N_eff = N * (1 - exp(-P_w / gamma_w + n_w))`` (Kumar et al. 2024, eq. 3). 0
    where ``P_w <= n_w * gamma_w``.

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.effective_parameters_weights)
        >>> size = laws.effective_parameters_weights(N=1e9, P_w=4, **theta)
        >>> print(f"1B parameters in 4-bit weights act like {size:.3g}")
        1B parameters in 4-bit weights act like 6.96e+08
    """
    return as_float(N) * retained(P_w, gamma_w, n_w)


@law(
    formula="(1 + delta * N**alpha / A)**(-1 / alpha)",
    source=f"{KUMAR}, eq. 30",
    published=kumar({k: DENSE[k] for k in ("A", "alpha")}),
    decreasing=("delta",),
    limits={"delta = inf": "0", "delta = 0": "1"},
    ridges=("A and alpha come from runs at full precision: fix them.",),
    traps=(
        "A and alpha come from the dense law: an error in them biases every fraction in the same "
        "direction.",
    ),
)
def effective_fraction(
    N: Count, delta: LossChange, *, A: SizeCoefficient, alpha: Exponent
) -> Fraction:
    """Share of its parameters that a model is equivalent to when its loss is ``delta`` higher.

    ``f = (1 / N) * (delta / A + N**-alpha)**(-1 / alpha)`` with ``delta = L(P) - L(inf)`` in nats
    per token (Kumar et al. 2024, eq. 30): the empirical f(P) of one pair of runs, free of any
    assumed form. 0 where ``delta`` is infinite, above 1 where it is negative, and infinite where
    the loss lies below that of an infinitely large model.

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.effective_fraction)
        >>> fraction = laws.effective_fraction(N=1e9, delta=0.05, **theta)
        >>> print(f"0.05 nats more cost {1 - fraction:.0%} of the parameters")
        0.05 nats more cost 45% of the parameters
    """
    delta = jnp.asarray(as_float(delta))
    diverged = jnp.isposinf(delta)
    excess = jnp.where(diverged, 0.0, delta) * as_float(N) ** alpha / A

    # The loss is below that of an infinitely large model: no finite size reaches it.
    unbounded = excess <= -1
    fraction = jnp.exp(-jnp.log1p(jnp.where(unbounded, 0.0, excess)) / alpha)
    return jnp.where(diverged, 0.0, jnp.where(unbounded, jnp.inf, fraction))


POWERED = {
    f"g_{x}": f"where(P_{x} < inf, (1 - exp(-P_{x} / gamma_{x}))**k_{x}, 1)"
    for x in ("w", "a", "kv")
}
"""Formulas of the factors with an exponent."""


def powered(P: ArrayLike, gamma: ArrayLike, k: ArrayLike) -> jax.Array:
    """``(1 - exp(-P / gamma))**k``; 0 where ``P <= 0``, 1 at ``P = inf``."""
    factor = retained(P, gamma, 0.0)
    zero = factor <= 0
    return jnp.where(zero, 0.0, jnp.where(zero, 1.0, factor) ** k)


@law(
    formula="N * g_w * g_a * g_kv",
    where=POWERED,
    source=f"an exponent on each factor of {KUMAR}, eq. 4",
    increasing=("N", "P_w", "P_a", "P_kv"),
    limits={FULL_BITS: "N"},
    ridges=(
        "gamma and k of a part trade off: at many bits only k * exp(-P / gamma) is identified.",
    ),
    traps=("k is not the bias n: at many bits k = exp(n). No constants are published.",),
)
def powered_parameters(
    N: Count,
    P_w: Bits = INF,
    P_a: Bits = INF,
    P_kv: Bits = INF,
    *,
    gamma_w: BitScale,
    k_w: FactorExponent,
    gamma_a: BitScale,
    k_a: FactorExponent,
    gamma_kv: BitScale,
    k_kv: FactorExponent,
) -> EffectiveCount:
    """Full-precision parameters equivalent to N at low precision, with an exponent on each factor.

    ``N_eff = N * prod_x (1 - exp(-P_x / gamma_x))**k_x``, in parameters: the factors of Kumar et
    al. 2024, eq. 4, with an exponent in place of the bias of Appendix K. ``k = 1`` gives the
    printed equation. Positive at any bits above 0.

    Example:
        >>> from jscale import laws
        >>> theta = {"gamma_w": 2.7, "k_w": 1.4, "gamma_a": 2.2, "k_a": 4.1}
        >>> theta |= {"gamma_kv": 1.0, "k_kv": 11.0}
        >>> size = laws.powered_parameters(N=1e9, P_w=8, P_a=8, P_kv=8, **theta)
        >>> print(f"1B parameters at 8 bits act like {size:.3g}")
        1B parameters at 8 bits act like 8.29e+08
    """
    return as_float(N) * (
        powered(P_w, gamma_w, k_w) * powered(P_a, gamma_a, k_a) * powered(P_kv, gamma_kv, k_kv)
    )


_ONE_SCALE = {
    f"f_{x}": f"where(P_{x} < inf, 1 - exp(-P_{x} / gamma_bar), 1)" for x in ("w", "a", "kv")
}


@law(
    formula="N * f_w * f_a * f_kv",
    where=_ONE_SCALE,
    source=f"{KUMAR}, Finding 2 and Appendix M",
    published={
        "kumar2024_average": constants(
            f"average of the three scales of {KUMAR_TABLE}",
            "D",
            gamma_bar=(2.6745 + 2.2102 + 0.9578) / 3,
        )
    },
    increasing=("N", "P_w", "P_a", "P_kv"),
    limits={FULL_BITS: "N"},
    traps=(
        "At 8 bits the averaged cube retains 0.95 of the parameters, the biased factors of Table 2 "
        "retain 0.83.",
        "Its optimal precision is 3.7 bits, half of what the paper reports.",
    ),
)
def averaged_parameters(
    N: Count, P_w: Bits = INF, P_a: Bits = INF, P_kv: Bits = INF, *, gamma_bar: BitScale
) -> EffectiveCount:
    """Full-precision parameters equivalent to N at low precision, one bit scale for all parts.

    ``N_eff = N * prod_x (1 - exp(-P_x / gamma_bar))``, in parameters; the cube
    ``(1 - exp(-P / gamma_bar))**3`` where all parts have P bits (Kumar et al. 2024, Finding 2).

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.averaged_parameters)
        >>> size = laws.averaged_parameters(N=1e9, P_w=8, P_a=8, P_kv=8, **theta)
        >>> print(f"1B parameters at 8 bits act like {size:.3g}")
        1B parameters at 8 bits act like 9.51e+08
    """
    return as_float(N) * (
        retained(P_w, gamma_bar, 0.0)
        * retained(P_a, gamma_bar, 0.0)
        * retained(P_kv, gamma_bar, 0.0)
    )


@family
def layered_parameters(layers: int = 2) -> LawFunction:
    """Law of effective parameters with weights in different bits in each layer (a family).

    Args:
        layers: number of layers, or of groups of layers; layer i has the input ``P_w_i``.

    Returns:
        The law: ``N`` times the geometric mean of the layers' factors, in parameters.

    Raises:
        JscaleError: ``layers`` is not a whole number of at least 1.

    Example:
        >>> from jscale import laws
        >>> two_halves = laws.layered_parameters(2)
        >>> size = two_halves(N=1e9, P_w_1=8, P_w_2=3, **laws.params(two_halves))
        >>> print(f"1B parameters, half in 8 bits and half in 3, act like {size:.3g}")
        1B parameters, half in 8 bits and half in 3, act like 7.22e+08
    """
    if not is_whole_number(layers, 1):
        raise JscaleError(
            f"layered_parameters: layers is {shown(layers)}; expected a whole number of at least 1"
        )
    names = [f"P_w_{i}" for i in range(1, layers + 1)]
    lowest_bits = f"{names[0]}_low"
    for name in names[1:]:
        lowest_bits = f"minimum({lowest_bits}, {name}_low)"

    def evaluate(values: Mapping[str, Any]) -> Any:
        factors = [retained(values[name], values["gamma_w"], values["n_w"]) for name in names]
        stacked = jnp.stack(jnp.broadcast_arrays(*factors))
        zero = stacked <= 0

        # The geometric mean over the layers; 0 if any layer retains no parameter.
        mean = jnp.exp(jnp.mean(jnp.log(jnp.where(zero, 1.0, stacked)), axis=0))
        return as_float(values["N"]) * jnp.where(jnp.any(zero, axis=0), 0.0, mean)

    return member(
        evaluate,
        name=f"layered_parameters({layers})",
        doc="""Full-precision parameters equivalent to N with different weight bits in each layer.

        ``N_eff = N * prod_i (1 - exp(-P_w_i / gamma_w + n_w))**(1 / layers)``, in parameters: a
        product over layers like the one that Kumar et al. 2024, Appendix M, try for weights. The
        geometric mean is our choice: with the same bits in all layers it equals
        ``effective_parameters_weights``. 0 where any layer has ``n_w * gamma_w`` bits or fewer.
        """,
        subject="effective",
        inputs={"N": Count, **dict.fromkeys(names, (Bits, INF))},
        parameters={
            "gamma_w": BitScale,
            "n_w": Annotated[WeightBias, adjust(anchor=Anchor(plus=f"-{lowest_bits} / gamma_w"))],
        },
        output=EffectiveCount,
        formula=f"N * ({' * '.join(f'f_{i}' for i in range(1, layers + 1))})**(1 / {layers})",
        where={
            f"f_{i}": f"maximum({RETAINED['w'].replace('P_w', name)}, 0)"
            for i, name in enumerate(names, 1)
        },
        source=f"{KUMAR}, Appendix M, in our parametrisation",
        published=kumar_weights(),
        increasing=("N", *names),
        limits={", ".join(f"{name} = inf" for name in names): "N"},
        ridges=(BIT_RIDGE,),
        traps=(
            "Appendix M prints no equation; gamma_w and n_w were fitted to models with the same "
            "bits in all layers.",
        ),
    )


FAMILIES = {"layered_parameters": layered_parameters}
