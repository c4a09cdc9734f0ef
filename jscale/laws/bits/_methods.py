"""Several formats or methods of compression at once: one share of effective parameters for each.

``L = E + A * (N * share)**-alpha + B * D**-beta`` as in the chapter on compressed models; the
shares are parameters. Only dense runs in the same table tell them from A. What carries over is the
order of the methods, not their shares, which belong to the recipe.
"""

import functools
from collections.abc import Mapping
from typing import Any

from jscale._core.arrays import as_float, term
from jscale._core.errors import JscaleError
from jscale.laws.bits._compressed import Indicator, ShareOfMethod
from jscale.laws.bits._shared import DENSE_RIDGE
from jscale.laws.declaration import LawFunction, member
from jscale.laws.roles import (
    Count,
    DataCoefficient,
    Exponent,
    Irreducible,
    Loss,
    SizeCoefficient,
    Tokens,
)


@functools.cache
def compressed_methods(n: int = 1) -> LawFunction:
    """The law of n methods of compression (Panferov et al. 2025); parameters E, A, B, alpha, beta,
    eff_i.

    Args:
        n: number of methods; the runs have a column ``compressed_i`` for each, 1 for its runs and 0
            for all others.

    Raises:
        JscaleError: n is not a whole number above 0.
    """
    if not isinstance(n, int) or n < 1:
        raise JscaleError(f"compressed_methods needs 1 method or more, not {n!r}")
    which = range(1, n + 1)

    def evaluate(values: Mapping[str, Any]) -> Any:
        size = as_float(values["N"])
        for i in which:
            size = size * as_float(values[f"eff_{i}"]) ** as_float(values[f"compressed_{i}"])
        return (
            values["E"]
            + term(values["A"], size, values["alpha"])
            + term(values["B"], values["D"], values["beta"])
        )

    dense = {
        "E": Irreducible,
        "A": SizeCoefficient,
        "B": DataCoefficient,
        "alpha": Exponent,
        "beta": Exponent,
    }
    shares = " * ".join(f"eff_{i}**compressed_{i}" for i in which)
    return member(
        evaluate,
        name=f"compressed_methods({n})",
        doc=f"""Loss of dense models and of those that {n} method{"s" * (n > 1)} compressed, nats per token.

        ``L = E + A * (N * eff_i)**-alpha + B * D**-beta`` for the runs of method i, with a share of 1 for dense runs
        (Panferov et al. 2025; Frantar et al. 2025). Column ``compressed_i`` is 1 for the runs of method i.
        """,
        subject="methods",
        inputs={"N": Count, "D": Tokens} | {f"compressed_{i}": Indicator for i in which},
        parameters=dense | {f"eff_{i}": ShareOfMethod for i in which},
        output=Loss,
        formula="E + A * (N * share)**-alpha + B * D**-beta",
        where={"share": shares},
        source="Panferov et al. 2025 (arXiv 2502.05003); Frantar et al. 2025 (arXiv 2502.16440)",
        decreasing=("N", "D"),
        limits={"N = inf, D = inf": "E"},
        ridges=(DENSE_RIDGE, "All eff_i with A unless the runs have dense models too."),
        traps=(
            "A run belongs to one method: two columns of 1 multiply their shares.",
            "QuEST's shares are in QUEST_FORMATS.",
        ),
    )


FAMILIES = {"compressed_methods": compressed_methods}
