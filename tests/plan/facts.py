"""Optima from the table of reference values (``tests/reference/values.json``).

They were computed in 40-digit arithmetic and confirmed by other optimisers, ten digits each.
"""

import json
from pathlib import Path
from typing import Any

_ENTRIES = {
    entry["id"]: entry
    for entry in json.loads(
        Path(__file__).parents[1].joinpath("reference", "values.json").read_text()
    )["values"]
}


def _rows(name: str, width: int | None = None) -> tuple[tuple[float, ...], ...]:
    """The rows of an entry's one table, the first ``width`` numbers of each."""
    (table,) = (
        rows
        for key, rows in _ENTRIES[name]["expected"].items()
        if key.startswith(("rows", "table"))
    )
    return tuple(tuple(row[:width]) for row in table)


def _expected(name: str, key: str) -> Any:
    return _ENTRIES[name]["expected"][key]


PSTAR = {
    name: _expected(name, "P_star")
    for name in (
        "pstar_tied_gbar",
        "pstar_factorised_nobias",
        "pstar_factorised_bias",
        "pstar_w_only_bias",
    )
}
"""Bits of the joint optimum of N, D and P: the condition that eq. 28 of Kumar et al. 2024 means."""

PSTAR_X = {
    name: (_ENTRIES[name]["inputs"]["k"], _expected(name, "x_star"))
    for name in ("pstar_x_k2", "pstar_x_k3")
}
"""P / gamma for k equal factors without a bias: exp(x) = 1 + k x."""

PSTAR_EQ7_AS_PRINTED = _expected("pstar_eq7_as_printed", "P")
"""Bits where eq. 7 as printed holds: a misprint."""

BUDGETS = tuple(_ENTRIES["budget_factorised_bias"]["inputs"]["C"])
"""FLOP, one for each row of the three tables below."""
BUDGET_FACTORISED_BIAS = _rows("budget_factorised_bias", 4)
"""N, D, P, L of the joint optimum, C = (6 / 16) N D P."""
BUDGET_FACTORISED_NOBIAS = _rows("budget_factorised_nobias", 4)
"""The same without the exponent biases n."""
BUDGET_P16_BIAS = _rows("budget_P16_bias", 3)
"""N, D, L at P = 16."""

FIXEDN_FACTORISED_BIAS = _rows("fixedN_factorised_bias")
"""N, C, P, D: the best precision at a given size, eq. 20 to 22 generalised."""
FIXEDN_TIED_GBAR = _rows("fixedN_tied_gbar")
"""The same for three equal factors, gamma = 1.9475, without biases."""

DCRIT_SIZES, DCRIT_BITS = (
    tuple(_ENTRIES["dcrit_nobias"]["inputs"][name]) for name in ("N", "P_post")
)
DCRIT_NOBIAS = _rows("dcrit_nobias")
"""Tokens, sizes down and bits across: eq. 13 with C_T as printed (without exp(b))."""

CHINCHILLA = {
    source: tuple((C, N, D, L) for C, N, D, _, L in _rows(name))
    for source, name in (
        ("hoffmann2022", "chinchilla_opt_hoffmann_tex"),
        ("besiroglu2024", "chinchilla_opt_besiroglu"),
    )
}
"""C, N, D, L, C = 6 N D."""
