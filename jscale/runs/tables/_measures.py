"""Units of losses: nats or bits, per token or byte, and perplexity."""

import math
import re

import numpy as np

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
