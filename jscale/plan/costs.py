"""What training costs, in FLOP, and how many tokens or parameters a budget then buys.

A cost is any frozen object with the four members of :class:`Cost`; the functions of :mod:`jscale.plan` take one as
``cost=``.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import jax
from jax.typing import ArrayLike

from jscale._core.arrays import as_float
from jscale._core.errors import JscaleError

FULL_BITS = 16.0
"""Bits at which a multiplication costs the usual 2 FLOP (BF16)."""


class Cost(Protocol):
    """A training cost that can be solved for tokens and for parameters in closed form; hashable."""

    @property
    def name(self) -> str:
        """Of the cost, for messages."""
        ...

    @property
    def needs_bits(self) -> bool:
        """Whether the cost depends on the training precision P."""
        ...

    def flops(self, N: ArrayLike, D: ArrayLike, P: ArrayLike | None = None) -> Any:
        """Cost in FLOP of training N parameters on D tokens in P bits."""
        ...

    def tokens(self, budget: ArrayLike, N: ArrayLike, P: ArrayLike | None = None) -> Any:
        """Tokens on which ``budget`` FLOP train N parameters in P bits."""
        ...

    def parameters(self, budget: ArrayLike, D: ArrayLike, P: ArrayLike | None = None) -> Any:
        """Parameters that ``budget`` FLOP train on D tokens in P bits."""
        ...


@jax.custom_jvp
def _divide(x: jax.Array, y: jax.Array) -> jax.Array:
    return x / y


@_divide.defjvp
def _divide_jvp(primals: tuple[jax.Array, ...], tangents: tuple[jax.Array, ...]) -> tuple[jax.Array, jax.Array]:
    (x, y), (x_dot, y_dot) = primals, tangents
    quotient = _divide(x, y)
    return quotient, _divide(x_dot - quotient * y_dot, y)


def _ratio(x: Any, y: Any) -> Any:
    """``x / y``, for JAX arrays without the ``y**-3`` of JAX's own second derivative.

    Above 1e12 parameters that power underflows in float32, and takes the Hessian with it.
    """
    if isinstance(x, jax.Array) or isinstance(y, jax.Array):
        return _divide(x, y)
    return x / y


@dataclass(frozen=True)
class ProductCost:
    """``factor * N * D`` FLOP, times ``P / 16`` where ``needs_bits``.

    Attributes:
        name: for messages.
        factor: FLOP per parameter and token in 16 bits.
        needs_bits: whether fewer bits cost proportionally less.
    """

    name: str
    factor: float = 6.0
    needs_bits: bool = False

    def _rate(self, P: ArrayLike | None) -> Any:
        if not self.needs_bits:
            return self.factor
        if P is None:
            raise JscaleError(f"the cost {self.name} depends on the training precision: give P, in bits")
        return self.factor / FULL_BITS * as_float(P)

    def flops(self, N: ArrayLike, D: ArrayLike, P: ArrayLike | None = None) -> Any:
        """Cost in FLOP of training N parameters on D tokens in P bits."""
        return as_float(N) * self._rate(P) * as_float(D)

    def tokens(self, budget: ArrayLike, N: ArrayLike, P: ArrayLike | None = None) -> Any:
        """Tokens on which ``budget`` FLOP train N parameters in P bits."""
        return _ratio(as_float(budget) / self._rate(P), as_float(N))

    def parameters(self, budget: ArrayLike, D: ArrayLike, P: ArrayLike | None = None) -> Any:
        """Parameters that ``budget`` FLOP train on D tokens in P bits."""
        return _ratio(as_float(budget) / self._rate(P), as_float(D))


training_flops = ProductCost("training_flops")
"""``C = 6 N D``: 2 FLOP forward and 4 backward per parameter and token (Kaplan et al. 2020, Table 1)."""

precision_scaled_flops = ProductCost("precision_scaled_flops", needs_bits=True)
"""``C = (6 / 16) N D P``: cost proportional to the bits trained in (Kumar et al. 2024, section 4.3)."""
