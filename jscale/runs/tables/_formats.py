"""Number formats by name: the bits of ``bf16``, ``nvfp4``, ``W4A16`` or ``Q4_K_M``."""

import re
from typing import NamedTuple

from jscale.runs.tables._columns import OFF_BITS

_FORMATS = {
    **dict.fromkeys(("fp64", "float64", "f64"), 64.0),
    **dict.fromkeys(("fp32", "float32", "f32", "tf32"), 32.0),
    **dict.fromkeys(("bf16", "bfloat16", "fp16", "float16", "f16"), 16.0),
    **dict.fromkeys(("fp8", "float8", "f8", "e4m3", "e5m2", "e4m3fn", "fp8e4m3", "fp8e5m2"), 8.0),
    **dict.fromkeys(("mxfp8", "int8", "uint8", "i8"), 8.0),
    **dict.fromkeys(("fp6", "mxfp6", "e3m2", "e2m3", "int6"), 6.0),
    **dict.fromkeys(("fp4", "nvfp4", "mxfp4", "e2m1", "nf4", "int4", "uint4", "i4"), 4.0),
    **dict.fromkeys(("int3",), 3.0),
    **dict.fromkeys(("int2",), 2.0),
    **dict.fromkeys(("int1",), 1.0),
}
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


class Format(NamedTuple):
    """Bits of a format.

    Attributes:
        bits: of a number in this format; of the weights where the name tells parts apart.
        activations: None where the name does not tell parts apart.
        cache: of the KV cache; None where the name does not tell parts apart.
        mixed: whether the bits are a mean over blocks of several kinds.
    """

    bits: float
    activations: float | None = None
    cache: float | None = None
    mixed: bool = False


def bits_of(text: str) -> Format | None:
    """The bits of a format by name; None for any other text.

    Args:
        text: in any letter case, with or without ``_``, ``-`` and spaces.
    """
    name = "".join(char for char in text.casefold() if char.isalnum() or char == ".")
    if name in _FORMATS:
        return Format(_FORMATS[name])
    if name in _BITS_PER_WEIGHT:
        return Format(_BITS_PER_WEIGHT[name], mixed=True)
    if parts := _PARTS.fullmatch(name):
        # W4 and W4A16 leave 16 bits to what they do not name.
        return Format(float(parts[1]), float(parts[2] or OFF_BITS), float(parts[3] or OFF_BITS))
    if bits := _BITS.fullmatch(name):
        return Format(float(bits[1]))
    return None
