"""Weights and standard errors of the runs.

Tables have 40 fitted runs wherever possible, so that the fits share compiled programs.
"""

import jax
import numpy as np
import pytest
import scipy.optimize
import scipy.stats

from jscale import fit, laws, runs
from jscale._core.errors import JscaleError
from tests.fit.tables import isoflop

pytestmark = pytest.mark.usefixtures("one_optimiser")


def read(table, **columns):
    return runs.read({"N": table["N"], "D": table["D"], "loss": table["loss"], **columns})


@pytest.mark.parametrize("objective", ["huber", "student-likelihood"])
def test_weights_equal_repetitions(objective):
    distinct = isoflop(sizes=4)
    columns = {name: distinct[name] for name in ("N", "D", "loss")}
    counts = np.random.default_rng(0).permutation(np.repeat([1, 2, 3], [5, 10, 5]))
    doubled = runs.read({name: np.repeat(column, 2) for name, column in columns.items()})
    listed = runs.read({name: np.repeat(column, counts) for name, column in columns.items()})
    assert len(doubled) == len(listed) == 40

    weights = np.repeat(counts, 2)
    weighted = fit.point(laws.chinchilla, doubled, weights=weights, objective=objective, starts=16)
    repeated = fit.point(laws.chinchilla, listed, objective=objective, starts=16)

    # Weights are scaled to a mean of 1, whatever their unit; every run is in ``doubled`` twice.
    total = weighted.objective * weights.mean()
    assert total == pytest.approx(2 * repeated.objective, rel=1e-8)
    for name, value in repeated.params.items():
        assert weighted.params[name] == pytest.approx(value, rel=1e-5), name
    assert weighted.certificate.condition == pytest.approx(repeated.certificate.condition, rel=0.3)


def test_standard_errors_weigh_as_in_linear_regression():
    rng = np.random.default_rng(1)
    N, error = np.geomspace(1e6, 1e9, 30), rng.uniform(0.001, 0.05, 30)
    loss = (8.8e13 / N) ** 0.076 * np.exp(error * rng.normal(size=30))
    table = runs.read({"N": N, "loss": loss, "loss_se": error * loss})
    point = fit.point(laws.kaplan_size, table, weights="loss_se", objective="log-squares", starts=8)
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


@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
def test_residuals_are_divided_by_their_standard_errors(objective):
    rng = np.random.default_rng(2)
    N, error = np.geomspace(1e6, 1e9, 30), rng.uniform(0.001, 0.05, 30)
    loss = (8.8e13 / N) ** 0.076 * np.exp(error * rng.standard_t(3, size=30))
    table = runs.read({"N": N, "loss": loss, "loss_se": error * loss})
    point = fit.point(laws.kaplan_size, table, weights="loss_se", objective=objective)
    x = np.log(N) - np.log(N).mean()

    def total(line):
        return OBJECTIVES[objective]((np.log(loss) - line[0] + line[1] * x) / error)

    start = np.array([np.log(loss).mean(), 0.076])
    # The rounding of such a sum is 1e-14: on some processors no step is smaller, for five minutes.
    options = {"xatol": 1e-12, "fatol": 1e-12, "maxiter": 10_000}
    minimum = scipy.optimize.minimize(total, start, method="Nelder-Mead", options=options)
    assert point.params["alpha_N"] == pytest.approx(minimum.x[1], rel=1e-5)
    assert point.certificate.converged


def test_profile_covariances_and_bootstrap_agree_under_standard_errors():
    rng = np.random.default_rng(3)
    N, error = np.geomspace(1e6, 1e9, 600), np.exp(rng.normal(-5, 1.0, 600))
    loss = (8.8e13 / N) ** 0.076 * np.exp(error * rng.standard_t(4, size=600))
    table = runs.read({"N": N, "loss": loss, "loss_se": error * loss})
    settings = {"weights": "loss_se", "objective": "student-likelihood"}
    point = fit.point(laws.kaplan_size, table, starts=8, **settings)
    likelihood = fit.profile(point, "alpha_N")
    assert likelihood.scaling == "likelihood"
    fisher = fit.covariance(point, kind="fisher")
    sandwich = fit.covariance(point, kind="sandwich")
    resampled = fit.bootstrap(point, draws=300, key=jax.random.key(0), kind="parametric")
    expected = (likelihood.high - likelihood.low) / 2 / 1.645
    assert fisher.stderr["alpha_N"] == pytest.approx(expected, rel=0.1)
    assert sandwich.stderr["alpha_N"] == pytest.approx(expected, rel=0.1)
    assert resampled.stderr["alpha_N"] == pytest.approx(expected, rel=0.1)


def test_standard_errors_of_the_loss_do_not_apply_to_another_output():
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


def test_fisher_covariance_is_that_of_weighted_regression():
    rng = np.random.default_rng(1)
    N, error = np.geomspace(1e6, 1e9, 30), rng.uniform(0.001, 0.05, 30)
    loss = (8.8e13 / N) ** 0.076 * np.exp(error * rng.normal(size=30))
    table = runs.read({"N": N, "loss": loss, "loss_se": error * loss})
    covariance = fit.covariance(
        laws.kaplan_size, table, kind="fisher", weights="loss_se", objective="log-squares"
    )
    design = np.stack([np.ones(30), np.log(N)], axis=1) / error[:, None]
    solution, (residual,), *_ = np.linalg.lstsq(design, np.log(loss) / error)
    stderr = np.sqrt(np.diag(np.linalg.inv(design.T @ design)) * residual / 28)
    assert covariance.point.params["alpha_N"] == pytest.approx(-solution[1], rel=1e-9)
    assert covariance.stderr["alpha_N"] == pytest.approx(stderr[1], rel=1e-6)


def test_equal_weights_equal_no_weights():
    table = isoflop()
    settings = {"kind": "fisher", "objective": "student-likelihood"}
    equal = fit.covariance(laws.chinchilla, table, weights=np.full(len(table), 3.0), **settings)
    none = fit.covariance(laws.chinchilla, table, weights=None, **settings)
    assert equal.stderr == pytest.approx(none.stderr, rel=1e-9)
    assert (equal.point.weights, none.point.weights) == ("given", None)


def test_equal_standard_errors_change_nothing():
    table = isoflop()
    equal = read(table, loss_se=0.01 * table["loss"])
    weighted, plain = (
        fit.point(laws.chinchilla, equal, weights=w, starts=8) for w in ("loss_se", None)
    )
    assert weighted.objective == pytest.approx(plain.objective, rel=1e-12)


def test_runs_of_weight_zero_are_left_out_with_a_note():
    table = isoflop(sizes=9)
    weights = np.ones(len(table))
    omitted = [3, 8, 20, 31, 44]
    weights[omitted] = 0
    by_array = fit.point(laws.chinchilla, table, weights=weights, starts=8)
    by_column = fit.point(laws.chinchilla, read(table, trust=weights), weights="trust", starts=8)
    excluded = fit.point(laws.chinchilla, read(table, exclude=weights == 0), starts=8)
    assert by_array.params == by_column.params == pytest.approx(excluded.params, rel=1e-9)
    assert by_array.n_runs == 40
    assert not set(omitted) & set(by_array.rows)
    (note,) = [n for n in by_array.notes if n.code == "weightless-runs"]
    assert note.message == "5 runs have weight 0 and are left out"
    assert note.evidence["rows"] == omitted


def test_excluded_runs_need_no_weight():
    table = isoflop(sizes=9)
    weights, exclude = np.ones(len(table)), np.zeros(len(table), bool)
    weights[:5], exclude[:5] = np.nan, True
    point = fit.point(laws.chinchilla, read(table, exclude=exclude), weights=weights, starts=8)
    assert point.n_runs == 40


@pytest.fixture(scope="module")
def heteroscedastic() -> runs.Runs:
    """Half of the runs have an error of 0.2%, the others of 3%."""
    table = isoflop(sizes=20, noise=0.0)
    rng = np.random.default_rng(0)
    error = np.where(rng.random(len(table)) < 0.5, 0.002, 0.03)
    loss = table["loss"] * np.exp(error * rng.normal(size=len(table)))
    return runs.read({"N": table["N"], "D": table["D"], "loss": loss, "loss_se": error * loss})


@pytest.fixture(scope="module")
def unweighted_stderr(heteroscedastic) -> float:
    return fit.point(laws.chinchilla, heteroscedastic, objective="log-squares", starts=8).stderr[
        "E"
    ]


@pytest.mark.parametrize("kind", ["rows", "wild", "parametric"])
def test_bootstrap_uses_the_weights_of_the_fit(kind, heteroscedastic, unweighted_stderr):
    settings = {"weights": "loss_se", "objective": "log-squares", "starts": 8}
    resampled = fit.bootstrap(
        laws.chinchilla, heteroscedastic, draws=200, key=jax.random.key(0), kind=kind, **settings
    )
    point = fit.point(laws.chinchilla, heteroscedastic, **settings)
    assert resampled.failures == 0
    assert resampled.point.params == point.params
    assert resampled.stderr["E"] == pytest.approx(point.stderr["E"], rel=0.25)
    assert resampled.stderr["E"] < 0.8 * unweighted_stderr


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("trust", "weights: table has no column 'trust'"),
        ("loss_se", "weights: table has no column 'loss_se'"),
        ("gaps", "table: column 'gaps', row 3: the cell is empty; expected a weight of 0 or above"),
        ("reason", "table: column 'reason', row 1: 'because' is not a number; expected a weight"),
        (
            "sign",
            "table: column 'sign', row 2: -1 is out of range; expected a weight of 0 or above",
        ),
        (np.ones(3), "weights have shape (3,); expected (40,), one for every row of table"),
        (np.zeros(40), "table: weights: every run has weight 0; expected a weight above 0"),
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


def test_a_column_of_weights_can_be_named_by_its_alias():
    """Standard errors are errors under any name, not weights."""
    table = isoflop()
    sizes = np.random.default_rng(3).uniform(0.01, 0.05, len(table))
    columns = {name: table[name] for name in ("N", "D", "loss")}
    aliased = runs.read({**columns, "stderr": sizes, "w": sizes})
    alias, canonical, weights = (
        fit.point(laws.chinchilla, aliased, weights=name, starts=8)
        for name in ("stderr", "loss_se", "w")
    )
    assert alias.params == canonical.params != weights.params
    assert alias.weights == "loss_se"
