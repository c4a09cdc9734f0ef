"""How many parameters of a full-precision model N parameters in few bits are worth: effective
parameters.

Kumar et al. 2024 (arXiv 2411.04330) give every part of the arithmetic (weights, activations, KV
cache) a factor ``1 - exp(-P / gamma + n)``. Any dense law becomes one of precision with it:
``substitute(chinchilla, N=effective_parameters)``. And any loss that is added to a dense law can be
read as a share of its parameters, ``effective_fraction``, whatever caused it.

The factors with a bias and those with an exponent agree at many bits, ``(1 - exp(-P / gamma))**k =
1 - exp(-P / gamma + log(k)) + ...``, so that k stands for ``exp(n)``; at few bits the biased one
ends at ``n * gamma`` bits, the powered one at 0 bits.
"""

import functools
from collections.abc import Mapping
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jscale._core.arrays import as_float
from jscale._core.errors import JscaleError
from jscale.laws.bits._shared import (
    BIAS_TRAP,
    BIT_RIDGE,
    DENSE,
    ENDLESS_BITS,
    FLOAT_TRAP,
    FORMULA_PARTS,
    INF,
    KEPT,
    KUMAR,
    KUMAR_TABLE,
    PARTS,
    kept,
    kumar,
    kumar_weights,
)
from jscale.laws.declaration import LawFunction, constants, law, member
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
    limits={ENDLESS_BITS: "N"},
    ridges=(BIT_RIDGE,),
    traps=(
        BIAS_TRAP,
        "gamma_bar, the average of the three, in place of the product errs by 15% at 8 bits.",
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
    """Parameters of the full-precision model that is worth the same as N in few bits.

    ``N_eff = N * prod_x (1 - exp(-P_x / gamma_x + n_x))`` over weights, activations and KV cache
    (Kumar et al. 2024, eq. 4); the printed equation leaves out the biases n. 0 where ``P_x <= n_x *
    gamma_x``.
    """
    return as_float(N) * (
        kept(P_w, gamma_w, n_w) * kept(P_a, gamma_a, n_a) * kept(P_kv, gamma_kv, n_kv)
    )


@law(
    formula="N * f_w",
    where={"f_w": KEPT["w"]},
    source=f"{KUMAR}, eq. 3 with the bias of Appendix K",
    published=kumar_weights(),
    increasing=("N", "P_w"),
    limits={"P_w = inf": "N"},
    ridges=(BIT_RIDGE,),
    traps=(
        "n_w is left out of the printed equation and belongs to the constants of the table.",
        FLOAT_TRAP,
    ),
)
def effective_parameters_weights(
    N: Count, P_w: Bits = INF, *, gamma_w: BitScale, n_w: WeightBias
) -> EffectiveCount:
    """Parameters of the full-precision model that is worth the same as N with weights in few bits.

    ``N_eff = N * (1 - exp(-P_w / gamma_w + n_w))`` (Kumar et al. 2024, eq. 3). 0 where ``P_w <= n_w
    * gamma_w``.
    """
    return as_float(N) * kept(P_w, gamma_w, n_w)


@law(
    formula="(1 + delta * N**alpha / A)**(-1 / alpha)",
    source=f"{KUMAR}, eq. 30",
    published=kumar({k: DENSE[k] for k in ("A", "alpha")}),
    decreasing=("delta",),
    limits={"delta = inf": "0", "delta = 0": "1"},
    ridges=("A and alpha come from runs at full precision: fix them.",),
    traps=("A and alpha are the dense law's: an error in them moves every fraction the same way.",),
)
def effective_fraction(
    N: Count, delta: LossChange, *, A: SizeCoefficient, alpha: Exponent
) -> Fraction:
    """Share of its parameters that a model is still worth when its loss is ``delta`` nats per token
    higher.

    ``f = (1 / N) * (delta / A + N**-alpha)**(-1 / alpha)`` with ``delta = L(P) - L(inf)`` (Kumar et
    al. 2024, eq. 30): the empirical f(P) of one pair of runs, free of any assumed form. 0 where
    ``delta`` is infinite, above 1 where it is negative, and infinite where the loss lies below that
    of an infinitely large model.
    """
    delta = jnp.asarray(as_float(delta))
    diverged = jnp.isposinf(delta)
    excess = jnp.where(diverged, 0.0, delta) * as_float(N) ** alpha / A
    endless = excess <= -1
    share = jnp.exp(-jnp.log1p(jnp.where(endless, 0.0, excess)) / alpha)
    return jnp.where(diverged, 0.0, jnp.where(endless, jnp.inf, share))


POWERED = {
    f"g_{x}": f"where(P_{x} < inf, (1 - exp(-P_{x} / gamma_{x}))**k_{x}, 1)"
    for x in ("w", "a", "kv")
}
"""Factors with an exponent, as formulas."""


def powered(P: ArrayLike, gamma: ArrayLike, k: ArrayLike) -> jax.Array:
    """``(1 - exp(-P / gamma))**k``; 0 where ``P <= 0``, 1 at ``P = inf``."""
    share = kept(P, gamma, 0.0)
    none = share <= 0
    return jnp.where(none, 0.0, jnp.where(none, 1.0, share) ** k)


@law(
    formula="N * g_w * g_a * g_kv",
    where=POWERED,
    source=f"an exponent on each factor of {KUMAR}, eq. 4",
    increasing=("N", "P_w", "P_a", "P_kv"),
    limits={ENDLESS_BITS: "N"},
    ridges=("gamma and k of a part trade off: at many bits only k * exp(-P / gamma) shows.",),
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
    """Parameters of the full-precision model that is worth the same as N in few bits, an exponent
    on
    each factor.

    ``N_eff = N * prod_x (1 - exp(-P_x / gamma_x))**k_x``: the factors of Kumar et al. 2024, eq. 4,
    with an exponent in place of the bias of Appendix K. At ``k = 1`` the printed equation. Some
    parameters are left at any bits above 0.
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
    limits={ENDLESS_BITS: "N"},
    traps=(
        "At 8 bits the averaged cube keeps 0.95 of the parameters, the biased factors of Table 2 keep 0.83.",
        "Its optimal precision is 3.7 bits, half of what the paper reports.",
    ),
)
def averaged_parameters(
    N: Count, P_w: Bits = INF, P_a: Bits = INF, P_kv: Bits = INF, *, gamma_bar: BitScale
) -> EffectiveCount:
    """Parameters of the full-precision model that is worth the same as N in few bits, one bit scale
    for all parts.

    ``N_eff = N * prod_x (1 - exp(-P_x / gamma_bar))``, the cube ``(1 - exp(-P / gamma_bar))**3``
    where all parts have P bits (Kumar et al. 2024, Finding 2).
    """
    return as_float(N) * (
        kept(P_w, gamma_bar, 0.0) * kept(P_a, gamma_bar, 0.0) * kept(P_kv, gamma_bar, 0.0)
    )


@functools.cache
def layered_parameters(layers: int = 2) -> LawFunction:
    """Effective parameters of a model whose layers (or groups of layers) have weights in different
    numbers of bits.

    Args:
        layers: how many; layer i has the input ``P_w_i``.

    Raises:
        JscaleError: ``layers`` is not a whole number from 1 up.
    """
    if not isinstance(layers, int) or layers < 1:
        raise JscaleError(f"layered_parameters takes a number of layers from 1 up, not {layers!r}")
    names = [f"P_w_{i}" for i in range(1, layers + 1)]
    fewest = functools.reduce(
        lambda low, name: f"minimum({low}, {name}_low)", names[1:], f"{names[0]}_low"
    )

    def evaluate(given: Mapping[str, Any]) -> Any:
        shares = jnp.stack(
            jnp.broadcast_arrays(
                *(kept(given[name], given["gamma_w"], given["n_w"]) for name in names)
            )
        )
        none = shares <= 0
        mean = jnp.exp(jnp.mean(jnp.log(jnp.where(none, 1.0, shares)), axis=0))
        return as_float(given["N"]) * jnp.where(jnp.any(none, axis=0), 0.0, mean)

    return member(
        evaluate,
        name=f"layered_parameters({layers})",
        doc="""Parameters of the full-precision model worth the same as N whose layers' weights differ in bits.

        ``N_eff = N * prod_i (1 - exp(-P_w_i / gamma_w + n_w))**(1 / layers)``: a product over layers, as the one that
        Kumar et al. 2024, Appendix M, try for weights, where the geometric mean is our choice: with the same bits in
        all layers it is ``effective_parameters_weights``. 0 where any layer is in ``n_w * gamma_w`` bits or fewer.
        """,
        subject="effective",
        inputs={"N": Count, **dict.fromkeys(names, (Bits, INF))},
        parameters={
            "gamma_w": BitScale,
            "n_w": Annotated[WeightBias, adjust(anchor=Anchor(plus=f"-{fewest} / gamma_w"))],
        },
        output=EffectiveCount,
        formula=f"N * ({' * '.join(f'f_{i}' for i in range(1, layers + 1))})**(1 / {layers})",
        where={
            f"f_{i}": f"maximum({KEPT['w'].replace('P_w', name)}, 0)"
            for i, name in enumerate(names, 1)
        },
        source=f"{KUMAR}, Appendix M, in a parametrisation of ours",
        published=kumar_weights(),
        increasing=("N", *names),
        limits={", ".join(f"{name} = inf" for name in names): "N"},
        ridges=(BIT_RIDGE,),
        traps=(
            "Appendix M prints no equation; gamma_w and n_w were fitted to models with one width for all layers.",
        ),
    )


FAMILIES = {"layered_parameters": layered_parameters}
