"""Over-training: the loss in compute and tokens per parameter.

Models are trained on far more tokens than is compute-optimal, since a small model is cheap to run.
At a fixed number of tokens per parameter M the reducible loss is a power law in compute;
over-training multiplies its coefficient and leaves its exponent. That is Chinchilla's law with
equal exponents, in other coordinates: ``C = 6ND``, ``M = D / N``, ``eta = alpha / 2``, ``a = A *
6**eta``, ``b = B * 6**eta``.

The exponent and the form transfer between the corpora; the floor is that of the text on which the
loss is measured.
"""

from typing import Annotated

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jscale._core.arrays import as_float, log, term
from jscale.laws.declaration import constants, law
from jscale.laws.roles import (
    Anchor,
    DataCoefficient,
    Exponent,
    Flops,
    Irreducible,
    Loss,
    SizeCoefficient,
    TokensPerParameter,
    adjust,
    lognormal,
)

_GADRE = "Gadre et al. 2024 (arXiv 2403.08540)"
_CODE = f"{_GADRE}, authors' code, loss on C4"
_FIVE_RUNS = "fitted to five runs"


@law(
    formula="E + (a * M**eta + b * M**-eta) * C**-eta",
    source=f"{_GADRE}, eq. 4 and the authors' code",
    published={
        "gadre2024_c4": constants(
            f"{_CODE}, trained on C4",
            "R",
            note=_FIVE_RUNS,
            E=1.5083,
            a=141.28,
            b=189.52,
            eta=0.1212,
        ),
        "gadre2024_redpajama": constants(
            f"{_CODE}, trained on RedPajama",
            "R",
            note=_FIVE_RUNS,
            E=1.8366,
            a=212.24,
            b=366.69,
            eta=0.1364,
        ),
        "gadre2024_refinedweb": constants(
            f"{_CODE}, trained on RefinedWeb",
            "R",
            note=_FIVE_RUNS,
            E=1.7345,
            a=157.12,
            b=246.21,
            eta=0.1272,
        ),
    },
    decreasing=("C",),
    limits={"C = inf": "E"},
    ridges=(
        "a and b with eta are almost perfectly correlated unless quoted at the runs' own scale.",
        "Runs at one M identify a * M**eta + b * M**-eta, not a and b.",
    ),
    traps=(
        "The authors' code multiplies the data term alone by a power of 6; these constants take C "
        "and M as they are.",
        "Each set was fitted to five losses: four constants, one degree of freedom.",
        "The exponents of size and data are equal by assumption.",
    ),
)
def overtraining(
    C: Flops,
    M: TokensPerParameter,
    *,
    E: Irreducible,
    a: Annotated[SizeCoefficient, adjust(anchor=Anchor("M**eta * C**-eta"))],
    b: Annotated[DataCoefficient, adjust(anchor=Anchor("M**-eta * C**-eta"))],
    eta: Annotated[
        Exponent, adjust(meaning="power of compute", prior=lognormal(0.13, 0.8), start=(0.04, 0.4))
    ],
) -> Loss:
    """Loss of a model trained with C FLOP on M tokens per parameter, nats per token.

    ``L(C, M) = E + (a * M**eta + b * M**-eta) * C**-eta`` (Gadre et al. 2024, eq. 4).

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.overtraining, "gadre2024_c4")
        >>> [round(float(laws.overtraining(1e21, M, **theta)), 3) for M in (20, 640)]
        [2.463, 2.636]
    """
    C, M = as_float(C), as_float(M)
    return E + term(a, C / M, eta) + term(b, C * M, eta)


def best_ratio(*, a: ArrayLike, b: ArrayLike, eta: ArrayLike) -> jax.Array:
    """Compute-optimal tokens per parameter, ``(b / a)**(1 / (2 * eta))``.

    The minimum of :func:`overtraining` at fixed C, the same for every budget (Gadre et al. 2024,
    eq. 4, its derivative in M).

    Args:
        a: coefficient of the size term.
        b: coefficient of the data term.
        eta: power of compute.

    Example:
        >>> from jscale import laws
        >>> theta = laws.params(laws.overtraining, "gadre2024_c4")
        >>> round(float(laws.best_ratio(a=theta["a"], b=theta["b"], eta=theta["eta"])), 1)
        3.4
    """
    return jnp.exp((log(b) - log(a)) / (2 * eta))
