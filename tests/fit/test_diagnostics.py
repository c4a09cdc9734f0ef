"""Diagnostics: limits of convergence, overlap with the prior, and disagreement with a point."""

import jax
import numpy as np
import pytest

from jscale import fit, laws, runs
from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.scope import float64
from jscale._core.status import Status
from jscale.fit.bayes._diagnostics import (
    diagnose,
    excluded_notes,
    overlap,
    point_notes,
    prior_notes,
)
from jscale.fit.bayes._model import pose
from jscale.fit.bayes._run import misfit_share
from tests.fit.tables import isoflop

GOOD = {"rhat": 1.002, "ess_bulk": 900.0, "ess_tail": 700.0}
NONE = np.zeros((4, 1000), bool)


def diverging(count: int) -> np.ndarray:
    """4,000 transitions of which some diverged."""
    flags = np.zeros(4000, bool)
    flags[:count] = True
    return flags.reshape(4, 1000)


@pytest.mark.parametrize(
    ("changes", "flags", "code", "severity"),
    [
        ({}, NONE, None, None),
        ({"rhat": 1.01}, NONE, "high-rhat", "warning"),
        ({"rhat": 1.06}, NONE, "high-rhat", "error"),
        ({"rhat": np.nan}, NONE, "high-rhat", "error"),
        ({"ess_bulk": 399.0}, NONE, "low-ess", "warning"),
        ({"ess_tail": 399.0}, NONE, "low-ess", "warning"),
        ({"ess_tail": 99.0}, NONE, "low-ess", "error"),
        ({"ess_bulk": np.nan}, NONE, "low-ess", "error"),
        ({}, diverging(5), "divergences", "warning"),
        ({}, diverging(400), "divergences", "error"),
    ],
)
def test_each_limit_has_a_note_that_says_what_to_do(changes, flags, code, severity):
    status, notes = diagnose({"alpha": GOOD, "E": {**GOOD, **changes}}, flags)
    assert [(note.code, note.severity) for note in notes] == ([(code, severity)] if code else [])
    assert status == (Status.not_converged if code else Status.converged)
    for note in notes:
        assert "expected" in note.message
        assert ";" in note.message or ":" in note.message


def test_one_transition_in_a_thousand_may_diverge():
    status, (note,) = diagnose({"E": GOOD}, diverging(4))
    assert status == Status.converged
    assert note.severity == "info"


def test_the_message_names_the_worst_part():
    _, (note,) = diagnose({"a": {**GOOD, "ess_bulk": 350.0}, "b": {**GOOD, "ess_tail": 90}}, NONE)
    assert note.message.startswith("only 90 effective draws of b in the tails")


@pytest.mark.parametrize(
    ("rhat", "shown"), [(1.0104, "1.0104"), (1.01, "1.01000000"), (1.2, "1.200"), (np.nan, "nan")]
)
def test_an_r_hat_is_shown_beside_its_limit(rhat: float, shown: str):
    _, (note,) = diagnose({"E": {**GOOD, "rhat": rhat}}, NONE)
    assert f"(R-hat {shown}, expected below 1.01)" in note.message


def test_rough_importance_sampling_has_not_converged():
    rough = Note("rough-importance-sampling", "warning", "rough", {})
    assert diagnose({"E": GOOD}, NONE, (rough,))[0] == Status.not_converged


def test_overlap_of_known_distributions():
    rng = np.random.default_rng(0)
    prior = rng.normal(size=4000)
    assert overlap(prior, rng.normal(size=(4, 1000))) > 0.95
    assert overlap(np.exp(prior), np.exp(0.5 * prior)) == overlap(prior, 0.5 * prior)
    # The densities of sd 1 and 1/2 cross at 0.96, and share 0.68.
    assert overlap(prior, 0.5 * rng.normal(size=4000)) == pytest.approx(0.68, abs=0.04)
    assert overlap(prior, np.full(400, 0.3)) == pytest.approx(0.05)
    assert np.isnan(overlap(np.full(4000, np.nan), prior))


def test_the_note_names_what_the_prior_determines():
    assert prior_notes({"E": 0.1, "alpha": 0.49}) == ()
    (note,) = prior_notes({"E": 0.1, "alpha": 0.72, "beta": 0.5})
    assert note.code == "prior_dominated"
    assert "alpha (72%), beta (50%)" in note.message
    assert "E (" not in note.message


def test_a_floor_far_above_the_losses_excludes_the_runs():
    """By hand: the mean square of logs about E is their variance and the squared distance."""
    law = laws.fix(laws.chinchilla, A=1e-9, B=1e-9, alpha=0.3, beta=0.3)
    table = isoflop()
    logs = np.log(table["loss"])
    for floor, is_excluded in ((55.0, True), (float(np.exp(logs.mean())), False)):
        with float64():
            problem = pose(law, table, {"E": "uniform(1, 60)"}, "student").problem
            share = misfit_share(problem, {"E": np.full((2, 50), floor)})
        expected = np.sqrt(1 + ((np.log(floor) - logs.mean()) / logs.std()) ** 2)
        assert share == pytest.approx(expected, rel=1e-6)
        notes = excluded_notes(share, {"E": "uniform(1, 60)"})
        assert [note.code for note in notes] == ["prior-excludes-runs"] * is_excluded


def test_a_constant_input_leaves_the_prior():
    """All runs have one size: alpha keeps its prior, and is named; E is told by the data term."""
    D = np.geomspace(1e8, 1e12, 40)
    theta = laws.params(laws.chinchilla)
    key = jax.random.key(0)
    design = {"N": np.full(40, 1e9), "D": D}
    table = runs.simulate(laws.chinchilla, theta, design, noise=0.01, key=key)
    settings = {"chains": 2, "warmup": 400, "draws": 300, "errors": "student"}
    posterior = fit.posterior(laws.chinchilla, table, key=key, **settings)
    (note,) = [n for n in posterior.notes if n.code == "prior_dominated"]
    # .63 to .90 over ten keys, as 600 draws of short chains are few along this ridge; .83 to .96
    # with 4,000.
    assert posterior.summary["alpha"]["prior_overlap"] > 0.5
    assert "alpha (" in note.message
    assert posterior.summary["beta"]["prior_overlap"] < 0.5
    assert "beta (" not in note.message


def test_a_point_outside_the_interval_is_noted_with_a_reason():
    rng = np.random.default_rng(1)
    a = rng.normal(1.0, 0.1, 4000)
    draws = {"a": a, "b": a + rng.normal(0.0, 0.001, 4000), "c": rng.normal(2.0, 0.1, 4000)}
    rows = {
        name: dict(zip(("q05", "q50", "q95"), np.quantile(x, (0.05, 0.5, 0.95)), strict=True))
        for name, x in draws.items()
    }
    assert point_notes(rows, draws, {"a": 1.0, "b": 1.0, "c": 2.0}) == ()
    (note,) = point_notes(rows, draws, {"a": 1.17, "b": 1.17, "c": 2.0})
    assert note.evidence == {"parameters": ["a", "b"], "reason": "ridge"}
    (note,) = point_notes(rows, draws, {"a": 1.0, "b": 1.0, "c": 2.5})
    assert note.evidence["reason"] == "error model"
    assert "c = 2.5 (1.83" in note.message
    rows["c"]["prior_overlap"] = 0.6
    (note,) = point_notes(rows, draws, {"a": 1.0, "b": 1.0, "c": 2.5})
    assert "the prior of c" in note.message


def test_a_posterior_is_compared_with_a_point_of_its_law():
    settings = {"chains": 2, "warmup": 400, "draws": 100, "errors": "student"}
    posterior = fit.posterior(laws.chinchilla, isoflop(), key=jax.random.key(0), **settings)
    point = fit.point(laws.chinchilla, isoflop(), objective="log-squares")
    assert posterior.disagreement(point) == ()
    fixed = fit.point(laws.fix(laws.chinchilla, E=1.7), isoflop())
    for other in (fixed, 1.0):
        with pytest.raises(JscaleError, match="point must be a point fit of law 'chinchilla'"):
            posterior.disagreement(other)
