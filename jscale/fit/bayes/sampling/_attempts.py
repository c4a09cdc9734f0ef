"""Attempts at a weighted sample of a posterior, until one is good."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax

from jscale._core.jobs import Checkpoint
from jscale.fit.bayes._model import Problem
from jscale.fit.bayes.sampling import importance
from jscale.fit.bayes.sampling._mode import Mode, find_mode
from jscale.fit.bayes.sampling._scan import Scan, covers, has_no_ends, scanned, with_transport
from jscale.fit.bayes.sampling.importance import Weighted

_POINTS = 4000
"""Points of a sample that tell whether they reach the ends of a floor."""


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
        mode = find_mode(self.problem, self.mode_key, self.start)
        first, reaches = None, True
        # Of 38 pooled posteriors, proposals from the mode suffice for four, and about conditional
        # modes for 27.
        scan = None if self.problem.pooling is None else self._scan(mode)
        if scan is None:
            first = self._from_mode(mode)
            points = importance.equal_points(first.sample, self._key(4), _POINTS)
            if first.sample.is_good and has_no_ends(first.problem, points):
                return first
            scan = self._scan(mode)
            reaches = scan is None or covers(scan, first.problem, points)
            if first.sample.is_good and reaches:
                return first

        along = None if scan is None else self._along(scan)
        if along is not None and along.sample.is_good:
            return along
        tried = [attempt for attempt in (first, along) if attempt is not None]
        if by_chains:
            tried.append(self._by_chains(_better(tried) if reaches else tried[-1]))
        return _better(tried)

    def _scan(self, mode: Mode) -> Scan | None:
        return scanned(self.problem, self.mode_key, mode, self.start)

    def _from_mode(self, mode: Mode) -> Attempt:
        return self._weighed(with_transport(self.problem), mode, self.key, "round")

    def _along(self, scan: Scan) -> Attempt:
        return self._weighed(scan.problem, scan.mode, self._key(2), "round along the floor")

    def _weighed(self, problem: Problem, mode: Mode, key: jax.Array, name: str) -> Attempt:
        sample = importance.weighted_sample(
            problem,
            importance.about(*mode),
            key,
            draws=self.draws,
            checkpoint=self.checkpoint,
            advanced=self.advanced,
            name=name,
        )
        return Attempt(problem, sample)

    def _by_chains(self, before: Attempt) -> Attempt:
        shared = {"checkpoint": self.checkpoint, "advanced": self.advanced}
        sample = importance.hmc_sample(before.problem, before.sample, self._key(3), **shared)
        return Attempt(before.problem, sample)

    def _key(self, number: int) -> jax.Array:
        return jax.random.fold_in(self.key, number)


def _better(attempts: list[Attempt]) -> Attempt:
    return max(attempts, key=lambda each: (each.sample.is_good, each.sample.effective))
