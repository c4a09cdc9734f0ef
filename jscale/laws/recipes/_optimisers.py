"""Quantisation-aware training in 4 bits with several optimisers."""

from collections.abc import Mapping

from jscale._core.arrays import as_float, term
from jscale.laws.bits import Indicator, MethodMultiplier
from jscale.laws.declaration import law
from jscale.laws.roles import Count, Exponent, Irreducible, Loss, SizeCoefficient

_VLASSIS = "Vlassis et al. 2025 (arXiv 2509.23500)"

QAT_OPTIMISERS: Mapping[str, float] = {
    "shampoo": 0.879,
    "adamw": 0.863,
    "scion": 0.856,
    "muon": 0.852,
    "psgd": 0.739,
}
"""Effective parameters per parameter of models whose weights and activations are trained in 4 bits,
by optimiser: Vlassis et al. 2025, one transcription. 50M to 1.5B parameters at 20 tokens each."""


@law(
    formula="E + A * (N * rho**quantised)**-alpha",
    source=_VLASSIS,
    decreasing=("N",),
    limits={"N = inf": "E", "quantised = 0": "E + A * N**-alpha"},
    ridges=(
        "A with alpha and E with alpha, as in any power law with a floor.",
        "rho with A unless the runs include full precision.",
    ),
    traps=(
        "Form and rho rest on one transcription of the paper [S1].",
        "One optimiser's runs alone: E, A and alpha differ between optimisers, and were not found; "
        "rho is in QAT_OPTIMISERS.",
        "Runs must have the same tokens per parameter: the law has no data term.",
        "The order of optimisers in full precision is another one: rho compares an optimiser with "
        "itself.",
    ),
)
def optimiser_qat(
    N: Count,
    quantised: Indicator,
    *,
    E: Irreducible,
    A: SizeCoefficient,
    alpha: Exponent,
    rho: MethodMultiplier,
) -> Loss:
    """Loss of models of one optimiser in full precision and in 4 bits, nats per token.

    ``L = E + A * (N * rho)**-alpha`` for models trained in 4 bits, with ``rho = 1`` for those in
    full precision (Vlassis et al. 2025). The column ``quantised`` is 1 for the former.

    Example:
        >>> from jscale import laws
        >>> theta = {"E": 1.7, "A": 400.0, "alpha": 0.34}
        >>> for name in ("shampoo", "psgd"):
        ...     loss = laws.optimiser_qat(1e9, 1, rho=laws.QAT_OPTIMISERS[name], **theta)
        ...     print(f"{name}: {loss:.3f} nats per token in 4 bits")
        shampoo: 2.064 nats per token in 4 bits
        psgd: 2.086 nats per token in 4 bits
    """
    return E + term(A, as_float(N) * as_float(rho) ** as_float(quantised), alpha)
