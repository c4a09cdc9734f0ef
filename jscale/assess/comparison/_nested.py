"""Laws that are special cases of others, and the likelihood-ratio test between the two."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jax.scipy.special import gammaincc

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.status import Status
from jscale.assess.comparison._subset import SubsetFit
from jscale.laws import LawFunction, describe

Pair = tuple[LawFunction, LawFunction]
"""A special case and its general law."""

_ROUNDING = 1e-6
"""Relative difference of the residual sums of squares of two certified fits that is rounding."""


@dataclass(frozen=True)
class NestedTest:
    """A law against a special case of it.

    Attributes:
        small: name of the special case.
        large: name of the general law.
        df: number of parameters that the special case has fewer.
        statistic: twice the logarithm of the likelihood ratio.
        p_value: probability of such a statistic if the special case is true, by the chi-squared
            distribution.
        at_edge: a parameter is fixed at an end of its support: the true probability is smaller,
            half of ``p_value`` for one parameter.
    """

    small: str
    large: str
    df: int
    statistic: float
    p_value: float
    at_edge: bool


def is_nested(small: LawFunction, large: LawFunction) -> bool:
    """Whether ``small`` is ``large`` with parameters fixed or tied, by their records."""
    a, b = describe(small), describe(large)
    removed = set(b.parameter_names) - set(a.parameter_names)
    added = dict(set(a.definitions) - set(b.definitions))
    return (
        a.formula == b.formula
        and a.input_names == b.input_names
        and set(a.parameter_names) < set(b.parameter_names)
        and set(b.definitions) < set(a.definitions)
        and set(added) == removed
    )


def nested_pairs(laws: Sequence[LawFunction], requested: Sequence[Pair]) -> list[Pair]:
    """The nested pairs among ``laws``, and the requested ones.

    Raises:
        JscaleError: a requested pair of other laws, without fewer parameters, or with inputs that
            the general law does not take.
    """
    pairs = [(small, large) for small in laws for large in laws if is_nested(small, large)]
    for small, large in requested:
        _check_pair(laws, small, large)
        if (small, large) not in pairs:
            pairs.append((small, large))
    return pairs


def _check_pair(laws: Sequence[LawFunction], small: LawFunction, large: LawFunction) -> None:
    for law in (small, large):
        if law not in laws:
            name = describe(law).name
            raise JscaleError(
                f": law {name!r} is not one of the laws to compare", argument="nested"
            )

    a, b = describe(small), describe(large)
    if len(a.parameters) >= len(b.parameters) or not set(a.input_names) <= set(b.input_names):
        sizes = [
            f"law {record.name!r} ({len(record.parameters)} parameters; "
            f"inputs {', '.join(record.input_names)})"
            for record in (a, b)
        ]
        raise JscaleError(f": {sizes[0]} is not a special case of {sizes[1]}", argument="nested")


def nested_tests(
    pairs: Sequence[Pair], fits: Mapping[LawFunction, SubsetFit], n_runs: int
) -> tuple[tuple[NestedTest, ...], list[Note]]:
    """The tests of the pairs, from fits by least squares of the log loss.

    A pair without certified fits has a note instead.

    Raises:
        JscaleError: both fits are certified and the special case fits better than its general law,
            so it is not a special case.
    """
    tests, notes = [], []
    for small, large in pairs:
        a, b = describe(small), describe(large)
        uncertified = [
            describe(law).name for law in (small, large) if fits[law].status != Status.converged
        ]
        if uncertified:
            message = (
                f"{a.name} is not tested against {b.name}: "
                f"no certified fit of {' and '.join(uncertified)}"
            )
            notes.append(Note("not-tested", "warning", message, {"laws": (a.name, b.name)}))
            continue

        ratio = fits[small].objective / fits[large].objective
        if ratio < 1 - _ROUNDING:
            raise JscaleError(
                f": law {a.name!r} fits better than law {b.name!r} (residual sum of squares "
                f"{ratio:.4g} times as large), so it is not a special case of it",
                argument="nested",
            )
        tests.append(_likelihood_ratio_test(small, large, ratio, n_runs))
    return tuple(tests), notes


def _likelihood_ratio_test(
    small: LawFunction, large: LawFunction, ratio: float, n_runs: int
) -> NestedTest:
    """The test for a ratio of residual sums of squares."""
    a, b = describe(small), describe(large)
    df = len(b.parameters) - len(a.parameters)
    statistic = n_runs * math.log(max(ratio, 1.0))  # rounding can make the ratio less than 1
    fixed = [(p, value) for p, value in a.held if p.name in b.parameter_names]
    at_edge = any(value in (p.support.lower, p.support.upper) for p, value in fixed)
    p_value = float(gammaincc(0.5 * df, 0.5 * statistic))
    return NestedTest(a.name, b.name, df, statistic, p_value, at_edge)
