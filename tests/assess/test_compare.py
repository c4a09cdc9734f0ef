"""Laws compared on the same runs."""

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pytest
import scipy.optimize

from jscale import assess, fit, laws, runs
from jscale._core.errors import JscaleError
from jscale._core.scope import float64
from jscale._core.status import Status
from jscale.assess.comparison._nested import is_nested, nested_tests
from jscale.assess.comparison._subset import _program, fit_subset
from jscale.runs import select
from tests.assess.tables import FIXED, FREE, TRUE, simulated

pytestmark = pytest.mark.usefixtures("one_optimiser")

FAST = {"starts": 8, "objective": "log-squares"}


def least_squares(
    N: np.ndarray, loss: np.ndarray, rows: np.ndarray
) -> tuple[dict[str, float], np.ndarray]:
    """The parameters by SciPy, and the log residuals of the rows."""

    def residuals(x: np.ndarray) -> np.ndarray:
        return np.log(loss[rows]) - np.log(x[0] + np.exp(x[1] - x[2] * np.log(N[rows] / 3e8)))

    tolerances = {"xtol": 1e-15, "ftol": 1e-15, "gtol": 1e-15}
    best = scipy.optimize.least_squares(residuals, [1.5, 0.0, 0.2], **tolerances).x
    params = {"L_inf": best[0], "A": np.exp(best[1]) * 3e8 ** best[2], "alpha": best[2]}
    return params, residuals(best)


@pytest.fixture(scope="module")
def comparison() -> assess.Comparison:
    return assess.compare([FREE, FIXED], simulated(), **FAST)


def row(comparison: assess.Comparison, law) -> assess.Contender:
    return next(row for row in comparison.rows if row.law == laws.describe(law).name)


def test_laws_are_ranked_by_held_out_error(comparison):
    assert [row.rank for row in comparison.rows] == [1, 2]
    assert comparison.rows[0].rmse < comparison.rows[1].rmse
    assert all(row.status == Status.converged for row in comparison.rows)


def test_held_out_error_is_that_of_a_fit_to_the_other_runs(comparison):
    table = simulated()
    held = np.argsort(table["C"])[-8:]
    assert sorted(comparison.held_out) == sorted(held)
    assert comparison.compute_from == table["C"][held].min()
    params, _ = least_squares(table["N"], table["loss"], np.setdiff1d(np.arange(40), held))
    predicted = FREE(table["N"][held], **params)
    rmse = np.sqrt(np.mean(np.log(table["loss"][held] / predicted) ** 2))
    assert row(comparison, FREE).rmse == pytest.approx(rmse, rel=1e-5)
    assert row(comparison, FREE).relative_error == pytest.approx(
        np.mean(abs(predicted / table["loss"][held] - 1)), rel=1e-5
    )


def test_criteria_are_those_of_lognormal_losses(comparison):
    table, n, k = simulated(), 40, 4
    _, residual = least_squares(table["N"], table["loss"], np.arange(n))
    sigma = np.sqrt(np.mean(residual**2))
    log_density = (
        -np.log(table["loss"]) - np.log(sigma * np.sqrt(2 * np.pi)) - 0.5 * (residual / sigma) ** 2
    )
    free = row(comparison, FREE)
    assert free.log_likelihood == pytest.approx(log_density.sum(), rel=1e-9)
    assert free.aicc == pytest.approx(-2 * log_density.sum() + 2 * k * n / (n - k - 1), rel=1e-9)
    assert free.bic == pytest.approx(-2 * log_density.sum() + k * np.log(n), rel=1e-9)


def test_nested_laws_are_detected_and_tested(comparison):
    (test,) = comparison.nested
    assert (test.small, test.large) == (laws.describe(FIXED).name, "power_size")
    assert (test.df, test.at_edge) == (1, False)
    gain = 2 * (row(comparison, FREE).log_likelihood - row(comparison, FIXED).log_likelihood)
    assert test.statistic == pytest.approx(gain, rel=1e-6)
    # One degree of freedom: the probability that a standard normal lies outside its root.
    assert test.p_value == pytest.approx(math.erfc(math.sqrt(gain / 2)), rel=1e-6)
    assert test.p_value > 0.01


def test_which_laws_are_nested():
    tied = laws.tie(laws.chinchilla, beta="alpha")
    both = laws.fix(tied, E=1.7)
    assert is_nested(tied, laws.chinchilla)
    assert is_nested(both, tied)
    assert is_nested(both, laws.chinchilla)
    assert not is_nested(laws.chinchilla, tied)
    assert not is_nested(laws.chinchilla, laws.chinchilla)
    assert not is_nested(laws.power_size, laws.chinchilla)
    assert not is_nested(laws.fix(laws.chinchilla, E=1.7), tied)


def test_without_a_holdout_the_criterion_ranks():
    # With half a nat added to every loss, an irreducible loss of 1.8 is wrong.
    table = simulated()
    shifted = replace(table, columns={**table.columns, "loss": table["loss"] + 0.5})
    comparison = assess.compare([FIXED, FREE], shifted, holdout=None, **FAST)
    assert comparison.held_out.size == 0
    assert comparison.compute_from is None
    assert [row.rmse for row in comparison.rows] == [None, None]
    assert [row.law for row in comparison.rows] == ["power_size", laws.describe(FIXED).name]
    assert comparison.rows[0].aicc < comparison.rows[1].aicc - 20
    assert comparison.nested[0].p_value < 1e-6


def test_differences_within_noise_have_a_note(comparison):
    pair = {FREE, FIXED}
    best = next(law for law in pair if row(comparison, law).rank == 1)
    other = next(iter(pair - {best}))
    (note,) = [note for note in comparison.notes if note.code == "within-noise"]
    assert note.evidence["laws"] == (laws.describe(other).name,)


def test_runs_of_equal_compute_stay_together():
    N = np.geomspace(1e7, 1e10, 10).repeat(4)
    table = runs.simulate(FREE, TRUE, {"N": N, "D": 20 * N}, noise=0.002, key=jax.random.key(1))
    comparison = assess.compare([FREE, FIXED], table, share=0.15, **FAST)
    assert comparison.held_out.tolist() == list(range(32, 40))


def test_an_uncertified_law_is_not_ranked():
    # Two sizes identify two parameters, but not three.
    N = np.array([1e8, 1e9]).repeat(20)
    C = np.tile(np.geomspace(1e18, 1e20, 20), 2)
    table = runs.simulate(FREE, TRUE, {"N": N, "C": C}, noise=0.002, key=jax.random.key(1))
    comparison = assess.compare([FREE, FIXED], table, **FAST)
    assert [(row.law, row.rank) for row in comparison.rows] == [
        (laws.describe(FIXED).name, 1),
        (laws.describe(FREE).name, None),
    ]
    assert comparison.rows[1].status == Status.collinear_design
    assert {"not-ranked", "not-tested"} <= {note.code for note in comparison.notes}


def test_no_certified_law_has_a_note():
    table = runs.simulate(FREE, TRUE, {"N": np.full(40, 1e8)}, noise=0.002, key=jax.random.key(1))
    comparison = assess.compare([FREE, FIXED], table, holdout=None, **FAST)
    assert [row.rank for row in comparison.rows] == [None, None]
    assert "no-winner" in {note.code for note in comparison.notes}


def test_a_subset_fit_is_a_fit_to_those_rows():
    table = simulated()
    mask = np.arange(40) % 4 != 1
    with float64():
        subset = fit_subset(FREE, table, select(table, FREE), mask, fit.Huber(1e-2), starts=8)
    point = fit.point(FREE, table.where(mask), objective=fit.Huber(1e-2), starts=8)
    assert subset.certificate.converged
    assert subset.objective == pytest.approx(point.objective, rel=1e-8)
    assert dict(subset.params) == pytest.approx(point.params, rel=1e-5)
    np.testing.assert_allclose(
        np.sqrt(np.diag(subset.covariance)), list(point.stderr.values()), rtol=1e-3
    )
    np.testing.assert_allclose(subset.residuals[mask], point.residuals, atol=1e-7)


@pytest.mark.parametrize(
    ("objective", "program", "deltas"),
    [
        (fit.Huber(1e-3), fit.Huber(), [1e-3, 1e-3, 1e-3]),
        (fit.Huber(1e-4), fit.Huber(), [1e-3, 10**-3.5, 1e-4]),
        (fit.Squares("log"), fit.Huber(), [1e3, 1e3, 1e3]),
        (fit.Squares("raw"), fit.Squares("raw"), [1.0]),
        (fit.HuberLikelihood(0.1), fit.HuberLikelihood(), [1.0, 1.0, 1.0, 1.0, 1.0, 10**-0.5, 0.1]),
    ],
    ids=str,
)
def test_one_program_serves_every_delta(objective, program, deltas):
    with float64():
        compiled, stages = _program(objective)
    assert compiled == program
    np.testing.assert_allclose(stages, deltas, rtol=1e-12)


def test_a_law_that_fits_better_is_not_a_special_case():
    def fitted(objective: float, status: Status = Status.converged) -> Any:
        return SimpleNamespace(objective=objective, status=status)

    with pytest.raises(
        JscaleError, match=r"fits better than law 'power_size' \(residual sum of squares 0.5 times"
    ):
        nested_tests([(FIXED, FREE)], {FIXED: fitted(1.0), FREE: fitted(2.0)}, 40)
    tests, notes = nested_tests(
        [(FIXED, FREE)], {FIXED: fitted(1.0), FREE: fitted(2.0, Status.at_bound)}, 40
    )
    assert (tests, [note.code for note in notes]) == ((), ["not-tested"])
    ((test,), _) = nested_tests([(FIXED, FREE)], {FIXED: fitted(1.0), FREE: fitted(1.0 + 1e-9)}, 40)
    assert (test.statistic, test.p_value, test.at_edge) == (0.0, 1.0, False)
    edge = laws.fix(FREE, L_inf=0.0)
    ((test,), _) = nested_tests([(edge, FREE)], {edge: fitted(math.e), FREE: fitted(1.0)}, 4)
    assert (test.statistic, test.at_edge) == (pytest.approx(4.0), True)
    # The probability that a normal lies beyond two standard deviations.
    assert test.p_value == pytest.approx(0.0455003, rel=1e-5)


@pytest.mark.parametrize(
    ("chosen", "options", "message"),
    [
        ([FREE], {}, "at least two laws, not 1"),
        ([FREE, FREE], {}, "'power_size' is given twice"),
        ([FREE, FIXED], {"share": 1.0}, "share must be above 0 and below 1, not 1"),
        ([FREE, FIXED], {"share": 0.95}, "38 held out, 2 of 40 runs are left to fit"),
        (
            [FREE, FIXED],
            {"holdout": "last"},
            "holdout must be 'largest-compute' or None, not 'last'",
        ),
        ([FREE, FIXED], {"starts": 0}, "starts must be a whole number of at least 1, not 0"),
        (
            [FREE, FIXED],
            {"nested": [(FREE, FIXED)]},
            "'power_size' (3 parameters; inputs N) is not a special case of law",
        ),
        (
            [FREE, FIXED],
            {"nested": [(laws.power_data, FREE)]},
            "'power_data' is not one of the laws",
        ),
        (
            [FREE, laws.chinchilla, laws.power_data],
            {"nested": [(laws.chinchilla, FREE)]},
            "is not a special case of law",
        ),
        ([FREE, laws.error_from_loss], {}, "law 'power_size' is fitted to"),
    ],
)
def test_invalid_arguments(chosen, options, message):
    with pytest.raises(JscaleError) as caught:
        assess.compare(chosen, simulated(), **{**FAST, **options})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_invalid_tables():
    table = simulated()
    without_compute = replace(table, columns={name: table[name] for name in ("N", "loss")})
    with pytest.raises(JscaleError, match="no column 'C'"):
        assess.compare([FREE, FIXED], without_compute, **FAST)
    with pytest.raises(JscaleError, match="needs column 'D'"):
        assess.compare([FREE, laws.power_data], without_compute, holdout=None, **FAST)
    with pytest.raises(JscaleError, match=r"fits .* exactly: there is no noise"):
        assess.compare([FREE, FIXED], simulated(noise=0.0), **FAST)


@pytest.mark.data
def test_a_law_of_size_and_data_beats_one_of_size_on_the_chinchilla_runs():
    pair = [laws.power_size, laws.chinchilla]
    comparison = assess.compare(pair, runs.dataset("chinchilla"), nested=[tuple(pair)], starts=16)
    assert [row.law for row in comparison.rows] == ["chinchilla", "power_size"]
    assert comparison.rows[0].rmse < 0.3 * comparison.rows[1].rmse
    assert len(comparison.held_out) == 48
    assert comparison.rows[0].objective == pytest.approx(1.018274e-3, rel=1e-6)
    (test,) = comparison.nested
    assert test.df == 2
    assert test.p_value < 1e-100
