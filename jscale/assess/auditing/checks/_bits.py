"""Bits: below what any format has, after training above those in training, sparse levels."""

from collections.abc import Iterator

import numpy as np

from jscale._core.notes import Note
from jscale._core.text import general, plural
from jscale.assess.auditing.checks._registry import check
from jscale.assess.auditing.checks._subject import Subject, rows_evidence
from jscale.runs.tables import BIT_COLUMNS, OFF_BITS, fold

_LEAST_BITS = 1.0
_BYTES, _BYTES_OF_HALF = {1.0, 2.0, 4.0}, 2.0
"""Bytes of formats, and those of bf16."""
_TRAINING = tuple(name for name in BIT_COLUMNS if name != "P_post")


@check(
    bits_below_domain="give bits, not bytes or shares: 16 for bf16, 8 for fp8, 1.58 for ternary "
    "weights",
)
def bits_below_domain(subject: Subject) -> Iterator[Note]:
    """Bits below one, which are bytes or shares."""
    for name in BIT_COLUMNS:
        values = subject.numbers(name)
        if values is None or not (values < _LEAST_BITS).any():
            continue
        rows = subject.rows[values < _LEAST_BITS]
        message = (
            f"{name} of {subject.names_of(rows)} is {general(float(values.min()), 3)} bits: laws "
            "of precision hold from one bit on"
        )
        yield Note("bits-below-domain", "error", message, {**rows_evidence(rows), "column": name})


@check(
    bits_in_bytes="multiply by 8 if these are bytes a number; 2 bytes are 16 bits",
)
def bits_in_bytes(subject: Subject) -> Iterator[Note]:
    """Columns of bits that hold bytes: by their header, or as 1 and 2 beside nothing wider."""
    off = [note for note in subject.table.notes if note.code == "bits-off"]
    filled = {name for note in off for name in note.evidence["columns"]}
    columns = {name: subject.numbers(name) for name in BIT_COLUMNS if name not in filled}
    most = max((float(x.max()) for x in columns.values() if x is not None and len(x)), default=0.0)
    for name, values in columns.items():
        levels = np.unique(values) if values is not None else np.empty(0)
        if len(levels) < 2 or not set(levels.tolist()) <= _BYTES:
            continue
        # 2 and 4 bits are usual, after training and in it; 1 and 2 beside nothing wider are not.
        is_named = "byte" in fold(subject.table.headers.get(name, name))
        if is_named or (levels[-1] == _BYTES_OF_HALF and most <= max(_BYTES)):
            message = (
                f"{name} has the values {', '.join(general(x, 3) for x in levels)} only: bytes, "
                "not bits?"
            )
            yield Note("bits-in-bytes", "warning", message, {"column": name})


@check(
    post_above_train="leave P_post at 16 where nothing is quantised after training: weights "
    "trained in 4 bits are not changed by 8 bits after it"
)
def post_above_train(subject: Subject) -> Iterator[Note]:
    """Models quantised after training to more bits than they were trained in."""
    trained, post = subject.numbers("P_w"), subject.numbers("P_post")
    if trained is None or post is None:
        return
    above = (post > trained) & (post < OFF_BITS)
    if not above.any():
        return
    rows = subject.rows[above]
    message = (
        f"{plural(len(rows), 'run')} with P_post above P_w ({subject.names_of(rows)}): quantised "
        "after training to more bits than in training"
    )
    yield Note("post-above-train", "warning", message, rows_evidence(rows))
