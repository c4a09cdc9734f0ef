"""The vocabulary as part of the model: how many parameters to give it.

A larger vocabulary packs more characters into a token, so that a budget reads more text, but costs
parameters. Losses per token are not comparable between vocabularies; the laws here are for the loss
relative to a unigram model (the unigram-normalised loss), which is.

Three approaches of one paper (Tao et al. 2024): power laws of the budget, a power law of the rest
of the model, and a loss that the best vocabulary minimises (:func:`best_vocabulary_parameters`). At
7B parameters they give 63, 67 and 60 thousand entries.
"""

import math
from collections.abc import Mapping
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jscale._core.arrays import as_float, inexact, term
from jscale._core.solve import root
from jscale._core.supports import real
from jscale.laws.declaration import constants, law
from jscale.laws.roles import (
    Anchor,
    Coefficient,
    Count,
    DataCoefficient,
    Exponent,
    Flops,
    Role,
    SizeCoefficient,
    Tokens,
    Vocabulary,
    adjust,
    lognormal,
)

Width = Annotated[
    ArrayLike,
    Role(
        "width",
        "1",
        "dimension of a token's embedding",
        ends=(64.0, 32768.0),
        typical=2048.0,
        column="d_model",
    ),
]
NormalisedLoss = Annotated[
    Any,
    Role(
        "unigram-normalised loss",
        "nats/token",
        "loss relative to a unigram model, negative",
        real,
        ends=(-8.0, 1.0),
        typical=-3.0,
        column="loss_u",
    ),
]
BestParameters = Annotated[
    Any,
    Role(
        "best parameters",
        "parameters",
        "best number of parameters of a part of the model",
        column="N_best",
    ),
]
Rest = Annotated[Count, adjust(meaning="parameters other than the vocabulary's", column="N_nv")]

_TAO = "Tao et al. 2024 (arXiv 2407.13623)"
_CODE = f"{_TAO}, authors' code"
_MILLION, _BILLION = 1e6, 1e9
_TOKEN_RATE = (0.00639222, -0.15811069, 1.20470122)
"""Tokens per character as a quadratic in ln(V), highest power first."""
_MAX_ENTRIES = 200_000.0
_REFERENCE_REST = 33e6


def tokens_per_character(vocab: ArrayLike) -> jax.Array:
    """Tokens per character of text for a vocabulary of ``vocab`` entries, dimensionless.

    ``0.00639222 ln(V)**2 - 0.15811069 ln(V) + 1.20470122``, constant from 200,000 entries on (Tao
    et al. 2024, authors' code; fitted to tokenisers of 1,000 to 200,000 entries).

    Args:
        vocab: (...) entries.

    Example:
        >>> from jscale import laws
        >>> for entries in (4096, 65536):
        ...     characters = 1 / laws.tokens_per_character(entries)
        ...     print(f"{entries} entries: {characters:.2f} characters per token")
        4096 entries: 3.01 characters per token
        65536 entries: 4.21 characters per token
    """
    size = jnp.log(jnp.minimum(inexact(vocab), _MAX_ENTRIES))
    square, slope, constant = _TOKEN_RATE
    return (square * size + slope) * size + constant


@law(
    formula="-E + A1 / (N_nv / 1e6)**alpha1 + A2 / (vocab * d_model / 1e6)**alpha2"
    " + B / (D / 1e9)**beta",
    source=f"{_CODE}, approach 3",
    published={
        "tao2024": constants(
            f"{_CODE}, approach 3",
            "P",
            E=5.5327846803337435,
            A1=1.8313851559554126,
            A2=0.19584238398665638,
            B=2.1241123120064955,
            alpha1=0.44660634152009615,
            alpha2=0.6707374679896795,
            beta=0.44660634152009615,
            note="fitted with beta = alpha1, to D of tokens_per_character(vocab / 1000)",
        )
    },
    decreasing=("N_nv", "vocab", "d_model", "D"),
    limits={
        "N_nv = inf, vocab = inf, D = inf": "-E",
        "N_nv = inf, D = inf": "-E + A2 / (vocab * d_model / 1e6)**alpha2",
        "vocab = inf": "-E + A1 / (N_nv / 1e6)**alpha1 + B / (D / 1e9)**beta",
    },
    ridges=(
        "A2 with alpha2 unless the vocabulary's parameters span decades.",
        "A1 with alpha1, B with beta and E with both, as in Chinchilla's law.",
    ),
    traps=(
        "E is subtracted: the loss is negative, since it is relative to a unigram model.",
        "Scaled units: A1 and A2 are nats at a million parameters and B at a billion tokens, not "
        "at one.",
        "The authors' code converts characters to tokens with the vocabulary in thousands. Their "
        "constants reproduce their runs (R2 0.972) only with D = characters * "
        "tokens_per_character(vocab / 1000); with the true tokens R2 is 0.04.",
        "At given D more entries always lower the loss; they cost budget: see "
        "best_vocabulary_parameters.",
    ),
)
def vocabulary(
    N_nv: Rest,
    vocab: Vocabulary,
    d_model: Width,
    D: Tokens,
    *,
    E: Annotated[
        Coefficient,
        adjust(
            name="largest gain",
            unit="nats/token",
            meaning="largest reduction below a unigram model's loss",
            prior=lognormal(5.5, 0.3),
            start=(3.0, 8.0),
        ),
    ],
    A1: Annotated[
        SizeCoefficient,
        adjust(unit="nats/token at 1e6 parameters", anchor=Anchor("(N_nv / 1e6)**-alpha1")),
    ],
    A2: Annotated[
        SizeCoefficient,
        adjust(
            unit="nats/token at 1e6 parameters",
            meaning="scale of the vocabulary term",
            anchor=Anchor("(vocab * d_model / 1e6)**-alpha2"),
            prior=lognormal(0.05, 1.0),
            start=(0.005, 0.5),
        ),
    ],
    B: Annotated[
        DataCoefficient, adjust(unit="nats/token at 1e9 tokens", anchor=Anchor("(D / 1e9)**-beta"))
    ],
    alpha1: Exponent,
    alpha2: Annotated[Exponent, adjust(meaning="power of the vocabulary's parameters")],
    beta: Exponent,
) -> NormalisedLoss:
    """Loss relative to a unigram model, by size, vocabulary and data, nats per token.

    ``L_u = -E + A1 / N_nv**alpha1 + A2 / (V d)**alpha2 + B / D**beta`` with sizes in millions of
    parameters and data in billions of tokens (Tao et al. 2024, approach 3). ``N_nv`` excludes the
    ``V d`` parameters of the vocabulary.

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.vocabulary)
        >>> loss = laws.vocabulary(N_nv=1e9, vocab=32_000, d_model=2048, D=2e10, **theta)
        >>> print(f"{loss:.3f} nats per token relative to a unigram model")
        -4.880 nats per token relative to a unigram model
    """
    entries = as_float(vocab) * as_float(d_model)
    rest_term = term(A1, as_float(N_nv) / _MILLION, alpha1)
    vocabulary_term = term(A2, entries / _MILLION, alpha2)
    data_term = term(B, as_float(D) / _BILLION, beta)
    return rest_term + vocabulary_term + data_term - E


def best_vocabulary_parameters(
    N_nv: ArrayLike, C: ArrayLike, params: Mapping[str, Any]
) -> jax.Array:
    """Size of the vocabulary that minimises :func:`vocabulary` at a given budget, in parameters.

    The budget is ``C = 6 (N_nv + N_v) D`` FLOP.
    ``alpha2 A2 N_v**-alpha2 = beta B D**-beta * N_v / (N_nv + N_v)`` with
    ``D = C / (6 (N_nv + N_v))``, in the law's scaled units: the left side falls in ``N_v``, the
    right side rises (Tao et al. 2024, approach 3). Divide by the width to get the number of
    entries. Differentiable in all its arguments, by the implicit function theorem.

    Args:
        N_nv: (...) parameters other than the vocabulary's.
        C: (...) training FLOP.
        params: constants of :func:`vocabulary`, scalars or (draws,).

    Returns:
        ``N_v`` in parameters; NaN where the best vocabulary lies outside 1 to 1e18 parameters.

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.vocabulary)
        >>> best = laws.best_vocabulary_parameters(N_nv=7e9, C=6e21, params=theta)
        >>> print(f"{best / 4096 / 1000:.0f} thousand entries of width 4096")
        57 thousand entries of width 4096
    """
    constants = (params["A2"], params["B"], params["alpha2"], params["beta"])
    arguments = jnp.broadcast_arrays(*(inexact(x) for x in (N_nv, C, *constants)))
    dtype = jnp.result_type(*arguments)
    upper = jnp.asarray(math.log(1e18), dtype)

    def solve(rest: jax.Array, budget: jax.Array, *theta: jax.Array) -> jax.Array:
        A2, B, alpha2, beta = theta
        log_budget = jnp.log(budget) - math.log(6 * _BILLION)
        log_million = math.log(_MILLION)
        constant = jnp.log(alpha2 * A2) - jnp.log(beta * B)

        # Difference of the logarithms of both sides of the equation.
        def slope(log_v: jax.Array) -> jax.Array:
            log_total = jnp.logaddexp(jnp.log(rest), log_v)
            log_D = log_budget - log_total
            return constant - alpha2 * (log_v - log_million) + beta * log_D - log_v + log_total

        return jnp.exp(root(slope, jnp.zeros((), dtype), upper).x)

    return jnp.vectorize(solve)(*(x.astype(dtype) for x in arguments))


def _power(meaning: str, median: float) -> Any:
    return adjust(meaning=meaning, prior=lognormal(median, 0.25), start=(0.2, 0.95))


_BUDGET_RIDGE = ("k with gamma: quote the value at the budget of the runs.",)
_BUDGET_TRAP = (
    "Fitted to budgets of 1e17 to 1e21 FLOP, with data that grow with the model as in Chinchilla.",
)
_AtBudget = Annotated[
    Coefficient,
    adjust(
        unit="parameters at 1 FLOP",
        prior=lognormal(1.0, 1.5),
        start=(0.05, 20.0),
        anchor=Anchor("C**gamma / 1e8"),
    ),
]


@law(
    formula="k * C**gamma",
    source=f"{_CODE}, approach 1",
    published={
        "tao2024": constants(
            f"{_CODE}, approach 1",
            "P",
            k=math.exp(-1.589031299255507),
            gamma=0.4163622634135234,
            note="k as a logarithm",
        )
    },
    increasing=("C",),
    limits={"C = inf": "inf", "C = 0": "0"},
    ridges=_BUDGET_RIDGE,
    traps=_BUDGET_TRAP,
)
def vocabulary_budget(
    C: Flops, *, k: _AtBudget, gamma: Annotated[Exponent, _power("power of compute", 0.45)]
) -> BestParameters:
    """Best size of the vocabulary for C FLOP, in parameters.

    ``N_v = k * C**gamma`` (Tao et al. 2024, approach 1). Divide by the width to get the number of
    entries.

    Example:
        >>> from jscale import laws
        >>> size = laws.vocabulary_budget(C=1e21, **laws.params(laws.vocabulary_budget))
        >>> print(f"{size / 2048 / 1000:.0f} thousand entries of width 2048")
        55 thousand entries of width 2048
    """
    return k * as_float(C) ** gamma


@law(
    formula="k * C**gamma",
    source=f"{_CODE}, approach 1",
    published={
        "tao2024": constants(
            f"{_CODE}, approach 1",
            "P",
            k=math.exp(-2.4846510161625193),
            gamma=0.5,
            note="k as a logarithm; gamma fixed",
        )
    },
    increasing=("C",),
    limits={"C = inf": "inf", "C = 0": "0"},
    ridges=_BUDGET_RIDGE,
    traps=_BUDGET_TRAP,
)
def rest_budget(
    C: Flops, *, k: _AtBudget, gamma: Annotated[Exponent, _power("power of compute", 0.5)]
) -> BestParameters:
    """Best size of the model without its vocabulary for C FLOP, in parameters.

    ``N_nv = k * C**gamma`` (Tao et al. 2024, approach 1).

    Example:
        >>> from jscale import laws
        >>> print(f"{laws.rest_budget(C=1e21, **laws.params(laws.rest_budget)):.3g} parameters")
        2.64e+09 parameters
    """
    return k * as_float(C) ** gamma


@law(
    formula="k * (N_nv / 33e6)**gamma",
    source=f"{_CODE}, approach 2",
    published={
        "tao2024": constants(f"{_CODE}, approach 2", "P", k=3145728.0, gamma=0.8353974035228025)
    },
    increasing=("N_nv",),
    limits={"N_nv = inf": "inf", "N_nv = 0": "0", "N_nv = 33e6": "k"},
    ridges=("k with gamma unless the models span decades.",),
    traps=(
        "k is the best vocabulary of a model with 33 million other parameters: 6,144 entries of "
        "width 512.",
        "The vocabulary grows more slowly than the rest: gamma is below 1.",
    ),
)
def vocabulary_size(
    N_nv: Rest,
    *,
    k: Annotated[
        Coefficient,
        adjust(
            unit="parameters",
            meaning="best vocabulary at 33e6 parameters",
            prior=lognormal(1.0, 1.5),
            start=(0.05, 20.0),
            anchor=Anchor("(N_nv / 33e6)**gamma / 1e8"),
        ),
    ],
    gamma: Annotated[Exponent, _power("power of the rest", 0.8)],
) -> BestParameters:
    """Best size of the vocabulary of a model with N_nv other parameters, in parameters.

    ``N_v = k * (N_nv / 33e6)**gamma`` (Tao et al. 2024, approach 2: at the best vocabulary, the
    derivative of the FLOPs at a given loss is 0). Divide by the width to get the number of entries.

    Example:
        >>> from jscale import laws
        >>> size = laws.vocabulary_size(N_nv=7e9, **laws.params(laws.vocabulary_size))
        >>> print(f"{size / 4096 / 1000:.0f} thousand entries of width 4096")
        67 thousand entries of width 4096
    """
    return k * (as_float(N_nv) / _REFERENCE_REST) ** gamma
