"""``decontaminated``: a score without the items that a model has seen in training."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from jscale._core.errors import JscaleError


@dataclass(frozen=True)
class Decontaminated:
    """A score on clean items, beside that on all items.

    Attributes:
        score: mean over the clean items, or mean difference to a baseline.
        stderr: its standard error.
        all_items: the same mean over all items.
        gain: what contamination adds to the score, ``all_items - score``.
        gain_stderr: its standard error; NaN with one contaminated item, which has no spread.
        clean: number of clean items.
        contaminated: number of contaminated ones.
    """

    score: float
    stderr: float
    all_items: float
    gain: float
    gain_stderr: float
    clean: int
    contaminated: int


def decontaminated(
    scores: ArrayLike, contaminated: ArrayLike, *, baseline: ArrayLike | None = None
) -> Decontaminated:
    """A model's score on the items that are not in its training data, and what the others add.

    With a baseline the two models are compared item by item, which takes out how hard the items
    are. The two groups of items are independent; contaminated items may also be easier or harder
    than others, so that the gain is an upper bound where they are easier. Source: Brown et al. 2020
    (arXiv 2005.14165), appendix C.

    Args:
        scores: (items,) score of each item, such as 0 or 1.
        contaminated: (items,) whether the item is in the training data.
        baseline: (items,) scores of another model on the same items, or None.

    Raises:
        JscaleError: arrays of different lengths, scores that are not finite, or fewer than two
            clean items.

    Example:
        >>> from jscale import assess
        >>> seen = [False] * 6 + [True] * 4
        >>> result = assess.decontaminated([1, 0, 1, 0, 1, 0, 1, 1, 1, 1], seen)
        >>> result.score, result.all_items, round(result.gain, 2)
        (0.5, 0.7, 0.2)
    """
    values = _scores("scores", scores, None)
    seen = np.asarray(contaminated)
    if seen.dtype != bool or seen.shape != values.shape:
        message = (
            f": expected {len(values)} booleans, one an item, not {seen.dtype} of {seen.shape}"
        )
        raise JscaleError(message, argument="contaminated")
    if baseline is not None:
        values = values - _scores("baseline", baseline, len(values))
    clean, dirty = values[~seen], values[seen]
    if len(clean) < 2:
        message = f": only {len(clean)} of {len(values)} items are clean; expected two or more"
        raise JscaleError(message, argument="contaminated")

    share = len(dirty) / len(values)
    score, every = float(clean.mean()), float(values.mean())
    error = _error(clean)
    error_of_gain = 0.0
    if len(dirty):
        of_dirty = _error(dirty) if len(dirty) > 1 else float("nan")
        error_of_gain = share * float(np.hypot(error, of_dirty))
    return Decontaminated(
        score=score,
        stderr=error,
        all_items=every,
        gain=every - score,
        gain_stderr=error_of_gain,
        clean=len(clean),
        contaminated=len(dirty),
    )


def _error(values: np.ndarray) -> float:
    """The standard error of the mean of values (items,)."""
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def _scores(name: str, values: ArrayLike, count: int | None) -> np.ndarray:
    array = np.asarray(values, np.float64)
    wrong_length = count is not None and array.shape != (count,)
    if array.ndim != 1 or wrong_length or not np.isfinite(array).all():
        many = "" if count is None else f"{count} "
        message = f": expected {many}finite numbers, one an item, not {array.shape}"
        raise JscaleError(message, argument=name)
    return array
