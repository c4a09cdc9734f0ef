"""Gathered tables as columns for :func:`jscale.runs.read`; nothing is rounded."""

from collections.abc import Iterable, Mapping

from jscale.runs.public._tidy import Columns, records

_SEQUENCE_TOKENS = 2048
"""Tokens in a sequence of the Step Law runs, whose table has batches in sequences."""


def _copy(content: bytes, renamed: Mapping[str, str], dropped: Iterable[str] = ()) -> Columns:
    """All columns unchanged, some under another name, without those in ``dropped``."""
    rows = records(content.decode())
    names = [name for name in rows[0] if name not in set(dropped)]
    return {renamed.get(name, name): [row[name] for row in rows] for name in names}


def _exclude_unused(columns: Columns, used: str, reason: str) -> Columns:
    """The columns with the rows whose flag ``used`` is 0 excluded; the flag itself is removed."""
    exclude = [cell == "0" for cell in columns.pop(used)]
    reasons = [reason if excluded else "" for excluded in exclude]
    return {**columns, "exclude": exclude, "reason": reasons}


def datablations(content: bytes) -> Columns:
    """Muennighoff et al.'s runs with repeated data: U unique tokens of D.

    The paper's fit uses 182 of the 296 runs; the others are excluded.
    """
    columns = _copy(content, {"D_unique": "U", "run": "run_id", "config": "group"})
    return _exclude_unused(
        columns, "in_paper_fit_182", "muennighoff: not among the runs of the paper's fit"
    )


def gadre(content: bytes) -> Columns:
    """Gadre et al.'s over-trained models on C4 and RefinedWeb; M tokens a parameter, loss on C4."""
    columns = _copy(content, {"name": "run_id", "train_set": "group", "model": "shape"})
    return {**columns, "n_kind": ["total"] * len(columns["N"])}


def gemstones(content: bytes) -> Columns:
    """Gemstones' checkpoints of 22 shapes.

    They are at constant learning rate (hot) and at the end of a decay (cool_end).
    """
    columns = _copy(content, {"run": "shape"})
    shapes = zip(columns["width"], columns["depth"], strict=True)
    groups = [f"{width}x{depth}" for width, depth in shapes]
    return {**columns, "group": groups, "n_kind": ["total"] * len(columns["N"])}


def porian(content: bytes) -> Columns:
    """Porian et al.'s isoFLOP points on RefinedWeb: one row for each protocol, budget and model."""
    return _copy(content, {}, dropped=("file", "dataset"))


def isoflops(content: bytes) -> Columns:
    """Open-Athena's collection of isoFLOP points, with budgets rounded to the nominal ones.

    Points that it flags are excluded, with its reason.
    """
    columns = _copy(content, {"outlier": "exclude", "outlier_reason": "reason"})
    reasons = ["" if reason == "none" else reason for reason in columns["reason"]]
    return {**columns, "reason": reasons}


def steplaw(content: bytes) -> Columns:
    """Step Law's grids over learning rate and batch.

    A group is a cell: one model size on one number of tokens.
    """
    columns = _copy(content, {"bs": "batch_sequences", "ti": "steps"})
    cells = zip(columns["N"], columns["D"], strict=True)
    batches = columns["batch_sequences"]
    return {
        **columns,
        "batch_tokens": [repr(float(batch) * _SEQUENCE_TOKENS) for batch in batches],
        "group": [f"N={float(n):.3g} D={float(d):.3g}" for n, d in cells],
        "n_kind": ["non-embedding"] * len(columns["N"]),
    }


def vocab(content: bytes) -> Columns:
    """Tao et al.'s vocabulary runs at 20 training lengths each.

    The loss is relative to that of a unigram model, so it is negative.
    """
    names = {
        "loss": "loss_u",
        "N_nonvocab": "N_nv",
        "N_vocab": "N_v",
        "vocab_size": "vocab",
        "embed_dim": "d_model",
        "num_characters": "characters",
        "sld_split": "split",
    }
    columns = _copy(content, names)
    return _exclude_unused(
        columns, "used_in_paper_fit", "tao: below 2.18e17 FLOP, not in the paper's fit"
    )
