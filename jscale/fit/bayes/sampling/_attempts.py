"""Attempts at a weighted sample of a posterior, until one is good."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax

from jscale._core.jobs import Checkpoint
from jscale.fit.bayes._model import Problem
from jscale.fit.bayes.sampling import importance
from jscale.fit.bayes.sampling._mode import Mode, find_mode
from jscale.fit.bayes.sampling._scan import (
    Scan,
    covers,
    exponents_are_identified,
    scanned,
    with_transport,
)
from jscale.fit.bayes.sampling.importance import Weighted

_POINTS = 4000
"""Points of a sample that show whether it reaches the ends of a floor."""
_NOT_YET = 0.99
"""Share of the effective points that is shown until a sample is accepted."""


class Attempt(NamedTuple):
    """A weighted sample, and the problem in whose coordinates it is."""

    problem: Problem
    sample: Weighted


@dataclass(frozen=True)
class Attempts:
    """What attempts at a sample share.

    Attributes:
        problem: law, priors and runs.
        mode_key: for starts of the search for the mode.
        start: where it is sought first; None where it may be anywhere.
        key: for proposals.
        draws: that are to be resampled.
        checkpoint: of densities and chains.
        advanced: called with the share of the effective points that are there.
    """

    problem: Problem
    mode_key: jax.Array
    start: jax.Array | None
    key: jax.Array
    draws: int
    checkpoint: Checkpoint
    advanced: Callable[[float], None]

    def best(self, *, by_chains: bool) -> Attempt:
        """The first good attempt, or else the one in which the most points count.

        Proposals adapt to the weights of their points, from the mode on. Where that does not
        suffice, or does not reach the ends of the floor that a scan shows, they adapt again about
        conditional modes, and at last are fitted to chains.

        Args:
            by_chains: whether chains are run.
        """
        mode, tried = find_mode(self.problem, self.mode_key, self.start), []
        # Rounds from the mode sufficed for 4 of 38 pooled posteriors, those about conditional modes
        # for 78 of 114.
        is_pooled = self.problem.pooling is not None
        scan = self._scan(mode) if is_pooled else None
        if scan is None:
            first = self._from_mode(mode)
            points = importance.equal_points(first.sample, self._key(4), _POINTS)
            if first.sample.is_good and exponents_are_identified(first.problem, points):
                return self._accepted(first)
            scan = None if is_pooled else self._scan(mode)
            # A sample without an end of the floor is of no use, however many of its points count.
            if scan is None or covers(scan, first.problem, points):
                tried.append(first)
        if scan is not None and not (tried and tried[0].sample.is_good):
            tried.append(self._from_scan(scan))
        if by_chains and not any(attempt.sample.is_good for attempt in tried):
            tried.append(self._by_chains(_better(tried)))
        return self._accepted(_better(tried))

    def _accepted(self, attempt: Attempt) -> Attempt:
        if attempt.sample.is_good:
            self.advanced(1.0)
        return attempt

    def _scan(self, mode: Mode) -> Scan | None:
        return scanned(self.problem, self.mode_key, mode, self.start)

    def _from_mode(self, mode: Mode) -> Attempt:
        return self._weighed(with_transport(self.problem), mode, self.key, "round")

    def _from_scan(self, scan: Scan) -> Attempt:
        return self._weighed(scan.problem, scan.mode, self._key(2), "round along the floor")

    def _weighed(self, problem: Problem, mode: Mode, key: jax.Array, name: str) -> Attempt:
        sample = importance.weighted_sample(
            problem,
            importance.about(*mode),
            key,
            draws=self.draws,
            checkpoint=self.checkpoint,
            advanced=lambda share: self.advanced(min(share, _NOT_YET)),
            name=name,
        )
        return Attempt(problem, sample)

    def _by_chains(self, before: Attempt) -> Attempt:
        sample = importance.hmc_sample(
            before.problem, before.sample, self._key(3), checkpoint=self.checkpoint
        )
        return Attempt(before.problem, sample)

    def _key(self, number: int) -> jax.Array:
        return jax.random.fold_in(self.key, number)


def _better(attempts: list[Attempt]) -> Attempt:
    return max(attempts, key=lambda each: (each.sample.is_good, each.sample.effective))
