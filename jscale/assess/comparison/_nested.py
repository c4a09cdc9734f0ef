"""Laws that are special cases of others, and the likelihood-ratio test between the two."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jax.scipy.special import gammaincc

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.status import Status
from jscale.assess.comparison._refit import Refit
from jscale.laws import LawFunction, describe

_ROUNDING = 1e-6
"""Share of the residual sum of squares by which two certified fits to the same runs may differ for
nothing."""


@dataclass(frozen=True)
class NestedTest:
    """A law against a special case of it.

    Attributes:
        small: name of the special case.
        large: name of the general law.
        df: parameters that the special case has fewer.
        statistic: twice the logarithm of the likelihood ratio.
        p_value: chance of such a statistic were the special case true, by the chi-squared
            distribution.
        at_edge: a parameter is fixed at an end of its support: the true chance is smaller, half of
            it for one.
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
    gone = set(b.parameter_names) - set(a.parameter_names)
    extra = dict(set(a.definitions) - set(b.definitions))
    return (
        a.formula == b.formula
        and a.input_names == b.input_names
        and set(a.parameter_names) < set(b.parameter_names)
        and set(b.definitions) < set(a.definitions)
        and set(extra) == gone
    )


def pairs(
    laws: Sequence[LawFunction], asked: Sequence[tuple[LawFunction, LawFunction]]
) -> list[tuple[LawFunction, LawFunction]]:
    """The pairs (special case, general law) among ``laws``, and those that were asked for.

    Raises:
        JscaleError: an asked pair is of other laws, or has no parameter fewer, or takes inputs that
            the other does not.
    """
    found = [(small, large) for small in laws for large in laws if is_nested(small, large)]
    for small, large in asked:
        a, b = describe(small), describe(large)
        if small not in laws or large not in laws:
            absent = a.name if small not in laws else b.name
            raise JscaleError(f"nested: law {absent!r} is not one of the laws to compare")
        if len(a.parameters) >= len(b.parameters) or not set(a.input_names) <= set(b.input_names):
            raise JscaleError(
                f"nested: law {a.name!r} ({len(a.parameters)} parameters; inputs {', '.join(a.input_names)}) is no "
                f"special case of law {b.name!r} ({len(b.parameters)} parameters; inputs {', '.join(b.input_names)})"
            )
        if (small, large) not in found:
            found.append((small, large))
    return found


def nested_tests(
    tested: Sequence[tuple[LawFunction, LawFunction]], fits: Mapping[LawFunction, Refit], runs: int
) -> tuple[tuple[NestedTest, ...], list[Note]]:
    """The tests of the pairs, from fits by least squares of the log loss; notes for those that
    cannot
    be made.

    Raises:
        JscaleError: a special case fits better than its general law, both fits being certified: it
            is none.
    """
    tests, notes = [], []
    for small, large in tested:
        a, b = describe(small), describe(large)
        doubtful = [
            describe(law).name for law in (small, large) if fits[law].status != Status.converged
        ]
        if doubtful:
            message = f"{a.name} is not tested against {b.name}: no certified fit of {' and '.join(doubtful)}"
            notes.append(Note("not-tested", "warning", message, {"laws": (a.name, b.name)}))
            continue
        ratio = fits[small].objective / fits[large].objective
        if ratio < 1 - _ROUNDING:
            raise JscaleError(
                f"nested: law {a.name!r} fits better than law {b.name!r} (residual sum of squares {ratio:.4g} times "
                "theirs), so it is no special case of it"
            )
        df = len(b.parameters) - len(a.parameters)
        statistic = runs * math.log(max(ratio, 1.0))  # below 1 by rounding alone
        held = [(p, value) for p, value in a.held if p.name in b.parameter_names]
        at_edge = any(value in (p.support.lower, p.support.upper) for p, value in held)
        p_value = float(gammaincc(0.5 * df, 0.5 * statistic))
        tests.append(NestedTest(a.name, b.name, df, statistic, p_value, at_edge))
    return tuple(tests), notes
