"""Parallel streams: one model run several times on differently transformed inputs.

The outputs are weighted and added. P streams cost P times the compute of a token and hardly any
memory, and act like ``k ln P + 1`` times the parameters.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import jax
from jax.typing import ArrayLike

from jscale._core.arrays import as_float, inexact, log
from jscale.laws.declaration import constants, law
from jscale.laws.roles import (
    Anchor,
    Coefficient,
    Count,
    Exponent,
    Irreducible,
    Loss,
    SizeScale,
    Streams,
    adjust,
    lognormal,
)

_CHEN = "Chen et al. 2025 (arXiv 2505.10475)"


@law(
    formula="E + (A / (N * (k * log(parallel_P) + 1)))**alpha",
    source=f"{_CHEN}, authors' code",
    published={
        "chen2025_stack": constants(
            f"{_CHEN}, authors' code, Stack-V2-Python",
            "R",
            E=0.69123678,
            A=0.01130616e9,
            alpha=0.18937067,
            k=0.393463,
            note="24 models of 1 to 8 streams; R2 0.9978",
        ),
        "chen2025_pile": constants(
            f"{_CHEN}, authors' code, Pile",
            "R",
            E=1.288766,
            A=1.9735203e8,
            alpha=0.196333,
            k=0.334456,
            note="24 models of 1 to 8 streams; R2 0.9987",
        ),
    },
    decreasing=("N", "parallel_P"),
    limits={
        "N = inf": "E",
        "parallel_P = inf": "E",
        "parallel_P = 1": "E + (A / N)**alpha",
    },
    ridges=(
        "k, A and alpha: runs of one size do not separate a larger k from a steeper alpha.",
        "E falls as alpha falls, as in any power law with a floor.",
    ),
    traps=(
        "There is no term in D: the two sets hold for the authors' tokens alone.",
        "P streams take P times the compute of a token: the law does not include this cost.",
        "Fitted on 1 to 8 streams.",
    ),
)
def parallel(
    N: Count,
    parallel_P: Streams,
    *,
    E: Irreducible,
    A: Annotated[
        SizeScale,
        adjust(anchor=Anchor("1 / N", power="alpha"), prior=lognormal(0.5, 0.8), start=(0.05, 2.0)),
    ],
    alpha: Exponent,
    k: Annotated[
        Coefficient,
        adjust(
            name="stream gain",
            unit="1",
            meaning="effective size gained by e times the streams, in sizes",
            prior=lognormal(0.4, 0.5),
            start=(0.1, 1.2),
        ),
    ],
) -> Loss:
    """Loss of an N-parameter model run in P parallel streams, nats per token.

    ``L = E + (A / (N * (k ln P + 1)))**alpha`` (Chen et al. 2025).

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.parallel, "chen2025_pile")
        >>> [round(float(laws.parallel(1.6e9, P, **theta)), 3) for P in (1, 8)]
        [1.952, 1.887]
    """
    return E + (as_float(A) / (as_float(N) * (k * log(parallel_P) + 1))) ** alpha


def parallel_size(N: ArrayLike, parallel_P: ArrayLike, params: Mapping[str, Any]) -> jax.Array:
    """Size of the single-stream model that has the loss of :func:`parallel`, parameters.

    ``N * (k ln P + 1)`` (Chen et al. 2025).

    Args:
        N: (...) parameters.
        parallel_P: (...) streams, at least 1.
        params: constants of :func:`parallel`; ``k`` is used.

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.parallel, "chen2025_pile")
        >>> N = laws.parallel_size(1.6e9, 8, theta)
        >>> f"{float(N) / 1e9:.1f}B parameters"
        '2.7B parameters'
    """
    return inexact(N) * (params["k"] * log(parallel_P) + 1)
