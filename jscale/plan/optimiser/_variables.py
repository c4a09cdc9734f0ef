"""The variables of a plan: free in a range, fixed, one of a list, or shares of a whole."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jax.typing import ArrayLike

from jscale._core.checks import check_number, is_traced
from jscale._core.errors import JscaleError
from jscale._core.text import enumerated, shown

MAX_COMBINATIONS = 4096
"""Combinations of listed values, each of which is a solve of its own."""
_SHARE_RANGE = 12.0
"""Half the range of the logarithm of a ratio of shares: a share of 6e-6 counts as its bound, 0."""
_BITS = ("P", "P_w", "P_a", "P_kv", "P_post")
_BIT_RANGE = (1e-12, 256.0)
"""The search of bits where no bound was declared."""
_DEFAULT_RANGE = (1e-6, 1e30)


@dataclass(frozen=True)
class Free:
    """A positive number to choose, between two bounds.

    Attributes:
        lower: the least allowed value, a number above 0 or an array broadcast against the draws;
            None for no bound: the search then begins at 1e-6, or 1e-12 bits.
        upper: the largest allowed value; None for none (1e30, or 256 bits).

    Example:
        >>> from jscale import plan
        >>> plan.Free(1.0, 16.0)
        Free(lower=1.0, upper=16.0)
    """

    lower: ArrayLike | None = None
    upper: ArrayLike | None = None


@dataclass(frozen=True)
class Choice:
    """One of a list of numbers: the formats of a device, the sizes of a family of models.

    Attributes:
        values: the numbers.

    Example:
        >>> from jscale import plan
        >>> plan.Choice([4, 8, 16]).values
        (4.0, 8.0, 16.0)
    """

    values: Sequence[float]

    def __post_init__(self) -> None:
        values = np.atleast_1d(np.asarray(check_number("values of a choice", self.values), float))
        if not values.size:
            raise JscaleError("the list of a choice is empty; expected at least one number")
        object.__setattr__(self, "values", tuple(map(float, values.ravel())))


@dataclass(frozen=True)
class Simplex:
    """Shares of a whole to choose: ``size`` numbers above 0 whose sum is 1.

    A law with inputs ``mix_1 … mix_k`` takes a variable ``mix``.

    Attributes:
        size: number of shares, 2 or more.

    Example:
        >>> from jscale import plan
        >>> plan.Simplex(3)
        Simplex(size=3)
    """

    size: int

    def __post_init__(self) -> None:
        if not isinstance(self.size, int) or self.size < 2:
            raise JscaleError(
                f"the size of a simplex is {shown(self.size)}; expected a whole number, 2 or more"
            )


@dataclass(frozen=True)
class Layout:
    """The variables of a plan, apart from their numbers; hashable.

    Attributes:
        free: names of the free numbers.
        simplexes: name and size of the shares.
        choices: names of the listed variables.
    """

    free: tuple[str, ...]
    simplexes: tuple[tuple[str, int], ...]
    choices: tuple[str, ...]

    @property
    def size(self) -> int:
        """Number of coordinates."""
        return len(self.free) + sum(size - 1 for _, size in self.simplexes)

    @property
    def coordinate_names(self) -> tuple[str, ...]:
        """The variable that each coordinate belongs to."""
        shares = [name for name, size in self.simplexes for _ in range(size - 1)]
        return (*self.free, *shares)

    @property
    def share_range(self) -> float:
        """Half the range of the coordinates of shares."""
        return _SHARE_RANGE


@dataclass(frozen=True)
class Numbers:
    """The numbers of the variables, which may be traced.

    Attributes:
        lower: free variable → its least value.
        upper: free variable → its largest value.
        declared: free variable → whether the two were given: 1 or 0 each. As numbers, so that
            problems that differ in this alone share a program.
        fixed: fixed variable → its value.
        combinations: listed variable → (combinations,).
    """

    lower: dict[str, Any]
    upper: dict[str, Any]
    declared: dict[str, Any]
    fixed: dict[str, Any]
    combinations: dict[str, np.ndarray] = field(default_factory=dict)


def read_variables(variables: Mapping[str, Any]) -> tuple[Layout, Numbers]:
    """The layout and the numbers of variables.

    Raises:
        JscaleError: no mapping, a bound that is not a number above 0, contradictory bounds, or too
            many combinations.
    """
    if not isinstance(variables, Mapping) or not variables:
        raise JscaleError(
            "must map names to Free, Choice, Simplex or a number", argument="variables"
        )
    free, simplexes, lists = [], [], {}
    numbers = Numbers({}, {}, {}, {})
    for name, variable in variables.items():
        if isinstance(variable, Free):
            free.append(name)
            ends = variable.lower, variable.upper
            numbers.declared[name] = float(ends[0] is not None), float(ends[1] is not None)
            numbers.lower[name], numbers.upper[name] = _bounds(name, variable)
        elif isinstance(variable, Choice):
            lists[name] = variable.values
        elif isinstance(variable, Simplex):
            simplexes.append((name, variable.size))
        else:
            numbers.fixed[name] = check_number(name, variable, infinite=True)

    count = math.prod(len(values) for values in lists.values())
    if count > MAX_COMBINATIONS:
        raise JscaleError(
            f"the lists of {enumerated(lists)} make {count:,} combinations; expected at most "
            f"{MAX_COMBINATIONS:,}: bound a variable with Free, or evaluate them with plan.grid"
        )
    mesh = np.meshgrid(*lists.values(), indexing="ij") if lists else []
    combinations = {name: each.ravel() for name, each in zip(lists, mesh, strict=True)}
    layout = Layout(tuple(free), tuple(simplexes), tuple(lists))
    return layout, replace(numbers, combinations=combinations)


def _bounds(name: str, variable: Free) -> tuple[Any, Any]:
    low, high = _BIT_RANGE if name in _BITS else _DEFAULT_RANGE
    if variable.lower is not None:
        low = check_number(f"the lower bound of {name}", variable.lower, above=0.0)
    if variable.upper is not None:
        high = check_number(f"the upper bound of {name}", variable.upper, above=0.0)
    if not is_traced(low, high) and np.any(np.asarray(low) >= np.asarray(high)):
        least, most = float(np.max(low)), float(np.min(high))
        raise JscaleError(
            f"the bounds of {name} contradict each other: {least:g} is not below {most:g}; for a "
            "fixed value give the number itself"
        )
    return low, high
