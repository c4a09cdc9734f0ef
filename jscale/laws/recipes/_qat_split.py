"""How much of a training run to spend on quantisation-aware training, after full precision."""

from typing import Annotated

import jax.numpy as jnp

from jscale._core.arrays import as_float
from jscale.laws.declaration import constants, law
from jscale.laws.roles import Bits, Coefficient, Count, Fraction, Tokens, adjust, lognormal

_DREMOV = "Dremov et al. 2025 (arXiv 2509.22935)"

SplitScale = Annotated[
    Coefficient,
    adjust(
        name="split scale",
        meaning="how fast the share of quantised training grows; larger is slower",
        prior=lognormal(6.0, 0.6),
        start=(1.0, 20.0),
    ),
]


@law(
    formula="where(S > 1, exp(-a / log(where(S > 1, S, 2))), 0)",
    where={"S": "8 * D / N / P_w"},
    source=f"{_DREMOV}, the fit of the optimal fraction",
    published={
        "dremov2025": constants(
            _DREMOV,
            "S2",
            a=6.7297,
            note="757 runs of 86M to 2.2B parameters in 1 to 6 bits; mean error of the share 0.091",
        )
    },
    increasing=("D",),
    decreasing=("N", "P_w"),
    limits={"D = inf": "1", "N = inf": "0", "P_w = inf": "0"},
    traps=(
        "The mean error of the share is 0.091 over the runs of the fit: a share of 0.1 is rough.",
        "S is in tokens per byte of the quantised weights: at 4.3 the share is 1%, at 1 it is 0.",
        "What another split costs is not known: the sign of a power in the authors' law of the "
        "loss could not be confirmed.",
    ),
)
def qat_share(N: Count, D: Tokens, P_w: Bits, *, a: SplitScale) -> Fraction:
    """Share of D tokens to train with weights quantised to P_w bits, after full precision.

    ``f = exp(ln S - a / ln S) / S = exp(-a / ln S)`` with the tokens per byte of quantised weights
    ``S = D / (N * P_w / 8)``; 0 where ``S <= 1`` (Dremov et al. 2025). ``plan.qat_split`` gives the
    tokens of both phases.

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.qat_share)
        >>> [round(float(laws.qat_share(1e9, S * 1e9, 8, **theta)), 3) for S in (20, 100, 500)]
        [0.106, 0.232, 0.339]
    """
    ratio = jnp.asarray(8 * (as_float(D) / as_float(N)) / as_float(P_w))
    enough = ratio > 1
    return jnp.where(enough, jnp.exp(-1.0 / jnp.log(jnp.where(enough, ratio, 2.0)) * a), 0.0)
