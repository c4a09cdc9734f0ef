"""Greedy choice of runs by rank-one updates of a Gaussian, with a lookahead of one run."""

from dataclasses import dataclass

import numpy as np

SHORTLIST = 128
"""Runs whose successors are considered, by reduction and by reduction a cost."""

_PASSES = 20
"""Passes of exchanges over a batch."""
_GAIN = 1e-9
"""Relative gain below which a run is not replaced."""


@dataclass(frozen=True)
class Runs:
    """Candidates as linear observations of the parameters.

    Attributes:
        slopes: (runs, k) of the logarithm of the loss by the parameters.
        variance: (runs,) of its noise.
        cost: (runs,).
    """

    slopes: np.ndarray
    variance: np.ndarray
    cost: np.ndarray


@dataclass(frozen=True)
class Criterion:
    """What runs reduce: the trace of a matrix with the covariance, or half its log determinant.

    Attributes:
        matrix: (k, k); None for the determinant.
        worth: cost that one unit of the criterion is worth; 0 where it has no price.
    """

    matrix: np.ndarray | None
    worth: float = 0.0

    def value(self, covariance: np.ndarray) -> float:
        """The trace of the matrix with a covariance."""
        assert self.matrix is not None
        return float(np.sum(self.matrix * covariance))


@dataclass(frozen=True)
class Batch:
    """Runs in the order of their choice.

    Attributes:
        chosen: indices of the candidates.
        covariances: before the first, and after each.
        stop: why there are no more: budget, saving, runs or candidates.
    """

    chosen: list[int]
    covariances: list[np.ndarray]
    stop: str

    def information(self, runs: Runs) -> np.ndarray:
        """Nats learnt about the parameters before the first run and after each, (1 + chosen,).

        Half the fall of the log determinant, run by run, so that a parameter which is known
        exactly, and whose determinant is 0, has none.
        """
        steps = [
            0.5 * np.log1p(runs.slopes[i] @ covariance @ runs.slopes[i] / runs.variance[i])
            for i, covariance in zip(self.chosen, self.covariances, strict=False)
        ]
        return np.cumsum([0.0, *steps])


def updated(covariance: np.ndarray, slope: np.ndarray, variance: float) -> np.ndarray:
    """The covariance after one more run: a rank-one update."""
    gain = covariance @ slope
    return covariance - np.outer(gain, gain) / (slope @ gain + variance)


def reductions(covariance: np.ndarray, runs: Runs, criterion: Criterion) -> np.ndarray:
    """By how much each run lowers the criterion, (runs,)."""
    projected = runs.slopes @ covariance
    signal = np.einsum("ij,ij->i", projected, runs.slopes)
    if criterion.matrix is None:
        return 0.5 * np.log1p(signal / runs.variance)
    reduced = np.einsum("ij,ij->i", projected @ criterion.matrix, projected)
    return reduced / (signal + runs.variance)


def pair_reductions(covariance: np.ndarray, runs: Runs, criterion: Criterion) -> np.ndarray:
    """By how much the second run of each pair lowers the criterion after the first, (n, n)."""
    projected = runs.slopes @ covariance
    signal = projected @ runs.slopes.T
    own = np.diag(signal)
    share = signal / (own + runs.variance)[:, None]  # of the first run in the second
    remaining = own[None, :] - share * signal
    if criterion.matrix is None:
        return 0.5 * np.log1p(np.maximum(remaining, 0.0) / runs.variance[None, :])
    inner = projected @ criterion.matrix @ projected.T
    diagonal = np.diag(inner)
    reduced = diagonal[None, :] - 2 * share * inner + share**2 * diagonal[:, None]
    return reduced / (remaining + runs.variance[None, :])


def greedy(
    covariance: np.ndarray,
    runs: Runs,
    criterion: Criterion,
    *,
    budget: float,
    most: int,
    per_cost: bool,
) -> Batch:
    """The runs with the best score one after another, each looked at with the run after it.

    Args:
        covariance: (k, k) before the runs.
        runs: candidates.
        criterion: what to reduce.
        budget: of all runs together.
        most: number of runs.
        per_cost: whether the score is the reduction a cost, or the reduction.
    """
    left, open_runs = budget, np.ones(len(runs.cost), bool)
    batch = Batch([], [covariance], "runs")
    while len(batch.chosen) < most:
        if not open_runs.any():
            return Batch(batch.chosen, batch.covariances, "candidates")
        places = np.flatnonzero(open_runs & (runs.cost <= left * (1 + 1e-12)))
        if not places.size:
            return Batch(batch.chosen, batch.covariances, "budget")
        pick, saves = _pick(covariance, _part(runs, places), criterion, left, per_cost)
        if criterion.worth and not saves:
            return Batch(batch.chosen, batch.covariances, "saving")

        index = int(places[pick])
        covariance = updated(covariance, runs.slopes[index], runs.variance[index])
        open_runs[index] = False
        left -= float(runs.cost[index])
        batch.chosen.append(index)
        batch.covariances.append(covariance)
    return batch


def exchanged(batch: Batch, runs: Runs, criterion: Criterion, *, budget: float) -> Batch:
    """The batch with each run replaced by a better one until none is (Fedorov's exchange)."""
    chosen, start = list(batch.chosen), batch.covariances[0]
    price = runs.cost / criterion.worth if criterion.worth else 0.0 * runs.cost
    for _ in range(_PASSES):
        swapped = False
        for place, current in enumerate(chosen):
            others = chosen[:place] + chosen[place + 1 :]
            falls = reductions(_after(start, runs, others)[-1], runs, criterion) - price
            left = budget - float(runs.cost[others].sum())
            falls[others] = -np.inf
            falls[runs.cost > left * (1 + 1e-12)] = -np.inf
            better = int(np.argmax(falls))
            if falls[better] > falls[current] + _GAIN * abs(falls[current]):
                chosen[place], swapped = better, True
        if not swapped:
            break
    return Batch(chosen, _after(start, runs, chosen), batch.stop)


def _after(covariance: np.ndarray, runs: Runs, chosen: list[int]) -> list[np.ndarray]:
    """The covariance before the runs, and after each."""
    covariances = [covariance]
    for i in chosen:
        covariances.append(updated(covariances[-1], runs.slopes[i], runs.variance[i]))
    return covariances


def _part(runs: Runs, places: np.ndarray) -> Runs:
    return Runs(runs.slopes[places], runs.variance[places], runs.cost[places])


def _pick(
    covariance: np.ndarray, runs: Runs, criterion: Criterion, left: float, per_cost: bool
) -> tuple[int, bool]:
    """The best next run, and whether it saves more than it costs, alone or with its successor."""
    alone = reductions(covariance, runs, criterion)
    ranks = [np.argsort(-alone)[:SHORTLIST], np.argsort(-alone / runs.cost)[:SHORTLIST]]
    short = np.unique(np.concatenate(ranks))
    part, first = _part(runs, short), alone[short]

    both = first[:, None] + pair_reductions(covariance, part, criterion)
    spent = part.cost[:, None] + part.cost[None, :]
    allowed = (spent <= left * (1 + 1e-12)) & ~np.eye(len(short), dtype=bool)
    both = np.where(allowed, both, -np.inf)
    score = np.maximum(first / part.cost, np.max(both / spent, axis=1)) if per_cost else None
    if score is None:
        score = np.maximum(first, np.max(both, axis=1))
    best = int(np.argmax(score))
    ratio = max(first[best] / part.cost[best], np.max(both[best] / spent[best]))
    return int(short[best]), bool(ratio * criterion.worth > 1)
