"""What a role consists of."""

import math
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from jscale._core import expressions
from jscale._core.errors import JscaleError
from jscale._core.supports import Support, positive
from jscale._core.text import enumerated


@dataclass(frozen=True)
class Prior:
    """A probability distribution, as data: NumPyro class name in lower case and its arguments.

    Its text is the form that ``priors=`` and ``--prior`` take: a lognormal has its median in place
    of the mean of its logarithm.
    """

    family: Literal["normal", "lognormal", "uniform", "beta", "halfnormal", "gamma"]
    args: tuple[float, ...]

    def __str__(self) -> str:
        args = self.args
        if self.family == "lognormal":
            args = (math.exp(args[0]), *args[1:])
        return f"{self.family}({', '.join(f'{a:.4g}' for a in args)})"


@dataclass(frozen=True)
class Anchor:
    """The map from a parameter to a coordinate of known size, nearly uncorrelated with the others.

    ``coordinate = (value * multiplies + plus) ** power``, each a formula in the law's other
    parameters and in the centre of the runs: an input's name is its geometric mean, ``<input>_low``
    its smallest value, ``loss_min`` the smallest loss and ``floor_max`` the highest floor that the
    scatter of the losses leaves possible (the smallest loss and four standard deviations). ``A``
    with ``multiplies="N**-alpha"`` becomes the size term in nats at the typical model, which is a
    few tenths of a nat in any table of runs; ``A`` itself spans decades. The prior is one of the
    coordinate; where there is only a ``plus``, it is one of the parameter itself.
    """

    multiplies: str = "1"
    plus: str = "0"
    power: str = "1"

    @property
    def names(self) -> frozenset[str]:
        """The names in the three formulas."""
        return frozenset().union(
            *(expressions.names(text) for text in (self.multiplies, self.plus, self.power))
        )


@dataclass(frozen=True)
class Role:
    """The meaning of an argument.

    Attributes:
        name: of the role.
        unit: of the argument.
        meaning: a few words for the law's card.
        support: of the argument's coordinate (of the argument itself when there is no anchor).
        prior: of the coordinate (parameters only).
        start: range of the coordinate from which a fit starts (parameters only).
        anchor: coordinate of the argument, if other than itself.
        ends: the ends of the range in practice, and special values (quantities only): a law is
            valid at all of them.
        typical: a value in the middle (quantities only).
        column: of a table of runs with the observed values of a law that returns the quantity; a
            law that takes the quantity reads it as well, unless it is one that every table has.
        limits: smallest and largest possible value, where the support is wider (quantities only).
        parts: "all" where the inputs of this role in a law are all parts of one whole and sum to 1,
            "some" where they are some of its parts.
    """

    name: str
    unit: str
    meaning: str
    support: Support = positive
    prior: Prior | None = None
    start: tuple[float, float] | None = None
    anchor: Anchor | None = None
    ends: tuple[float, ...] = ()
    typical: float | None = None
    column: str = ""
    limits: tuple[float, float] | None = None
    parts: Literal["", "some", "all"] = ""

    def allows(self, value: Any) -> Any:
        """Whether a number, or each of an array, is a possible value of the quantity."""
        infinite = (value == math.inf) & (math.inf in self.ends)
        if self.limits is None:
            return (value > self.support.lower) & (value < self.support.upper) | infinite
        low, high = self.limits
        return (value >= low) & (value <= high) & (value < math.inf) | infinite

    @property
    def expected(self) -> str:
        """The possible values, for messages: ``a finite number of tokens, above 0``."""
        low, high = self.limits or (self.support.lower, self.support.upper)
        noun = self._noun(bounded=high < math.inf)
        if self.limits is not None and high == math.inf:
            return f"{noun}{low:g} or more"
        if self.limits is not None:
            return f"{noun}from {low:g} to {high:g}"

        ends = [f"above {low:g}"] * (low > -math.inf) + [f"below {high:g}"] * (high < math.inf)
        return (noun + " and ".join(ends)).rstrip(", ")

    def _noun(self, *, bounded: bool) -> str:
        """``a finite number of tokens, `` or ``a number ``: the start of a message."""
        may_be_infinite = math.inf in self.ends
        number = "a number" if may_be_infinite or bounded else "a finite number"
        counted = self.unit.endswith("s")  # parameters, tokens, bits; not FLOP, not a learning rate
        if counted:
            return f"{self.unit}, " if may_be_infinite else f"{number} of {self.unit}, "
        return f"{number} " if self.unit == "1" else f"{number}, "


@dataclass(frozen=True)
class adjust:
    """Changes to a role for one argument of one law; the fields are those of :class:`Role`.

    Example:
        >>> from typing import Annotated
        >>> from jscale.laws.roles import Exponent, adjust
        >>> SmallExponent = Annotated[Exponent, adjust(start=(0.01, 0.3))]
        >>> SmallExponent.__metadata__[-1].changes
        (('start', (0.01, 0.3)),)
    """

    changes: tuple[tuple[str, Any], ...]

    def __init__(self, **changes: Any) -> None:
        if unknown := set(changes) - {f.name for f in fields(Role)}:
            known = enumerated(f.name for f in fields(Role))
            raise JscaleError(
                f"adjust: a role has no {enumerated(sorted(unknown))} (it has: {known})"
            )
        object.__setattr__(self, "changes", tuple(changes.items()))

    def apply(self, role: Role) -> Role:
        """``role`` with the changes made."""
        return replace(role, **dict(self.changes))


def lognormal(median: float, sd: float) -> Prior:
    """A log-normal prior by its median and the standard deviation of its logarithm.

    Example:
        >>> from jscale.laws.roles import lognormal
        >>> str(lognormal(0.35, 0.35))
        'lognormal(0.35, 0.35)'
    """
    return Prior("lognormal", (math.log(median), sd))
