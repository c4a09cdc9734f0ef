"""Repeated data: the value of tokens that are read more than once (Muennighoff et al. 2023).

Of D training tokens only U are unique. Each repetition helps less than the one before: the value of
the next token falls as ``exp(-R_D / R_D_star)`` with the number of repetitions ``R_D = D / U - 1``,
so that no number of epochs is worth more than ``(1 + R_D_star) * U`` fresh tokens, 16 times the
unique ones at the published constants. Parameters saturate in the same way: those beyond the size
``N_opt(U)`` for which U tokens are compute-optimal count as repeated.

The form and the order of magnitude of the two constants carry over. They were measured on C4, up to
9 billion parameters, on runs in which repetition did no harm: the law is monotone and never
predicts that another epoch hurts.
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
        "unique training tokens",
        ends=(1e8, 1e13, _INF),
        typical=5e9,
        column="U",
    ),
]
BalancedExponent = Annotated[Exponent, adjust(start=(0.2, 0.5))]
"""Starts close to alpha = beta, since N_opt(U) grows as U**(beta / alpha).

A ratio far from 1 would put N_opt above all models or below one parameter.
"""


def _reuse_constant(item: str, median: float) -> Role:
    return Role(
        "reuse constant",
        "repetitions",
        f"repetitions after which a repeated {item} is worth 1/e",
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
    notes = {
        "muennighoff2023": f"{logs}; fitted with beta = alpha",
        "muennighoff2023_untied": f"{logs}; the notebook's other fit, all constants free",
    }
    fits = {"muennighoff2023": tied, "muennighoff2023_untied": untied}
    return {
        key: Constants({name: fit[name] for name in names}, notebook, "P", {}, notes[key])
        for key, fit in fits.items()
    }


_U_N = (
    "minimum(N, (alpha * A / (beta * B))**((1 + beta / alpha) / (alpha + beta))"
    " * minimum(U, D)**(beta / alpha))"
)
_N_EFF = f"({_U_N}) * (1 - R_N_star * expm1(-(N / ({_U_N}) - 1) / R_N_star))"
_TOKENS = {
    "U_D": "minimum(U, D)",
    "D_eff": "U_D * (1 - R_D_star * expm1(-(D / U_D - 1) / R_D_star))",
}
_SIZE = {"U_N": _U_N, "N_eff": "U_N * (1 - R_N_star * expm1(-(N / U_N - 1) / R_N_star))"}
_TOKEN_RIDGE = (
    "R_D_star with B if no run has more than about 4 epochs: repeated tokens are then nearly as "
    "good as fresh ones."
)
_SIZE_RIDGE = "R_N_star with A and alpha unless some models are far larger than N_opt(U)."
_HARM_TRAP = (
    "Monotone: it was fitted without the runs in which repetition hurts and never predicts harm."
)
_SIZE_TRAP = (
    "N_opt(U) depends on A, B, alpha and beta: other constants also change the effective size."
)


def _saturated(total: ArrayLike, unique: ArrayLike, constant: Any) -> jax.Array:
    """Value of ``total`` when only ``unique`` of it is new.

    ``unique * (1 + constant * (1 - exp(-(total / unique - 1) / constant)))``, and ``total`` where
    that is less than ``unique``.
    """
    total, unique = jnp.asarray(as_float(total)), jnp.asarray(as_float(unique))
    repeated = total > unique

    # Safe operands, so that no infinity of the branch not taken enters a gradient.
    safe_total, safe_unique = jnp.where(repeated, total, 2.0), jnp.where(repeated, unique, 1.0)

    # At 1,000 constants the exponential is 0 in both precisions; an infinite exponent would give
    # NaN.
    repetitions = jnp.minimum((safe_total - safe_unique) / safe_unique, 1e3 * constant)
    saturated = safe_unique * (1 - constant * jnp.expm1(-repetitions / constant))
    return jnp.where(repeated, saturated, total)


def _log_size_for_tokens(U: ArrayLike, *, A: Any, B: Any, alpha: Any, beta: Any) -> jax.Array:
    log_G = (jnp.log(alpha * A) - jnp.log(beta * B)) / (alpha + beta)
    return log_G + beta / alpha * (log_G + log(U))


def size_for_tokens(U: ArrayLike, *, A: Any, B: Any, alpha: Any, beta: Any) -> jax.Array:
    """Model size for which U fresh tokens are the compute-optimal amount, in parameters.

    ``N_opt(U) = G * (G * U)**(beta / alpha)``,
    ``G = (alpha * A / (beta * B))**(1 / (alpha + beta))``: where Chinchilla's law is smallest at
    equal ``N * D`` (Muennighoff et al. 2023, Appendix A).

    Args:
        U: unique tokens, any shape.
        A: size coefficient of the dense law, nats/token at one parameter.
        B: data coefficient of the dense law, nats/token at one token.
        alpha: power of size.
        beta: power of data.

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.data_constrained)
        >>> dense = {name: theta[name] for name in ("A", "B", "alpha", "beta")}
        >>> print(f"{laws.size_for_tokens(1e11, **dense):.3g} parameters for 100B tokens")
        5.1e+09 parameters for 100B tokens
    """
    return jnp.exp(_log_size_for_tokens(inexact(U), A=A, B=B, alpha=alpha, beta=beta))


def _effective_size(
    N: ArrayLike, D: ArrayLike, U: ArrayLike, *, R_N_star: Any, **dense: Any
) -> jax.Array:
    N = jnp.asarray(as_float(N))
    unique = jnp.minimum(jnp.asarray(as_float(U)), jnp.asarray(as_float(D)))
    log_best = _log_size_for_tokens(unique, **dense)

    # N_opt can exceed the range of float32, so it is computed only where it is below N.
    above = jnp.log(N) > log_best
    fresh_size = jnp.where(above, jnp.exp(jnp.where(above, log_best, 0.0)), N)
    return _saturated(N, fresh_size, R_N_star)


@law(
    formula="D_eff",
    where=_TOKENS,
    source=f"{_SOURCE}, eq. 5",
    published=_published("R_D_star"),
    increasing=("D", "U"),
    limits={"U = inf": "D", "D = inf": "(1 + R_D_star) * U"},
    traps=(
        "At most (1 + R_D_star) * U fresh tokens, whatever the number of epochs: 16.4 U as "
        "published.",
        _HARM_TRAP,
    ),
)
def effective_tokens(D: Tokens, U: UniqueTokens = _INF, *, R_D_star: TokenReuse) -> EffectiveTokens:
    """Fresh tokens equivalent to D tokens of which only U are unique, in tokens.

    ``D' = U_D * (1 + R_D_star * (1 - exp(-R_D / R_D_star)))``, ``U_D = min(U, D)``,
    ``R_D = D / U_D - 1`` (Muennighoff et al. 2023, eq. 5). D itself where no token is repeated.

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.effective_tokens)
        >>> for epochs in (1, 4, 40):
        ...     tokens = laws.effective_tokens(D=epochs * 1e9, U=1e9, **theta)
        ...     print(f"{epochs} epochs of 1B tokens are worth {tokens / 1e9:.2f}B fresh ones")
        1 epochs of 1B tokens are worth 1.00B fresh ones
        4 epochs of 1B tokens are worth 3.73B fresh ones
        40 epochs of 1B tokens are worth 15.17B fresh ones
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
        "Parameters beyond N_opt(U) count as repeated even if every token is fresh.",
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
    """Effective size of an N-parameter model when only U of its D tokens are unique, in parameters.

    ``N' = U_N * (1 + R_N_star * (1 - exp(-R_N / R_N_star)))``, ``R_N = N / U_N - 1``,
    ``U_N = min(N, N_opt(U_D))`` with ``U_D = min(U, D)`` and N_opt of :func:`size_for_tokens`
    (Muennighoff et al. 2023, eq. 6).

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.effective_size)
        >>> size = laws.effective_size(N=1e10, D=1e11, U=1e9, **theta)
        >>> print(f"10B parameters on 1B unique tokens act like {size:.3g}")
        10B parameters on 1B unique tokens act like 3.22e+08
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
        "With fresh data it equals Chinchilla's law only up to N_opt(D) parameters; the effective "
        "size of larger models is below N.",
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
    """Loss of an N-parameter model trained on D tokens of which only U are unique, nats per token.

    ``L = E + A / N'**alpha + B / D'**beta`` with :func:`effective_size` and
    :func:`effective_tokens` (Muennighoff et al. 2023, eq. 5 and 6).

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.data_constrained)
        >>> for unique in (1e11, 1e10):
        ...     loss = laws.data_constrained(N=1e9, D=1e11, U=unique, **theta)
        ...     print(f"{1e11 / unique:.0f} epochs: {loss:.3f} nats per token")
        1 epochs: 2.415 nats per token
        10 epochs: 2.438 nats per token
    """
    size = _effective_size(N, D, U, A=A, B=B, alpha=alpha, beta=beta, R_N_star=R_N_star)
    return E + term(A, size, alpha) + term(B, _saturated(D, U, R_D_star), beta)
