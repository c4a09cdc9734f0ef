"""Tables that do not determine a law: a status and a note, never a converged fit.

Tables have 40 runs and fits 64 starts wherever possible, so that they share compiled
programs.
"""

from dataclasses import replace

import jax
import numpy as np
import pytest

from jscale import fit, laws, runs
from jscale._core.errors import JscaleError
from jscale._core.solve._newton import Descent
from jscale._core.status import Status
from jscale.fit.objective._losses import Huber, StudentLikelihood
from jscale.fit.objective._tabulate import tabulate
from jscale.fit.optimum import _certificate
from jscale.fit.optimum._optimum import RowSubset, open_parameters
from jscale.fit.solve import _multistart
from tests.fit.tables import HOFFMANN, isoflop

ROWS = 40
SIZES, RATIOS = np.geomspace(1e8, 1e10, ROWS), np.random.default_rng(0).uniform(3, 300, ROWS)


def simulated(N, D):
    return runs.simulate(
        laws.chinchilla, HOFFMANN, {"N": N, "D": D}, noise=0.01, key=jax.random.key(0)
    )


def with_loss(loss, **columns):
    return runs.read({"N": SIZES, "D": RATIOS * SIZES, "loss": loss, **columns})


@pytest.mark.parametrize(
    ("N", "D", "unidentified", "cause"),
    [
        (np.full(ROWS, 1e9), RATIOS * SIZES, {"E", "A", "alpha"}, "(N is 1e+09 in all runs)"),
        (SIZES, np.full(ROWS, 2e10), {"E", "B", "beta"}, "(D is 2e+10 in all runs)"),
        (
            np.full(ROWS, 1e9),
            np.full(ROWS, 2e10),
            {"E", "A", "B", "alpha", "beta"},
            "(N is 1e+09 in all runs, D is 2e+10 in all runs)",
        ),
        (
            np.resize([1e8, 1e9, 1e10], ROWS),
            np.repeat([1e10, 1e11], ROWS // 2),
            {"E", "B"},
            "(D takes two values only)",
        ),
        (SIZES, 20 * SIZES, {"A", "B", "alpha", "beta"}, "(D/N is about 20 in all runs)"),
    ],
    ids=["one N", "one D", "one of each", "two D", "one ratio"],
)
def test_unidentified_parameters_are_named_with_the_cause(N, D, unidentified, cause):
    point = fit.point(laws.chinchilla, simulated(N, D), starts=16)
    assert point.certificate.status == Status.collinear_design
    assert not point.certificate.converged
    # On a ridge the parameters may end anywhere, and a steep term can add one more of them.
    assert set(point.certificate.unidentified) >= unidentified
    assert all(np.isinf(point.stderr[name]) for name in point.certificate.unidentified)
    (note,) = [n for n in point.notes if n.code == "collinear-design"]
    assert note.message.endswith(cause)


@pytest.mark.parametrize(
    "loss",
    [np.full(ROWS, 3.0), np.linspace(2, 4, ROWS), np.random.default_rng(1).uniform(2, 4, ROWS)],
    ids=["constant", "rising", "random"],
)
def test_losses_that_the_law_cannot_describe_do_not_converge(loss):
    point = fit.point(laws.chinchilla, with_loss(loss), starts=16)
    assert not point.certificate.converged
    assert {n.code for n in point.notes} & {"collinear-design", "at-bound", "not-converged"}
    assert all(np.isfinite(value) for value in point.params.values())


def test_duplicated_runs_double_the_objective():
    single = isoflop(sizes=4)
    doubled = runs.read({name: np.repeat(single[name], 2) for name in ("N", "D", "loss")})
    assert "duplicate-runs" in {n.code for n in doubled.notes}
    one, two = (fit.point(laws.chinchilla, table, starts=8) for table in (single, doubled))
    assert two.objective == pytest.approx(2 * one.objective, rel=1e-8)
    assert two.params == pytest.approx(one.params, rel=1e-5)


@pytest.mark.parametrize(("rows", "error"), [(3, True), (5, False), (6, False)])
def test_too_few_runs_are_rejected_or_do_not_converge(rows, error):
    table = simulated(SIZES[:: ROWS // rows][:rows], (RATIOS * SIZES)[:: ROWS // rows][:rows])
    if error:
        with pytest.raises(
            JscaleError, match="3 runs cannot determine the 5 parameters of law 'chinchilla'"
        ):
            fit.point(laws.chinchilla, table)
    else:
        assert not fit.point(laws.chinchilla, table, starts=16).certificate.converged


def test_as_many_runs_as_parameters_have_infinite_errors():
    table = isoflop(sizes=3)
    weights = np.zeros(len(table))
    weights[[0, 4, 7, 10, 14]] = 1
    point = fit.point(laws.chinchilla, table, weights=weights, starts=16)
    assert point.n_runs == 5
    assert all(np.isinf(error) for error in point.stderr.values())
    (note,) = [n for n in point.notes if n.code == "saturated"]
    assert note.message.startswith("5 runs, 5 parameters: no degree of freedom")


def test_a_fixed_floor_above_a_loss_is_rejected():
    table = simulated(SIZES, RATIOS * SIZES)
    fixed = laws.fix(laws.chinchilla, E=3.0)
    with pytest.raises(
        JscaleError, match=r"column 'loss', row 1: .* is at or below the floor E = 3 that was fixed"
    ):
        fit.point(fixed, table)


def test_a_law_that_is_not_finite_at_any_start_does_not_converge():
    table = simulated(SIZES, RATIOS * SIZES)
    point = fit.point(laws.fix(laws.chinchilla, alpha=1e3), table)
    assert point.certificate.status == Status.not_converged
    assert point.certificate.agreement == 0
    assert all(np.isinf(error) for error in point.stderr.values())
    (note,) = [n for n in point.notes if n.severity != "info"]
    name = "chinchilla[alpha=1000]"
    reason = f"from none of 64 starts does {name} give every run a finite number"
    assert note.message == f"the fit of {name} did not converge: {reason}"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"agreement": 0.03, "gradient_norm": 1e-9}, "3% of 64 starts agree, gradient 1.0e-09"),
        ({"agreement": 1.0, "gradient_norm": 2e-3}, "100% of 64 starts agree, gradient 2.0e-03"),
        (
            {"agreement": 1.0, "gradient_norm": 1e-9},
            "a second method (BFGS) finds a lower objective",
        ),
        (
            {"agreement": 1.0, "gradient_norm": 1e-9, "starts": 1},
            "one start cannot be confirmed by another; give two or more",
        ),
        (
            {"agreement": 0.0, "gradient_norm": np.inf},
            "from none of 64 starts does chinchilla give every run a finite",
        ),
    ],
)
def test_the_note_of_a_failed_fit_has_the_reason(changes, reason):
    converged = fit.point(laws.chinchilla, simulated(SIZES, RATIOS * SIZES), starts=8).certificate
    failed = replace(converged, **{"status": Status.not_converged, "starts": 64, **changes})
    (note, *_) = _certificate.notes(failed, laws.describe(laws.chinchilla), {})
    assert reason in note.message


@pytest.mark.parametrize("objective", [Huber(), StudentLikelihood()], ids=str)
def test_parameters_that_vary_on_a_ridge_are_unidentified(objective):
    """Three ends: the lowest, one about as low with another E, one far higher with another A."""
    table = simulated(SIZES, 20 * SIZES)
    fit_data, _ = tabulate(laws.chinchilla, runs.select(table, laws.chinchilla), objective)
    # The level of a log likelihood is arbitrary; that of a sum of residuals is their size.
    level, unit = (-3.0, 0.5 * len(table)) if objective.has_scale else (2.0, 2.0)
    base = np.zeros((3, 5 + objective.has_scale))
    base[1, 0], base[2, 1] = 1.0, 1.0
    ends = Descent(base, level + unit * np.array([0.0, 0.01, 0.03]), np.ones(3), np.ones(3, bool))
    point = fit.point(laws.chinchilla, table, starts=8)
    certificate = replace(point.certificate, unidentified=("beta",), at_bound=())
    subset = RowSubset(laws.chinchilla, objective, fit_data, None)
    assert open_parameters(certificate, subset, ends) == ("E", "beta")


def test_one_start_does_not_converge():
    table = simulated(SIZES, RATIOS * SIZES)
    one, two = (fit.point(laws.chinchilla, table, starts=n) for n in (1, 2))
    assert one.certificate.status == Status.not_converged
    assert "one start cannot be confirmed by another; give two or more" in one.notes[-1].message
    assert two.certificate.converged
    assert one.params == pytest.approx(two.params, rel=1e-6)


@pytest.mark.parametrize("factor", [1e200, 1e-300])
def test_units_of_any_size_are_fitted(factor):
    table = simulated(SIZES, RATIOS * SIZES)
    point = fit.point(
        laws.chinchilla, runs.read({"N": factor * SIZES, "D": table["D"], "loss": table["loss"]})
    )
    plain = fit.point(laws.chinchilla, table, starts=8)
    assert point.certificate.converged
    assert point.params["alpha"] == pytest.approx(plain.params["alpha"], rel=1e-6)


def test_one_outlier_changes_little():
    table = simulated(SIZES, RATIOS * SIZES)
    loss = table["loss"].copy()
    loss[7] = 1e30
    outlier = fit.point(laws.chinchilla, with_loss(loss), starts=16)
    plain = fit.point(laws.chinchilla, with_loss(table["loss"]), starts=8)
    assert outlier.certificate.converged
    assert outlier.params["E"] == pytest.approx(plain.params["E"], abs=2 * plain.stderr["E"])


def test_large_tables_are_searched_on_a_subsample(monkeypatch):
    table = isoflop()
    direct = fit.point(laws.chinchilla, table, starts=16)
    monkeypatch.setattr(_multistart, "LARGE_TABLE", 30)
    monkeypatch.setattr(_multistart, "_SUBSAMPLE", 12)
    subsampled = fit.point(laws.chinchilla, table, starts=16)
    assert subsampled.n_runs == direct.n_runs == 40
    assert subsampled.params == pytest.approx(direct.params, rel=1e-5)
    assert subsampled.objective == pytest.approx(direct.objective, rel=1e-10)
    assert subsampled.certificate.converged
    assert subsampled.certificate.agreement == 1.0


def test_distinct_minima_differ_in_their_objectives():
    values = np.array([2.0, 1.0, np.inf, 1.0 + 1e-9, 2.0 - 1e-8, 3.0])
    groups = [group.tolist() for group in _multistart.distinct_minima(values)]
    assert groups == [[1, 3], [4, 0], [5]]
    (group,) = _multistart.distinct_minima(np.full(2, np.inf))
    assert group.tolist() == [0, 1]


def test_an_unidentified_parameter_has_an_infinite_error_everywhere():
    """Ratios that differ by 1% give a finite curvature, but the truth may be anywhere."""
    N = np.geomspace(3e7, 3e9, ROWS)
    design = {"N": N, "D": 20 * N * np.exp(0.01 * np.resize([-1, 0, 1], ROWS))}
    table = runs.simulate(laws.chinchilla, HOFFMANN, design, noise=0.002, key=jax.random.key(0))
    point = fit.point(laws.chinchilla, table, objective="log-squares")
    names = set(point.certificate.unidentified)
    assert point.certificate.condition < 1e10
    assert {"A", "B"} <= names

    resampled = fit.bootstrap(point, draws=8, key=jax.random.key(0))
    fisher, sandwich = (fit.covariance(point, kind=kind) for kind in ("fisher", "sandwich"))
    for stderr in (point.stderr, resampled.stderr, fisher.stderr, sandwich.stderr):
        assert {name for name, error in stderr.items() if np.isinf(error)} == names
    for matrix in (point.covariance, resampled.covariance, fisher.matrix, sandwich.matrix):
        infinite = np.isinf(np.diag(matrix))
        assert {
            name for name, is_inf in zip(point.params, infinite, strict=True) if is_inf
        } == names
    assert np.isinf(fit.profile(point, min(names)).stderr)
