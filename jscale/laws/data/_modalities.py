"""Text, code, images, speech: laws for one modality at a time and for two in one model.

Every modality follows Chinchilla's law with its own constants; exponents differ between modalities
by up to a factor of three. Compared with two separate models, a model trained on two modalities is
worse while it is small (they compete for its parameters) and better once it is large (they help
each other).
"""

from typing import Annotated, Any

from jax.typing import ArrayLike

from jscale._core.arrays import as_float, term
from jscale._core.supports import positive
from jscale.laws.declaration import constants, law
from jscale.laws.roles import (
    Anchor,
    Count,
    DataCoefficient,
    Exponent,
    Irreducible,
    Loss,
    Prior,
    SizeCoefficient,
    Slope,
    Tokens,
    adjust,
    lognormal,
)

_AGHAJANYAN = "Aghajanyan et al. 2023 (arXiv 2301.03728)"
_ROWS = {  # A, B, E, alpha, beta
    "text": (492.51, 1987.40, 2.42, 0.18, 0.22),
    "code": (611.91, 4484.08, 0.16, 0.37, 0.32),
    "image": (340.96, 875.30, 2.84, 0.13, 0.13),
    "speech": (154.45, 205.10, 3.02, 0.31, 0.24),
    "image_text": (320.51, 658.31, 2.47, 0.12, 0.11),
    "molecules": (158.19, 189.36, 2.39, 0.37, 0.26),
}

_IMPLAUSIBLE = (
    "implausible: 25 to 78 nats per token at 1e9 parameters and 2e10 tokens; check the table "
    "before use"
)
_PUBLISHED = {
    f"aghajanyan2023_{modality}": constants(
        f"{_AGHAJANYAN}, {modality.replace('_', '-')}",
        "S1",
        note=_IMPLAUSIBLE if modality in ("text", "image", "image_text") else "",
        E=E,
        A=A,
        B=B,
        alpha=alpha,
        beta=beta,
    )
    for modality, (A, B, E, alpha, beta) in _ROWS.items()
}


# May exceed the smallest loss of the runs: that is a mean of two modalities, and the floor of one
# of them may be above it.
Floor = Annotated[
    Irreducible,
    adjust(
        name="floor of a modality",
        meaning="irreducible loss of one modality",
        support=positive,
        prior=lognormal(0.6, 0.5),
    ),
]
SizeOfFirst = Annotated[SizeCoefficient, adjust(anchor=Anchor("N**-alpha_i"))]
SizeOfSecond = Annotated[SizeCoefficient, adjust(anchor=Anchor("N**-alpha_j"))]
DataOfFirst = Annotated[DataCoefficient, adjust(anchor=Anchor("D_i**-beta_i"))]
DataOfSecond = Annotated[DataCoefficient, adjust(anchor=Anchor("D_j**-beta_j"))]
DataOfBoth = Annotated[DataCoefficient, adjust(anchor=Anchor("(D_i + D_j)**-beta"))]
Synergy = Annotated[
    Slope,
    adjust(
        name="synergy",
        unit="nats/token",
        meaning="largest reduction of the loss through the other modality",
        prior=Prior("normal", (0.0, 0.3)),
        start=(-0.2, 0.2),
    ),
]


@law(
    formula="E + A * N**-alpha + B * D**-beta",
    source=_AGHAJANYAN,
    published=_PUBLISHED,
    decreasing=("N", "D"),
    limits={"N = inf, D = inf": "E", "N = inf": "E + B * D**-beta", "D = inf": "E + A * N**-alpha"},
    ridges=(
        "A with alpha and B with beta are almost perfectly correlated unless quoted at the scale "
        "of the runs.",
        "E with alpha: on losses that span less than a nat, E can go to 0.",
    ),
    traps=(
        "The rows text, image and image-text give losses of tens of nats at usual sizes, worse "
        "than random guessing: their exponents agree between transcriptions, their coefficients "
        "cannot be for sizes counted in single parameters.",
        "Tokens differ between modalities: neither losses nor token counts are comparable.",
    ),
)
def unimodal(
    N: Count,
    D: Tokens,
    *,
    E: Floor,
    A: SizeCoefficient,
    B: DataCoefficient,
    alpha: Exponent,
    beta: Exponent,
) -> Loss:
    """Loss of an N-parameter model on D tokens of one modality, nats per token.

    Chinchilla's law with constants for each modality, ``L(N, D) = E + A / N**alpha + B / D**beta``
    (Aghajanyan et al. 2023).

    Example:
        >>> from jscale import laws
        >>> for modality in ("code", "speech"):
        ...     theta = laws.params(laws.unimodal, f"aghajanyan2023_{modality}")
        ...     print(f"{modality}: {laws.unimodal(N=1e9, D=1e11, **theta):.3f} nats per token")
        code: 1.800 nats per token
        speech: 3.740 nats per token
    """
    return E + term(A, N, alpha) + term(B, D, beta)


@law(
    formula="(L_i + L_j) / 2 - C + A * N**-alpha + B * (D_i + D_j)**-beta",
    where={
        "L_i": "E_i + A_i * N**-alpha_i + B_i * D_i**-beta_i",
        "L_j": "E_j + A_j * N**-alpha_j + B_j * D_j**-beta_j",
    },
    source=_AGHAJANYAN,
    decreasing=("N", "D_i", "D_j"),
    limits={"N = inf, D_i = inf, D_j = inf": "(E_i + E_j) / 2 - C"},
    ridges=(
        "Runs on both modalities do not identify the interaction apart from the two laws: fix "
        "those first.",
        "Even then A with A_i and A_j, and C with the floors, trade off over a short range of N.",
    ),
    traps=(
        "No constants of the interaction are available; those of single modalities are in "
        "unimodal.",
        "The mean is the plain mean of the losses, whatever the shares of the two modalities.",
    ),
)
def mixed_modal(
    N: Count,
    D_i: Tokens,
    D_j: Tokens,
    *,
    E_i: Floor,
    A_i: SizeOfFirst,
    B_i: DataOfFirst,
    alpha_i: Exponent,
    beta_i: Exponent,
    E_j: Floor,
    A_j: SizeOfSecond,
    B_j: DataOfSecond,
    alpha_j: Exponent,
    beta_j: Exponent,
    C: Synergy,
    A: SizeCoefficient,
    B: DataOfBoth,
    alpha: Exponent,
    beta: Exponent,
) -> Loss:
    """Mean loss of an N-parameter model on two modalities with D_i and D_j tokens, nats per token.

    ``L = (L_i(N, D_i) + L_j(N, D_j)) / 2 - C + A * N**-alpha + B * (D_i + D_j)**-beta`` with
    Chinchilla's law of each modality (Aghajanyan et al. 2023).

    Example:
        >>> from jscale import laws
        >>> theta = {}
        >>> for suffix, modality in (("i", "code"), ("j", "speech")):
        ...     published = laws.params(laws.unimodal, f"aghajanyan2023_{modality}")
        ...     theta |= {f"{name}_{suffix}": value for name, value in published.items()}
        >>> theta |= {"C": 0.1, "A": 100.0, "B": 100.0, "alpha": 0.3, "beta": 0.3}
        >>> print(f"{laws.mixed_modal(N=1e9, D_i=5e10, D_j=5e10, **theta):.3f} nats per token")
        3.131 nats per token
    """
    first = E_i + term(A_i, N, alpha_i) + term(B_i, D_i, beta_i)
    second = E_j + term(A_j, N, alpha_j) + term(B_j, D_j, beta_j)
    return (first + second) / 2 + interaction(N, D_i, D_j, C=C, A=A, B=B, alpha=alpha, beta=beta)


def interaction(
    N: ArrayLike,
    D_i: ArrayLike,
    D_j: ArrayLike,
    *,
    C: ArrayLike,
    A: ArrayLike,
    B: ArrayLike,
    alpha: ArrayLike,
    beta: ArrayLike,
) -> Any:
    """Loss that training on two modalities at once adds to their mean loss, nats per token.

    ``A * N**-alpha + B * (D_i + D_j)**-beta - C`` (Aghajanyan et al. 2023). Above 0 the modalities
    compete, below 0 they help each other; 0 is the competition barrier.

    Args:
        N: parameters, any shape; everything else broadcasts against it.
        D_i: tokens of the first modality.
        D_j: tokens of the second.
        C: synergy, nats per token.
        A: coefficient of the competition for parameters.
        B: coefficient of the competition during optimisation.
        alpha: exponent of size.
        beta: exponent of data.

    Example:
        >>> from jscale import laws
        >>> theta = {"C": 0.2, "A": 100.0, "B": 100.0, "alpha": 0.3, "beta": 0.3}
        >>> for N in (1e8, 1e10):
        ...     print(f"{laws.interaction(N, D_i=5e10, D_j=5e10, **theta):+.3f} nats per token")
        +0.248 nats per token
        -0.050 nats per token
    """
    return term(A, N, alpha) + term(B, as_float(D_i) + as_float(D_j), beta) - C
