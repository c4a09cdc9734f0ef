"""Number formats by name: the bits of ``bf16``, ``nvfp4``, ``W4A16`` or ``Q4_K_M``."""

import re
from typing import NamedTuple

from jscale._core.errors import JscaleError
from jscale._core.text import did_you_mean, shown
from jscale.laws.formats._blocks import (
    FP8_E4M3,
    FP8_E5M2,
    MXFP4,
    MXFP6,
    MXFP8,
    NVFP4,
    Blocks,
    integer,
)

_OFF_BITS = 16.0
"""Bits of what a name such as W4 does not state."""
_NAMED: dict[str, Blocks] = {
    "nvfp4": NVFP4,
    "mxfp4": MXFP4,
    "mxfp6": MXFP6,
    "mxfp8": MXFP8,
    **dict.fromkeys(("fp8", "float8", "f8", "e4m3", "e4m3fn", "fp8e4m3"), FP8_E4M3),
    **dict.fromkeys(("e5m2", "fp8e5m2"), FP8_E5M2),
    **{f"int{bits}": integer(bits) for bits in (2, 3, 4, 5, 6, 8)},
    **{f"i{bits}": integer(bits) for bits in (4, 8)},
}
"""Names of formats whose values are known."""
_BITS_ONLY = {
    **dict.fromkeys(("fp64", "float64", "f64"), 64.0),
    **dict.fromkeys(("fp32", "float32", "f32", "tf32"), 32.0),
    **dict.fromkeys(("bf16", "bfloat16", "fp16", "float16", "f16"), 16.0),
    **dict.fromkeys(("uint8",), 8.0),
    **dict.fromkeys(("fp6", "e3m2", "e2m3"), 6.0),
    **dict.fromkeys(("fp4", "e2m1", "nf4", "uint4"), 4.0),
    **dict.fromkeys(("int1",), 1.0),
}
"""Bits of formats without values here, or of elements whose blocks the name does not state."""
_BITS_PER_WEIGHT = {
    # Blocks of one type (ggml), and the mixes of llama.cpp's README for Llama 2 7B.
    "q40": 4.5,
    "q41": 5.0,
    "q50": 5.5,
    "q51": 6.0,
    "q80": 8.5,
    "q2k": 3.35,
    "q3k": 3.4375,
    "q4k": 4.5,
    "q5k": 5.5,
    "q6k": 6.56,
    "q3ks": 3.50,
    "q3km": 3.91,
    "q3kl": 4.27,
    "q4ks": 4.58,
    "q4km": 4.84,
    "q5ks": 5.52,
    "q5km": 5.68,
    # As ``llama-quantize --help`` states them.
    "iq1s": 1.56,
    "iq1m": 1.75,
    "iq2xxs": 2.06,
    "iq2xs": 2.31,
    "iq2s": 2.5,
    "iq2m": 2.7,
    "iq3xxs": 3.06,
    "iq3xs": 3.3,
    "iq3s": 3.44,
    "iq3m": 3.66,
    "iq4xs": 4.25,
    "iq4nl": 4.5,
}
_PARTS = re.compile(r"w([0-9]{1,2})(?:a([0-9]{1,2}))?(?:kv([0-9]{1,2}))?")
_BITS = re.compile(r"([0-9]{1,2}(?:\.[0-9]+)?)bits?")


class NamedBits(NamedTuple):
    """Bits of a format by name.

    Attributes:
        bits: of a number in this format; of the weights where the name states parts apart.
        activations: None where the name does not state parts apart.
        cache: of the KV cache; None where the name does not state parts apart.
        mixed: whether the bits are a mean over blocks of several kinds.
    """

    bits: float
    activations: float | None = None
    cache: float | None = None
    mixed: bool = False


def _folded(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum() or char == ".")


def bits_of(text: str) -> NamedBits | None:
    """The bits of a format by name; None for any other text.

    Args:
        text: in any letter case, with or without ``_``, ``-`` and spaces.

    Raises:
        JscaleError: something that is not text.

    Example:
        >>> from jscale.laws import formats
        >>> formats.bits_of("NVFP4").bits, formats.bits_of("W4A16").activations
        (4.0, 16.0)
    """
    if not isinstance(text, str):
        raise JscaleError(f"must be the name of a format, not {shown(text)}", argument="text")
    name = _folded(text)
    if name in _NAMED:
        return NamedBits(float(_NAMED[name].bits))
    if name in _BITS_ONLY:
        return NamedBits(_BITS_ONLY[name])
    if name in _BITS_PER_WEIGHT:
        return NamedBits(_BITS_PER_WEIGHT[name], mixed=True)
    if parts := _PARTS.fullmatch(name):
        # W4 and W4A16 leave 16 bits to what they do not name.
        return NamedBits(
            float(parts[1]), float(parts[2] or _OFF_BITS), float(parts[3] or _OFF_BITS)
        )
    if bits := _BITS.fullmatch(name):
        return NamedBits(float(bits[1]))
    return None


def get(name: str) -> Blocks:
    """The format of this name, with its values.

    Args:
        name: such as ``nvfp4``, ``mxfp8``, ``e4m3`` or ``int4``, in any letter case.

    Raises:
        JscaleError: no format whose values are known has this name.

    Example:
        >>> from jscale.laws import formats
        >>> formats.get("NVFP4") is formats.NVFP4
        True
    """
    folded = _folded(name) if isinstance(name, str) else ""
    if folded not in _NAMED:
        hint = did_you_mean(str(name), _NAMED, "")
        raise JscaleError(f"no format with known values is named {shown(name)}{hint}")
    return _NAMED[folded]
