"""Priors as people write them: ``lognormal(0.2, 1)``, and tuples of the same parts."""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from jscale._core.errors import JscaleError
from jscale._core.text import did_you_mean, shown
from jscale.laws import roles

PUBLISHED = "published"
"""In place of a mapping: priors about the published constants of the law."""
FAMILIES: Mapping[str, tuple[str, ...]] = {
    "normal": ("mean", "sd"),
    "lognormal": ("median", "sd of the logarithm"),
    "uniform": ("low", "high"),
    "beta": ("a", "b"),
    "halfnormal": ("scale",),
    "gamma": ("shape", "rate"),
}
_MAX_LENGTH = 200
_FORM = re.compile(r"([A-Za-z_][A-Za-z_-]*)\s*\(([^()]*)\)")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")
_EXPECTED = "expected a distribution such as lognormal(0.2, 1)"


def parsed_prior(value: Any, where: str) -> roles.Prior:
    """A prior from a text such as ``lognormal(0.2, 1)`` or a tuple ``("lognormal", 0.2, 1)``.

    A lognormal prior is given by its median and the standard deviation of its logarithm.

    Args:
        value: text, or tuple or list of a family and its numbers.
        where: head of a message.

    Raises:
        JscaleError: an unknown family, or numbers that it does not take.
    """
    if isinstance(value, str):
        family, numbers = _split(value, where)
    else:
        family, *numbers = value or ("",)
    if not isinstance(family, str) or family not in FAMILIES:
        hint = did_you_mean(str(family), FAMILIES)
        known = ", ".join(FAMILIES)
        raise JscaleError(
            f"{where}: no family {shown(family)} of priors (there are: {known}){hint}"
        )

    arguments = FAMILIES[family]
    usage = f"{family}({', '.join(arguments)})"
    if len(numbers) != len(arguments) or not all(map(_is_number, numbers)):
        raise JscaleError(f"{where}: expected {usage} with finite numbers, not {shown(value)}")
    values = [float(number) for number in numbers]
    if reason := _fault(family, values):
        raise JscaleError(f"{where}: {usage}: {reason}, not {shown(value)}")
    if family == "lognormal":
        return roles.lognormal(*values)
    return roles.Prior(family, tuple(values))  # pyright: ignore[reportArgumentType]


def parsed_priors(texts: Iterable[str] | None, where: str) -> dict[str, roles.Prior] | str | None:
    """Priors from the texts of an option: ``alpha=lognormal(0.2, 1)``, or ``published`` alone.

    Args:
        texts: one a parameter; None or none for the default priors.
        where: the option, for messages.

    Raises:
        JscaleError: a text of another form, or a parameter that is named twice.
    """
    texts = list(texts or ())
    if [text.strip() for text in texts] == [PUBLISHED]:
        return PUBLISHED
    priors: dict[str, roles.Prior] = {}
    for text in texts:
        name, equals, prior = (part.strip() for part in text.partition("="))
        if not (name and equals and prior):
            raise JscaleError(
                f"{where}: expected NAME=PRIOR such as alpha=lognormal(0.2, 1), or {PUBLISHED} "
                f"alone, not {shown(text)}"
            )
        if name in priors:
            raise JscaleError(f"{where}: {shown(name)} is given twice")
        priors[name] = parsed_prior(prior, f"{where}: {name[:_MAX_LENGTH]}")
    return priors or None


def prior_text(prior: roles.Prior) -> str:
    """A prior as :func:`parsed_prior` takes it."""
    numbers = prior.args
    if prior.family == "lognormal":
        numbers = (math.exp(numbers[0]), numbers[1])
    return f"{prior.family}({', '.join(f'{number:.6g}' for number in numbers)})"


def _split(text: str, where: str) -> tuple[str, list[Any]]:
    """Family and numbers of a text."""
    if len(text) > _MAX_LENGTH:
        raise JscaleError(
            f"{where}: a text of {len(text):,} characters is not a prior; {_EXPECTED}"
        )
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise JscaleError(f"{where}: {_EXPECTED}, not {shown(text)}")
    family, inside = match.groups()
    parts = [part.strip() for part in inside.split(",")]
    return family, [float(p) if _NUMBER.fullmatch(p) else p for p in parts]


def _is_number(value: Any) -> bool:
    is_real = isinstance(value, int | float) and not isinstance(value, bool)
    return is_real and abs(value) < 1e300


def _fault(family: str, values: list[float]) -> str:
    """What is wrong with the numbers of a family, as an expectation; empty if nothing is."""
    if family == "uniform":
        return "" if values[0] < values[1] else "expected low below high"
    if family == "normal":
        return "" if values[1] > 0 else "expected an sd above 0"
    if min(values) > 0:
        return ""
    return "expected numbers above 0" if len(values) > 1 else "expected a number above 0"
