"""Which parameters the data identify, and how strongly the others are correlated."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from jscale.report.analysis._study import FittedStudy

STRONG_CORRELATION = 0.95
"""Absolute correlation above which two parameters are called nearly collinear."""
_MAX_COLLINEAR = 3
"""Pairs that are listed."""
_MAX_PAIRED = 6
"""Parameters in the pair plot."""
_WIDE = 3.0
"""Ratio of the ends of a 90% interval above which a parameter is poorly known."""


@dataclass(frozen=True, eq=False)
class CollinearPair:
    """Two nearly collinear parameters.

    Attributes:
        names: of the two, in the law's order.
        correlation: absolute value.
    """

    names: tuple[str, str]
    correlation: float


@dataclass(frozen=True, eq=False)
class Identification:
    """What the data identify.

    Attributes:
        unidentified: parameters that the certificate names as unidentified.
        correlations: of the parameters in the law's order, shape (k, k): of the draws (of their
            logarithms where positive), or by the covariance of the point estimate.
        collinear: the most strongly correlated pairs above 0.95, strongest first.
        wide: parameter → the ends of the 90% interval of its absolute value, where their ratio is
            above 3.
        constant: input of the law with one value in all runs → that value.
        paired: parameters of the pair plot: all up to six, else the most correlated.
    """

    unidentified: tuple[str, ...]
    correlations: np.ndarray
    collinear: tuple[CollinearPair, ...]
    wide: dict[str, tuple[float, float]]
    constant: dict[str, float]
    paired: tuple[str, ...]

    def paired_correlations(self, names: tuple[str, ...]) -> np.ndarray:
        """The correlations of the pair plot, shape (k, k).

        Args:
            names: the law's parameters, in order.
        """
        at = [names.index(name) for name in self.paired]
        return self.correlations[np.ix_(at, at)]


def identification(study: FittedStudy) -> Identification:
    """What the data identify, by the posterior where there is one, else by the covariance."""
    names = study.record.parameter_names
    if study.draws is None:
        correlations = _covariance_correlations(np.asarray(study.point.covariance))
    else:
        correlations = draw_correlations(study.draws)

    inputs = study.data.inputs.items()
    return Identification(
        unidentified=study.point.certificate.unidentified,
        correlations=correlations,
        collinear=_collinear_pairs(names, correlations),
        wide=_wide_intervals(study.draws or {}),
        constant={name: float(x[0]) for name, x in inputs if x.min() == x.max()},
        paired=pair_plot_parameters(names, correlations),
    )


def draw_correlations(draws: Mapping[str, np.ndarray]) -> np.ndarray:
    """Correlation matrix (k, k) of the draws, of logarithms where a parameter is positive.

    The correlations of a constant parameter are 0.
    """
    columns = [np.log(values) if (values > 0).all() else values for values in draws.values()]
    centred = np.stack([column - column.mean() for column in columns])
    length = np.sqrt((centred**2).sum(axis=1, keepdims=True))
    unit = centred / np.where(length > 0, length, 1.0)
    return unit @ unit.T


def _covariance_correlations(covariance: np.ndarray) -> np.ndarray:
    sd = np.sqrt(np.diag(covariance))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(covariance / np.outer(sd, sd))


def pair_plot_parameters(
    names: tuple[str, ...], correlations: np.ndarray, limit: int = _MAX_PAIRED
) -> tuple[str, ...]:
    """All parameters up to ``limit``, else those with the strongest correlations, in order.

    Args:
        names: parameters.
        correlations: shape (k, k).
        limit: how many to choose.
    """
    if len(names) <= limit:
        return names
    strength = np.abs(correlations)
    chosen: list[int] = []
    for flat in np.argsort(-np.triu(strength, 1), axis=None, kind="stable"):
        for i in np.unravel_index(flat, strength.shape):
            if i not in chosen and len(chosen) < limit:
                chosen.append(int(i))
    return tuple(names[i] for i in sorted(chosen))


def _collinear_pairs(names: tuple[str, ...], correlations: np.ndarray) -> tuple[CollinearPair, ...]:
    strength = np.abs(correlations)
    pairs = [(strength[i, j], i, j) for i in range(len(names)) for j in range(i)]
    strong = sorted((pair for pair in pairs if pair[0] > STRONG_CORRELATION), reverse=True)
    return tuple(
        CollinearPair((names[j], names[i]), float(value)) for value, i, j in strong[:_MAX_COLLINEAR]
    )


def _wide_intervals(draws: Mapping[str, np.ndarray]) -> dict[str, tuple[float, float]]:
    wide = {}
    for name, values in draws.items():
        low, high = np.quantile(np.abs(values), [0.05, 0.95])
        if low > 0 and high / low > _WIDE:
            wide[name] = (float(low), float(high))
    return wide
