"""Which header of a table stands for which known column, and the unit that it names."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from jscale._core.errors import JscaleError
from jscale._core.text import did_you_mean, quote, quoted_names, text_of
from jscale.runs.tables._columns import (
    BY_ALIAS,
    BY_LATER_ALIAS,
    KNOWN,
    LONGEST_NAME,
    Column,
    Kind,
    fold,
)
from jscale.runs.tables._measures import NATS_PER_TOKEN, measure_of
from jscale.runs.tables._units import Unit, splits, unit_of

_GLUED_FLOP = re.compile(r"(?:(.*?)[\s_\-./])?([kmgtpezy]f(?:lops?)?(?:/s)?(?:[\s_-]*days?)?)")
_PREFIXES = frozenset(
    (
        *("config", "cfg", "model", "train", "training", "trainer", "summary", "data", "dataset"),
        *("args", "hparams", "run", "eval", "val", "valid", "validation", "metrics", "metric"),
        *("results", "result", "final", "params", "optim"),
    )
)
"""First parts of dotted and slashed names in exports of experiment trackers."""
_OF_TRAINING = frozenset(("train", "training", "trainer"))
_UNDER_PREFIX = ("N", "D", "C", "loss", "loss_se", "seed")
"""Columns that are found behind a prefix; ``config.precision`` may be anything."""
_SPEED = re.compile(r"(?:/|\bper[\s_]|_per_)\s*(?:s|sec|second|step|gpu|day|hour)s?\b")
_SIGNS = ("±", "+/-", "+-")
_ERRORS = ("standarderror", "stderr", "sem", "se")
"""Folded names of a standard error."""
_WHOLE_COMPUTE = frozenset(("total", "training", "train", "compute", "totaltraining", "totaltrain"))
"""Words that say that ``gflops`` is an amount and not a speed."""
_LARGE_PREFIXES = "pezy"

_PLAIN, _WITH_UNIT, _PREFIXED, _LATER = range(4)


class _Reading(NamedTuple):
    """What a header may stand for.

    Attributes:
        column: known column.
        rank: how good a name it is; the lowest is taken.
        place: of the name among those of this rank.
        unit: of N, D or C, or None.
        measure: unit of a loss, or None.
    """

    column: str
    rank: int
    place: int = 0
    unit: Unit | None = None
    measure: str | None = None


@dataclass(frozen=True)
class Match:
    """Which header stands for which known column.

    Attributes:
        headers: known column → header as the table has it.
        units: known column → unit with a factor that its header names (``params_m``: 1e6).
        measure: unit of the losses.
        renamed: header → name of an unknown column, as the caller gave it.
        forced: known columns whose header the caller named.
        soft: known columns found by a tracker's prefix or a name of the second kind.
    """

    headers: dict[str, str]
    units: dict[str, Unit] = field(default_factory=dict)
    measure: str = NATS_PER_TOKEN
    renamed: dict[str, str] = field(default_factory=dict)
    forced: frozenset[str] = frozenset()
    soft: frozenset[str] = frozenset()

    def header(self, column: str) -> str:
        """The table's own name of a known column."""
        return self.headers.get(column, column)


def match(headers: Sequence[str], named: Mapping[str, str] | None = None) -> Match:
    """Find the known columns among ``headers``.

    A label (``run_id``, ``group`` …) with two candidates takes the one that jscale lists first and
    leaves the other among the extras, since exports often carry both an id and a name. For a number
    two candidates of one kind are an error; a plain name goes before one with a unit, with a
    tracker's prefix, and a name of the second kind, in this order.

    Args:
        headers: of the table.
        named: column → header, where the caller says which it is.

    Raises:
        JscaleError: two headers stand for one known number, or ``named`` has a header that the
            table does not have.
    """
    named = _checked(headers, named or {})
    candidates: dict[str, list[tuple[str, _Reading]]] = {}
    for header in headers:
        if header in named.values():
            continue
        for reading in _readings(header):
            if reading.column not in named:
                candidates.setdefault(reading.column, []).append((header, reading))

    chosen = {known: _choose(KNOWN[known], found) for known, found in candidates.items()}
    for known, header in named.items():
        if known in KNOWN:
            chosen[known] = header, _as_named(header, known)
    return Match(
        {known: header for known, (header, _) in chosen.items()},
        {known: r.unit for known, (_, r) in chosen.items() if r.unit and r.unit.factor},
        (chosen["loss"][1].measure or NATS_PER_TOKEN) if "loss" in chosen else NATS_PER_TOKEN,
        {header: name for name, header in named.items() if name not in KNOWN},
        frozenset(named).intersection(KNOWN),
        frozenset(known for known, (_, reading) in chosen.items() if reading.rank >= _PREFIXED),
    )


def meaning(header: str) -> str | None:
    """The known column that a header most likely stands for, or None."""
    readings = _readings(header.strip())
    return min(readings, key=lambda r: (r.rank, r.place)).column if readings else None


def _checked(headers: Sequence[str], named: Mapping[str, str]) -> dict[str, str]:
    """The columns that the caller names, by the table's own headers.

    Raises:
        JscaleError: the table has no such header, or one header is to be two columns.
    """
    result: dict[str, str] = {}
    for column, header in named.items():
        if not isinstance(column, str) or not isinstance(header, str):
            raise JscaleError(
                f": expected column → header, both text, not {quote(column)}: {quote(header)}",
                argument="columns",
            )
        # "val loss" also finds the header "val_loss".
        similar = [each for each in headers if each == header.strip()]
        similar = similar or [each for each in headers if fold(each) == fold(header)]
        if len(similar) != 1:
            hint = did_you_mean(header, headers)
            raise JscaleError(
                f": the table has no column {quote(header)}{hint}; "
                f"the columns are {quoted_names(headers)}",
                argument="columns",
            )
        known = BY_ALIAS.get(fold(column), column)
        if known in result or similar[0] in result.values():
            raise JscaleError(
                f": {quote(text_of(column))} and another name stand for one column",
                argument="columns",
            )
        result[known] = similar[0]
    return result


def _as_named(header: str, known: str) -> _Reading:
    """A header that the caller names, with the unit in it."""
    for base, text, bracketed in splits(header):
        if known in ("N", "D", "C") and (unit := unit_of(text, known, bracketed=bracketed)):
            return _Reading(known, _PLAIN, unit=unit)
        if known == "loss" and base and (measure := measure_of(text)):
            return _Reading(known, _PLAIN, measure=measure)
    if known == "loss":
        return _Reading(known, _PLAIN, measure=measure_of(header) or _measure_in(header))
    return _Reading(known, _PLAIN)


def _choose(column: Column, found: list[tuple[str, _Reading]]) -> tuple[str, _Reading]:
    """The header of a column among several candidates."""
    best = min(reading.rank for _, reading in found)
    place = min(r.place for _, r in found if r.rank == best)
    first = [(h, r) for h, r in found if r.rank == best and (best < _LATER or r.place == place)]
    if len(first) == 1:
        return first[0]
    if column.kind is not Kind.LABEL:
        names = [header for header, _ in first]
        raise JscaleError(
            f"columns {quoted_names(names)} all mean {column.name!r}: "
            "keep one of them, rename the others, or say which with "
            f"columns={{{column.name!r}: {names[-1]!r}}}"
        )
    return min(first, key=lambda pair: pair[1].place)


def _readings(header: str) -> list[_Reading]:
    """What a header may stand for: at most one reading a known column."""
    if len(header) > LONGEST_NAME or _is_rate(header):
        return []
    if error := _standard_error(header):
        return [error]
    found = _by_name(header, _PLAIN) or _with_unit(header)
    if not found and (rest := _without_prefix(header)):
        found = [
            each._replace(rank=max(each.rank, _PREFIXED))
            for each in _readings(rest)
            if each.column in _UNDER_PREFIX
            and not (each.column == "loss" and _is_of_training(header))
        ]
    return found


def _is_rate(header: str) -> bool:
    """Whether a header is a rate, as ``flop/s``, or money; ``PF/s-days`` is an amount."""
    folded = header.casefold()
    if any(sign in header for sign in "$€£"):
        return True
    return bool(_SPEED.search(folded)) and "day" not in folded


def _by_name(header: str, rank: int) -> list[_Reading]:
    folded = fold(header)
    if known := BY_ALIAS.get(folded):
        names = [fold(alias) for alias in (KNOWN[known].name, *KNOWN[known].aliases)]
        return [_Reading(known, rank, names.index(folded))]
    if known := BY_LATER_ALIAS.get(folded):
        names = [fold(alias) for alias in KNOWN[known].also]
        measure = (measure_of(header) or _measure_in(header)) if known == "loss" else None
        return [_Reading(known, _LATER, names.index(folded), measure=measure)]
    return []


def _measure_in(header: str) -> str | None:
    """The unit in a name such as ``val_bpb``."""
    folded = fold(header)
    for ending in ("bitsperbyte", "natsperbyte", "bpb", "bpc", "perplexity", "ppl"):
        if folded.endswith(ending):
            return measure_of(ending)
    return None


def _with_unit(header: str) -> list[_Reading]:
    """N, D, C or a loss with its unit: ``Params [M]``, ``tokens_b``, ``EFLOP``, ``Loss [bits]``."""
    for base, text, bracketed in splits(header):
        named = _by_name(base, _WITH_UNIT)
        if not named:
            continue
        (reading,) = named
        known, rank = reading.column, max(reading.rank, _WITH_UNIT)
        # "N_b" or "D_t" may be anything; "N (b)" and "N_billions" may not.
        single_letters = len(fold(base)) == 1 and len(text) == 1
        if known in ("N", "D", "C") and not (single_letters and not bracketed):
            if unit := unit_of(text, known, bracketed=bracketed):
                return [reading._replace(rank=rank, unit=unit)]
        elif known == "loss" and reading.measure is None and (measure := measure_of(text)):
            return [reading._replace(rank=rank, measure=measure)]
    return _glued(header)


def _glued(header: str) -> list[_Reading]:
    """C as ``EFLOP``, ``total_gflops`` or ``PF-days``.

    ``TFLOPs`` alone is a speed in most logs and is left alone.
    """
    found = _GLUED_FLOP.fullmatch(header.casefold().strip())
    if not found:
        return []
    base, text = fold(found[1] or ""), found[2]
    is_days = "day" in text
    if not (base in _WHOLE_COMPUTE or (not base and (is_days or text[0] in _LARGE_PREFIXES))):
        return []
    if "/s" in text and not is_days:
        return []
    unit = unit_of(text, "C", bracketed=False)
    return [_Reading("C", _WITH_UNIT, unit=unit)] if unit and unit.factor else []


def _standard_error(header: str) -> _Reading | None:
    """``±SE``, ``±``, ``loss ±`` or ``val loss ± SE``: a standard error of the loss."""
    rest = header
    for sign in _SIGNS:
        rest = rest.replace(sign, " ")
    if rest == header:
        return None
    folded = fold(rest)
    # "final val loss ± SE" names the error after the sign, "loss ±" leaves it out.
    names = (folded, *(folded.removesuffix(ending) for ending in _ERRORS))
    if any(not name or BY_ALIAS.get(name) in ("loss", "loss_se") for name in names):
        return _Reading("loss_se", _LATER)
    return None


def _without_prefix(header: str) -> str | None:
    """``n_params`` of ``model.n_params`` or ``config/model/n_params``; None for other names."""
    prefix, *rest = re.split(r"[./]", header, maxsplit=1)
    return rest[0] if rest and prefix.casefold().strip() in _PREFIXES else None


def _is_of_training(header: str) -> bool:
    return re.split(r"[./]", header, maxsplit=1)[0].casefold().strip() in _OF_TRAINING
