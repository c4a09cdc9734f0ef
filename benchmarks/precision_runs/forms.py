"""Alternative forms of the dependence of the loss on bits.

The forms that Kumar et al. 2024 compare (Appendix C) are laws of the catalogue; this module adds
three that the runs suggest, and the list of all forms that are compared.
"""

from typing import Annotated, NamedTuple

import jax.numpy as jnp
from jax.typing import ArrayLike

from jscale import laws
from jscale.laws import LawFunction, describe, law, roles
from jscale.laws.bits._precision_forms import BitExponent
from jscale.laws.roles import (
    Bits,
    BitScale,
    Count,
    DataCoefficient,
    Exponent,
    Irreducible,
    Loss,
    LossChange,
    PostCoefficient,
    PostExponent,
    Role,
    SizeCoefficient,
    Tokens,
    adjust,
    lognormal,
)

_PARTS = ("w", "a", "kv")


def _bit_cost(part: str) -> Role:
    # The coordinate is the cost of the lowest bits in the runs for a typical model, whose order of
    # magnitude is known.
    return Role(
        "bit coefficient",
        "nats/token at 1 bit and 1 token",
        "cost of bits",
        prior=lognormal(0.1, 1.5),
        start=(0.01, 1.0),
        anchor=roles.Anchor(f"P_{part}_low**-a_{part} * D**gamma_D"),
    )


GrowingWeightCost = Annotated[ArrayLike, _bit_cost("w")]
GrowingActivationCost = Annotated[ArrayLike, _bit_cost("a")]
GrowingCacheCost = Annotated[ArrayLike, _bit_cost("kv")]


@law(
    formula="E + A * N**-alpha + B * D**-beta"
    " + D**gamma_D * (c_w * P_w**-a_w + c_a * P_a**-a_a + c_kv * P_kv**-a_kv)",
    source="the additive form with the growth by data of Kumar et al. 2024, eq. 2",
)
def additive_growing(
    N: Count,
    D: Tokens,
    P_w: Bits,
    P_a: Bits,
    P_kv: Bits,
    *,
    E: Irreducible,
    A: SizeCoefficient,
    B: DataCoefficient,
    alpha: Exponent,
    beta: Exponent,
    gamma_D: PostExponent,
    c_w: GrowingWeightCost,
    a_w: BitExponent,
    c_a: GrowingActivationCost,
    a_a: BitExponent,
    c_kv: GrowingCacheCost,
    a_kv: BitExponent,
) -> Loss:
    """Additive cost of every part's bits that grows with D, as after training, nats per token."""
    cost = c_w / P_w**a_w + c_a / P_a**a_a + c_kv / P_kv**a_kv
    return E + A / N**alpha + B / D**beta + D**gamma_D * cost


@law(
    formula="E + A * N_eff**-alpha + B * D**-beta"
    " + where(P_post < P_w, C_T * D**gamma_D * N_eff**-gamma_N"
    " * exp(-P_post / gamma_post) * (1 - exp(-C_w * (P_w - P_post))), 0)",
    where={
        **{f"f_{x}": f"1 - exp(n_{x} - P_{x} / gamma_{x})" for x in _PARTS},
        "N_eff": "N * f_w * f_a * f_kv",
    },
    source="Kumar et al. 2024 (arXiv 2411.04330), eq. 8",
)
def hardened_weights(  # noqa: PLR0917 - the inputs of a law are positional
    N: Count,
    D: Tokens,
    P_w: Bits,
    P_a: Bits,
    P_kv: Bits,
    P_post: Bits,
    *,
    E: Irreducible,
    A: SizeCoefficient,
    B: DataCoefficient,
    alpha: Exponent,
    beta: Exponent,
    gamma_w: BitScale,
    n_w: roles.WeightBias,
    gamma_a: BitScale,
    n_a: roles.ActivationBias,
    gamma_kv: BitScale,
    n_kv: roles.CacheBias,
    C_T: PostCoefficient,
    gamma_D: PostExponent,
    gamma_N: PostExponent,
    gamma_post: roles.PostBitScale,
    C_w: roles.Robustness,
) -> Loss:
    """The unified law in which only the weights' training bits harden a model, nats per token.

    Eq. 9 has such a bracket for activations and cache too, so that it predicts no degradation if
    one of them was trained in P_post bits or fewer, although their bits do not change after
    training.
    """
    parts = dict(gamma_w=gamma_w, n_w=n_w, gamma_a=gamma_a, n_a=n_a, gamma_kv=gamma_kv, n_kv=n_kv)
    N_eff = laws.effective_parameters(N, P_w, P_a, P_kv, **parts)
    delta = laws.ptq_degradation(
        N_eff, D, P_post, C_T=C_T, gamma_D=gamma_D, gamma_N=gamma_N, gamma_post=gamma_post
    )
    gap = jnp.maximum(jnp.asarray(P_w) - jnp.asarray(P_post), 0.0)
    return laws.chinchilla(N_eff, D, E=E, A=A, B=B, alpha=alpha, beta=beta) - delta * jnp.expm1(
        -(C_w * gap)
    )


LevelCoefficient = Annotated[
    PostCoefficient,
    adjust(anchor=roles.Anchor("D**gamma_D * N**-gamma_N * (2**(P_post_low - 1) - 1)**-k")),
]


@law(
    formula="C_T * D**gamma_D * N**-gamma_N * (2**(P_post - 1) - 1)**-k",
    source="Kumar et al. 2024, eq. 2, with the number of levels of a symmetric integer in place of "
    "an exponential",
)
def degradation_by_levels(
    N: Count,
    D: Tokens,
    P_post: Bits,
    *,
    C_T: LevelCoefficient,
    gamma_D: PostExponent,
    gamma_N: PostExponent,
    k: BitExponent,
) -> LossChange:
    """Degradation as a power of the levels on each side of zero (rounding variance: k = 2)."""
    return C_T * D**gamma_D / (N**gamma_N * (2.0 ** (P_post - 1.0) - 1.0) ** k)


class Form(NamedTuple):
    """A form that is compared.

    Attributes:
        name: its name in the tables.
        law: the law.
        paper: the paper's held-out R², if it has one.
    """

    name: str
    law: LawFunction
    paper: float | None = None

    @property
    def extra(self) -> int:
        """Parameters beyond Chinchilla's law."""
        return len(describe(self.law).parameters) - len(describe(laws.chinchilla).parameters)


N_EFF, N_EFF_BIASED = "N_eff", "N_eff with biases"
FORMS = (
    Form("no bits", laws.chinchilla),
    Form(N_EFF, laws.fix(laws.low_precision, **{f"n_{part}": 0.0 for part in _PARTS}), 0.82),
    Form(N_EFF_BIASED, laws.low_precision),
    Form("N_eff with exponents", laws.generalised_precision),
    Form("D_eff", laws.data_precision, 0.74),
    Form("N_eff and D_eff, tied", laws.tied_precision, 0.79),
    Form("N_eff and D_eff, untied", laws.untied_precision, 0.84),
    Form("additive power law", laws.additive_precision, 0.71),
    Form("additive power law, growing with D", additive_growing),
    Form("multiplicative power law", laws.multiplicative_precision, 0.75),
)
