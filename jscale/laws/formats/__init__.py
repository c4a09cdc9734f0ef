"""Number formats with their values: floats of 4 to 8 bits, integers, and blocks that share scales.

Rounding of arrays, to nearest and stochastic, the error on normal weights, and the bits of the
integers with the same error, by which formats, blocks and bits can be compared. The bits that
tables of runs name (``nvfp4``, ``W4A16``, ``Q4_K_M``) are read by :func:`bits_of`.
"""

from jscale.laws.formats._blocks import (
    FP8_E4M3,
    FP8_E5M2,
    MXFP4,
    MXFP6,
    MXFP8,
    NVFP4,
    Blocks,
    integer,
    quantise,
)
from jscale.laws.formats._elements import (
    E2M1,
    E2M3,
    E3M2,
    E4M3,
    E5M2,
    E8M0,
    Float,
    Integer,
    PowerOfTwo,
    cast,
)
from jscale.laws.formats._errors import (
    NORMAL_ERRORS,
    Errors,
    effective_bits,
    grid_error,
    ideal_bits,
    normal_error,
)
from jscale.laws.formats._names import NamedBits, bits_of, get

__all__ = [
    "E2M1",
    "E2M3",
    "E3M2",
    "E4M3",
    "E5M2",
    "E8M0",
    "FP8_E4M3",
    "FP8_E5M2",
    "MXFP4",
    "MXFP6",
    "MXFP8",
    "NORMAL_ERRORS",
    "NVFP4",
    "Blocks",
    "Errors",
    "Float",
    "Integer",
    "NamedBits",
    "PowerOfTwo",
    "bits_of",
    "cast",
    "effective_bits",
    "get",
    "grid_error",
    "ideal_bits",
    "integer",
    "normal_error",
    "quantise",
]
