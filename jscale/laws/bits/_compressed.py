"""Compressed models as smaller ones: a share of effective parameters for every format, measured and
    not derived.

``L = E + A * (N * share)**-alpha + B * D**-beta``. The chapter on precision has a formula for the
share; here it is a number for each format (QuEST) or method (unified scaling laws for compressed
representations). Such numbers belong to
the recipe that they were measured with: across QuEST's recipes the share in 4 bits runs from 0.60
to 0.84.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, NamedTuple

from jax.typing import ArrayLike

from jscale._core.arrays import as_float, term
from jscale._core.errors import JscaleError
from jscale._core.supports import real
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

Share = Annotated[
    ArrayLike,
    Role(
        "effective share",
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
ShareOfMethod = Annotated[
    ArrayLike,
    # Above 1 as well: QuEST's 8-bit models come out at 1.016.
    Role(
        "effective share",
        "1",
        "effective parameters per parameter",
        prior=lognormal(0.6, 0.5),
        start=(0.1, 2.0),
    ),
]


class Format(NamedTuple):
    """A number format of QuEST: bits per weight, the share of its parameters that a model is worth,
    and what it is.
    """

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
"""Shares fitted by the authors with the constants ``quest2025`` (notebook of the paper), under the
keys of the column ``P_key`` of the runs ``quest``. BF16 is 1 by definition."""
TRAINED_FORMATS = ("16", "8", "4", "3", "2", "1", "fp4", "2.5")
"""Of these, the ones with weights and activations in the format and the full recipe."""


def quest_format(name: str) -> Format:
    """A format of :data:`QUEST_FORMATS` by its key.

    Raises:
        JscaleError: there is none with this name; the message lists those that there are.
    """
    if name not in QUEST_FORMATS:
        raise JscaleError(f"no QuEST format named {name!r} (known: {', '.join(QUEST_FORMATS)})")
    return QUEST_FORMATS[name]


def best_format(names: Iterable[str] = TRAINED_FORMATS) -> str:
    """The format with the least loss at given ``N * bits`` and given data: the largest share per
    bit.

    A model of N parameters in P bits has ``N * share = (N P) * share / P`` effective parameters, so
    ``share / P`` decides, whatever the other constants are (Panferov et al. 2025). With weights and
    activations that is INT4.

    Args:
        names: keys of :data:`QUEST_FORMATS`, at least one.

    Raises:
        JscaleError: an unknown format, or none.
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
    ridges=(DENSE_RIDGE, "The shares of all formats scale with A: BF16 is 1 by definition."),
    traps=(
        "E = 0.0014 with alpha = 0.063 lies on the ridge of E and alpha: on losses that span a nat E runs to 0.",
        "The residuals were multiplied by 1e-3 before the Huber loss, which made it least squares.",
        "A share belongs to its recipe: see QUEST_FORMATS.",
    ),
)
def quest(
    N: Count,
    D: Tokens,
    eff: Share,
    *,
    E: Irreducible,
    A: SizeCoefficient,
    B: DataCoefficient,
    alpha: Exponent,
    beta: Exponent,
) -> Loss:
    """Loss of a model in a format that is worth a given share of its parameters, nats per token.

    ``L = E + A * (N * eff)**-alpha + B * D**-beta`` with the share of ``quest_format`` (Panferov et
    al. 2025).
    """
    return E + term(A, as_float(N) * as_float(eff), alpha) + term(B, D, beta)


@law(
    formula="E + A * (N * eff**compressed)**-alpha + B * D**-beta",
    source=_EPM,
    decreasing=("N", "D"),
    limits={"N = inf, D = inf": "E", "compressed = 0": "E + A * N**-alpha + B * D**-beta"},
    ridges=(DENSE_RIDGE, "eff with A unless the runs have dense models too."),
    traps=("No constants: the share of every method and bit width is left to a fit.",),
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
    eff: ShareOfMethod,
) -> Loss:
    """Loss of dense models and of those that one method compressed, nats per token.

    ``L = E + A * (N * eff)**-alpha + B * D**-beta``: compression multiplies the parameters by a
    constant of the method, whether it quantises, prunes or both (Frantar et al. 2025). The column
    ``compressed`` is 0 for the dense runs, in which the share is 1.
    """
    return (
        E + term(A, as_float(N) * as_float(eff) ** as_float(compressed), alpha) + term(B, D, beta)
    )
