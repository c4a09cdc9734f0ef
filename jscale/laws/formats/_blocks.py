"""Formats of blocks: elements that share a scale, and rounding whole arrays to them."""

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jscale._core.checks import check_key, is_whole_number
from jscale._core.errors import JscaleError
from jscale._core.programs import program
from jscale._core.text import shown
from jscale.laws.formats._elements import (
    E2M1,
    E3M2,
    E4M3,
    E5M2,
    E8M0,
    Element,
    Float,
    Integer,
    PowerOfTwo,
    cast,
    numbers_of,
)

_EXACT_BITS = 32
"""Bits of a scale that is not rounded."""


@dataclass(frozen=True)
class Blocks:
    """Numbers in blocks that share a scale: the largest magnitude of a block decides it.

    Attributes:
        element: the values, in units of the scale.
        size: numbers in a block; None for all numbers of an axis or of the array.
        scale: None for a scale in float32, by which the largest magnitude becomes the largest
            value; a power of two; or a float, in units of a float32 scale of the whole array (as in
            NVFP4).

    Raises:
        JscaleError: elements or scales of another kind, a size that is not a whole number above 0,
            or a float scale without a size.

    Example:
        >>> from jscale.laws import formats
        >>> formats.NVFP4.bits, formats.NVFP4.stored_bits, formats.MXFP4.stored_bits
        (4, 4.5, 4.25)
    """

    element: Element
    size: int | None = None
    scale: PowerOfTwo | Float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.element, Element):
            raise JscaleError(
                f"is {shown(self.element)}; expected a Float or an Integer", argument="element"
            )
        if not isinstance(self.scale, PowerOfTwo | Float | None):
            raise JscaleError(
                f"is {shown(self.scale)}; expected a PowerOfTwo, a Float or None", argument="scale"
            )
        if self.size is None:
            if isinstance(self.scale, Float):
                raise JscaleError("is None; a float scale needs a block size", argument="size")
        elif not is_whole_number(self.size, 1):
            raise JscaleError(
                f"is {shown(self.size)}; expected a whole number above 0, or None", argument="size"
            )

    @property
    def bits(self) -> int:
        """Bits of a number, without its part of the scale."""
        return self.element.bits

    @property
    def stored_bits(self) -> float:
        """Bits per number with the scales of the blocks, without those of whole axes."""
        if self.size is None:
            return float(self.bits)
        scale = _EXACT_BITS if self.scale is None else self.scale.bits
        return self.bits + scale / self.size


FP8_E4M3 = Blocks(E4M3)
"""E4M3 with one scale for a whole axis."""
FP8_E5M2 = Blocks(E5M2)
"""E5M2 with one scale for a whole axis."""
MXFP8 = Blocks(E4M3, 32, E8M0)
"""E4M3 in blocks of 32 with power-of-two scales (OCP Microscaling 1.0)."""
MXFP6 = Blocks(E3M2, 32, E8M0)
"""E3M2 in blocks of 32 with power-of-two scales (OCP Microscaling 1.0)."""
MXFP4 = Blocks(E2M1, 32, E8M0)
"""E2M1 in blocks of 32 with power-of-two scales (OCP Microscaling 1.0)."""
NVFP4 = Blocks(E2M1, 16, E4M3)
"""E2M1 in blocks of 16 with E4M3 scales, and a float32 scale of the whole array."""


def integer(bits: int, size: int | None = None) -> Blocks:
    """INT-b: ``2**bits - 1`` even values, with the largest magnitude of the block at the end.

    Args:
        bits: of a number, 2 to 16.
        size: numbers in a block; None for all of an axis, as the weights of an output channel.

    Raises:
        JscaleError: another number of bits, or a size that is not a whole number above 0.

    Source: Kumar et al. 2024 (arXiv 2411.04330), appendix.

    Example:
        >>> from jscale.laws import formats
        >>> formats.quantise([0.5, -2.1, 3.0], formats.integer(3)).tolist()
        [0.0, -2.0, 3.0]
    """
    return Blocks(Integer(bits), size)


def quantise(
    x: ArrayLike | Sequence[float],
    format: Blocks,
    *,
    axis: int | None = -1,
    key: jax.Array | None = None,
    straight_through: bool = True,
) -> jax.Array:
    """Round an array to a format, block by block.

    Args:
        x: any shape.
        format: such as :data:`NVFP4` or :func:`integer`.
        axis: along which numbers share scales; None for all numbers in order, one scale for the
            whole array where the format has no block size. A last block that is not full is one of
            its own.
        key: random key of stochastic rounding of the elements; None for rounding to nearest. Scales
            are never rounded stochastically.
        straight_through: whether the derivative is that of ``x`` itself; else it is 0.

    Returns:
        The shape and precision of ``x``; zeros where a block has only zeros, or a scale too small
        for its format.

    Raises:
        JscaleError: something that is not a format, not an array of numbers, an axis that ``x``
            lacks, or not a random key.

    Example:
        >>> from jscale.laws import formats
        >>> formats.quantise([1.0, 0.3, -0.2, 6.0], formats.MXFP4).tolist()
        [1.0, 0.5, 0.0, 6.0]
    """
    if not isinstance(format, Blocks):
        raise JscaleError(
            f"is {shown(format)}; expected a format such as formats.NVFP4 or formats.integer(4)",
            argument="format",
        )
    x = numbers_of(x)
    if axis is not None and not (is_whole_number(axis) and -x.ndim <= axis < x.ndim):
        raise JscaleError(f"is {shown(axis)}; x has {x.ndim} axes", argument="axis")
    if key is not None:
        check_key(key)
    if x.size == 0:
        return x
    return _quantise(x, key, format, axis, straight_through)


@program("format", "axis", "straight_through")
def _quantise(
    x: jax.Array,
    key: jax.Array | None,
    format: Blocks,
    axis: int | None,
    straight_through: bool,
) -> jax.Array:
    numbers = jax.lax.stop_gradient(x)
    rows = numbers.reshape(-1) if axis is None else jnp.moveaxis(numbers, axis, -1)
    blocks = _in_blocks(rows, format.size)
    scales = _scales(blocks, format)
    safe = jnp.where(scales > 0, scales, 1.0)
    elements = cast(jnp.where(scales > 0, blocks / safe, 0.0), format.element, key=key)
    rounded = (elements * safe).reshape(*rows.shape[:-1], -1)[..., : rows.shape[-1]]
    rounded = rounded.reshape(x.shape) if axis is None else jnp.moveaxis(rounded, -1, axis)

    # The difference is 0: the result is a value of the format, with the derivative of x.
    return rounded + (x - jax.lax.stop_gradient(x)) if straight_through else rounded


def _in_blocks(rows: jax.Array, size: int | None) -> jax.Array:
    """(..., numbers) → (..., blocks, size), the last block filled with zeros."""
    count = rows.shape[-1]
    size = count if size is None else size
    padding = [(0, 0)] * (rows.ndim - 1) + [(0, -count % size)]
    return jnp.pad(rows, padding).reshape(*rows.shape[:-1], -1, size)


def _scales(blocks: jax.Array, format: Blocks) -> jax.Array:
    """(..., blocks, size) → the scale of each block, (..., blocks, 1)."""
    top = jnp.max(jnp.abs(blocks), axis=-1, keepdims=True)
    largest = format.element.largest
    if format.scale is None:
        return top / largest
    if isinstance(format.scale, Float):
        # 1 where all numbers are 0: the scale is then 0.
        array_scale = jnp.max(top) / (largest * format.scale.largest)
        array_scale = jnp.where(array_scale > 0, array_scale, 1.0)
        return cast(top / (largest * array_scale), format.scale) * array_scale

    exponent = power_of_two(top, format)
    # The least normal float32: XLA flushes the subnormal 2**-127 to 0.
    scale = jnp.ldexp(jnp.ones_like(top), jnp.clip(exponent, -126, 127))
    return jnp.where(top > 0, scale, 0.0)


def power_of_two(top: jax.Array | np.ndarray, format: Blocks) -> jax.Array:
    """Exponent of the power-of-two scale of blocks with largest magnitudes ``top``."""
    assert isinstance(format.scale, PowerOfTwo)
    largest = format.element.largest
    if format.scale.up:
        mantissa, exponent = jnp.frexp(jnp.asarray(top) / largest)
        return exponent - jnp.where(mantissa == 0.5, 1, 0).astype(exponent.dtype)
    return jnp.frexp(jnp.asarray(top))[1] - int(np.frexp(largest)[1])
