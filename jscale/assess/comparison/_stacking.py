"""``stacking``: weights of laws and error models by their log scores of runs left out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.text import plural, shown
from jscale.assess.backtesting import Backtest
from jscale.assess.comparison._leave_out import LeaveOneOut

_MAX_STEPS = 20_000
_TOLERANCE = 1e-7
"""Nats per piece of evidence between the mixture and the best one."""
MIN_PIECES = 20
"""With fewer pieces of evidence, weights of stacking are little but noise."""


@dataclass(frozen=True)
class StackedModel:
    """A law with its error model among others.

    Attributes:
        name: of the law and the error model, or of the forecaster.
        weight: in the mixture with the highest log score.
        elpd: log score, nats, summed over the pieces of evidence.
        difference: to the best, 0 or below.
        difference_se: standard error of the difference; 0 for the best.
    """

    name: str
    weight: float
    elpd: float
    difference: float
    difference_se: float


@dataclass(frozen=True)
class Stacking:
    """Weights of laws and error models.

    Attributes:
        models: the one with the highest log score first.
        how: "leave-one-out" or "leave-future-out".
        by: what the runs of a piece of evidence share; None where every run is one.
        pieces: their number.
        notes: on few pieces, and on unreliable log scores.
    """

    models: tuple[StackedModel, ...]
    how: str
    by: str | None
    pieces: int
    notes: tuple[Note, ...]

    @property
    def weights(self) -> dict[str, float]:
        """Name → weight."""
        return {model.name: model.weight for model in self.models}


class _Evidence(NamedTuple):
    """Log scores of the models.

    Attributes:
        names: of the models.
        log_scores: (models, items) nats.
        weight: (items,) of each; those of a piece sum to 1.
        piece: (items,) number of its piece of evidence.
    """

    names: Sequence[str]
    log_scores: np.ndarray
    weight: np.ndarray
    piece: np.ndarray


def stacking(evidence: Sequence[LeaveOneOut] | Backtest) -> Stacking:
    """Weights that maximise the log score of a mixture of laws and error models.

    Args:
        evidence: results of :func:`loo` of the same clusters, whose joint densities are stacked;
            or a backtest of several laws. There a cluster is one piece of evidence, in which every
            forecast of its runs counts by one over their number.

    Raises:
        JscaleError: fewer than two, two of one name, other runs or clusters, or log scores that are
            not finite.

    Source: Yao, Vehtari, Simpson & Gelman 2018 (stacking); Bürkner, Gabry & Vehtari 2020
    (leave-future-out).

    Example:
        >>> import jax
        >>> from jscale import assess, laws, runs
        >>> D = [1e10] * 4 + [4e10] * 4 + [2e11] * 4 + [1e12] * 4
        >>> design = {"N": [1e8, 3e8, 1e9, 3e9] * 4, "D": D}
        >>> theta, key = laws.params(laws.chinchilla), jax.random.key(0)
        >>> table = runs.simulate(laws.chinchilla, theta, design, noise=0.005, key=key)
        >>> both = [assess.in_sample_band(law) for law in (laws.power_size, laws.chinchilla)]
        >>> result = assess.stacking(assess.backtest(both, table, key=key, cuts=[0.6]))
        >>> print(result.how, result.models[0].name)
        leave-future-out chinchilla, in-sample RMS
    """
    if isinstance(evidence, Backtest):
        scores, how, by = _of_backtest(evidence), "leave-future-out", evidence.cluster
        notes: list[Note] = []
    else:
        results = list(evidence)
        scores, how = _of_results(results), "leave-one-out"
        by, notes = results[0].by, [note for each in results for note in each.notes]
    _check_scores(scores)

    weights = _weights(scores)
    pieces = int(scores.piece.max()) + 1
    # (models, pieces)
    by_piece = np.stack(
        [np.bincount(scores.piece, scores.weight * each) for each in scores.log_scores]
    )
    best = int(np.argmax(by_piece.sum(axis=1)))
    models = []
    for name, weight, own in zip(scores.names, weights, by_piece, strict=True):
        difference = own - by_piece[best]
        error = float(np.sqrt(pieces * np.var(difference, ddof=min(1, pieces - 1))))
        models.append(
            StackedModel(name, float(weight), float(own.sum()), float(difference.sum()), error)
        )
    return Stacking(
        models=tuple(sorted(models, key=lambda model: -model.elpd)),
        how=how,
        by=by,
        pieces=pieces,
        notes=(*notes, *_few_pieces(pieces, by)),
    )


def _of_results(results: Sequence[LeaveOneOut]) -> _Evidence:
    for each in results:
        if not isinstance(each, LeaveOneOut):
            message = f": expected results of loo, or a backtest, not {shown(each)}"
            raise JscaleError(message, argument="evidence")
    _check_names([each.name for each in results])
    first = results[0]
    for each in results[1:]:
        same = (each.table_digest, each.by, each.on_log) == (
            first.table_digest,
            first.by,
            first.on_log,
        )
        if not same or not np.array_equal(each.runs, first.runs):
            raise JscaleError(
                f": {each.name!r} left out other runs than {first.name!r}; expected the same "
                "clusters of one table",
                argument="evidence",
            )
    count = len(first.runs)
    log_scores = np.stack([each.log_scores for each in results])
    return _Evidence([e.name for e in results], log_scores, np.ones(count), np.arange(count))


def _of_backtest(backtest: Backtest) -> _Evidence:
    names = [each.law for each in backtest.laws]
    _check_names(names)
    rows = [[row for row in backtest.rows if row.law == name] for name in names]
    log_scores = np.array([[row.log_score for row in own] for own in rows])
    labels = backtest.clusters[[row.row - 1 for row in rows[0]]]
    piece = np.unique(labels, return_inverse=True)[1]
    return _Evidence(names, log_scores, 1 / np.bincount(piece)[piece], piece)


def _check_names(names: Sequence[str]) -> None:
    if len(names) < 2:
        count = plural(len(names), "result")
        message = f": expected at least two to weigh against each other, not {count}"
        raise JscaleError(message, argument="evidence")
    if repeated := [name for i, name in enumerate(names) if name in names[:i]]:
        raise JscaleError(f": {shown(repeated[0])} is given twice", argument="evidence")


def _check_scores(scores: _Evidence) -> None:
    for name, own in zip(scores.names, scores.log_scores, strict=True):
        if not np.isfinite(own).all():
            count = int((~np.isfinite(own)).sum())
            raise JscaleError(
                f": {name!r} has {plural(count, 'log score')} that are not finite, so that it "
                "cannot be weighed",
                argument="evidence",
            )


def _weights(scores: _Evidence) -> np.ndarray:
    """The weights (models,) of the mixture with the highest log score.

    By expectation maximisation: the log score is concave in the weights, and at most the largest
    component of its gradient minus 1 from its maximum.
    """
    count = len(scores.log_scores)
    density = np.exp(scores.log_scores - scores.log_scores.max(axis=0))
    share = scores.weight / scores.weight.sum()
    weights = np.full(count, 1 / count)
    for _ in range(_MAX_STEPS):
        gradient = density @ (share / (weights @ density))
        if gradient.max() - 1 < _TOLERANCE:
            break
        weights = weights * gradient
    return weights / weights.sum()


def _few_pieces(pieces: int, by: str | None) -> list[Note]:
    if pieces >= MIN_PIECES:
        return []
    unit = plural(pieces, "run") if by is None else f"{plural(pieces, 'cluster')} of {by}"
    message = f"weights of stacking come from {unit}: with fewer than {MIN_PIECES} they are rough"
    return [Note("few-pieces", "info", message, {"pieces": pieces})]
