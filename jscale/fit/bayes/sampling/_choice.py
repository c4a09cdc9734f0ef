"""Which sampler draws: importance sampling, or NUTS where its weights do not suffice."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jscale._core.jobs import Checkpoint
from jscale._core.notes import Note
from jscale._core.status import Status
from jscale.fit.bayes._diagnostics import ESS_WARNING, diagnose, summarise
from jscale.fit.bayes._model import Problem
from jscale.fit.bayes.sampling import _nuts, importance
from jscale.fit.bayes.sampling._attempts import Attempt, Attempts
from jscale.fit.bayes.sampling._mode import coordinates, with_information
from jscale.fit.bayes.sampling._nuts import Chains
from jscale.fit.bayes.sampling._whitening import Whitening, free_size
from jscale.fit.bayes.sampling.importance import Weighted

SAMPLERS = ("auto", "nuts", "importance")
_MAX_SIZE = 40
"""Dimensions up to which importance sampling is tried: sampled effects have more. Of a pooled
posterior of 33 one in 35 of the points counted."""
_COORDINATES = 10.0
"""Effective points for each dimension from which their covariance whitens better than the curvature
at the mode."""
_LONGER = 3
"""How many times as long chains are drawn again that have not mixed."""
_LEAST_DRAWS = int(ESS_WARNING)
"""Draws of each chain from which a short call is not taken for chains that do not mix."""


class Settings(NamedTuple):
    """How much is sampled.

    Attributes:
        sampler: one of :data:`SAMPLERS`.
        chains: number of chains, or of groups of draws.
        warmup: transitions of NUTS that adapt step size and mass matrix.
        draws: of each chain.
    """

    sampler: str
    chains: int
    warmup: int
    draws: int

    @property
    def transitions(self) -> int:
        """Of all chains, warm-up included."""
        return self.chains * (self.warmup + self.draws)


def draw(
    problem: Problem,
    key: jax.Array,
    settings: Settings,
    *,
    advanced: Callable[[int], None],
    lengthened: Callable[[int], None],
    checkpoint: Checkpoint,
) -> tuple[Chains, str]:
    """Draws of every site, and the sampler that made them: "importance" or "nuts".

    Args:
        problem: law, priors and runs.
        key: for starts, proposals and transitions.
        settings: how much is sampled.
        advanced: called with the number of transitions done, from any thread.
        lengthened: called with the number of transitions that are drawn once more.
        checkpoint: of densities, and of the state of each chain.
    """
    mode_key, sample_key = jax.random.split(key)
    call = _Call(settings, sample_key, advanced, lengthened, checkpoint)
    problem, start = with_information(problem, mode_key)
    size = free_size(problem)
    if settings.sampler == "nuts":
        return _by_nuts(call, problem, coordinates(problem, mode_key, start))
    if settings.sampler == "auto" and size > _MAX_SIZE:
        note = _note(f"the model has {size} unknowns, more than {_MAX_SIZE}", {})
        return _by_nuts(call, problem, coordinates(problem, mode_key, start), note)

    problem, sample = _by_weights(call, problem, mode_key, start)
    if sample.is_good or settings.sampler == "importance":
        sizes = {"chains": settings.chains, "draws": settings.draws}
        return importance.resampled(problem, sample, sample_key, **sizes), "importance"
    if sample.effective >= _COORDINATES * size:
        mode = importance.weighted_mode(sample)
        where = Whitening(jnp.asarray(mode.free), jnp.asarray(mode.axes))
    else:
        problem = replace(problem, transport=None)
        where = coordinates(problem, mode_key, start)
    return _by_nuts(call, problem, where, _sample_note(sample))


class _Call(NamedTuple):
    """What all samplers of a call are given: see :func:`draw`."""

    settings: Settings
    key: jax.Array
    advanced: Callable[[int], None]
    lengthened: Callable[[int], None]
    checkpoint: Checkpoint


def _by_nuts(call: _Call, problem: Problem, where: Whitening, *notes: Note) -> tuple[Chains, str]:
    """Draws by NUTS in the coordinates ``where``, and once more where its chains do not mix."""
    settings = call.settings
    draw_with = partial(
        _nuts.sample,
        problem,
        where,
        call.key,
        chains=settings.chains,
        draws=settings.draws,
        advanced=call.advanced,
        checkpoint=call.checkpoint,
    )
    chains = draw_with(warmup=settings.warmup)
    if settings.sampler == "auto" and settings.draws >= _LEAST_DRAWS and not _has_mixed(chains):
        call.lengthened(_LONGER * settings.transitions)
        careful = {"thin": _LONGER, "accepted": _nuts.MORE_ACCEPTED}
        chains = draw_with(warmup=_LONGER * settings.warmup, **careful)
        notes = (*notes, _longer_note(_has_mixed(chains)))
    return chains._replace(notes=notes), "nuts"


def _by_weights(
    call: _Call, problem: Problem, mode_key: jax.Array, start: jax.Array | None
) -> Attempt:
    """The best weighted sample. The bar shows the share of the effective points."""
    settings, done = call.settings, 0

    def shown(share: float) -> None:
        nonlocal done
        step = int(share * settings.transitions) - done
        if step > 0 and (share == 1.0 or settings.sampler == "importance"):
            done += step
            call.advanced(step)

    attempts = Attempts(
        problem,
        mode_key=mode_key,
        start=start,
        key=call.key,
        draws=settings.chains * settings.draws,
        checkpoint=call.checkpoint,
        advanced=shown,
    )
    return attempts.best(by_chains=settings.sampler == "auto")


def _has_mixed(chains: Chains) -> bool:
    """Whether the chains of all scalar sites are one distribution, with few divergences."""
    scalars = {name: x for name, x in chains.sites.items() if x.ndim == chains.diverging.ndim}
    verdict, _ = diagnose(summarise(scalars), chains.diverging)
    return verdict == Status.converged


def _longer_note(has_mixed: bool) -> Note:
    message = (
        f"chains of NUTS did not mix at first and were drawn again, {_LONGER} times as long and in "
        f"shorter steps; one transition in {_LONGER} is kept"
    )
    if not has_mixed:
        message += (
            "; they still do not: fix or tie parameters that the runs do not identify, give "
            "narrower priors, or add runs that tell the terms of the law apart"
        )
    severity = "info" if has_mixed else "warning"
    return Note("nuts-lengthened", severity, message, {"times": _LONGER})


def _sample_note(sample: Weighted) -> Note:
    reason = (
        f"{sample.effective:.0f} of {len(sample.free)} weighted points count, Pareto k "
        f"{sample.pareto_k:.2f}"
    )
    if not sample.agreed:
        reason += ", or another sample has other means and variances"
    evidence = {"pareto_k": sample.pareto_k, "effective_draws": sample.effective}
    return _note(reason, evidence)


def _note(reason: str, evidence: dict[str, float]) -> Note:
    message = f"drawn by NUTS, as importance sampling does not suffice: {reason}"
    return Note("sampled-by-nuts", "info", message, evidence)
