"""The design: coverage, order and learning-rate search."""

import math
from collections import Counter, defaultdict

import pytest

from benchmarks.precision_runs.design import OFF, RATES, SIZES, TIED, jobs, ordered, search

JOBS = jobs()


def finished_searches(best: float) -> dict[str, float]:
    """Losses of finished searches with the lowest at ``best``."""
    losses: dict[str, float] = {}
    for N in SIZES:
        while needed := search(N, losses)[0]:
            losses |= {job.run_id: abs(math.log(job.lr / best)) for job in needed}
    return losses


def test_names_are_unique_and_keys_are_the_sizes():
    assert len({job.run_id for job in JOBS}) == len(JOBS)
    assert all(N == size.N for N, size in SIZES.items())


def test_coverage_of_the_design():
    design = [job for job in JOBS if job.purpose == "design"]
    assert max(SIZES) / min(SIZES) >= 60
    assert min(job.ratio for job in design) <= 5
    assert max(job.ratio for job in design) > 1000
    assert len(design) >= 200
    assert 6 * len(design) >= 1000
    for part in range(3):
        settings = {job.bits[part] for job in design if job.bits.count(16) >= 2}
        assert settings == {2, 3, 4, 5, 6, 8, 16}
    assert all(any(job.bits == bits for job in design) for bits in TIED)


def test_at_least_twelve_cells_have_three_seeds():
    seeds = defaultdict(set)
    for job in JOBS:
        if job.trunk:
            seeds[job.N, job.ratio, job.bits].add(job.seed)
    assert sum(len(different) >= 3 for different in seeds.values()) >= 12


def test_three_cells_check_the_schedule_against_runs_of_the_design():
    design = {(job.N, job.ratio, job.bits) for job in JOBS if job.purpose == "design"}
    cells = Counter((job.N, job.ratio, job.bits) for job in JOBS if job.purpose == "schedule")
    assert len(cells) == 3
    assert set(cells.values()) == {2}
    assert set(cells) <= design


@pytest.mark.parametrize("best", RATES)
def test_the_rate_search_ends_between_worse_rates(best: float):
    losses = finished_searches(best)
    for N in SIZES:
        needed, lr = search(N, losses)
        assert (needed, lr) == ([], best)


def test_a_diverging_rate_is_not_chosen():
    losses = finished_searches(0.008)
    losses |= {name: math.nan for name in losses if name.endswith(("lr0.008", "lr0.016"))}
    while needed := search(6144, losses)[0]:
        losses |= {job.run_id: 1.0 for job in needed}
    assert search(6144, losses)[1] == 0.004


def test_the_rate_search_comes_first():
    assert {job.purpose for job, _ in ordered({})} == {"rate"}
    assert len(ordered({})) == 2 * len(SIZES)


def test_bits_advance_together():
    # After any number of runs, the settings of one size differ by at most one finished ratio.
    remaining = [job for job, _ in ordered(finished_searches(0.016))]
    started: dict[int, Counter] = defaultdict(Counter)
    for job in remaining:
        if job.purpose == "design" and job.bits != OFF and job.N < 90_000 and job.ratio <= 320:
            started[job.N][job.bits] += 1
            counts = [started[job.N][bits] for bits in {j.bits for j in remaining} - {OFF}]
            assert max(counts) - min(counts) <= 1


def test_order_within_a_trunk_and_completeness():
    remaining = [job for job, _ in ordered(finished_searches(0.016))]
    assert sorted(job.run_id for job in remaining) == sorted(job.run_id for job in JOBS)
    for name in {job.trunk_id for job in remaining}:
        ratios = [job.ratio for job in remaining if job.trunk and job.trunk_id == name]
        assert ratios == sorted(ratios)
