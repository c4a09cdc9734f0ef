"""Several formats or compression methods at once, each with its own effective-parameter multiplier.

``L = E + A * (N * eff)**-alpha + B * D**-beta`` as in ``_compressed``; the multipliers are
parameters. They are identified apart from A only if the table also has dense runs. The order of the
methods carries over to other recipes, the multipliers do not.
"""

from collections.abc import Mapping
from typing import Any

from jscale._core.arrays import as_float, term
from jscale._core.checks import is_whole_number
from jscale._core.errors import JscaleError
from jscale._core.text import shown
from jscale.laws.bits._compressed import Indicator, MethodMultiplier
from jscale.laws.bits._shared import DENSE_RIDGE
from jscale.laws.declaration import LawFunction, family, member
from jscale.laws.roles import (
    Count,
    DataCoefficient,
    Exponent,
    Irreducible,
    Loss,
    SizeCoefficient,
    Tokens,
)


@family
def compressed_methods(n: int = 1) -> LawFunction:
    """Law of n compression methods with one multiplier each (Panferov et al. 2025; a family).

    Its parameters are E, A, B, alpha, beta and eff_1 to eff_n.

    Args:
        n: number of methods; the runs have a column ``compressed_i`` for each, 1 for its runs and 0
            for all others.

    Returns:
        The law of the loss, nats per token.

    Raises:
        JscaleError: n is not a whole number above 0.

    Example:
        >>> from jscale import laws
        >>> law = laws.compressed_methods(2)
        >>> theta = laws.params(laws.chinchilla) | {"eff_1": 0.8, "eff_2": 0.5}
        >>> loss = law(N=1e9, D=1e11, compressed_1=0, compressed_2=1, **theta)
        >>> print(f"second method: {loss:.3f} nats per token")
        second method: 2.450 nats per token
    """
    if not is_whole_number(n, 1):
        raise JscaleError(
            f"compressed_methods: n is {shown(n)}; expected a whole number of at least 1"
        )
    methods = range(1, n + 1)

    def evaluate(values: Mapping[str, Any]) -> Any:
        size = as_float(values["N"])
        for i in methods:
            size = size * as_float(values[f"eff_{i}"]) ** as_float(values[f"compressed_{i}"])
        size_term = term(values["A"], size, values["alpha"])
        data_term = term(values["B"], values["D"], values["beta"])
        return values["E"] + size_term + data_term

    dense = {
        "E": Irreducible,
        "A": SizeCoefficient,
        "B": DataCoefficient,
        "alpha": Exponent,
        "beta": Exponent,
    }
    multiplier = " * ".join(f"eff_{i}**compressed_{i}" for i in methods)
    plural = "s" * (n > 1)
    return member(
        evaluate,
        name=f"compressed_methods({n})",
        doc=f"""Loss of dense models and of models compressed by {n} method{plural}, nats per token.

        ``L = E + A * (N * eff_i)**-alpha + B * D**-beta`` for the runs of method i, with a
        multiplier of 1 for dense runs (Panferov et al. 2025; Frantar et al. 2025). Column
        ``compressed_i`` is 1 for the runs of method i.
        """,
        subject="methods",
        inputs={"N": Count, "D": Tokens} | {f"compressed_{i}": Indicator for i in methods},
        parameters=dense | {f"eff_{i}": MethodMultiplier for i in methods},
        output=Loss,
        formula="E + A * (N * eff)**-alpha + B * D**-beta",
        where={"eff": multiplier},
        source="Panferov et al. 2025 (arXiv 2502.05003); Frantar et al. 2025 (arXiv 2502.16440)",
        decreasing=("N", "D"),
        limits={"N = inf, D = inf": "E"},
        ridges=(DENSE_RIDGE, "All eff_i with A unless the runs include dense models."),
        traps=(
            "A run belongs to one method: two columns of 1 multiply their multipliers.",
            "QuEST's multipliers are in QUEST_FORMATS.",
        ),
    )


FAMILIES = {"compressed_methods": compressed_methods}
