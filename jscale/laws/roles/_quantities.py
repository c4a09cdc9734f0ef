"""Quantities: what the runs supply and what a law returns."""

import math
from typing import Annotated, Any

from jax.typing import ArrayLike

from jscale._core.supports import real
from jscale.laws.roles._role import Role

# --- resources
Count = Annotated[
    ArrayLike, Role("count", "parameters", "model size", ends=(1e6, 1e13), typical=1e9, column="N")
]
Tokens = Annotated[
    ArrayLike,
    Role("tokens", "tokens", "training tokens", ends=(1e8, 1e15), typical=2e10, column="D"),
]
TokensPerParameter = Annotated[
    ArrayLike,
    Role(
        "ratio", "tokens/parameter", "training tokens per parameter", ends=(1.0, 1e4), typical=20.0
    ),
]
Flops = Annotated[
    ArrayLike,
    Role("flops", "FLOP", "training compute", ends=(1e15, 1e28), typical=1e21, column="C"),
]
Steps = Annotated[
    ArrayLike,
    Role("steps", "steps", "optimiser steps", ends=(1e3, 1e7), typical=1e5, column="steps"),
]
Resource = Annotated[
    ArrayLike, Role("resource", "units", "any resource", ends=(1.0, 1e12), typical=1e4)
]
"""Of a law that does not care what it is: parameters, tokens, compute, steps."""
BatchTokens = Annotated[
    ArrayLike,
    Role(
        "batch", "tokens", "tokens in a batch", ends=(1e4, 1e9), typical=1e6, column="batch_tokens"
    ),
]
LearningRate = Annotated[
    ArrayLike,
    Role(
        "learning rate",
        "learning rate",
        "peak learning rate",
        ends=(1e-5, 1e-1),
        typical=1e-3,
        column="lr",
    ),
]
Days = Annotated[
    ArrayLike,
    Role("days", "days", "time", real, ends=(0.0, 2000.0), typical=500.0, column="t_days"),
]

# --- architecture and number formats
Bits = Annotated[
    ArrayLike, Role("bits", "bits", "bits per number", ends=(4.0, 16.0, math.inf), typical=8.0)
]
ExponentBits = Annotated[
    ArrayLike,
    Role("exponent bits", "bits", "bits of a float's exponent", ends=(1.0, 8.0), typical=4.0),
]
MantissaBits = Annotated[
    ArrayLike,
    Role("mantissa bits", "bits", "bits of a float's mantissa", ends=(1.0, 10.0), typical=3.0),
]
Block = Annotated[
    ArrayLike,
    Role(
        "block",
        "numbers",
        "numbers that share a scale",
        ends=(16.0, 16384.0),
        typical=128.0,
        limits=(1.0, math.inf),
    ),
]
Experts = Annotated[
    ArrayLike,
    Role(
        "experts",
        "experts",
        "experts in a layer",
        ends=(1.0, 512.0),
        typical=64.0,
        limits=(1.0, math.inf),
    ),
]
Granularity = Annotated[
    ArrayLike,
    Role(
        "granularity",
        "1",
        "width of a dense layer over that of an expert",
        ends=(1.0, 64.0),
        typical=8.0,
    ),
]
Sparsity = Annotated[
    ArrayLike,
    Role(
        "sparsity",
        "1",
        "share of what is left out",
        real,
        ends=(0.0, 0.95),
        typical=0.25,
        limits=(0.0, 1.0),
    ),
]
Streams = Annotated[
    ArrayLike,
    Role(
        "streams",
        "streams",
        "parallel streams",
        ends=(1.0, 64.0),
        typical=4.0,
        limits=(1.0, math.inf),
    ),
]
Vocabulary = Annotated[
    ArrayLike,
    Role(
        "vocabulary",
        "entries",
        "entries of the vocabulary",
        ends=(1e3, 1e6),
        typical=32e3,
        limits=(1.0, math.inf),
    ),
]
Proportion = Annotated[
    ArrayLike,
    Role(
        "proportion",
        "1",
        "share of a source in the training data",
        real,
        ends=(0.0, 1.0),
        typical=0.25,
        limits=(0.0, 1.0),
        parts="some",
    ),
]

# --- outcomes
Loss = Annotated[
    Any, Role("loss", "nats/token", "cross-entropy", ends=(1.0, 8.0), typical=3.0, column="loss")
]
LossChange = Annotated[
    Any,
    Role(
        "loss change",
        "nats/token",
        "loss above a reference",
        real,
        ends=(-1e-9, 1.0),
        typical=0.1,
        column="loss",
    ),
]
Fraction = Annotated[Any, Role("share", "1", "share of a whole", column="share")]
Error = Annotated[
    Any,
    Role("error", "1", "share of wrong answers", ends=(0.01, 0.99), typical=0.4, column="error"),
]
Score = Annotated[
    Any,
    Role("score", "1", "share of right answers", ends=(0.01, 0.99), typical=0.6, column="score"),
]
EffectiveCount = Annotated[
    Any, Role("effective count", "parameters", "effective model size", column="N_effective")
]
EffectiveTokens = Annotated[
    Any, Role("effective tokens", "tokens", "effective training tokens", column="D_effective")
]
