"""Errors of formats on normal weights, and the bits of the integers that have the same error."""

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jscale._core.checks import check_number, is_whole_number
from jscale._core.errors import JscaleError
from jscale._core.text import shown
from jscale.laws.formats._blocks import Blocks, integer, power_of_two
from jscale.laws.formats._elements import MOST_BITS, Float

ROW = 4096
"""Numbers that share a scale where a format has no blocks, unless the caller says otherwise: about
the inputs of an output channel."""
_TAIL = 1e-15
"""Probability of the largest magnitudes that are left out."""
_NODES, _PIECES = 8, 24
"""Nodes of Gauss and Legendre on each piece, and pieces where a scale is not rounded."""


class Errors(NamedTuple):
    """Relative mean squared errors on normal weights.

    Attributes:
        nearest: of rounding to nearest.
        stochastic: of stochastic rounding.
    """

    nearest: float
    stochastic: float


NORMAL_ERRORS: Mapping[str, Errors] = MappingProxyType(
    {
        "nvfp4": Errors(0.009072299488, 0.0188943583),
        "mxfp4": Errors(0.01321876225, 0.02518534619),
        "mxfp6": Errors(0.002910868116, 0.005682206276),
        "mxfp8": Errors(0.0008620269617, 0.001555816471),
        "e4m3": Errors(0.0007007233011, 0.001403441827),
        "e5m2": Errors(0.002775283871, 0.005582167525),
        "int2": Errors(0.8262476308, 2.033988388),
        "int3": Errors(0.1347140265, 0.269424132),
        "int4": Errors(0.0247427946, 0.04948514746),
        "int5": Errors(0.005388343626, 0.01077666489),
        "int6": Errors(0.001261574223, 0.002523147203),
        "int8": Errors(7.516718441e-05, 0.0001503343644),
    }
)
"""Errors of the named formats, by :func:`normal_error` with its own number of numbers."""

Moments = tuple[np.ndarray, np.ndarray, np.ndarray]


def grid_error(values: ArrayLike) -> float:
    """Mean squared error of rounding standard normal numbers to the nearest of some values.

    In closed form: the moments of a normal distribution between the middles of neighbours.

    Args:
        values: (values,), increasing.

    Returns:
        In units of the variance.

    Raises:
        JscaleError: no values, or values that do not increase.

    Source: Max 1960 (IRE Transactions on Information Theory 6), eq. 1.

    Example:
        The two values with the least error, ``sqrt(2 / pi)`` from 0:

        >>> from jscale.laws import formats
        >>> print(f"{formats.grid_error([-0.79788, 0.79788]):.4f}")
        0.3634
    """
    values = np.asarray(check_number("values", values), np.float64)
    increasing = values.ndim == 1 and values.size > 0 and bool(np.all(np.diff(values) > 0))
    if not (increasing and np.isfinite(values).all()):
        raise JscaleError("must be finite numbers that increase", argument="values")
    middles = (values[1:] + values[:-1]) / 2
    return _nearest(values, np.concatenate([[-np.inf], middles, [np.inf]]))


def normal_error(format: Blocks, *, numbers: int = ROW, stochastic: bool = False) -> float:
    """Relative mean squared error of a format on independent normal weights.

    ``E[(x - Q(x))**2] / E[x**2]`` by quadrature over the largest magnitude of a block, with the
    moments of the others in closed form. For a float scale (NVFP4) the scale of the array is that
    of the median of its largest magnitude.

    Args:
        format: such as ``formats.NVFP4``.
        numbers: numbers of an axis, which share a scale where the format has no block size; of the
            array for a float scale.
        stochastic: of stochastic rounding instead of rounding to nearest.

    Returns:
        The error, in units of the variance.

    Raises:
        JscaleError: something that is not a format, or a number of numbers that is not whole or
            smaller than a block.

    Example:
        >>> from jscale.laws import formats
        >>> for name in ("nvfp4", "mxfp4", "int4"):
        ...     error = formats.normal_error(formats.get(name))
        ...     print(f"{name}: {error:.4f}")
        nvfp4: 0.0091
        mxfp4: 0.0132
        int4: 0.0247
    """
    if not isinstance(format, Blocks):
        raise JscaleError(
            f"is {shown(format)}; expected a format such as formats.NVFP4", argument="format"
        )
    least = format.size or 1
    if not is_whole_number(numbers, least):
        raise JscaleError(
            f"is {shown(numbers)}; expected a whole number of at least {least}", argument="numbers"
        )
    return _normal_error(format, int(numbers), bool(stochastic))


def ideal_bits(error: float) -> float:
    """Bits per number that no quantiser of normal numbers with this error can do without.

    ``-log2(error) / 2``.

    Args:
        error: relative mean squared error, above 0 and at most 1.

    Raises:
        JscaleError: an error out of range.

    Source: Shannon 1959, the rate-distortion function of a normal source.

    Example:
        >>> from jscale.laws import formats
        >>> round(formats.ideal_bits(formats.normal_error(formats.NVFP4)), 2)
        3.39
    """
    return -math.log2(_checked(error)) / 2


def effective_bits(format: Blocks, *, numbers: int = ROW, stochastic: bool = False) -> float:
    """Bits b of the INT-b of whole axes with the same error on normal weights.

    The bits by which a law of integers, such as that of Kumar et al. 2024, can read the format.
    Between whole bits the logarithm of the error is interpolated.

    Args:
        format: such as ``formats.NVFP4``.
        numbers: as in :func:`normal_error`.
        stochastic: as in :func:`normal_error`, of both.

    Raises:
        JscaleError: as :func:`normal_error`, or no INT-b of 2 to 16 bits has such an error.

    Example:
        >>> from jscale.laws import formats
        >>> for name in ("nvfp4", "mxfp4"):
        ...     print(f"{name}: {formats.effective_bits(formats.get(name)):.2f} bits")
        nvfp4: 4.66 bits
        mxfp4: 4.41 bits
    """

    @functools.cache
    def error_of(bits: int) -> float:
        return normal_error(integer(bits), numbers=numbers, stochastic=stochastic)

    error = normal_error(format, numbers=numbers, stochastic=stochastic)
    bits = next((bits for bits in range(3, MOST_BITS + 1) if error_of(bits) <= error), None)
    if bits is None or error > error_of(2):
        raise JscaleError(f"no INT-b of 2 to {MOST_BITS} bits has an error of {error:g}")
    fewer, more, level = (math.log(each) for each in (error_of(bits - 1), error_of(bits), error))
    return bits - 1 + (fewer - level) / (fewer - more)


def _checked(error: float) -> float:
    value = float(check_number("error", error, above=0.0))
    if value > 1:
        raise JscaleError(f"is {value:g}; expected above 0 and at most 1", argument="error")
    return value


@functools.lru_cache(maxsize=256)
def _normal_error(format: Blocks, numbers: int, stochastic: bool) -> float:
    size = format.size or numbers
    magnitudes = format.element.magnitudes
    total = weight = 0.0
    for top, scale, share in _largest_magnitudes(format, size, numbers):
        values = scale * magnitudes
        inside = _stochastic(values, top) if stochastic else _truncated(values, top)
        # The largest number itself is no draw below ``top``.
        other = _of_one(values, top, stochastic)
        total += share * ((size - 1) * inside + other) / size
        weight += share
    return total / weight


def _largest_magnitudes(
    format: Blocks, size: int, numbers: int
) -> Iterator[tuple[float, float, float]]:
    """Largest magnitude of a block, its scale, and its probability, at the nodes."""
    quantile = _quantile_of_largest(size)
    low, high = quantile(_TAIL), quantile(1 - _TAIL)
    middle = _quantile_of_largest(numbers)(0.5)
    ends = _pieces(format, low, high, middle)
    points, weights = np.polynomial.legendre.leggauss(_NODES)
    for start, end in itertools.pairwise(ends):
        tops = start + (end - start) * (points + 1) / 2
        inside = _cdf(tops) * 2 - 1
        density = size * inside ** (size - 1) * 2 * _pdf(tops)
        scales = _scales_of(format, tops, middle)
        shares = density * weights * (end - start) / 2
        yield from zip(tops.tolist(), scales.tolist(), shares.tolist(), strict=True)


def _quantile_of_largest(size: int) -> Callable[[float], float]:
    """Quantiles of the largest magnitude of ``size`` standard normal numbers."""
    from scipy.special import ndtri  # takes a third of a second to import

    def quantile(probability: float) -> float:
        # From the upper tail, 1 - p**(1 / size), which is small.
        tail = -math.expm1(math.log(probability) / size)
        return float(-ndtri(tail / 2))

    return quantile


def _pieces(format: Blocks, low: float, high: float, middle: float) -> np.ndarray:
    """Ends of the pieces of largest magnitudes on which the error is smooth."""
    ends = np.linspace(low, high, _PIECES)
    if format.scale is None:
        return ends
    if isinstance(format.scale, Float):
        values = format.scale.magnitudes
        jumps = (values[1:] + values[:-1]) / 2 * middle / format.scale.largest
    else:
        jumps = np.exp2(np.arange(-64.0, 65.0))
        jumps = jumps * format.element.largest if format.scale.up else jumps
    jumps = np.unique(np.clip(np.concatenate([[low], jumps, [high]]), low, high))

    # Between two jumps the scale is constant, and the largest number crosses values and middles.
    scales = _scales_of(format, (jumps[1:] + jumps[:-1]) / 2, middle)
    values = format.element.magnitudes
    values = np.concatenate([values, (values[1:] + values[:-1]) / 2])
    crossed = scales[:, None] * values
    inside = (crossed > jumps[:-1, None]) & (crossed < jumps[1:, None])
    return np.unique(np.concatenate([ends, jumps, crossed[inside]]))


def _scales_of(format: Blocks, tops: np.ndarray, middle: float) -> np.ndarray:
    """Scales of blocks, in float64; all largest magnitudes lie between the same two jumps."""
    if format.scale is None:
        return tops / format.element.largest
    if isinstance(format.scale, Float):
        values = format.scale.magnitudes
        unit = middle / format.scale.largest
        nearest = np.argmin(np.abs(values - tops[:, None] / unit), axis=1)
        return values[nearest] * unit / format.element.largest
    return np.exp2(np.asarray(power_of_two(tops, format), np.float64))


def _pdf(x: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)


def _cdf(x: np.ndarray) -> np.ndarray:
    from scipy.special import ndtr  # takes a third of a second to import

    return ndtr(x)


def _moments(ends: np.ndarray) -> Moments:
    """Moments of order 0, 1 and 2 of a standard normal number between neighbouring ends."""
    pdf, cdf = _pdf(ends), _cdf(ends)
    at_ends = np.where(np.isfinite(ends), ends, 0.0) * pdf
    zeroth = np.diff(cdf)
    return zeroth, -np.diff(pdf), zeroth - np.diff(at_ends)


def _nearest(values: np.ndarray, ends: np.ndarray) -> float:
    """Mean squared distance to ``values[i]`` between ``ends[i]`` and ``ends[i + 1]``, summed."""
    zeroth, first, second = _moments(ends)
    return float(np.sum(second - 2 * values * first + values**2 * zeroth))


def _truncated(values: np.ndarray, top: float) -> float:
    """Mean squared error of a number of magnitude below ``top``, rounded to ``values``."""
    middles = (values[1:] + values[:-1]) / 2
    ends = np.minimum(np.concatenate([[0.0], middles, [np.inf]]), top)
    return float(_nearest(values, ends) / (_cdf(np.asarray(top)) - 0.5))


def _stochastic(values: np.ndarray, top: float) -> float:
    """As :func:`_truncated`, of stochastic rounding: the variance between two neighbours."""
    zeroth, first, second = _moments(np.minimum(np.append(values, np.inf), top))
    low, high = values[:-1], values[1:]
    between = (low + high) * first[:-1] - low * high * zeroth[:-1] - second[:-1]
    clipped = second[-1] - 2 * values[-1] * first[-1] + values[-1] ** 2 * zeroth[-1]
    return float((np.sum(between) + clipped) / (_cdf(np.asarray(top)) - 0.5))


def _of_one(values: np.ndarray, x: float, stochastic: bool) -> float:
    """Mean squared error of one number of magnitude ``x``."""
    if x >= values[-1]:
        return float((x - values[-1]) ** 2)
    above = int(np.searchsorted(values, x, side="right"))
    low, high = x - values[above - 1], values[above] - x
    return float(low * high if stochastic else min(low, high) ** 2)
