"""What an argument of a law is: its unit, its support, a prior and a range for starting points.

Every role is an ``Annotated`` type, written once here. A law names it in its signature; priors, start grids,
transforms, checks of columns and the law's card all come from it. A single parameter changes its role in place:

    alpha: Annotated[Exponent, adjust(start=(0.01, 0.3))]
"""

import math
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any, Literal

from jax.typing import ArrayLike

from jscale._core.errors import JscaleError
from jscale._core.supports import Support, negative, positive, real, unit


@dataclass(frozen=True)
class Prior:
    """A probability distribution, as data: the NumPyro class name in lower case and its arguments."""

    family: Literal["normal", "lognormal", "uniform", "beta", "halfnormal"]
    args: tuple[float, ...]

    def __str__(self) -> str:
        return f"{self.family}({', '.join(f'{a:.4g}' for a in self.args)})"


@dataclass(frozen=True)
class Anchor:
    """How a parameter turns into a coordinate of known size and little correlation with its neighbours.

    ``coordinate = (value * multiplies + plus) ** power``, each a formula in the law's other parameters and in the
    centre of the runs: an input's name stands for its geometric mean, ``<input>_low`` for its smallest value and
    ``loss_min`` for the smallest loss. ``A`` with ``multiplies="N**-alpha"`` becomes the size term in nats at the
    typical model, of which one can say beforehand that it is a few tenths of a nat; ``A`` itself spans decades.
    The prior is one of the coordinate; where there is only a ``plus``, it is one of the parameter itself.
    """

    multiplies: str = "1"
    plus: str = "0"
    power: str = "1"


@dataclass(frozen=True)
class Role:
    """The meaning of an argument.

    Attributes:
        name: of the role.
        unit: of the argument.
        meaning: a few words for the law's card.
        support: where the argument's coordinate lives (the argument itself when there is no anchor).
        prior: of the coordinate (parameters only).
        start: range of the coordinate from which a fit starts (parameters only).
        anchor: coordinate of the argument, if other than itself.
    """

    name: str
    unit: str
    meaning: str
    support: Support = positive
    prior: Prior | None = None
    start: tuple[float, float] | None = None
    anchor: Anchor | None = None


@dataclass(frozen=True)
class adjust:
    """Changes to a role for one argument of one law; the fields are those of :class:`Role`."""

    changes: tuple[tuple[str, Any], ...]

    def __init__(self, **changes: Any) -> None:
        if unknown := set(changes) - {f.name for f in fields(Role)}:
            known = ", ".join(f.name for f in fields(Role))
            raise JscaleError(f"adjust: a role has no {', '.join(sorted(unknown))} (it has: {known})")
        object.__setattr__(self, "changes", tuple(changes.items()))

    def apply(self, role: Role) -> Role:
        """``role`` with the changes made."""
        return replace(role, **dict(self.changes))


def lognormal(median: float, sd: float) -> Prior:
    """A log-normal prior by its median and the standard deviation of its logarithm."""
    return Prior("lognormal", (math.log(median), sd))


# --- inputs ---------------------------------------------------------------------------------------------------------
Count = Annotated[ArrayLike, Role("count", "parameters", "model size")]
Tokens = Annotated[ArrayLike, Role("tokens", "tokens", "training tokens")]
Flops = Annotated[ArrayLike, Role("flops", "FLOP", "training compute")]
Steps = Annotated[ArrayLike, Role("steps", "steps", "optimiser steps")]
Bits = Annotated[ArrayLike, Role("bits", "bits", "bits per number")]
LossChange = Annotated[ArrayLike, Role("loss change", "nats/token", "loss above a reference", real)]

# --- what a law returns ---------------------------------------------------------------------------------------------
Loss = Annotated[Any, Role("loss", "nats/token", "cross-entropy")]
Fraction = Annotated[Any, Role("fraction", "1", "share of a whole")]
EffectiveCount = Annotated[Any, Role("effective count", "parameters", "effective model size")]

# --- parameters -----------------------------------------------------------------------------------------------------
Irreducible = Annotated[
    ArrayLike,
    Role(
        "irreducible loss",
        "nats/token",
        "loss that no size and no data remove",
        unit,
        Prior("uniform", (0.0, 1.0)),
        (0.1, 0.95),
        Anchor(multiplies="1 / loss_min"),
    ),
]
Exponent = Annotated[
    ArrayLike, Role("exponent", "1", "power of a resource", positive, lognormal(0.35, 0.35), (0.05, 1.0))
]
SlowExponent = Annotated[
    ArrayLike, Role("exponent", "1", "power of a resource, no floor", positive, lognormal(0.08, 0.5), (0.01, 0.3))
]


def _coefficient(name: str, meaning: str, multiplies: str) -> Role:
    return Role(
        name, "nats/token at resource 1", meaning, positive, lognormal(0.3, 0.8), (0.03, 1.5), Anchor(multiplies)
    )


SizeCoefficient = Annotated[ArrayLike, _coefficient("size coefficient", "scale of the size term", "N**-alpha")]
DataCoefficient = Annotated[ArrayLike, _coefficient("data coefficient", "scale of the data term", "D**-beta")]
ComputeCoefficient = Annotated[ArrayLike, _coefficient("compute coefficient", "scale of the compute term", "C**-alpha")]


def _scale(name: str, unit_: str, meaning: str) -> Role:
    return Role(name, unit_, meaning, positive, lognormal(3.0, 0.5), (1.0, 6.0))


SizeScale = Annotated[ArrayLike, _scale("size scale", "parameters", "size at which the size term is 1 nat")]
DataScale = Annotated[ArrayLike, _scale("data scale", "tokens", "data at which the data term is 1 nat")]
ComputeScale = Annotated[ArrayLike, _scale("compute scale", "FLOP", "compute at which the loss is 1 nat")]
StepScale = Annotated[ArrayLike, _scale("step scale", "steps", "steps at which the step term is 1 nat")]

BitScale = Annotated[
    ArrayLike,
    Role(
        "bit scale", "bits", "bits over which lost capacity shrinks e-fold", positive, lognormal(2.0, 0.5), (0.4, 6.0)
    ),
]


def _bit_bias(part: str) -> Role:
    # The coordinate is the logarithm of the share of parameters lost at the fewest bits in the runs. It is negative
    # wherever every run has some effective parameters left, so no fit can walk out of the law's domain.
    return Role(
        "bit bias", "1", "shift of the bit exponent", negative, Prior("normal", (0.5, 1.0)), (-4.0, -0.05),
        Anchor(plus=f"-P_{part}_low / gamma_{part}"),
    )  # fmt: skip


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
        # The degradation of the typical model at the fewest bits in the runs, where there is most of it to see.
        lognormal(0.1, 1.5),
        (0.005, 2.0),
        Anchor("D**gamma_D * N**-gamma_N * exp(-P_post_low / gamma_post)"),
    ),
]
PostExponent = Annotated[
    ArrayLike,
    Role(
        "degradation exponent", "1", "power of data or size in degradation", positive, lognormal(0.45, 0.4), (0.1, 1.0)
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
        (0.1, 5.0),
    ),
]

__all__ = [
    "ActivationBias", "Anchor", "BitScale", "Bits", "CacheBias", "ComputeCoefficient", "ComputeScale", "Count",
    "DataCoefficient", "DataScale", "EffectiveCount", "Exponent", "Flops", "Fraction", "Irreducible", "Loss",
    "LossChange", "PostBitScale", "PostCoefficient", "PostExponent", "Prior", "Robustness", "Role",
    "SizeCoefficient", "SizeScale", "SlowExponent", "StepScale", "Steps", "Tokens", "WeightBias", "adjust",
    "lognormal",
]  # fmt: skip
