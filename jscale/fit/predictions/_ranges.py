"""The ranges of the runs, and by how many decades a point lies beyond them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jscale.laws import LawFunction, Record, describe

RESOURCES = ("N", "D", "C")
"""Quantities of which every forecast states the decades beyond the runs."""
RATIO = "D/N"
"""Tokens per parameter: a range of the runs, beside those of the law's inputs."""
_FULL_BITS = 16.0

Ranges = Mapping[str, tuple[float, float]]
"""Quantity → its smallest and largest value over the runs."""


def input_ranges(law: LawFunction, inputs: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """The smallest and largest value over the runs of every input of a law, of C and of D/N.

    Args:
        law: a declared law.
        inputs: input → (rows,) values of the fitted runs.

    Returns:
        Quantity → (smallest, largest). C is the compute that plans count, see :func:`quantities`.
    """
    return {
        name: (float(np.min(values)), float(np.max(values)))
        for name, values in quantities(law, inputs).items()
        if np.size(values)
    }


def quantities(law: LawFunction, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The inputs of a law, with C and D/N where they follow from them.

    C is the law's own input of that name, else ``6 N D``, times bits / 16 for a law of the bits of
    weights and activations: the compute that plans count. The bits are the wider of the two; those
    of weights alone save none. Infinite bits are 16 here: both stand for "not quantised", in laws
    and in tables.

    Args:
        law: a declared law.
        inputs: input → (rows,); one with a default may be left out.
    """
    record = describe(law)
    values = {
        each.name: np.asarray(inputs.get(each.name, each.default), np.float64)
        for each in record.inputs
        if each.name in inputs or each.default is not None
    }
    shape = np.broadcast_shapes(*(column.shape for column in values.values()))
    values = {name: np.broadcast_to(column, shape) for name, column in values.items()}
    for name in record.bit_inputs:
        if name in values:
            values[name] = np.where(np.isposinf(values[name]), _FULL_BITS, values[name])

    if "N" in values and "D" in values:
        with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
            values.setdefault("C", 6 * values["N"] * values["D"] * _bit_share(record, values))
            values[RATIO] = values["D"] / values["N"]
    return values


def bit_range(law: LawFunction, ranges: Ranges) -> tuple[float, float] | None:
    """The fewest and the most bits of training over the runs, of any part of the model.

    Args:
        law: a declared law.
        ranges: of the runs, by :func:`input_ranges`; empty where they are not known.

    Returns:
        (fewest, most), or None where the law has no bits of training or the ranges lack them.
    """
    names = [name for name in describe(law).bit_inputs if name != "P_post" and name in ranges]
    if not names:
        return None
    return min(ranges[name][0] for name in names), max(ranges[name][1] for name in names)


def beyond_bits(bits: float, ends: tuple[float, float] | None) -> str:
    """Where planned bits lie outside those of the runs, in words; empty where they lie inside.

    Compared to one decimal place, as bits are shown.

    Args:
        bits: of a plan; NaN where there is none.
        ends: of :func:`bit_range`.

    Returns:
        Words such as "below the 8 to 16 bits of the runs".
    """
    if ends is None or not np.isfinite(bits):
        return ""
    (low, high), shown = ends, round(bits, 1)
    if low <= shown <= high:
        return ""
    side = "below" if shown < low else "above"
    runs = f"{low:g}" if low == high else f"{low:g} to {high:g}"
    return f"{side} the {runs} bits of the runs"


def _bit_share(record: Record, values: Mapping[str, np.ndarray]) -> np.ndarray | float:
    """Bits that training is charged by over 16; 1 for a law that charges none."""
    names = record.charged_bits
    if not names or any(name not in values for name in names):
        return 1.0
    bits = np.max([values[name] for name in names], axis=0)
    return bits / _FULL_BITS


def decades(ranges: Ranges, law: LawFunction, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """By how many factors of ten each point lies outside the runs.

    Args:
        ranges: of the runs; empty where they are not known.
        law: the law of the forecast.
        inputs: input → (points,).

    Returns:
        N, D, C and every other input of the law → (points,): positive above the largest run,
        negative below the smallest, 0 inside. NaN where the runs or the point have no such
        quantity, or where a value outside has no logarithm.
    """
    values = quantities(law, inputs)
    names = dict.fromkeys((*RESOURCES, *describe(law).input_names))
    points = np.shape(next(iter(values.values())))
    return {
        name: _beyond(values[name], *ranges[name])
        if name in ranges and name in values
        else np.full(points, np.nan)
        for name in names
    }


def signed_decades(value: float, ends: tuple[float, float]) -> float:
    """By how many factors of ten one value lies outside a range, signed; 0 inside."""
    return float(_beyond(np.asarray(value, np.float64), *ends))


def _beyond(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Signed decades from the range ``low`` to ``high``."""
    above, below = values > high, values < low
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = np.log10(values) - np.where(above, np.log10(high), np.log10(low))
    # Zero and negative values, of a share or of days, have no decades.
    distance = np.where(np.isneginf(distance), np.nan, distance)
    return np.where(above | below, distance, np.where(np.isnan(values), np.nan, 0.0))
