"""All laws of the library, collected from its chapters."""

import importlib
import inspect
import re
from collections.abc import Callable, Mapping
from types import ModuleType

from jscale._core.errors import JscaleError
from jscale._core.text import did_you_mean, enumerated, shown
from jscale.laws.declaration import LawFunction, describe, is_law

CHAPTERS: tuple[str, ...] = (
    "loss._power",
    "loss._dense",
    "bits._effective",
    "bits._precision",
    "bits._precision_forms",
    "bits._quantised",
    "bits._compressed",
    "bits._methods",
    "bits._float_precision",
    "bits._sparse",
    "recipes._two_passes",
    "recipes._qat_split",
    "recipes._optimisers",
    "recipes._calibration",
    "loss._saturating",
    "loss._broken",
    "loss._coupled",
    "loss._overtraining",
    "loss._farseer",
    "data._modalities",
    "training._batch",
    "training._hyper",
    "training._noisy_quadratic",
    "loss._progress",
    "experts._routing",
    "experts._moe",
    "experts._five_factors",
    "loss._parallel",
    "loss._looped",
    "loss._merging",
    "data._vocabulary",
    "data._distill",
    "training._schedule",
    "data._reuse",
    "data._overfitting",
    "data._mixture",
    "data._mixture_scaling",
    "data._transfer",
    "data._finetuning",
    "tasks._density",
    "tasks._downstream",
    "tasks._scores",
    "tasks._sampling",
    "tasks._reward",
)
"""Modules in the order of the catalogue: each declares laws, and may have ``FAMILIES``."""

ALIASES: Mapping[str, str] = {"skaling": "coupled"}
"""Laws that papers know by another name: that name → the one of the catalogue."""

MAX_COUNT = 100
"""Largest number of parts of a law that :func:`get` makes by name: compilers fail on formulas of
many thousand terms."""
_MEMBER = re.compile(r"\w+\((\d{1,6}(?:, ?\d{1,6})?)\)")


_MODULES = tuple(importlib.import_module(f"jscale.laws.{chapter}") for chapter in CHAPTERS)


def _laws(chapter: ModuleType) -> tuple[LawFunction, ...]:
    declared = [f for f in vars(chapter).values() if is_law(f) and f.__module__ == chapter.__name__]
    return (*declared, *(family() for family in getattr(chapter, "FAMILIES", {}).values()))


families: Mapping[str, Callable[..., LawFunction]] = {
    name: family
    for chapter in _MODULES
    for name, family in getattr(chapter, "FAMILIES", {}).items()
}
"""Laws with a variable number of parts: name → factory, a function of that number."""

catalogue: tuple[LawFunction, ...] = tuple(law for chapter in _MODULES for law in _laws(chapter))
"""Every law of the library, by subject; for a factory, the law with its default number of parts."""


def as_law(law: LawFunction | str) -> LawFunction:
    """A law, or the one of the catalogue with this name.

    Raises:
        JscaleError: there is no law of this name; the message suggests the nearest one.

    Example:
        >>> from jscale import laws
        >>> laws.as_law("kaplan") is laws.as_law(laws.kaplan)
        True
    """
    return get(law) if isinstance(law, str) else law


def _counts(name: str) -> tuple[int, ...]:
    """The numbers of parts in the name of a member of a family; none where it is not one."""
    found = _MEMBER.fullmatch(name)
    counts = tuple(int(text) for text in found[1].split(",")) if found else ()
    return counts if all(1 <= count <= MAX_COUNT for count in counts) else ()


def get(name: str) -> LawFunction:
    """The law of the catalogue with this name, such as ``chinchilla`` or ``bnsl(2)``.

    Raises:
        JscaleError: there is no such law; the message suggests the nearest name.

    Example:
        >>> from jscale import laws
        >>> laws.get("chinchilla") is laws.chinchilla
        True
        >>> laws.get("skaling") is laws.coupled
        True
        >>> laws.describe(laws.get("bnsl(2)")).parameter_names
        ('a', 'b', 'c_0', 'c_1', 'd_1', 'f_1', 'c_2', 'd_2', 'f_2')
    """
    if not isinstance(name, str):
        raise JscaleError(f"the name of a law is text, not {shown(name)}")
    by_name = {describe(f).name: f for f in catalogue}
    name = ALIASES.get(name, name)
    if name in by_name:
        return by_name[name]
    if name in families:
        return families[name]()
    stem, opening, _ = name.partition("(")
    if stem in families and opening:
        counts = _counts(name)
        if not 1 <= len(counts) <= len(inspect.signature(families[stem]).parameters):
            raise JscaleError(
                f"{shown(name)}: write {stem}(2), with a whole number from 1 to {MAX_COUNT}"
            )
        return families[stem](*counts)
    hint = did_you_mean(name, [*by_name, *families], f" (known: {enumerated(by_name)})")
    raise JscaleError(f"no law named {shown(name)}{hint}")
