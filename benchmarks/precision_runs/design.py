"""Design of the runs: sizes, tokens, bits, seeds, learning-rate search, checks of the schedule."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.precision_runs.model import Size
from benchmarks.precision_runs.train import CHUNK, DECAY

Bits = tuple[int, int, int]

SIZES = {
    size.N: size
    for size in (
        Size(2, 16, 1, 8),
        Size(2, 32, 1, 8),
        Size(2, 64, 2, 16),
        Size(4, 64, 2, 16),
        Size(2, 128, 4, 16),
    )
}
SPEED = {6144: 190e3, 24576: 120e3, 98304: 56e3, 196608: 28e3, 393216: 23e3}
"""Tokens per CPU second on one core of a 2024 server processor, including `fake_quantise`."""
_LOSSES = 14 * 131_072 / 3
"""Cost of the losses of one finished run in training tokens: 14 passes over the validation text."""

OFF: Bits = (16, 16, 16)
SINGLE: tuple[Bits, ...] = tuple(
    bits for b in (2, 3, 4, 5, 6, 8) for bits in ((b, 16, 16), (16, b, 16), (16, 16, b))
)
TIED: tuple[Bits, ...] = tuple((b, b, b) for b in (3, 4, 5, 6, 8))
PAIRS: tuple[Bits, ...] = ((4, 4, 16), (4, 16, 4), (16, 4, 4), (3, 5, 6), (6, 3, 5))
SETTINGS: tuple[Bits, ...] = (OFF, *SINGLE, *TIED, *PAIRS)
_STEADY = tuple(bits for bits in SETTINGS if bits != (16, 2, 16))
"""Without 2-bit activations, with which the two smallest sizes diverge at every length."""
_LONG = (OFF, (3, 16, 16), (4, 16, 16), (16, 4, 16), (16, 16, 4), (4, 4, 4), (6, 6, 6))

RATIOS: dict[int, tuple[tuple[int, tuple[Bits, ...]], ...]] = {
    6144: ((20, SETTINGS), (80, SETTINGS), (320, SETTINGS), (1280, SETTINGS)),
    24576: ((5, SETTINGS), (20, SETTINGS), (80, SETTINGS), (320, SETTINGS), (1280, _LONG)),
    98304: ((5, _STEADY), (20, _STEADY), (80, _STEADY), (320, (OFF, (4, 16, 16), (4, 4, 4)))),
    196608: ((5, _STEADY), (20, _STEADY), (80, _LONG)),
    393216: ((5, _STEADY), (20, _LONG), (80, (OFF,))),
}
"""For each N: tokens per parameter, and the bit settings at that ratio."""

RATE_SEARCH = {6144: 40, 24576: 40, 98304: 20, 196608: 10, 393216: 10}
"""Tokens per parameter of the runs that choose the learning rate of a size."""
RATES = tuple(0.001 * 2**k for k in range(8))
"""Learning rates of the search, which starts with the two in the middle."""

_SEEDS = (1, 2)
_SEED_CELLS = {
    6144: ((20, 80, 320, 1280), (OFF, (4, 16, 16), (16, 4, 16), (16, 16, 4))),
    24576: ((5, 20, 80, 320), (OFF, (4, 4, 4))),
    98304: ((5, 20), (OFF,)),
}
_SCHEDULE_CELLS = ((6144, 320), (24576, 80), (98304, 20))
_WEIGHTS = {"rate": 0.5, "design": 1.0, "seed": 2.0, "schedule": 2.0}
_COMPENSATED = (OFF, *TIED, (4, 16, 16), (6, 16, 16), (16, 4, 16), (16, 16, 4))
"""Settings whose models are also quantised by GPTQ."""


@dataclass(frozen=True)
class Job:
    """One training run.

    Attributes:
        purpose: design, seed, rate or schedule.
        N: non-embedding parameters, a key of `SIZES`.
        ratio: training tokens per parameter.
        bits: (P_w, P_a, P_kv).
        seed: of the weights and of the order of the text.
        schedule: wsd or cosine.
        lr: peak learning rate; None for the result of the search for N.
        trunk: whether it decays from a shared trunk, or is trained from its first step.
    """

    purpose: str
    N: int
    ratio: int
    bits: Bits = OFF
    seed: int = 0
    schedule: str = "wsd"
    lr: float | None = None
    trunk: bool = True

    @property
    def size(self) -> Size:
        """The model's shape."""
        return SIZES[self.N]

    @property
    def D(self) -> int:
        """Training tokens."""
        return self.N * self.ratio

    @property
    def steps(self) -> int:
        """Training steps."""
        return self.D // self.size.step_tokens

    @property
    def stable(self) -> int:
        """The step at which the decay starts."""
        return self.steps - round(DECAY * self.steps)

    @property
    def trunk_id(self) -> str:
        """Name of the trunk that the run shares."""
        return f"n{self.N}-w{self.bits[0]}a{self.bits[1]}k{self.bits[2]}-s{self.seed}"

    @property
    def run_id(self) -> str:
        """The run's name in the table."""
        name = f"{self.trunk_id}-r{self.ratio}"
        if self.purpose == "rate":
            return f"rate-{name}-lr{self.lr:g}"
        return name if self.trunk else f"scratch-{self.schedule}-{name}"

    @property
    def compensated(self) -> bool:
        """Whether GPTQ is applied in addition to rounding to nearest."""
        return self.purpose in ("design", "seed") and self.bits in _COMPENSATED

    def seconds(self, start: int = 0) -> float:
        """Expected CPU seconds when the trunk has reached step ``start``."""
        return ((self.steps - start) * self.size.step_tokens + _LOSSES) / SPEED[self.N]


def jobs() -> tuple[Job, ...]:
    """Every run of the design except the learning-rate search.

    Raises:
        ValueError: the steps of a run do not split into whole dispatches.
    """
    design = [
        Job("design", N, ratio, bits)
        for N in SIZES
        for ratio, settings in RATIOS[N]
        for bits in settings
    ]
    seeds = [
        Job("seed", N, ratio, bits, seed)
        for N, (ratios, settings) in _SEED_CELLS.items()
        for bits in settings
        for ratio in ratios
        for seed in _SEEDS
    ]
    schedule = [
        Job("schedule", N, ratio, schedule=kind, trunk=False)
        for N, ratio in _SCHEDULE_CELLS
        for kind in ("wsd", "cosine")
    ]
    all_jobs = (*design, *seeds, *schedule)
    for job in all_jobs:
        if job.D % job.size.step_tokens or job.stable % CHUNK or (job.steps - job.stable) % CHUNK:
            raise ValueError(
                f"{job.run_id}: {job.steps} steps do not split into dispatches of {CHUNK}"
            )
    return all_jobs


def search(N: int, losses: Mapping[str, float]) -> tuple[list[Job], float | None]:
    """The search of the learning rate of a size, at high precision.

    It starts with the two middle values of `RATES` and extends by a factor of 2 while the best is
    the lowest or the highest tried.

    Args:
        N: the size.
        losses: run_id → validation loss, nan where it is not finite.

    Returns:
        Runs that are still needed, and the learning rate with the lowest loss once there are none.
    """
    runs = [Job("rate", N, RATE_SEARCH[N], lr=lr, trunk=False) for lr in RATES]
    middle = len(runs) // 2
    if needed := [job for job in runs[middle - 1 : middle + 1] if job.run_id not in losses]:
        return needed, None
    tried = {place: losses[job.run_id] for place, job in enumerate(runs) if job.run_id in losses}
    best = min(tried, key=lambda place: (math.isnan(tried[place]), tried[place]))
    neighbours = [
        place for place in (best - 1, best + 1) if place in range(len(runs)) and place not in tried
    ]
    return [runs[place] for place in neighbours], None if neighbours else runs[best].lr


def ordered(finished: Mapping[str, float]) -> list[tuple[Job, float]]:
    """Unfinished runs that can start, with their learning rates, cheapest first.

    The cost of a run is what it adds to its trunk, times its weight. Runs that others depend on, or
    are compared with, have a low weight and come first, and so do larger models (the cost is per
    parameter), since fits depend most on the span of sizes.
    """
    ready = []
    stops: dict[str, list[int]] = {}
    for job in jobs():
        if job.trunk:
            stops.setdefault(job.trunk_id, []).append(job.stable)
    for N in SIZES:
        needed, lr = search(N, finished)
        waiting = [job for job in jobs() if job.N == N and job.run_id not in finished] if lr else []
        for job in (*needed, *waiting):
            earlier = [
                stop for stop in stops.get(job.trunk_id, ()) if job.trunk and stop < job.stable
            ]
            weight = _WEIGHTS[job.purpose] * (0.4 if job.bits == OFF else 1.0) / job.N
            ready.append(
                (weight * job.seconds(max(earlier, default=0)), len(ready), job, job.lr or lr)
            )
    return [(job, lr) for _, _, job, lr in sorted(ready, key=lambda entry: entry[:2])]
