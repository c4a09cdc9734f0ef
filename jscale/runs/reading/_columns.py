"""The standard columns: their kind, unit and accepted names."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from jscale._core.errors import JscaleError
from jscale._core.text import quote, quoted_names


class Kind(enum.Enum):
    """How the cells of a column are read."""

    COUNT = "count"
    """Finite and above zero; text may say ``1.4T`` or ``1,000``."""
    POSITIVE = "positive"
    """Finite and above zero; plain numbers only."""
    BITS = "bits"
    """In (0, 64]; an empty cell means 16."""
    LABEL = "label"
    """Text."""
    FLAG = "flag"
    """Yes or no; an empty cell means no."""
    INFERRED = "inferred"
    """Numbers if every filled cell is one (an empty cell is NaN), else text."""


@dataclass(frozen=True)
class Column:
    """A known column.

    Attributes:
        name: in a table of runs.
        kind: how its cells are read.
        expected: what a cell should hold, for error messages.
        aliases: other names that are recognised, in any letter case, spacing and punctuation.
    """

    name: str
    kind: Kind
    expected: str
    aliases: tuple[str, ...] = ()


OFF_BITS = 16.0
"""Bits of a missing bit column: 16, which counts as not quantised."""
MAX_BITS = 64.0
TRAINING_BITS = ("P_w", "P_a", "P_kv")
BIT_COLUMNS = (*TRAINING_BITS, "P_post")
TIED_BITS = "P"
"""One precision for weights, activations and KV cache alike."""

_BITS_EXPECTED = f"bits, above 0 and at most {MAX_BITS:.0f}, such as 4 or 16"

COLUMNS: tuple[Column, ...] = (
    Column(
        "N",
        Kind.COUNT,
        "a number of parameters, above 0, such as 7e7 or 70M",
        (
            "params",
            "n params",
            "num params",
            "parameters",
            "n parameters",
            "num parameters",
            "parameter count",
            "model size",
            "model params",
            "model parameters",
        ),
    ),
    Column(
        "D",
        Kind.COUNT,
        "a number of training tokens, above 0, such as 1.4e12 or 1.4T",
        (
            "tokens",
            "n tokens",
            "num tokens",
            "training tokens",
            "train tokens",
            "tokens seen",
            "total tokens",
            "data size",
            "dataset size",
        ),
    ),
    Column(
        "C",
        Kind.COUNT,
        "training compute in FLOP, above 0, such as 6e20",
        (
            "flop",
            "flops",
            "compute",
            "budget",
            "training flop",
            "training flops",
            "train flops",
            "total flops",
            "training compute",
            "train compute",
            "compute budget",
        ),
    ),
    Column(
        "loss",
        Kind.POSITIVE,
        "a loss in nats per token, above 0",
        (
            "val loss",
            "validation loss",
            "valid loss",
            "final loss",
            "final val loss",
            "eval loss",
            "test loss",
            "cross entropy",
        ),
    ),
    Column(
        "loss_se",
        Kind.POSITIVE,
        "a standard error of the loss, above 0",
        (
            "stderr",
            "loss stderr",
            "loss std err",
            "standard error",
            "loss standard error",
            "se loss",
        ),
    ),
    Column("P_w", Kind.BITS, _BITS_EXPECTED, ("w bits", "weight bits", "bits w", "weights bits")),
    Column(
        "P_a",
        Kind.BITS,
        _BITS_EXPECTED,
        ("a bits", "act bits", "activation bits", "bits a", "activations bits"),
    ),
    Column(
        "P_kv", Kind.BITS, _BITS_EXPECTED, ("kv bits", "kv cache bits", "bits kv", "cache bits")
    ),
    Column(
        "P_post",
        Kind.BITS,
        _BITS_EXPECTED,
        ("post bits", "ptq bits", "bits post", "post training bits", "P ptq", "inference bits"),
    ),
    Column(
        TIED_BITS,
        Kind.BITS,
        _BITS_EXPECTED,
        ("bits", "precision", "train bits", "training bits", "P train"),
    ),
    Column("seed", Kind.INFERRED, "a seed", ("random seed", "rng seed")),
    Column("group", Kind.LABEL, "a label", ("run group", "cohort")),
    Column("family", Kind.LABEL, "a label", ("model family",)),
    Column("run_id", Kind.LABEL, "a label", ("run", "run name", "id", "name")),
    Column("exclude", Kind.FLAG, "yes or no (1 or 0)", ("excluded", "is excluded", "drop")),
    Column(
        "reason", Kind.LABEL, "a label", ("exclude reason", "exclusion reason", "reason excluded")
    ),
    Column("n_kind", Kind.LABEL, "a label", ("param kind", "parameter kind", "params kind")),
)
KNOWN: dict[str, Column] = {c.name: c for c in COLUMNS}


_LONGEST_NAME = 200
"""Characters of a header; a longer one is not the name of a known column."""


def fold(name: str) -> str:
    """A column name without letter case, spaces and punctuation; a very long one as it is."""
    if len(name) > _LONGEST_NAME:
        return name
    return "".join(ch for ch in name.casefold() if ch.isalnum())


_BY_ALIAS = {fold(alias): c.name for c in COLUMNS for alias in (c.name, *c.aliases)}

_SCALES = {
    **dict.fromkeys(("k", "thousand", "thousands"), 1e3),
    **dict.fromkeys(("m", "mn", "million", "millions"), 1e6),
    **dict.fromkeys(("b", "bn", "billion", "billions"), 1e9),
    **dict.fromkeys(("t", "tn", "trillion", "trillions"), 1e12),
}


@dataclass(frozen=True)
class Match:
    """Which header stands for which known column.

    Attributes:
        headers: known column → header as the table has it.
        scales: known column → factor that its header names (``params_m``: 1e6), where it names one.
    """

    headers: dict[str, str]
    scales: dict[str, float]

    def header(self, column: str) -> str:
        """The table's own name of a known column."""
        return self.headers.get(column, column)


def match(headers: Sequence[str]) -> Match:
    """Find the known columns among ``headers``.

    A label (``run_id``, ``group`` …) with two candidates takes the one that jscale lists first and
    leaves the other among the extras, since exports often carry both an id and a name. For a number
    two candidates are an error.

    Raises:
        JscaleError: two headers stand for one known number.
    """
    candidates: dict[str, list[str]] = {}
    for header in headers:
        if known := _BY_ALIAS.get(fold(header)):
            candidates.setdefault(known, []).append(header)
    matched = {known: _choose(KNOWN[known], names) for known, names in candidates.items()}

    # A header with a scale stands for a size only where no plain header does.
    scales: dict[str, float] = {}
    for known in ("N", "D"):
        scaled = {} if known in matched else _scaled_headers(headers, known)
        if scaled:
            matched[known] = _choose(KNOWN[known], list(scaled))
            scales[known] = scaled[matched[known]]
    return Match(matched, scales)


def _choose(column: Column, names: list[str]) -> str:
    """The header of a column among several candidates."""
    if len(names) == 1:
        return names[0]
    if column.kind is not Kind.LABEL:
        raise JscaleError(
            f"columns {quoted_names(names)} all mean {column.name!r}: "
            "keep one of them, or rename the others"
        )
    order = [fold(alias) for alias in (column.name, *column.aliases)]
    return min(names, key=lambda name: order.index(fold(name)))


def _scaled_headers(headers: Sequence[str], known: str) -> dict[str, float]:
    """Headers that mean a known column in thousands, millions or more → that factor."""
    scales = {header: _scale_in_header(header, known) for header in headers}
    return {header: scale for header, scale in scales.items() if scale is not None}


def _scale_in_header(header: str, known: str) -> float | None:
    """The factor in ``params_m`` or ``Tokens (billions)``; None for any other header."""
    if len(header) > _LONGEST_NAME:
        return None
    text = header.casefold().rstrip().removesuffix(")").rstrip()
    for unit, scale in _SCALES.items():
        if not text.endswith(unit):
            continue
        base, gap = _without_gap(text.removesuffix(unit))
        # "N_b" or "D_t" may be anything; "N (b)" and "N_billions" may not.
        single_letters = len(fold(base)) == 1 and len(unit) == 1 and gap != "("
        if gap and not single_letters and _BY_ALIAS.get(fold(base)) == known:
            return scale
    return None


def _without_gap(text: str) -> tuple[str, str]:
    """What stands before a unit, without the gap to it.

    Returns:
        The text, and ``(`` for a bracket, also as in ``(in``, ``_`` for space and punctuation, or
        nothing where there is no gap.
    """
    bare = text.rstrip()
    if bare != text and bare.endswith("in"):
        bare = bare.removesuffix("in").rstrip()
    if bare.endswith("("):
        return bare, "("
    is_separate = text[-1:].isspace() or text[-1:] in ("_", "-", ".", "/")
    return text, "_" if is_separate else ""


def accepted(column: str) -> str:
    """The names under which a known column is accepted, for messages."""
    return f"{column} ({', '.join(KNOWN[column].aliases[:5])} …)"


def missing_column(column: str, headers: Sequence[str]) -> str:
    """The message about a required column that no header stands for."""
    return (
        f"no column for {quote(column)}: expected {accepted(column)}; "
        f"the columns are {quoted_names(headers)}"
    )
