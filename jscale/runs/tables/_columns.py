"""The standard columns: their kind, unit and accepted names."""

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jscale._core.text import quote, quoted_names


class Kind(enum.Enum):
    """How the cells of a column are read."""

    COUNT = "count"
    """Finite and above zero; text may say ``1.4T`` or ``1,000``."""
    COMPUTE = "compute"
    """As a count; text may also say ``3 EFLOP`` or ``2 PF-days``."""
    POSITIVE = "positive"
    """Finite and above zero; plain numbers only, or ``2.9 ± 0.1``."""
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
        also: names that are taken where there is none of the others, the first of them first.
    """

    name: str
    kind: Kind
    expected: str
    aliases: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


OFF_BITS = 16.0
"""Bits of a missing bit column: 16, which counts as not quantised."""
MAX_BITS = 64.0
TRAINING_BITS = ("P_w", "P_a", "P_kv")
BIT_COLUMNS = (*TRAINING_BITS, "P_post")
TIED_BITS = "P"
"""One precision for weights, activations and KV cache alike."""

_BITS_EXPECTED = (
    f"bits, above 0 and at most {MAX_BITS:.0f}, such as 4 or 16, or a format such as bf16, fp8, "
    "e4m3, int8, nvfp4, int4, W4A16, Q4_K_M or IQ2_XS"
)

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
        (
            "active params",
            "active parameters",
            "n active params",
            "num active params",
            "params active",
            "n active",
            "non embedding params",
            "non embedding parameters",
            "n non embedding params",
            "num non embedding params",
            "params non embedding",
            "n non embedding",
            "nonemb params",
            "params nonemb",
            "n nonemb",
            "total params",
            "total parameters",
            "params total",
            "trainable params",
            "trainable parameters",
            "parameter",
            "anzahl parameter",
            "parameterzahl",
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
            "seen tokens",
            "total tokens",
            "data size",
            "dataset size",
        ),
        (
            "tokens trained",
            "trained tokens",
            "trained on tokens",
            "consumed tokens",
            "tokens consumed",
            "consumed train tokens",
            "num input tokens seen",
            "input tokens seen",
            "num tokens seen",
            "n tokens seen",
            "processed tokens",
            "tokens processed",
            "total train tokens",
            "total training tokens",
            "num train tokens",
            "num training tokens",
            "n train tokens",
            "n training tokens",
            "pretraining tokens",
            "token count",
            "trainings tokens",
            "trainingstoken",
        ),
    ),
    Column(
        "C",
        Kind.COMPUTE,
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
        (
            "flops budget",
            "flop budget",
            "budget flops",
            "compute flops",
            "compute flop",
            "flops total",
            "total flop",
            "total compute",
            "total training flops",
            "total train flops",
            "pretraining flops",
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
        (
            "ce loss",
            "cross entropy loss",
            "val ce loss",
            "eval ce loss",
            "val cross entropy",
            "lm loss",
            "lm loss value",
            "val nll",
            "nll",
            "validation nll",
            "nats per token",
            "nll loss",
            "verlust",
            "validierungsverlust",
            "best val loss",
            "min val loss",
            "best eval loss",
            "final eval loss",
            "final test loss",
            "loss final",
            "nats per byte",
            "val nats per byte",
            "bits per byte",
            "bpb",
            "val bpb",
            "validation bpb",
            "eval bpb",
            "test bpb",
            "final bpb",
            "ppl",
            "perplexity",
            "val ppl",
            "val perplexity",
            "validation perplexity",
            "eval ppl",
            "eval perplexity",
            "test ppl",
            "test perplexity",
            "lm loss ppl",
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
        ("se", "std err", "std error", "sem", "loss sem", "val loss se", "val loss stderr"),
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
        ("quantization", "quantisation", "quant", "quant type", "quant format", "ptq format"),
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
    Column("run_id", Kind.LABEL, "a label", ("run", "run name", "run uuid", "id", "name")),
    Column("exclude", Kind.FLAG, "yes or no (1 or 0)", ("excluded", "is excluded", "drop")),
    Column(
        "reason", Kind.LABEL, "a label", ("exclude reason", "exclusion reason", "reason excluded")
    ),
    Column("n_kind", Kind.LABEL, "a label", ("param kind", "parameter kind", "params kind")),
)
KNOWN: dict[str, Column] = {c.name: c for c in COLUMNS}


LONGEST_NAME = 200
"""Characters of a header; a longer one is not the name of a known column."""


def fold(name: str) -> str:
    """A column name without letter case, spaces and punctuation; a very long one as it is."""
    if len(name) > LONGEST_NAME:
        return name
    return "".join(ch for ch in name.casefold() if ch.isalnum())


BY_ALIAS = {fold(alias): c.name for c in COLUMNS for alias in (c.name, *c.aliases)}
"""Folded name → known column."""
BY_LATER_ALIAS = {fold(alias): c.name for c in COLUMNS for alias in c.also}
"""Folded name → known column, where no header has a name of the first kind."""


_WORDS = {"N": ("param",), "D": ("token",), "C": ("flop", "compute")}
"""Words in the header of a column that may hold N, D or C."""


def resembling(column: str, headers: Iterable[str]) -> tuple[str, ...]:
    """The headers that may hold N, D or C, by a word in them; none for any other column."""
    words = _WORDS.get(column, ())
    return tuple(each for each in headers if any(word in fold(each) for word in words))


def accepted(column: str) -> str:
    """The names under which a known column is accepted, for messages."""
    return f"{column} ({', '.join(KNOWN[column].aliases[:5])} …)"


def missing_column(column: str, headers: Sequence[str]) -> str:
    """The message about a required column that no header stands for."""
    return (
        f"no column for {quote(column)}: expected {accepted(column)}; "
        f"the columns are {quoted_names(headers)}"
    )
