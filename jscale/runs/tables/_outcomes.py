"""What laws predict other than losses, and the names of its columns."""

from jscale.laws import catalogue, describe
from jscale.runs.tables._columns import KNOWN, fold

OUTCOMES = (frozenset(describe(law).output.column for law in catalogue) | {"delta"}) - {"", *KNOWN}
"""Columns of what laws predict other than losses and resources; a table with one needs no loss."""

_NAMES = {
    "delta": ("delta loss", "loss delta", "degradation", "loss degradation", "loss change"),
    "error": ("error rate", "err", "test error", "top1 error"),
    "score": ("accuracy", "acc", "top1 accuracy", "benchmark score"),
    "lr": ("learning rate", "peak lr", "peak learning rate", "max lr", "lr max"),
}
"""Outcome → other names of its column."""


def outcome_names(outcome: str) -> tuple[str, ...]:
    """The folded names under which the column of an outcome is found."""
    return tuple(fold(name) for name in (outcome, *_NAMES.get(outcome, ())))
