"""Runs that count more or less than once."""

import jax
import numpy as np
import pytest
import scipy.optimize
import scipy.stats

from jscale import fit, laws, runs
from jscale._core.errors import JscaleError
from tests.fit.tables import isoflop


def read(table, **columns):
    return runs.read({"N": table["N"], "D": table["D"], "loss": table["loss"], **columns})


@pytest.mark.parametrize("objective", ["huber", "student-likelihood"])
def test_a_weight_of_two_is_a_run_twice(objective):
    table = isoflop()
    counts = np.random.default_rng(0).integers(1, 4, len(table))
    twice = runs.read({name: np.repeat(table[name], counts) for name in ("N", "D", "loss")})
    weighted = fit.point(laws.chinchilla, table, weights=counts, objective=objective)
    repeated = fit.point(laws.chinchilla, twice, objective=objective)
    # Weights are scaled to a mean of 1, whatever their unit.
    assert weighted.objective * counts.mean() == pytest.approx(repeated.objective, rel=1e-8)
    for name, value in repeated.params.items():
        assert weighted.params[name] == pytest.approx(value, rel=1e-5), name
    assert weighted.certificate.condition == pytest.approx(repeated.certificate.condition, rel=0.3)


def test_standard_errors_weigh_as_in_linear_regression():
    rng = np.random.default_rng(1)
    N, error = np.geomspace(1e6, 1e9, 30), rng.uniform(0.001, 0.05, 30)
    loss = (8.8e13 / N) ** 0.076 * np.exp(error * rng.normal(size=30))
    table = runs.read({"N": N, "loss": loss, "loss_se": error * loss})
    point = fit.point(laws.kaplan_size, table, weights="loss_se", objective="log-squares")
    # log L = alpha log N_c - alpha log N, weighted by 1 / error**2
    slope, intercept = np.polyfit(np.log(N), np.log(loss), 1, w=1 / error)
    assert point.params["alpha_N"] == pytest.approx(-slope, rel=1e-9)
    assert np.log(point.params["N_c"]) == pytest.approx(-intercept / slope, rel=1e-9)


def _student(r):
    return -scipy.stats.t.logpdf(r, 3, scale=scipy.stats.t.fit(r, f0=3, floc=0)[2]).sum()


OBJECTIVES = {
    fit.Huber(delta=1e-6): lambda r: np.abs(r).sum(),
    fit.Huber(delta=10.0): lambda r: np.sum(r**2),
    fit.StudentLikelihood(df=3): _student,
}


@pytest.mark.parametrize("goal", OBJECTIVES, ids=str)
def test_residuals_count_in_units_of_their_errors(goal):
    rng = np.random.default_rng(2)
    N, error = np.geomspace(1e6, 1e9, 30), rng.uniform(0.001, 0.05, 30)
    loss = (8.8e13 / N) ** 0.076 * np.exp(error * rng.standard_t(3, size=30))
    table = runs.read({"N": N, "loss": loss, "loss_se": error * loss})
    point = fit.point(laws.kaplan_size, table, weights="loss_se", objective=goal)
    x = np.log(N) - np.log(N).mean()

    def brute(line):
        return OBJECTIVES[goal]((np.log(loss) - line[0] + line[1] * x) / error)

    begin = np.array([np.log(loss).mean(), 0.076])
    tight = {"xatol": 1e-12, "fatol": 1e-14, "maxiter": 10_000}
    found = scipy.optimize.minimize(brute, begin, method="Nelder-Mead", options=tight)
    assert point.params["alpha_N"] == pytest.approx(found.x[1], rel=1e-5)
    assert point.certificate.converged


def test_errors_hold_at_every_step_of_the_uncertainty():
    rng = np.random.default_rng(3)
    N, error = np.geomspace(1e6, 1e9, 600), np.exp(rng.normal(-5, 1.0, 600))
    loss = (8.8e13 / N) ** 0.076 * np.exp(error * rng.standard_t(4, size=600))
    table = runs.read({"N": N, "loss": loss, "loss_se": error * loss})
    settings = {"weights": "loss_se", "objective": "student-likelihood"}
    likelihood = fit.profile(laws.kaplan_size, table, "alpha_N", **settings)
    assert likelihood.scaling == "likelihood"
    fisher = fit.covariance(laws.kaplan_size, table, kind="fisher", **settings)
    sandwich = fit.covariance(laws.kaplan_size, table, kind="sandwich", **settings)
    drawn = fit.bootstrap(
        laws.kaplan_size, table, draws=300, key=jax.random.key(0), kind="parametric", **settings
    )
    told = (likelihood.high - likelihood.low) / 2 / 1.645
    assert fisher.stderr["alpha_N"] == pytest.approx(told, rel=0.1)
    assert sandwich.stderr["alpha_N"] == pytest.approx(told, rel=0.1)
    assert drawn.stderr["alpha_N"] == pytest.approx(told, rel=0.1)


def test_errors_of_the_loss_say_nothing_of_another_output():
    accuracy = runs.read(
        {
            "loss": np.linspace(2, 4, 9),
            "loss_se": np.full(9, 0.01),
            "error": np.linspace(0.2, 0.7, 9),
        }
    )
    with pytest.raises(
        JscaleError, match="column 'loss_se' is of the loss, which this law does not predict"
    ):
        fit.point(laws.error_from_loss, accuracy, weights="loss_se")


def test_fisher_under_errors_is_that_of_weighted_regression():
    rng = np.random.default_rng(1)
    N, error = np.geomspace(1e6, 1e9, 30), rng.uniform(0.001, 0.05, 30)
    loss = (8.8e13 / N) ** 0.076 * np.exp(error * rng.normal(size=30))
    table = runs.read({"N": N, "loss": loss, "loss_se": error * loss})
    found = fit.covariance(
        laws.kaplan_size, table, kind="fisher", weights="loss_se", objective="log-squares"
    )
    design = np.stack([np.ones(30), np.log(N)], axis=1) / error[:, None]
    solution, (rest,), *_ = np.linalg.lstsq(design, np.log(loss) / error)
    stderr = np.sqrt(np.diag(np.linalg.inv(design.T @ design)) * rest / 28)
    assert found.point.params["alpha_N"] == pytest.approx(-solution[1], rel=1e-9)
    assert found.stderr["alpha_N"] == pytest.approx(stderr[1], rel=1e-6)


def test_equal_weights_are_none():
    table = isoflop()
    one, none = (
        fit.covariance(
            laws.chinchilla, table, kind="fisher", weights=w, objective="student-likelihood"
        )
        for w in (np.full(len(table), 3.0), None)
    )
    assert one.stderr == pytest.approx(none.stderr, rel=1e-9)
    assert (one.point.weights, none.point.weights) == ("given", None)


def test_errors_that_are_all_alike_change_nothing():
    table = isoflop()
    alike = read(table, loss_se=0.01 * table["loss"])
    weighted, plain = (fit.point(laws.chinchilla, alike, weights=w) for w in ("loss_se", None))
    assert weighted.objective == pytest.approx(plain.objective, rel=1e-12)


def test_runs_of_weight_zero_are_left_out_and_said():
    table = isoflop()
    weights = np.ones(len(table))
    weights[[3, 8]] = 0
    by_array = fit.point(laws.chinchilla, table, weights=weights)
    by_column = fit.point(laws.chinchilla, read(table, trust=weights), weights="trust")
    excluded = fit.point(laws.chinchilla, read(table, exclude=weights == 0))
    assert by_array.params == by_column.params == pytest.approx(excluded.params, rel=1e-9)
    assert by_array.n_runs == len(table) - 2
    assert 3 not in by_array.rows
    (note,) = [n for n in by_array.notes if n.code == "weightless-runs"]
    assert note.message == "2 runs weigh 0 and are left out"
    assert note.evidence["rows"] == [3, 8]


def test_excluded_runs_need_no_weight():
    table = isoflop()
    weights, out = np.ones(len(table)), np.zeros(len(table), bool)
    weights[0], out[0] = np.nan, True
    assert (
        fit.point(laws.chinchilla, read(table, exclude=out), weights=weights).n_runs
        == len(table) - 1
    )


@pytest.mark.parametrize("kind", ["rows", "wild", "parametric"])
def test_bootstrap_weighs_as_the_fit_does(kind):
    table = isoflop(sizes=20, noise=0.0)
    rng = np.random.default_rng(0)
    error = np.where(rng.random(len(table)) < 0.5, 0.002, 0.03)
    noisy = table["loss"] * np.exp(error * rng.normal(size=len(table)))
    told = read({**{n: table[n] for n in ("N", "D")}, "loss": noisy}, loss_se=error * noisy)
    settings = {"draws": 200, "key": jax.random.key(0), "kind": kind, "objective": "log-squares"}
    weighted = fit.bootstrap(laws.chinchilla, told, weights="loss_se", **settings)
    assert weighted.failures == 0
    assert (
        weighted.point.params
        == fit.point(laws.chinchilla, told, weights="loss_se", objective="log-squares").params
    )
    assert weighted.stderr["E"] == pytest.approx(weighted.point.stderr["E"], rel=0.25)
    unweighted = fit.point(laws.chinchilla, told, objective="log-squares")
    assert weighted.stderr["E"] < 0.8 * unweighted.stderr["E"]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("trust", "table has no column 'trust'"),
        ("loss_se", "table has no column 'loss_se'"),
        ("gaps", "table: column 'gaps', row 3: the cell is empty; expected a weight of 0 or above"),
        ("reason", "table: column 'reason', row 1: 'because' is no number; expected a weight"),
        (
            "sign",
            "table: column 'sign', row 2: -1 is out of range; expected a weight of 0 or above",
        ),
        (np.ones(3), "weights have shape (3,); expected (40,), one for every row of table"),
        (np.zeros(40), "table: weights: every run weighs 0; expected some weight above 0"),
        (np.r_[np.ones(4), np.inf, np.ones(35)], "table: weights, row 5: inf is out of range"),
        ({"N": 1}, "weights must be a column's name or numbers, not dict"),
        ([1.0] * 4 + [0.0] * 36, "4 runs cannot determine the 5 parameters of law 'chinchilla'"),
    ],
    ids=lambda value: str(value)[:12] if isinstance(value, str) else type(value).__name__,
)
def test_bad_weights_are_one_line(weights, message):
    table = isoflop()
    gaps, sign = np.ones((2, len(table)))
    gaps[2], sign[1] = np.nan, -1
    full = read(table, gaps=gaps, sign=sign, reason=["because"] * len(table))
    with pytest.raises(JscaleError) as caught:
        fit.point(laws.chinchilla, full, weights=weights)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_column_of_weights_goes_by_its_old_name_too():
    """Standard errors are errors under any name, not weights."""
    table = isoflop()
    sizes = np.random.default_rng(3).uniform(0.01, 0.05, len(table))
    mine = runs.read(
        {"N": table["N"], "D": table["D"], "loss": table["loss"], "stderr": sizes, "w": sizes}
    )
    found = {
        name: fit.point(laws.chinchilla, mine, weights=name, starts=8)
        for name in ("stderr", "loss_se", "w")
    }
    assert found["stderr"].params == found["loss_se"].params != found["w"].params
    assert found["stderr"].weights == "loss_se"
