"""Mixtures in size and data: Shukor's laws for K sources with shares ``mix_i`` (summing to 1).

Chinchilla's law gets a term of the mixture. In the additive law that term is separate, so that the
best mixture is the same at every size and length and can be estimated on small runs. In the joint
law the coefficients of size and data depend on the mixture too, and the best mixture changes with
both. The constants belong to one collection of sources and one target.
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
from jscale.laws.declaration import LawFunction, family, member
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
"""A share above 0: a power below 1 has an infinite derivative at 0."""
MixedExponent = Annotated[Exponent, adjust(start=(0.1, 0.6))]
MixedPower = Annotated[
    Exponent, adjust(name="mixed power", prior=lognormal(1.0, 0.5), start=(0.5, 2.0))
]

_SHUKOR = "Shukor et al. 2025 (arXiv 2507.09404)"


def _coverage(values: Mapping[str, Any], numbers: range) -> jax.Array:
    """``sum_i C_i * mix_i**gamma_i``; a source with share 0 adds nothing and has no gradient."""

    def source_term(i: int) -> jax.Array:
        share = jnp.asarray(as_float(values[f"mix_{i}"]))
        absent = share == 0
        power = jnp.where(absent, 1.0, share) ** values[f"gamma_{i}"]
        return values[f"C_{i}"] * jnp.where(absent, 0.0, power)

    return functools.reduce(jnp.add, (source_term(i) for i in numbers))


def _size_and_data(values: Mapping[str, Any], A: Any, B: Any) -> Any:
    """Size and data terms of Chinchilla's law with the coefficients A and B."""
    size_term = term(A, values["N"], values["alpha"])
    data_term = term(B, values["D"], values["beta"])
    return size_term + data_term


_SOURCES_RIDGE = (
    "All C together with E: the mixture term and the floor are not identified separately if the "
    "shares hardly vary."
)
_ZERO_TRAP = (
    "The slope at a share of 0 is infinite: runs without a source hardly constrain its first "
    "percent."
)


@family
def mixture_additive(sources: int = 3) -> LawFunction:
    """Shukor's additive law for a mixture of ``sources`` sources (a family).

    Args:
        sources: number of sources, at least 2.

    Returns:
        The law of the loss, nats per token: a term of the mixture added to Chinchilla's law.

    Raises:
        JscaleError: ``sources`` is not such a number.

    Example:
        >>> from jscale import laws
        >>> law = laws.mixture_additive(2)
        >>> theta = {"C_1": 4, "C_2": 2, "gamma_1": 0.5, "gamma_2": 0.5}
        >>> theta |= laws.params(laws.chinchilla)
        >>> for share in (0.5, 0.8):
        ...     loss = law(N=1e9, D=1e11, mix_1=share, mix_2=1 - share, **theta)
        ...     print(f"{share:.0%} of the first source: {loss:.3f} nats per token")
        50% of the first source: 2.591 nats per token
        80% of the first source: 2.579 nats per token
    """
    numbers = numbered(sources, 2)
    covered = weighted("C", numbers, "gamma")

    def evaluate(values: Mapping[str, Any]) -> Any:
        dense = _size_and_data(values, values["A"], values["B"])
        return values["E"] + 1 / _coverage(values, numbers) + dense

    return member(
        evaluate,
        name=f"mixture_additive({sources})",
        subject="mixture_scaling",
        doc="""Loss of an N-parameter model trained on D tokens of a mixture, nats per token.

        ``L = E + 1 / sum_i C_i * mix_i**gamma_i + A * N**-alpha + B * D**-beta`` (Shukor et al.
        2025, eq. 2.4). The mixture enters through a separate term, so the best one is the same at
        every size and length (best_additive_mixture).
        """,
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
            "Every source lowers the loss: the law is only valid for shares that sum to 1.",
        ),
    )


@family
def mixture_joint(sources: int = 3) -> LawFunction:
    """Shukor's joint law for a mixture of ``sources`` sources (a family).

    Args:
        sources: number of sources, at least 2.

    Returns:
        The law of the loss, nats per token: the mixture enters all three terms.

    Raises:
        JscaleError: ``sources`` is not such a number.

    Example:
        >>> from jscale import laws
        >>> law = laws.mixture_joint(2)
        >>> theta = {"E": 1.5, "alpha": 0.34, "beta": 0.28, "gamma_A": 1.0, "gamma_B": 1.0}
        >>> theta |= {"A_1": 300, "A_2": 500, "B_1": 500, "B_2": 300}
        >>> theta |= {"C_1": 4, "C_2": 2, "gamma_1": 0.5, "gamma_2": 0.5}
        >>> print(f"{law(N=1e9, D=1e11, mix_1=0.5, mix_2=0.5, **theta):.3f} nats per token")
        2.417 nats per token
    """
    numbers = numbered(sources, 2)
    covered = weighted("C", numbers, "gamma")
    size, data = weighted("A", numbers), weighted("B", numbers)

    # The coordinates are the terms of this source alone, in nats at the centre of the runs.
    size_anchor = Anchor("N**(-alpha / gamma_A)", power="gamma_A")
    data_anchor = Anchor("D**(-beta / gamma_B)", power="gamma_B")
    SourceSize = Annotated[SizeCoefficient, adjust(anchor=size_anchor)]
    SourceData = Annotated[DataCoefficient, adjust(anchor=data_anchor)]

    def evaluate(values: Mapping[str, Any]) -> Any:
        A = weighted_sum(values, "A", numbers) ** values["gamma_A"]
        B = weighted_sum(values, "B", numbers) ** values["gamma_B"]
        return values["E"] + 1 / _coverage(values, numbers) + _size_and_data(values, A, B)

    return member(
        evaluate,
        name=f"mixture_joint({sources})",
        subject="mixture_scaling",
        doc="""Loss of an N-parameter model whose data mixture enters every term, nats per token.

        ``L = E + 1 / sum_i C_i * mix_i**gamma_i + A_h * N**-alpha + B_h * D**-beta`` with
        ``A_h = (sum_i A_i * mix_i)**gamma_A`` and ``B_h = (sum_i B_i * mix_i)**gamma_B`` (Shukor et
        al. 2025, eq. 2.5). The best mixture changes with size and length.
        """,
        inputs={"N": Count, "D": Tokens, **{f"mix_{i}": PresentShare for i in numbers}},
        parameters={
            "E": Irreducible,
            "alpha": MixedExponent,
            "beta": MixedExponent,
            **{f"A_{i}": SourceSize for i in numbers},
            "gamma_A": MixedPower,
            **{f"B_{i}": SourceData for i in numbers},
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
            "gamma_A is not identified if the A_i are all equal; likewise gamma_B.",
            _SOURCES_RIDGE,
        ),
        traps=(
            SUM_TRAP,
            _ZERO_TRAP,
            "The forms of A_h and B_h were not checked against the paper: compare before you use "
            "its constants.",
        ),
    )


FAMILIES = {"mixture_additive": mixture_additive, "mixture_joint": mixture_joint}


def best_additive_mixture(C: ArrayLike, gamma: ArrayLike) -> Mixture:
    """Shares that minimise Shukor's additive law, the same for every size and number of tokens.

    ``h_i = (C_i * gamma_i / price)**(1 / (1 - gamma_i))``, with the price such that they sum to 1:
    at the optimum one more percent of any source lowers the loss equally (Shukor et al. 2025, arXiv
    2507.09404, eq. 2.4). Differentiable.

    Args:
        C: source scales, (K,).
        gamma: source powers, (K,), all below 1: otherwise the best mixture may be one source alone,
            and the status is ``no_interior_optimum``.

    Returns:
        The best shares (K,) and a status.

    Example:
        >>> from jscale import laws
        >>> best = laws.best_additive_mixture(C=[4.0, 2.0], gamma=[0.5, 0.5])
        >>> print(f"{best.shares[0]:.1%} and {best.shares[1]:.1%}")
        80.0% and 20.0%
    """
    return _best_additive_mixture(inexact(C), inexact(gamma))


@jax.jit
def _best_additive_mixture(C: jax.Array, gamma: jax.Array) -> Mixture:
    concave = jnp.all(gamma < 1)
    slack = 1 - jnp.where(concave, gamma, 0.5)

    # Logarithm of the marginal value of a source in a mixture that consists of it alone.
    value = jnp.log(C * (1 - slack))
    log_count = jnp.log(jnp.asarray(C.shape[0], C.dtype))

    def log_total_share(log_price: jax.Array) -> jax.Array:
        return jax.nn.logsumexp((value - log_price) / slack)

    # At the lower end of the bracket one share is 1, at the upper end none is above 1 / K.
    price = root(log_total_share, jnp.max(value), jnp.max(value + slack * log_count))
    status = jnp.where(concave, price.status, int(Status.no_interior_optimum))
    shares = jnp.exp((value - price.x) / slack)
    return Mixture(jnp.where(status == int(Status.converged), shares, jnp.nan), status)
