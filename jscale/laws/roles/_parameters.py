"""Parameters: what a fit determines."""

from typing import Annotated

from jax.typing import ArrayLike

from jscale._core.supports import negative, positive, real, unit
from jscale.laws.roles._role import Anchor, Prior, Role, lognormal

Irreducible = Annotated[
    ArrayLike,
    Role(
        "irreducible loss",
        "nats/token",
        "irreducible loss",
        unit,
        Prior("uniform", (0.0, 1.0)),
        (0.1, 0.95),
        Anchor(multiplies="1 / floor_max"),
    ),
]
# Ladders of 6 to 8 sizes do not identify small exponents. With exponents of 0.06 to 0.18 and floors
# of 0.5 and 1 nat, 90% intervals covered both in 85 to 90% of simulated ladders; with
# lognormal(0.35, 0.35), and coefficients lognormal(0.3, 0.8), in 2 to 40% where the exponent is 0.1
# or less. Where it is 0.35, both covered in 82 to 92%.
Exponent = Annotated[
    ArrayLike,
    Role("exponent", "1", "power of a resource", positive, lognormal(0.25, 1.0), (0.05, 1.0)),
]
# From starts of 0.01 on, 1 in 8 starts of ``transfer_loss`` converged to an optimum in which size
# does not matter.
SlowExponent = Annotated[
    ArrayLike,
    Role(
        "exponent",
        "1",
        "power of a resource, no floor",
        positive,
        lognormal(0.08, 1.0),
        (0.03, 0.25),
    ),
]


def _coefficient(name: str, meaning: str, multiplies: str) -> Role:
    return Role(
        name,
        "nats/token at resource 1",
        meaning,
        positive,
        lognormal(0.5, 1.5),  # two nats where the exponent is small, hundredths of a nat at its end
        (0.03, 1.5),
        Anchor(multiplies),
    )


SizeCoefficient = Annotated[
    ArrayLike, _coefficient("size coefficient", "scale of the size term", "N**-alpha")
]
DataCoefficient = Annotated[
    ArrayLike, _coefficient("data coefficient", "scale of the data term", "D**-beta")
]
ComputeCoefficient = Annotated[
    ArrayLike, _coefficient("compute coefficient", "scale of the compute term", "C**-alpha")
]


def _scale(name: str, unit_: str, meaning: str) -> Role:
    return Role(name, unit_, meaning, positive, lognormal(3.0, 0.5), (1.0, 6.0))


SizeScale = Annotated[
    ArrayLike, _scale("size scale", "parameters", "size at which the size term is 1 nat")
]
DataScale = Annotated[
    ArrayLike, _scale("data scale", "tokens", "data at which the data term is 1 nat")
]
ComputeScale = Annotated[
    ArrayLike, _scale("compute scale", "FLOP", "compute at which the loss is 1 nat")
]
StepScale = Annotated[
    ArrayLike, _scale("step scale", "steps", "steps at which the step term is 1 nat")
]

BitScale = Annotated[
    ArrayLike,
    Role(
        "bit scale",
        "bits",
        "bits over which lost capacity shrinks e-fold",
        positive,
        lognormal(2.0, 0.5),
        (0.4, 6.0),
    ),
]


def _bit_bias(part: str) -> Role:
    # The coordinate is the logarithm of the share of parameters lost at the lowest precision in the
    # runs. It is negative wherever every run has some effective parameters, so a fit stays inside
    # the law's domain.
    return Role(
        "bit bias",
        "1",
        "shift of the bit exponent",
        negative,
        Prior("normal", (0.5, 1.0)),
        (-3.0, -0.05),
        Anchor(plus=f"-P_{part}_low / gamma_{part}"),
    )


WeightBias = Annotated[ArrayLike, _bit_bias("w")]
ActivationBias = Annotated[ArrayLike, _bit_bias("a")]
CacheBias = Annotated[ArrayLike, _bit_bias("kv")]
PostBitScale = Annotated[
    ArrayLike,
    Role(
        "post-training bit scale",
        "bits",
        "bits over which degradation shrinks e-fold",
        positive,
        lognormal(0.6, 0.3),
        (0.2, 3.0),
    ),
]
PostCoefficient = Annotated[
    ArrayLike,
    Role(
        "degradation coefficient",
        "nats/token at 1 token, 1 parameter, 0 bits",
        "scale of the post-training degradation",
        positive,
        # The degradation of the typical model at the fewest bits in the runs, where there is most
        # of it to see.
        lognormal(0.1, 1.5),
        (0.005, 2.0),
        Anchor("D**gamma_D * N**-gamma_N * exp(-P_post_low / gamma_post)"),
    ),
]
PostExponent = Annotated[
    ArrayLike,
    Role(
        "degradation exponent",
        "1",
        "power of data or size in degradation",
        positive,
        lognormal(0.45, 0.4),
        (0.1, 1.0),
    ),
]
Robustness = Annotated[
    ArrayLike,
    Role(
        "robustness",
        "1/bits",
        "how fast training in few bits buys robustness to fewer",
        positive,
        lognormal(1.0, 1.0),
        (0.5, 2.0),
    ),
]

Coefficient = Annotated[
    ArrayLike,
    Role("coefficient", "1", "scale of a term", positive, lognormal(1.0, 1.5), (0.05, 20.0)),
]
"""A positive factor of no fixed size; a law gives it an anchor, or a prior and a start range of its
own."""
Slope = Annotated[
    ArrayLike, Role("slope", "1", "change per unit", real, Prior("normal", (0.0, 1.0)), (-1.0, 1.0))
]
SignedExponent = Annotated[
    ArrayLike,
    Role(
        "signed exponent",
        "1",
        "power, with its sign",
        real,
        Prior("normal", (0.0, 0.5)),
        (-0.6, 0.6),
    ),
]
"""For laws whose own convention writes exponents with their sign."""
ShareParameter = Annotated[
    ArrayLike,
    Role("share parameter", "1", "share of a whole", unit, Prior("beta", (1.0, 1.0)), (0.05, 0.95)),
]
