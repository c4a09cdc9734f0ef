"""Learning rate, batch and weight decay of a run as power laws of its size, data or compute.

They are fitted to the optima of grids of small runs. The optimum is flat: a factor of two in the
learning rate costs little, so exponents are better known than coefficients. Two conventions do not
mix: DeepSeek's laws are in compute at the compute-optimal size, Step Law's in size and data
separately.
"""

from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jscale._core.arrays import as_float, term
from jscale.laws.declaration import constants, law
from jscale.laws.roles import (
    Anchor,
    BatchTokens,
    Coefficient,
    Count,
    Exponent,
    Flops,
    Fraction,
    LearningRate,
    Role,
    Tokens,
    TokensPerParameter,
    adjust,
    lognormal,
)

_RIDGE = (
    "k and its exponents are almost perfectly correlated unless k is quoted at the scale of the "
    "runs.",
)
_FLAT = "The optimum is flat: an optimum from a grid is uncertain by a grid step, and so is k."
_NON_EMBEDDING = "N counts non-embedding parameters."
_DEEPSEEK = "Bi et al. 2024 (arXiv 2401.02954)"
_STEP_LAW = "Li et al. 2025 (arXiv 2503.04715), the authors' code and bootstrap table"

Power = Annotated[Exponent, adjust(prior=lognormal(0.35, 0.7))]
ModelScale = Annotated[
    Any,
    Role(
        "model scale",
        "flops/token",
        "non-embedding FLOPs per token",
        ends=(1e7, 1e14),
        typical=1e10,
        column="M",
    ),
]


def _coefficient(unit: str, multiplies: str) -> adjust:
    # Relative to the smallest value observed, at the centre of the runs: known in advance to within
    # a small factor.
    return adjust(
        unit=unit,
        meaning="value where every input is 1",
        prior=lognormal(2.0, 0.8),
        start=(0.5, 10.0),
        anchor=Anchor(f"{multiplies} / loss_min"),
    )


_RateInCompute = Annotated[Coefficient, _coefficient("learning rate", "C**-p")]
_BatchInCompute = Annotated[Coefficient, _coefficient("tokens", "C**p")]
_ScaleInCompute = Annotated[Coefficient, _coefficient("flops/token", "C**p")]
_TokensInCompute = Annotated[Coefficient, _coefficient("tokens", "C**p")]
_RateInSizeAndData = Annotated[Coefficient, _coefficient("learning rate", "N**-a * D**b")]
_BatchInData = Annotated[Coefficient, _coefficient("tokens", "D**p")]
_TimescaleInRatio = Annotated[Coefficient, _coefficient("1", "M**-p")]


@law(
    formula="k * C**-p",
    source=f"{_DEEPSEEK}, eq. 1",
    published={"bi2024": constants(f"{_DEEPSEEK}, eq. 1", "S2", k=0.3118, p=0.1250)},
    decreasing=("C",),
    limits={"C = inf": "0"},
    ridges=_RIDGE,
    traps=(
        _FLAT,
        "At the compute-optimal size: an over-trained model of the same compute has another "
        "optimum.",
    ),
)
def deepseek_learning_rate(C: Flops, *, k: _RateInCompute, p: Power) -> LearningRate:
    """Peak learning rate of a compute-optimal model trained with C FLOP.

    ``eta = k * C**-p`` (Bi et al. 2024, eq. 1).

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.deepseek_learning_rate)
        >>> print(f"{laws.deepseek_learning_rate(C=1e21, **theta):.1e}")
        7.4e-04
    """
    return term(k, C, p)


@law(
    formula="k * C**p",
    source=f"{_DEEPSEEK}, eq. 1",
    published={"bi2024": constants(f"{_DEEPSEEK}, eq. 1", "S2", k=0.2920, p=0.3271)},
    increasing=("C",),
    limits={"C = inf": "inf"},
    ridges=_RIDGE,
    traps=(_FLAT, "At the compute-optimal size."),
)
def deepseek_batch(C: Flops, *, k: _BatchInCompute, p: Power) -> BatchTokens:
    """Batch of a compute-optimal model trained with C FLOP, in tokens.

    ``B = k * C**p`` (Bi et al. 2024, eq. 1).

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.deepseek_batch)
        >>> print(f"{laws.deepseek_batch(C=1e21, **theta) / 1e6:.2f}M tokens")
        2.16M tokens
    """
    return term(k, C, -as_float(p))


@law(
    formula="k * C**p",
    source=f"{_DEEPSEEK}, eq. 4",
    published={"bi2024": constants(f"{_DEEPSEEK}, eq. 4", "S2", k=0.1715, p=0.5243)},
    increasing=("C",),
    limits={"C = inf": "inf"},
    ridges=_RIDGE,
    traps=(
        "M counts non-embedding FLOPs per token including attention, not parameters; 6N over- or "
        "underestimates it.",
    ),
)
def deepseek_model_scale(C: Flops, *, k: _ScaleInCompute, p: Power) -> ModelScale:
    """Model scale M of the compute-optimal model, in non-embedding FLOPs per token.

    For a budget ``C = M * D`` FLOP: ``M = k * C**p`` (Bi et al. 2024, eq. 4).

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.deepseek_model_scale)
        >>> print(f"{laws.deepseek_model_scale(C=1e21, **theta):.2g} FLOPs per token")
        1.8e+10 FLOPs per token
    """
    return term(k, C, -as_float(p))


@law(
    formula="k * C**p",
    source=f"{_DEEPSEEK}, eq. 4",
    published={"bi2024": constants(f"{_DEEPSEEK}, eq. 4", "S2", k=5.8316, p=0.4757)},
    increasing=("C",),
    limits={"C = inf": "inf"},
    ridges=_RIDGE,
    traps=("The exponent depends on the quality of the text: better text favours a larger model.",),
)
def deepseek_tokens(
    C: Flops, *, k: _TokensInCompute, p: Power
) -> Annotated[Tokens, adjust(column="D_opt")]:
    """Training tokens of the compute-optimal model, in tokens.

    For a budget ``C = M * D`` FLOP: ``D = k * C**p`` (Bi et al. 2024, eq. 4).

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.deepseek_tokens)
        >>> print(f"{laws.deepseek_tokens(C=1e21, **theta) / 1e9:.0f}B tokens")
        57B tokens
    """
    return term(k, C, -as_float(p))


@law(
    formula="k * N**-a * D**b",
    source=_STEP_LAW,
    published={
        "li2025": constants(
            _STEP_LAW,
            "R",
            k=1.79,
            a=0.713,
            b=0.307,
            stderr={"a": 0.0298, "b": 0.0191},
            note="standard errors from the authors' 1,000 bootstrap refits; that of log(k) is "
            "0.623",
        )
    },
    decreasing=("N",),
    increasing=("D",),
    limits={"N = inf": "0", "D = inf": "inf"},
    ridges=_RIDGE,
    traps=(
        _FLAT,
        _NON_EMBEDDING,
        "The rate is the peak of a schedule that ends at a fixed, very small rate.",
    ),
)
def step_law_learning_rate(
    N: Count, D: Tokens, *, k: _RateInSizeAndData, a: Power, b: Power
) -> LearningRate:
    """Peak learning rate of an N-parameter model trained on D tokens.

    ``eta = k * N**-a * D**b`` (Li et al. 2025, the Step Law).

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.step_law_learning_rate)
        >>> print(f"{laws.step_law_learning_rate(N=1e9, D=1e11, **theta):.1e}")
        1.6e-03
    """
    return term(k, N, a) * term(1.0, D, -as_float(b))


@law(
    formula="k * D**p",
    source=_STEP_LAW,
    published={
        "li2025": constants(
            _STEP_LAW,
            "R",
            k=0.58,
            p=0.571,
            stderr={"p": 0.0187},
            note="standard error from the authors' 1,000 bootstrap refits; that of log(k) is 0.437",
        )
    },
    increasing=("D",),
    limits={"D = inf": "inf"},
    ridges=_RIDGE,
    traps=(_FLAT, "The batch of least loss, not the critical batch, which balances loss and time."),
)
def step_law_batch(D: Tokens, *, k: _BatchInData, p: Power) -> BatchTokens:
    """Best batch of a model trained on D tokens, in tokens.

    ``B = k * D**p`` (Li et al. 2025, the Step Law).

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.step_law_batch)
        >>> print(f"{laws.step_law_batch(D=1e11, **theta) / 1e6:.2f}M tokens")
        1.11M tokens
    """
    return term(k, D, -as_float(p))


Timescale = Annotated[
    Fraction, adjust(name="timescale", meaning="memory of AdamW as a fraction of the run")
]


@law(
    formula="k * M**-p",
    source="Bergsma et al. 2025 (arXiv 2505.13738)",
    published={
        "bergsma2025": constants("Bergsma et al. 2025 (arXiv 2505.13738)", "S1", k=1.084, p=0.527)
    },
    decreasing=("M",),
    limits={"M = inf": "0"},
    ridges=_RIDGE,
    traps=("Holds with decoupled weight decay and a learning rate transferred by muP.", _FLAT),
)
def adamw_timescale(M: TokensPerParameter, *, k: _TimescaleInRatio, p: Power) -> Timescale:
    """Best timescale of AdamW for M tokens per parameter, as a fraction of the run.

    ``tau = k * M**-p`` with ``tau = B / (eta * lambda * D)`` (Bergsma et al. 2025);
    :func:`weight_decay` converts it to a weight decay.

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.adamw_timescale)
        >>> print(f"{laws.adamw_timescale(M=20, **theta):.3f} of the run")
        0.224 of the run
    """
    return term(k, M, p)


def weight_decay(
    tau: ArrayLike, *, batch_tokens: ArrayLike, learning_rate: ArrayLike, D: ArrayLike
) -> jax.Array:
    """Decoupled weight decay that gives AdamW the timescale tau, dimensionless.

    ``B / (eta * tau * D)``: the definition of the timescale solved for lambda (Bergsma et al.
    2025).

    Args:
        tau: timescale as a fraction of the run, any shape.
        batch_tokens: tokens per batch.
        learning_rate: peak learning rate.
        D: training tokens.

    Example:
        >>> from jscale import laws
        >>> decay = laws.weight_decay(tau=0.2, batch_tokens=1e6, learning_rate=5e-4, D=1e11)
        >>> print(f"{decay:.2f}")
        0.10
    """
    return jnp.asarray(
        as_float(batch_tokens) / as_float(D) / (as_float(learning_rate) * as_float(tau))
    )
