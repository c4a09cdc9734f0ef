"""How much of a budget to train in full precision before training with quantised weights."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jscale._core.checks import index_of_first, is_traced
from jscale._core.errors import JscaleError
from jscale._core.scope import in_default_settings
from jscale._core.status import Status
from jscale.laws import params as published
from jscale.laws import qat_share
from jscale.plan.gridsearch import over_draws
from jscale.plan.problem import check_inputs, check_params, to_arrays

_FULL_BITS = 16.0
"""Bits of weights in full precision."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class QatSplit:
    """The tokens of both phases of a model that ends in few bits; arrays of one shape.

    Attributes:
        share: of the tokens with quantised weights.
        D_full: tokens in full precision, first.
        D_quantised: tokens with quantised weights, after them.
        ratio: tokens per byte of the quantised weights.
        status: ``at_bound`` where there is at most one token per byte: the share is 0, and there is
            no quantised phase; else ``converged``.
    """

    share: jax.Array
    D_full: jax.Array
    D_quantised: jax.Array
    ratio: jax.Array
    status: jax.Array


@in_default_settings
def qat_split(
    N: ArrayLike, D: ArrayLike, P_w: ArrayLike, *, a: ArrayLike | None = None
) -> QatSplit:
    """Divide D tokens between full precision and quantisation-aware training at equal compute.

    By the fit of the best share, ``exp(-a / ln S)`` with ``S = D / (N * P_w / 8)``, of
    :func:`~jscale.laws.qat_share`. It holds for a token of either phase at the same cost. What
    another share costs is not in the catalogue: the authors' law of the loss could not be
    confirmed. The best shares of their 757 runs lie 0.091 from the fit on average.

    Args:
        N: parameters.
        D: tokens of both phases.
        P_w: bits of the weights at the end, below 16.
        a: split scale, a scalar or draws; None for the published one.

    Raises:
        JscaleError: a number out of range.

    Source: Dremov et al. 2025 (arXiv 2509.22935).

    Example:
        8e9 parameters on 1e12 tokens, to be used in 4 bits:

        >>> from jscale import plan
        >>> split = plan.qat_split(N=8e9, D=1e12, P_w=4)
        >>> print(f"{split.share:.0%}: {split.D_full:.3g} tokens, then {split.D_quantised:.3g}")
        30%: 7.04e+11 tokens, then 2.96e+11
    """
    theta = published(qat_share) if a is None else {"a": a}
    inputs = check_inputs(qat_share, {"N": N, "D": D, "P_w": P_w})
    _check_bits(inputs["P_w"])
    arrays = to_arrays(check_params(qat_share, theta), inputs)

    def one(theta: Any, values: Any) -> QatSplit:
        share = qat_share(**values, **theta)
        quantised = share * values["D"]
        ratio = 8 * (values["D"] / values["N"]) / values["P_w"]
        status = jnp.where(ratio > 1, int(Status.converged), int(Status.at_bound))
        return QatSplit(share, values["D"] - quantised, quantised, ratio, status)

    return over_draws(one, *arrays)


def _check_bits(bits: Any) -> None:
    """Check that the weights end in fewer bits than those of full precision."""
    if is_traced(bits):
        return
    entries = np.asarray(bits, dtype=np.float64)
    if (full := entries >= _FULL_BITS).any():
        raise JscaleError(
            f"P_w{index_of_first(full)} must be bits below {_FULL_BITS:g}, those of full "
            f"precision, not {entries[full][0]:g}",
            argument="P_w",
        )
