"""The noisy quadratic system: loss by size, batch and steps from one picture of training.

Stochastic gradient descent runs on a quadratic with infinitely many directions, whose curvatures
are ``Q / n**q``. A model of N parameters learns the first N of them. What a direction has to lose
at the start is ``P / (2 n**p)``; each step shrinks it, and adds noise of ``R / n**r`` per token of
the batch (Li & Maddison 2026). Three losses add up: of the directions beyond N, of those not yet
learned, and of the noise.

The sums over directions have up to 1e13 terms. The first 64 are added one by one; the others are
an integral in the logarithm of n, with Gregory's correction where the two meet.
"""

import functools
from fractions import Fraction
from math import comb
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.arrays import as_float, inexact
from jscale.laws.declaration import constants, law
from jscale.laws.roles import (
    Anchor,
    BatchTokens,
    Coefficient,
    Count,
    Exponent,
    Irreducible,
    Loss,
    Prior,
    ShareParameter,
    Steps,
    adjust,
    lognormal,
)

_LI = "Li & Maddison 2026 (arXiv 2605.09154)"

LEARNING_RATE = 1.999
"""Of the quadratic, in the authors' code. It is not that of the model: it multiplies Q and R."""
_FIRST, _ORDER = 64, 8
"""Directions added one by one, and the order of the correction."""
_PANELS, _NODES = 10, 16
"""Of the integral, and the Gauss-Legendre nodes of each panel.

Twice as many directions and panels change a sum by less than 1e-15 of itself, for q up to 1.2.
"""


def _gregory(order: int) -> list[float]:
    """Weights of f(M), f(M + 1) … that a sum from M on has beyond the integral from M on.

    Gregory's coefficients are those of ``z / log(1 + z)``; they multiply forward differences.
    """
    series = [Fraction(1)]
    for i in range(1, order + 2):
        earlier = (Fraction((-1) ** k, k + 1) * series[i - k] for k in range(1, i + 1))
        series.append(-sum(earlier, Fraction(0)))

    weights = [
        sum(series[k + 1] * (-1) ** (k - j) * comb(k, j) for k in range(j, order + 1))
        for j in range(order + 1)
    ]
    return [float(weight) for weight in weights]


def _panels() -> tuple[np.ndarray, np.ndarray]:
    """Places in (0, 1) and weights of a composite Gauss-Legendre rule."""
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    places = (np.arange(_PANELS)[:, None] + (nodes + 1) / 2) / _PANELS
    return places.ravel(), np.tile(weights / 2 / _PANELS, _PANELS)


_LOG_DIRECTIONS = np.log(np.arange(1, _FIRST + _ORDER + 1))
_WEIGHTS = np.concatenate([np.ones(_FIRST - 1), _gregory(_ORDER)])
_PLACES, _PLACE_WEIGHTS = _panels()


def _sum(of: Any, N: Any, *others: Any) -> jax.Array:
    """Sum of ``of(log n, *others)`` over the directions 1 … N.

    Args:
        of: term by the logarithm of its direction (..., K).
        N: number of directions, (...) or a number of 1e3 or more.
        *others: arguments of ``of``, (...) each.
    """
    arrays = jnp.broadcast_arrays(*(jnp.asarray(as_float(x)) for x in (N, *others)))
    return _sum_of_arrays(of, *(x[..., None] for x in arrays))


@functools.partial(jax.jit, static_argnums=0)  # alone, each of its 60 operations is compiled
def _sum_of_arrays(of: Any, N: jax.Array, *columns: jax.Array) -> jax.Array:
    first = of(jnp.asarray(_LOG_DIRECTIONS, N.dtype), *columns)
    total = jnp.sum(first * _WEIGHTS.astype(N.dtype), axis=-1)

    # In t = log n; Gregory's correction at N is half the last term, and its slope is negligible.
    low = float(np.log(_FIRST))
    span = jnp.log(N) - low
    t = low + span * _PLACES.astype(N.dtype)
    weights = span * _PLACE_WEIGHTS.astype(N.dtype)
    total += jnp.sum(of(t, *columns) * jnp.exp(t) * weights, axis=-1)
    return total + of(jnp.log(N), *columns)[..., 0] / 2


def _log_kept(x: jax.Array) -> jax.Array:
    """``log |1 - x|``: what a step keeps of a direction, for x in [0, 2)."""
    small = x < 0.5
    far = jnp.maximum(jnp.abs(1 - jnp.where(small, 0.0, x)), jnp.finfo(x.dtype).tiny)
    return jnp.where(small, jnp.log1p(-jnp.where(small, x, 0.0)), jnp.log(far))


def _share_kept(t: jax.Array, steps: Any, p: Any, Q: Any, q: Any) -> jax.Array:
    x = LEARNING_RATE * Q * jnp.exp(-q * t)
    return jnp.exp(2 * steps * _log_kept(x) - p * t)


def _unlearned(N: Any, steps: Any, P: Any, p: Any, Q: Any, q: Any) -> jax.Array:
    """Loss of the directions that are not learned: those beyond N, and the rest of the others."""
    N, p = inexact(N), jnp.asarray(as_float(p))
    log_N = jnp.log(N)
    beyond = jnp.exp((1 - p) * log_N) / (p - 1) - jnp.exp(-p * log_N) / 2
    return P / 2 * (_sum(_share_kept, N, steps, p, Q, q) + beyond)


def _noise_kept(t: jax.Array, steps: Any, Q: Any, q: Any, r: Any) -> jax.Array:
    x = LEARNING_RATE * Q * jnp.exp(-q * t)
    return -jnp.expm1(2 * steps * _log_kept(x)) * jnp.exp(-r * t) / (2 - x)


def _noise(N: Any, steps: Any, Q: Any, q: Any, R: Any, r: Any) -> jax.Array:
    """Loss from the noise of batches of one token."""
    return LEARNING_RATE * R / 2 * _sum(_noise_kept, N, steps, Q, q, r)


@law(
    formula="E + unlearned(N, steps, P, p, Q, q) + noise(N, steps, Q, q, R, r) / batch_tokens",
    functions={"unlearned": _unlearned, "noise": _noise},
    source=f"{_LI}, authors' code",
    published={
        "li2026": constants(
            f"{_LI}, authors' code, fitted_nqs.json",
            "P",
            E=0.35449737765209993,
            P=3.3926855412266743,
            p=1.1131253732848405,
            Q=0.8853327469240055,
            q=0.584242820729791,
            R=8.410028810517371 * 128,
            r=2.5829307382669966,
            note="Pythia sizes on OpenWebText2; R times 128, since the authors' batch counts "
            "sequences of 128 tokens",
        )
    },
    decreasing=("N", "batch_tokens"),
    limits={"batch_tokens = inf": "E + unlearned(N, steps, P, p, Q, q)"},
    ridges=(
        "P, Q, E and R, r trade off: the authors find that fits disagree in them and agree in "
        "their predictions; p and q are identified.",
        "R and r need runs in which smaller batches are worse at the same steps.",
    ),
    traps=(
        "Runs must share everything but N, batch and steps: optimiser, learning rate, schedule.",
        "More steps of a given batch are more tokens. Very small batches can end above the loss at "
        "the start: their noise is more than there is to learn.",
        "The authors fit this system; the figures of their demo lower its learning rate as the "
        "weights grow, which this law leaves out.",
        "Q is below 1: above 1.0005 the first direction diverges.",
    ),
)
def noisy_quadratic(
    N: Count,
    batch_tokens: Annotated[BatchTokens, adjust(ends=(128.0, 1e9))],
    steps: Annotated[Steps, adjust(ends=(1.0, 1e7))],
    *,
    E: Irreducible,
    P: Annotated[
        Coefficient,
        adjust(
            name="initial excess",
            unit="nats/token",
            meaning="twice the excess of the first direction at the start",
            prior=lognormal(0.5, 1.0),
            start=(0.05, 2.0),
            anchor=Anchor("N**(1 - p) / (p - 1) / 2"),
        ),
    ],
    p: Annotated[
        Exponent,
        adjust(
            meaning="power of the excess in the direction",
            prior=Prior("normal", (1.25, 0.2)),
            start=(0.05, 0.5),
            anchor=Anchor(plus="-1"),
        ),
    ],
    Q: Annotated[
        ShareParameter,
        adjust(name="curvature", meaning="curvature of the first direction", start=(0.2, 0.95)),
    ],
    q: Annotated[
        Exponent,
        adjust(
            meaning="power of the curvature in the direction",
            prior=lognormal(0.7, 0.4),
            start=(0.4, 1.2),
        ),
    ],
    R: Annotated[
        Coefficient,
        adjust(
            name="noise",
            unit="nats",
            meaning="noise of a token in the first direction",
            prior=lognormal(0.01, 2.0),
            start=(0.0003, 0.1),
            anchor=Anchor("1 / batch_tokens"),
        ),
    ],
    r: Annotated[
        Exponent,
        adjust(
            meaning="power of the noise in the direction",
            prior=lognormal(1.2, 0.6),
            start=(0.4, 3.0),
        ),
    ],
) -> Loss:
    """Loss of an N-parameter model after some steps of a batch, nats per token.

    ``L = E + P / 2 sum_{n > N} n**-p + sum_{n <= N} (P / 2 n**-p k_n + R_n (1 - k_n))``: of a
    direction of curvature ``Q / n**q`` the steps keep ``k_n = (1 - x_n)**(2 steps)``, ``x_n =
    1.999 Q / n**q``, and noise fills the rest up to ``R_n = 1.999 R / (2 batch (2 - x_n) n**r)``
    (Li & Maddison 2026, with the learning rate of their code).

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.noisy_quadratic)
        >>> for batch in (1e4, 1e5, 1e6):  # at 1e9 tokens
        ...     loss = laws.noisy_quadratic(1e8, batch, steps=1e9 / batch, **theta)
        ...     print(f"{batch:.0e} tokens per batch: {loss:.3f} nats per token")
        1e+04 tokens per batch: 2.723 nats per token
        1e+05 tokens per batch: 2.407 nats per token
        1e+06 tokens per batch: 3.216 nats per token
    """
    noise = _noise(N, steps, Q, q, R, r) / as_float(batch_tokens)
    return _unlearned(N, steps, P, p, Q, q) + noise + jnp.asarray(as_float(E))
