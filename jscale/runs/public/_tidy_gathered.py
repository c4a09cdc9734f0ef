"""Tables gathered from notebooks, pickles and many small files, turned into columns; nothing is
rounded.
"""

from collections.abc import Iterable, Mapping

from jscale.runs.public._tidy import Columns, records

_SEQUENCE = 2048
"""Tokens in a sequence of the Step Law runs, whose table counts batches in sequences."""


def _taken(content: bytes, renamed: Mapping[str, str], dropped: Iterable[str] = ()) -> Columns:
    """All columns as they stand, some under another name, some left out."""
    rows = records(content.decode())
    return {
        renamed.get(name, name): [row[name] for row in rows]
        for name in rows[0]
        if name not in set(dropped)
    }


def _excluding(columns: Columns, used: str, reason: str) -> Columns:
    """The same with the rows of flag ``used`` = 0 excluded; the flag itself goes."""
    out = [cell == "0" for cell in columns.pop(used)]
    return {**columns, "exclude": out, "reason": [reason if excluded else "" for excluded in out]}


def datablations(content: bytes) -> Columns:
    """Muennighoff et al.'s runs with repeated data: U unique tokens of D; the paper's fit takes 182
    of the 296.
    """
    columns = _taken(content, {"D_unique": "U", "run": "run_id", "config": "group"})
    return _excluding(
        columns, "in_paper_fit_182", "muennighoff: not among the runs of the paper's fit"
    )


def gadre(content: bytes) -> Columns:
    """Gadre et al.'s over-trained models on C4 and RefinedWeb; M tokens per parameter, loss on C4."""
    columns = _taken(content, {"name": "run_id", "train_set": "group", "model": "shape"})
    return {**columns, "n_kind": ["total"] * len(columns["N"])}


def gemstones(content: bytes) -> Columns:
    """Gemstones' checkpoints: 22 shapes at constant learning rate (hot) and at the end of a decay
    (cool_end).
    """
    columns = _taken(content, {"run": "shape"})
    shapes = zip(columns["width"], columns["depth"], strict=True)
    return {
        **columns,
        "group": [f"{w}x{d}" for w, d in shapes],
        "n_kind": ["total"] * len(columns["N"]),
    }


def porian(content: bytes) -> Columns:
    """Porian et al.'s isoFLOP points on RefinedWeb: one row for each protocol, budget and model."""
    return _taken(content, {}, dropped=("file", "dataset"))


def isoflops(content: bytes) -> Columns:
    """Open-Athena's collection of isoFLOP points, budgets snapped; those that it flags are excluded
    with its reason.
    """
    columns = _taken(content, {"outlier": "exclude", "outlier_reason": "reason"})
    kept = ["" if reason == "none" else reason for reason in columns["reason"]]
    return {**columns, "reason": kept}


def steplaw(content: bytes) -> Columns:
    """Step Law's grids over learning rate and batch; a group is a cell, one size on one number of
    tokens.
    """
    columns = _taken(content, {"bs": "batch_sequences", "ti": "steps"})
    cells = zip(columns["N"], columns["D"], strict=True)
    return {
        **columns,
        "batch_tokens": [repr(float(cell) * _SEQUENCE) for cell in columns["batch_sequences"]],
        "group": [f"N={float(n):.3g} D={float(d):.3g}" for n, d in cells],
        "n_kind": ["non-embedding"] * len(columns["N"]),
    }


def vocab(content: bytes) -> Columns:
    """Tao et al.'s vocabulary runs at 20 lengths each; the loss counts from a unigram model's and
    is negative.
    """
    names = {
        "loss": "loss_u",
        "N_nonvocab": "N_nv",
        "N_vocab": "N_v",
        "vocab_size": "vocab",
        "embed_dim": "d_model",
    }
    columns = _taken(content, {**names, "num_characters": "characters", "sld_split": "split"})
    return _excluding(
        columns, "used_in_paper_fit", "tao: below 2.18e17 FLOP, not in the paper's fit"
    )
