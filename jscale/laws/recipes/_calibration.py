"""Scores after post-training quantisation, by size, bits, calibration samples and block."""

from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jscale._core.arrays import as_float, log, term
from jscale.laws.declaration import law
from jscale.laws.roles import (
    Anchor,
    Bits,
    Block,
    Coefficient,
    Count,
    Exponent,
    Role,
    adjust,
    lognormal,
)

_ZHOU = "Zhou et al. 2025 (arXiv 2508.18609)"

FewBits = Annotated[
    Bits, adjust(ends=(3.0, 4.0, 8.0), typical=4.0, limits=(1.0, 16.0), column="P_post")
]
Samples = Annotated[
    ArrayLike,
    Role(
        "calibration samples",
        "samples",
        "sequences that the quantiser is calibrated with",
        ends=(8.0, 1024.0),
        typical=128.0,
        limits=(1.0, float("inf")),
    ),
]
LogScore = Annotated[
    Any,
    Role(
        "minus the log score",
        "nats",
        "minus the logarithm of the score above chance",
        ends=(0.01, 3.0),
        typical=0.7,
        column="neg_log_score",
    ),
]


def _power(meaning: str, median: float, start: tuple[float, float]) -> adjust:
    return adjust(meaning=meaning, prior=lognormal(median, 0.8), start=start)


@law(
    formula="A * N**-alpha * log2(P_post)**-beta * log2(calibration)**-gamma * block**delta",
    source=_ZHOU,
    decreasing=("N", "P_post", "calibration"),
    increasing=("block",),
    limits={"N = inf": "0"},
    ridges=(
        "A trades off with every power: quote the value at the scale of the runs.",
        "beta needs three bit widths: between two, it is a ratio of the two.",
    ),
    traps=(
        "The scores are those above chance, (score - chance) / (1 - chance), of one kind of task; "
        "the powers differ between memorisation, application and reasoning.",
        "No constants in the catalogue: A was not found. Two transcriptions agree in the powers of "
        "all tasks together: alpha 0.359, beta 1.067, gamma 0.032, delta 0.073 (293 "
        "configurations of Qwen3, GPTQ of the weights, 3, 4 and 8 bits).",
        "Models in full precision are no part of the law, and runs in 2 bits were left out of its "
        "fit.",
    ),
)
def ptq_log_score(
    N: Count,
    P_post: FewBits,
    calibration: Samples,
    block: Block,
    *,
    A: Annotated[
        Coefficient,
        adjust(
            unit="nats at 1 parameter, 2 bits, 2 samples, 1 number",
            meaning="scale of minus the log score",
            prior=lognormal(0.7, 1.0),
            start=(0.05, 3.0),
            anchor=Anchor(
                "N**-alpha * log2(P_post)**-beta * log2(calibration)**-gamma * block**delta"
            ),
        ),
    ],
    alpha: Annotated[Exponent, _power("power of the size", 0.36, (0.05, 1.0))],
    beta: Annotated[Exponent, _power("power of the logarithm of bits", 1.0, (0.2, 3.0))],
    gamma: Annotated[Exponent, _power("power of the logarithm of samples", 0.04, (0.005, 0.3))],
    delta: Annotated[Exponent, _power("power of the block", 0.07, (0.005, 0.4))],
) -> LogScore:
    """Minus the logarithm of a quantised model's score above chance, nats.

    ``-ln((score - chance) / (1 - chance)) = A * N**-alpha * log2(P_post)**-beta *
    log2(calibration)**-gamma * block**delta`` for weights quantised after training (Zhou et al.
    2025, who give the powers with their signs).

    Example:
        The powers of all tasks together, and a scale made up for the example:

        >>> import math
        >>> from jscale import laws
        >>> powers = {"alpha": 0.359, "beta": 1.067, "gamma": 0.032, "delta": 0.073}
        >>> for bits in (8, 4, 3):
        ...     value = laws.ptq_log_score(8e9, bits, 128, 128, A=1700.0, **powers)
        ...     print(f"{bits} bits: {0.25 + 0.75 * math.exp(-value):.2f} with a chance of 0.25")
        8 bits: 0.87 with a chance of 0.25
        4 bits: 0.80 with a chance of 0.25
        3 bits: 0.76 with a chance of 0.25
    """
    size = term(A, N, alpha)
    widths = _inverse_power(P_post, beta) * _inverse_power(calibration, gamma)
    return size * widths * jnp.exp(delta * log(block))


def _inverse_power(x: ArrayLike, power: Any) -> jax.Array:
    """``log2(x)**-power``; infinite at ``x = 1``."""
    return term(1.0, jnp.log2(jnp.asarray(as_float(x))), power)
