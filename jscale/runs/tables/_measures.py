"""Units of losses: nats or bits, per token or byte, and perplexity."""

import math
import re

import numpy as np
from numpy.typing import ArrayLike

from jscale._core.checks import check_number
from jscale._core.errors import JscaleError
from jscale._core.text import enumerated, shown
from jscale.runs.tables._columns import fold

NATS_PER_TOKEN = "nats per token"
BITS_PER_TOKEN = "bits per token"
NATS_PER_BYTE = "nats per byte"
BITS_PER_BYTE = "bits per byte"
BITS_PER_CHARACTER = "bits per character"
PERPLEXITY = "perplexity"

_MEASURES = {
    **dict.fromkeys(("nat", "nats", "natspertoken", "natstoken", "natstok"), NATS_PER_TOKEN),
    **dict.fromkeys(("bit", "bits", "bitspertoken", "bitstoken", "bitstok"), BITS_PER_TOKEN),
    **dict.fromkeys(("natsperbyte", "natsbyte", "natsb", "npb"), NATS_PER_BYTE),
    **dict.fromkeys(("bitsperbyte", "bitsbyte", "bpb"), BITS_PER_BYTE),
    **dict.fromkeys(("bitspercharacter", "bitsperchar", "bitschar", "bpc"), BITS_PER_CHARACTER),
    **dict.fromkeys(("ppl", "perplexity"), PERPLEXITY),
}
_FACTORS = {BITS_PER_TOKEN: math.log(2.0), BITS_PER_BYTE: math.log(2.0), NATS_PER_BYTE: 1.0}
_NATS = {
    NATS_PER_TOKEN: 1.0,
    BITS_PER_TOKEN: math.log(2.0),
    NATS_PER_BYTE: 1.0,
    BITS_PER_BYTE: math.log(2.0),
    PERPLEXITY: 1.0,
}
"""Unit of a loss → nats."""
_LIKE_A_LOSS = re.compile(r"loss|ppl|perplex|bpb|bpc|nll|xent|crossentropy")


def measure_of(text: str) -> str | None:
    """The unit of a loss that a text names; None for any other text."""
    return _MEASURES.get(fold(text))


def in_unit(
    values: np.ndarray, errors: np.ndarray | None, unit: str, bytes_per_token: float | None
) -> tuple[np.ndarray, np.ndarray | None, str]:
    """Losses in the unit in which a table keeps them.

    Perplexity becomes its logarithm and bits per token nats per token. Losses per byte or character
    stay, unless the bytes of a token are known.

    Args:
        values: (rows,) losses.
        errors: (rows,) their standard errors, or None.
        unit: of both.
        bytes_per_token: mean bytes of a token, or None.

    Returns:
        Losses, standard errors and their unit.
    """
    if unit == PERPLEXITY:
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = None if errors is None else errors / values
            return np.log(values), relative, NATS_PER_TOKEN
    if unit == BITS_PER_TOKEN:
        factor, new = _FACTORS[unit], NATS_PER_TOKEN
    elif unit in _FACTORS and bytes_per_token is not None:
        factor, new = _FACTORS[unit] * bytes_per_token, NATS_PER_TOKEN
    else:
        return values, errors, unit
    return values * factor, None if errors is None else errors * factor, new


def like_losses(headers: list[str]) -> list[str]:
    """Headers that look like a loss: ``macro_loss``, ``c4 ppl``."""
    return [header for header in headers if _LIKE_A_LOSS.search(fold(header))]


def convert_loss(
    values: ArrayLike, unit: str, to: str, *, bytes_per_token: float | None = None
) -> np.ndarray:
    """Losses in another unit: nats or bits, per token or byte, or perplexity.

    Args:
        values: losses, any shape.
        unit: of ``values``: "nats per token", "bits per token", "nats per byte", "bits per byte" or
            "perplexity" (of a token), also as a table writes it ("bpb", "ppl").
        to: unit of the result.
        bytes_per_token: mean bytes of a token, between units per token and per byte.

    Raises:
        JscaleError: an unknown unit, or one of tokens and one of bytes without ``bytes_per_token``.

    Example:
        >>> from jscale import runs
        >>> runs.convert_loss([2.5, 3.0], "nats per token", "perplexity").round(2).tolist()
        [12.18, 20.09]
        >>> f"{runs.convert_loss(2.8, 'nats per token', 'bpb', bytes_per_token=4.4):.3f}"
        '0.918'
    """
    units = {"unit": measure_of(unit), "to": measure_of(to)}
    for argument, found in units.items():
        if found not in _NATS:
            given = unit if argument == "unit" else to
            message = f": no unit of a loss {shown(given)}; expected one of {enumerated(_NATS)}"
            raise JscaleError(message, argument=argument)
    losses = np.asarray(values, np.float64)
    start, end = str(units["unit"]), str(units["to"])
    by_byte = [each.endswith("per byte") for each in (start, end)]
    factor = 1.0
    if by_byte[0] != by_byte[1]:
        if bytes_per_token is None:
            message = f": needed between {start} and {end}: the mean bytes of a token"
            raise JscaleError(message, argument="bytes_per_token")
        check_number("bytes_per_token", bytes_per_token, above=0.0)
        factor = bytes_per_token if by_byte[0] else 1 / bytes_per_token
    nats = np.log(losses) if start == PERPLEXITY else losses * _NATS[start]
    nats = nats * factor
    return np.exp(nats) if end == PERPLEXITY else nats / _NATS[end]
