"""Mixtures in size and data: Shukor's laws for K sources, of which source i has the share ``mix_i``
    (shares sum to 1).

Chinchilla's law gets a term of the mixture. In the additive law the mixture stands apart, so that
the best one is the same at every size and length and can be found on small runs. In the joint law
the coefficients of size and data depend on the mixture too, and the best one moves. The constants
belong to one collection of sources and one target.
"""

import functools
from collections.abc import Mapping
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jscale._core.arrays import as_float, inexact, term
from jscale._core.solve import root
from jscale._core.status import Status
from jscale.laws.data._mixture import SUM_TRAP, Mixture, numbered, weighted, weighted_sum
from jscale.laws.declaration import LawFunction, member
from jscale.laws.roles import (
    Anchor,
    Coefficient,
    Count,
    DataCoefficient,
    Exponent,
    Irreducible,
    Loss,
    Proportion,
    SizeCoefficient,
    Tokens,
    adjust,
    lognormal,
)

SourceScale = Annotated[
    Coefficient,
    adjust(name="source scale", unit="tokens/nat", prior=lognormal(4.0, 1.0), start=(1.0, 15.0)),
]
SourcePower = Annotated[
    Exponent, adjust(name="source power", prior=lognormal(0.5, 0.5), start=(0.2, 0.9))
]
PresentShare = Annotated[Proportion, adjust(ends=(0.01, 1.0), parts="all")]
"""A share above 0: where it enters as a power below 1 its derivative is infinite at 0."""
MixedExponent = Annotated[Exponent, adjust(start=(0.1, 0.6))]
MixedPower = Annotated[
    Exponent, adjust(name="mixed power", prior=lognormal(1.0, 0.5), start=(0.5, 2.0))
]

_SHUKOR = "Shukor et al. 2025 (arXiv 2507.09404)"


def _coverage(given: Mapping[str, Any], numbers: range) -> jax.Array:
    """``sum_i C_i * mix_i**gamma_i``; a source with no share adds nothing and has no gradient."""

    def one(share: ArrayLike, power: Any) -> jax.Array:
        share = jnp.asarray(as_float(share))
        none = share == 0
        return jnp.where(none, 0.0, jnp.where(none, 1.0, share) ** power)

    terms = (given[f"C_{i}"] * one(given[f"mix_{i}"], given[f"gamma_{i}"]) for i in numbers)
    return functools.reduce(jnp.add, terms)


_SOURCES_RIDGE = "All C together against E: what the mixture adds and the floor look alike when shares hardly vary."
_ZERO_TRAP = "A source with no share at all: the first percent has an infinite slope, so runs without it say little."


@functools.cache
def mixture_additive(sources: int = 3) -> LawFunction:
    """Shukor's additive law for a mixture of ``sources`` sources (a family)."""
    numbers = numbered(sources, 2)
    covered = weighted("C", numbers, "gamma")

    def evaluate(given: Mapping[str, Any]) -> Any:
        dense = term(given["A"], given["N"], given["alpha"]) + term(
            given["B"], given["D"], given["beta"]
        )
        return given["E"] + 1 / _coverage(given, numbers) + dense

    return member(
        evaluate,
        name=f"mixture_additive({sources})",
        subject="mixture_scaling",
        doc="Loss of an N-parameter model trained on D tokens of a mixture, nats per token.\n\n"
        "``L = E + 1 / sum_i C_i * mix_i**gamma_i + A * N**-alpha + B * D**-beta`` (Shukor et al. 2025, eq. 2.4). "
        "The mixture stands in a term of its own, so the best one is the same at every size and length "
        "(best_additive_mixture).",
        inputs={"N": Count, "D": Tokens, **{f"mix_{i}": PresentShare for i in numbers}},
        parameters={
            "E": Irreducible,
            "A": SizeCoefficient,
            "B": DataCoefficient,
            "alpha": Exponent,
            "beta": Exponent,
            **{f"C_{i}": SourceScale for i in numbers},
            **{f"gamma_{i}": SourcePower for i in numbers},
        },
        output=Loss,
        formula=f"E + 1 / ({covered}) + A * N**-alpha + B * D**-beta",
        source=f"{_SHUKOR}, eq. 2.4",
        decreasing=("N", "D", *(f"mix_{i}" for i in numbers)),
        limits={"N = inf, D = inf": f"E + 1 / ({covered})"},
        ridges=(
            "A with alpha, B with beta and E with alpha, as in Chinchilla's law.",
            _SOURCES_RIDGE,
        ),
        traps=(
            SUM_TRAP,
            _ZERO_TRAP,
            "Every source only ever helps: the law is for shares that sum to 1.",
        ),
    )


@functools.cache
def mixture_joint(sources: int = 3) -> LawFunction:
    """Shukor's joint law for a mixture of ``sources`` sources (a family)."""
    numbers = numbered(sources, 2)
    covered, size, data = (
        weighted("C", numbers, "gamma"),
        weighted("A", numbers),
        weighted("B", numbers),
    )

    def evaluate(given: Mapping[str, Any]) -> Any:
        A = weighted_sum(given, "A", numbers) ** given["gamma_A"]
        B = weighted_sum(given, "B", numbers) ** given["gamma_B"]
        dense = term(A, given["N"], given["alpha"]) + term(B, given["D"], given["beta"])
        return given["E"] + 1 / _coverage(given, numbers) + dense

    def scale(role: Any, resource: str, exponent: str, power: str) -> Any:
        # What this source alone would make of the term, in nats at the centre of the runs.
        return Annotated[
            role, adjust(anchor=Anchor(f"{resource}**(-{exponent} / {power})", power=power))
        ]

    return member(
        evaluate,
        name=f"mixture_joint({sources})",
        subject="mixture_scaling",
        doc="Loss of an N-parameter model trained on D tokens of a mixture valued unevenly, nats per token.\n\n"
        "``L = E + 1 / sum_i C_i * mix_i**gamma_i + A_h * N**-alpha + B_h * D**-beta`` with "
        "``A_h = (sum_i A_i * mix_i)**gamma_A`` and ``B_h`` alike (Shukor et al. 2025, eq. 2.5). The best mixture "
        "moves with size and length.",
        inputs={"N": Count, "D": Tokens, **{f"mix_{i}": PresentShare for i in numbers}},
        parameters={
            "E": Irreducible,
            "alpha": MixedExponent,
            "beta": MixedExponent,
            **{f"A_{i}": scale(SizeCoefficient, "N", "alpha", "gamma_A") for i in numbers},
            "gamma_A": MixedPower,
            **{f"B_{i}": scale(DataCoefficient, "D", "beta", "gamma_B") for i in numbers},
            "gamma_B": MixedPower,
            **{f"C_{i}": SourceScale for i in numbers},
            **{f"gamma_{i}": SourcePower for i in numbers},
        },
        output=Loss,
        formula="E + 1 / covered + A_h * N**-alpha + B_h * D**-beta",
        where={"covered": covered, "A_h": f"({size})**gamma_A", "B_h": f"({data})**gamma_B"},
        source=f"{_SHUKOR}, eq. 2.5",
        decreasing=("N", "D"),
        limits={"N = inf, D = inf": f"E + 1 / ({covered})"},
        ridges=(
            "The A_i with gamma_A and alpha, and the B_i with gamma_B and beta.",
            "All A_i are one number, and gamma_A is free, where every source is worth the same to size; so for B.",
            _SOURCES_RIDGE,
        ),
        traps=(
            SUM_TRAP,
            _ZERO_TRAP,
            "The forms of A_h and B_h were not checked against the paper: compare before you quote its constants.",
        ),
    )


FAMILIES = {"mixture_additive": mixture_additive, "mixture_joint": mixture_joint}


def best_additive_mixture(C: ArrayLike, gamma: ArrayLike) -> Mixture:
    """The shares at which Shukor's additive law is smallest, whatever the size and the tokens.

    ``h_i = (C_i * gamma_i / price)**(1 / (1 - gamma_i))``, the price such that they sum to 1: at
    the optimum one more percent of any source is worth the same. Differentiable.

    Args:
        C: source scales, (K,).
        gamma: source powers, (K,), all below 1: otherwise the best mixture may be one source alone,
            and the status says ``no_interior_optimum``.

    Source: Shukor et al. 2025 (arXiv 2507.09404), eq. 2.4.
    """
    C, gamma = inexact(C), inexact(gamma)
    concave = jnp.all(gamma < 1)
    slack = 1 - jnp.where(concave, gamma, 0.5)
    worth = jnp.log(C * (1 - slack))  # of the last token of a mixture that is this source alone
    even = jnp.log(jnp.asarray(C.shape[0], C.dtype))

    def excess(log_price: jax.Array) -> jax.Array:
        return jax.nn.logsumexp((worth - log_price) / slack)

    # At the lower end one share is 1, at the upper end none is above 1 / K.
    price = root(excess, jnp.max(worth), jnp.max(worth + slack * even))
    status = jnp.where(concave, price.status, int(Status.no_interior_optimum))
    shares = jnp.exp((worth - price.x) / slack)
    return Mixture(jnp.where(status == int(Status.converged), shares, jnp.nan), status)
