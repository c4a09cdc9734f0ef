"""Repeated data: what a token is worth when it is read again (Muennighoff et al. 2023).

Of D training tokens only U differ. Reading them again helps less each time: the value of the next
token falls as ``exp(-R_D / R_D_star)`` with the number of repetitions ``R_D = D / U - 1``, so that
no number of epochs is worth more than ``(1 + R_D_star) * U`` fresh tokens, 16 times the unique ones
at the published constants. Parameters saturate the
same way: those beyond the size ``N_opt(U)`` for which U tokens would have been the right amount
count as repeated.

What carries over is the shape and the order of magnitude of the two constants. They come from C4,
up to 9 billion
parameters, and from runs in which repetition did no harm: the law is monotone and never says that
an epoch hurts.
"""

import math
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jscale._core.arrays import as_float, inexact, log, term
from jscale._core.supports import positive
from jscale.laws.declaration import Constants, law
from jscale.laws.roles import (
    Count,
    DataCoefficient,
    EffectiveCount,
    EffectiveTokens,
    Exponent,
    Irreducible,
    Loss,
    Role,
    SizeCoefficient,
    Tokens,
    adjust,
    lognormal,
)

_INF = math.inf
_SOURCE = "Muennighoff et al. 2023 (arXiv 2305.16264)"

UniqueTokens = Annotated[
    ArrayLike,
    Role(
        "unique tokens",
        "tokens",
        "training tokens that differ",
        ends=(1e8, 1e13, _INF),
        typical=5e9,
        column="U",
    ),
]
BalancedExponent = Annotated[Exponent, adjust(start=(0.2, 0.5))]
"""N_opt(U) grows as U**(beta / alpha): a start far from alpha = beta would put it beyond all
models, or below one."""


def _reuse_constant(what: str, median: float) -> Role:
    return Role(
        "reuse constant",
        "repetitions",
        f"repetitions after which a repeated {what} is worth 1/e",
        positive,
        lognormal(median, 0.7),
        (0.3 * median, 2 * median),
    )


TokenReuse = Annotated[ArrayLike, _reuse_constant("token", 15.0)]
ParameterReuse = Annotated[ArrayLike, _reuse_constant("parameter", 5.0)]


def _published(*names: str) -> dict[str, Constants]:
    tied = {
        "E": math.exp(0.6254804),
        "A": math.exp(6.255414),
        "B": math.exp(7.3049974),
        "alpha": 0.3526596,
        "beta": 0.3526596,
        "R_D_star": 15.387756,
        "R_N_star": 5.309743,
    }
    untied = {
        "E": math.exp(0.604038),
        "A": math.exp(6.6229553),
        "B": math.exp(7.5856404),
        "alpha": 0.3724021,
        "beta": 0.36468068,
        "R_D_star": 16.257626,
        "R_N_star": 4.9642363,
    }
    notebook = f"{_SOURCE}, authors' notebook return_alloc, 182 runs"
    logs = "E, A and B printed as logarithms e, a, b"
    tied_note, untied_note = (
        f"{logs}; fitted with beta = alpha",
        f"{logs}; the notebook's other fit, all constants free",
    )
    return {
        "muennighoff2023": Constants({n: tied[n] for n in names}, notebook, "P", {}, tied_note),
        "muennighoff2023_untied": Constants(
            {n: untied[n] for n in names}, notebook, "P", {}, untied_note
        ),
    }


_U_N = "minimum(N, (alpha * A / (beta * B))**((1 + beta / alpha) / (alpha + beta)) * minimum(U, D)**(beta / alpha))"
_N_EFF = f"({_U_N}) * (1 - R_N_star * expm1(-(N / ({_U_N}) - 1) / R_N_star))"
_TOKENS = {
    "U_D": "minimum(U, D)",
    "D_eff": "U_D * (1 - R_D_star * expm1(-(D / U_D - 1) / R_D_star))",
}
_SIZE = {"U_N": _U_N, "N_eff": "U_N * (1 - R_N_star * expm1(-(N / U_N - 1) / R_N_star))"}
_TOKEN_RIDGE = "R_D_star with B when no run has more than about 4 epochs: repeated tokens are then as good as new."
_SIZE_RIDGE = (
    "R_N_star with A and alpha unless some models are far larger than their unique tokens call for."
)
_HARM_TRAP = "Monotone: fitted after dropping the runs in which repetition hurts, it never predicts that it does."
_SIZE_TRAP = "N_opt(U) depends on A, B, alpha and beta: the constants of another fit move the effective size too."


def _saturated(total: ArrayLike, unique: ArrayLike, constant: Any) -> jax.Array:
    """``unique * (1 + constant * (1 - exp(-(total / unique - 1) / constant)))``, and ``total``
    where that is less.
    """
    total, unique = jnp.asarray(as_float(total)), jnp.asarray(as_float(unique))
    again = total > unique
    # Both operands are made safe, so that no infinity of the branch not taken enters a gradient.
    whole, once = jnp.where(again, total, 2.0), jnp.where(again, unique, 1.0)
    # After 1,000 constants the exponential is 0 in either precision; an infinite exponent would
    # make a NaN of it.
    repetitions = jnp.minimum((whole - once) / once, 1e3 * constant)
    return jnp.where(again, once * (1 - constant * jnp.expm1(-repetitions / constant)), total)


def _log_size_for_tokens(U: ArrayLike, *, A: Any, B: Any, alpha: Any, beta: Any) -> jax.Array:
    log_G = (jnp.log(alpha * A) - jnp.log(beta * B)) / (alpha + beta)
    return log_G + beta / alpha * (log_G + log(U))


def size_for_tokens(U: ArrayLike, *, A: Any, B: Any, alpha: Any, beta: Any) -> jax.Array:
    """The model size for which U fresh tokens are the compute-optimal amount, parameters.

    ``N_opt(U) = G * (G * U)**(beta / alpha)``, ``G = (alpha * A / (beta * B))**(1 / (alpha +
    beta))``: where Chinchilla's law is smallest at equal ``N * D`` (Muennighoff et al. 2023,
    Appendix A).

    Args:
        U: unique tokens, any shape.
        A: size coefficient of the dense law, nats/token at one parameter.
        B: data coefficient of the dense law, nats/token at one token.
        alpha: power of size.
        beta: power of data.
    """
    return jnp.exp(_log_size_for_tokens(inexact(U), A=A, B=B, alpha=alpha, beta=beta))


def _effective_size(
    N: ArrayLike, D: ArrayLike, U: ArrayLike, *, R_N_star: Any, **dense: Any
) -> jax.Array:
    N = jnp.asarray(as_float(N))
    unique = jnp.minimum(jnp.asarray(as_float(U)), jnp.asarray(as_float(D)))
    log_best = _log_size_for_tokens(unique, **dense)
    excess = jnp.log(N) > log_best
    best = jnp.where(excess, jnp.exp(jnp.where(excess, log_best, 0.0)), N)
    return _saturated(N, best, R_N_star)


@law(
    formula="D_eff",
    where=_TOKENS,
    source=f"{_SOURCE}, eq. 5",
    published=_published("R_D_star"),
    increasing=("D", "U"),
    limits={"U = inf": "D", "D = inf": "(1 + R_D_star) * U"},
    traps=(
        "No number of epochs is worth more than (1 + R_D_star) * U fresh tokens, 16.4 U as published.",
        _HARM_TRAP,
    ),
)
def effective_tokens(D: Tokens, U: UniqueTokens = _INF, *, R_D_star: TokenReuse) -> EffectiveTokens:
    """Fresh tokens that are worth as much as D tokens of which only U differ, in tokens.

    ``D' = U_D * (1 + R_D_star * (1 - exp(-R_D / R_D_star)))``, ``U_D = min(U, D)``, ``R_D = D / U_D
    - 1`` (Muennighoff et al. 2023, eq. 5). D itself where nothing is read twice.
    """
    return _saturated(D, U, R_D_star)


@law(
    formula="N_eff",
    where=_SIZE,
    source=f"{_SOURCE}, eq. 6",
    published=_published("A", "B", "alpha", "beta", "R_N_star"),
    increasing=("N", "D", "U"),
    limits={
        "N = inf": f"(1 + R_N_star) * ({_U_N})",
        "D = inf, U = inf": "N",
    },
    ridges=("A, B, alpha and beta come from the dense law: fix them.", _SIZE_RIDGE),
    traps=(
        _SIZE_TRAP,
        "More than N_opt(U) parameters count as repeated even where every token is fresh.",
    ),
)
def effective_size(
    N: Count,
    D: Tokens,
    U: UniqueTokens = _INF,
    *,
    A: SizeCoefficient,
    B: DataCoefficient,
    alpha: BalancedExponent,
    beta: BalancedExponent,
    R_N_star: ParameterReuse,
) -> EffectiveCount:
    """Parameters of the model that is worth the same as N when only U of its D tokens differ, in
    parameters.

    ``N' = U_N * (1 + R_N_star * (1 - exp(-R_N / R_N_star)))``, ``R_N = N / U_N - 1``, ``U_N =
    min(N, N_opt(U_D))`` with ``U_D = min(U, D)`` and N_opt of :func:`size_for_tokens` (Muennighoff
    et al. 2023, eq. 6).
    """
    return _effective_size(N, D, U, A=A, B=B, alpha=alpha, beta=beta, R_N_star=R_N_star)


@law(
    formula="E + A * N_eff**-alpha + B * D_eff**-beta",
    where={**_SIZE, **_TOKENS},
    source=f"{_SOURCE}, eq. 5 and 6",
    published=_published("E", "A", "B", "alpha", "beta", "R_D_star", "R_N_star"),
    decreasing=("N", "D", "U"),
    limits={
        "N = inf, D = inf, U = inf": "E",
        "U = inf": f"E + A * ({_N_EFF})**-alpha + B * D**-beta",
        "D = inf, U = inf": "E + A * N**-alpha",
        "D = inf": f"E + A * ({_N_EFF})**-alpha + B * ((1 + R_D_star) * U)**-beta",
    },
    ridges=(
        "A with alpha, B with beta and E with alpha, as in Chinchilla's law.",
        _TOKEN_RIDGE,
        _SIZE_RIDGE,
    ),
    traps=(
        _HARM_TRAP,
        _SIZE_TRAP,
        "With fresh data it is Chinchilla's law only up to N_opt(D) parameters; larger models get less than N.",
    ),
)
def data_constrained(
    N: Count,
    D: Tokens,
    U: UniqueTokens = _INF,
    *,
    E: Irreducible,
    A: SizeCoefficient,
    B: DataCoefficient,
    alpha: BalancedExponent,
    beta: BalancedExponent,
    R_D_star: TokenReuse,
    R_N_star: ParameterReuse,
) -> Loss:
    """Loss of an N-parameter model trained on D tokens of which only U differ, nats per token.

    ``L = E + A / N'**alpha + B / D'**beta`` with the effective size and tokens of this chapter
    (Muennighoff et al. 2023, eq. 5 and 6).
    """
    size = _effective_size(N, D, U, A=A, B=B, alpha=alpha, beta=beta, R_N_star=R_N_star)
    return E + term(A, size, alpha) + term(B, _saturated(D, U, R_D_star), beta)
