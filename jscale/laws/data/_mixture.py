"""Mixtures: training data from K sources, of which source i has the share ``mix_i`` (summing to 1).

Laws for a variable number of sources: quality weights that turn tokens into effective tokens, and
Ye's law of the loss on one domain, exponential in the shares. Their constants belong to one
collection of sources, one model size and one run length; none were published in a form that carries
over, so all must be fitted. Laws that add size and data are in ``_mixture_scaling``.

All of them call the shares ``mix_1`` … ``mix_K``, so that one table of runs fits them all. A law
does not check that they sum to 1; run tables, plans and the command line reject shares that do not.
"""

import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jscale._core.arrays import as_float, inexact
from jscale._core.checks import is_whole_number
from jscale._core.errors import JscaleError
from jscale._core.solve import argmin
from jscale._core.supports import positive, real
from jscale._core.text import shown
from jscale.laws.declaration import LawFunction, family, law, member
from jscale.laws.roles import (
    Anchor,
    Coefficient,
    EffectiveTokens,
    Exponent,
    Irreducible,
    Loss,
    Prior,
    Proportion,
    Role,
    Slope,
    Tokens,
    adjust,
    lognormal,
)

Quality = Annotated[
    Coefficient,
    adjust(name="quality", meaning="value of a token", prior=lognormal(1.0, 0.7), start=(0.3, 3.0)),
]
Interaction = Annotated[
    Slope, adjust(name="interaction", prior=Prior("normal", (0.0, 2.0)), start=(-3.0, 3.0))
]
Share = Annotated[Proportion, adjust(parts="all")]
_YE = "Ye et al. 2024 (arXiv 2403.16952), authors' code"
SUM_TRAP = "The constants are only valid for shares that sum to 1."


def numbered(sources: int, least: int) -> range:
    """Numbers 1 to ``sources``, after checking that there are at least ``least`` sources."""
    if not is_whole_number(sources, least):
        raise JscaleError(
            f"mixture: sources is {shown(sources)}; expected a whole number of at least {least}"
        )
    return range(1, sources + 1)


def weighted(weight: str, numbers: range, power: str = "") -> str:
    """The formula ``q_1 * mix_1 + …``.

    With a name for the powers it is ``q_1 * mix_1**gamma_1 + …``.
    """
    terms = []
    for i in numbers:
        share = f"mix_{i}**{power}_{i}" if power else f"mix_{i}"
        terms.append(f"{weight}_{i} * {share}")
    return " + ".join(terms)


def weighted_sum(values: Mapping[str, Any], weight: str, numbers: range) -> Any:
    """``sum_i weight_i * mix_i``."""
    return sum(values[f"{weight}_{i}"] * as_float(values[f"mix_{i}"]) for i in numbers)


@family
def mixture_tokens(sources: int = 3) -> LawFunction:
    """Law of the effective tokens of a mixture of ``sources`` sources (a family).

    Args:
        sources: number of sources, at least 1.

    Returns:
        The law ``D * sum_i q_i * mix_i``, in tokens.

    Raises:
        JscaleError: ``sources`` is not such a number.

    Example:
        >>> from jscale import laws
        >>> tokens = laws.mixture_tokens(2)
        >>> effective = tokens(D=1e11, mix_1=0.75, mix_2=0.25, q_1=1.0, q_2=2.0)
        >>> print(f"{effective / 1e9:.0f}B effective tokens")
        125B effective tokens
    """
    numbers = numbered(sources, 1)
    return member(
        lambda values: as_float(values["D"]) * weighted_sum(values, "q", numbers),
        name=f"mixture_tokens({sources})",
        subject="mixture",
        doc="""Tokens of quality 1 equivalent to D tokens of a mixture, in tokens.

        ``D_eff = D * sum_i q_i * mix_i``, with a weight q_i for each source. A common quality q of
        all data turns B of Chinchilla's law into B * q**-beta and leaves every exponent, and with
        it the allocation of compute, unchanged. Bi et al. 2024 (Section 3.3) find that better data
        make the best model larger, which this form cannot express.
        """,
        inputs={"D": Tokens, **{f"mix_{i}": Share for i in numbers}},
        parameters={f"q_{i}": Quality for i in numbers},
        output=EffectiveTokens,
        formula=f"D * ({weighted('q', numbers)})",
        source="Chinchilla's data term with weights; evidence against it: Bi et al. 2024 "
        "(arXiv 2401.02954), Section 3.3",
        increasing=("D", *(f"mix_{i}" for i in numbers)),
        limits={"D = 0": "0"},
        ridges=("In a loss, the q are identified only up to a factor of B: fix one of them at 1.",),
        traps=(
            SUM_TRAP,
            "A better source changes the best allocation of compute, which a constant q cannot do.",
        ),
    )


@family
def data_mixing(sources: int = 2) -> LawFunction:
    """Ye's law of the loss on one domain for a mixture of ``sources`` sources (a family).

    The shares sum to 1, so adding a number to every t multiplies k: here t of the last source is
    fixed at 0 and its share does not enter, which makes the parameters identified. Published values
    with all t become ``k * exp(t_K)`` and ``t_j - t_K``.

    Args:
        sources: number of sources, at least 2.

    Returns:
        The law ``c + k * exp(sum_j t_j * mix_j)``, in nats per token.

    Raises:
        JscaleError: ``sources`` is not such a number.

    Example:
        >>> from jscale import laws
        >>> code_loss = laws.data_mixing(2)
        >>> for share in (0.0, 0.5):
        ...     loss = code_loss(mix_1=share, k=2.0, t_1=-3.0, c=1.0)
        ...     print(f"{share:.0%} code: {loss:.3f} nats per token")
        0% code: 3.000 nats per token
        50% code: 1.446 nats per token
    """
    numbers = numbered(sources, 2)[:-1]
    exponent = weighted("t", numbers)
    return member(
        lambda values: values["c"] + values["k"] * jnp.exp(weighted_sum(values, "t", numbers)),
        name=f"data_mixing({sources})",
        subject="mixture",
        doc=f"""Loss on one domain of a model trained on a mixture, nats per token.

        ``L = c + k * exp(sum_j t_j * mix_j)`` over all of the {sources} sources but the last, whose
        share is the remainder and whose t is 0 (Ye et al. 2024). A negative t means that the source
        lowers the loss more than the last one does.
        """,
        inputs={f"mix_{i}": Proportion for i in numbers},
        parameters={
            "k": _mixing_scale(exponent),
            **{f"t_{i}": Interaction for i in numbers},
            "c": Irreducible,
        },
        output=Loss,
        formula=f"c + k * exp({exponent})",
        source=_YE,
        limits={", ".join(f"mix_{i} = 0" for i in numbers): "c + k"},
        ridges=("c with k: a narrow range of losses does not identify the floor.",),
        traps=(
            SUM_TRAP,
            "For one size and one number of tokens: other run lengths have other constants.",
            "The best mixture for a single domain is at a corner; weight several domains "
            "(data_mixing_total).",
        ),
    )


@family
def data_mixing_total(sources: int = 3) -> LawFunction:
    """Ye's law of a loss over several domains, as many as there are sources (a family).

    With known weights s_i of the domains it is the weighted sum of their laws:
    ``c = sum_i s_i * c_i``, and k_i here corresponds to ``s_i * k_i`` there.

    Args:
        sources: number of sources, at least 2.

    Returns:
        The law ``c + sum_i k_i * exp(sum_j t_i_j * mix_j)``, in nats per token.

    Raises:
        JscaleError: ``sources`` is not such a number.

    Example:
        >>> from jscale import laws
        >>> total = laws.data_mixing_total(2)
        >>> theta = {"c": 1.5, "k_1": 1.0, "k_2": 0.5, "t_1_1": -3.0, "t_2_1": 1.0}
        >>> print(f"half and half: {total(mix_1=0.5, **theta):.3f} nats per token")
        half and half: 2.547 nats per token
    """
    domains = numbered(sources, 2)
    numbers = domains[:-1]
    exponents = {i: " + ".join(f"t_{i}_{j} * mix_{j}" for j in numbers) for i in domains}
    last_only = ", ".join(f"mix_{j} = 0" for j in numbers)

    def domain_loss(values: Mapping[str, Any], i: int) -> Any:
        exponent = sum(values[f"t_{i}_{j}"] * as_float(values[f"mix_{j}"]) for j in numbers)
        return values[f"k_{i}"] * jnp.exp(exponent)

    def evaluate(values: Mapping[str, Any]) -> Any:
        return values["c"] + sum(domain_loss(values, i) for i in domains)

    return member(
        evaluate,
        name=f"data_mixing_total({sources})",
        subject="mixture",
        doc="""Loss over several domains of a model trained on a mixture, nats per token.

        ``L = sum_i s_i * L_i = c + sum_i k_i * exp(sum_j t_i_j * mix_j)``, where c and k include
        the weights s_i of the domains; over all sources but the last, whose t is 0 (Ye et al.
        2024).
        """,
        inputs={f"mix_{j}": Proportion for j in numbers},
        parameters={
            "c": Irreducible,
            **{f"k_{i}": _mixing_scale(exponents[i]) for i in domains},
            **{f"t_{i}_{j}": Interaction for i in domains for j in numbers},
        },
        output=Loss,
        formula="c + " + " + ".join(f"k_{i} * exp({exponents[i]})" for i in domains),
        source=_YE,
        limits={last_only: "c + " + " + ".join(f"k_{i}" for i in domains)},
        ridges=(
            "The labels of the domains are interchangeable if only their total is known: fit each "
            "domain's own loss if you have it.",
            "c with all k: a narrow range of losses does not identify the floor.",
        ),
        traps=(
            SUM_TRAP,
            "For one size and one number of tokens: other run lengths have other constants.",
        ),
    )


def _mixing_scale(exponent: str) -> Any:
    return Annotated[
        Coefficient,
        adjust(
            name="mixing coefficient",
            unit="nats/token",
            meaning="scale of the loss that depends on the mixture",
            prior=lognormal(0.3, 0.8),
            start=(0.1, 1.5),
            anchor=Anchor(f"exp({exponent})"),
        ),
    ]


TimesSeen = Annotated[
    ArrayLike,
    Role(
        "times seen",
        "repetitions",
        "how often the data were seen before",
        real,
        ends=(0.0, 50.0),
        typical=4.0,
        limits=(0.0, math.inf),
    ),
]
Utility = Annotated[
    Any, Role("exponent", "1", "power by which more data lower the loss", column="exponent")
]
HalfLife = Annotated[
    ArrayLike,
    Role(
        "half-life",
        "repetitions",
        "repetitions that halve the exponent",
        positive,
        lognormal(4.0, 0.7),
        (1.0, 12.0),
    ),
]


@law(
    formula="b * 2**(-k / tau)",
    source="Goyal et al. 2024 (arXiv 2404.07177), eq. 2",
    decreasing=("k",),
    limits={"k = 0": "b", "k = inf": "0"},
    ridges=("b with tau unless the runs have both fresh data and data seen several times.",),
    traps=(
        "An exponent, not a loss: the loss falls as n**-b_k over the k-th pass.",
        "Each pool of data has its own b and tau; they were measured on image-text models.",
    ),
)
def data_utility(
    k: TimesSeen, *, b: Annotated[Exponent, adjust(start=(0.02, 0.6))], tau: HalfLife
) -> Utility:
    """Exponent with which data that were seen k times before still lower the loss, dimensionless.

    ``b_k = b * 2**(-k / tau)``: the stricter a filter, the fewer data remain and the sooner they
    are used up (Goyal et al. 2024, eq. 2; there b is negative).

    Example:
        >>> from jscale import laws
        >>> for repetitions in (0, 4, 8):
        ...     print(f"{laws.data_utility(repetitions, b=0.2, tau=4.0):.2f}")
        0.20
        0.10
        0.05
    """
    return b * jnp.exp2(-as_float(k) / tau)


FAMILIES = {
    "mixture_tokens": mixture_tokens,
    "data_mixing": data_mixing,
    "data_mixing_total": data_mixing_total,
}


class Mixture(NamedTuple):
    """Shares (K,) that sum to 1; they are the optimum where ``status`` is ``converged``."""

    shares: jax.Array
    status: jax.Array


_LOG_RATIO_BOUND = 12.0
"""Shares are searched between exp(-12) and exp(12) times the last source's."""
_POINTS = {2: 97, 3: 33, 4: 17}
"""Points of the initial scan for each ratio of shares, by the number of sources."""


def best_mixture(loss: Callable[[jax.Array], jax.Array], sources: int) -> Mixture:
    """Shares that minimise ``loss``.

    A scan and Newton's method over the logarithms of the shares' ratios. Values that ``loss``
    closes over are differentiated through.

    Args:
        loss: function of the shares (sources,) that returns a scalar, twice differentiable: a law
            at given constants, size and tokens.
        sources: number of sources, 2 to 4.

    Returns:
        The best shares. If the best mixture leaves a source out, the status is
            ``no_interior_optimum`` and its share is the smallest of the search range.

    Raises:
        JscaleError: another number of sources.

    Example:
        >>> from jscale import laws
        >>> law = laws.data_mixing_total(2)
        >>> theta = {"c": 1.5, "k_1": 1.0, "k_2": 0.1, "t_1_1": -3.0, "t_2_1": 2.0}
        >>> best = laws.best_mixture(lambda shares: law(mix_1=shares[0], **theta), sources=2)
        >>> print(f"{best.shares[0]:.1%} of the first source")
        54.2% of the first source
    """
    if sources not in _POINTS:
        raise JscaleError(f"best_mixture: sources is {shown(sources)}; expected 2, 3 or 4")

    def shares(ratios: jax.Array) -> jax.Array:
        return jax.nn.softmax(jnp.append(ratios, 0.0))

    @jax.jit  # one program: outside of jit, each of its 140 operations would be compiled alone
    def search() -> Mixture:
        bound = jnp.full((sources - 1,), _LOG_RATIO_BOUND, inexact(0.0).dtype)
        optimum = argmin(lambda ratios: loss(shares(ratios)), -bound, bound, _POINTS[sources])
        return Mixture(shares(optimum.x), optimum.status)

    return search()
