"""Ranks of the truth in posteriors of simulated tables: the results of ``calibrate_posterior``."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.text import shown

AMONG = 99
"""Draws among which the truth has a rank: 100 ranks, which 5, 10 and 20 bins divide."""
LEVELS = (0.5, 0.8, 0.9)
_LEAST_IN_BIN = 12
"""Tables expected in each bin of a histogram, from which it has as many bins."""
_BINS = (20, 10, 5)
_REJECTED = 0.01
"""Probability of uniform ranks that are rejected, over all parameters."""
_LIMITS = 0.99
"""Probability within the limits of shares and of bins."""


@dataclass(frozen=True)
class RankCheck:
    """Ranks of the true values of one parameter in its posteriors.

    Attributes:
        target: name of the parameter.
        ranks: (tables,) number of 99 posterior draws below the truth.
        p_value: of the chi-square test that all ranks are equally likely; NaN for few tables.
        coverage: level → share of the tables whose central interval holds the truth.
    """

    target: str
    ranks: np.ndarray
    p_value: float
    coverage: Mapping[float, float]

    @property
    def counts(self) -> np.ndarray:
        """(bins,) tables in each bin of ranks."""
        return _counts(self.ranks)

    def limits(self, level: float) -> tuple[float, float]:
        """The shares between which 99% of such checks lie whose intervals hold their level.

        Args:
            level: nominal coverage.
        """
        from scipy.stats import binom

        count = max(len(self.ranks), 1)
        low, high = binom.interval(_LIMITS, count, level)
        return float(low) / count, float(high) / count


@dataclass(frozen=True)
class PosteriorCalibration:
    """Ranks of every parameter over simulated tables.

    Attributes:
        rows: a check for each parameter of the law, then of the error model.
        law: its name.
        errors: the error model, as text.
        priors: parameter → prior, where it was given in place of the default, as text.
        simulations: tables that were simulated.
        unusable: of these, tables with a loss that is not finite, or not positive under errors of
            log losses; they have no posterior and no rank.
        not_converged: tables whose posterior has not converged; they count.
        samplers: name of a sampler → tables that it drew.
        draws: of each posterior.
        seconds: wall time, compilation included.
        notes: warnings and remarks.
        table_digest: hash of the table.
    """

    rows: tuple[RankCheck, ...]
    law: str
    errors: str
    priors: Mapping[str, str]
    simulations: int
    unusable: int
    not_converged: int
    samplers: Mapping[str, int]
    draws: int
    seconds: float
    notes: tuple[Note, ...]
    table_digest: str

    @property
    def p_value(self) -> float:
        """Of the hypothesis that the ranks of all parameters are uniform (Bonferroni)."""
        values = [row.p_value for row in self.rows if np.isfinite(row.p_value)]
        return min(1.0, len(values) * min(values)) if values else float("nan")

    @property
    def is_uniform(self) -> bool:
        """Whether uniform ranks are not rejected at 1%; False for too few tables to test."""
        return bool(self.p_value >= _REJECTED)

    def of(self, target: str) -> RankCheck:
        """The check of one parameter.

        Raises:
            JscaleError: there is none.
        """
        for row in self.rows:
            if row.target == target:
                return row
        raise JscaleError(f"there are no ranks of {shown(target)}")

    def __repr__(self) -> str:
        verdict = "uniform" if self.is_uniform else "not shown to be uniform"
        return (
            f"<PosteriorCalibration {self.law}: {len(self.rows)} parameters, ranks {verdict} "
            f"(p = {self.p_value:.2g}); {self.simulations} simulations>"
        )


def rank_check(target: str, ranks: np.ndarray, tails: np.ndarray) -> RankCheck:
    """A check from the ranks of the truths.

    Args:
        target: name of the parameter.
        ranks: (tables,) number of :data:`AMONG` draws below the truth.
        tails: (tables,) share of all draws below the truth.
    """
    from scipy.stats import chisquare

    counts = _counts(ranks)
    enough = counts.sum() >= _LEAST_IN_BIN * len(counts)
    p_value = float(chisquare(counts).pvalue) if enough else float("nan")
    off_centre = np.abs(tails - 0.5)
    coverage = {
        level: float(np.mean(off_centre <= level / 2)) if len(tails) else float("nan")
        for level in LEVELS
    }
    return RankCheck(target, ranks, p_value, coverage)


def _counts(ranks: np.ndarray) -> np.ndarray:
    bins = next((n for n in _BINS if len(ranks) >= _LEAST_IN_BIN * n), _BINS[-1])
    return np.bincount(ranks * bins // (AMONG + 1), minlength=bins)
