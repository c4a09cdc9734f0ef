"""The values of number formats: small floats and integers, and rounding to them."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jscale._core.arrays import inexact
from jscale._core.checks import check_key, is_whole_number
from jscale._core.errors import JscaleError
from jscale._core.programs import program
from jscale._core.text import shown

MOST_BITS = 16
"""Most bits of an integer: above, float32 does not hold its values."""


@dataclass(frozen=True)
class Float:
    """Floating-point numbers of few bits: a sign, an exponent and a mantissa.

    The exponent has the bias ``2**(exponent_bits - 1) - 1``; its smallest value holds the subnormal
    numbers. Infinities and NaN are no values to round to.

    Attributes:
        exponent_bits: bits of the exponent.
        mantissa_bits: bits of the mantissa, without the leading 1.
        largest: the largest finite value.

    Example:
        >>> from jscale.laws import formats
        >>> [float(value) for value in formats.E2M1.magnitudes]
        [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0]
    """

    exponent_bits: int
    mantissa_bits: int
    largest: float

    @property
    def bits(self) -> int:
        """Bits of a number, the sign too."""
        return 1 + self.exponent_bits + self.mantissa_bits

    @property
    def least_exponent(self) -> int:
        """Exponent of the smallest normal number and of all subnormal ones."""
        return 2 - 2 ** (self.exponent_bits - 1)

    @property
    def magnitudes(self) -> np.ndarray:
        """The values that are not negative, increasing: (values,)."""
        return _float_magnitudes(self)


@dataclass(frozen=True)
class Integer:
    """Evenly spaced values from ``-L`` to ``L`` with ``L = 2**(bits - 1) - 1``.

    The integers of the runs of Kumar et al. 2024 (arXiv 2411.04330): symmetric, with the largest
    magnitude of the numbers at ``L``.

    Attributes:
        bits: of a number, 2 to 16.

    Raises:
        JscaleError: another number of bits.

    Example:
        >>> from jscale.laws import formats
        >>> [float(value) for value in formats.Integer(3).magnitudes]
        [0.0, 1.0, 2.0, 3.0]
    """

    bits: int

    def __post_init__(self) -> None:
        if not is_whole_number(self.bits, 2) or self.bits > MOST_BITS:
            raise JscaleError(
                f"an integer format has 2 to {MOST_BITS} bits, a whole number, not "
                f"{shown(self.bits)}"
            )

    @property
    def largest(self) -> float:
        """The largest value, ``2**(bits - 1) - 1``."""
        return float(2 ** (self.bits - 1) - 1)

    @property
    def magnitudes(self) -> np.ndarray:
        """The values that are not negative, increasing: (values,)."""
        return np.arange(self.largest + 1)


@dataclass(frozen=True)
class PowerOfTwo:
    """Scales of 8 bits that are powers of two, without sign and mantissa (E8M0).

    Attributes:
        up: whether a scale is rounded up, so that no number of the block is clipped. The rule of
            the OCP Microscaling specification rounds down: numbers above the largest value of the
            elements are clipped to it.

    Example:
        >>> from jscale.laws import formats
        >>> up = formats.Blocks(formats.E2M1, 32, formats.PowerOfTwo(up=True))
        >>> [formats.quantise([7.0], each).item() for each in (formats.MXFP4, up)]
        [6.0, 8.0]
    """

    up: bool = False

    @property
    def bits(self) -> int:
        """Bits of a scale."""
        return 8

    @property
    def magnitudes(self) -> np.ndarray:
        """The scales, increasing: (255,)."""
        return np.exp2(np.arange(-127.0, 128.0))


Element = Float | Integer

E2M1 = Float(2, 1, 6.0)
"""4 bits; the elements of NVFP4 and MXFP4."""
E2M3 = Float(2, 3, 7.5)
"""6 bits."""
E3M2 = Float(3, 2, 28.0)
"""6 bits."""
E4M3 = Float(4, 3, 448.0)
"""8 bits, without infinities; also the scales of NVFP4 (Micikevicius et al. 2022, arXiv
2209.05433)."""
E5M2 = Float(5, 2, 57344.0)
"""8 bits (Micikevicius et al. 2022, arXiv 2209.05433)."""
E8M0 = PowerOfTwo()
"""8 bits, ``2**-127`` to ``2**127``: scales of the MX formats."""


@functools.lru_cache
def _float_magnitudes(element: Float) -> np.ndarray:
    steps = 2**element.mantissa_bits
    subnormal = np.arange(steps) / steps
    normal = 1 + subnormal
    exponents = element.least_exponent + np.arange(2**element.exponent_bits)
    binades = np.ldexp(normal, exponents[:, None]).ravel()
    values = np.concatenate([np.ldexp(subnormal, element.least_exponent), binades])
    values = values[values <= element.largest]
    values.setflags(write=False)
    return values


def numbers_of(x: ArrayLike | Sequence[float]) -> jax.Array:
    """An array to round, in floating point.

    Raises:
        JscaleError: not an array of real numbers.
    """
    try:
        # JAX takes text for the name of a type.
        array = None if isinstance(x, str) else jnp.asarray(x)
    except (OverflowError, TypeError, ValueError):
        array = None
    if array is None or jnp.iscomplexobj(array):
        raise JscaleError(f"must be an array of numbers, not {shown(x)}", argument="x")
    return inexact(array)


def cast(
    x: ArrayLike | Sequence[float], element: Element, *, key: jax.Array | None = None
) -> jax.Array:
    """Round numbers to the values of an element, without a scale.

    To the nearest value, of two equally near ones to that with an even mantissa; with a ``key``
    stochastically, to either neighbour with a probability by which the expected value is ``x``.
    Numbers beyond the largest value are clipped to it. The derivative is 0.

    Args:
        x: any shape; in units of the element's values.
        element: :class:`Float` or :class:`Integer`.
        key: random key of stochastic rounding; None for rounding to nearest.

    Returns:
        The shape and precision of ``x``.

    Raises:
        JscaleError: something that is not an element, not an array of numbers, or not a random key.

    Example:
        >>> from jscale.laws import formats
        >>> formats.cast([0.2, 2.4, 2.6, 5.0, 100.0], formats.E2M1).tolist()
        [0.0, 2.0, 3.0, 4.0, 6.0]
    """
    if not isinstance(element, Element):
        raise JscaleError(
            f"is {shown(element)}; expected a Float or an Integer", argument="element"
        )
    if key is not None:
        check_key(key)

    return round_to_element(numbers_of(x), key, element)


@program("element")
def round_to_element(x: jax.Array, key: jax.Array | None, element: Element) -> jax.Array:
    """What :func:`cast` returns, as one program: to compile each operation alone takes longer."""
    x = jax.lax.stop_gradient(x)
    magnitude = jnp.minimum(jnp.abs(x), element.largest)
    step = jnp.ones_like(x)
    if isinstance(element, Float):
        # The mantissa of frexp is from 1/2 to 1, so that the exponent is one more than floor(log2).
        exponent = jnp.frexp(magnitude)[1] - 1
        exponent = jnp.maximum(exponent, element.least_exponent) - element.mantissa_bits
        step = jnp.ldexp(step, exponent)

    # In units of the step the even integer is the value with the even mantissa.
    scaled = magnitude / step
    if key is None:
        rounded = jnp.round(scaled)
    else:
        rounded = jnp.floor(scaled + jax.random.uniform(key, x.shape, x.dtype))
    return jnp.copysign(jnp.minimum(rounded * step, element.largest), x)
