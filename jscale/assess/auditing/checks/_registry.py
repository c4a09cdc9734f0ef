"""The registry of checks: a function with the codes of its notes and what to do about each."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from jscale._core.notes import Note
from jscale.assess.auditing.checks._subject import Subject

Function = Callable[[Subject], Iterable[Note]]


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        name: of its function.
        advice: code of each note that it makes → what to do about it.
        needs_fit: whether it looks at residuals of a law.
        of_fits: whether its notes are about fits of a law; False for those of other analyses.
        run: table, law and fit → notes.
    """

    name: str
    advice: Mapping[str, str]
    needs_fit: bool
    of_fits: bool
    run: Function


CHECKS: list[Check] = []
"""All checks, in the order of their modules."""


def check(
    *, needs_fit: bool = False, of_fits: bool = True, **advice: str
) -> Callable[[Function], Function]:
    """Register a check.

    Args:
        needs_fit: whether it runs only with a fit of a law.
        of_fits: whether its notes are about fits of a law.
        advice: code of each of its notes, with ``_`` for ``-``, → what to do about it.
    """

    def register(function: Function) -> Function:
        codes = {code.replace("_", "-"): text for code, text in advice.items()}
        CHECKS.append(Check(function.__name__, codes, needs_fit, of_fits, function))
        return function

    return register
