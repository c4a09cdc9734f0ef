"""Fine-tuning: how the loss falls with the examples, from the level of the pre-trained model.

A pre-trained model starts as if it had already seen some examples. While there are few more the
loss hardly moves; only beyond does it follow a power of their number. A plain power law misses the
first phase and extrapolates it too flat (Lin et al. 2024).

Adapters train few new parameters beside a frozen model. Their number multiplies the term of the
data instead of adding one of its own, and its exponent is small (Zhang et al. 2024).
"""

from typing import Annotated

import jax.numpy as jnp
from jax.typing import ArrayLike

from jscale._core.arrays import inexact
from jscale.laws.data._transfer import FineTuningTokens
from jscale.laws.declaration import law
from jscale.laws.roles import (
    Anchor,
    Coefficient,
    Exponent,
    Irreducible,
    Loss,
    Prior,
    Role,
    SignedExponent,
    adjust,
    lognormal,
)

_LIN = "Lin et al. 2024 (arXiv 2402.02314)"

FineTuningExamples = Annotated[
    ArrayLike,
    Role(
        "examples",
        "examples",
        "examples of fine-tuning",
        ends=(1.0, 1e9),
        typical=1e4,
        column="examples",
    ),
]
AdapterRank = Annotated[
    ArrayLike,
    Role(
        "adapter rank",
        "1",
        "rank of the adapters, or any count of their parameters",
        ends=(1.0, 1e4),
        typical=16.0,
        column="rank",
    ),
]


@law(
    formula="E + B / (D_l + examples**beta)",
    source=f"{_LIN}, Definition 4.1, and the authors' project page",
    decreasing=("examples",),
    limits={"examples = inf": "E", "examples = 0": "E + B / D_l"},
    ridges=(
        "D_l with B: the loss before fine-tuning fixes their ratio.",
        "E with beta until the curve flattens.",
    ),
    traps=(
        "D_l is in units of examples**beta: pre-training is worth D_l**(1 / beta) examples.",
        "The authors' project page raises the whole to a further power; the paper does not.",
        "For one model and one task: the constants are fitted anew for each.",
    ),
)
def rectified_fine_tuning(
    examples: FineTuningExamples,
    *,
    E: Irreducible,
    B: Annotated[
        Coefficient,
        adjust(
            unit="nats/token",
            prior=lognormal(0.7, 1.2),
            start=(0.05, 3.0),
            anchor=Anchor("examples**-beta"),
        ),
    ],
    D_l: Annotated[
        Coefficient,
        adjust(
            name="pre-learned data",
            unit="examples**beta",
            meaning="data learned before fine-tuning",
            prior=lognormal(0.5, 1.5),
            start=(0.03, 5.0),
            anchor=Anchor("examples**-beta"),
        ),
    ],
    beta: Annotated[Exponent, adjust(prior=lognormal(0.4, 0.6), start=(0.15, 1.0))],
) -> Loss:
    """Loss of a pre-trained model after fine-tuning on some examples, nats per token.

    ``L = E + B / (D_l + D**beta)`` (Lin et al. 2024, the rectified scaling law): a plain power law
    where ``D**beta`` is far above ``D_l``, the loss of the pre-trained model far below.

    Example:
        >>> from jscale import laws
        >>> theta = {"E": 1.2, "B": 30.0, "D_l": 20.0, "beta": 0.5}
        >>> for examples in (0, 100, 10_000, 1_000_000):
        ...     print(f"{laws.rectified_fine_tuning(examples, **theta):.2f}")
        2.70
        2.20
        1.45
        1.23
    """
    examples = inexact(examples)
    started = examples > 0
    power = jnp.where(started, jnp.where(started, examples, 1.0) ** beta, 0.0)
    return E + B / (D_l + power)


@law(
    formula="E + A * rank**-alpha * D_F**-beta",
    source="Zhang et al. 2024 (arXiv 2402.17193), the multiplicative joint law",
    decreasing=("D_F",),
    limits={"D_F = inf": "E"},
    ridges=(
        "A with alpha and beta: quote the reducible loss at the centre of the runs.",
        "E with beta until the curve flattens.",
    ),
    traps=(
        "alpha is small and may be negative: a larger rank often changes little. The product has "
        "no limit for large ranks; do not extrapolate in them.",
        "For data much smaller than the model, one task and one method (LoRA and prompts have "
        "constants of their own).",
        "The floor is that of the task, shared by methods and model sizes where they are compared.",
    ),
)
def adapter_tuning(
    rank: AdapterRank,
    D_F: FineTuningTokens,
    *,
    E: Irreducible,
    A: Annotated[
        Coefficient,
        adjust(
            unit="nats/token at rank 1 and 1 token",
            prior=lognormal(0.5, 1.2),
            start=(0.03, 2.0),
            anchor=Anchor("rank**-alpha * D_F**-beta"),
        ),
    ],
    alpha: Annotated[
        SignedExponent, adjust(prior=Prior("normal", (0.05, 0.1)), start=(-0.02, 0.2))
    ],
    beta: Annotated[Exponent, adjust(prior=lognormal(0.15, 0.8), start=(0.03, 0.6))],
) -> Loss:
    """Loss of a frozen model with adapters trained on D_F fine-tuning tokens, nats per token.

    ``L = E + A * X**-alpha * D_F**-beta`` with the rank of LoRA, or the length of a prompt, for X
    (Zhang et al. 2024). The data may be counted in any one unit. With the model's size or its
    pre-training tokens for X it is their law of those; :func:`jscale.laws.chinchilla` adds terms.

    Example:
        >>> from jscale import laws
        >>> theta = {"E": 0.6, "A": 8.0, "alpha": 0.02, "beta": 0.15}
        >>> for rank in (4, 64):
        ...     few, many = (laws.adapter_tuning(rank, D_F, **theta) for D_F in (1e6, 1e8))
        ...     print(f"{few:.2f} {many:.2f}")
        1.58 1.09
        1.53 1.06
    """
    return E + A / (inexact(rank) ** alpha * inexact(D_F) ** beta)
