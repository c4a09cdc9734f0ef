"""Mixtures: data from K sources, of which source i has the share ``mix_i`` (shares sum to 1).

Families by the number of sources: quality weights that turn tokens into effective tokens, and Ye's
law of the loss on one domain, exponential in the shares. Their constants belong to one collection
of sources, one size and one run length; none were published in a form that carries over, so all are
to be fitted. Laws that add size and data are in ``mixture_scaling``.

Every family calls its shares ``mix_1`` … ``mix_K``, so that one table of runs serves them all. A
law checks no sum and takes shares at their word; tables of runs, plans and the command line refuse
those that do not sum to 1.
"""

import functools
import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jscale._core.arrays import as_float, inexact
from jscale._core.errors import JscaleError
from jscale._core.solve import argmin
from jscale._core.supports import positive, real
from jscale.laws.declaration import LawFunction, law, member
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
    adjust(name="quality", meaning="worth of a token", prior=lognormal(1.0, 0.7), start=(0.3, 3.0)),
]
Interaction = Annotated[
    Slope, adjust(name="interaction", prior=Prior("normal", (0.0, 2.0)), start=(-3.0, 3.0))
]
Share = Annotated[Proportion, adjust(parts="all")]
_YE = "Ye et al. 2024 (arXiv 2403.16952), authors' code"
SUM_TRAP = "Shares must sum to 1; only then do the constants mean what the runs say."


def numbered(sources: int, least: int) -> range:
    """1 to ``sources``, after a check that there are enough."""
    if not isinstance(sources, int) or sources < least:
        raise JscaleError(
            f"a mixture needs a whole number of sources, {least} or more, not {sources!r}"
        )
    return range(1, sources + 1)


def weighted(weight: str, numbers: range, power: str = "") -> str:
    """The formula ``q_1 * mix_1 + …``, with powers ``mix_1**gamma_1`` where a name is given for
    them.
    """
    tail = f"**{power}_{{i}}" if power else ""
    return " + ".join(f"{weight}_{i} * mix_{i}{tail.format(i=i)}" for i in numbers)


def weighted_sum(given: Mapping[str, Any], weight: str, numbers: range) -> Any:
    """``sum_i weight_i * mix_i``."""
    return sum(given[f"{weight}_{i}"] * as_float(given[f"mix_{i}"]) for i in numbers)


@functools.cache
def mixture_tokens(sources: int = 3) -> LawFunction:
    """The law of the effective tokens of a mixture of ``sources`` sources (a family)."""
    numbers = numbered(sources, 1)
    return member(
        lambda given: as_float(given["D"]) * weighted_sum(given, "q", numbers),
        name=f"mixture_tokens({sources})",
        subject="mixture",
        doc="Tokens of even quality that are worth as much as D tokens of a mixture, in tokens.\n\n"
        "``D_eff = D * sum_i q_i * mix_i``, with a weight q_i for each source. One and the same quality q for all data "
        "turns B of Chinchilla's law into B * q**-beta and leaves every exponent, and so the way in which compute is "
        "shared out, as it was. Bi et al. 2024 (Section 3.3) find that the better the data, the larger the best model: "
        "this form cannot say that.",
        inputs={"D": Tokens, **{f"mix_{i}": Share for i in numbers}},
        parameters={f"q_{i}": Quality for i in numbers},
        output=EffectiveTokens,
        formula=f"D * ({weighted('q', numbers)})",
        source="Chinchilla's data term with weights; against it: Bi et al. 2024 (arXiv 2401.02954), Section 3.3",
        increasing=("D", *(f"mix_{i}" for i in numbers)),
        limits={"D = 0": "0"},
        ridges=("In a loss, all q together trade off exactly with B: fix one of them at 1.",),
        traps=(
            SUM_TRAP,
            "A better source changes how compute is best shared out, which no constant q describes.",
        ),
    )


@functools.cache
def data_mixing(sources: int = 2) -> LawFunction:
    """Ye's law of the loss on one domain for a mixture of ``sources`` sources (a family).

    The shares sum to 1, so a number added to every t is a factor of k: t of the last source is 0
    here, its share does not enter, and the ridge is gone. Published values with all t become ``k *
    exp(t_K)`` and ``t_j - t_K``.
    """
    numbers = numbered(sources, 2)[:-1]
    exponent = weighted("t", numbers)
    return member(
        lambda given: given["c"] + given["k"] * jnp.exp(weighted_sum(given, "t", numbers)),
        name=f"data_mixing({sources})",
        subject="mixture",
        doc="Loss on one domain of a model trained on a mixture, nats per token.\n\n"
        f"``L = c + k * exp(sum_j t_j * mix_j)`` over all of the {sources} sources but the last, whose share is the "
        "rest and whose t is 0 (Ye et al. 2024). A negative t: the source helps more than the last one does.",
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
        ridges=("c with k: a narrow range of losses leaves the floor open.",),
        traps=(
            SUM_TRAP,
            "For one size and one number of tokens: the constants of another run length are others.",
            "The best mixture for one domain alone lies in a corner; weigh several domains (data_mixing_total).",
        ),
    )


@functools.cache
def data_mixing_total(sources: int = 3) -> LawFunction:
    """Ye's law of a loss over several domains, as many as there are sources (a family).

    With known weights s_i of the domains it is the sum of their laws: ``c = sum_i s_i * c_i``, and
    k_i here is ``s_i * k_i`` there.
    """
    domains = numbered(sources, 2)
    numbers = domains[:-1]
    exponents = {i: " + ".join(f"t_{i}_{j} * mix_{j}" for j in numbers) for i in domains}

    def evaluate(given: Mapping[str, Any]) -> Any:
        shares = {j: as_float(given[f"mix_{j}"]) for j in numbers}
        terms = (
            given[f"k_{i}"]
            * jnp.exp(sum(given[f"t_{i}_{j}"] * share for j, share in shares.items()))
            for i in domains
        )
        return given["c"] + sum(terms)

    return member(
        evaluate,
        name=f"data_mixing_total({sources})",
        subject="mixture",
        doc="Loss over several domains of a model trained on a mixture, nats per token.\n\n"
        "``L = sum_i s_i * L_i = c + sum_i k_i * exp(sum_j t_i_j * mix_j)``, where the weights s_i of the domains are "
        "in c and k; over all sources but the last, whose t is 0 (Ye et al. 2024).",
        inputs={f"mix_{j}": Proportion for j in numbers},
        parameters={
            "c": Irreducible,
            **{f"k_{i}": _mixing_scale(exponents[i]) for i in domains},
            **{f"t_{i}_{j}": Interaction for i in domains for j in numbers},
        },
        output=Loss,
        formula="c + " + " + ".join(f"k_{i} * exp({exponents[i]})" for i in domains),
        source=_YE,
        limits={
            ", ".join(f"mix_{j} = 0" for j in numbers): "c + "
            + " + ".join(f"k_{i}" for i in domains)
        },
        ridges=(
            "The domains may change places where only their total is seen: fit each domain's own loss if it is known.",
            "c with all k: a narrow range of losses leaves the floor open.",
        ),
        traps=(
            SUM_TRAP,
            "For one size and one number of tokens: the constants of another run length are others.",
        ),
    )


def _mixing_scale(exponent: str) -> Any:
    return Annotated[
        Coefficient,
        adjust(
            name="mixing coefficient",
            unit="nats/token",
            meaning="scale of the loss that the mixture removes",
            prior=lognormal(0.3, 0.8),
            start=(0.1, 1.5),
            anchor=Anchor(f"exp({exponent})"),
        ),
    ]


Seen = Annotated[
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
    ridges=("b with tau unless both fresh data and data seen several times are there.",),
    traps=(
        "An exponent, not a loss: the loss falls as n**-b_k over the k-th pass.",
        "Each pool of data has its own b and tau, measured on image-text models.",
    ),
)
def data_utility(
    k: Seen, *, b: Annotated[Exponent, adjust(start=(0.02, 0.6))], tau: HalfLife
) -> Utility:
    """Exponent with which data that were seen k times before still lower the loss.

    ``b_k = b * 2**(-k / tau)``: the better a filter, the fewer the data and the sooner they are
    used up (Goyal et al. 2024, eq. 2; there b is negative).
    """
    return b * jnp.exp2(-as_float(k) / tau)


FAMILIES = {
    "mixture_tokens": mixture_tokens,
    "data_mixing": data_mixing,
    "data_mixing_total": data_mixing_total,
}


class Mixture(NamedTuple):
    """Shares (K,) that sum to 1; they are the best where ``status`` is ``converged``."""

    shares: jax.Array
    status: jax.Array


_SMALLEST = 12.0
"""No share is looked for below exp(-12) of the last source's, nor above exp(12) of it."""
_POINTS = {2: 97, 3: 33, 4: 17}
"""Of the first scan, for each ratio of shares."""


def best_mixture(loss: Callable[[jax.Array], jax.Array], sources: int) -> Mixture:
    """The shares at which ``loss`` is smallest.

    A scan and Newton's method over the logarithms of the shares' ratios. Values that ``loss``
    closes over are differentiated through.

    Args:
        loss: shares (sources,) → scalar, twice differentiable: a law at given constants, size and
            tokens.
        sources: how many, 2 to 4.

    Returns:
        The best shares. Where a source is better left out the status is ``no_interior_optimum`` and
        its share is as small as the search goes.

    Raises:
        JscaleError: another number of sources.
    """
    if sources not in _POINTS:
        raise JscaleError(f"best_mixture takes 2 to 4 sources, not {sources!r}")

    def shares(ratios: jax.Array) -> jax.Array:
        return jax.nn.softmax(jnp.append(ratios, 0.0))

    box = jnp.full((sources - 1,), _SMALLEST, inexact(0.0).dtype)
    found = argmin(lambda ratios: loss(shares(ratios)), -box, box, _POINTS[sources])
    return Mixture(shares(found.x), found.status)
