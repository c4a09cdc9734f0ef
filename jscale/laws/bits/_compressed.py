"""Compressed models as smaller dense ones, with a measured multiplier for every format or method.

``L = E + A * (N * eff)**-alpha + B * D**-beta``. In ``_precision`` the multiplier follows from a
formula in the bits; here it is one number for each format (QuEST) or compression method (unified
scaling laws for compressed representations). Such numbers belong to the training recipe that they
were measured with: across QuEST's recipes the multiplier of 4-bit models runs from 0.60 to 0.84.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, NamedTuple

from jax.typing import ArrayLike

from jscale._core.arrays import as_float, term
from jscale._core.errors import JscaleError
from jscale._core.supports import real
from jscale._core.text import enumerated, shown
from jscale.laws.bits._shared import DENSE_RIDGE
from jscale.laws.declaration import constants, law
from jscale.laws.roles import (
    Count,
    DataCoefficient,
    Exponent,
    Irreducible,
    Loss,
    Role,
    SizeCoefficient,
    Tokens,
    lognormal,
)

_QUEST = "Panferov et al. 2025 (arXiv 2502.05003)"
_EPM = "Frantar et al. 2025 (arXiv 2502.16440)"

FormatMultiplier = Annotated[
    ArrayLike,
    Role(
        "effective-parameter multiplier",
        "1",
        "effective parameters per parameter",
        ends=(0.01, 1.1),
        typical=0.7,
        column="eff",
    ),
]
Indicator = Annotated[
    ArrayLike,
    Role(
        "indicator",
        "1",
        "1 for compressed models, 0 for dense ones",
        real,
        ends=(0.0, 1.0),
        typical=1.0,
        limits=(0.0, 1.0),
    ),
]
MethodMultiplier = Annotated[
    ArrayLike,
    # No upper bound of 1: the multiplier of QuEST's 8-bit models is 1.016.
    Role(
        "effective-parameter multiplier",
        "1",
        "effective parameters per parameter",
        prior=lognormal(0.6, 0.5),
        start=(0.1, 2.0),
    ),
]


class Format(NamedTuple):
    """A number format of QuEST: bits per weight, effective-parameter multiplier, description."""

    bits: float
    share: float
    meaning: str


QUEST_FORMATS: Mapping[str, Format] = {
    "16": Format(16.0, 1.0, "BF16"),
    "8": Format(8.0, 1.016193, "weights and activations in INT8"),
    "4": Format(4.0, 0.691831718, "weights and activations in INT4"),
    "3": Format(3.0, 0.433126, "weights and activations in INT3"),
    "2": Format(2.0, 0.151871, "weights and activations in INT2"),
    "1": Format(1.0, 0.0205047, "weights and activations in 1 bit"),
    "fp4": Format(4.0, 0.629639, "weights and activations in FP4, E2M1"),
    "2.5": Format(2.5, 0.381222, "weights 2:4 sparse in INT4, activations in INT4"),
    "4WO": Format(4.0, 0.840434, "weights alone in INT4"),
    "3WO": Format(3.0, 0.653059, "weights alone in INT3"),
    "2WO": Format(2.0, 0.413717, "weights alone in INT2"),
    "1WO": Format(1.0, 0.138420, "weights alone in 1 bit"),
    "8NOH": Format(8.0, 0.937629, "weights and activations in INT8, no Hadamard transform"),
    "4NOH": Format(4.0, 0.603271, "weights and activations in INT4, no Hadamard transform"),
    "3NOH": Format(3.0, 0.322108, "weights and activations in INT3, no Hadamard transform"),
    "2NOH": Format(2.0, 0.078412, "weights and activations in INT2, no Hadamard transform"),
    "1NOH": Format(1.0, 0.015577, "weights and activations in 1 bit, no Hadamard transform"),
}
"""Multipliers fitted by the authors with the constants ``quest2025`` (notebook of the paper).

The keys are the values of the column ``P_key`` of the runs ``quest``. BF16 is 1 by definition.
"""
TRAINED_FORMATS = ("16", "8", "4", "3", "2", "1", "fp4", "2.5")
"""Formats with both weights and activations quantised by the full recipe."""


def quest_format(name: str) -> Format:
    """Look up a format of :data:`QUEST_FORMATS` by its key.

    Args:
        name: key, for example ``"4"`` or ``"fp4"``.

    Returns:
        Bits per weight, effective-parameter multiplier and description.

    Raises:
        JscaleError: no format has this name; the message lists the known ones.

    Example:
        >>> from jscale import laws
        >>> laws.quest_format("4").share
        0.691831718
        >>> laws.quest_format("fp4").meaning
        'weights and activations in FP4, E2M1'
    """
    if name not in QUEST_FORMATS:
        raise JscaleError(
            f"no QuEST format named {shown(name)} (known: {enumerated(QUEST_FORMATS)})"
        )
    return QUEST_FORMATS[name]


def best_format(names: Iterable[str] = TRAINED_FORMATS) -> str:
    """Format with the lowest loss at a given memory ``N * bits`` and given data.

    A model of N parameters in P bits has ``N * share = (N P) * share / P`` effective parameters, so
    the format with the largest ``share / P`` is best, whatever the other constants are (Panferov et
    al. 2025). With weights and activations quantised that is INT4.

    Args:
        names: keys of :data:`QUEST_FORMATS`, at least one.

    Returns:
        The key of the best format.

    Raises:
        JscaleError: an unknown format, or no format at all.

    Example:
        >>> from jscale import laws
        >>> laws.best_format()
        '4'
        >>> laws.best_format(["8", "4WO", "2WO"])
        '4WO'
    """
    formats = {name: quest_format(name) for name in names}
    if not formats:
        raise JscaleError("best_format needs at least one format")
    return max(formats, key=lambda name: formats[name].share / formats[name].bits)


@law(
    formula="E + A * (N * eff)**-alpha + B * D**-beta",
    source=f"{_QUEST}, authors' notebook",
    published={
        "quest2025": constants(
            f"{_QUEST}, authors' notebook",
            "P",
            E=0.0014232897805828435,
            A=8.134031011055859,
            B=86.41190623830154,
            alpha=0.062726522,
            beta=0.241288351,
        )
    },
    decreasing=("N", "D", "eff"),
    limits={"N = inf, D = inf": "E", "eff = 1, D = inf": "E + A * N**-alpha"},
    ridges=(
        DENSE_RIDGE,
        "The multipliers of all formats scale with A: BF16 is 1 by definition.",
    ),
    traps=(
        "E = 0.0014 with alpha = 0.063 lies on the ridge of E and alpha: on losses that span a "
        "nat, E goes to 0.",
        "The residuals were multiplied by 1e-3 before the Huber loss, which reduces it to least "
        "squares.",
        "A multiplier belongs to its training recipe: see QUEST_FORMATS.",
    ),
)
def quest(
    N: Count,
    D: Tokens,
    eff: FormatMultiplier,
    *,
    E: Irreducible,
    A: SizeCoefficient,
    B: DataCoefficient,
    alpha: Exponent,
    beta: Exponent,
) -> Loss:
    """Loss of a model in a format with effective-parameter multiplier ``eff``, nats per token.

    ``L = E + A * (N * eff)**-alpha + B * D**-beta`` with the multiplier of ``quest_format``
    (Panferov et al. 2025).

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.quest)
        >>> for name in ("16", "4", "2"):
        ...     loss = laws.quest(N=1e9, D=1e11, eff=laws.quest_format(name).share, **theta)
        ...     print(f"{name} bits: {loss:.3f} nats per token")
        16 bits: 2.410 nats per token
        4 bits: 2.462 nats per token
        2 bits: 2.688 nats per token
    """
    return E + term(A, as_float(N) * as_float(eff), alpha) + term(B, D, beta)


@law(
    formula="E + A * (N * eff**compressed)**-alpha + B * D**-beta",
    source=_EPM,
    decreasing=("N", "D"),
    limits={"N = inf, D = inf": "E", "compressed = 0": "E + A * N**-alpha + B * D**-beta"},
    ridges=(DENSE_RIDGE, "eff with A unless the runs include dense models."),
    traps=("No published constants: fit the multiplier of every method and bit width.",),
)
def compressed(
    N: Count,
    D: Tokens,
    compressed: Indicator,
    *,
    E: Irreducible,
    A: SizeCoefficient,
    B: DataCoefficient,
    alpha: Exponent,
    beta: Exponent,
    eff: MethodMultiplier,
) -> Loss:
    """Loss of dense models and of models compressed by one method, nats per token.

    ``L = E + A * (N * eff)**-alpha + B * D**-beta``: compression multiplies the parameter count by
    a constant of the method, whether it quantises, prunes or both (Frantar et al. 2025). The column
    ``compressed`` is 0 for dense runs, whose multiplier is 1.

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.chinchilla)
        >>> dense = laws.compressed(N=1e9, D=1e11, compressed=0, eff=0.7, **theta)
        >>> small = laws.compressed(N=1e9, D=1e11, compressed=1, eff=0.7, **theta)
        >>> print(f"{dense:.3f} dense, {small:.3f} compressed")
        2.355 dense, 2.401 compressed
    """
    size = as_float(N) * as_float(eff) ** as_float(compressed)
    return E + term(A, size, alpha) + term(B, D, beta)
