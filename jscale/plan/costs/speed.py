"""FLOP of training where fewer bits are not proportionally faster: measured speeds of formats."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jscale._core.errors import JscaleError
from jscale._core.text import did_you_mean, enumerated, shown
from jscale.laws import formats
from jscale.plan.costs._numbers import positive
from jscale.plan.costs.training import FULL_BITS, ProductCost

Format = str | float
"""A format by name, or its bits."""

PUBLISHED_SPEED_UPS: Mapping[str, Mapping[Format, float]] = {
    "cloverlm2026_low": {"bf16": 1.0, "nvfp4": 1.25},
    "cloverlm2026_high": {"bf16": 1.0, "nvfp4": 1.5},
}
"""End-to-end throughput of training in NVFP4, in units of that in BF16: 25% to 50% higher, by
model size and machine, while the products of matrices are 3 to 4 times as fast (Schultheis et al.
2026, preliminary report of CloverLM-4B, controlled comparisons)."""


@dataclass(frozen=True)
class SpeedCost(ProductCost):
    """``factor * N * D / s(P)`` FLOP: training in P bits is s(P) times as fast as in 16 bits.

    The FLOP are those that 16 bits would compute in the same time. The logarithm of the speed is
    interpolated in the logarithm of the bits, so that two formats with speeds in proportion to
    their bits give ``precision_scaled_flops`` between them. With fewer bits than any format, the
    speed is that of the narrowest; with more, it falls in proportion to the bits. At a format the
    speed has a kink, and a plan may end there (``Status.kink``).

    Attributes:
        name: for messages.
        factor: FLOP per parameter and token in 16 bits.
        needs_bits: True.
        speeds: bits and speed of each format, by increasing bits.
    """

    needs_bits: bool = True
    speeds: tuple[tuple[float, float], ...] = ((FULL_BITS, 1.0),)

    def speed(self, P: ArrayLike | None) -> Any:
        """Speed of training in P bits, in units of that in 16 bits.

        Raises:
            JscaleError: no bits, or bits that are not finite numbers above 0.
        """
        bits = self._bits(None if P is None else positive("P", P))
        if isinstance(bits, jax.Array):
            library, knots = jnp, jnp.log(jnp.asarray(self.speeds, bits.dtype))
        else:
            library, knots = np, np.log(np.asarray(self.speeds))
        log_bits = library.log(bits)
        within = library.interp(log_bits, knots[:, 0], knots[:, 1])
        excess = library.maximum(log_bits - knots[-1, 0], 0.0)
        return library.exp(within - excess)

    def in_format(self, format: Format) -> ProductCost:
        """The cost in one format: for laws without bits, such as those of measured multipliers.

        Raises:
            JscaleError: a format that is not known by name, one with other bits for weights than
                for activations, or a number of bits that is not positive.
        """
        speed = float(self.speed(_bits_of(format)))
        return ProductCost(f"{self.name} in {format}", self.factor / speed)

    def _rate(self, P: ArrayLike | None) -> Any:
        return self.factor / self.speed(P)


def speed_cost(
    speeds: Mapping[Any, Any], *, device: str | None = None, factor: float = 6.0
) -> SpeedCost:
    """The cost of training by a table of speeds of number formats.

    Args:
        speeds: format, by name or bits, → throughput of training end to end, in any unit; with a
            ``device``, device → such a table. Without a format of 16 bits the speeds are in units
            of that of 16 bits.
        device: whose table to use.
        factor: FLOP per parameter and token in 16 bits.

    Raises:
        JscaleError: no format, one that is not known by name, one with other bits for weights than
            for activations, two of the same bits, a speed or factor that is not one positive
            number, or a device without a table.

    Example:
        A budget pays for 1.25 to 1.5 times as many tokens in NVFP4, not for 4 times as many:

        >>> from jscale.plan import costs
        >>> for device in costs.PUBLISHED_SPEED_UPS:
        ...     cost = costs.speed_cost(costs.PUBLISHED_SPEED_UPS, device=device)
        ...     print(f"{cost.tokens(6e20, N=1e9, P=4):.3g} tokens")
        1.25e+11 tokens
        1.5e+11 tokens
        >>> measured = costs.speed_cost({"bf16": 41e3, "fp8": 52e3, "nvfp4": 56e3})
        >>> print(f"{measured.speed(4):.2f}")
        1.37
    """
    table = _table(speeds) if device is None else _of_device(_table(speeds), device)
    knots: dict[float, float] = {}
    for format, speed in table.items():
        if isinstance(speed, Mapping):
            raise JscaleError(
                f"has tables by device; choose one of {enumerated(map(str, table))}",
                argument="speeds",
            )
        bits = _bits_of(format)
        if bits in knots:
            raise JscaleError(f"has two formats of {bits:g} bits", argument="speeds")
        knots[bits] = _one_positive(f"speeds: that of {format}", speed)

    unit = knots.setdefault(FULL_BITS, 1.0)
    ordered = tuple((bits, knots[bits] / unit) for bits in sorted(knots))
    name = "speed_cost" if device is None else f"speed_cost of {device}"
    return SpeedCost(name, _one_positive("factor", factor), speeds=ordered)


def _table(speeds: Any) -> Mapping[Any, Any]:
    if not isinstance(speeds, Mapping) or not speeds:
        raise JscaleError(
            f"is {shown(speeds)}; expected formats and their speeds, such as {{'nvfp4': 1.4}}",
            argument="speeds",
        )
    return speeds


def _of_device(speeds: Mapping[Any, Any], device: Any) -> Mapping[Any, Any]:
    if not isinstance(device, str):
        raise JscaleError(f"must be the name of a device, not {shown(device)}", argument="device")
    if device not in speeds:
        known = [str(each) for each in speeds]
        hint = did_you_mean(str(device), known, f"; it has {enumerated(known)}")
        raise JscaleError(f"has no device {shown(device)}{hint}", argument="speeds")
    return _table(speeds[device])


def _one_positive(name: str, value: Any) -> float:
    number = positive(name, value)
    if np.ndim(number):
        raise JscaleError(f"must be one number, not {shown(value)}", argument=name)
    return float(number)


def _bits_of(format: Format) -> float:
    """Bits of a format, by name or as a number."""
    if isinstance(format, str):
        named = formats.bits_of(format)
        if named is None:
            raise JscaleError(
                f": {shown(format)} is no format with known bits, such as nvfp4, fp8 or bf16",
                argument="speeds",
            )
        # Training multiplies weights and activations; a cache is of inference.
        if named.activations not in (None, named.bits):
            raise JscaleError(
                f": {shown(format)} has {named.bits:g} bits of weights and "
                f"{named.activations:g} of activations; expected one format of both, such as fp8",
                argument="speeds",
            )
        return named.bits
    return _one_positive("the bits of a format", format)
