"""FLOP of training from counts, and the tokens or parameters that a budget pays for."""

import functools
from dataclasses import dataclass
from typing import Any, Protocol

import jax
import numpy as np
from jax.typing import ArrayLike

from jscale._core.arrays import as_float, ratio
from jscale._core.errors import JscaleError
from jscale._core.text import shown
from jscale.plan.costs._numbers import between, positive

FULL_BITS = 16.0
"""Bits at which a multiplication costs the usual 2 FLOP (BF16)."""


class Cost(Protocol):
    """A cost that can be solved for tokens and for parameters in closed form.

    It is hashable, or a pytree of its numbers: a plan is differentiable in those and broadcasts
    them against draws.
    """

    @property
    def name(self) -> str:
        """Name of the cost, for messages."""
        ...

    @property
    def needs_bits(self) -> bool:
        """Whether the cost depends on the training precision P."""
        ...

    def flops(self, N: ArrayLike, D: ArrayLike, P: ArrayLike | None = None) -> Any:
        """Cost in FLOP of training N parameters on D tokens in P bits."""
        ...

    def tokens(self, budget: ArrayLike, N: ArrayLike, P: ArrayLike | None = None) -> Any:
        """Tokens on which ``budget`` FLOP train N parameters in P bits.

        0 or less where the budget does not pay for any.
        """
        ...

    def parameters(self, budget: ArrayLike, D: ArrayLike, P: ArrayLike | None = None) -> Any:
        """Parameters that ``budget`` FLOP train on D tokens in P bits."""
        ...


@dataclass(frozen=True)
class ProductCost:
    """``factor * N * D`` FLOP, times ``P / 16`` where ``needs_bits``.

    Attributes:
        name: for messages.
        factor: FLOP per parameter and token in 16 bits.
        needs_bits: whether fewer bits cost proportionally less.

    Raises:
        JscaleError: a factor that is not above 0.

    Example:
        >>> from jscale.plan import costs
        >>> cost = costs.ProductCost("forward only", factor=2.0)
        >>> print(f"{cost.flops(N=1e9, D=2e10):.1e} FLOP")
        4.0e+19 FLOP
    """

    name: str
    factor: float = 6.0
    needs_bits: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.factor < float("inf"):
            raise JscaleError(
                f"the factor of a cost must be a finite number above 0, not {shown(self.factor)}"
            )

    def _rate(self, P: ArrayLike | None) -> Any:
        if not self.needs_bits:
            return self.factor
        return self.factor / FULL_BITS * self._bits(P)

    def _bits(self, P: ArrayLike | None) -> Any:
        """The training precision as floats."""
        if P is None:
            raise JscaleError(
                f"the cost {self.name} depends on the training precision: give P, in bits"
            )
        return as_float(P)

    def flops(self, N: ArrayLike, D: ArrayLike, P: ArrayLike | None = None) -> Any:
        """Cost in FLOP of training N parameters on D tokens in P bits."""
        return as_float(N) * self._rate(P) * as_float(D)

    def tokens(self, budget: ArrayLike, N: ArrayLike, P: ArrayLike | None = None) -> Any:
        """Tokens on which ``budget`` FLOP train N parameters in P bits."""
        return ratio(as_float(budget) / self._rate(P), as_float(N))

    def parameters(self, budget: ArrayLike, D: ArrayLike, P: ArrayLike | None = None) -> Any:
        """Parameters that ``budget`` FLOP train on D tokens in P bits."""
        return ratio(as_float(budget) / self._rate(P), as_float(D))


training_flops = ProductCost("training_flops")
"""``C = 6 N D``: 2 FLOP forward and 4 backward per parameter and token.

For a mixture of experts N counts the parameters used by a token: ``active_parameters`` of an
:class:`~jscale.plan.costs.Architecture`. Source: Kaplan et al. 2020 (arXiv 2001.08361), Table 1.
"""

precision_scaled_flops = ProductCost("precision_scaled_flops", needs_bits=True)
"""``C = (6 / 16) N D P``: proportional to the training precision (Kumar et al. 2024, eq. 5)."""


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=["T", "training", "inference"],
    meta_fields=["name", "needs_bits"],
)
@dataclass(frozen=True)
class LifetimeCost:
    """``6 N D + 2 N T`` FLOP: training on D tokens and serving T over the life of the model.

    A budget pays for ``D = (budget / N - 2 T) / 6`` tokens of training, none beyond ``N = budget /
    (2 T)``. A plan is differentiable in T and takes an array of it, broadcast against the draws.

    Source: Sardana et al. 2023 (arXiv 2401.00448), eq. 3. Where the utilisation of the hardware is
    lower in serving than in training, divide each factor by its model FLOP utilisation: the unit of
    the cost then is hardware time.

    Attributes:
        T: tokens read and generated in use, together; 0 or more.
        training: FLOP per parameter and token trained on.
        inference: FLOP per parameter and token served.
        name: for messages.
        needs_bits: False.

    Raises:
        JscaleError: a negative or infinite T, or a factor that is not positive.

    Example:
        70e9 parameters trained on 4e12 tokens, serving as many in use:

        >>> from jscale.plan import costs
        >>> cost = costs.LifetimeCost(T=4e12)
        >>> print(f"{cost.flops(N=70e9, D=4e12):.3g} FLOP")
        2.24e+24 FLOP
    """

    T: ArrayLike
    training: ArrayLike = 6.0
    inference: ArrayLike = 2.0
    name: str = "lifetime_cost"
    needs_bits: bool = False

    def __post_init__(self) -> None:
        # Inside JAX's tree functions the fields are placeholders of any type.
        numbers = str | bool | int | float | np.ndarray | np.generic | jax.Array
        if isinstance(self.T, numbers):
            between("T, the tokens served,", self.T, 0.0)
        for name in ("training", "inference"):
            if isinstance(getattr(self, name), numbers):
                positive(f"{name}, FLOP per parameter and token,", getattr(self, name))

    def _serving(self) -> Any:
        return as_float(self.inference) * as_float(self.T)

    def flops(self, N: ArrayLike, D: ArrayLike, P: ArrayLike | None = None) -> Any:
        """FLOP of training N parameters on D tokens and of serving them; bits change nothing."""
        return as_float(N) * (as_float(self.training) * as_float(D) + self._serving())

    def tokens(self, budget: ArrayLike, N: ArrayLike, P: ArrayLike | None = None) -> Any:
        """Tokens of training that ``budget`` FLOP pay for, besides serving.

        0 or less where serving alone costs as much.
        """
        return (ratio(as_float(budget), as_float(N)) - self._serving()) / as_float(self.training)

    def parameters(self, budget: ArrayLike, D: ArrayLike, P: ArrayLike | None = None) -> Any:
        """Parameters that ``budget`` FLOP train on D tokens and serve."""
        return ratio(as_float(budget), as_float(self.training) * as_float(D) + self._serving())
