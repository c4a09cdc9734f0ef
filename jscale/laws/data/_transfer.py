"""Transfer: the value of pre-training for another distribution of text, counted in its data.

A model pre-trained on text and fine-tuned on D_F of code reaches the loss of one trained from
scratch on ``D_F + D_T`` of code (Hernandez et al. 2021). The effective data transferred, D_T,
follows a power law in both the fine-tuning data and the size. The exponent of size was the same for
two pre-training texts, so it belongs to the models; the exponent of the data measures the distance
between the two texts. The constants belong to one pair of texts and do not carry over to another.
"""

from typing import Annotated, Any

from jax.typing import ArrayLike

from jscale._core.arrays import as_float
from jscale._core.supports import unit
from jscale.laws.declaration import Constants, constants, law
from jscale.laws.loss import kaplan
from jscale.laws.roles import (
    Anchor,
    Coefficient,
    Count,
    DataScale,
    EffectiveTokens,
    Exponent,
    Loss,
    Prior,
    Role,
    SizeScale,
    SlowExponent,
    Tokens,
    adjust,
    lognormal,
)

_SOURCE = "Hernandez et al. 2021 (arXiv 2102.01293)"
_TABLE = f"{_SOURCE}, Table 1"

FineTuningTokens = Annotated[
    Tokens,
    adjust(
        name="fine-tuning tokens",
        meaning="fine-tuning data",
        ends=(1e5, 1e10),
        typical=1e7,
        column="D_F",
    ),
]
TransferExponent = Annotated[
    Exponent,
    adjust(
        name="transfer exponent", support=unit, prior=Prior("beta", (2.0, 4.0)), start=(0.05, 0.6)
    ),
]
TransferCoefficient = Annotated[
    Coefficient,
    adjust(
        name="transfer coefficient",
        meaning="scale of the transferred data; coordinate: D_T / D_F at the centre of the runs",
        prior=lognormal(5.0, 2.0),
        start=(0.3, 60.0),
        anchor=Anchor("D_F**(alpha - 1) * N**beta"),
    ),
]
TransferredTokens = Annotated[EffectiveTokens, adjust(name="transferred tokens", column="D_T")]
Multiplier = Annotated[
    Any, Role("multiplier", "1", "effective over actual data", column="multiplier")
]


def _sets() -> dict[str, Constants]:
    return {
        "hernandez2021_text": constants(
            _TABLE,
            "S2",
            k=1.9e4,
            alpha=0.18,
            beta=0.38,
            note="pre-trained on text, fine-tuned on Python",
        ),
        "hernandez2021_text_and_code": constants(
            _TABLE,
            "S2",
            k=2.1e5,
            alpha=0.096,
            beta=0.38,
            note="pre-trained on half text, half code in other languages; fine-tuned on Python",
        ),
    }


_RIDGES = ("k with alpha and beta: quote the data transferred at the scale of the runs.",)
_TRAPS = (
    "The paper counts data in characters, not tokens: with its k, D_F and D_T are characters; with "
    "your own k use any one unit.",
    "Valid while D_F is at most a tenth of the data at which a model of this size stops improving; "
    "above that, small models are worse with pre-training than without.",
    "N counts non-embedding parameters.",
)


@law(
    formula="k * D_F**alpha * N**beta",
    source=f"{_SOURCE}, eq. 1.1",
    published=_sets(),
    increasing=("D_F", "N"),
    limits={"D_F = 0": "0", "N = 0": "0"},
    ridges=_RIDGES,
    traps=(
        *_TRAPS,
        "At D_F = 0 the power law gives 0, although pre-training alone already helps.",
    ),
)
def transferred_data(
    D_F: FineTuningTokens,
    N: Count,
    *,
    k: TransferCoefficient,
    alpha: TransferExponent,
    beta: TransferExponent,
) -> TransferredTokens:
    """Data that pre-training adds for an N-parameter model fine-tuned on D_F tokens, in tokens.

    ``D_T = k * D_F**alpha * N**beta`` (Hernandez et al. 2021, eq. 1.1); the effective data are
    ``D_F + D_T``.

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.transferred_data)
        >>> print(f"{laws.transferred_data(D_F=1e7, N=1e8, **theta):.2g} characters transferred")
        3.8e+08 characters transferred
    """
    return k * as_float(D_F) ** alpha * as_float(N) ** beta


@law(
    formula="1 + k * N**beta * D_F**(alpha - 1)",
    source=f"{_SOURCE}, eq. 1.1",
    published=_sets(),
    decreasing=("D_F",),
    increasing=("N",),
    limits={"D_F = inf": "1", "N = 0": "1"},
    ridges=_RIDGES,
    traps=_TRAPS,
)
def transfer_multiplier(
    D_F: FineTuningTokens,
    N: Count,
    *,
    k: TransferCoefficient,
    alpha: TransferExponent,
    beta: TransferExponent,
) -> Multiplier:
    """Effective-data multiplier: the factor by which pre-training multiplies the fine-tuning data.

    ``(D_F + D_T) / D_F = 1 + k * N**beta * D_F**(alpha - 1)`` (Hernandez et al. 2021, eq. 1.1).

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.transfer_multiplier)
        >>> factor = laws.transfer_multiplier(D_F=1e7, N=1e8, **theta)
        >>> print(f"pre-training multiplies the data by {factor:.0f}")
        pre-training multiplies the data by 39
    """
    return 1 + k * as_float(N) ** beta * as_float(D_F) ** (alpha - 1)


@law(
    formula="((N_c / N)**(alpha_N / alpha_D) + D_c / (k * D_F**alpha * N**beta))**alpha_D",
    source=f"{_SOURCE}, eq. 6.1",
    decreasing=("D_F", "N"),
    limits={"D_F = inf": "(N_c / N)**alpha_N", "N = inf": "0"},
    ridges=(
        "D_c and k enter as D_c / k only and are not identified separately: fix one of them.",
        "N_c with alpha_N, and k with alpha and beta.",
    ),
    traps=(
        *_TRAPS,
        "For the low-data regime, in which D_F is small compared with D_T and is omitted from the "
        "sum.",
        "The dense constants must be those of the fine-tuning text; Kaplan's are for web text.",
    ),
)
def transfer_loss(
    D_F: FineTuningTokens,
    N: Count,
    *,
    N_c: Annotated[SizeScale, adjust(anchor=Anchor("1 / N", power="alpha_N"))],
    D_c: Annotated[
        DataScale, adjust(anchor=Anchor("1 / (k * D_F**alpha * N**beta)", power="alpha_D"))
    ],
    alpha_N: SlowExponent,
    alpha_D: SlowExponent,
    k: TransferCoefficient,
    alpha: TransferExponent,
    beta: TransferExponent,
) -> Loss:
    """Loss of a pre-trained N-parameter model fine-tuned on D_F tokens, nats per token.

    ``L = [(N_c / N)**(alpha_N / alpha_D) + D_c / (k * D_F**alpha * N**beta)]**alpha_D``: Kaplan's
    law of size and data at the data transferred (Hernandez et al. 2021, eq. 6.1).

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.kaplan) | laws.params(laws.transferred_data)
        >>> print(f"{laws.transfer_loss(D_F=1e7, N=1e8, **theta):.3f} nats per token")
        3.140 nats per token
    """
    transferred = transferred_data(D_F, N, k=k, alpha=alpha, beta=beta)
    return kaplan(as_float(N), transferred, N_c=N_c, D_c=D_c, alpha_N=alpha_N, alpha_D=alpha_D)


def effective_data(D_F: ArrayLike, N: ArrayLike, *, k: Any, alpha: Any, beta: Any) -> Any:
    """Data of the target text with the same effect from scratch, ``D_F + D_T``, in tokens.

    Hernandez et al. 2021 (arXiv 2102.01293), eq. 1.1.

    Args:
        D_F: fine-tuning tokens, any shape.
        N: parameters without embeddings, any shape.
        k: scale, as in :func:`transferred_data`.
        alpha: power of the fine-tuning data.
        beta: power of the size.

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.transferred_data)
        >>> print(f"{laws.effective_data(D_F=1e7, N=1e8, **theta):.2g} characters")
        3.9e+08 characters
    """
    return as_float(D_F) + transferred_data(D_F, N, k=k, alpha=alpha, beta=beta)
