"""Units of parameters, tokens and compute as headers name them: ``[M]``, ``EFLOP``, ``PF-days``."""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from jscale.runs.tables._columns import fold

_WORDS = {
    **dict.fromkeys(("k", "thousand", "thousands"), 3),
    **dict.fromkeys(("m", "mn", "mio", "million", "millions", "millionen"), 6),
    **dict.fromkeys(("b", "bn", "mrd", "billion", "billions", "milliarden", "g"), 9),
    **dict.fromkeys(("t", "tn", "trillion", "trillions"), 12),
}
"""Words and letters for powers of ten in counts of parameters and tokens."""
_PREFIXES = {
    **dict.fromkeys(("g", "giga"), 9),
    **dict.fromkeys(("t", "tera"), 12),
    **dict.fromkeys(("p", "peta"), 15),
    **dict.fromkeys(("e", "exa"), 18),
    **dict.fromkeys(("z", "zetta"), 21),
    **dict.fromkeys(("y", "yotta"), 24),
}
_NOUNS = {
    "N": ("", "params", "param", "parameters", "parameter"),
    "D": ("", "tokens", "token", "toks", "tok"),
}
_POWER = re.compile(r"[x×*]?\s*(?:1e\+?([0-9]{1,2})|10\s*(?:\^|\*\*)\s*\{?([0-9]{1,2})\}?)")
_FLOP = re.compile(r"([a-z]*?)[\s-]?flops?")
_FLOP_DAYS = re.compile(r"([a-z]*?)[\s-]?f(?:lops?)?(?:/s)?[\s_-]*days?|([a-z]*?)f/?s[\s_-]*days?")
_SECONDS_A_DAY = 86_400
_RAISED = re.compile("10([⁰¹²³⁴⁵⁶⁷⁸⁹]+)")
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_BRACKET = re.compile(r"[\s_,]*[(\[{]\s*([^()\[\]{}]+?)\s*[)\]}]\s*")
_LIST_SIGNS = re.compile(r"\s*[,;]\s*")
_AFTER_COMMA = re.compile(r"(.*?)\s*,\s*(.+)")
_AFTER_IN = re.compile(r"(.*\S)\s+in\s+(.+)", re.IGNORECASE)
_AFTER_GAP = re.compile(r"(.*?[^\s_\-./])[\s_\-./]+([a-zA-Z0-9]+(?:[\s_-]?days?)?)", re.IGNORECASE)
_REMARKS = frozenset(
    (
        *("nonemb", "nonembedding", "nonembeddings", "noembeddings", "exclembeddings"),
        *("total", "active", "seen", "val", "valid", "validation", "eval", "test", "heldout"),
    )
)
"""Words beside a unit in brackets that leave a column what it is."""


class Unit(NamedTuple):
    """A unit that a header names.

    Attributes:
        text: as the header has it.
        factor: what a number is multiplied by; None where the unit is that of the column.
    """

    text: str
    factor: int | None


def splits(header: str) -> list[tuple[str, str, bool]]:
    """Ways to take a header apart into a name and a unit, and whether a bracket parts them."""
    found: list[tuple[str, str, bool]] = []
    for bracket in _BRACKET.finditer(header):
        before, after = header[: bracket.start()], header[bracket.end() :]
        found += _of_bracket(f"{before} {after}".strip(), bracket[1])
        if not after:
            return found
    for pattern in (_AFTER_COMMA, _AFTER_IN):
        if parts := pattern.fullmatch(header):
            return [*found, (parts[1], parts[2], True)]
    parts = _AFTER_GAP.fullmatch(header)
    return [*found, (parts[1], parts[2], False)] if parts else found


def _of_bracket(base: str, inside: str) -> list[tuple[str, str, bool]]:
    """The splits of a name and a bracket, which may have remarks beside a unit: ``(M, val)``."""
    found = [(base, inside, True)]
    parts = _LIST_SIGNS.split(inside)
    for place, part in enumerate(parts if len(parts) > 1 else ()):
        others = parts[:place] + parts[place + 1 :]
        found += [(" ".join([*others, base]), part, True), (" ".join([base, *others]), part, True)]
        if _REMARKS.issuperset(map(fold, others)):
            found.append((base, part, True))
    return found


def unit_of(text: str, column: str, *, bracketed: bool) -> Unit | None:
    """The unit of N, D or C that a text names; None for any other text.

    Args:
        text: such as ``M``, ``billions``, ``1e6``, ``EFLOP`` or ``PF-days``.
        column: N, D or C.
        bracketed: whether the text stands in brackets or after a comma, where a single letter can
            only be a unit: ``FLOPs (P)``.
    """
    folded = (
        _RAISED.sub(r"10^\1", text.casefold())
        .translate(_SUPERSCRIPTS)
        .strip()
        .removeprefix("in ")
        .strip(" .")
    )
    factor = _of_compute(folded, bracketed) if column == "C" else _of_count(folded, column)
    return None if factor is None else Unit(text.strip(), factor if factor > 1 else None)


def _of_count(text: str, column: str) -> int | None:
    """The factor of ``m``, ``billions of tokens`` or ``1e6``."""
    if power := _POWER.fullmatch(text):
        return 10 ** int(power[1] or power[2])
    nouns = _NOUNS[column]
    if text in nouns and text:
        return 1
    words = sorted(_WORDS, key=len, reverse=True)
    for word in words:
        rest = text.removeprefix(word)
        if rest != text and rest.removeprefix(" of").strip(" -_") in nouns:
            return 10 ** _WORDS[word]
    return None


def _of_compute(text: str, bracketed: bool) -> int | None:
    """The factor of ``flop``, ``eflops``, ``p`` or ``pf-days``."""
    if power := _POWER.fullmatch(text.removesuffix("flops").removesuffix("flop").strip()):
        return 10 ** int(power[1] or power[2])
    if flop := _FLOP.fullmatch(text):
        prefix, seconds = flop[1], 1
    elif days := _FLOP_DAYS.fullmatch(text):
        prefix, seconds = days[1] or days[2] or "", _SECONDS_A_DAY
    elif bracketed and text in _PREFIXES:
        prefix, seconds = text, 1
    else:
        return None
    if not prefix:
        return seconds
    return 10 ** _PREFIXES[prefix] * seconds if prefix in _PREFIXES else None


def scaled(values: np.ndarray | Sequence[float], factor: int) -> np.ndarray:
    """Numbers times a factor, rounded once: 0.07 billion is the float of 70 million.

    Args:
        values: any shape (rows,); NaN stays.
        factor: of the unit.
    """
    return np.array([_scaled(float(value), factor) for value in values])


def _scaled(value: float, factor: int) -> float:
    # Through the decimal text: 0.07 * 1e9 is 70000000.00000001 in binary.
    return float(Decimal(repr(value)) * factor) if np.isfinite(value) else value
